import { Cell, type Readable } from './cell.ts';

/** The service worker: makes the app start offline, and offers a new version instead of taking it. */
export class Updates {
  readonly #ready = new Cell(false);
  #registration: ServiceWorkerRegistration | undefined;

  /** True when a new version waits to be used. */
  get ready(): Readable<boolean> {
    return this.#ready;
  }

  async register(address: string): Promise<void> {
    if (!('serviceWorker' in navigator)) return;
    const { Workbox } = await import('workbox-window');
    const workbox = new Workbox(address);
    workbox.addEventListener('waiting', () => this.#ready.set(true));
    try {
      this.#registration = await workbox.register();
    } catch {
      // Refused (private window, static host without the file): the app works, online only.
    }
  }

  /** Asks the server for a newer version now; true when one waits. */
  async look(): Promise<boolean> {
    await this.#registration?.update().catch(() => undefined);
    const { installing } = this.#registration ?? {};
    if (installing) await settled(installing);
    return this.#registration?.waiting != null;
  }

  use(): void {
    const waiting = this.#registration?.waiting;
    // another window has taken it meanwhile: this one is the last of the old
    if (!waiting) location.reload();
    waiting?.addEventListener('statechange', () => {
      if (waiting.state === 'activated') location.reload();
    });
    waiting?.postMessage({ type: 'SKIP_WAITING' });
  }
}

/** Resolves when a worker that is being installed waits, works, or failed. */
function settled(worker: ServiceWorker): Promise<void> {
  return new Promise((resolve) => {
    const look = () => {
      if (worker.state !== 'installing') resolve();
    };
    worker.addEventListener('statechange', look);
    look();
  });
}
