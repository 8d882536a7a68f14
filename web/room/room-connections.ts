import type { DataConnection, Peer, PeerOptions } from 'peerjs';
import type { ToWindow, ToWorker } from '../../worker/mesh/link/window-messages.ts';
import type { DeviceId } from '../../worker/mesh/types.ts';
import { Backoff } from './backoff.ts';
import { handOver, type RoomWorker, tellWorker } from './hand-over.ts';
import { candidatesFailure, type JoinFailure, proofFailure, signalingFailure } from './join-failure.ts';
import { loadPeerJs, type PeerConstructor } from './load-peerjs.ts';
import {
  type CallOptions,
  type ConnectionClass,
  type ConnectionSurroundings,
  PeerConnection,
} from './peer-connection.ts';
import { type IceAnswer, SignalingRefusal, SignalingServer } from './signaling-server.ts';

const ANNOUNCE_MS = 20_000;
/** After the server answered that it does not know this device yet. */
const ANNOUNCE_AGAIN_MS = 1000;
/** Of the 8 connections that may be unproved these are this device's own. */
const CALLS_AT_ONCE = 4;
const MAX_CONNECTING = 8;
/** What was said last over a connection, a refusal or a goodbye, takes so long at most. */
const CLOSE_AFTER_MS = 500;
const NETWORK_SETTLES_MS = 500;

export interface RoomConnectionsOptions {
  readonly worker: RoomWorker;
  /** The directory's name of the room. */
  readonly room: string;
  /** Origin of the signaling server; that of the page by default. */
  readonly server?: string;
  /** For tests: relay only, another fetch. */
  readonly rtc?: Pick<RTCConfiguration, 'iceTransportPolicy'>;
  /** Anything below changed. */
  readonly changed?: () => void;
  readonly failed?: (failure: JoinFailure) => void;
}

export interface ConnectionView {
  readonly address: string;
  readonly state: 'connecting' | 'proving' | 'linked';
  readonly device?: DeviceId;
  /** Whether the worker has its channels, or ports to them. */
  readonly channels: 'transferred' | 'relayed';
}

interface Entry {
  readonly connection: PeerConnection;
  readonly channels: 'transferred' | 'relayed';
  device?: DeviceId;
}

/**
 * The connections of this device to a room. Knows addresses and connections and no protocol: whom to call and who may
 * stay the worker decides.
 */
export class RoomConnections {
  /** Whether the server introduces this device now. Links do without it. */
  signaling: 'connecting' | 'connected' | 'lost' = 'connecting';
  readonly #options: RoomConnectionsOptions;
  readonly #server: SignalingServer;
  readonly #token = randomName();
  readonly #entries = new Map<number, Entry>();
  readonly #takenBy = new Map<number, () => void>();
  readonly #backoffs = new Map<string, { readonly backoff: Backoff; until: number }>();
  readonly #wanted = new Set<string>();
  readonly #serverBackoff = new Backoff();
  readonly #over = new AbortController();
  #ice: IceAnswer | undefined;
  #iceAtMs = 0;
  #peer: Peer | undefined;
  #address = '';
  #numbers = 0;
  #announceTimer: ReturnType<typeof setTimeout> | undefined;
  #peerTimer: ReturnType<typeof setTimeout> | undefined;
  #callTimer: ReturnType<typeof setTimeout> | undefined;
  #networkTimer: ReturnType<typeof setTimeout> | undefined;

  constructor(options: RoomConnectionsOptions) {
    this.#options = options;
    this.#server = new SignalingServer(options.server ?? location.origin);
    const { worker } = options;
    const { signal } = this.#over;
    const heard = ({ data }: MessageEvent) => {
      const message = (data as { readonly room?: ToWindow } | null)?.room;
      if (message) this.#receive(message);
    };
    worker.addEventListener('message', heard as EventListener);
    signal.addEventListener('abort', () => worker.removeEventListener('message', heard as EventListener));
    window.addEventListener('pagehide', () => this.#tell({ kind: 'leaving' }), { signal });
    window.addEventListener('pageshow', ({ persisted }) => persisted && this.#wake('all'), { signal });
    window.addEventListener('online', () => this.#networkChanged(), { signal });
    document.addEventListener(
      'visibilitychange',
      () => {
        this.#tell({ kind: 'visibility', hidden: document.hidden });
        if (!document.hidden) this.#wake('broken');
      },
      { signal },
    );
    watchNetworkType(() => this.#networkChanged(), signal);
    void this.#begin();
  }

  /** Where signaling reaches this device; empty before it does. */
  get address(): string {
    return this.#address;
  }

  get connections(): readonly ConnectionView[] {
    return [...this.#entries.values()].map(({ connection, device, channels }) => ({
      address: connection.peer,
      state: device !== undefined ? 'linked' : connection.connected ? 'proving' : 'connecting',
      channels,
      ...(device !== undefined && { device }),
    }));
  }

  /** Leaves: says goodbye, then closes every connection. */
  leave(): void {
    if (this.#over.signal.aborted) return;
    this.#tell({ kind: 'leaving' });
    this.#over.abort();
    for (const timer of [this.#announceTimer, this.#peerTimer, this.#callTimer, this.#networkTimer])
      clearTimeout(timer);
    this.#peer?.destroy();
    setTimeout(() => {
      for (const { connection } of [...this.#entries.values()]) connection.end();
    }, CLOSE_AFTER_MS);
  }

  #receive(message: ToWindow): void {
    switch (message.kind) {
      case 'taken':
        this.#takenBy.get(message.connection)?.();
        return;
      case 'proved': {
        const entry = this.#entries.get(message.connection);
        if (!entry) return;
        entry.device = message.device;
        this.#backoffs.delete(entry.connection.peer);
        this.#options.changed?.();
        return;
      }
      case 'close': {
        const { connection } = this.#entries.get(message.connection) ?? {};
        if (!connection) return;
        const { failure } = message;
        if (failure && failure.reason !== 'closed') {
          this.#backOff(connection.peer);
          this.#options.failed?.(proofFailure(connection.peer, failure));
        }
        setTimeout(() => connection.end(), CLOSE_AFTER_MS);
        return;
      }
      case 'call':
        for (const address of message.addresses) this.#wanted.add(address);
        this.#callWanted();
        return;
      case 'restart':
        this.#wake('all');
        return;
      default:
        message satisfies never;
    }
  }

  async #begin(): Promise<void> {
    try {
      const [PeerClass] = await Promise.all([loadPeerJs(), this.#refreshIce()]);
      if (!this.#over.signal.aborted) this.#openPeer(PeerClass);
    } catch (error) {
      this.#lostServer(error instanceof Error ? error.message : String(error), () => void this.#begin());
    }
  }

  /** A new id each time: that of a socket which broke off stays taken for a while. */
  #openPeer(PeerClass: PeerConstructor): void {
    const id = randomName();
    const Connection = this.#connectionClass(id);
    const options: PeerOptions = {
      ...this.#server.peerOptions,
      token: this.#token,
      config: this.#configuration(),
      debug: 0,
      // whatever a caller names: every connection is made here
      serializers: {
        shoal: Connection,
        raw: Connection,
        json: Connection,
        binary: Connection,
        'binary-utf8': Connection,
        default: Connection,
      },
    };
    const peer = new PeerClass(id, options);
    this.#peer = peer;
    peer.on('open', () => {
      this.#serverBackoff.reset();
      this.signaling = 'connected';
      this.#address = id;
      this.#tell({ kind: 'address', address: id });
      this.#options.changed?.();
      void this.#announce();
    });
    peer.on('call', (media) => media.close());
    let reason = 'the connection ended';
    let isTaken = false;
    peer.on('error', (error) => {
      if (error.type === 'peer-unavailable') this.#nobodyAt(error.message);
      else reason = error.message;
      isTaken ||= error.type === 'unavailable-id';
    });
    const lost = () => {
      if (this.#peer !== peer) return;
      this.#lostServer(reason, () => {
        // the same id, so that connections can go on exchanging candidates
        if (!isTaken && !peer.destroyed) return peer.reconnect();
        this.#peer = undefined;
        peer.destroy();
        this.#openPeer(PeerClass);
      });
    };
    peer.on('disconnected', lost);
    peer.on('close', lost);
  }

  /** @param message the server's words: Could not connect to peer ADDRESS */
  #nobodyAt(message: string): void {
    const address = message.split(' ').at(-1);
    for (const { connection } of [...this.#entries.values()])
      if (connection.peer === address && !connection.connected) connection.end('signaling');
  }

  #lostServer(reason: string, again: () => void): void {
    if (this.#over.signal.aborted) return;
    clearTimeout(this.#announceTimer);
    if (this.signaling !== 'lost') {
      this.signaling = 'lost';
      this.#options.failed?.(signalingFailure(this.#options.server ?? location.origin, reason));
      this.#options.changed?.();
    }
    clearTimeout(this.#peerTimer);
    this.#peerTimer = setTimeout(again, this.#serverBackoff.next());
  }

  async #announce(): Promise<void> {
    clearTimeout(this.#announceTimer);
    let nextMs = ANNOUNCE_MS;
    const peer = this.#address;
    try {
      const listed = await this.#server.announce(this.#options.room, { peer, token: this.#token });
      const linked = new Set([...this.#entries.values()].map(({ connection }) => connection.peer));
      const addresses = listed.filter((address) => !linked.has(address));
      if (addresses.length > 0 && !this.#over.signal.aborted) this.#tell({ kind: 'listed', addresses });
      await this.#refreshIce();
    } catch (error) {
      if (error instanceof SignalingRefusal && error.status !== 409)
        this.#options.failed?.(signalingFailure(this.#options.server ?? location.origin, error.message));
      nextMs = ANNOUNCE_AGAIN_MS;
    }
    if (this.#over.signal.aborted || peer !== this.#address || this.signaling !== 'connected') return;
    clearTimeout(this.#announceTimer);
    this.#announceTimer = setTimeout(() => void this.#announce(), nextMs);
  }

  /** Credentials of the relay end; new ones are fetched in the second half of their time. */
  async #refreshIce(): Promise<void> {
    if (this.#ice && performance.now() - this.#iceAtMs < this.#ice.expiresMs / 2) return;
    this.#ice = await this.#server.ice(this.#options.room);
    this.#iceAtMs = performance.now();
  }

  #configuration(): RTCConfiguration {
    return { ...this.#options.rtc, iceServers: (this.#ice?.iceServers ?? []) as RTCIceServer[] };
  }

  #callWanted(): void {
    clearTimeout(this.#callTimer);
    if (this.signaling !== 'connected') return;
    const now = performance.now();
    let soonestMs = Number.POSITIVE_INFINITY;
    for (const address of this.#wanted) {
      const { until = 0 } = this.#backoffs.get(address) ?? {};
      if (this.#connecting('called') >= CALLS_AT_ONCE) return; // each that ends comes back here
      if (until > now) {
        soonestMs = Math.min(soonestMs, until - now);
        continue;
      }
      this.#wanted.delete(address);
      if (address === this.#address || this.#entryAt(address)) continue;
      this.#peer?.connect(address, { serialization: 'shoal' });
    }
    if (Number.isFinite(soonestMs)) this.#callTimer = setTimeout(() => this.#callWanted(), soonestMs);
  }

  #connectionClass(ownAddress: string): ConnectionClass {
    const surroundings: ConnectionSurroundings = {
      ownAddress,
      configuration: () => this.#configuration(),
      handOver: (connection, control, data) => this.#handOver(connection, ownAddress, control, data),
      tell: (message) => this.#tell(message),
      ended: (connection, stage) => this.#ended(connection, stage),
    };
    const make = (address: string, provider: Peer, { connectionId, _payload }: CallOptions) => {
      const offer = _payload?.sdp;
      if (offer && !this.#accepts(address, ownAddress)) return ignored(address, connectionId ?? '', provider);
      return new PeerConnection(address, provider, surroundings, this.#numbers++, {
        connectionId: connectionId ?? `shoal-${randomName()}`,
        ...(offer && { offer }),
      });
    };
    // PeerJS calls it with `new`, and takes what a constructor returns
    return function Connection(address: string, provider: Peer, options: CallOptions) {
      return make(address, provider, options);
    } as unknown as ConnectionClass;
  }

  /** Where both call at once, the call of the lower address is the one that stays, on both sides. */
  #accepts(address: string, ownAddress: string): boolean {
    if (address === ownAddress || this.#over.signal.aborted) return false;
    const own = this.#entryAt(address);
    if (own && own.connection.side === 'called' && !own.connection.connected) {
      if (ownAddress < address) return false;
      own.connection.end();
    }
    return this.#connecting() < MAX_CONNECTING;
  }

  #handOver(
    connection: PeerConnection,
    ownAddress: string,
    control: RTCDataChannel,
    data: RTCDataChannel,
  ): Promise<void> {
    const { number, side, peer } = connection;
    const message = { kind: 'connection', connection: number, side, address: peer, ownAddress } as const;
    const channels = handOver(this.#options.worker, message, control, data);
    this.#entries.set(number, { connection, channels });
    this.#options.changed?.();
    return new Promise((resolve) => {
      this.#takenBy.set(number, resolve);
    });
  }

  #ended(connection: PeerConnection, stage: 'signaling' | 'candidates' | undefined): void {
    this.#entries.delete(connection.number);
    this.#takenBy.delete(connection.number);
    if (stage !== undefined) {
      this.#backOff(connection.peer);
      if (connection.side === 'called') {
        this.#tell({ kind: 'unreachable', address: connection.peer, stage });
        this.#options.failed?.(
          stage === 'signaling'
            ? signalingFailure(this.#options.server ?? location.origin, 'no answer', connection.peer)
            : candidatesFailure(connection.peer, this.#hasRelay()),
        );
      }
    }
    this.#options.changed?.();
    if (!this.#over.signal.aborted) this.#callWanted();
  }

  #backOff(address: string): void {
    const entry = this.#backoffs.get(address) ?? { backoff: new Backoff(), until: 0 };
    entry.until = performance.now() + entry.backoff.next();
    this.#backoffs.set(address, entry);
  }

  #hasRelay(): boolean {
    return (this.#ice?.iceServers ?? []).some(({ urls }) => [urls].flat().some((url) => url.startsWith('turn')));
  }

  #entryAt(address: string): Entry | undefined {
    return [...this.#entries.values()].find(({ connection }) => connection.peer === address);
  }

  #connecting(side?: 'called' | 'answered'): number {
    const unproved = [...this.#entries.values()].filter(({ device }) => device === undefined);
    return unproved.filter(({ connection }) => side === undefined || connection.side === side).length;
  }

  /** After sleep or another network: ways may have changed, and so may who is there. */
  #wake(which: 'all' | 'broken'): void {
    for (const { connection } of this.#entries.values())
      if (which === 'all' || connection.peerConnection?.connectionState !== 'connected') connection.restart();
    if (this.signaling === 'connected') void this.#announce();
  }

  #networkChanged(): void {
    clearTimeout(this.#networkTimer);
    this.#networkTimer = setTimeout(() => this.#wake('all'), NETWORK_SETTLES_MS);
  }

  #tell(message: ToWorker): void {
    tellWorker(this.#options.worker, message);
  }
}

/** 128 random bits, as PeerJS takes them. */
function randomName(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join('');
}

/** A call that is not taken: PeerJS finds nothing in it to hand messages to. */
function ignored(peer: string, connectionId: string, provider: Peer): DataConnection {
  const nothing = { peer, connectionId, type: 'data', handleMessage: async () => {}, close: () => {} };
  const forget = provider as unknown as { _removeConnection(connection: unknown): void };
  // PeerJS lists it when this has returned
  queueMicrotask(() => forget._removeConnection(nothing));
  return nothing as unknown as DataConnection;
}

/** Chromium on phones tells Wi-Fi from a mobile network; its `change` comes for estimates of speed, too. */
function watchNetworkType(changed: () => void, signal: AbortSignal): void {
  const network = (navigator as { connection?: EventTarget & { readonly type?: string } }).connection;
  let type = network?.type;
  network?.addEventListener?.(
    'change',
    () => {
      if (network.type === type) return;
      type = network.type;
      changed();
    },
    { signal },
  );
}
