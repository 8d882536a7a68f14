import { serveWorker } from '../../worker/client.ts';
import type { Scenario } from './scenario.ts';
import { StandIn } from './stand-in.ts';

// the first message says how to behave; what the page sends meanwhile waits in the queue
self.addEventListener('message', (event: MessageEvent<Scenario>) => serveWorker(new StandIn(event.data)), {
  once: true,
});
