import type { Payloads } from './io.ts';
import { type PoolMember, RetentionPool } from './retention-pool.ts';

interface Piece<P> {
  readonly first: number;
  readonly rows: number;
  readonly payload: P;
  readonly bytes: number;
}

/** Rows that a stage computed and can send to the next again: the newest, without a gap, as many as the pool holds. */
export class Retention<P> implements PoolMember {
  readonly #payloads: Payloads<P>;
  readonly #pool: RetentionPool;
  #pieces: Piece<P>[] = [];
  /** Pieces before this index were dropped. */
  #head = 0;
  #bytes = 0;
  #end = 0;

  constructor(payloads: Payloads<P>, pool = new RetentionPool()) {
    this.#payloads = payloads;
    this.#pool = pool;
  }

  /** The rows of positions [from, end) are here. */
  get from(): number {
    return this.#pieces[this.#head]?.first ?? this.#end;
  }

  get end(): number {
    return this.#end;
  }

  get bytes(): number {
    return this.#bytes;
  }

  add(first: number, rows: number, payload: P): void {
    if (first !== this.#end) this.clear(first);
    const bytes = this.#payloads.bytes(payload);
    this.#pieces.push({ first, rows, payload, bytes });
    this.#end = first + rows;
    this.#bytes += bytes;
    this.#pool.added(this, bytes);
  }

  /** Drops rows of positions from `end` on. */
  cut(end: number): void {
    if (end >= this.#end) {
      if (end > this.#end) this.clear(end);
      return;
    }
    const before = this.#bytes;
    while (this.#pieces.length > this.#head) {
      const piece = this.#pieces.pop() as Piece<P>;
      this.#bytes -= piece.bytes;
      if (piece.first >= end) continue;
      const rows = end - piece.first;
      if (rows >= piece.rows) {
        this.#pieces.push(piece);
        this.#bytes += piece.bytes;
      } else {
        const payload = this.#payloads.slice(piece.payload, 0, rows, piece.rows);
        const bytes = this.#payloads.bytes(payload);
        this.#pieces.push({ first: piece.first, rows, payload, bytes });
        this.#bytes += bytes;
      }
      break;
    }
    this.#end = end;
    this.#pool.dropped(this, before - this.#bytes);
  }

  /** Empty, so that what is added at `end` is the first. */
  clear(end: number): void {
    const bytes = this.#bytes;
    this.#pieces = [];
    this.#head = 0;
    this.#bytes = 0;
    this.#end = end;
    this.#pool.dropped(this, bytes);
  }

  /** At most `mostRows` rows from position `first` on. Undefined: not here. */
  take(first: number, mostRows: number): { rows: number; payload: P } | undefined {
    let index = this.#indexOf(first);
    if (index < 0) return undefined;
    const parts: P[] = [];
    let rows = 0;
    for (; index < this.#pieces.length && rows < mostRows; index++) {
      const piece = this.#pieces[index] as Piece<P>;
      const from = first + rows - piece.first;
      const to = Math.min(piece.rows, from + mostRows - rows);
      const whole = from === 0 && to === piece.rows;
      parts.push(whole ? piece.payload : this.#payloads.slice(piece.payload, from, to, piece.rows));
      rows += to - from;
    }
    return { rows, payload: parts.length === 1 ? (parts[0] as P) : this.#payloads.join(parts) };
  }

  #indexOf(position: number): number {
    let low = this.#head;
    let high = this.#pieces.length - 1;
    while (low <= high) {
      const middle = (low + high) >> 1;
      const piece = this.#pieces[middle] as Piece<P>;
      if (position < piece.first) high = middle - 1;
      else if (position >= piece.first + piece.rows) low = middle + 1;
      else return middle;
    }
    return -1;
  }

  /** Makes room for rows of others, or newer ones. */
  dropOldest(): void {
    const oldest = this.#pieces[this.#head];
    if (oldest === undefined) return;
    this.#bytes -= oldest.bytes;
    this.#head++;
    // the array is cut when half of it is gone: each piece is moved once at most
    if (this.#head * 2 > this.#pieces.length) {
      this.#pieces = this.#pieces.slice(this.#head);
      this.#head = 0;
    }
    this.#pool.dropped(this, oldest.bytes);
  }
}
