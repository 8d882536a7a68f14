import { divideOffer } from '../../mesh/room/retention-pool.ts';
import type { RoomHost } from './room-host.ts';
import type { RoomShare } from './room-share.ts';

/** How often is looked whether other windows take more or less. */
const OFFER_MS = 2000;

/** What this window's device offers the room: its share of what models may take on this computer, of all windows. */
export class MemoryOffer {
  readonly #share: RoomShare;
  #budgetBytes: number;
  #offered = 0;
  #askedAt = Number.NEGATIVE_INFINITY;

  constructor(share: RoomShare, budgetBytes: number) {
    this.#share = share;
    this.#budgetBytes = budgetBytes;
  }

  /** What models may take on this computer, of all windows together. */
  get budgetBytes(): number {
    return this.#budgetBytes;
  }

  /** Begins to offer. */
  async enter(): Promise<ReturnType<typeof divideOffer>> {
    await this.#share.enter();
    this.#offered = await this.#share.offered(this.#budgetBytes);
    return divideOffer(this.#offered);
  }

  leave(): void {
    this.#share.leave();
  }

  setBudget(bytes: number): void {
    this.#budgetBytes = bytes;
    this.#askedAt = Number.NEGATIVE_INFINITY;
  }

  /** Tells the room when there is more or less to be had here. */
  async refresh(host: () => RoomHost | undefined): Promise<void> {
    const now = performance.now();
    if (host() === undefined || now - this.#askedAt < OFFER_MS) return;
    this.#askedAt = now;
    const bytes = await this.#share.offered(this.#budgetBytes);
    if (bytes === this.#offered) return;
    const { layersBytes, retainedBytes } = divideOffer(bytes);
    const told = host();
    if (told === undefined) return;
    this.#offered = bytes;
    told.feed({ kind: 'budget', bytes: layersBytes, retainedBytes });
  }
}
