import type { ModelSource } from '../../worker/api.ts';
import type { Marks } from './away.ts';
import type { Wanted } from './models.ts';

const KEY = 'shoal-unfinished';
const LOCK = 'shoal-downloading';
/** What was begun longer ago is not gone on with unasked: nobody waits for it any more. */
const GOES_ON_MS = 24 * 3600 * 1000;

/** A page that was reloaded lets go of its locks a little later. */
const LETS_GO_MS = 2000;

/** The part of `navigator.locks` that is used. */
export interface TryLocks {
  request(name: string, options: { signal?: AbortSignal }, held: () => unknown): Promise<unknown>;
}

interface Kept {
  readonly wanted: Wanted;
  readonly at: number;
}

/** The download that goes on by itself after a reload: written while it runs, gone when it ended or was paused. */
export class Unfinished {
  readonly #marks: Marks | undefined;
  readonly #locks: TryLocks | undefined;
  #own: string | undefined;
  #holds = false;
  #release: () => void = () => {};

  constructor(marks: Marks | undefined, locks: TryLocks | undefined) {
    this.#marks = marks;
    this.#locks = locks;
  }

  /** A load begins. What cannot be found again after a reload, a picked file, is not written. */
  begin(wanted: Wanted, now: number): void {
    const { source } = wanted;
    if (source?.kind === 'picked' || source?.kind === 'stored') return;
    this.#own = JSON.stringify({ wanted, at: now } satisfies Kept);
    this.#write(this.#own);
    void this.#hold({}, () => this.#own !== undefined);
  }

  /** It is ready, was paused, or cannot go on. */
  end(): void {
    if (this.#own !== undefined && this.#read() === this.#own) this.#write(undefined);
    this.#own = undefined;
    this.#release();
  }

  /** What broke off with the page before this one; nothing while another window is at it. It is this window's then. */
  async take(now: number): Promise<Wanted | undefined> {
    const text = this.#read();
    const kept = text === undefined ? undefined : parse(text);
    if (text === undefined || !(await this.#hold({ signal: AbortSignal.timeout(LETS_GO_MS) }, () => true)))
      return undefined;
    if (kept !== undefined && now - kept.at < GOES_ON_MS) return kept.wanted;
    this.#write(undefined);
    this.#release();
    return undefined;
  }

  /** Nothing is to go on by itself. */
  forget(): void {
    this.#write(undefined);
    this.end();
  }

  /** Holds what tells other windows that one is at it; resolves false where another one holds it until `signal` fires. */
  async #hold(options: { signal?: AbortSignal }, isStillWanted: () => boolean): Promise<boolean> {
    const locks = this.#locks;
    if (this.#holds || locks === undefined) return true;
    return new Promise((resolve) => {
      const held = () => {
        const isWanted = !this.#holds && isStillWanted();
        resolve(isWanted);
        if (!isWanted) return undefined;
        this.#holds = true;
        return new Promise<void>((release) => {
          this.#release = () => {
            this.#holds = false;
            release();
          };
        });
      };
      locks.request(LOCK, options, held).catch(() => resolve(false));
    });
  }

  #read(): string | undefined {
    try {
      return this.#marks?.getItem(KEY) ?? undefined;
    } catch {
      return undefined;
    }
  }

  #write(text: string | undefined): void {
    try {
      if (text === undefined) this.#marks?.removeItem(KEY);
      else this.#marks?.setItem(KEY, text);
    } catch {
      // No storage: the person resumes it.
    }
  }
}

function parse(text: string): Kept | undefined {
  try {
    const { wanted, at } = JSON.parse(text) as Partial<Kept>;
    const source: ModelSource | undefined = wanted?.source;
    const isKnown = source !== undefined || typeof wanted?.entry === 'string';
    return wanted && isKnown && typeof wanted.name === 'string' && typeof at === 'number' ? { wanted, at } : undefined;
  } catch {
    return undefined;
  }
}
