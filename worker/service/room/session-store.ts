import type { Effect, SessionHead, StoredSession } from '../../mesh/room/io.ts';
import type { ModelKey, SessionId } from '../../mesh/types.ts';

type StoreEffect = Extract<Effect<never>, { kind: 'store' }>;

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
  readonly #kept = new Map<SessionId, Kept>();
  readonly #dirty = new Set<SessionId>();
  #writing: Promise<void> | undefined;

  /** @param prefix tells the device of this window from those of others */
  constructor(options: {
    readonly records: SessionRecords;
    readonly prefix: string;
    readonly stored: (session: SessionId, ticket: number) => void;
    /** A disk that is full: the tokens are in memory alone, and the answer goes on. */
    readonly failed: (error: unknown) => void;
  }) {
    this.#records = options.records;
    this.#prefix = options.prefix;
    this.#stored = options.stored;
    this.#failed = options.failed;
  }

  /** What is kept, to give the room at the start. No session answers by itself: the page asks again. */
  async restore(): Promise<readonly StoredSession[]> {
    const records = await this.#records.startingWith(this.#prefix).catch((): readonly unknown[] => []);
    const sessions = records.filter(isStored);
    for (const { head, tokens } of sessions) this.#kept.set(head.session, { head, tokens: [...tokens], tickets: [] });
    return sessions.map(({ head, tokens }) => ({ head: { ...head, answering: false }, tokens }));
  }

  /** Undefined where the session ran on another model. */
  tokens(session: SessionId, model: ModelKey): readonly number[] | undefined {
    const kept = this.#kept.get(session);
    return kept?.head.model === model ? kept.tokens : undefined;
  }

  store({ head, from, tokens, ticket }: StoreEffect): void {
    const kept = this.#kept.get(head.session) ?? { head, tokens: [], tickets: [] };
    kept.head = head;
    kept.tokens.length = Math.min(kept.tokens.length, from);
    for (const token of tokens) kept.tokens.push(token);
    kept.tickets.push(ticket);
    this.#kept.set(head.session, kept);
    this.#dirty.add(head.session);
    this.#writing ??= this.#write();
  }

  async erase(session: SessionId): Promise<void> {
    this.#kept.delete(session);
    this.#dirty.delete(session);
    await this.#records.delete(this.#prefix + session).catch(() => {});
  }

  /** Resolves when all is written. */
  async settled(): Promise<void> {
    while (this.#writing !== undefined) await this.#writing;
  }

  async #write(): Promise<void> {
    await Promise.resolve(); // what is asked for in the same moment goes together
    for (;;) {
      const [session] = this.#dirty;
      if (session === undefined) break;
      this.#dirty.delete(session);
      const kept = this.#kept.get(session);
      if (kept === undefined) continue;
      const tickets = kept.tickets.splice(0);
      const record: StoredSession = { head: kept.head, tokens: [...kept.tokens] };
      await this.#records.set(this.#prefix + session, record).catch(this.#failed);
      for (const ticket of tickets) this.#stored(session, ticket);
    }
    this.#writing = undefined;
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
