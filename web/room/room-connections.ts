import type { DataConnection, Peer } from 'peerjs';
import type { ToWindow, ToWorker } from '../../worker/mesh/link/window-messages.ts';
import type { DeviceId } from '../../worker/mesh/types.ts';
import { Backoff } from './backoff.ts';
import { handOver, type RoomWorker, tellWorker } from './hand-over.ts';
import { Introductions, randomName } from './introductions.ts';
import { candidatesFailure, type JoinFailure, proofFailure, signalingFailure } from './join-failure.ts';
import {
  type CallOptions,
  type ConnectionClass,
  type ConnectionSurroundings,
  PeerConnection,
} from './peer-connection.ts';
import { Places } from './places.ts';

/** Of the 8 connections that may be unproved these are this device's own. */
const CALLS_AT_ONCE = 4;
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
  /** The worker has given it up: what it said last still goes out. */
  closing?: true;
}

/**
 * The connections of this device to a room. Knows addresses and connections and no protocol: whom to call and who may
 * stay the worker decides.
 */
export class RoomConnections {
  readonly #options: RoomConnectionsOptions;
  readonly #introductions: Introductions;
  readonly #entries = new Map<number, Entry>();
  readonly #takenBy = new Map<number, () => void>();
  readonly #backoffs = new Map<string, { readonly backoff: Backoff; until: number }>();
  /** Address, and since when. */
  readonly #wanted = new Map<string, number>();
  readonly #places = new Places();
  readonly #over = new AbortController();
  #numbers = 0;
  #callTimer: ReturnType<typeof setTimeout> | undefined;
  #isCalling = false;
  #networkTimer: ReturnType<typeof setTimeout> | undefined;

  constructor(options: RoomConnectionsOptions) {
    this.#options = options;
    const { worker } = options;
    const { signal } = this.#over;
    const heard = ({ data }: MessageEvent) => {
      const message = (data as { readonly room?: ToWindow } | null)?.room;
      if (message) this.#receive(message);
    };
    worker.addEventListener('message', heard as EventListener);
    signal.addEventListener('abort', () => worker.removeEventListener('message', heard as EventListener));
    window.addEventListener('pagehide', () => this.#tell({ kind: 'leaving' }), { signal });
    // the browser had kept the page: it said goodbye when it went
    window.addEventListener('pageshow', ({ persisted }) => persisted && this.#returned(), { signal });
    window.addEventListener('online', () => this.#networkChanged(), { signal });
    document.addEventListener(
      'visibilitychange',
      () => {
        this.#tell({ kind: 'visibility', hidden: document.hidden });
        if (!document.hidden) this.#wake('broken');
      },
      { signal },
    );
    if (document.hidden) this.#tell({ kind: 'visibility', hidden: true });
    watchNetworkType(() => this.#networkChanged(), signal);
    this.#introductions = new Introductions({
      server: options.server ?? location.origin,
      room: options.room,
      connectionClass: (ownAddress) => this.#connectionClass(ownAddress),
      opened: (address) => {
        this.#tell({ kind: 'address', address });
        this.#options.changed?.();
        this.#callWanted();
      },
      listed: (listed) => {
        const addresses = listed?.filter((address) => !this.#entryAt(address)) ?? [];
        // who was there before is not called again
        if (addresses.length > 0 || listed?.length === 0) this.#tell({ kind: 'listed', addresses });
        this.#callWanted();
      },
      nobodyAt: (address) => {
        for (const { connection } of [...this.#entries.values()])
          if (connection.peer === address && !connection.connected) connection.end('signaling');
      },
      renewed: () => {
        for (const { connection } of this.#entries.values()) connection.renew();
      },
      failed: (failure) => this.#options.failed?.(failure),
      changed: () => this.#options.changed?.(),
    });
  }

  /** Whether the server introduces this device now. Links do without it. */
  get signaling(): Introductions['state'] {
    return this.#introductions.state;
  }

  /** Where signaling reaches this device; empty before it does. */
  get address(): string {
    return this.#introductions.address;
  }

  get connections(): readonly ConnectionView[] {
    return [...this.#entries.values()].map(({ connection, device, channels }) => ({
      address: connection.peer,
      state: device !== undefined ? 'linked' : connection.connected ? 'proving' : 'connecting',
      channels,
      ...(device !== undefined && { device }),
    }));
  }

  /** Whether the screen is kept on now. */
  tellWakeLock(held: boolean): void {
    if (!this.#over.signal.aborted) this.#tell({ kind: 'wake-lock', held });
  }

  /** Leaves: says goodbye, then closes every connection. */
  leave(): void {
    if (this.#over.signal.aborted) return;
    this.#tell({ kind: 'leaving' });
    this.#over.abort();
    clearTimeout(this.#callTimer);
    clearTimeout(this.#networkTimer);
    this.#introductions.close();
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
        entry.connection.proved();
        this.#backoffs.delete(entry.connection.peer);
        this.#wanted.delete(entry.connection.peer);
        this.#options.changed?.();
        return;
      }
      case 'close': {
        const entry = this.#entries.get(message.connection);
        if (!entry) return;
        const { connection } = entry;
        const { failure } = message;
        entry.closing = true;
        if (failure && failure.reason !== 'closed') {
          this.#backOff(connection.peer);
          this.#options.failed?.(proofFailure(connection.peer, failure));
        }
        setTimeout(() => connection.end(), CLOSE_AFTER_MS);
        return;
      }
      case 'call':
        if (message.ofMembers) this.#places.know(message.addresses);
        for (const address of message.addresses)
          if (!this.#wanted.has(address)) this.#wanted.set(address, performance.now());
        this.#callWanted();
        return;
      case 'restart':
        this.#wake('all');
        return;
      default:
        message satisfies never;
    }
  }

  #callWanted(): void {
    // what ends to make place for a call comes back here, too
    if (this.#isCalling) return;
    this.#isCalling = true;
    try {
      this.#callNext();
    } finally {
      this.#isCalling = false;
    }
  }

  #callNext(): void {
    clearTimeout(this.#callTimer);
    if (this.signaling !== 'connected') return;
    const now = performance.now();
    let soonestMs = Number.POSITIVE_INFINITY;
    for (const [address, wantedMs] of this.#wanted) {
      const { until = 0 } = this.#backoffs.get(address) ?? {};
      if (this.#unproved().filter(({ side }) => side === 'called').length >= CALLS_AT_ONCE) return; // each that ends comes back here
      if (until > now) {
        soonestMs = Math.min(soonestMs, until - now);
        continue;
      }
      const entry = this.#entryAt(address);
      // whoever called here may prove nothing: then this device calls
      if (entry?.connection.side === 'answered' && entry.device === undefined) continue;
      const isWithout = address === this.address || entry !== undefined;
      // a browser makes no more than 500 connections before it collects those that ended: none to who is not there
      const isThere = isWithout || this.#introductions.mayBeAt(address, wantedMs);
      if (isThere === 'asking') continue;
      this.#wanted.delete(address);
      if (isWithout) continue;
      if (isThere) this.#call(address);
      else this.#tell({ kind: 'unreachable', address, stage: 'signaling' });
    }
    if (Number.isFinite(soonestMs)) this.#callTimer = setTimeout(() => this.#callWanted(), soonestMs);
  }

  #call(address: string): void {
    for (const connection of this.#places.yield(this.#unproved()) ?? []) connection.end();
    try {
      this.#introductions.call(address);
    } catch (error) {
      if (!(error instanceof DOMException)) throw error;
      // the browser has as many connections as it makes; those that ended go with time
      this.#backOff(address);
      this.#tell({ kind: 'unreachable', address, stage: 'candidates' });
      this.#options.changed?.();
    }
  }

  #connectionClass(ownAddress: string): ConnectionClass {
    const surroundings: ConnectionSurroundings = {
      ownAddress,
      configured: () => this.#introductions.iceAsked,
      configuration: () => ({ ...this.#options.rtc, iceServers: [...this.#introductions.iceServers] }),
      handOver: (connection, control, data) => this.#handOver(connection, ownAddress, control, data),
      tell: (message) => this.#tell(message),
      ended: (connection, stage) => this.#ended(connection, stage),
    };
    const make = (address: string, provider: Peer, { connectionId, _payload }: CallOptions) => {
      const offer = _payload?.sdp;
      if (offer && !this.#accepts(address, ownAddress)) return ignored(address, connectionId ?? '', provider);
      try {
        return new PeerConnection(address, provider, surroundings, this.#numbers++, {
          connectionId: connectionId ?? `shoal-${randomName()}`,
          ...(offer && { offer }),
        });
      } catch (error) {
        // its caller tries again
        if (offer && error instanceof DOMException) return ignored(address, connectionId ?? '', provider);
        throw error;
      }
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
    const isOwnCall = own?.connection.side === 'called' && !own.connection.connected;
    if (isOwnCall && ownAddress < address) return false;
    const others = this.#unproved().filter((connection) => !isOwnCall || connection !== own.connection);
    const ending = this.#places.yield(others, address);
    if (!ending) return false;
    // what calls next does so when this one has its place
    this.#isCalling = true;
    for (const connection of isOwnCall ? [own.connection, ...ending] : ending) connection.end();
    this.#isCalling = false;
    queueMicrotask(() => this.#callWanted());
    return true;
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
            : candidatesFailure(connection.peer, this.#introductions.hasRelay),
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

  /** What may be, or become, a link to there: one that was given up holds no call back. */
  #entryAt(address: string): Entry | undefined {
    return [...this.#entries.values()].find(({ connection, closing }) => !closing && connection.peer === address);
  }

  /** Connections of which the worker has not said yet whether they become links, the oldest first. */
  #unproved(): readonly PeerConnection[] {
    return [...this.#entries.values()]
      .filter(({ device, closing }) => device === undefined && !closing)
      .map(({ connection }) => connection);
  }

  /** After sleep or another network: ways may have changed, and so may who is there. */
  #wake(which: 'all' | 'broken'): void {
    for (const { connection } of this.#entries.values())
      if (which === 'all' || connection.peerConnection?.connectionState !== 'connected') connection.restart();
    void this.#introductions.announce();
  }

  #returned(): void {
    this.#tell({ kind: 'returned' });
    this.#wake('all');
  }

  #networkChanged(): void {
    clearTimeout(this.#networkTimer);
    this.#networkTimer = setTimeout(() => {
      this.#introductions.forgetIce();
      this.#wake('all');
    }, NETWORK_SETTLES_MS);
  }

  #tell(message: ToWorker): void {
    tellWorker(this.#options.worker, message);
  }
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
