import { dtlsFingerprint } from '../identity/fingerprint.ts';
import type { DeviceId } from '../types.ts';
import { type ControlCodec, MAX_CONTROL_BYTES } from '../wire/control.ts';
import type { LinkChannel, LinkChannels } from './channel.ts';
import { type Early, Handshake } from './handshake.ts';
import { Link, type LinkHandlers } from './link.ts';
import { PortChannel } from './port-channel.ts';
import type { LinkProver, ProofContext, Proved } from './prover.ts';
import type { ConnectionNumber, ProofFailure, ToWindow, ToWorker } from './window-messages.ts';

export const MAX_UNPROVED = 8;
export const TICK_MS = 125;
/** So long without a tick: the device slept, or its page was frozen. */
export const GAP_MS = 2000;

export interface LinksOptions<Message> {
  /** Monotonic milliseconds. */
  now(): number;
  /** To the window. */
  post(message: ToWindow): void;
  readonly codec: ControlCodec<Message>;
  createProver(context: ProofContext): LinkProver | Promise<LinkProver>;
  /** A link is open: who handles what it brings. Nothing has arrived yet; sending is allowed at once. */
  opened(link: Link<Message>): LinkHandlers<Message>;
  /** A connection did not become a link. */
  failed?(address: string, failure: ProofFailure): void;
  /** Whom was called could not be reached. */
  unreachable?(address: string): void;
  /** Whom of those that the directory lists and that are not connected to call; by default all. */
  choose?(addresses: readonly string[]): readonly string[];
  /** With each tick, before it sends anything: after a sleep what there is to say of that goes before any beat. */
  tick?(): void;
  address?(address: string): void;
  visibility?(hidden: boolean): void;
  wakeLock?(held: boolean): void;
  /** The page goes: now is the time for a goodbye over each link. */
  leaving?(): void;
  /** It had gone, and is back. */
  returned?(): void;
}

type Connection = Extract<ToWorker, { kind: 'connection' }>;
type Described = Extract<ToWorker, { kind: 'described' }>;
interface Unproved {
  readonly from: Connection;
  readonly channels: LinkChannels;
  readonly handshake: Handshake;
}

/** All links of this device. The window brings connections; what is proved becomes a link, one for each device. */
export class Links<Message> {
  readonly #options: LinksOptions<Message>;
  readonly #unproved = new Map<ConnectionNumber, Unproved>();
  readonly #links = new Map<ConnectionNumber, Link<Message>>();
  readonly #byDevice = new Map<DeviceId, Link<Message>>();
  #lastTickMs: number | undefined;
  /** Set while the page is hidden where that suspends it: no beats, so that the goodbye is the last. */
  quiet = false;

  constructor(options: LinksOptions<Message>) {
    this.#options = options;
  }

  /** Open links, one for each device. */
  get open(): readonly Link<Message>[] {
    return [...this.#byDevice.values()];
  }

  to(device: DeviceId): Link<Message> | undefined {
    return this.#byDevice.get(device);
  }

  /** Asks the window to call these addresses; it leaves out whom it is connected to. */
  call(addresses: readonly string[], named?: 'by members'): void {
    if (addresses.length === 0) return;
    this.#options.post({ kind: 'call', addresses, ...(named && { ofMembers: true }) });
  }

  /** Takes what the window said. */
  receive(message: ToWorker): void {
    switch (message.kind) {
      case 'connection':
        this.#connect(message);
        return;
      case 'described':
        this.#describe(message);
        return;
      case 'ended':
        this.#unproved.get(message.connection)?.handshake.fail({ reason: 'closed', by: 'peer' });
        this.#links.get(message.connection)?.close('theirs');
        return;
      case 'unreachable':
        this.#options.unreachable?.(message.address);
        return;
      case 'address':
        this.#options.address?.(message.address);
        return;
      case 'listed':
        this.call(this.#options.choose?.(message.addresses) ?? message.addresses);
        return;
      case 'visibility':
        this.#options.visibility?.(message.hidden);
        return;
      case 'wake-lock':
        this.#options.wakeLock?.(message.held);
        return;
      case 'leaving':
        this.#options.leaving?.();
        return;
      case 'returned':
        this.#options.returned?.();
        return;
      default:
        message satisfies never;
    }
  }

  /** The roster changed: who waits for that is judged again. */
  rosterChanged(): void {
    const now = this.#options.now();
    for (const { handshake } of this.#unproved.values()) handshake.tick(now);
  }

  /** Closes the link to a device, if there is one. */
  disconnect(device: DeviceId): void {
    this.#byDevice.get(device)?.close('ours');
  }

  /** To be called every TICK_MS. */
  tick(): void {
    const now = this.#options.now();
    const gapMs = now - (this.#lastTickMs ?? now);
    this.#lastTickMs = now;
    this.#options.tick?.();
    if (gapMs > GAP_MS) this.#options.post({ kind: 'restart' });
    for (const { handshake } of this.#unproved.values()) handshake.tick(now);
    if (!this.quiet) for (const link of this.#links.values()) link.tick(now, TICK_MS);
  }

  /** Closes everything. */
  close(): void {
    for (const { handshake } of [...this.#unproved.values()]) handshake.fail({ reason: 'closed', by: 'us' });
    for (const link of [...this.#links.values()]) link.close('ours');
  }

  #connect(from: Connection): void {
    const { connection } = from;
    const channels = { control: channelOf(from.control), data: channelOf(from.data) };
    const handshake = new Handshake(channels, {
      now: () => this.#options.now(),
      createProver: (context) => this.#options.createProver(context),
      proved: (proved, early) => this.#prove(from, channels, proved, early),
      failed: (failure) => {
        this.#unproved.delete(connection);
        // what was said last, a refusal, still goes out
        for (const channel of [channels.control, channels.data]) channel.close();
        this.#options.post({ kind: 'close', connection, failure });
        this.#options.failed?.(from.address, failure);
      },
    });
    if (this.#unproved.size >= MAX_UNPROVED) this.#giveWay();
    this.#unproved.set(connection, { from, channels, handshake });
    this.#options.post({ kind: 'taken', connection });
  }

  /** The oldest that called here and is not proved ends, so that nobody keeps others out by proving nothing. */
  #giveWay(): void {
    const unproved = [...this.#unproved.values()];
    const oldest = unproved.find(({ from }) => from.side === 'answered') ?? unproved[0];
    oldest?.handshake.fail({ reason: 'busy', by: 'us' });
  }

  #describe({ connection, ownDescription, description, maxMessageBytes }: Described): void {
    const unproved = this.#unproved.get(connection);
    if (!unproved) return;
    const { from, handshake } = unproved;
    // browsers take 64 KiB and more; what takes less than a control message is none
    if (maxMessageBytes < MAX_CONTROL_BYTES) handshake.fail({ reason: 'malformed', by: 'us' });
    else
      handshake.described({
        side: from.side,
        localFingerprint: dtlsFingerprint(ownDescription),
        remoteFingerprint: dtlsFingerprint(description),
      });
  }

  #prove(from: Connection, channels: LinkChannels, proved: Proved, early: Early): void {
    const { connection, side, address, ownAddress } = from;
    this.#unproved.delete(connection);
    const link = new Link<Message>(channels, {
      connection,
      side,
      address,
      ownAddress,
      proved,
      codec: this.#options.codec,
      now: () => this.#options.now(),
      closed: () => this.#closed(link),
    });
    const other = this.#byDevice.get(link.device);
    if (other && holds(other, link)) {
      link.close('replaced');
      return;
    }
    this.#links.set(connection, link);
    this.#byDevice.set(link.device, link);
    other?.close('replaced');
    this.#options.post({ kind: 'proved', connection, device: link.device });
    link.open(this.#options.opened(link), early);
  }

  #closed(link: Link<Message>): void {
    this.#links.delete(link.connection);
    if (this.#byDevice.get(link.device) === link) this.#byDevice.delete(link.device);
    this.#options.post({ kind: 'close', connection: link.connection });
  }
}

type Ends = Pick<Link<never>, 'side' | 'address' | 'ownAddress'>;

/**
 * Whether of two links to one device the older stays. Where both called one another at once, that of the lower address
 * does, which both sides find; else the newer was made because the other side had lost the older.
 */
export function holds(older: Ends, newer: Ends): boolean {
  const glare = older.side !== newer.side && older.address === newer.address && older.ownAddress === newer.ownAddress;
  return glare && (older.side === 'called') === older.ownAddress < older.address;
}

function channelOf(end: RTCDataChannel | MessagePort): LinkChannel {
  return 'postMessage' in end ? new PortChannel(end) : end;
}
