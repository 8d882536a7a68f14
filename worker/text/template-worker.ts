/**
 * The script of the disposable worker in which a checkpoint's chat template runs: it is code of strangers, so it gets
 * nothing but the conversation, and is stopped from outside when it takes too long.
 */
import { Environment, Interpreter, parse, tokenize } from '@huggingface/jinja';
import { strftime } from './strftime.ts';
import type { TemplateReply, TemplateRequest } from './template.ts';

/** `range` builds its whole list at once; longer ones would take the tab's memory before the time limit. */
const MAX_RANGE = 100_000;
/** Characters of a rendered prompt: far beyond any context. */
const MAX_PROMPT = 64 * 1024 * 1024;
const MAX_MESSAGE = 300;

/** Thrown by the template itself, through `raise_exception`. */
class Refusal extends Error {}

addEventListener('message', (event: MessageEvent<TemplateRequest>) => {
  send(answer(event.data));
});
send({ kind: 'ready' });

function send(reply: TemplateReply): void {
  postMessage(reply);
}

function answer(request: TemplateRequest): TemplateReply {
  try {
    const text = renderWithoutTools(request);
    if (text.length > MAX_PROMPT) throw new Error(`it made a prompt of ${text.length} characters`);
    return { kind: 'text', text };
  } catch (error) {
    const message = (error instanceof Error ? error.message : String(error)).slice(0, MAX_MESSAGE);
    return { kind: error instanceof Refusal ? 'refused' : 'failed', message };
  }
}

/** No tools are `None` by custom; templates that were written for tools alone want an empty list. */
function renderWithoutTools(request: TemplateRequest): string {
  try {
    return render(request, null);
  } catch (error) {
    if (error instanceof Refusal) throw error;
    try {
      return render(request, []);
    } catch {
      throw error;
    }
  }
}

/** Variables and functions are those that Hugging Face's `apply_chat_template` gives. */
function render(request: TemplateRequest, none: null | []): string {
  const environment = new Environment();
  const variables: Record<string, unknown> = {
    true: true,
    True: true,
    false: false,
    False: false,
    none: null,
    None: null,
    range: boundedRange,
    raise_exception: (message: unknown) => {
      throw new Refusal(String(message));
    },
    strftime_now: (format: unknown) => strftime(new Date(request.nowMs), String(format)),
    messages: request.turns,
    tools: none,
    documents: none,
    bos_token: request.bosToken,
    eos_token: request.eosToken,
    add_generation_prompt: request.addGenerationPrompt,
    ...(request.enableThinking === undefined ? {} : { enable_thinking: request.enableThinking }),
  };
  for (const [name, value] of Object.entries(variables)) environment.set(name, value);
  const program = parse(tokenize(request.template, { lstrip_blocks: true, trim_blocks: true }));
  const result = new Interpreter(environment).run(program) as { readonly value: unknown };
  return String(result.value);
}

/** Python's `range`. */
function boundedRange(first: number, second?: number, step = 1): number[] {
  const start = second === undefined ? 0 : first;
  const stop = second === undefined ? first : second;
  const length = Math.max(0, Math.ceil((stop - start) / step));
  if (!(length <= MAX_RANGE)) throw new Error(`range() of ${length} numbers is more than ${MAX_RANGE}`);
  return Array.from({ length }, (_, i) => start + i * step);
}
