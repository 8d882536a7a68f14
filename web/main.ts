import { connectWorker } from '../worker/client.ts';
import { startPage } from './start.ts';

const worker = new Worker(new URL('../worker/main.ts', import.meta.url), { type: 'module' });
const app = startPage(connectWorker(worker));

worker.addEventListener('error', () => app.device.workerDied());
if (import.meta.env.PROD) void app.updates.register(`${import.meta.env.BASE_URL}sw.js`);
