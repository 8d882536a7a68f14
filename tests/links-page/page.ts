/** A page with connections and nothing else: `links` is what the tests call. */
import { wrap } from 'comlink';
import type { JoinFailure } from '../../web/room/join-failure.ts';
import { RoomConnections, type RoomConnectionsOptions } from '../../web/room/room-connections.ts';
import type { LinksWorker } from './worker.ts';

const worker = new Worker(new URL('./worker.ts', import.meta.url), { type: 'module' });
const remote = wrap<LinksWorker>(worker);
const failures: JoinFailure[] = [];
let connections: RoomConnections | undefined;

const links = {
  worker: remote,
  enter(room: string, options: Pick<RoomConnectionsOptions, 'server' | 'rtc'> = {}): void {
    connections = new RoomConnections({ worker, room, failed: (failure) => failures.push(failure), ...options });
  },
  /** What the window knows. */
  view() {
    return {
      address: connections?.address ?? '',
      signaling: connections?.signaling,
      connections: connections?.connections ?? [],
      failures,
    };
  },
  leave(): void {
    connections?.leave();
  },
  /** As a browser that cannot transfer channels: its `postMessage` refuses them. */
  forbidTransfer(): void {
    const post = worker.postMessage.bind(worker);
    worker.postMessage = (message: unknown, transfer?: Transferable[] | StructuredSerializeOptions) => {
      if (
        Array.isArray(transfer) &&
        transfer.some((item) => !(item instanceof MessagePort || item instanceof ArrayBuffer))
      )
        throw new DOMException('not transferable', 'DataCloneError');
      post(message, transfer as Transferable[]);
    };
  },
};

export type LinksPage = typeof links;
(globalThis as { links?: LinksPage }).links = links;
