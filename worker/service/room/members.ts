import { PersonError } from '../../errors.ts';
import {
  ASKING_MS,
  type AskFirst,
  AskingDesk,
  type AskingEffect,
  admit,
  currentKey,
  type Denied,
  type DeviceKey,
  type IdentityMessage,
  type Joined,
  laterAskFirst,
  type Membership,
  membershipOf,
  nextKey,
  type OpenQuestion,
  type RoomNames,
  remove,
  roomKeysMessages,
  rosterMessages,
  setAskFirst,
  unite,
  uniteKeys,
  Verifier,
  welcomeMessages,
} from '../../mesh/identity/index.ts';
import type { DeviceId, RoomKey, Roster } from '../../mesh/types.ts';

/** Devices with a link that are not in. */
export const MAX_NEWCOMERS = 8;
/** How long a newcomer may take to ask. */
export const ASK_WITHIN_MS = 10_000;
/** Where the room has no key that holds, the first member that is here makes one at once, others so much later. */
export const OTHERS_MAKE_KEY_MS = 2000;

export interface MembersOptions {
  readonly key: DeviceKey;
  readonly names: RoomNames;
  readonly start: Joined;
  /** Monotonic, ms. */
  readonly now: () => number;
  readonly send: (device: DeviceId, message: IdentityMessage) => void;
  readonly disconnect: (device: DeviceId) => void;
  /** A device with a link is a member now. */
  readonly onMember: (device: DeviceId) => void;
  readonly onRemoved: (device: DeviceId) => void;
  /** To be kept, and shown. */
  readonly onChange: () => void;
  readonly onTrouble: (error: unknown) => void;
}

type News = Pick<Roster, 'entries' | 'tombstones'>;

/** What is known of a device with a link. */
interface Linked {
  readonly publicKey: string;
  /** The room key that it proved, where it came as a newcomer. */
  readonly roomKey: string | undefined;
  hasAsked: boolean;
  /** When it has to be a member, or goes. */
  untilMs: number;
}

/**
 * Who is in the room, as this member knows it: takes in what others signed, lets newcomers in, removes members, and passes
 * all of it on. What arrives is handled one after another, since signatures take their time.
 */
export class Members {
  readonly #options: MembersOptions;
  readonly #desk: AskingDesk;
  readonly verifier: Verifier;
  #roster: Roster;
  #keys: readonly RoomKey[];
  #membership: Membership;
  readonly #linked = new Map<DeviceId, Linked>();
  #keylessSinceMs: number | undefined;
  #last: Promise<void> = Promise.resolve();
  #askFirst: AskFirst;

  constructor(options: MembersOptions) {
    this.#options = options;
    const { key, names, start } = options;
    this.verifier = new Verifier(names.id);
    this.#roster = start.roster;
    this.#keys = start.keys;
    this.#membership = membershipOf(start.roster);
    this.#askFirst = { askFirst: start.askFirst, askFirstChange: start.askFirstChange };
    this.#desk = new AskingDesk(
      key.device,
      () => this.#membership,
      () => this.#askFirst.askFirst,
    );
  }

  get membership(): Membership {
    return this.#membership;
  }

  get keys(): readonly RoomKey[] {
    return this.#keys;
  }

  /** What an invite holds now; undefined for the moment after a member left, until the next key is made. */
  get inviteKey(): string | undefined {
    return currentKey(this.#keys, this.#membership)?.key;
  }

  /** Whether somebody is asked before a device joins: of all members, by whoever set it last. */
  get askFirst(): AskFirst {
    return this.#askFirst;
  }

  /** Sets it for the whole room. */
  setAskFirst(askFirst: boolean): Promise<void> {
    return this.#do(async () => this.#takeAskFirst(setAskFirst(this.#askFirst, askFirst)));
  }

  get questions(): readonly OpenQuestion[] {
    return this.#desk.questions(this.#options.now());
  }

  isMember(device: DeviceId): boolean {
    return this.#membership.standing(device) === 'member';
  }

  /**
   * A link to a proved device is open; what its proof showed of the roster is taken in.
   * @param roomKey that it proved, where it came as a newcomer
   */
  linked(device: DeviceId, publicKey: string, learned: Roster['entries'], roomKey?: string): void {
    const link: Linked = { publicKey, roomKey, hasAsked: false, untilMs: this.#options.now() + ASK_WITHIN_MS };
    this.#linked.set(device, link);
    this.#do(async () => {
      if (learned.length > 0) await this.#takeIn({ entries: learned, tombstones: [] }, device);
      if (this.#linked.get(device) !== link) return;
      if (this.isMember(device)) this.#greet(device);
      else if (this.#newcomers().indexOf(device) >= MAX_NEWCOMERS) await this.#turnAway(device, 'busy');
      else if (!this.#provedCurrentKey(link)) await this.#turnAway(device, 'old-invite');
    });
  }

  /** What a device that is refused, or refuses, showed of the roster. */
  hear(news: News): void {
    this.#do(() => this.#takeIn(news));
  }

  unlinked(device: DeviceId): void {
    if (!this.#linked.delete(device)) return;
    this.#do(async () => this.#carryOut(this.#desk.linkLost(device)));
  }

  receive(device: DeviceId, message: IdentityMessage): void {
    this.#do(() => this.#receive(device, message));
  }

  /** At least each second. */
  tick(): void {
    this.#do(async () => {
      const now = this.#options.now();
      await this.#carryOut(this.#desk.tick(now));
      for (const device of this.#newcomers())
        if ((this.#linked.get(device)?.untilMs ?? now) <= now) await this.#turnAway(device);
      await this.#makeMissingKey(now);
    });
  }

  /** After a member left by itself, or two removed at once: a key that none of those knows. */
  async #makeMissingKey(now: number): Promise<void> {
    if (!this.isMember(this.self) || this.inviteKey !== undefined) {
      this.#keylessSinceMs = undefined;
      return;
    }
    this.#keylessSinceMs ??= now;
    const here = this.#membership.members.find(({ device }) => device === this.self || this.#linked.has(device));
    if (here?.device !== this.self && now - this.#keylessSinceMs < OTHERS_MAKE_KEY_MS) return;
    const { key, names } = this.#options;
    await this.#takeKeys([await nextKey(key, names, this.#membership, this.#keys)]);
  }

  /** The person's answer to a device that asks. */
  answer(device: DeviceId, allow: boolean): Promise<void> {
    return this.#do(() => this.#carryOut(this.#desk.answer(device, allow, this.#options.now())));
  }

  /** @throws PersonError where this device is no member any more */
  remove(device: DeviceId): Promise<void> {
    return this.#do(async () => {
      const { key, names } = this.#options;
      const { tombstones, key: next } = await remove(key, names, this.#membership, this.#keys, device);
      await this.#changed(unite(this.#roster, { entries: [], tombstones }), { entries: [], tombstones });
      if (next !== undefined) await this.#takeKeys([next]);
    });
  }

  /** Signs itself out, for good. */
  leave(): Promise<void> {
    return this.remove(this.self);
  }

  get self(): DeviceId {
    return this.#options.key.device;
  }

  async #receive(device: DeviceId, message: IdentityMessage): Promise<void> {
    const now = this.#options.now();
    const link = this.#linked.get(device);
    if (link === undefined) return;
    if (message.kind === 'ask') {
      await this.#asked(device, link, message.name);
      return;
    }
    if (!this.isMember(device)) return;
    switch (message.kind) {
      case 'roster':
        await this.#takeIn(message, device);
        return;
      case 'room-keys':
        await this.#takeKeys(await this.verifier.keysThatHold(this.#membership, message.keys));
        return;
      case 'ask-first':
        this.#takeAskFirst(message, device);
        return;
      case 'question':
        await this.#carryOut(this.#desk.heardQuestion(message, device, now));
        return;
      case 'denial':
        await this.#carryOut(this.#desk.heardDenial(message, device, now));
        return;
      case 'asking':
      case 'denied':
      case 'welcome':
        return; // from before it knew that this device is in
      default:
        message satisfies never;
    }
  }

  /** A newcomer asks; once for each link, and only who proved the key that holds now. */
  async #asked(device: DeviceId, link: Linked, name: string): Promise<void> {
    if (link.hasAsked) return;
    const now = this.#options.now();
    link.hasAsked = true;
    link.untilMs = now + ASKING_MS + ASK_WITHIN_MS;
    if (!this.isMember(device) && !this.#provedCurrentKey(link)) {
      await this.#turnAway(device, 'old-invite');
      return;
    }
    try {
      await this.#carryOut(this.#desk.asked({ device, publicKey: link.publicKey, name }, now));
    } catch (error) {
      if (!(error instanceof PersonError)) throw error;
      await this.#turnAway(device, 'full');
    }
  }

  #newcomers(): readonly DeviceId[] {
    return [...this.#linked.keys()].filter((device) => !this.isMember(device));
  }

  #provedCurrentKey({ roomKey }: Linked): boolean {
    return roomKey !== undefined && roomKey === this.inviteKey;
  }

  /** Closes the link to a newcomer, and ends its question. */
  async #turnAway(device: DeviceId, reason?: Denied['reason']): Promise<void> {
    if (reason !== undefined) this.#options.send(device, { kind: 'denied', reason });
    this.#linked.delete(device);
    this.#options.disconnect(device);
    await this.#carryOut(this.#desk.linkLost(device));
  }

  /** What a member that has just linked should know. */
  #greet(device: DeviceId): void {
    const { send, onMember, now } = this.#options;
    for (const message of rosterMessages(this.#roster)) send(device, message);
    for (const message of roomKeysMessages(this.#currentKeys())) send(device, message);
    send(device, { kind: 'ask-first', ...this.#askFirst });
    for (const question of this.#desk.forNewLink(now())) send(device, question);
    onMember(device);
  }

  #currentKeys(): readonly RoomKey[] {
    const current = currentKey(this.#keys, this.#membership);
    return current === undefined ? [] : [current];
  }

  async #takeIn(incoming: News, from?: DeviceId): Promise<void> {
    const { roster, news } = await this.verifier.takeIn(this.#roster, incoming);
    if (news.entries.length + news.tombstones.length > 0) await this.#changed(roster, news, from);
  }

  async #changed(roster: Roster, news: News, from?: DeviceId): Promise<void> {
    const before = this.#membership;
    const keyBefore = this.inviteKey;
    this.#roster = roster;
    this.#membership = membershipOf(roster);
    for (const message of rosterMessages(news)) this.#spread(message, from);
    for (const { device } of before.members) {
      if (this.isMember(device) || device === this.self) continue;
      this.#linked.delete(device);
      this.#options.disconnect(device);
      this.#options.onRemoved(device);
    }
    await this.#carryOut(this.#desk.rosterChanged());
    if (this.inviteKey !== keyBefore) await this.#keyChanged();
    this.#options.onChange();
  }

  /** Takes keys in that hold: its own, or checked ones. */
  async #takeKeys(keys: readonly RoomKey[]): Promise<void> {
    const before = this.inviteKey;
    this.#keys = uniteKeys(this.#keys, keys, this.#membership);
    if (this.inviteKey === before) return;
    await this.#keyChanged();
    this.#options.onChange();
  }

  /** Members are told; newcomers proved a key that opens nothing any more. */
  async #keyChanged(): Promise<void> {
    for (const message of roomKeysMessages(this.#currentKeys())) this.#spread(message);
    for (const device of this.#newcomers()) await this.#turnAway(device, 'old-invite');
  }

  #takeAskFirst({ askFirst, askFirstChange }: AskFirst, from?: DeviceId): void {
    const before = this.#askFirst;
    const later = laterAskFirst(before, { askFirst, askFirstChange });
    if (later.askFirst === before.askFirst && later.askFirstChange === before.askFirstChange) return;
    this.#askFirst = later;
    this.#spread({ kind: 'ask-first', ...later }, from);
    this.#options.onChange();
  }

  async #carryOut(effects: readonly AskingEffect[]): Promise<void> {
    for (const effect of effects) {
      switch (effect.kind) {
        case 'admit': {
          const { key, names } = this.#options;
          const entry = await admit(key, names, this.#membership, effect.newcomer);
          const news = { entries: [entry], tombstones: [] };
          await this.#changed(unite(this.#roster, news), news);
          break;
        }
        case 'welcome':
          this.#welcome(effect.device);
          break;
        case 'tell':
          if (effect.message.kind === 'denied') await this.#turnAway(effect.device, effect.message.reason);
          else this.#options.send(effect.device, effect.message);
          break;
        case 'spread':
          this.#spread(effect.message, effect.except);
          break;
        default:
          effect satisfies never;
      }
    }
  }

  #welcome(device: DeviceId): void {
    const { send, onMember } = this.#options;
    for (const message of welcomeMessages(this.#roster, this.#currentKeys(), this.#askFirst)) send(device, message);
    onMember(device);
  }

  /** To every member with a link. */
  #spread(message: IdentityMessage, except?: DeviceId): void {
    for (const device of this.#linked.keys()) {
      if (device !== except && this.isMember(device)) this.#options.send(device, message);
    }
  }

  #do(work: () => Promise<void>): Promise<void> {
    const done = this.#last.then(work);
    this.#last = done.catch((error: unknown) => this.#options.onTrouble(error));
    return done;
  }
}
