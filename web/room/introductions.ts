import type { Peer, PeerOptions } from 'peerjs';
import { Backoff } from './backoff.ts';
import { guardMessages } from './guard-messages.ts';
import { type JoinFailure, refusalFailure, signalingFailure } from './join-failure.ts';
import { loadPeerJs, type PeerConstructor } from './load-peerjs.ts';
import type { ConnectionClass } from './peer-connection.ts';
import { type IceAnswer, SignalingRefusal, SignalingServer } from './signaling-server.ts';

/** The name by which PeerJS knows how connections are made here. */
const SERIALIZATION = 'shoal';
const ANNOUNCE_MS = 20_000;
/** However short the time of credentials is. */
const LEAST_ANNOUNCE_MS = 1000;
/** After an answer that was none. */
const ANNOUNCE_AGAIN_MS = 5000;
/** Between two askings who is listed, where somebody waits for the answer; twice as long after one that had nobody new. */
const ASK_AGAIN_MS = 3000;
/** In a listing that is full members gave way to others, and are there all the same. */
const FULL_LISTING = 63;

export interface IntroductionsOptions {
  /** Origin of the signaling server. */
  readonly server: string;
  /** The directory's name of the room. */
  readonly room: string;
  /** What PeerJS makes for each call to and from here, where this device is `ownAddress`. */
  connectionClass(ownAddress: string): ConnectionClass;
  /** The server knows this device under this address. */
  opened(address: string): void;
  /** The directory lists these others; undefined: it gives no answer. */
  listed(addresses: readonly string[] | undefined): void;
  /** The server knows nobody there. */
  nobodyAt(address: string): void;
  /** There are other ICE servers, or credentials, than those that connections were made with. */
  renewed(): void;
  failed(failure: JoinFailure): void;
  changed(): void;
}

/** This device at the signaling server: its address, who else is listed, and the way for offers. */
export class Introductions {
  /** Whether the server introduces this device now. Links do without it. */
  state: 'connecting' | 'connected' | 'lost' = 'connecting';
  /** Where signaling reaches this device; empty before it does. */
  address = '';
  #iceQuestion = new Question();
  readonly #options: IntroductionsOptions;
  readonly #server: SignalingServer;
  readonly #token = randomName();
  readonly #backoff = new Backoff();
  #peer: Peer | undefined;
  #ice: IceAnswer | undefined;
  #iceAtMs = 0;
  #announceTimer: ReturnType<typeof setTimeout> | undefined;
  #announceAtMs = Number.POSITIVE_INFINITY;
  #isAsking = false;
  #askAgainMs = ASK_AGAIN_MS;
  /** What the directory said last; no addresses where it gave none. */
  #listing: { readonly askedMs: number; readonly addresses: ReadonlySet<string> | undefined } | undefined;
  #againTimer: ReturnType<typeof setTimeout> | undefined;
  #over = false;

  constructor(options: IntroductionsOptions) {
    this.#options = options;
    this.#server = new SignalingServer(options.server);
    void this.#begin();
  }

  /** Settled once the server, as it is now, was asked for ICE servers, which it gives only to who is listed. */
  get iceAsked(): Promise<void> {
    return this.#iceQuestion.settled;
  }

  /** STUN and TURN servers of the signaling server, and no others. */
  get iceServers(): readonly RTCIceServer[] {
    return (this.#ice?.iceServers ?? []) as RTCIceServer[];
  }

  get hasRelay(): boolean {
    return this.iceServers.some(({ urls }) => [urls].flat().some((url) => url.startsWith('turn')));
  }

  /** Where the server is reached by another address, or is another process, those that it gave are of no use. */
  forgetIce(): void {
    this.#iceAtMs = Number.NEGATIVE_INFINITY;
  }

  call(address: string): void {
    this.#peer?.connect(address, { serialization: SERIALIZATION });
  }

  /**
   * Whether somebody may be at the address: whoever is in the room and reached by the server is listed. Where that was not
   * asked since `sinceMs` and the listing before lacks it, it is asked soon, and `listed` is called.
   */
  mayBeAt(address: string, sinceMs: number): boolean | 'asking' {
    const { askedMs, addresses } = this.#listing ?? { askedMs: Number.NEGATIVE_INFINITY, addresses: undefined };
    if (addresses?.has(address)) return true;
    if (askedMs >= sinceMs) return addresses === undefined || addresses.size >= FULL_LISTING;
    if (!this.#isAsking) this.#announceIn(Math.max(0, askedMs + this.#askAgainMs - performance.now()));
    return 'asking';
  }

  /** Stays listed, and hears who else is. */
  async announce(): Promise<void> {
    clearTimeout(this.#announceTimer);
    this.#announceAtMs = Number.POSITIVE_INFINITY;
    if (this.state !== 'connected') return;
    const askedMs = performance.now();
    this.#isAsking = true;
    const peer = this.address;
    const question = this.#iceQuestion;
    let nextMs = ANNOUNCE_AGAIN_MS;
    let isListed = false;
    try {
      const addresses = await this.#server.announce(this.#options.room, { peer, token: this.#token });
      isListed = true;
      this.#hear(askedMs, addresses);
      await this.#refreshIce(peer);
      nextMs = Math.min(ANNOUNCE_MS, Math.max(LEAST_ANNOUNCE_MS, this.#iceLeftMs));
    } catch (error) {
      const refusal = error instanceof SignalingRefusal ? error : undefined;
      if (!isListed) this.#isAsking = false;
      // it does not answer at all: what it said before is as good as what it would say
      if (!isListed && (refusal ? refusal.status !== 409 : this.#listing === undefined)) this.#hear(askedMs, undefined);
      if (refusal && !this.#over && peer === this.address) this.#refused(refusal, isListed);
    } finally {
      // also where it gives none: a call then does without
      question.settle();
    }
    if (peer === this.address) this.#announceIn(nextMs);
  }

  #hear(askedMs: number, addresses: readonly string[] | undefined): void {
    this.#isAsking = false;
    const before = this.#listing;
    if (before !== undefined && before.askedMs > askedMs) return; // a later answer was faster
    const hasNew = addresses?.some((address) => !before?.addresses?.has(address)) ?? true;
    this.#askAgainMs = hasNew ? ASK_AGAIN_MS : Math.min(ANNOUNCE_MS, this.#askAgainMs * 2);
    this.#listing = { askedMs, addresses: addresses && new Set(addresses) };
    if (!this.#over) this.#options.listed(addresses);
  }

  /** By then at the latest. */
  #announceIn(ms: number): void {
    const atMs = performance.now() + ms;
    if (this.#over || this.state !== 'connected' || atMs >= this.#announceAtMs) return;
    clearTimeout(this.#announceTimer);
    this.#announceAtMs = atMs;
    this.#announceTimer = setTimeout(() => void this.announce(), ms);
  }

  #refused({ status, message }: SignalingRefusal, isListed: boolean): void {
    if (status !== 409) this.#options.failed(refusalFailure(this.#options.server, message));
    // it has lost this device: the connection broke off, and only the server has noticed
    else if (!isListed) this.#peer?.disconnect();
    // else its entry gave way to others in between
  }

  close(): void {
    this.#over = true;
    clearTimeout(this.#announceTimer);
    clearTimeout(this.#againTimer);
    this.#peer?.destroy();
  }

  async #begin(): Promise<void> {
    try {
      const PeerClass = await loadPeerJs();
      if (!this.#over) this.#open(PeerClass);
    } catch (error) {
      this.#lost(error instanceof Error ? error.message : String(error), () => void this.#begin());
    }
  }

  /** A new id each time: that of a socket which broke off stays taken for a while. */
  #open(PeerClass: PeerConstructor): void {
    const id = randomName();
    const Connection = this.#options.connectionClass(id);
    const options: PeerOptions = {
      ...this.#server.peerOptions,
      token: this.#token,
      config: { iceServers: [] },
      debug: 0,
      serializers: { [SERIALIZATION]: Connection },
    };
    const peer = new PeerClass(id, options);
    this.#peer = peer;
    guardMessages(peer, SERIALIZATION);
    peer.on('open', () => {
      this.#backoff.reset();
      this.state = 'connected';
      this.address = id;
      this.forgetIce();
      if (this.#iceQuestion.isSettled) this.#iceQuestion = new Question();
      this.#options.opened(id);
      void this.announce();
    });
    let reason = 'the connection ended';
    let isTaken = false;
    peer.on('error', (error) => {
      // the server's words: Could not connect to peer ADDRESS
      if (error.type === 'peer-unavailable') this.#options.nobodyAt(error.message.split(' ').at(-1) ?? '');
      else reason = error.message;
      isTaken ||= error.type === 'unavailable-id';
    });
    const lost = () => {
      if (this.#peer !== peer) return;
      this.#lost(reason, () => {
        // the same id, so that connections can go on exchanging candidates
        if (!isTaken && !peer.destroyed) return peer.reconnect();
        this.#peer = undefined;
        peer.destroy();
        this.#open(PeerClass);
      });
    };
    peer.on('disconnected', lost);
    peer.on('close', lost);
  }

  #lost(reason: string, again: () => void): void {
    if (this.#over) return;
    clearTimeout(this.#announceTimer);
    this.#announceAtMs = Number.POSITIVE_INFINITY;
    if (this.state !== 'lost') {
      this.state = 'lost';
      this.#options.failed(signalingFailure(this.#options.server, reason));
      this.#options.changed();
    }
    clearTimeout(this.#againTimer);
    this.#againTimer = setTimeout(again, this.#backoff.next());
  }

  /** How long until new credentials are wanted. */
  get #iceLeftMs(): number {
    return this.#ice === undefined ? 0 : this.#iceAtMs + this.#ice.expiresMs / 2 - performance.now();
  }

  /** Credentials of the relay end, and what goes over it with them; new ones are fetched in the second half of their time. */
  async #refreshIce(peer: string): Promise<void> {
    if (this.#iceLeftMs > 0) return;
    const before = JSON.stringify(this.iceServers);
    this.#ice = await this.#server.ice(this.#options.room, { peer, token: this.#token });
    this.#iceAtMs = performance.now();
    if (!this.#over && before !== JSON.stringify(this.iceServers)) this.#options.renewed();
  }
}

class Question {
  readonly settled: Promise<void>;
  isSettled = false;
  #resolve = () => {};

  constructor() {
    this.settled = new Promise((resolve) => {
      this.#resolve = resolve;
    });
  }

  settle(): void {
    this.isSettled = true;
    this.#resolve();
  }
}

/** 128 random bits, as PeerJS takes them. */
export function randomName(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join('');
}
