import { describe, expect, it } from 'vitest';
import { GREEDY } from '../../tests/setup/greedy.mjs';
import type { GenerateEvent, GenerateRequest } from '../api.ts';
import type { ChatTurn, TemplateRenderer, Tokenizer } from '../text/index.ts';
import { answer, type ChatModel } from './chat.ts';
import type { TokenRequest, TokenRun } from './run.ts';

const CONTEXT = 400;
const END = 256;
const OPEN = 257;
const CLOSE = 258;
const CONTROL: Readonly<Record<string, number>> = { '<end>': END, '<think>': OPEN, '</think>': CLOSE };

/** One token a byte, so that lengths can be counted by eye. */
const tokenizer: Tokenizer = {
  size: 259,
  bosToken: undefined,
  eosToken: END,
  endTokens: new Set([END]),
  encode(text, { parseSpecial }) {
    const parts = parseSpecial ? text.split(/(<end>|<think>|<\/think>)/) : [text];
    return Uint32Array.from(
      parts.flatMap((part) => {
        const control = CONTROL[part];
        return parseSpecial && control !== undefined ? [control] : [...new TextEncoder().encode(part)];
      }),
    );
  },
  tokenBytes(token, special) {
    if (token < END) return Uint8Array.of(token);
    const text = Object.keys(CONTROL)[token - END] ?? '';
    return special || token !== END ? new TextEncoder().encode(text) : new Uint8Array();
  },
  decode: (tokens) => new TextDecoder().decode(Uint8Array.from(Array.from(tokens).filter((token) => token < END))),
};

const renderer: TemplateRenderer = {
  renderChat: async (_, turns) => turns.map(({ content }) => `${content}\n`).join(''),
  close() {},
};

/** A model that says `says` and then goes on for ever, or ends where `<end>` stands. */
function model(says: string) {
  const asked: TokenRequest[] = [];
  const tokens = tokenizer.encode(says, { addSpecial: false, parseSpecial: true });
  const chat: ChatModel = {
    key: 'a model',
    tokenizer,
    template: 'any',
    renderer,
    lastAnswers: new Map(),
    engine: {
      contextTokens: CONTEXT,
      async generate(request): Promise<TokenRun> {
        asked.push(request);
        const figures = { reusedTokens: 0, firstTokenMs: 1, decodeMs: 1 };
        for (let i = 0; i < request.maxTokens; i++) {
          const token = tokens[i] ?? 120;
          if (request.onToken({ token, finite: true, logProb: 0, top: [] })) {
            return { finish: 'ended', answerTokens: i + 1, ...figures };
          }
        }
        return { finish: 'max-tokens', answerTokens: request.maxTokens, ...figures };
      },
    },
  };
  return { chat, asked };
}

const user = (length: number): ChatTurn => ({ role: 'user', content: 'u'.repeat(length) });
const assistant = (content: string): ChatTurn => ({ role: 'assistant', content });
const { signal } = new AbortController();

function ask(chat: ChatModel, turns: readonly ChatTurn[], more: Partial<GenerateRequest> = {}) {
  const events: GenerateEvent[] = [];
  const request: GenerateRequest = {
    id: '1',
    conversation: 'c',
    turns,
    sampler: GREEDY,
    maxTokens: CONTEXT,
    stopStrings: [],
    whenFull: 'ask',
    ...more,
  };
  return answer(chat, request, (event) => events.push(event), signal);
}

describe('a context that an answer filled', () => {
  it('offers nothing to drop where the answer itself is what is long', async () => {
    const { chat } = model('x'.repeat(CONTEXT));
    const result = await ask(chat, [user(20)]);
    expect(result).toMatchObject({ finish: 'context-full', waysOn: { dropOldest: false, dropReasoning: false } });
  });

  it('offers to drop the oldest turns where that makes room, and then it does', async () => {
    const { chat, asked } = model('x'.repeat(CONTEXT));
    const turns = [user(150), assistant('a'.repeat(50)), user(20)];
    const full = await ask(chat, turns);
    expect(full).toMatchObject({ finish: 'context-full', waysOn: { dropOldest: true, dropReasoning: false } });
    const said = 'x'.repeat(full.answerTokens);
    const more = await ask(chat, [...turns, assistant(said)], { whenFull: 'drop-oldest' });
    expect(more.droppedTurns).toBe(2);
    expect(asked.at(-1)?.tokens.length).toBe(21 + full.answerTokens);
    expect(more.answerTokens).toBeGreaterThan(100);
  });

  it('offers to go on without the reasoning where that makes room, and then it does', async () => {
    const { chat, asked } = model(`<think>${'t'.repeat(300)}</think>Two${'x'.repeat(CONTEXT)}`);
    const full = await ask(chat, [user(20)]);
    expect(full).toMatchObject({ finish: 'context-full', waysOn: { dropOldest: false, dropReasoning: true } });
    const { reasoning, text } = chat.lastAnswers.get('c') ?? { reasoning: '', text: '' };
    expect(reasoning).toBe('t'.repeat(300));
    const turns = [user(20), assistant(text)];
    await expect(ask(chat, turns, { begunReasoning: reasoning })).rejects.toMatchObject({
      details: { contextFull: true, dropOldest: false, dropReasoning: true },
    });
    const more = await ask(chat, turns);
    expect(asked.at(-1)?.tokens.length).toBe(21 + text.length);
    expect(more.answerTokens).toBe(CONTEXT - 21 - text.length);
  });

  it('does not offer that where nothing was said yet: it would think the same again', async () => {
    const { chat } = model(`<think>${'t'.repeat(CONTEXT)}`);
    expect((await ask(chat, [user(20)])).waysOn).toEqual({ dropOldest: false, dropReasoning: false });
  });
});

describe('turns that fill the context', () => {
  it('are told with what would make room', async () => {
    const turns = [user(300), assistant('a'.repeat(60)), user(60)];
    const failed = ask(model('').chat, turns);
    await expect(failed).rejects.toMatchObject({
      details: { contextFull: true, dropOldest: true, dropReasoning: false },
    });
    await expect(failed).rejects.toThrow(/takes 423 tokens, and the context holds 400\. .*drop the oldest turns/);
  });

  it('are dropped from the front, system and last question kept, as far as an answer needs', async () => {
    const { chat, asked } = model('Yes.<end>');
    const system: ChatTurn = { role: 'system', content: 's' };
    const turns = [system, user(150), assistant('a'.repeat(50)), user(150), assistant('b'.repeat(50)), user(60)];
    const result = await ask(chat, turns, { whenFull: 'drop-oldest' });
    expect(result).toMatchObject({ finish: 'end', droppedTurns: 2 });
    expect(tokenizer.decode(asked[0]?.tokens ?? [])).toBe(
      `s\n${'u'.repeat(150)}\n${'b'.repeat(50)}\n${'u'.repeat(60)}\n`,
    );
  });

  it('are answered with less room than usual before they are refused', async () => {
    const { chat } = model('Yes.<end>');
    const result = await ask(chat, [user(100), assistant('a'), user(350)], { whenFull: 'drop-oldest' });
    expect(result).toMatchObject({ finish: 'end', droppedTurns: 2 });
  });

  it('are refused where the last message alone is too long, with what to do and nothing that cannot work', async () => {
    const failed = ask(model('').chat, [user(100), assistant('a'), user(450)], { whenFull: 'drop-oldest' });
    await expect(failed).rejects.toThrow(/This message alone takes 451 tokens.*shorten it, or load the model/);
    await expect(failed).rejects.toMatchObject({
      details: { contextFull: true, dropOldest: false, dropReasoning: false },
    });
  });

  it('are not called a long message where the begun answer is what is long', async () => {
    const failed = ask(model('').chat, [user(20), assistant('a'.repeat(390))], { whenFull: 'drop-oldest' });
    await expect(failed).rejects.toThrow(/This answer with its question takes 411 tokens/);
  });
});

describe('an answer that goes on after the page went away', () => {
  const shown = (events: readonly GenerateEvent[]) =>
    events.flatMap((event) => (event.kind === 'text' ? event.pieces.map(({ text }) => text) : [])).join('');
  const onDisk = (said: string) => {
    const { chat, asked } = model(' and on<end>');
    const prompts: number[][] = [];
    const saidBefore = async (_: string, prompt: readonly number[]) => {
      prompts.push([...prompt]);
      return [...tokenizer.encode(said, { addSpecial: false, parseSpecial: true })];
    };
    return { chat: { ...chat, saidBefore }, asked, prompts };
  };

  it('goes on from the tokens on the disk, and shows what the page had not kept', async () => {
    const { chat, asked, prompts } = onDisk('it was a long day');
    const events: GenerateEvent[] = [];
    const turns = [user(3), assistant('it was a')];
    const request = { id: '1', conversation: 'c', turns, maxTokens: 20, stopStrings: [], whenFull: 'ask' as const };
    const sampler = { temperature: 0, topK: 0, topP: 1, minP: 0, repetitionPenalty: 1 };
    const penalties = { frequencyPenalty: 0, presencePenalty: 0, seed: 1 };
    await answer(chat, { ...request, sampler: { ...sampler, ...penalties } }, (event) => events.push(event), signal);
    expect(shown(events)).toBe(' long day and on');
    expect(asked[0]?.generatedTokens).toBe('it was a long day'.length);
    expect(tokenizer.decode(prompts[0] ?? [])).toBe('uuu\n');
  });

  it('leaves the disk aside where the answer is another one', async () => {
    const { chat, asked } = onDisk('something else');
    await ask(chat, [user(3), assistant('it was a')]);
    expect(asked[0]?.generatedTokens).toBe('it was a'.length);
  });
});
