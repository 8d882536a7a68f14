/** Lets `burst` events, or bytes, pass at once and `perSecond` for good. */
export class TokenBucket {
  readonly #perSecond: number;
  readonly #burst: number;
  #tokens: number;
  #at: number;

  constructor(perSecond: number, burst: number, nowMs: number) {
    this.#perSecond = perSecond;
    this.#burst = burst;
    this.#tokens = burst;
    this.#at = nowMs;
  }

  /** Takes one, or so many; false where that is more than is left. */
  take(nowMs: number, count = 1): boolean {
    this.#refill(nowMs);
    if (this.#tokens < count) return false;
    this.#tokens -= count;
    return true;
  }

  /** Nobody would notice if it were made anew. */
  isFull(nowMs: number): boolean {
    this.#refill(nowMs);
    return this.#tokens >= this.#burst;
  }

  #refill(nowMs: number): void {
    this.#tokens = Math.min(this.#burst, this.#tokens + ((nowMs - this.#at) / 1000) * this.#perSecond);
    this.#at = nowMs;
  }
}

/** A bucket for each address that asks; forgets those that would be full again. */
export class Buckets {
  readonly #perSecond: number;
  readonly #burst: number;
  readonly #now: () => number;
  readonly #byKey = new Map<string, TokenBucket>();
  static readonly #kept = 4_096;

  constructor(perSecond: number, burst: number, now: () => number) {
    this.#perSecond = perSecond;
    this.#burst = burst;
    this.#now = now;
  }

  take(key: string, count = 1): boolean {
    const now = this.#now();
    let bucket = this.#byKey.get(key);
    if (!bucket) {
      if (this.#byKey.size >= Buckets.#kept) this.sweep();
      if (this.#byKey.size >= Buckets.#kept) return false;
      bucket = new TokenBucket(this.#perSecond, this.#burst, now);
      this.#byKey.set(key, bucket);
    }
    return bucket.take(now, count);
  }

  sweep(): void {
    const now = this.#now();
    for (const [key, bucket] of this.#byKey) if (bucket.isFull(now)) this.#byKey.delete(key);
  }

  get size(): number {
    return this.#byKey.size;
  }
}
