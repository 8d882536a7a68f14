import type { ModelSource } from '../../worker/api.ts';
import type { KeyValue } from './key-value.ts';
import type { Wanted } from './models.ts';

const KEY = 'unfinished';
const NONE = '';
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
  readonly #kept: Pick<KeyValue, 'get' | 'update'>;
  readonly #locks: TryLocks | undefined;
  #own: string | undefined;
  #holds = false;
  #release: () => void = () => {};

  constructor(kept: Pick<KeyValue, 'get' | 'update'>, locks: TryLocks | undefined) {
    this.#kept = kept;
    this.#locks = locks;
  }

  /** A load begins. What cannot be found again after a reload, a picked file, is not written. */
  begin(wanted: Wanted, now: number): void {
    const { source } = wanted;
    if (source?.kind === 'picked' || source?.kind === 'stored') return;
    const own = JSON.stringify({ wanted, at: now } satisfies Kept);
    this.#own = own;
    void this.#kept.update<string>(KEY, () => own);
    void this.#hold({}, () => this.#own !== undefined);
  }

  /** It is ready, was paused, or cannot go on. */
  end(): void {
    const own = this.#own;
    this.#own = undefined;
    if (own !== undefined) void this.#kept.update<string>(KEY, (before) => (before === own ? NONE : (before ?? NONE)));
    this.#release();
  }

  /** What broke off with the page before this one; nothing while another window is at it. It is this window's then. */
  async take(now: number): Promise<Wanted | undefined> {
    const kept = parse(await this.#kept.get<string>(KEY));
    if (kept === undefined || !(await this.#hold({ signal: AbortSignal.timeout(LETS_GO_MS) }, () => true)))
      return undefined;
    if (now - kept.at < GOES_ON_MS) return kept.wanted;
    this.forget();
    return undefined;
  }

  /** Nothing is to go on by itself. */
  forget(): void {
    void this.#kept.update<string>(KEY, () => NONE);
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
}

function parse(text: string | undefined): Kept | undefined {
  try {
    if (!text) return undefined;
    const { wanted, at } = JSON.parse(text) as Partial<Kept>;
    const source: ModelSource | undefined = wanted?.source;
    const isKnown = source !== undefined || typeof wanted?.entry === 'string';
    return wanted && isKnown && typeof wanted.name === 'string' && typeof at === 'number' ? { wanted, at } : undefined;
  } catch {
    return undefined;
  }
}
