/** Lets `burst` events pass at once and `perSecond` for good. */
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

  /** Takes one; false where none is left. */
  take(nowMs: number): boolean {
    this.#refill(nowMs);
    if (this.#tokens < 1) return false;
    this.#tokens -= 1;
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

  take(key: string): boolean {
    const now = this.#now();
    let bucket = this.#byKey.get(key);
    if (!bucket) {
      if (this.#byKey.size >= Buckets.#kept) this.sweep();
      if (this.#byKey.size >= Buckets.#kept) return false;
      bucket = new TokenBucket(this.#perSecond, this.#burst, now);
      this.#byKey.set(key, bucket);
    }
    return bucket.take(now);
  }

  sweep(): void {
    const now = this.#now();
    for (const [key, bucket] of this.#byKey) if (bucket.isFull(now)) this.#byKey.delete(key);
  }

  get size(): number {
    return this.#byKey.size;
  }
}
