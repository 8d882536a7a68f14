import { serveWorker } from './client.ts';
import { ShoalWorker } from './service/shoal-worker.ts';

serveWorker(new ShoalWorker());
