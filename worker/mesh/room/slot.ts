import type { DeviceId, SessionId } from '../types.ts';
import { AHEAD_TOKENS, AT_WORK_MS, CHUNK_ROWS, CHUNKS_AHEAD, LONGEST_RUN_MS, WINDOW_ROWS } from './constants.ts';
import type { ComputedInput, Payloads } from './io.ts';
import {
  DRIVER_SLOT,
  type Frame,
  type PrepareMessage,
  type RowsFrame,
  type SlotAddress,
  type StageKey,
  type StartMessage,
  type TokensFrame,
} from './messages.ts';
import { fenceOf } from './placement-order.ts';
import type { Post } from './post.ts';
import { Retention } from './retention.ts';
import type { RetentionPool } from './retention-pool.ts';

/** Frames that may come before the start does, tokens apart: what the stage before may have on its way, and one more. */
const EARLY_FRAMES = CHUNKS_AHEAD + 2;

/** Who is who in the attempt's placement; undefined: there is none. */
interface Neighbours {
  readonly first: DeviceId | undefined;
  readonly previous: DeviceId | undefined;
  readonly next: DeviceId | undefined;
  /** Samples. */
  readonly last: DeviceId | undefined;
}
const NOBODY: Neighbours = { first: undefined, previous: undefined, next: undefined, last: undefined };

/**
 * One session in one stage: what it holds of keys and values, and the attempt that runs. Of whatever arrives it takes
 * what is next, and nothing else.
 */
export class Slot<P> {
  readonly index: number;
  readonly stage: StageKey;
  readonly session: SessionId;
  readonly driver: DeviceId;
  /** The highest that was prepared here. */
  attempt = 0;
  /** Of its placement, as frames carry it. */
  epoch = 0;
  /** When something of the session came last. */
  usedMs: number;
  /** `idle`: nothing is computed until the next attempt. */
  phase: 'idle' | 'prepared' | 'running' = 'idle';
  /** Frames that were not current, or not next. */
  dropped = 0;

  readonly #post: Post<P>;
  readonly #payloads: Payloads<P>;
  readonly #retention: Retention<P>;
  /** The attempt that wrote the keys and values. */
  #at = 0;
  /** Positions below it have keys and values. */
  #have = 0;
  #start: StartMessage | undefined;
  /** The last stage has told the engine what to sample with; others need not. */
  #begun = false;
  readonly #early: { readonly from: DeviceId; readonly frame: Frame<P> }[] = [];
  /** Of those the ids, and the frames that are not of tokens. */
  #earlyIds = 0;
  #earlyOthers = 0;
  #neighbours = NOBODY;
  readonly #contextTokens: number;
  /** As much waits to leave this device as may. */
  readonly #isCrowded: () => boolean;
  /** Tokens of positions from `#tokensFrom` on: of the first stage those to compute, of the last those said. */
  #tokens: number[] = [];
  #tokensFrom = -1;
  /** Rows that came and were not given to the engine. */
  #inbox: RowsFrame<P>[] = [];
  /** Next position to come, to be given to the engine, and to be sent on. */
  #expected = 0;
  #submitted = 0;
  #sent = 0;
  /** How far the next stage came. */
  #nextCame = 0;
  /** Of a row that this stage gives; 0 before it gave one. */
  #rowBytes = 0;
  #acknowledged = 0;
  /** When the engine last gave a sign, and when the driver last heard of it; of a run that is under way. */
  #engineMs = 0;
  #toldMs = 0;
  /** When rows of the attempt last were on their way out and moved on. */
  #goneMs = Number.NEGATIVE_INFINITY;

  constructor(
    index: number,
    stage: StageKey,
    session: SessionId,
    driver: DeviceId,
    post: Post<P>,
    payloads: Payloads<P>,
    contextTokens = Number.POSITIVE_INFINITY,
    pool?: RetentionPool,
    isCrowded: () => boolean = () => false,
  ) {
    this.index = index;
    this.stage = stage;
    this.session = session;
    this.driver = driver;
    this.#post = post;
    this.#payloads = payloads;
    this.#retention = new Retention(payloads, pool);
    this.#contextTokens = contextTokens;
    this.#isCrowded = isCrowded;
    this.usedMs = post.nowMs;
  }

  /** Of the prompt's rows that are in the engine or on their way, or may still wait here to go to another device. */
  get waitingBytes(): number {
    const { next, known } = this.#start ?? {};
    if (!next || known === undefined || next.device === this.#post.device) return 0;
    const end = Math.min(known, Math.max(this.#submitted, this.#sent));
    return Math.max(0, end - this.#nextCame) * this.#rowBytes;
  }

  /** Devices without which the attempt cannot go on. */
  dependsOn(device: DeviceId): boolean {
    if (device === this.driver) return true;
    const { previous, next, first } = this.#start ?? {};
    return device === previous?.device || device === next?.device || device === first?.device;
  }

  /** Gives back what it keeps of its rows: a later attempt has them computed again where they are wanted. */
  dropRetained(): void {
    this.#retention.clear(this.#retention.end);
  }

  // ---------- attempts ----------

  /** Ends all work of older attempts and says what is here. The attempt is higher than any before. */
  prepare({ attempt, placement, stage }: PrepareMessage): void {
    this.halt();
    this.attempt = attempt;
    this.epoch = fenceOf(placement.id);
    const { stages } = placement;
    this.#neighbours = {
      first: stages[0]?.device,
      previous: stages[stage - 1]?.device,
      next: stages[stage + 1]?.device,
      last: stages.at(-1)?.device,
    };
    this.phase = 'prepared';
    this.#touch();
    this.#post.send(this.driver, {
      kind: 'prepared',
      session: this.session,
      attempt,
      stage,
      slot: this.index,
      at: this.#at,
      have: this.#have,
      retained: Math.min(this.#retention.from, this.#have),
    });
  }

  start(start: StartMessage): void {
    if (this.phase !== 'prepared' || start.attempt !== this.attempt || start.begin > this.#have) {
      this.dropped++;
      return;
    }
    if (!this.#isOfPlacement(start) || start.known > this.#contextTokens) {
      const { session, attempt } = this;
      this.halt();
      this.#post.send(this.driver, {
        kind: 'refused',
        session,
        attempt,
        stage: start.stage,
        reason: 'no-stage',
        known: 0,
      });
      return;
    }
    this.phase = 'running';
    this.#start = start;
    this.#at = start.attempt;
    this.#have = start.begin;
    this.#retention.cut(start.begin);
    this.#expected = start.begin;
    this.#submitted = start.begin;
    this.#sent = start.next?.begin ?? 0;
    this.#nextCame = this.#sent;
    this.#acknowledged = start.known;
    this.#goneMs = Number.NEGATIVE_INFINITY;
    this.#touch();
    const { next, first } = start;
    if ((next && !this.#post.reaches(next.device)) || (first && !this.#post.reaches(first.device))) {
      this.break();
      return;
    }
    const early = this.#forgetEarly();
    for (const { from, frame } of early) this.frame(from, frame);
    this.#pump();
  }

  /** No run is started any more, and rows that wait to go stay; what was computed does too. */
  halt(): void {
    const { index, session, attempt } = this;
    if (this.phase === 'running') this.#post.emit({ kind: 'halt', slot: index });
    const next = this.#start?.next;
    if (next && next.device !== this.#post.device) {
      this.#post.emit({ kind: 'withdraw', peer: next.device, session, slot: next.slot, attempt });
    }
    this.phase = 'idle';
    this.#start = undefined;
    this.#begun = false;
    this.#forgetEarly();
    this.#inbox.length = 0;
    this.#tokens = [];
    this.#tokensFrom = -1;
  }

  /** Frames of the attempt were lost, or will be: the driver begins another. */
  break(): void {
    if (this.phase === 'idle') return;
    this.halt();
    this.#post.send(this.driver, { kind: 'broken', session: this.session, attempt: this.attempt });
  }

  // ---------- frames ----------

  frame(from: DeviceId, frame: Frame<P>): void {
    const isCurrent = frame.session === this.session && frame.attempt === this.attempt && frame.epoch === this.epoch;
    if (!isCurrent || this.phase === 'idle') {
      this.dropped++;
      return;
    }
    if (!this.#mayCome(from, frame.kind)) {
      this.dropped++;
      return;
    }
    if (this.phase === 'prepared') {
      this.#keepEarly(from, frame);
      return;
    }
    this.#touch();
    switch (frame.kind) {
      case 'rows':
        this.#takeRows(frame);
        break;
      case 'tokens':
        this.#takeTokens(frame);
        break;
      case 'progress':
        if (frame.first > this.#nextCame) this.#nextCame = Math.min(frame.first, this.#sent);
        break;
      case 'acknowledgement':
        if (frame.first > this.#acknowledged) this.#acknowledged = frame.first;
        break;
    }
    this.#pump();
  }

  #mayCome(from: DeviceId, kind: Frame<P>['kind']): boolean {
    const { previous, next, last } = this.#neighbours;
    if (kind === 'rows') return from === previous;
    if (kind === 'progress') return from === next;
    if (kind === 'acknowledgement') return from === this.driver;
    // stages between the first and the last need none
    return (previous === undefined || next === undefined) && (from === this.driver || from === last);
  }

  /** Whether rows come from where the placement says, and go there: else this stage would be asked for what it is not. */
  #isOfPlacement({ previous, next, first }: StartMessage): boolean {
    const neighbours = this.#neighbours;
    if (previous?.device !== neighbours.previous || next?.device !== neighbours.next) return false;
    return first?.device === (next === null ? neighbours.first : undefined);
  }

  /** Of tokens as many may come before the start as a conversation has. */
  #keepEarly(from: DeviceId, frame: Frame<P>): void {
    if (frame.kind === 'tokens') this.#earlyIds += Math.max(1, frame.tokens.length);
    else this.#earlyOthers++;
    if (this.#earlyOthers > EARLY_FRAMES || this.#earlyIds > this.#contextTokens) this.break();
    else this.#early.push({ from, frame });
  }

  #forgetEarly() {
    this.#earlyIds = 0;
    this.#earlyOthers = 0;
    return this.#early.splice(0);
  }

  #takeRows(frame: RowsFrame<P>): void {
    if (frame.first !== this.#expected) {
      this.dropped++;
      if (frame.first > this.#expected) this.break();
      return;
    }
    this.#expected += frame.rows;
    if (this.#expected > this.#contextTokens) this.break();
    else this.#inbox.push(frame);
  }

  #takeTokens({ first, tokens }: TokensFrame<P>): void {
    if (this.#tokensFrom < 0) this.#tokensFrom = first;
    const next = this.#tokensFrom + this.#tokens.length;
    if (first !== next) {
      this.dropped++;
      if (first > next) this.break();
      return;
    }
    if (next + tokens.length > this.#contextTokens) this.break();
    else for (const token of tokens) this.#tokens.push(token);
  }

  // ---------- computing ----------

  /** The engine has computed something for this stage, for whomever: it is at work. */
  engineWorks(): void {
    this.#engineMs = this.#post.nowMs;
  }

  /** Frames of the session that wait for a peer move on. */
  rowsGo(peer: DeviceId): void {
    if (this.#start?.next?.device === peer) this.#goneMs = this.#post.nowMs;
  }

  /** Long runs and slow links: the driver hears that it goes on, or it would take the silence for a loss. */
  tick(): void {
    const { nowMs } = this.#post;
    if (this.#start === undefined) return;
    this.#pump(); // others may have made room
    if (this.#start === undefined) return;
    const isComputing = this.#submitted > this.#have && nowMs - this.#engineMs < LONGEST_RUN_MS;
    if (!isComputing && nowMs - this.#goneMs >= AT_WORK_MS) return;
    this.#touch();
    if (nowMs - this.#toldMs >= AT_WORK_MS) this.#tellDriver();
  }

  /** A run is done: its rows go on, its tokens go to the first stage and the driver. */
  computed({ attempt, first, rows, output, tokens, extra }: ComputedInput<P>): void {
    const start = this.#start;
    if (start === undefined || attempt !== this.attempt || first !== this.#have) return;
    this.#have = first + rows;
    this.#touch();
    if (start.next !== null && output !== undefined) this.#passOn(start, start.next, first, rows, output);
    if (first < start.known) this.#report(start);
    if (tokens !== undefined && start.first !== null) {
      const fence = { epoch: this.epoch, session: this.session, attempt, first: first + rows, tokens };
      const frame = { kind: 'tokens' as const, ...fence };
      this.#post.sendFrame(start.first.device, { ...frame, slot: start.first.slot });
      const forDriver = { ...frame, slot: DRIVER_SLOT };
      this.#post.sendFrame(this.driver, extra === undefined ? forDriver : { ...forDriver, extra });
    }
    this.#pump();
  }

  /** Keeps the rows, and sends those that the next stage lacks. */
  #passOn(start: StartMessage, next: NonNullable<StartMessage['next']>, first: number, rows: number, output: P): void {
    this.#retention.add(first, rows, output);
    this.#rowBytes = this.#payloads.bytes(output) / rows;
    const end = first + rows;
    if (end <= next.begin) return;
    const from = Math.max(first, next.begin);
    const payload = from === first ? output : this.#payloads.slice(output, from - first, rows, rows);
    this.#sendRows(next, from, end - from, end >= start.known, payload);
  }

  #sendRows({ device, slot }: SlotAddress, first: number, rows: number, sample: boolean, payload: P): void {
    const { session, attempt } = this;
    this.#post.sendFrame(device, {
      kind: 'rows',
      epoch: this.epoch,
      session,
      attempt,
      slot,
      first,
      rows,
      sample,
      payload,
    });
    this.#sent = first + rows;
  }

  /** Tells how far the prompt is read: the stage before may send more, the driver sees that it goes on. */
  #report(start: StartMessage): void {
    if (start.previous !== null) {
      this.#post.sendFrame(start.previous.device, { ...this.#progress(), slot: start.previous.slot });
    }
    this.#tellDriver();
  }

  #tellDriver(): void {
    this.#toldMs = this.#post.nowMs;
    this.#post.sendFrame(this.driver, { ...this.#progress(), slot: DRIVER_SLOT });
  }

  #progress() {
    const { session, attempt, epoch } = this;
    return { kind: 'progress' as const, epoch, session, attempt, first: this.#have };
  }

  /** Sends and starts what can be: first what the next stage lacks of earlier attempts, then new rows. */
  #pump(): void {
    const start = this.#start;
    if (start === undefined) return;
    if (start.next !== null && this.#sent < start.begin) {
      while (this.#sent < start.begin && this.#sent < this.#nextCame + this.#windowRows) {
        const rows = Math.min(CHUNK_ROWS, start.begin - this.#sent);
        const part = this.#retention.take(this.#sent, rows);
        if (part === undefined) {
          this.break();
          return;
        }
        this.#sendRows(start.next, this.#sent, part.rows, false, part.payload);
      }
    }
    if (!this.#begun && !this.#begin(start)) return;
    if (start.previous === null) this.#runTokens(start);
    else this.#runRows(start);
  }

  /** Once the tokens are here that it needs: the engine may cut what is void and set up its sampler. */
  #begin(start: StartMessage): boolean {
    const needsTokens = start.previous === null || start.next === null;
    if (needsTokens && this.#tokensFrom + this.#tokens.length < start.known) return false;
    const { stage, session, attempt } = this;
    const begin = { kind: 'begin' as const, stage, slot: this.index, session, attempt, keep: start.begin };
    if (start.next === null) {
      const sampling = { sampler: start.sampler, tokens: this.#tokens.slice(0, start.known) };
      this.#post.emit({ ...begin, sampling });
    } else this.#post.emit(begin);
    this.#begun = true;
    return true;
  }

  #runTokens(start: StartMessage): void {
    const { stage, session, attempt } = this;
    const known = this.#tokensFrom + this.#tokens.length;
    while (this.#submitted < known) {
      const first = this.#submitted;
      const inPrompt = first < start.known;
      if (!inPrompt && first >= this.#acknowledged + AHEAD_TOKENS) return;
      const rows = inPrompt ? Math.min(CHUNK_ROWS, start.known - first) : 1;
      if (!this.#mayRun(start, first, rows)) return;
      const tokens = this.#tokens.slice(first - this.#tokensFrom, first - this.#tokensFrom + rows);
      const sample = first + rows >= start.known && start.next === null;
      this.#submit(rows);
      this.#post.emit({ kind: 'run', stage, slot: this.index, session, attempt, first, rows, tokens, sample });
    }
  }

  #runRows(start: StartMessage): void {
    const { stage, session, attempt } = this;
    while (this.#inbox.length > 0) {
      const { first, rows, payload, sample } = this.#inbox[0] as RowsFrame<P>;
      if (!this.#mayRun(start, first, rows)) return;
      this.#inbox.shift();
      this.#submit(rows);
      this.#post.emit({
        kind: 'run',
        stage,
        slot: this.index,
        session,
        attempt,
        first,
        rows,
        input: payload,
        sample: sample && start.next === null,
      });
    }
  }

  #submit(rows: number): void {
    if (this.#submitted === this.#have) this.#engineMs = this.#post.nowMs;
    this.#submitted += rows;
  }

  /** Few chunks of a prompt are under way, in the engine and to the next stage; a token's row is alone anyway. */
  #mayRun(start: StartMessage, first: number, rows: number): boolean {
    if (first >= start.known) return true;
    const end = first + rows;
    return end <= this.#have + WINDOW_ROWS && (start.next === null || end <= this.#nextCame + this.#windowRows);
  }

  /** Rows beyond what the next stage has reported. */
  get #windowRows(): number {
    return this.#isCrowded() ? CHUNK_ROWS : WINDOW_ROWS;
  }

  #touch(): void {
    this.usedMs = this.#post.nowMs;
  }
}
