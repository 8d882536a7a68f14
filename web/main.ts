import { connectWorker } from '../worker/client.ts';
import { startPage } from './start.ts';

const worker = new Worker(new URL('../worker/main.ts', import.meta.url), { type: 'module' });
const client = connectWorker(worker);
const app = startPage(client, worker);

worker.addEventListener('error', () => app.device.workerDied());
if (import.meta.env.PROD) void app.updates.register(`${import.meta.env.BASE_URL}sw.js`);
// tests, benches and the demo drive the page with it; the worker refuses what is only for tests in other pages
if (new URLSearchParams(location.search).has('test-hooks')) {
  Object.assign(globalThis, { shoalTest: { app, client, destroyDevice: () => client.destroyDevice() } });
}
