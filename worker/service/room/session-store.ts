import { StorageError } from '../../errors.ts';
import type { RecordStore } from '../../mesh/identity/index.ts';
import { attemptsAfter } from '../../mesh/room/cuts.ts';
import type { Effect, SessionHead, StoredSession } from '../../mesh/room/io.ts';
import type { ModelKey, SessionId } from '../../mesh/types.ts';
import { sessionOf } from './session-id.ts';

type StoreEffect = Extract<Effect<never>, { kind: 'store' }>;

/** A disk that has not taken a write by then is taken for one that does not. */
const WRITE_MS = 10_000;
/** More attempts than a session comes to in one load: what they left at stages is void where they are not on the disk. */
const UNWRITTEN_ATTEMPTS = 65_536;

/** A few records somewhere that lasts. */
export interface SessionRecords {
  set(key: string, value: unknown): Promise<void>;
  delete(key: string): Promise<void>;
  startingWith(prefix: string): Promise<readonly unknown[]>;
}

interface Kept {
  head: SessionHead;
  tokens: number[];
  /** Asked for and not yet on the disk. */
  tickets: number[];
  /** The disk has no tokens of it, and does not say that it has. */
  isMarked: boolean;
}

/**
 * The driver's tokens on its disk. What is asked for while a write is under way goes with the next one, so that a fast
 * model does not wait for a slow disk.
 */
export class SessionStore {
  readonly #records: SessionRecords;
  readonly #prefix: string;
  readonly #stored: (session: SessionId, ticket: number) => void;
  readonly #failed: (error: unknown) => void;
  readonly #recovered: () => void;
  readonly #kept = new Map<SessionId, Kept>();
  readonly #dirty = new Set<SessionId>();
  #writing: Promise<void> | undefined;
  /** A write that did not end in time has not come back: until then nothing is written, and nobody waits for it. */
  #hangs = false;
  /** Since the last write that failed none did not. */
  #hasFailed = false;

  /** @param prefix tells the device of this window from those of others */
  constructor(options: {
    readonly records: SessionRecords;
    readonly prefix: string;
    readonly stored: (session: SessionId, ticket: number) => void;
    /** A disk that is full or hangs: the tokens are in memory alone, and the answer goes on. Once until it works again. */
    readonly failed: (error: unknown) => void;
    /** After a failure a write succeeded. */
    readonly recovered: () => void;
  }) {
    this.#records = options.records;
    this.#prefix = options.prefix;
    this.#stored = options.stored;
    this.#failed = options.failed;
    this.#recovered = options.recovered;
  }

  /** What is kept, to give the room at the start. No session answers by itself: the page asks again. */
  async restore(): Promise<readonly StoredSession[]> {
    const records = await this.#records.startingWith(this.#prefix).catch((): readonly unknown[] => []);
    // what was asked for since is newer
    const sessions = records.filter(isStored).filter(({ head }) => !this.#kept.has(head.session));
    for (const { head, tokens } of sessions)
      this.#kept.set(head.session, { head, tokens: [...tokens], tickets: [], isMarked: false });
    return sessions.map(({ head, tokens }) => ({ head: { ...head, answering: false }, tokens }));
  }

  /** Undefined where the session ran on another model. */
  tokens(session: SessionId, model: ModelKey): readonly number[] | undefined {
    const kept = this.#kept.get(session);
    return kept?.head.model === model ? kept.tokens : undefined;
  }

  store({ head, from, tokens, ticket }: StoreEffect): void {
    const kept = this.#kept.get(head.session) ?? { head, tokens: [], tickets: [], isMarked: false };
    kept.head = head;
    kept.tokens.length = Math.min(kept.tokens.length, from);
    for (const token of tokens) kept.tokens.push(token);
    kept.tickets.push(ticket);
    this.#kept.set(head.session, kept);
    this.#dirty.add(head.session);
    this.#writing ??= this.#write();
  }

  /** All that waits for the disk goes on without it. */
  #handOut(): void {
    for (const [session, { tickets }] of this.#kept)
      for (const ticket of tickets.splice(0)) this.#stored(session, ticket);
  }

  async erase(session: SessionId): Promise<void> {
    this.#kept.delete(session);
    this.#dirty.delete(session);
    await this.#records.delete(this.#prefix + session).catch(() => {});
  }

  /** Nothing is written any more. */
  close(): void {
    this.#kept.clear();
    this.#dirty.clear();
  }

  /** Resolves when all is written. */
  async settled(): Promise<void> {
    while (this.#writing !== undefined) await this.#writing;
  }

  async #write(): Promise<void> {
    await Promise.resolve(); // what is asked for in the same moment goes together
    for (;;) {
      if (this.#hangs) this.#handOut();
      const [session] = this.#dirty;
      if (session === undefined || this.#hangs) break;
      this.#dirty.delete(session);
      const kept = this.#kept.get(session);
      if (kept === undefined) continue;
      const tickets = kept.tickets.splice(0);
      const record: StoredSession = { head: kept.head, tokens: [...kept.tokens] };
      const write = this.#records.set(this.#prefix + session, record);
      try {
        await inTime(write);
        kept.isMarked = false;
        if (this.#hasFailed) this.#recovered();
        this.#hasFailed = false;
      } catch (error) {
        const mark = this.#mark(session, kept);
        if (error instanceof LateError) void this.#awaitBack(session, [write, mark]);
        else await mark;
        if (!this.#hasFailed) this.#failed(inWords(error));
        this.#hasFailed = true;
      }
      for (const ticket of tickets) this.#stored(session, ticket);
    }
    this.#writing = undefined;
  }

  /** The disk hangs until all of these ended: then what was not written meanwhile is. */
  async #awaitBack(session: SessionId, writes: readonly Promise<void>[]): Promise<void> {
    this.#hangs = true;
    await Promise.allSettled(writes);
    this.#hangs = false;
    if (this.#kept.has(session)) this.#dirty.add(session);
    this.#writing ??= this.#write();
  }

  /**
   * What the disk has of the session is of before, and the next load would take it for all. So it is taken away, which a
   * full disk allows, and the next load begins at position 0 whatever stages say they hold.
   */
  async #mark(session: SessionId, kept: Kept): Promise<void> {
    if (kept.isMarked || this.#kept.get(session) !== kept) return;
    const key = this.#prefix + session;
    const attempts = attemptsAfter(kept.head.attempts.last + UNWRITTEN_ATTEMPTS);
    const mark: StoredSession = { head: { ...kept.head, attempts, answering: false }, tokens: [] };
    try {
      await inTime(this.#records.delete(key));
      kept.isMarked = true;
      if (this.#kept.get(session) === kept) await inTime(this.#records.set(key, mark));
    } catch {
      // tried again with the next write, unless there is nothing any more that would be believed
    }
  }
}

class LateError extends StorageError {}

function inTime(work: Promise<void>): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      const seconds = WRITE_MS / 1000;
      reject(new LateError(`This device's storage has not taken the conversation within ${seconds} seconds.`));
    }, WRITE_MS);
  });
  return Promise.race([work, late]).finally(() => clearTimeout(timer));
}

function inWords(error: unknown): StorageError {
  if (error instanceof StorageError) return error;
  const isFull = error instanceof Error && error.name === 'QuotaExceededError';
  return new StorageError(
    `This device's storage ${isFull ? 'is full' : 'does not take the conversation'}: after a reload the room reads it from its start. Free some space in this browser or on the disk.`,
  );
}

/** Erases what devices of this browser keep of a conversation, whichever window drove it. */
export async function eraseConversation(
  records: Pick<RecordStore, 'keys' | 'delete'>,
  conversation: string,
): Promise<void> {
  const keys = await records.keys();
  const devices = new Set(keys.flatMap((key) => key.split(':')[0] ?? []));
  for (const device of devices) {
    const key = `${device}:${await sessionOf(conversation, device)}`;
    if (keys.includes(key)) await records.delete(key);
  }
}

function isStored(record: unknown): record is StoredSession {
  if (typeof record !== 'object' || record === null || !('head' in record) || !('tokens' in record)) return false;
  const { head, tokens } = record as StoredSession;
  return (
    typeof head === 'object' &&
    typeof head.session === 'string' &&
    typeof head.attempts?.last === 'number' &&
    Array.isArray(tokens) &&
    tokens.every((token) => Number.isInteger(token))
  );
}
