import { Pace } from '../../worker/generation/pace.ts';

/** Chunks of one size and steps in one submit, however long they take. */
export class FixedPace extends Pace {
  readonly #rows: number;

  constructor(rows: number) {
    super(false);
    this.#rows = rows;
  }

  override get rows(): number {
    return this.#rows;
  }
  override parts(): number {
    return 1;
  }
  override get decodeParts(): number {
    return 1;
  }
}
