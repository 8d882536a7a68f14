/** The answer that is being written, as it is shown: plain data and the step that an event makes of it. */
import type { GenerateEvent, RoomLine } from '../../worker/api.ts';
import type { Message } from './conversation.ts';
import { pastOf, type RoomPast } from './room-lines.ts';

export interface Live {
  readonly conversation: string;
  readonly message: string;
  readonly request: string;
  readonly phase: 'queued' | 'prefill' | 'thinking' | 'writing' | 'stopping' | 'reloading';
  /** Why the GPU went away, while `reloading`. */
  readonly lost?: string;
  /** What the worker had to say about how it asks the model. */
  readonly notice?: string;
  /** What the room has said of it since it last went on; the last of them is how it stands. */
  readonly room: readonly RoomLine[];
  /** Troubles of the room that are over, oldest first. */
  readonly roomPast: readonly RoomPast[];
  readonly text: string;
  readonly reasoning: string;
  /** Tokens of this answer so far. */
  readonly tokens: number;
  readonly reasoningTokens: number;
  readonly reasoningMs: number;
  /** Milliseconds of the page's clock. */
  readonly askedAt: number;
  readonly thinkingSince?: number;
  readonly firstTokenMs?: number;
  readonly prefill?: { readonly doneTokens: number; readonly totalTokens: number };
  /** Measured over the last seconds; absent until there is enough to measure. */
  readonly tokensPerSecond?: number;
  readonly marks: readonly { readonly at: number; readonly tokens: number }[];
}

const WINDOW_MS = 3000;
const MARK_MS = 250;
const MEASURE_AFTER_MS = 700;

export function emptyLive(conversation: string, message: string, started: Message | undefined): Live {
  return {
    conversation,
    message,
    request: '',
    phase: 'queued',
    text: started?.text ?? '',
    reasoning: started?.reasoning ?? '',
    tokens: 0,
    reasoningTokens: started?.reasoningTokens ?? 0,
    reasoningMs: started?.reasoningMs ?? 0,
    room: [],
    roomPast: started?.roomPast ?? [],
    askedAt: 0,
    marks: [],
  };
}

/** @param now milliseconds of the page's clock */
export function takeEvent(live: Live, event: GenerateEvent, now: number): Live {
  if (event.kind === 'queued') return live;
  if (event.kind === 'notice') return { ...live, notice: event.message };
  if (event.kind === 'room') return takeRoomLine(live, event.line);
  if (event.kind === 'prefill') {
    const { doneTokens, totalTokens } = event;
    return { ...live, phase: settled(live) ? live.phase : 'prefill', prefill: { doneTokens, totalTokens } };
  }
  let { text, reasoning, reasoningTokens, reasoningMs, thinkingSince } = live;
  for (const piece of event.pieces) {
    if (piece.kind === 'answer') text += piece.text;
    else reasoning += piece.text;
  }
  const thinks = event.pieces.at(-1)?.kind === 'reasoning';
  if (event.pieces.some((piece) => piece.kind === 'reasoning')) {
    thinkingSince ??= now - reasoningMs; // an answer that goes on has thought before
    reasoningTokens += event.tokens;
    reasoningMs = now - thinkingSince;
  }
  const tokens = live.tokens + event.tokens;
  const phase = settled(live) ? live.phase : thinks ? 'thinking' : 'writing';
  return {
    ...live,
    ...measure(live, tokens, now),
    phase,
    text,
    reasoning,
    reasoningTokens,
    reasoningMs,
    tokens,
    ...(thinkingSince === undefined ? {} : { thinkingSince }),
    firstTokenMs: live.firstTokenMs ?? now - live.askedAt,
  };
}

/** A trouble that is over becomes history. */
function takeRoomLine(live: Live, line: RoomLine): Live {
  return line.kind === 'resumed'
    ? { ...live, room: [], roomPast: pastWith(live) }
    : { ...live, room: [...live.room, line] };
}

/** The troubles so far, with the one that is not over where there is one. */
export function pastWith({ room, roomPast }: Live): readonly RoomPast[] {
  const past = pastOf(room);
  return past === undefined ? roomPast : [...roomPast, past];
}

/** What comes late does not undo a stop or a loss. */
function settled({ phase }: Live): boolean {
  return phase === 'stopping' || phase === 'reloading';
}

function measure(live: Live, tokens: number, now: number): Pick<Live, 'marks' | 'tokensPerSecond'> {
  const last = live.marks.at(-1);
  const known = live.tokensPerSecond === undefined ? {} : { tokensPerSecond: live.tokensPerSecond };
  if (last && now - last.at < MARK_MS) return { marks: live.marks, ...known };
  const marks = [...live.marks.filter((mark) => now - mark.at <= WINDOW_MS), { at: now, tokens }];
  const first = marks[0];
  if (!first || now - first.at < MEASURE_AFTER_MS) return { marks, ...known };
  return { marks, tokensPerSecond: ((tokens - first.tokens) * 1000) / (now - first.at) };
}
