import type { LockQuery } from './memory-claims.ts';

/** Web Locks as far as they are used: exclusive, held until the callback's promise ends. */
export class FakeLocks implements LockQuery {
  readonly #held = new Set<string>();
  readonly #tails = new Map<string, Promise<unknown>>();

  async request(name: string, callback: () => Promise<unknown>): Promise<unknown> {
    const before = this.#tails.get(name) ?? Promise.resolve();
    const run = before.then(async () => {
      this.#held.add(name);
      try {
        return await callback();
      } finally {
        this.#held.delete(name);
      }
    });
    this.#tails.set(
      name,
      run.catch(() => {}),
    );
    return run;
  }

  async query() {
    return { held: [...this.#held].map((name) => ({ name })) };
  }
}
