/**
 * Whom of those that are listed to call next: those that were not tried for longest, and of those at random. An entry of
 * the directory may be dead, or of somebody who proves nothing, and nothing but trying tells.
 */
export class CallOrder {
  readonly #random: () => number;
  /** Address, then in which turn it was last chosen. */
  readonly #tried = new Map<string, number>();
  #turn = 0;
  #listed: readonly string[] = [];

  constructor(random: () => number) {
    this.#random = random;
  }

  /** Takes what the directory lists now. */
  list(addresses: readonly string[]): void {
    this.#listed = addresses;
    for (const address of [...this.#tried.keys()]) if (!addresses.includes(address)) this.#tried.delete(address);
  }

  /** The next of those that are listed, `most` at most; never one twice in a row while others were not tried since. */
  next(most: number): readonly string[] {
    this.#turn++;
    const chosen = this.#listed
      .map((address) => ({ address, turn: this.#tried.get(address) ?? 0, chance: this.#random() }))
      .sort((a, b) => a.turn - b.turn || a.chance - b.chance)
      .slice(0, Math.max(0, most))
      .map(({ address }) => address);
    for (const address of chosen) this.#tried.set(address, this.#turn);
    return chosen;
  }
}
