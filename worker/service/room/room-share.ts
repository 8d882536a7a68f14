import type { LockQuery, MemoryClaims } from '../memory-claims.ts';
import { randomId } from '../random-id.ts';

const PREFIX = 'shoal-room-window:';

export interface RoomShareOptions {
  /** Absent where the browser has none: windows then know nothing of one another. */
  readonly locks: LockQuery | undefined;
  /** What the room's stages hold in this window, and what the window loaded for itself, which gives way to them. */
  readonly claims: MemoryClaims;
  readonly own: MemoryClaims;
}

/**
 * What this window offers to its room. Windows of one browser are devices of their own with one memory: those that are in
 * rooms share it evenly, and none offers what another one holds.
 */
export class RoomShare {
  readonly #options: RoomShareOptions;
  #leave: () => void = () => {};

  constructor(options: RoomShareOptions) {
    this.#options = options;
  }

  /** From here on it counts among the windows that are in rooms. */
  async enter(): Promise<void> {
    const { locks } = this.#options;
    if (locks === undefined) return;
    this.leave();
    await new Promise<void>((held, failed) => {
      const hold = () => {
        held();
        return new Promise<void>((resolve) => {
          this.#leave = resolve;
        });
      };
      locks.request(PREFIX + randomId(), hold).catch(failed);
    });
  }

  leave(): void {
    this.#leave();
    this.#leave = () => {};
  }

  /** Bytes to offer, of `budgetBytes` that models may take on this computer. */
  async offered(budgetBytes: number): Promise<number> {
    const { locks, claims, own } = this.#options;
    if (locks === undefined) return budgetBytes;
    const { held = [] } = await locks.query();
    const windows = held.filter(({ name = '' }) => name.startsWith(PREFIX)).length;
    const left = budgetBytes - (await claims.othersBytes([own]));
    return Math.floor(Math.max(0, Math.min(left, budgetBytes / Math.max(1, windows))));
  }
}
