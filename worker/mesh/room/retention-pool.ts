/** What all slots of a device may retain together, at most: three eighths of eight conversations of 8,192 rows of 8 KiB. */
export const RETAINED_BYTES = 192 * 1024 * 1024;
/** Beside it, of what may be retained, so much may be on its way out of the device. */
const WAITING_SHARE = 1 / 3;
/** Of what a device offers to the room so much is for rows of either kind, up to the above; the rest is for layers. */
const ROWS_SHARE = 1 / 16;

/** What a device offers to the room: for layers with their keys and values, and to keep and to send what they gave. */
export function divideOffer(bytes: number): {
  readonly layersBytes: number;
  readonly retainedBytes: number;
  readonly waitingBytes: number;
} {
  const retainedBytes = Math.min(RETAINED_BYTES, Math.floor((bytes * ROWS_SHARE) / (1 + WAITING_SHARE)));
  const waitingBytes = Math.floor(retainedBytes * WAITING_SHARE);
  return { layersBytes: bytes - retainedBytes - waitingBytes, retainedBytes, waitingBytes };
}

/** Rows kept for one session. */
export interface PoolMember {
  readonly bytes: number;
  dropOldest(): void;
}

/** One cap for all that a device keeps of what its stages gave: who was not added to for longest gives way. */
export class RetentionPool {
  #capBytes: number;
  #bytes = 0;
  /** The one that was added to last is the last. */
  readonly #members = new Set<PoolMember>();

  constructor(capBytes = RETAINED_BYTES) {
    this.#capBytes = capBytes;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** What may be on its way out of the device while this much is retained. */
  get waitingCapBytes(): number {
    return this.#capBytes * WAITING_SHARE;
  }

  set capBytes(bytes: number) {
    this.#capBytes = bytes;
    this.#shrink();
  }

  added(member: PoolMember, bytes: number): void {
    this.#members.delete(member);
    this.#members.add(member);
    this.#bytes += bytes;
    this.#shrink();
  }

  dropped(member: PoolMember, bytes: number): void {
    this.#bytes -= bytes;
    if (member.bytes === 0) this.#members.delete(member);
  }

  #shrink(): void {
    while (this.#bytes > this.#capBytes) {
      const [oldest] = this.#members;
      if (oldest === undefined) return;
      oldest.dropOldest();
    }
  }
}
