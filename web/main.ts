import { connectWorker } from '../worker/client.ts';
import { startPage } from './start.ts';

const worker = new Worker(new URL('../worker/main.ts', import.meta.url), { type: 'module' });
const client = connectWorker(worker);
const app = startPage(client, worker);

worker.addEventListener('error', () => app.device.workerDied());
if (import.meta.env.PROD) void app.updates.register(`${import.meta.env.BASE_URL}sw.js`);
// end-to-end tests take the GPU away with it; the worker refuses in a page that was opened without
if (new URLSearchParams(location.search).has('test-hooks')) {
  Object.assign(globalThis, { shoalTest: { destroyDevice: () => client.destroyDevice() } });
}
