import { type Links, TICK_MS } from './links.ts';
import type { ToWindow, ToWorker } from './window-messages.ts';

/** A worker's own scope, as far as it is used here. */
export interface WindowPort {
  postMessage(message: { readonly room: ToWindow }): void;
  addEventListener(type: 'message', listener: (event: MessageEvent) => void): void;
  removeEventListener(type: 'message', listener: (event: MessageEvent) => void): void;
}

/** Gives the links what the window says about connections, and time; returns what ends that. */
export function attachLinks(port: WindowPort, links: Pick<Links<never>, 'receive' | 'tick'>): () => void {
  const listener = ({ data }: MessageEvent) => {
    const message = (data as { readonly room?: ToWorker } | null)?.room;
    if (message) links.receive(message);
  };
  port.addEventListener('message', listener);
  const timer = setInterval(() => links.tick(), TICK_MS);
  return () => {
    clearInterval(timer);
    port.removeEventListener('message', listener);
  };
}
