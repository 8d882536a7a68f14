/** The page of `npm run bench -- lap`: the app's connections, and beside each a channel for bare messages. */
import { wrap } from 'comlink';
import { RoomConnections } from '../../web/room/room-connections.ts';
import { Stripes } from './lap-stripes.ts';
import type { LapBench } from './lap-worker.ts';

/** The benchmark's network: a port of this browser, and where it stands for one of another. */
declare const lapOwn: (port: number) => Promise<void>;
declare const lapWayTo: (port: number) => Promise<number>;

const BARE_CHANNEL_ID = 2;
const HOST = '127.0.0.1';

const worker = new Worker(new URL('./lap-worker.ts', import.meta.url), { type: 'module' });
/** Made with the connection whose channels go to the worker next. */
let bare: RTCDataChannel | undefined;

const Native = RTCPeerConnection;
globalThis.RTCPeerConnection = class extends Native {
  constructor(configuration?: RTCConfiguration) {
    super(configuration);
    this.addEventListener('icecandidate', ({ candidate }) => {
      if (candidate?.address === HOST && candidate.port) void lapOwn(candidate.port);
    });
  }

  override createDataChannel(label: string, options?: RTCDataChannelInit): RTCDataChannel {
    const channel = super.createDataChannel(label, options);
    if (label === 'data') bare = super.createDataChannel('bare', { negotiated: true, id: BARE_CHANNEL_ID });
    return channel;
  }

  /** Candidates come one by one as well, and only by the network. */
  override async setRemoteDescription(description: RTCSessionDescriptionInit): Promise<void> {
    const sdp = description.sdp?.replace(/^a=(candidate:.*|end-of-candidates)\r\n/gm, '') ?? '';
    await super.setRemoteDescription({ type: description.type, sdp });
  }

  override async addIceCandidate(init?: RTCIceCandidateInit | null): Promise<void> {
    const { address, port, protocol, type } = new RTCIceCandidate(init ?? {});
    if (protocol !== 'udp' || type !== 'host' || address !== HOST || port === null) return;
    const candidate = init?.candidate?.replace(` ${HOST} ${port} `, ` ${HOST} ${await lapWayTo(port)} `) ?? '';
    await super.addIceCandidate({ ...init, candidate });
  }
};

const roomWorker: ConstructorParameters<typeof RoomConnections>[0]['worker'] = {
  addEventListener: worker.addEventListener.bind(worker),
  removeEventListener: worker.removeEventListener.bind(worker),
  postMessage(message: { room?: { kind: string; connection: number } }, transfer?: unknown) {
    if (message.room?.kind === 'connection' && bare !== undefined) {
      const { connection } = message.room;
      worker.postMessage({ bare: { connection, channel: bare } }, [bare as unknown as Transferable]);
      bare = undefined;
    }
    worker.postMessage(message, transfer as Transferable[]);
  },
};

let connections: RoomConnections | undefined;
const stripes = new Stripes();
const lap = {
  stripes,
  worker: wrap<LapBench>(worker),
  enter(room: string): void {
    connections = new RoomConnections({ worker: roomWorker, room });
  },
  leave(): void {
    connections?.leave();
  },
};

export type LapPage = typeof lap;
(globalThis as { lap?: LapPage }).lap = lap;
