import type { GenerateEvent, GenerateRequest, GenerateResult, TokenLogProb, WaysOn } from '../api.ts';
import { ModelError } from '../errors.ts';
import type { SampledToken } from '../gpu/sampler.ts';
import {
  type ChatTurn,
  createAnswerStream,
  encodePrompt,
  fallbackStopStrings,
  fallbackStyle,
  promptOpensReasoning,
  renderFallback,
  specialText,
  type TemplateRenderer,
  type TextPiece,
  type Tokenizer,
} from '../text/index.ts';
import { type Begun, continuedTokens, type LastAnswer } from './continued.ts';
import type { Engine } from './engine.ts';
import { contextFull, dropOldest, waysOn } from './full-context.ts';

/** An answer is not begun with less room than this. */
const LEAST_ANSWER_TOKENS = 16;
/** When the oldest turns are dropped, this share of the context is left for the answer. */
const ROOM_SHARE = 0.25;

export interface ChatModel {
  /** The key that the model's file is kept under. */
  readonly key: string;
  readonly engine: Pick<Engine, 'contextTokens' | 'generate'>;
  readonly tokenizer: Tokenizer;
  readonly template: string | undefined;
  readonly renderer: TemplateRenderer;
  /** By conversation. Outlives the engine, so that an answer goes on after the GPU was lost. */
  readonly lastAnswers: Map<string, LastAnswer>;
  /** Tokens that this device has on its disk behind a prompt, where it drives a room. */
  readonly saidBefore?: (conversation: string, prompt: readonly number[]) => Promise<readonly number[]>;
}

interface Prompt {
  readonly tokens: number[];
  readonly stopStrings: readonly string[];
  readonly opensReasoning: boolean;
}

/**
 * Answers a conversation. When its last turn is the assistant's, that turn is continued.
 * Aborting ends it with what was said; while the template still runs, CancelledError is thrown.
 * @throws PersonError (`details.contextFull`) when the turns fill the context and `whenFull` is 'ask', or when what must
 * stay does alone; ModelError when the template refuses the turns; what ended the engine
 */
export async function answer(
  model: ChatModel,
  request: GenerateRequest,
  onEvent: (event: GenerateEvent) => void,
  signal: AbortSignal,
): Promise<GenerateResult> {
  const { engine, tokenizer } = model;
  const lastTurn = request.turns.at(-1);
  const begun = lastTurn?.role === 'assistant' ? lastTurn.content : undefined;
  const turns = begun === undefined ? [...request.turns] : request.turns.slice(0, -1);
  let prompt = await makePrompt(model, turns, onEvent, signal);
  const last = model.lastAnswers.get(request.conversation);
  const broken = { reasoning: request.begunReasoning ?? '', text: begun ?? '' };
  const begunTokens =
    begun === undefined
      ? []
      : ((await saidBefore(model, request, prompt, broken)) ??
        continuedTokens(model, last, broken, prompt.opensReasoning));
  const ways = (begunAnswer: Begun, tokens: number) => whatMakesRoom(model, turns, begunAnswer, tokens, signal);
  let droppedTurns = 0;
  const taken = () => prompt.tokens.length + begunTokens.length;
  const isFull = (room: number) => taken() + room > engine.contextTokens;
  if (isFull(LEAST_ANSWER_TOKENS)) {
    const { contextTokens } = engine;
    const begunLength = begunTokens.length;
    if (request.whenFull === 'ask') {
      throw contextFull('conversation', taken(), contextTokens, await ways(broken, begunLength));
    }
    const room = Math.max(LEAST_ANSWER_TOKENS, Math.min(request.maxTokens, contextTokens * ROOM_SHARE));
    while (isFull(room)) {
      const dropped = dropOldest(turns);
      if (dropped === 0) break;
      droppedTurns += dropped;
      prompt = await makePrompt(model, turns, onEvent, signal);
    }
    if (isFull(LEAST_ANSWER_TOKENS)) {
      const what = begunLength > 0 ? 'answer' : 'message';
      throw contextFull(what, taken(), contextTokens, await ways(broken, begunLength));
    }
  }

  const stream = createAnswerStream(tokenizer, {
    stopStrings: [...request.stopStrings, ...prompt.stopStrings],
    startsInReasoning: prompt.opensReasoning,
  });
  const answerTokens = [...begunTokens];
  const begunPieces = begunTokens.flatMap((token) => stream.push(token).pieces);
  let text = written(begunPieces, 'answer');
  let reasoning = written(begunPieces, 'reasoning');
  const keep = (pieces: readonly TextPiece[]) => {
    text += written(pieces, 'answer');
    reasoning += written(pieces, 'reasoning');
    model.lastAnswers.set(request.conversation, { model: model.key, reasoning, text, tokens: answerTokens });
  };
  // the disk may know more than the page did when it went away
  const unseen = beyond(broken, { text, reasoning });
  if (unseen.length > 0) onEvent({ kind: 'text', pieces: unseen, tokens: 0 });
  let stoppedByText = false;
  const totalTokens = taken();
  onEvent({ kind: 'queued' });
  const run = await engine.generate({
    conversation: request.conversation,
    tokens: [...prompt.tokens, ...begunTokens],
    generatedTokens: begunTokens.length,
    sampler: request.sampler,
    maxTokens: Math.max(1, Math.min(request.maxTokens, engine.contextTokens - totalTokens)),
    signal,
    onPrefill: (doneTokens, reusedTokens) => onEvent({ kind: 'prefill', doneTokens, totalTokens, reusedTokens }),
    onRoom: (line) => onEvent({ kind: 'room', line }),
    onToken: (sampled) => {
      const { pieces, stopped } = stream.push(sampled.token);
      if (!tokenizer.endTokens.has(sampled.token)) answerTokens.push(sampled.token);
      keep(pieces);
      stoppedByText = stopped && !tokenizer.endTokens.has(sampled.token);
      onEvent({ kind: 'text', pieces, tokens: 1, ...logProbs(tokenizer, request, sampled) });
      return stopped;
    },
  });
  const rest = stream.finish();
  if (rest.length > 0) onEvent({ kind: 'text', pieces: rest, tokens: 0 });
  keep(rest);
  const hitContext =
    run.finish === 'context-full' || (run.finish === 'max-tokens' && run.answerTokens < request.maxTokens);
  const nothing: WaysOn = { dropOldest: false, dropReasoning: false };
  const said = { reasoning, text };
  return {
    finish: run.finish === 'ended' ? (stoppedByText ? 'stop-string' : 'end') : hitContext ? 'context-full' : run.finish,
    ...(hitContext ? { waysOn: await ways(said, answerTokens.length).catch(() => nothing) } : {}),
    promptTokens: totalTokens,
    reusedTokens: run.reusedTokens,
    answerTokens: run.answerTokens,
    firstTokenMs: run.firstTokenMs,
    tokensPerSecond: run.answerTokens > 1 && run.decodeMs > 0 ? ((run.answerTokens - 1) * 1000) / run.decodeMs : 0,
    droppedTurns,
    usedTokens: totalTokens + run.answerTokens,
    contextTokens: engine.contextTokens,
  };
}

/** The answer's tokens as they are on the disk, where they are still those of what the page shows, or more. */
async function saidBefore(
  model: ChatModel,
  { conversation, stopStrings }: GenerateRequest,
  prompt: Prompt,
  shown: Begun,
): Promise<readonly number[] | undefined> {
  const { tokenizer, lastAnswers } = model;
  if (lastAnswers.has(conversation)) return undefined;
  const said = (await model.saidBefore?.(conversation, prompt.tokens)) ?? [];
  const tokens = said.filter((token) => !tokenizer.endTokens.has(token));
  const stream = createAnswerStream(tokenizer, { stopStrings, startsInReasoning: prompt.opensReasoning });
  const pieces = tokens.flatMap((token) => stream.push(token).pieces);
  const text = written(pieces, 'answer');
  const reasoning = written(pieces, 'reasoning');
  const isIt = tokens.length > 0 && text.startsWith(shown.text) && reasoning.startsWith(shown.reasoning);
  return isIt ? tokens : undefined;
}

/** What `said` has behind `shown`. */
function beyond(shown: Begun, said: Begun): TextPiece[] {
  const pieces: TextPiece[] = [];
  for (const [kind, key] of [
    ['reasoning', 'reasoning'],
    ['answer', 'text'],
  ] as const) {
    const more = said[key].startsWith(shown[key]) ? said[key].slice(shown[key].length) : '';
    if (more !== '') pieces.push({ kind, text: more });
  }
  return pieces;
}

/** Tries out what would make room for more of an answer that fills the context. */
async function whatMakesRoom(
  model: ChatModel,
  turns: readonly ChatTurn[],
  { reasoning, text }: Begun,
  begunTokens: number,
  signal: AbortSignal,
): Promise<WaysOn> {
  const silent = () => {};
  const { opensReasoning } = await makePrompt(model, turns, silent, signal);
  const withoutReasoning = continuedTokens(model, undefined, { reasoning: '', text }, opensReasoning).length;
  return waysOn({
    turns,
    begunTokens,
    begunWithoutReasoning: reasoning === '' ? 0 : withoutReasoning,
    contextTokens: model.engine.contextTokens,
    promptTokens: async (some) => (await makePrompt(model, some, silent, signal)).tokens.length,
  });
}

async function makePrompt(
  model: ChatModel,
  turns: readonly ChatTurn[],
  onEvent: (event: GenerateEvent) => void,
  signal: AbortSignal,
): Promise<Prompt> {
  const { tokenizer, template, renderer } = model;
  if (template !== undefined) {
    try {
      const text = await renderer.renderChat(
        template,
        turns,
        {
          bosToken: specialText(tokenizer, tokenizer.bosToken),
          eosToken: specialText(tokenizer, tokenizer.eosToken),
          addGenerationPrompt: true,
        },
        signal,
      );
      return {
        tokens: [...encodePrompt(tokenizer, text)],
        stopStrings: [],
        opensReasoning: promptOpensReasoning(text),
      };
    } catch (error) {
      if (!(error instanceof ModelError) || error.details.reason === 'template-refused') throw error;
      onEvent({ kind: 'notice', message: `${error.message} A plain format is used instead; answers may be worse.` });
    }
  }
  const style = fallbackStyle(tokenizer);
  const text = renderFallback(style, turns, true);
  return { tokens: [...encodePrompt(tokenizer, text)], stopStrings: fallbackStopStrings(style), opensReasoning: false };
}

function written(pieces: readonly TextPiece[], wanted: TextPiece['kind']): string {
  return pieces.map(({ kind, text }) => (kind === wanted ? text : '')).join('');
}

function logProbs(
  tokenizer: Tokenizer,
  { sampler }: GenerateRequest,
  sampled: SampledToken,
): { readonly logProbs?: readonly TokenLogProb[] } {
  if (sampler.topLogProbs === undefined) return {};
  const text = (token: number) => new TextDecoder().decode(tokenizer.tokenBytes(token, true));
  const top = sampled.top
    .slice(0, sampler.topLogProbs)
    .map(({ token, logProb }) => ({ token, logProb, text: text(token) }));
  return { logProbs: [{ token: sampled.token, text: text(sampled.token), logProb: sampled.logProb, top }] };
}
