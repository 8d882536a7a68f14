import type { DataConnection, Peer } from 'peerjs';
import type { ToWorker } from '../../worker/mesh/link/window-messages.ts';
import { isRestartOf } from './restart-description.ts';

export const CONTROL_CHANNEL_ID = 0;
export const DATA_CHANNEL_ID = 1;
const CONNECT_TIMEOUT_MS = 15_000;
/** From then until the worker says that the other side is proved: its own 5 s for that, and what lies around them. */
const PROVE_TIMEOUT_MS = 8000;
/** ICE says `disconnected` for a lost packet, too. */
const RESTART_AFTER_MS = 1500;
const GIVE_UP_AFTER_MS = 20_000;
/** An offer that is not answered by then was lost, as while this page or the other had no connection to the server. */
const ANSWER_TIMEOUT_MS = 5000;
const LONGEST_ANSWER_TIMEOUT_MS = 20_000;

/** What a connection asks of the room that it is of. */
export interface ConnectionSurroundings {
  readonly ownAddress: string;
  configuration(): RTCConfiguration;
  /** Resolves when the configuration is worth asking for. */
  configured(): Promise<void>;
  /** Gives the channels to the worker; resolves when it listens. */
  handOver(connection: PeerConnection, control: RTCDataChannel, data: RTCDataChannel): Promise<void>;
  tell(message: ToWorker): void;
  /** Once; without a stage where it had been proved, or was ended by `end()`. */
  ended(connection: PeerConnection, stage: 'signaling' | 'candidates' | undefined): void;
}

/** What PeerJS carries between two pages for one connection. */
interface Carried {
  readonly type?: string;
  readonly payload?: {
    readonly sdp?: RTCSessionDescriptionInit;
    readonly candidate?: RTCIceCandidateInit;
    readonly restart?: boolean;
    /** The number of a later offer, also in its answer. */
    readonly offer?: number;
  };
}

/**
 * One RTCPeerConnection with its two channels. PeerJS introduces: it carries descriptions and candidates and finds the
 * connection that they are for; its own connections neither create channels that can be transferred nor restart ICE.
 * The side that called makes every offer, so that offers never cross.
 */
export class PeerConnection {
  // what PeerJS reads of a connection
  readonly type = 'data';
  readonly connectionId: string;
  readonly peer: string;
  /** Undefined once it has ended. */
  peerConnection: RTCPeerConnection | undefined;

  readonly number: number;
  readonly side: 'called' | 'answered';
  readonly #provider: Peer;
  readonly #surroundings: ConnectionSurroundings;
  readonly #early: RTCIceCandidateInit[] = [];
  #taken: Promise<void> = Promise.resolve();
  #connected = false;
  #isProved = false;
  #answered = false;
  #described = false;
  /** The configuration changed while a description was on its way. */
  #isOutdated = false;
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** Runs while a later offer may be answered. */
  #answerTimer: ReturnType<typeof setTimeout> | undefined;
  /** Later offers, and how many of them since the last answer. */
  #offers = 0;
  #unanswered = 0;
  /** The other side's first description, which the proof was of. */
  #first: string | undefined;
  /** Descriptions one after the other, in the order of their arrival. */
  #work: Promise<void> = Promise.resolve();

  constructor(
    address: string,
    provider: Peer,
    surroundings: ConnectionSurroundings,
    number: number,
    call: { readonly connectionId: string; readonly offer?: RTCSessionDescriptionInit },
  ) {
    this.peer = address;
    this.connectionId = call.connectionId;
    this.number = number;
    this.side = call.offer ? 'answered' : 'called';
    this.#provider = provider;
    this.#surroundings = surroundings;
    this.#open(call.offer);
  }

  /** Whether ICE and DTLS have come up. */
  get connected(): boolean {
    return this.#connected;
  }

  /** Called by PeerJS for what came from the other page. */
  async handleMessage({ payload }: Carried): Promise<void> {
    const { sdp, candidate, restart, offer } = payload ?? {};
    if (sdp) this.#enqueue(() => this.#takeDescription(sdp, offer));
    else if (candidate) this.#enqueue(() => this.#takeCandidate(candidate));
    else if (restart && this.side === 'called') this.restart();
  }

  /** Called by PeerJS, where the server says that the other page left: an open connection knows better. */
  close(): void {
    if (!this.#connected) this.end('signaling');
  }

  /** PeerJS's emitter; nobody listens. */
  emit(): boolean {
    return false;
  }

  /** Looks for another way between the devices, while what there is stays in use. */
  restart(): void {
    const connection = this.peerConnection;
    if (!connection || !this.#described) return;
    if (this.side === 'answered') {
      this.#send('CANDIDATE', { restart: true });
      return;
    }
    this.#enqueue(async () => {
      if (connection.signalingState !== 'stable') {
        // an offer that is not answered yet is already on its way
        if (this.#answerTimer !== undefined) return;
        await connection.setLocalDescription({ type: 'rollback' });
      }
      this.#isOutdated = false;
      connection.restartIce();
      await connection.setLocalDescription();
      this.#send('ANSWER', { sdp: connection.localDescription, offer: ++this.#offers });
      const waitMs = Math.min(LONGEST_ANSWER_TIMEOUT_MS, ANSWER_TIMEOUT_MS * 2 ** this.#unanswered++);
      this.#answerTimer = setTimeout(() => {
        this.#answerTimer = undefined;
        this.restart();
      }, waitMs);
    });
  }

  /** The configuration has changed: what goes over a relay moves to one that the new credentials give. */
  renew(): void {
    const connection = this.peerConnection;
    if (!connection) return;
    connection.setConfiguration(this.#surroundings.configuration());
    this.#isOutdated = !this.#described || connection.signalingState !== 'stable';
    this.restart();
  }

  /** The worker knows who is there: the connection may stay. */
  proved(): void {
    this.#isProved = true;
    clearTimeout(this.#timer);
    this.#changed();
  }

  end(stage?: 'signaling' | 'candidates'): void {
    const connection = this.peerConnection;
    if (!connection) return;
    this.peerConnection = undefined;
    clearTimeout(this.#timer);
    clearTimeout(this.#answerTimer);
    connection.onconnectionstatechange = connection.onicecandidate = null;
    connection.close();
    (this.#provider as unknown as { _removeConnection(connection: unknown): void })._removeConnection(this);
    this.#surroundings.tell({ kind: 'ended', connection: this.number });
    this.#surroundings.ended(this, stage);
  }

  #open(offer: RTCSessionDescriptionInit | undefined): void {
    const connection = new RTCPeerConnection(this.#surroundings.configuration());
    this.peerConnection = connection;
    const channel = (label: string, id: number) => connection.createDataChannel(label, { negotiated: true, id });
    const control = channel('control', CONTROL_CHANNEL_ID);
    const data = channel('data', DATA_CHANNEL_ID);
    this.#taken = this.#surroundings.handOver(this, control, data);
    connection.onicecandidate = ({ candidate }) => {
      if (candidate?.candidate) this.#send('CANDIDATE', { candidate: candidate.toJSON() });
    };
    connection.onconnectionstatechange = () => this.#changed();
    this.#endAfter(CONNECT_TIMEOUT_MS);
    this.#enqueue(async () => {
      await this.#surroundings.configured();
      // nothing has been gathered yet
      connection.setConfiguration(this.#surroundings.configuration());
      this.#isOutdated = false;
      if (offer) await this.#takeDescription(offer);
      else {
        await connection.setLocalDescription();
        await this.#taken;
        this.#send('OFFER', { sdp: connection.localDescription, serialization: 'shoal', reliable: true });
      }
    });
  }

  async #takeDescription(description: RTCSessionDescriptionInit, offer?: number): Promise<void> {
    const connection = this.peerConnection;
    if (!connection || description.type !== (this.side === 'called' ? 'answer' : 'offer')) return;
    // late, of one that was taken back
    if (this.side === 'called' && offer !== undefined && offer !== this.#offers) return;
    const sdp = description.sdp ?? '';
    this.#first ??= sdp;
    if (!isRestartOf(sdp, this.#first)) return;
    await connection.setRemoteDescription(description);
    this.#answered = true;
    clearTimeout(this.#answerTimer);
    this.#answerTimer = undefined;
    this.#unanswered = 0;
    for (const candidate of this.#early.splice(0)) await this.#takeCandidate(candidate);
    if (this.side === 'answered') {
      await connection.setLocalDescription();
      await this.#taken;
      this.#send('ANSWER', { sdp: connection.localDescription, ...(offer !== undefined && { offer }) });
    }
    if (!this.#described) {
      this.#described = true;
      this.#surroundings.tell({
        kind: 'described',
        connection: this.number,
        ownDescription: connection.localDescription?.sdp ?? '',
        description: connection.remoteDescription?.sdp ?? '',
        maxMessageBytes: connection.sctp?.maxMessageSize ?? 0,
      });
    }
    if (!this.#isOutdated) return;
    this.#isOutdated = false;
    this.restart();
  }

  async #takeCandidate(candidate: RTCIceCandidateInit): Promise<void> {
    const connection = this.peerConnection;
    if (!connection) return;
    if (!connection.remoteDescription) this.#early.push(candidate);
    // one that cannot be read leaves the others
    else await connection.addIceCandidate(candidate).catch(() => {});
  }

  #changed(): void {
    const state = this.peerConnection?.connectionState;
    switch (state) {
      case 'connected':
        if (this.#isProved) clearTimeout(this.#timer);
        else if (!this.#connected) this.#endAfter(PROVE_TIMEOUT_MS);
        this.#connected = true;
        return;
      case 'disconnected':
      case 'failed':
        // not yet proved: more candidates may come until its time is up
        if (this.#isProved) this.#recover(state === 'failed' ? 0 : RESTART_AFTER_MS);
        return;
      case 'closed':
        this.end();
        return;
      default:
    }
  }

  #endAfter(ms: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.end(this.#answered ? 'candidates' : 'signaling'), ms);
  }

  #recover(afterMs: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.restart();
      this.#timer = setTimeout(() => this.end(), GIVE_UP_AFTER_MS);
    }, afterMs);
  }

  #enqueue(step: () => Promise<void>): void {
    this.#work = this.#work.then(async () => {
      try {
        if (this.peerConnection) await step();
      } catch {
        // what the browser does not take: a description that nobody can use
        if (!this.#connected) this.end('candidates');
      }
    });
  }

  #send(type: 'OFFER' | 'ANSWER' | 'CANDIDATE', payload: object): void {
    if (!this.peerConnection) return;
    // `ServerMessageType` is not exported; these are its values
    const message = { type, payload: { ...payload, type: this.type, connectionId: this.connectionId }, dst: this.peer };
    this.#provider.socket.send(message);
  }
}

/** As PeerJS takes a connection class: by name of a serialization, for calls and for what calls here. */
export type ConnectionClass = new (address: string, provider: Peer, options: CallOptions) => DataConnection;
export interface CallOptions {
  readonly connectionId?: string;
  readonly _payload?: { readonly sdp?: RTCSessionDescriptionInit };
}
