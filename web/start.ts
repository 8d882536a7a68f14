import './style/index.css';
import type { WorkerClient } from '../worker/client.ts';
import { App } from './app.ts';
import type { RoomWorker } from './room/hand-over.ts';
import { followKeyboard } from './shell/keyboard.ts';
import { followAway } from './state/away.ts';
import './shell/shoal-app.ts';

/** Puts the page into the document and starts it. The worker is passed in, so that tests bring their own. */
export function startPage(worker: WorkerClient, port?: RoomWorker): App {
  const app = new App(worker, port);
  const page = document.createElement('shoal-app');
  page.app = app;
  document.body.append(page);
  followKeyboard();
  followAway();
  void app.start();
  return app;
}
