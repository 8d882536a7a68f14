/** What a stage holds of a session: keys and values below `have`, and of those what it can send on again, from `retained`. */
export interface Holding {
  readonly have: number;
  readonly retained: number;
}

/**
 * Where each stage begins to compute, so that the next one gets every row that it lacks and no row twice: from the last
 * stage to the first, a stage goes on where it is, unless the next lacks rows that it did and cannot send again.
 */
export function beginnings(holdings: readonly Holding[]): number[] {
  const begins = new Array<number>(holdings.length);
  let nextBegin = Number.POSITIVE_INFINITY;
  for (let stage = holdings.length - 1; stage >= 0; stage--) {
    const { have, retained } = holdings[stage] as Holding;
    const canGoOn = have <= nextBegin || retained <= nextBegin;
    nextBegin = canGoOn ? have : nextBegin;
    begins[stage] = nextBegin;
  }
  return begins;
}
