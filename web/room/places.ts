/** Connections that may be unproved at a time. */
export const MAX_CONNECTING = 8;
/** As many as a room has devices. */
const MAX_MEMBERS = 64;

/** An unproved connection, as far as its place is concerned. */
export interface Unproved {
  readonly side: 'called' | 'answered';
  readonly peer: string;
}

/**
 * Who may stay of those that are not proved. Anybody with the room's secret can call, from as many addresses as the server
 * gives out; so an address has one place, and strangers do not displace those whom members know.
 */
export class Places {
  readonly #members = new Set<string>();

  /** Addresses that records of members name; the latest are remembered. */
  know(addresses: readonly string[]): void {
    for (const address of addresses) {
      this.#members.delete(address);
      this.#members.add(address);
    }
    for (const oldest of this.#members) {
      if (this.#members.size <= MAX_MEMBERS) break;
      this.#members.delete(oldest);
    }
  }

  /**
   * Which of those that are unproved, the oldest first, end so that one more begins; undefined where it may not.
   * @param caller whose call came here; undefined for a call of this device, which none that came here keeps from it
   */
  yield<T extends Unproved>(unproved: readonly T[], caller?: string): readonly T[] | undefined {
    const answered = unproved.filter(({ side }) => side === 'answered');
    const earlier = answered.filter(({ peer }) => peer === caller);
    if (unproved.length - earlier.length < MAX_CONNECTING) return earlier;
    const isStranger = caller !== undefined && !this.#members.has(caller);
    const gives = answered.find(({ peer }) => !this.#members.has(peer)) ?? (isStranger ? undefined : answered[0]);
    return gives && [...earlier, gives];
  }
}
