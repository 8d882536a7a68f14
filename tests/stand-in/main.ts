/** The page as it is, with a worker that computes nothing: for tests of the page and for measuring the window. */
import { startPage } from '../../web/start.ts';
import { connectWorker } from '../../worker/client.ts';
import { readScenario } from './scenario.ts';

const worker = new Worker(new URL('./worker.ts', import.meta.url), { type: 'module' });
worker.postMessage(readScenario(location.search));
const client = connectWorker(worker);
startPage(client);
Object.assign(globalThis, { shoalTest: { destroyDevice: () => client.destroyDevice() } });
