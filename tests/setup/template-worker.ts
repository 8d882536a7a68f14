import { fileURLToPath } from 'node:url';
import { Worker as NodeWorker } from 'node:worker_threads';
import { build, type Rolldown } from 'vite';
import type { TemplateWorker } from '../../worker/text/template.ts';

/** What a browser's worker has and Node's lacks. */
const BROWSER_NAMES = `
const { parentPort } = require('node:worker_threads');
globalThis.postMessage = (message) => parentPort.postMessage(message);
globalThis.addEventListener = (type, listener) => parentPort.on(type, (data) => listener({ data }));
`;

/** Bundles the template worker with Vite, as the page does, to be run in Node's worker threads. */
export async function buildTemplateWorker(): Promise<() => TemplateWorker> {
  const built = await build({
    configFile: false,
    logLevel: 'error',
    build: {
      write: false,
      minify: false,
      rollupOptions: {
        input: fileURLToPath(new URL('../../worker/text/template-worker.ts', import.meta.url)),
        output: { format: 'iife' },
      },
    },
  });
  const [{ output }] = (Array.isArray(built) ? built : [built]) as [Rolldown.RolldownOutput];
  const code = BROWSER_NAMES + output[0].code;
  return () => adapt(new NodeWorker(code, { eval: true }));
}

function adapt(worker: NodeWorker): TemplateWorker {
  const adapted = new Map<unknown, (value: unknown) => void>();
  return {
    postMessage: (message: unknown) => worker.postMessage(message),
    terminate: () => void worker.terminate(),
    addEventListener(type: string, listener: unknown) {
      const call = listener as (event: unknown) => void;
      const wrapped = (value: unknown) => call(type === 'message' ? { data: value } : { message: String(value) });
      adapted.set(listener, wrapped);
      worker.on(type, wrapped);
    },
    removeEventListener(type: string, listener: unknown) {
      const wrapped = adapted.get(listener);
      if (wrapped) worker.off(type, wrapped);
    },
  };
}
