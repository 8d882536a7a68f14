import type { Workbox } from 'workbox-window';
import { Cell, type Readable } from './cell.ts';

/** The service worker: makes the app start offline, and offers a new version instead of taking it. */
export class Updates {
  readonly #ready = new Cell(false);
  #workbox: Workbox | undefined;

  /** True when a new version waits to be used. */
  get ready(): Readable<boolean> {
    return this.#ready;
  }

  async register(address: string): Promise<void> {
    if (!('serviceWorker' in navigator)) return;
    const { Workbox } = await import('workbox-window');
    const workbox = new Workbox(address);
    workbox.addEventListener('waiting', () => this.#ready.set(true));
    this.#workbox = workbox;
    try {
      await workbox.register();
    } catch {
      // Refused (private window, static host without the file): the app works, online only.
    }
  }

  use(): void {
    this.#workbox?.addEventListener('controlling', () => location.reload());
    this.#workbox?.messageSkipWaiting();
  }
}
