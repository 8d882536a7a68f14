/** The page of `npm run bench -- load`: it has a worker as the app has, and does nothing itself. */
import { wrap } from 'comlink';
import type { LoadBench } from './load-worker.ts';

const worker = new Worker(new URL('./load-worker.ts', import.meta.url), { type: 'module' });
(globalThis as { bench?: unknown }).bench = wrap<LoadBench>(worker);
