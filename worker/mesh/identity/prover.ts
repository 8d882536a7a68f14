import type { DeviceId, RoomKey, Roster, RosterEntry, Tombstone } from '../types.ts';
import { type Bytes, randomBytes, toBase64url } from './bytes.ts';
import { type DeviceKey, isKeyOf, verifySignature } from './device-key.ts';
import { evidenceOf, MAX_EVIDENCE } from './evidence.ts';
import {
  type Evidence,
  type Hello,
  MAX_PROOF_MESSAGE_BYTES,
  NONCE_BYTES,
  type Proof,
  type ProofMessage,
  type Purpose,
  type Refused,
  type Role,
  readProofMessage,
  type Side,
  type SideFacts,
  statementOf,
  transcriptOf,
} from './proof-messages.ts';
import { currentKey } from './room-keys.ts';
import { chainOf, MAX_MEMBERS, type Membership, membershipOf } from './roster.ts';
import { isMacUnder, macUnder, type RoomNames } from './secrets.ts';
import type { Verifier } from './signed.ts';

export const PROOF_TIMEOUT_MS = 5000;
/**
 * Versions of the wire that this code speaks. In 1 room keys have no signatures, and a refusal shows no evidence; before 3
 * placements do not say when they were laid.
 */
export const WIRE_VERSIONS = [1, 3] as const;
const SINCE_EVIDENCE = 2;

/** How this device stands to the room. What may change while the proof runs is asked each time. */
export type OwnPart =
  | {
      readonly role: 'member';
      readonly membership: () => Membership;
      readonly keys: () => readonly RoomKey[];
      readonly verifier: Verifier;
      /** Takes in what a peer showed of the roster, also one that is refused. */
      readonly hear?: (news: Pick<Roster, 'entries' | 'tombstones'>) => void;
    }
  | { readonly role: 'newcomer'; readonly inviteKey: string };

export interface ProverOptions {
  readonly key: DeviceKey;
  readonly room: RoomNames;
  readonly part: OwnPart;
  readonly side: Side;
  /** `dtlsFingerprint` of the descriptions that the connection was made with. */
  readonly localFingerprint: Bytes | undefined;
  readonly remoteFingerprint: Bytes | undefined;
  readonly versions?: readonly [number, number];
}

export type RefusalReason =
  | 'removed'
  | 'old-invite'
  | 'unknown'
  /** No version in common. */
  | 'version'
  | 'timeout'
  /** A description without exactly one sha-256 fingerprint. */
  | 'fingerprint'
  /** The peer is this device. */
  | 'self'
  /** Both are newcomers: neither can let the other in. */
  | 'two-newcomers';

export type ProofOutcome =
  | {
      readonly kind: 'accepted';
      readonly peer: {
        readonly device: DeviceId;
        readonly publicKey: string;
        /** As it says and proved; to a newcomer 'member' is believed only with the welcome. */
        readonly role: Role;
        /** From the roster; a newcomer is not on it, and to a newcomer nobody is. */
        readonly name?: string;
        /** That a newcomer proved: it is the one that holds, unless that newcomer is on the roster. */
        readonly roomKey?: string;
      };
      readonly version: number;
      /** Entries that the peer showed and this device lacked: to be taken in. */
      readonly learned: readonly RosterEntry[];
    }
  | {
      readonly kind: 'refused';
      readonly by: 'us' | 'peer';
      readonly reason: RefusalReason;
      /** With 'version': which side needs the newer app. */
      readonly behind?: 'us' | 'peer';
    };

export interface ProofStep {
  /** Messages for the peer, in order, also those before closing. */
  readonly send: readonly string[];
  /** At the end; what the peer sends after 'accepted' belongs to the link. */
  readonly outcome?: ProofOutcome;
}

/**
 * One side of the mutual proof of docs/protocol.md, without I/O: takes messages and a monotonic clock, says what to send.
 * For one connection. Steps run in the order of the calls.
 */
export class Prover {
  readonly #options: ProverOptions;
  readonly #nonce = toBase64url(randomBytes(NONCE_BYTES));
  readonly #versions: readonly [number, number];
  readonly #outgoing: string[] = [];
  readonly #shown: RosterEntry[] = [];
  #queue: Promise<unknown> = Promise.resolve();
  #startedMs: number | undefined;
  #outcome: ProofOutcome | undefined;
  #hello: Hello | undefined;
  #version = 0;
  #transcript: Bytes | undefined;
  /** Of the peer's proof: it holds by itself, and the peer may be here. */
  #isSigned = false;
  #isTaken = false;
  #isAccepted = false;
  #vouch: 'none' | 'asked' | 'answered' = 'none';
  #isAskedToVouch = false;
  #learned: readonly RosterEntry[] = [];
  /** The room key that the peer proved as a newcomer. */
  #proved: string | undefined;
  /** What the peer showed of removals. */
  readonly #evidence: { readonly entries: RosterEntry[]; readonly tombstones: Tombstone[] } = {
    entries: [],
    tombstones: [],
  };
  /** The peer was told that it was removed, and may know better. */
  #isRefusing = false;

  constructor(options: ProverOptions) {
    this.#options = options;
    this.#versions = options.versions ?? WIRE_VERSIONS;
  }

  /** Begins; the deadline counts from here. */
  start(nowMs: number): Promise<ProofStep> {
    return this.#step(nowMs, () => {
      if (this.#startedMs !== undefined) throw new TypeError('A proof runs once.');
      this.#startedMs = nowMs;
      const { key, part, localFingerprint, remoteFingerprint } = this.#options;
      if (!localFingerprint || !remoteFingerprint) return this.#refuse('unknown', 'fingerprint');
      const { device, publicKey } = key;
      this.#send({
        kind: 'hello',
        versions: [...this.#versions],
        device,
        publicKey,
        nonce: this.#nonce,
        role: part.role,
      });
    });
  }

  /** Takes a message of the peer. */
  receive(message: string, nowMs: number): Promise<ProofStep> {
    return this.#step(nowMs, () => this.#read(message));
  }

  /** To be called when the roster changed and at least each second: ends a proof that takes longer than 5 s. */
  tick(nowMs: number): Promise<ProofStep> {
    return this.#step(nowMs, () => {});
  }

  #step(nowMs: number, work: () => Promise<void> | void): Promise<ProofStep> {
    const step = this.#queue.then(async (): Promise<ProofStep> => {
      if (this.#outcome) return { send: [], outcome: this.#outcome };
      if (this.#startedMs !== undefined && nowMs - this.#startedMs >= PROOF_TIMEOUT_MS) {
        if (this.#isRefusing) this.#outcome = { kind: 'refused', by: 'us', reason: 'removed' };
        else this.#refuse('unknown', 'timeout');
      } else {
        await work();
        if (!this.#outcome && this.#vouch !== 'none') await this.#placeMember();
      }
      const outcome = this.#outcome as ProofOutcome | undefined;
      return { send: this.#outgoing.splice(0), ...(outcome && { outcome }) };
    });
    this.#queue = step.catch(() => {});
    return step;
  }

  async #read(text: string): Promise<void> {
    const message = readProofMessage(text);
    switch (message?.kind) {
      case 'hello':
        return this.#onHello(message);
      case 'proof':
        return this.#onProof(message);
      case 'accepted':
        if (!this.#isSigned || this.#isAccepted) return this.#refuse('unknown');
        this.#isAccepted = true;
        return this.#finish();
      case 'vouch':
        if (this.#isAskedToVouch || this.#options.part.role !== 'member' || this.#hello?.role !== 'member') {
          return this.#refuse('unknown');
        }
        this.#isAskedToVouch = true;
        return this.#showChain();
      case 'entry':
        return this.#onEntry(message.entry, message.last);
      case 'evidence':
        return this.#onEvidence(message);
      case 'refused':
        return this.#onRefused(message);
      case undefined:
        return this.#refuse('unknown');
      default:
        message satisfies never;
    }
  }

  async #onHello(hello: Hello | Pick<Hello, 'kind' | 'versions'>): Promise<void> {
    const { key, room, part, side, localFingerprint, remoteFingerprint } = this.#options;
    if (this.#hello || this.#startedMs === undefined) return this.#refuse('unknown');
    const [least, greatest] = hello.versions;
    this.#version = Math.min(greatest, this.#versions[1]);
    if (this.#version < Math.max(least, this.#versions[0])) return this.#refuse('version', 'version', greatest);
    if (!('nonce' in hello)) return this.#refuse('unknown');
    // what comes back to its sender would otherwise be a peer that proves just what the sender does
    if (hello.nonce === this.#nonce || hello.device === key.device || hello.publicKey === key.publicKey) {
      return this.#refuse('unknown', 'self');
    }
    if (hello.role === 'newcomer' && part.role === 'newcomer') return this.#refuse('unknown', 'two-newcomers');
    if (!localFingerprint || !remoteFingerprint || !(await isKeyOf(hello.device, hello.publicKey))) {
      return this.#refuse('unknown');
    }
    this.#hello = hello;
    const { device, publicKey } = key;
    const own: SideFacts = {
      fingerprint: localFingerprint,
      nonce: this.#nonce,
      device,
      publicKey,
      role: part.role,
      versions: this.#versions,
    };
    const peer: SideFacts = { ...hello, fingerprint: remoteFingerprint };
    this.#transcript = side === 'called' ? transcriptOf(room.id, own, peer) : transcriptOf(room.id, peer, own);
    if (part.role === 'newcomer') return this.#prove(part.inviteKey);
    if (hello.role === 'member') return this.#prove();
  }

  async #onProof({ signature, mac }: Proof): Promise<void> {
    const { part } = this.#options;
    const hello = this.#hello;
    const withMac = part.role === 'newcomer' || hello?.role === 'newcomer';
    if (!hello || this.#isSigned || withMac !== (mac !== undefined)) return this.#refuse('unknown');
    const statement = this.#statement(peerOf(this.#options.side), 'proof');
    const isSigned = await verifySignature(hello.publicKey, signature, statement);
    if (part.role === 'newcomer') {
      const isMac = await isMacUnder(part.inviteKey, mac ?? '', statement);
      if (!isSigned || !isMac) return this.#refuse('unknown');
      this.#isSigned = true;
      return this.#take();
    }
    if (hello.role === 'member') {
      if (!isSigned) return this.#refuse('unknown');
      this.#isSigned = true;
      return this.#placeMember();
    }
    const proved = await keyOfMac(part.keys(), mac ?? '', statement);
    if (!isSigned || !proved) return this.#refuse('unknown');
    this.#isSigned = true;
    return this.#placeNewcomer(part.membership(), part.keys(), proved);
  }

  /** A newcomer that proved itself and a key which the room has or had. */
  async #placeNewcomer(membership: Membership, keys: readonly RoomKey[], proved: string): Promise<void> {
    const standing = membership.standing(this.#hello?.device ?? '');
    if (standing === 'removed') return this.#refuseSigned('removed', proved);
    const isCurrent = currentKey(keys, membership)?.key === proved;
    if (standing === 'unknown' && !isCurrent) return this.#refuseSigned('old-invite', proved);
    this.#proved = proved;
    await this.#prove(proved);
    return this.#take();
  }

  /** A device that says it is a member and proved its key: the roster decides, now or when it knows more. */
  async #placeMember(): Promise<void> {
    const part = this.#part('member');
    const { device } = this.#hello ?? {};
    if (!part || device === undefined || this.#isTaken || this.#isRefusing) return;
    const membership = part.membership();
    const standing = membership.standing(device);
    if (standing === 'removed') {
      if (this.#version < SINCE_EVIDENCE) return this.#refuseSigned('removed');
      this.#isRefusing = true;
      return this.#refuseShowing('removed', membership.roster, device);
    }
    if (standing === 'member') return this.#take();
    if (this.#vouch === 'none') {
      this.#vouch = 'asked';
      this.#send({ kind: 'vouch' });
    } else if (this.#vouch === 'answered') {
      const taken = await part.verifier.takeIn(membership.roster, { entries: this.#shown, tombstones: [] });
      if (membershipOf(taken.roster).standing(device) !== 'member') return;
      this.#learned = taken.news.entries;
      return this.#take();
    }
  }

  async #onEntry(entry: RosterEntry, isLast: boolean): Promise<void> {
    if (this.#vouch !== 'asked' || this.#shown.length >= MAX_MEMBERS) return this.#refuse('unknown');
    this.#shown.push(entry);
    if (isLast) this.#vouch = 'answered';
  }

  /** The peer may be here: says so, and shows what it asked for. */
  async #take(): Promise<void> {
    this.#isTaken = true;
    this.#send({ kind: 'accepted' });
    await this.#showChain();
    return this.#finish();
  }

  /** Only to a member: who is let in by whom is nobody else's business. */
  #showChain(): void {
    const part = this.#part('member');
    if (!part || !this.#isTaken || !this.#isAskedToVouch || this.#hello?.role !== 'member') return;
    const chain = chainOf(part.membership(), this.#options.key.device);
    chain.forEach((entry, at) => {
      this.#send({ kind: 'entry', entry, last: at === chain.length - 1 });
    });
  }

  #finish(): void {
    const hello = this.#hello;
    if (!hello || !this.#isTaken || !this.#isAccepted) return;
    const { device, publicKey, role } = hello;
    const name =
      this.#part('member')?.membership().member(device)?.name ??
      this.#learned.find((entry) => entry.device === device)?.name;
    this.#outcome = {
      kind: 'accepted',
      peer: {
        device,
        publicKey,
        role,
        ...(name !== undefined && { name }),
        ...(this.#proved !== undefined && { roomKey: this.#proved }),
      },
      version: this.#version,
      learned: this.#learned,
    };
  }

  #onEvidence({ entry, tombstone }: Evidence): void {
    const { entries, tombstones } = this.#evidence;
    const isFull = entries.length + tombstones.length >= MAX_EVIDENCE;
    if (!this.#isSigned || !this.#isAmongMembers || isFull) {
      this.#refuse('unknown');
      return;
    }
    if (entry) entries.push(entry);
    if (tombstone) tombstones.push(tombstone);
  }

  /**
   * The peer refuses, and showed why: what both know together decides. So two members that removed each other find the
   * same one out, and what a removed device says removes nobody.
   */
  async #settle(reason: Refused['reason']): Promise<void> {
    const { device: peer } = this.#hello ?? {};
    const part = this.#part('member');
    if (!part || peer === undefined) return;
    const own = this.#options.key.device;
    const before = part.membership();
    const { roster, news } = await part.verifier.takeIn(before.roster, this.#evidence);
    const membership = membershipOf(roster);
    const standing = membership.standing(peer);
    // what decides nothing is not taken in: a removed device could fill the roster with it
    if (standing !== before.standing(peer) || membership.standing(own) !== before.standing(own)) part.hear?.(news);
    const isOut = reason === 'removed' && membership.standing(own) === 'removed';
    if (isOut) {
      if (!this.#isRefusing) this.#send({ kind: 'refused', reason: 'removed' });
      this.#outcome = { kind: 'refused', by: 'peer', reason: 'removed' };
    } else if (this.#isRefusing) {
      this.#outcome = { kind: 'refused', by: 'us', reason: standing === 'removed' ? 'removed' : 'unknown' };
    } else {
      // the peer lacks what makes this device a member: it may be told, if it ever was one
      if (standing !== 'unknown') this.#refuseShowing('unknown', roster, peer);
      this.#outcome = { kind: 'refused', by: 'peer', reason: reason === 'version' ? 'version' : 'unknown' };
    }
  }

  /** Both are members or were, by their keys, and speak of evidence. */
  get #isAmongMembers(): boolean {
    const { part } = this.#options;
    return part.role === 'member' && this.#hello?.role === 'member' && this.#version >= SINCE_EVIDENCE;
  }

  #refuseShowing(reason: 'removed' | 'unknown', roster: Roster, peer: DeviceId): void {
    for (const signed of evidenceOf(roster, [peer, this.#options.key.device])) {
      const message = { kind: 'evidence', ...('keeps' in signed ? { tombstone: signed } : { entry: signed }) } as const;
      if (new TextEncoder().encode(JSON.stringify(message)).length <= MAX_PROOF_MESSAGE_BYTES) this.#send(message);
    }
    this.#send({ kind: 'refused', reason });
  }

  async #onRefused({ reason, signature, mac }: Refused): Promise<void> {
    if (this.#isSigned && this.#isAmongMembers) return this.#settle(reason);
    const told = await this.#toldReason(reason, signature, mac);
    this.#outcome = { kind: 'refused', by: 'peer', reason: told };
  }

  /**
   * Without a proof of who says so, 'removed' and 'old-invite' are only a stranger's word. Of version 1 a member's counts,
   * who could sign a tombstone as well.
   */
  async #toldReason(reason: Refused['reason'], signature = '', mac = ''): Promise<RefusalReason> {
    if (reason === 'version' || reason === 'unknown') return reason;
    const hello = this.#hello;
    if (!hello) return 'unknown';
    const { part, side } = this.#options;
    const statement = this.#statement(peerOf(side), reason);
    const isSigned = await verifySignature(hello.publicKey, signature, statement);
    const isOfRoom =
      part.role === 'newcomer'
        ? await isMacUnder(part.inviteKey, mac, statement)
        : this.#version < SINCE_EVIDENCE && part.membership().standing(hello.device) === 'member';
    return isSigned && isOfRoom ? reason : 'unknown';
  }

  async #prove(roomKey?: string): Promise<void> {
    const statement = this.#statement(this.#options.side, 'proof');
    this.#send({ kind: 'proof', ...(await this.#signed(statement, roomKey)) });
  }

  async #refuseSigned(reason: 'removed' | 'old-invite', roomKey?: string): Promise<void> {
    const statement = this.#statement(this.#options.side, reason);
    this.#send({ kind: 'refused', reason, ...(await this.#signed(statement, roomKey)) });
    this.#outcome = { kind: 'refused', by: 'us', reason };
  }

  #refuse(told: 'version' | 'unknown', reason: RefusalReason = told, peerGreatest?: number): void {
    this.#send({ kind: 'refused', reason: told });
    const behind = peerGreatest !== undefined && { behind: isBehind(this.#versions[1], peerGreatest) };
    this.#outcome = { kind: 'refused', by: 'us', reason, ...behind };
  }

  async #signed(statement: Bytes, roomKey: string | undefined) {
    const signature = await this.#options.key.sign(statement);
    return { signature, ...(roomKey !== undefined && { mac: await macUnder(roomKey, statement) }) };
  }

  #statement(speaker: Side, purpose: Purpose): Bytes {
    if (!this.#transcript) throw new TypeError('There is no transcript before the hello.');
    return statementOf(this.#transcript, speaker, purpose);
  }

  #part<R extends Role>(role: R): Extract<OwnPart, { readonly role: R }> | undefined {
    const { part } = this.#options;
    return part.role === role ? (part as Extract<OwnPart, { readonly role: R }>) : undefined;
  }

  #send(message: ProofMessage): void {
    this.#outgoing.push(JSON.stringify(message));
  }
}

/** Tries every key, so that the time does not tell which one it was. */
async function keyOfMac(keys: readonly RoomKey[], mac: string, statement: Bytes): Promise<string | undefined> {
  const matches = await Promise.all(keys.map(({ key }) => isMacUnder(key, mac, statement)));
  return keys[matches.indexOf(true)]?.key;
}

function peerOf(side: Side): Side {
  return side === 'called' ? 'answered' : 'called';
}

function isBehind(own: number, peers: number): 'us' | 'peer' {
  return own < peers ? 'us' : 'peer';
}
