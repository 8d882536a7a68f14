import { randomId } from './random-id.ts';

/** The part of `navigator.locks` that is used. */
export interface LockQuery {
  request(name: string, callback: () => Promise<unknown>): Promise<unknown>;
  query(): Promise<{ readonly held?: readonly { readonly name?: string }[] }>;
}

const PREFIX = 'shoal-memory:';
const CLAIMING = 'shoal-memory-claiming';

/**
 * The windows of one origin share one device's memory. Each holds a Web Lock whose name tells what it took; a closed or
 * dead window's lock goes with it.
 */
export class MemoryClaims {
  readonly #locks: LockQuery | undefined;
  readonly #own = randomId();
  #release: () => void = () => {};
  #released: Promise<unknown> = Promise.resolve();

  /** Without locks (an old browser), windows know nothing of one another. */
  constructor(locks: LockQuery | undefined) {
    this.#locks = locks;
  }

  /** Bytes that other windows hold, and others of this one that are not `besides`. */
  async othersBytes(besides: readonly MemoryClaims[] = []): Promise<number> {
    if (this.#locks === undefined) return 0;
    const { held = [] } = await this.#locks.query();
    let bytes = 0;
    for (const { name = '' } of held) {
      const [owner, size] = name.startsWith(PREFIX) ? name.slice(PREFIX.length).split(':') : [];
      const counts = owner !== undefined && [this, ...besides].every((claims) => claims.#own !== owner);
      if (counts) bytes += Number(size);
    }
    return bytes;
  }

  /**
   * Replaces what this window holds by what `decide` takes of the bytes that others leave. One window at a time. When it
   * throws, this window holds what it held.
   */
  async claim(decide: (othersBytes: number) => number): Promise<number> {
    if (this.#locks === undefined) return decide(0);
    const locks = this.#locks;
    let bytes = 0;
    await locks.request(CLAIMING, async () => {
      bytes = decide(await this.othersBytes());
      await this.release();
      await new Promise<void>((held, failed) => {
        this.#released = locks
          .request(`${PREFIX}${this.#own}:${Math.ceil(bytes)}`, () => {
            held();
            return new Promise<void>((resolve) => {
              this.#release = resolve;
            });
          })
          .catch(failed);
      });
    });
    return bytes;
  }

  async release(): Promise<void> {
    this.#release();
    await this.#released;
  }
}
