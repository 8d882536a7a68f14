/** What will happen, by time and, where that is equal, in the order in which it was put in: a binary heap. */
export class EventQueue<E> {
  #times = new Float64Array(1024);
  #orders = new Float64Array(1024);
  #events: (E | undefined)[] = new Array(1024);
  #size = 0;
  #order = 0;

  get size(): number {
    return this.#size;
  }

  get nextTime(): number {
    return this.#size === 0 ? Number.POSITIVE_INFINITY : (this.#times[0] as number);
  }

  push(time: number, event: E): void {
    if (this.#size === this.#times.length) this.#grow();
    const order = this.#order++;
    const times = this.#times;
    const orders = this.#orders;
    const events = this.#events;
    let at = this.#size++;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if ((times[parent] as number) <= time) break;
      times[at] = times[parent] as number;
      orders[at] = orders[parent] as number;
      events[at] = events[parent];
      at = parent;
    }
    times[at] = time;
    orders[at] = order;
    events[at] = event;
  }

  pop(): E | undefined {
    if (this.#size === 0) return undefined;
    const times = this.#times;
    const orders = this.#orders;
    const events = this.#events;
    const top = events[0];
    const last = --this.#size;
    const time = times[last] as number;
    const order = orders[last] as number;
    const event = events[last];
    events[last] = undefined;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= last) break;
      const right = child + 1;
      if (right < last && before(times, orders, right, child)) child = right;
      if ((times[child] as number) > time || ((times[child] as number) === time && (orders[child] as number) > order)) {
        break;
      }
      times[at] = times[child] as number;
      orders[at] = orders[child] as number;
      events[at] = events[child];
      at = child;
    }
    if (last > 0) {
      times[at] = time;
      orders[at] = order;
      events[at] = event;
    }
    return top;
  }

  #grow(): void {
    const size = this.#times.length * 2;
    const times = new Float64Array(size);
    times.set(this.#times);
    const orders = new Float64Array(size);
    orders.set(this.#orders);
    this.#times = times;
    this.#orders = orders;
    this.#events.length = size;
  }
}

function before(times: Float64Array, orders: Float64Array, a: number, b: number): boolean {
  const first = times[a] as number;
  const second = times[b] as number;
  return first < second || (first === second && (orders[a] as number) < (orders[b] as number));
}
