/** Whether members are asked before a device joins. It is the room's: every member keeps the latest that it heard of. */
export interface AskFirst {
  readonly askFirst: boolean;
  /** How often it was changed: each change is one more than the highest that its maker knew. */
  readonly askFirstChange: number;
}

export const MAX_ASK_FIRST_CHANGE = 0xffffffff;

/** Of two the one that holds: the later change; of one number, which two members made at the same time, to ask. */
export function laterAskFirst(one: AskFirst, other: AskFirst): AskFirst {
  if (one.askFirstChange !== other.askFirstChange) return one.askFirstChange > other.askFirstChange ? one : other;
  return one.askFirst ? one : other;
}

/** What a member says who sets it. */
export function setAskFirst(known: AskFirst, askFirst: boolean): AskFirst {
  if (askFirst === known.askFirst) return known;
  const change = { askFirst, askFirstChange: Math.min(known.askFirstChange + 1, MAX_ASK_FIRST_CHANGE) };
  // where numbers are at their end, asking stays
  return laterAskFirst(known, change);
}
