import { PAGE_POSITIONS } from '../gpu/step.ts';

export function pagesOf(positions: number): number {
  return Math.ceil(positions / PAGE_POSITIONS);
}

/** Pages of keys and values, shared by all slots of a stage. A page belongs to one slot or to none. */
export class PagePool {
  readonly #free: number[];
  readonly total: number;

  constructor(total: number) {
    this.total = total;
    this.#free = Array.from({ length: total }, (_, i) => total - 1 - i);
  }

  get freePages(): number {
    return this.#free.length;
  }

  /** `count` pages, or undefined when fewer are free. */
  take(count: number): number[] | undefined {
    if (count > this.#free.length) return undefined;
    return this.#free.splice(this.#free.length - count, count).reverse();
  }

  give(pages: readonly number[]): void {
    for (const page of pages) this.#free.push(page);
  }
}
