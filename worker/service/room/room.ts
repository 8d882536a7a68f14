import type { RoomRefusal } from '../../api.ts';
import {
  type Device,
  type DeviceKey,
  type IdentityMessage,
  type Joined,
  MAX_ROSTER_PARTS,
  openWelcome,
  Prover,
  type RoomNames,
  type RosterPart,
  Verifier,
} from '../../mesh/identity/index.ts';
import {
  CallOrder,
  TICK_MS as LINK_TICK_MS,
  type Link,
  type LinkHandlers,
  Links,
  type ProofContext,
  type ProofFailure,
  type ToWindow,
} from '../../mesh/link/index.ts';
import { FULL_MESH_DEVICES, TICK_MS } from '../../mesh/room/constants.ts';
import type { ModelSizes, RoomOptions } from '../../mesh/room/io.ts';
import type { ControlMessage } from '../../mesh/room/messages.ts';
import type { DeviceId, DeviceProfile, Placement, Roster } from '../../mesh/types.ts';
import { HeaderReads } from './header-reads.ts';
import { Joining } from './joining.ts';
import { Members } from './members.ts';
import { RoomHost, type SessionEvent } from './room-host.ts';
import type { RoomModels } from './room-models.ts';
import { readMessage, roomCodec, type WireMessage } from './room-schemas.ts';
import type { RoomStages } from './room-stages.ts';
import { payloads, type Rows } from './rows.ts';
import type { SessionStore } from './session-store.ts';

const MEMBERS_TICK_MS = 1000;
/** Whom a newcomer calls of those that are listed: one is enough to be let in. */
const CALLS_OF_A_NEWCOMER = 3;
/** Messages that wait for a link to be known, while signatures are looked at: a member that has just linked says a few. */
const MAX_EARLY = 64;

export interface RoomParts {
  readonly device: Device;
  readonly key: DeviceKey;
  readonly names: RoomNames;
  /** What this device is called in it. */
  readonly name: string;
  readonly profile: DeviceProfile;
  /** For rows that its stages gave; the profile's budget is for all else. Absent: the most that any device takes. */
  readonly retainedBytes?: number;
  readonly appVersion: string;
  readonly wireVersion: number;
  readonly models: ModelSizes & Pick<RoomModels, 'read'>;
  readonly stages: (feed: RoomHost['feed']) => RoomStages;
  readonly store: (feed: RoomHost['feed']) => SessionStore;
  /** Monotonic, ms. */
  readonly now: () => number;
  readonly random: () => number;
  readonly post: (message: ToWindow) => void;
  readonly onSession: (event: SessionEvent) => void;
  /** Members, keys or asking changed: to be kept. */
  readonly onMembers: () => void;
  readonly onRemoved: () => void;
  readonly onTrouble: (error: unknown) => void;
}

/** A member of a room, or on its way in: links, who is who on them, and the state machine over them. */
export class Room {
  readonly links: Links<WireMessage>;
  readonly #parts: RoomParts;
  #inviteKey: string | undefined;
  #members: Members | undefined;
  #host: RoomHost | undefined;
  #stages: RoomStages | undefined;
  readonly #welcomes = new Map<DeviceId, RosterPart[]>();
  /** What links brought of the room's before its state machine knew of them. */
  readonly #early = new Map<Link<WireMessage>, ControlMessage[]>();
  readonly #verifier: Verifier;
  #address = '';
  #tickMs = Number.NEGATIVE_INFINITY;
  readonly #listed: CallOrder;
  #membersTickMs = 0;
  readonly #joining = new Joining();
  #closed = false;
  #visible = true;
  #wakeLock = false;
  /** Placements whose model's header is being read. */
  readonly #held = new Set<string>();
  readonly #over = new AbortController();
  /** Of models that other members name. */
  readonly headers: HeaderReads;

  /** @param start what this device knows as a member, or the key of the invite that it came with */
  constructor(parts: RoomParts, start: Joined | { readonly inviteKey: string }) {
    this.#parts = parts;
    this.#verifier = new Verifier(parts.names.id);
    this.headers = new HeaderReads({
      read: (model, signal) => parts.models.read(model, signal),
      signal: this.#over.signal,
      now: parts.now,
      onTrouble: parts.onTrouble,
    });
    this.#listed = new CallOrder(parts.random);
    this.links = new Links<WireMessage>({
      now: parts.now,
      post: parts.post,
      codec: roomCodec,
      createProver: (context) => this.#prover(context),
      opened: (link) => this.#opened(link),
      failed: (address, failure) => this.#failed(address, failure),
      unreachable: (address) => {
        this.#host?.unreachable(address);
        this.#callNext();
      },
      choose: (addresses) => {
        this.#listed.list(this.#members === undefined ? this.#joining.list(addresses) : addresses);
        return this.#choose();
      },
      tick: () => this.#tick(),
      address: (address) => {
        this.#address = address;
        this.#presence();
      },
      visibility: (hidden) => this.#visibility(hidden),
      wakeLock: (held) => {
        this.#wakeLock = held;
        this.#presence();
      },
      leaving: () => this.#host?.feed({ kind: 'leave' }),
      returned: () => this.#host?.feed({ kind: 'return' }),
    });
    if ('inviteKey' in start) this.#inviteKey = start.inviteKey;
    else this.#enter(start);
  }

  /** Undefined until it is a member. */
  get members(): Members | undefined {
    return this.#members;
  }

  get host(): RoomHost | undefined {
    return this.#host;
  }

  get stages(): RoomStages | undefined {
    return this.#stages;
  }

  /** Somebody inside was asked whether this device may come in. */
  get isAsking(): boolean {
    return this.#members === undefined && this.#joining.isAsking;
  }

  get refused(): RoomRefusal | undefined {
    return this.#members === undefined ? this.#joining.refused : undefined;
  }

  /** Says goodbye and frees all that it holds here. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#over.abort();
    this.#host?.feed({ kind: 'leave' });
    this.#host?.close();
    this.links.close();
    await this.#stages?.close();
  }

  // ---------- becoming a member ----------

  #enter(joined: Joined): void {
    const parts = this.#parts;
    const members = new Members({
      key: parts.key,
      names: parts.names,
      start: joined,
      now: parts.now,
      send: (device, message) => this.links.to(device)?.sendControl(message),
      disconnect: (device) => this.links.disconnect(device),
      onMember: (device) => {
        const link = this.links.to(device);
        if (link === undefined) return;
        this.#host?.linked(device);
        this.#hearEarly(link);
      },
      onRemoved: (peer) => this.#host?.feed({ kind: 'removed', peer }),
      onChange: () => this.#membersChanged(),
      onTrouble: parts.onTrouble,
    });
    this.#members = members;
    const isMember = (device: DeviceId) => members.isMember(device);
    this.#inviteKey = undefined;
    const feed: RoomHost['feed'] = (input) => this.#host?.feed(input);
    const stages = parts.stages(feed);
    const store = parts.store(feed);
    this.#stages = stages;
    const host = new RoomHost({
      room: this.#roomOptions(isMember),
      links: this.links,
      stages,
      store,
      now: parts.now,
      onSession: parts.onSession,
      onTrouble: parts.onTrouble,
    });
    this.#host = host;
    // what the window said while this device was on its way in
    this.#presence();
    host.feed({ kind: 'tick' }); // from now on it knows itself: a model may be laid over the room at once
    if (this.links.quiet) host.feed({ kind: 'leave' }); // its page is hidden: it comes in when it is seen
    void store.restore().then((sessions) => host.restore(sessions));
    for (const { device, proved } of this.links.open) {
      members.linked(device, proved.peer.publicKey, proved.learned, proved.peer.roomKey);
    }
  }

  #roomOptions(isMember: (device: DeviceId) => boolean): RoomOptions<Rows> {
    const room = this;
    const { device, key, name, profile, retainedBytes, models, random, appVersion, wireVersion } = this.#parts;
    return {
      device: key.device,
      incarnation: device.incarnation,
      get address() {
        return room.#address;
      },
      name,
      version: { app: appVersion, wire: wireVersion },
      profile,
      ...(retainedBytes === undefined ? {} : { retainedBytes }),
      payloads,
      models,
      isMember,
      random,
    };
  }

  async #newcomerHears({ device, address }: Link<WireMessage>, message: IdentityMessage): Promise<void> {
    const { names, key } = this.#parts;
    const before = this.#welcomes.get(device) ?? [];
    this.#welcomes.set(device, before);
    switch (message.kind) {
      case 'asking':
        this.#joining.asked(device);
        return;
      case 'denied':
        this.#joining.denied(device, address, message.reason);
        this.#goOnWithout(device);
        return;
      case 'roster':
        if (before.length < MAX_ROSTER_PARTS) before.push(message);
        return;
      case 'welcome': {
        const opened = openWelcome(names, this.#verifier, key.device, device, before, message);
        const joined = await opened.catch(this.#parts.onTrouble);
        if (this.#members !== undefined || this.#closed) return;
        if (!joined) {
          this.#joining.misled(device, address, false);
          this.#goOnWithout(device);
          return;
        }
        this.#enter(joined);
        this.#parts.onMembers();
        return;
      }
      default:
        return; // members' business
    }
  }

  /** A welcome that cannot be read is one of another version: it would be waited for in vain. */
  #misread({ device, address }: Link<WireMessage>, kind: string): void {
    if (this.#members !== undefined || kind !== 'welcome') return;
    this.#joining.misled(device, address, true);
    this.#goOnWithout(device);
  }

  #goOnWithout(device: DeviceId): void {
    this.links.disconnect(device);
    this.#listed.list(this.#joining.toCall());
    this.#callNext();
  }

  #membersChanged(): void {
    if (this.#members === undefined) return;
    this.links.rosterChanged();
    if (this.#members.isMember(this.#parts.key.device)) this.#parts.onMembers();
    else this.#parts.onRemoved();
  }

  // ---------- links ----------

  #prover(context: ProofContext): Prover {
    const { key, names } = this.#parts;
    const members = this.#members;
    const part =
      members === undefined
        ? { role: 'newcomer' as const, inviteKey: this.#inviteKey ?? '' }
        : {
            role: 'member' as const,
            membership: () => members.membership,
            keys: () => members.keys,
            verifier: members.verifier,
            hear: (news: Pick<Roster, 'entries' | 'tombstones'>) => members.hear(news),
          };
    return new Prover({ key, room: names, part, ...context });
  }

  #opened(link: Link<WireMessage>): LinkHandlers<WireMessage> {
    const { device, address, proved } = link;
    this.#early.set(link, []);
    if (this.#members !== undefined) {
      this.#members.linked(device, proved.peer.publicKey, proved.learned, proved.peer.roomKey);
    } else if (this.#joining.mayAsk(address)) {
      this.#joining.opened(device);
      link.sendControl({ kind: 'ask', name: this.#parts.name });
    } else {
      queueMicrotask(() => this.links.disconnect(device));
    }
    return {
      control: (message) => this.#control(link, message),
      misread: (kind) => this.#misread(link, kind),
      frame: (frame) => {
        // what comes early is of an attempt that the link's coming ends
        if (!this.#early.has(link) && this.#members?.isMember(device)) this.#host?.frame(device, frame);
      },
      heard: () => this.#host?.feed({ kind: 'beat', peer: device }),
      closed: (reason) => {
        this.#welcomes.delete(device);
        this.#early.delete(link);
        if (reason === 'replaced') return; // the other link goes on
        this.#joining.closed(device);
        this.#members?.unlinked(device);
        // who came to ask, or did not come in, was no link of the room
        if (this.#members?.isMember(device)) this.#host?.feed({ kind: 'link-closed', peer: device });
      },
    };
  }

  #control(link: Link<WireMessage>, message: WireMessage): void {
    const { device } = link;
    const read = readMessage(message);
    const members = this.#members;
    if ('identity' in read) {
      if (members !== undefined) members.receive(device, read.identity);
      else this.#newcomerHears(link, read.identity).catch(this.#parts.onTrouble);
    } else {
      const early = this.#early.get(link);
      if (early === undefined) this.#memberSays(device, read.room);
      else if (early.push(read.room) > MAX_EARLY) this.links.disconnect(device);
    }
  }

  /** The state machine knows of the link from now on, and so can answer what came over it. */
  #hearEarly(link: Link<WireMessage>): void {
    const early = this.#early.get(link) ?? [];
    this.#early.delete(link);
    for (const message of early) if (!link.closed) this.#memberSays(link.device, message);
  }

  #memberSays(device: DeviceId, message: ControlMessage): void {
    if (this.#members?.isMember(device)) this.#roomHears(device, message);
  }

  /**
   * A placement that gives this device layers of a model is taken in once its header is here: only then is known what it
   * needs. Where the header cannot be read, or is of no interest, the placement comes all the same, and this device refuses it.
   */
  #roomHears(peer: DeviceId, message: ControlMessage): void {
    const { models, key } = this.#parts;
    const isStrange = (placement: Placement) =>
      models.layers(placement.id.model) === undefined &&
      placement.stages.some(({ device }) => device === key.device) &&
      this.#host?.node.takesUp(placement) === true;
    if (message.kind !== 'gossip' || !message.placements.some(isStrange)) {
      this.#host?.feed({ kind: 'control', peer, message });
      return;
    }
    const known = message.placements.filter((placement) => !isStrange(placement));
    this.#host?.feed({ kind: 'control', peer, message: { ...message, placements: known } });
    for (const placement of message.placements.filter(isStrange)) {
      const name = `${placement.id.epoch} ${placement.id.proposer} ${placement.id.model}`;
      if (this.#held.has(name)) continue;
      this.#held.add(name);
      const takeIn = () => {
        this.#held.delete(name);
        this.#host?.feed({ kind: 'control', peer, message: { kind: 'gossip', states: [], placements: [placement] } });
      };
      const isWanted = () => this.#host?.node.takesUp(placement) === true;
      void this.headers.want(placement.id.model, isWanted).then(takeIn);
    }
  }

  #failed(address: string, failure: ProofFailure): void {
    const { reason, by } = failure;
    this.#host?.unreachable(address);
    this.#callNext();
    if (this.#members !== undefined) {
      // tombstones or, of version 1, a member say so; one of those alone among others may be wrong
      if (reason === 'removed' && by === 'peer' && this.links.open.length === 0) this.#parts.onRemoved();
      return;
    }
    this.#joining.failed(failure);
  }

  /** Whom of the listed to call: few links are enough above a full mesh, where gossip says whom else. */
  #choose(): readonly string[] {
    const open = this.links.open.length;
    return this.#listed.next(this.#members === undefined ? CALLS_OF_A_NEWCOMER : FULL_MESH_DEVICES - open);
  }

  /** A newcomer whose call came to nothing goes on with the next, and does not wait to be told again who is there. */
  #callNext(): void {
    if (this.#members === undefined && this.links.open.length === 0) this.links.call(this.#listed.next(1));
  }

  /** Phones and tablets stop a hidden page within seconds: it says goodbye while it can. A computer only slows it. */
  #visibility(hidden: boolean): void {
    const { platform } = this.#parts.profile;
    const stops = platform === 'iphone' || platform === 'ipad' || platform === 'android';
    if (stops && hidden) this.#host?.feed({ kind: 'leave' });
    this.links.quiet = stops && hidden;
    if (stops && !hidden) this.#host?.feed({ kind: 'return' });
    this.#visible = !hidden;
    this.#presence();
  }

  #presence(): void {
    this.#host?.feed({ kind: 'presence', visible: this.#visible, wakeLock: this.#wakeLock });
  }

  #tick(): void {
    const now = this.#parts.now();
    // the links' ticks come more often than the room's, so half of one early is not early
    if (this.#closed || now - this.#tickMs < TICK_MS - LINK_TICK_MS / 2) return;
    this.#tickMs = now;
    this.#host?.feed({ kind: 'tick' });
    if (now - this.#membersTickMs < MEMBERS_TICK_MS) return;
    this.#membersTickMs = now;
    this.#members?.tick();
  }
}
