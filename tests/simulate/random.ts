/** A small generator of random numbers that a seed determines (sfc32, Chris Doty-Humphrey's PractRand). */
export class Random {
  #a: number;
  #b: number;
  #c: number;
  #counter = 1;

  constructor(seed: number, stream = 0) {
    this.#a = seed | 0;
    this.#b = stream | 0;
    this.#c = 0x9e3779b9;
    for (let i = 0; i < 12; i++) this.uint32();
  }

  uint32(): number {
    const sum = (((this.#a + this.#b) | 0) + this.#counter) | 0;
    this.#counter = (this.#counter + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = (((this.#c << 21) | (this.#c >>> 11)) + sum) | 0;
    return sum >>> 0;
  }

  /** In [0, 1). */
  unit = (): number => this.uint32() / 4294967296;

  between(least: number, most: number): number {
    return least + (most - least) * this.unit();
  }

  /** Short ones are more frequent: the logarithm is uniform. */
  logBetween(least: number, most: number): number {
    return Math.exp(this.between(Math.log(least), Math.log(most)));
  }

  integer(least: number, most: number): number {
    return Math.floor(this.between(least, most + 1));
  }

  /** Times between events that come at random, so long apart at mean. */
  exponential(mean: number): number {
    return -mean * Math.log(1 - this.unit());
  }

  chance(probability: number): boolean {
    return this.unit() < probability;
  }

  pick<T>(list: readonly T[]): T {
    return list[Math.floor(this.unit() * list.length)] as T;
  }

  hex(digits: number): string {
    let text = '';
    while (text.length < digits) text += this.uint32().toString(16).padStart(8, '0');
    return text.slice(0, digits);
  }
}
