import { Cell, type Readable } from './cell.ts';

interface InstallPrompt extends Event {
  prompt(): Promise<unknown>;
}

/** Whether the browser offers to install the app now. Safari never says; its way is described in words. */
export class Install {
  readonly #prompt = new Cell<InstallPrompt | undefined>(undefined);

  constructor() {
    addEventListener('beforeinstallprompt', (event) => {
      event.preventDefault();
      this.#prompt.set(event as InstallPrompt);
    });
    addEventListener('appinstalled', () => this.#prompt.set(undefined));
  }

  get offered(): Readable<InstallPrompt | undefined> {
    return this.#prompt;
  }

  get installed(): boolean {
    const onHomeScreen = 'standalone' in navigator && navigator.standalone === true;
    return onHomeScreen || matchMedia('(display-mode: standalone)').matches;
  }

  async ask(): Promise<void> {
    await this.#prompt.value?.prompt();
    this.#prompt.set(undefined);
  }
}
