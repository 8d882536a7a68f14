import { InternalError } from '../errors.ts';
import { PagePool, pagesOf } from './pages.ts';

/** A session's place among the keys and values of a stage. Whose tokens these are of, its user knows. */
export interface Slot {
  readonly index: number;
  readonly session: string;
  /** Pages of its positions, in order. */
  readonly pages: readonly number[];
}

export interface SlotsOptions {
  readonly slots: number;
  /** Pages that all slots share. */
  readonly pages: number;
  /** Longest session, positions. */
  readonly contextTokens: number;
  /** Tells the stage which pages a slot has from now on. */
  readonly setPages: (slot: number, pages: readonly number[]) => void;
}

/** Where sessions lie in a stage: slots, and pages by need. An idle session stays until another needs its room. */
export class Slots {
  readonly #options: SlotsOptions;
  readonly #pool: PagePool;
  readonly #slots: (OwnSlot | undefined)[];
  #uses = 0;

  constructor(options: SlotsOptions) {
    this.#options = options;
    this.#pool = new PagePool(options.pages);
    this.#slots = new Array(options.slots).fill(undefined);
  }

  of(session: string): Slot | undefined {
    return this.#slots.find((slot) => slot?.session === session);
  }

  /**
   * The session's slot, or a new one, with pages for so many positions, in use until `release`. Idle sessions make
   * room, the longest unused first. Undefined: those in use leave none.
   */
  take(session: string, positions: number): Slot | undefined {
    const known = this.#slots.find((slot) => slot?.session === session);
    const slot = known ?? this.#open(session);
    if (slot === undefined) return undefined;
    if (this.reserve(slot, positions)) {
      slot.inUse = true;
      return slot;
    }
    if (known === undefined) this.free(slot);
    return undefined;
  }

  /** Whether a slot has pages for so many positions (at most the context), after taking those that are free or idle. */
  reserve(slot: Slot, positions: number): boolean {
    const needed = pagesOf(Math.min(this.#options.contextTokens, positions));
    const missing = needed - slot.pages.length;
    if (missing <= 0) return true;
    for (;;) {
      const pages = this.#pool.take(missing);
      if (pages !== undefined) {
        const own = this.#own(slot);
        own.pages = [...own.pages, ...pages];
        this.#options.setPages(own.index, own.pages);
        return true;
      }
      const idle = this.#longestUnused(slot);
      if (idle === undefined) return false;
      this.free(idle);
    }
  }

  /** Gives back the pages behind so many positions. Steps that were submitted may still write to them: later ones follow. */
  truncate(slot: Slot, positions: number): void {
    const own = this.#own(slot);
    this.#pool.give(own.pages.slice(pagesOf(positions)));
    own.pages = own.pages.slice(0, pagesOf(positions));
  }

  /** The session is idle from now on: it keeps what it has until another needs it. */
  release(slot: Slot): void {
    const own = this.#own(slot);
    own.inUse = false;
    own.lastUse = ++this.#uses;
  }

  free(slot: Slot): void {
    this.#pool.give(this.#own(slot).pages);
    this.#slots[slot.index] = undefined;
  }

  #open(session: string): OwnSlot | undefined {
    let index = this.#slots.indexOf(undefined);
    if (index < 0) {
      const idle = this.#longestUnused();
      if (idle === undefined) return undefined;
      this.free(idle);
      index = idle.index;
    }
    const slot: OwnSlot = { index, session, pages: [], inUse: false, lastUse: 0 };
    this.#slots[index] = slot;
    return slot;
  }

  #longestUnused(except?: Slot): OwnSlot | undefined {
    let longest: OwnSlot | undefined;
    for (const slot of this.#slots) {
      if (slot === undefined || slot.inUse || slot === except) continue;
      if (longest === undefined || slot.lastUse < longest.lastUse) longest = slot;
    }
    return longest;
  }

  #own(slot: Slot): OwnSlot {
    const own = this.#slots[slot.index];
    if (own === undefined || own !== slot) throw new InternalError(`Slot ${slot.index} is another session's by now.`);
    return own;
  }
}

interface OwnSlot extends Slot {
  pages: readonly number[];
  /** Somebody computes in it. */
  inUse: boolean;
  lastUse: number;
}
