const KEY = 'shoal-joining';

/** What a window is joining a room with. */
export interface Joining {
  readonly invite: string;
  /** What this device wants to be called there. */
  readonly name: string;
}

/**
 * The invite that is being used, through a reload of this window: it left the address bar when the page was opened, and a
 * newer version of the app begins with a reload. It is kept for as long as it may still work, and by this window alone.
 */
export class KeptInvite {
  readonly #storage: () => Storage | undefined;

  constructor(storage: () => Storage | undefined = sessionStorageOrNothing) {
    this.#storage = storage;
  }

  keep(joining: Joining): void {
    try {
      this.#storage()?.setItem(KEY, JSON.stringify(joining));
    } catch {
      // Full, or refused: the invite has to be opened again after a reload.
    }
  }

  forget(): void {
    this.#storage()?.removeItem(KEY);
  }

  /** What was kept; undefined for nothing, and for what this class never wrote. */
  read(): Joining | undefined {
    try {
      const kept: unknown = JSON.parse(this.#storage()?.getItem(KEY) ?? 'null');
      return isJoining(kept) ? kept : undefined;
    } catch {
      return undefined;
    }
  }
}

function isJoining(kept: unknown): kept is Joining {
  const { invite, name } = (kept ?? {}) as Partial<Joining>;
  return typeof invite === 'string' && typeof name === 'string';
}

function sessionStorageOrNothing(): Storage | undefined {
  try {
    return sessionStorage;
  } catch {
    return undefined;
  }
}
