import type { Socket as TurnClient } from 'turn-server';

/** Those that talk to the relay and have none: so many from one address, and each for a short time. */
export class Strangers {
  readonly #limits: { readonly strangersPerAddress: number; readonly strangerMs: number };
  readonly #timers = new Map<TurnClient, NodeJS.Timeout>();
  readonly #byAddress = new Map<string, number>();

  constructor(limits: { readonly strangersPerAddress: number; readonly strangerMs: number }) {
    this.#limits = limits;
  }

  /** Whether another one from this address is listened to. */
  admits(ip: string): boolean {
    return (this.#byAddress.get(ip) ?? 0) < this.#limits.strangersPerAddress;
  }

  /** From now on it has to ask for a relay, or is forgotten. */
  add(client: TurnClient): void {
    if (this.#timers.has(client)) return;
    const timer = setTimeout(() => client.close(), this.#limits.strangerMs);
    timer.unref();
    this.#timers.set(client, timer);
    this.#count(client, 1);
  }

  /** It has a relay, or is gone. */
  remove(client: TurnClient): void {
    const timer = this.#timers.get(client);
    if (!timer) return;
    clearTimeout(timer);
    this.#timers.delete(client);
    this.#count(client, -1);
  }

  #count(client: TurnClient, change: 1 | -1): void {
    const ip = addressOf(client);
    const count = (this.#byAddress.get(ip) ?? 0) + change;
    if (count > 0) this.#byAddress.set(ip, count);
    else this.#byAddress.delete(ip);
  }
}

function addressOf(client: TurnClient): string {
  return (client.getSession().context.source as { ip?: string } | undefined)?.ip ?? '';
}
