import type { DeviceId, ModelKey, Placement, SessionId, StageAssignment } from '../types.ts';
import { beginnings, type Holding } from './begins.ts';
import {
  AHEAD_TOKENS,
  BUSY_RETRY_MS,
  IDLE_MS,
  IDS_A_FRAME,
  PREPARE_MS,
  SILENCE_LAPS,
  SILENCE_LEAST_MS,
} from './constants.ts';
import { type Attempts, attemptsAfter, validPositions, withAttempt } from './cuts.ts';
import type { Effect, Input, SessionHead, Status, StoredSession } from './io.ts';
import type { Frame, PreparedMessage, RefusedMessage, Sampler } from './messages.ts';
import { movedLayers } from './moved.ts';
import { fenceOf, type KnownPlacement } from './placement-order.ts';
import type { Post } from './post.ts';
import type { Trust } from './view.ts';

type Finish = Extract<Effect<never>, { kind: 'answered' }>['finish'];
export type AnswerInput<P> = Extract<Input<P>, { kind: 'answer' }>;

/** What a lap is taken for before one was measured. */
const FIRST_LAP_MS = 500;
/** Of each new lap in the running mean. */
const LAP_SHARE = 0.2;
/** No driver comes to more: what a stage says it knows may be this at most, so that numbers are left. */
const MOST_ATTEMPTS = 2 ** 31;
/** Attempts that came to nothing one after another: from the second on each waits twice as long, then the answer ends. */
const MOST_FAILURES = 12;
const FAILED_PAUSE_MS = 250;
/** A disk that takes longer is said to be waited for; how long that may last, its host decides. */
const STORE_MS = 2000;
const FAILED_PAUSE_MOST_MS = 8000;

/**
 * `idle`: nobody waits for an answer. `waiting`: for a placement. `storing`: the attempt's number goes to the disk.
 * `preparing`: stages say what they hold. `running`: tokens come.
 */
export type DrivePhase = 'idle' | 'waiting' | 'storing' | 'preparing' | 'running';

/** One session that this device drives: its tokens and the attempts to continue them. Which placement, `Driver` decides. */
export class Drive<P> {
  readonly session: SessionId;
  readonly model: ModelKey;
  phase: DrivePhase = 'idle';
  /** What the attempt runs on, or what is waited for. */
  known: KnownPlacement | undefined;
  /** When it was asked, or its last token came; awake ms. */
  heardMs = 0;
  /** Loads meanwhile, as `known` is doubtful. */
  hedge: KnownPlacement | undefined;
  /** Whom it may be begun on next. */
  trust: Trust = 'sure';
  /** Nothing that is known can serve it: `known` is of the past. */
  isHopeless = false;
  /** The room is told that it needs its placement. */
  isListed = false;
  /** Not before; awake ms. A stage had no free slot. */
  retryMs = 0;
  /** What was last said to the person. */
  told: string | undefined;
  /** Since when no sound placement is known that could serve; undefined: there is one. */
  unservedSinceMs: number | undefined;
  /** Of the room when it was last looked at. */
  seenVersion = -1;

  readonly #post: Post<P>;
  #tokens: number[];
  #attempts: Attempts;
  #limit = 0;
  #stopTokens: readonly number[] = [];
  #sampler: Sampler = null;
  #finish: Finish | undefined;
  #prepared: (PreparedMessage | undefined)[] = [];
  /** Where this answer's last token came from; before one, where it began. */
  #servedBy: readonly StageAssignment[] | undefined;
  /** Which of those devices went away since, though they may be back. */
  readonly #left = new Set<DeviceId>();
  #lapMs = FIRST_LAP_MS;
  #sinceMs = 0;
  #isDecoding = false;
  /** How much of the conversation the attempt has read, and how much any did since the last token. */
  #read = 0;
  #furthest = 0;
  /** Attempts since then that stages gave up. */
  #failures = 0;
  // the disk
  #ticket = 0;
  #storedTo: number;
  #storing: { ticket: number; to: number; attempt: number } | undefined;
  #storedAttempt: number;
  #headStored = true;

  /** @param before the last attempt that may have been, of which nothing is known here */
  constructor(post: Post<P>, session: SessionId, model: ModelKey, stored?: StoredSession, before = 0) {
    this.#post = post;
    this.session = session;
    this.model = model;
    this.#tokens = [...(stored?.tokens ?? [])];
    this.#attempts = stored?.head.attempts ?? attemptsAfter(before);
    this.#storedAttempt = this.#attempts.last;
    this.#storedTo = this.#tokens.length;
    if (stored === undefined) return;
    this.#limit = stored.head.limit;
    this.#stopTokens = stored.head.stopTokens;
    this.#sampler = stored.head.sampler;
    this.heardMs = post.nowMs;
    if (stored.head.answering) this.phase = 'waiting';
  }

  /** The session was driven before in this life: its attempts and writes go on counting, and what they left is void. */
  succeed(before: { readonly attempt: number; readonly ticket: number }): void {
    this.#attempts = attemptsAfter(before.attempt);
    this.#storedAttempt = before.attempt;
    this.#ticket = before.ticket;
  }

  /** There was an attempt before that it did not know of. */
  outrun(attempt: number): void {
    if (attempt < this.attempt) return;
    this.interrupt();
    this.succeed({ attempt, ticket: this.#ticket });
  }

  get attempt(): number {
    return this.#attempts.last;
  }

  /** The number of its last write. */
  get ticket(): number {
    return this.#ticket;
  }

  get tokens(): readonly number[] {
    return this.#tokens;
  }

  /** A person waits for its tokens. */
  get isAnswering(): boolean {
    return this.phase !== 'idle';
  }

  get isAttempting(): boolean {
    return this.phase === 'preparing' || this.phase === 'running' || this.phase === 'storing';
  }

  /** While it answers, and a while after: the next question mostly comes soon. */
  holdsPlacement(nowMs: number): boolean {
    if (this.known === undefined) return false;
    return this.isAnswering ? !this.isHopeless : nowMs - this.#sinceMs < IDLE_MS;
  }

  uses(device: DeviceId): boolean {
    return this.known?.placement.stages.some((stage) => stage.device === device) === true;
  }

  /** Remembers who of those that the last token came from is away. */
  noteLeft(isAway: (device: DeviceId) => boolean): void {
    if (!this.isAnswering) return;
    for (const { device } of this.#servedBy ?? []) if (isAway(device)) this.#left.add(device);
  }

  // ---------- the person ----------

  answer({ tokens, maxTokens, stopTokens, sampler }: AnswerInput<P>): void {
    this.#endAttempt();
    let same = 0;
    while (same < tokens.length && same < this.#tokens.length && tokens[same] === this.#tokens[same]) same++;
    // what stages hold behind an edit, or ran ahead of the last answer's end, is void whenever they come back
    if (this.attempt > 0) this.#attempts = withAttempt(this.#attempts, this.attempt + 1, same);
    this.#storedTo = Math.min(this.#storedTo, same);
    if (this.#storing !== undefined) this.#storing.to = Math.min(this.#storing.to, same);
    this.#tokens = [...tokens];
    this.#limit = tokens.length + maxTokens;
    this.#stopTokens = stopTokens;
    this.#sampler = sampler;
    this.#finish = undefined;
    this.#failures = 0;
    this.#furthest = 0;
    this.phase = 'waiting';
    this.heardMs = this.#post.nowMs;
    this.#headStored = false;
    this.retryMs = 0;
    this.told = undefined;
    this.#servedBy = undefined;
    this.#left.clear();
    this.#store();
  }

  /** The answer ends with what is there. Who stopped it waits for no disk. */
  stop(finish: Finish): void {
    const { isAnswering } = this;
    if (isAnswering) {
      this.#endAttempt();
      this.phase = 'idle';
      this.#headStored = false;
      this.#finish = finish;
    }
    if (finish === 'stopped' && this.#finish !== undefined) this.#tellAnswered(finish);
    if (isAnswering) this.#store();
  }

  /** What devices hold of it, they are told otherwise. */
  forget(): void {
    this.phase = 'idle';
    this.#post.emit({ kind: 'erase', session: this.session });
  }

  tell(status: Status): void {
    // what lasts is said once
    const said = status.kind === 'waiting' ? `waiting: ${status.reason}` : status.kind;
    if (this.told === said && status.kind !== 'moved') return;
    this.told = said;
    this.#post.emit({ kind: 'status', session: this.session, status });
  }

  // ---------- attempts ----------

  /** Raises the attempt and, once that is on the disk, asks the stages what they hold. */
  begin(known: KnownPlacement): void {
    this.known = known;
    this.trust = 'sure';
    this.#attempts = withAttempt(this.#attempts, this.attempt + 1, this.#tokens.length - 1);
    this.#headStored = false;
    this.phase = 'storing';
    this.#sinceMs = this.#post.nowMs;
    this.#store();
  }

  /** What comes of the attempt counts no more; the next begins when a placement is there. */
  interrupt(): void {
    if (!this.isAttempting) return;
    this.#endAttempt();
    this.phase = 'waiting';
    this.seenVersion = -1;
  }

  /**
   * A stage gave the attempt up, or came to nothing, though its link stands. What will not work shall not be tried without end, nor without
   * a pause: each try costs all devices of the placement.
   */
  fail(): void {
    if (!this.isAttempting) return;
    this.interrupt();
    this.#failures++;
    if (this.#failures >= MOST_FAILURES) this.stop('failed');
    else if (this.#failures > 1) {
      const pauseMs = Math.min(FAILED_PAUSE_MOST_MS, FAILED_PAUSE_MS * 2 ** (this.#failures - 2));
      this.retryMs = Math.max(this.retryMs, this.#post.nowMs + pauseMs);
    }
  }

  #endAttempt(): void {
    if (this.isAttempting) {
      const { session, attempt } = this;
      for (const device of this.#devices()) this.#post.send(device, { kind: 'stop', session, attempt });
    }
  }

  #devices(): Set<DeviceId> {
    return new Set(this.known?.placement.stages.map(({ device }) => device));
  }

  #prepare(placement: Placement): void {
    this.phase = 'preparing';
    this.#sinceMs = this.#post.nowMs;
    this.#prepared = new Array(placement.stages.length).fill(undefined);
    const { session, attempt } = this;
    placement.stages.forEach(({ device }, stage) => {
      this.#post.send(device, { kind: 'prepare', session, attempt, placement, stage });
    });
  }

  prepared(from: DeviceId, message: PreparedMessage): void {
    const stages = this.known?.placement.stages;
    if (this.phase !== 'preparing' || message.attempt !== this.attempt || stages === undefined) return;
    if (stages[message.stage]?.device !== from) return;
    this.#prepared[message.stage] = message;
    if (this.#prepared.every((one) => one !== undefined)) this.#start(this.#prepared as PreparedMessage[]);
  }

  /** What is to be made of the refusing device: it lacks a stage that it had promised, or says what cannot be. */
  refused(from: DeviceId, message: RefusedMessage): 'lies' | StageAssignment | undefined {
    if (this.phase !== 'preparing' || message.attempt !== this.attempt) return undefined;
    const stage = this.known?.placement.stages[message.stage];
    if (stage?.device !== from) return undefined;
    this.interrupt();
    if (message.reason === 'stale' && message.known > this.attempt) {
      if (message.known > MOST_ATTEMPTS) return 'lies';
      // a disk that was set back: what stages hold of attempts that it does not know is of no use
      this.#attempts = attemptsAfter(message.known);
    }
    if (message.reason === 'busy') {
      this.retryMs = this.#post.nowMs + BUSY_RETRY_MS;
      this.tell({ kind: 'waiting', reason: 'busy' });
    }
    return message.reason === 'no-stage' ? stage : undefined;
  }

  #start(prepared: readonly PreparedMessage[]): void {
    const { known, session, attempt } = this;
    if (known === undefined) return;
    const { stages, id } = known.placement;
    const holdings: Holding[] = prepared.map(({ at, have, retained }) => {
      const valid = Math.min(have, validPositions(this.#attempts, at));
      return { have: valid, retained: Math.min(retained, valid) };
    });
    const begins = beginnings(holdings);
    const addresses = prepared.map(({ slot }, i) => ({ device: stages[i]?.device as DeviceId, slot }));
    const last = stages.length - 1;
    this.#tellMoved(stages);
    this.phase = 'running';
    this.#sinceMs = this.#post.nowMs;
    this.#isDecoding = false;
    this.#tellRead(Math.min(...begins));
    for (let i = last; i >= 0; i--) {
      const { device, slot } = addresses[i] as (typeof addresses)[number];
      const next = addresses[i + 1];
      this.#post.send(device, {
        kind: 'start',
        session,
        attempt,
        stage: i,
        slot,
        begin: begins[i] as number,
        known: this.#tokens.length,
        previous: addresses[i - 1] ?? null,
        next: next === undefined ? null : { ...next, begin: begins[i + 1] as number },
        first: i === last ? (addresses[0] ?? null) : null,
        sampler: i === last ? this.#sampler : null,
      });
      if (i === 0 || i === last) this.#sendTokens(device, slot, fenceOf(id), i === last ? 0 : (begins[0] as number));
    }
  }

  /** Says so where layers are on other devices than when the last token came. */
  #tellMoved(stages: readonly StageAssignment[]): void {
    this.#servedBy ??= stages;
    const { from, to } = movedLayers(this.#servedBy, stages);
    if (to.length === 0) return;
    this.tell({ kind: 'moved', gone: from.filter((device) => this.#left.has(device)), devices: to });
  }

  #sendTokens(device: DeviceId, slot: number, epoch: number, from: number): void {
    const { session, attempt } = this;
    for (let first = from; first < this.#tokens.length; first += IDS_A_FRAME) {
      const tokens = this.#tokens.slice(first, first + IDS_A_FRAME);
      this.#post.sendFrame(device, { kind: 'tokens', epoch, session, attempt, slot, first, tokens });
    }
  }

  // ---------- frames ----------

  /** Tokens, or how far the prompt is read. */
  frame(from: DeviceId, frame: Frame<P>, vocabulary: number): void {
    const isCurrent =
      frame.attempt === this.attempt && this.known !== undefined && frame.epoch === fenceOf(this.known.placement.id);
    if (this.phase !== 'running' || !isCurrent) return;
    const { nowMs } = this.#post;
    if (frame.kind === 'progress') {
      this.#sinceMs = nowMs;
      // each stage tells how far it is: those behind the foremost are no news
      if (frame.first > this.#read) this.#tellRead(frame.first);
    }
    if (frame.kind !== 'tokens' || frame.first < this.#tokens.length) return;
    // who samples is the last stage, and no other
    if (this.known?.placement.stages.at(-1)?.device !== from) return;
    if (frame.tokens.some((token) => token >= vocabulary)) {
      this.fail();
      return;
    }
    // a token is missing: it went down with a link
    if (frame.first > this.#tokens.length) {
      this.interrupt();
      return;
    }
    if (this.#isDecoding) this.#lapMs += LAP_SHARE * (nowMs - this.#sinceMs - this.#lapMs);
    this.#isDecoding = true;
    this.#failures = 0;
    this.#furthest = 0;
    this.#sinceMs = nowMs;
    this.heardMs = nowMs;
    this.unservedSinceMs = undefined;
    this.#servedBy = this.known?.placement.stages;
    this.#left.clear();
    this.#take(frame);
  }

  #tellRead(done: number): void {
    this.#read = done;
    if (done > this.#furthest) {
      this.#furthest = done;
      this.#failures = 0;
    }
    this.#post.emit({ kind: 'prefill', session: this.session, done, total: this.#tokens.length });
  }

  #take({ first, tokens, extra }: Extract<Frame<P>, { kind: 'tokens' }>): void {
    const ending = tokens.findIndex((token) => this.#stopTokens.includes(token));
    const taken = tokens.slice(0, Math.min(ending < 0 ? tokens.length : ending + 1, this.#limit - first));
    for (const token of taken) this.#tokens.push(token);
    const { session } = this;
    if (this.told !== undefined) this.tell({ kind: 'resumed' });
    this.told = undefined;
    const effect: Effect<P> = { kind: 'tokens', session, first, tokens: taken };
    this.#post.emit(extra === undefined ? effect : { ...effect, extra });
    if (ending >= 0) this.stop('stop-token');
    else if (this.#tokens.length >= this.#limit) this.stop('length');
    else this.#store();
  }

  /** The disk has had a while to write the attempt's number, or the tokens without which none comes any more. */
  get waitsForDisk(): boolean {
    return (this.phase === 'storing' || this.#idlesForDisk) && this.#post.nowMs - this.#sinceMs >= STORE_MS;
  }

  /** The stages run no further than so many tokens beyond those on the disk. */
  get #idlesForDisk(): boolean {
    const unwritten = this.#tokens.length - this.#storedTo;
    return this.phase === 'running' && this.#storing !== undefined && unwritten >= AHEAD_TOKENS;
  }

  /** Devices that keep the attempt waiting beyond reason, where that can be said; undefined: it goes on. */
  overdue(): readonly DeviceId[] | undefined {
    if (this.#idlesForDisk) return undefined;
    const silentMs = this.#post.nowMs - this.#sinceMs;
    if (this.phase === 'preparing' && silentMs >= PREPARE_MS) {
      const stages = this.known?.placement.stages ?? [];
      return stages.filter((_, i) => this.#prepared[i] === undefined).map(({ device }) => device);
    }
    if (this.phase === 'running' && silentMs >= Math.max(SILENCE_LEAST_MS, SILENCE_LAPS * this.#lapMs)) return [];
    return undefined;
  }

  // ---------- the disk ----------

  #store(): void {
    if (this.#storing !== undefined) return;
    if (this.#headStored && this.#storedTo >= this.#tokens.length) return;
    const ticket = ++this.#ticket;
    const from = this.#storedTo;
    this.#storing = { ticket, to: this.#tokens.length, attempt: this.attempt };
    this.#headStored = true;
    this.#post.emit({ kind: 'store', ticket, head: this.#head(), from, tokens: this.#tokens.slice(from) });
  }

  #head(): SessionHead {
    return {
      session: this.session,
      model: this.model,
      attempts: this.#attempts,
      answering: this.isAnswering,
      limit: this.#limit,
      stopTokens: this.#stopTokens,
      sampler: this.#sampler,
    };
  }

  /** A write is on the disk: what waited for it may be said. */
  stored(ticket: number): void {
    const storing = this.#storing;
    if (storing?.ticket !== ticket) return;
    // what was not said meanwhile was not said because of the disk
    if (this.#idlesForDisk) this.#sinceMs = this.#post.nowMs;
    this.#storing = undefined;
    this.#storedTo = Math.max(this.#storedTo, storing.to);
    this.#storedAttempt = Math.max(this.#storedAttempt, storing.attempt);
    this.#store();
    if (this.phase === 'storing' && this.#storedAttempt === this.attempt && this.known !== undefined) {
      this.#prepare(this.known.placement);
    } else if (this.phase === 'running') this.#acknowledge();
    if (this.#finish !== undefined && this.#storing === undefined) this.#tellAnswered(this.#finish);
  }

  #tellAnswered(finish: Finish): void {
    this.#finish = undefined;
    this.#post.emit({ kind: 'answered', session: this.session, finish });
  }

  #acknowledge(): void {
    const first = this.#prepared[0];
    const stage = this.known?.placement.stages[0];
    if (first === undefined || stage === undefined || this.known === undefined) return;
    this.#post.sendFrame(stage.device, {
      kind: 'acknowledgement',
      epoch: fenceOf(this.known.placement.id),
      session: this.session,
      attempt: this.attempt,
      slot: first.slot,
      first: this.#storedTo,
    });
  }
}
