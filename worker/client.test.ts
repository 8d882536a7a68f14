import type { Endpoint } from 'comlink';
import { expect, test } from 'vitest';
import type { WorkerApi } from './api.ts';
import { connectWorker, serveWorker } from './client.ts';

test('what is asked before the worker has started is answered when it has', async () => {
  const { port1, port2 } = new MessageChannel();
  const asked: string[] = [];
  const api = {
    start: async () => void asked.push('start'),
    device: async () => void asked.push('device'),
  } as unknown as WorkerApi;
  serveWorker(api, port1 as unknown as Endpoint);
  const client = connectWorker(port2 as unknown as Endpoint);
  port1.start();
  port2.start();
  const early = client.device();
  await (client as unknown as { start(): Promise<void> }).start();
  await early;
  expect(asked).toEqual(['start', 'device']);
  port1.close();
  port2.close();
});
