import type { DeviceId, DeviceState, ModelKey, Placement, SessionId, StageAssignment } from '../types.ts';
import { ARRIVE_MS, BUSY_RETRY_MS, DISTRUST_MS, DOUBT_MS, RANK_MS } from './constants.ts';
import { type AnswerInput, Drive } from './drive.ts';
import { hashOf } from './hash.ts';
import type { StoredSession } from './io.ts';
import type { Frame, PreparedMessage, RefusedMessage } from './messages.ts';
import { type KnownPlacement, roundOf } from './placement-order.ts';
import type { Placing } from './placing.ts';
import type { Post } from './post.ts';
import type { Trust, View } from './view.ts';

/** How often a session that waits, or runs on what is not sound, is looked at, though nothing changed. */
const LOOK_MS = 1000;
/** Sessions that were forgotten and whose attempts are remembered: stages that were away may still hold them. */
const MOST_PAST = 1000;
/** Attempts of a session in one load of the device, and loads until their numbers come again. */
const ATTEMPTS_A_LOAD = 65_536;
const LOADS = 16_384;

/** The sessions of this device: which placement each runs on, and proposals where none would serve. */
export class Driver<P> {
  readonly #post: Post<P>;
  readonly #view: View;
  readonly #placing: Placing;
  readonly #propose: (model: ModelKey, stages: readonly StageAssignment[]) => void;
  readonly #seek: (devices: readonly DeviceId[]) => void;
  readonly #drives = new Map<SessionId, Drive<P>>();
  readonly #past = new Map<SessionId, { readonly attempt: number; readonly ticket: number }>();
  readonly #before: number;
  #lookedMs = Number.NEGATIVE_INFINITY;
  /** Set when `driving` is other than before. */
  changed = false;

  constructor(
    post: Post<P>,
    view: View,
    placing: Placing,
    propose: (model: ModelKey, stages: readonly StageAssignment[]) => void,
    seek: (devices: readonly DeviceId[]) => void,
    incarnation: number,
  ) {
    // a session that is not on the disk may have been there in an earlier load, and stages may hold it still
    this.#before = ((incarnation - 1) % LOADS) * ATTEMPTS_A_LOAD;
    this.#post = post;
    this.#view = view;
    this.#placing = placing;
    this.#propose = propose;
    this.#seek = seek;
  }

  drives(): Iterable<Drive<P>> {
    return this.#drives.values();
  }

  driving(): DeviceState['driving'] {
    const driving: { session: SessionId; placement: Placement['id'] }[] = [];
    for (const drive of this.#drives.values()) {
      if (drive.isListed && drive.known !== undefined) {
        driving.push({ session: drive.session, placement: drive.known.placement.id });
        if (drive.hedge !== undefined) driving.push({ session: drive.session, placement: drive.hedge.placement.id });
      }
    }
    return driving;
  }

  isAnswering(session: SessionId): boolean {
    return this.#drives.get(session)?.isAnswering === true;
  }

  /** Whether a running answer is on the device, or waits for it. */
  needs(device: DeviceId): boolean {
    for (const drive of this.#drives.values()) if (drive.isAnswering && drive.uses(device)) return true;
    return false;
  }

  restore(sessions: readonly StoredSession[]): void {
    for (const stored of sessions) {
      const { session, model } = stored.head;
      // the person asked, or gave the session up, before the disk had answered
      const known = this.#drives.get(session);
      known?.outrun(stored.head.attempts.last);
      if (known !== undefined || this.#past.has(session)) continue;
      this.#drives.set(session, new Drive(this.#post, session, model, stored));
    }
    this.look(true);
  }

  answer(input: AnswerInput<P>): void {
    let drive = this.#drives.get(input.session);
    if (drive === undefined || drive.model !== input.model) {
      if (drive !== undefined) this.forget(input.session);
      drive = new Drive(this.#post, input.session, input.model, undefined, this.#before);
      const before = this.#past.get(input.session);
      if (before !== undefined) drive.succeed(before);
      this.#drives.set(input.session, drive);
    }
    drive.answer(input);
    this.#lookAt(drive);
  }

  stop(session: SessionId): void {
    const drive = this.#drives.get(session);
    drive?.stop('stopped');
    if (drive !== undefined) this.#hedge(drive, drive.known);
    this.changed = true;
  }

  forget(session: SessionId): void {
    const drive = this.#drives.get(session);
    this.changed = true;
    // whoever served it before, or before this device was loaded, may hold something of it still
    for (const device of [this.#post.device, ...this.#view.links.up()]) {
      this.#post.send(device, { kind: 'forget', session });
    }
    if (drive === undefined) return;
    drive.forget();
    this.#drives.delete(session);
    this.#past.delete(session);
    this.#past.set(session, { attempt: drive.attempt, ticket: drive.ticket });
    const [oldest] = this.#past.keys();
    if (this.#past.size > MOST_PAST && oldest !== undefined) this.#past.delete(oldest);
  }

  stored(session: SessionId, ticket: number): void {
    this.#drives.get(session)?.stored(ticket);
  }

  prepared(from: DeviceId, message: PreparedMessage): void {
    this.#drives.get(message.session)?.prepared(from, message);
  }

  refused(from: DeviceId, message: RefusedMessage): void {
    const drive = this.#drives.get(message.session);
    if (drive === undefined) return;
    const refused = drive.refused(from, message);
    const { nowMs } = this.#post;
    const untilMs = nowMs + BUSY_RETRY_MS;
    if (refused === 'lies') this.#view.distrust(from, untilMs);
    else if (refused !== undefined) this.#view.refuse({ ...refused, model: drive.model, untilMs }, nowMs);
    this.#lookAt(drive);
  }

  broken(from: DeviceId, session: SessionId, attempt: number): void {
    const drive = this.#drives.get(session);
    if (drive?.attempt !== attempt || !drive.uses(from)) return;
    drive.fail();
    this.#lookAt(drive);
  }

  frame(from: DeviceId, frame: Frame<P>): void {
    const drive = this.#drives.get(frame.session);
    if (drive === undefined || !drive.uses(from)) return;
    const { isAnswering } = drive;
    const vocabulary = this.#placing.vocabulary(drive.model);
    drive.frame(from, frame, vocabulary ?? Number.POSITIVE_INFINITY);
    if (drive.phase === 'waiting') this.#lookAt(drive);
    if (drive.isAnswering !== isAnswering) this.#hedge(drive, drive.known);
  }

  /** A link is gone, and frames with it. */
  unlinked(peer: DeviceId): void {
    for (const drive of this.#drives.values()) {
      drive.noteLeft((device) => device === peer);
      if (drive.uses(peer)) drive.interrupt();
    }
  }

  /** The device slept: what was under way is not any more. */
  rejoin(): void {
    for (const drive of this.#drives.values()) drive.interrupt();
  }

  suspected(peer: DeviceId): void {
    for (const drive of this.#drives.values()) {
      if (drive.isAttempting && drive.uses(peer)) drive.tell({ kind: 'suspected', device: peer });
    }
  }

  /** Looks at each session: at all once a second, else at those for which something changed. */
  look(all = false): void {
    const { nowMs } = this.#post;
    const isTime = all || nowMs - this.#lookedMs >= LOOK_MS;
    if (isTime) this.#lookedMs = nowMs;
    const { version } = this.#view;
    for (const drive of this.#drives.values()) {
      const isListed = drive.holdsPlacement(nowMs);
      if (isListed !== drive.isListed) {
        drive.isListed = isListed;
        this.changed = true;
      }
      if (!drive.isAnswering) continue;
      if (drive.waitsForDisk) drive.tell({ kind: 'waiting', reason: 'storing' });
      const overdue = drive.overdue();
      if (overdue !== undefined) {
        for (const device of overdue) this.#view.distrust(device, nowMs + DISTRUST_MS);
        // stages that are silent again and again, though their links stand, are tried no more often than those that give up
        if (overdue.length > 0) drive.interrupt();
        else drive.fail();
        if (!drive.isAnswering) this.changed = true;
      }
      if (isTime || drive.seenVersion !== version || drive.unservedSinceMs !== undefined) this.#lookAt(drive);
    }
  }

  #lookAt(drive: Drive<P>): void {
    if (!drive.isAnswering) return;
    const { nowMs } = this.#post;
    drive.seenVersion = this.#view.version;
    if (drive.isAttempting && drive.known !== undefined) {
      // what runs, runs, whatever others were told of its devices
      const { use, sound } = this.#view.judge(drive.known, nowMs, 'any');
      if (use === 'usable' && sound) {
        drive.unservedSinceMs = undefined;
        this.#hedge(drive, drive.known);
        return;
      }
      // a stage that is gone, or a link that is: nothing comes of it
      if (use !== 'usable') drive.interrupt();
    }
    if (drive.phase === 'waiting' && nowMs >= drive.retryMs) this.#begin(drive);
    this.#seeServed(drive);
  }

  /** On the highest placement that can be used now. */
  #begin(drive: Drive<P>): void {
    for (const known of this.#view.book.of(drive.model)) {
      if (this.#view.judge(known, this.#post.nowMs, drive.trust).use !== 'usable') continue;
      drive.isHopeless = false;
      drive.isListed = true;
      drive.hedge = undefined;
      drive.noteLeft((device) => !this.#view.isLive(device) || this.#view.links.isSuspected(device));
      drive.begin(known);
      this.changed = true;
      return;
    }
  }

  /**
   * Sees that some placement serves the session, now or soon: else proposes one. A running session whose device is
   * suspected stays where it is, while its replacement loads.
   */
  #seeServed(drive: Drive<P>): void {
    let highest: KnownPlacement | undefined;
    let highestSound: KnownPlacement | undefined;
    let current: KnownPlacement | undefined;
    let isLinking = false;
    for (const known of this.#view.book.of(drive.model)) {
      const { use, lacks, sound } = this.#view.judge(known, this.#post.nowMs, drive.trust);
      if (use === 'hopeless') continue;
      if (lacks === 'linking') isLinking = true;
      highest ??= known;
      if (known === drive.known) current = known;
      if (!sound) continue;
      highestSound ??= known;
    }
    // what was waited for goes on to be, though something higher begins to load; of one round the higher holds
    const isTie = current !== undefined && highestSound !== undefined && isSameRound(current, highestSound);
    const hoped = current !== undefined && !isTie ? current : (highestSound ?? highest);
    if (drive.phase === 'waiting') {
      this.#await(drive, hoped);
      if (hoped !== undefined && drive.retryMs <= this.#post.nowMs) {
        drive.tell({ kind: 'waiting', reason: isLinking ? 'linking' : 'loading' });
      }
    }
    let second = highestSound;
    if (current !== undefined && current === hoped && this.#isSound(drive, current) && this.#isInDoubt(drive)) {
      second = this.#secondTo(drive, current);
    }
    this.#hedge(drive, second);
    if (highestSound !== undefined) drive.unservedSinceMs = undefined;
    else this.#wantProposal(drive);
  }

  #isSound({ trust }: Drive<P>, known: KnownPlacement): boolean {
    return this.#view.judge(known, this.#post.nowMs, trust).sound;
  }

  /** It has waited longer than a load takes: what was to serve it failed, and may again. */
  #isInDoubt(drive: Drive<P>): boolean {
    const waitMs = DOUBT_MS + this.#rank(drive.model) * RANK_MS;
    return drive.phase === 'waiting' && this.#post.nowMs - drive.heardMs >= waitMs;
  }

  /** A placement that does without the devices on which another one still loads; proposed where there is none. */
  #secondTo(drive: Drive<P>, { placement }: KnownPlacement): KnownPlacement | undefined {
    const { nowMs } = this.#post;
    const { model } = drive;
    const loading = new Set<DeviceId>();
    for (const { device, first, last } of placement.stages) {
      if (this.#view.records.stage(device, model, first, last)?.phase !== 'ready') loading.add(device);
    }
    if (loading.size === 0) return undefined;
    for (const known of this.#view.book.of(model)) {
      const { use, sound } = this.#view.judge(known, nowMs);
      if (use === 'hopeless' || !sound || known.placement === placement) continue;
      if (!known.placement.stages.some(({ device }) => loading.has(device))) return known;
    }
    const dealt = this.#placing.deal(model, nowMs, (device) => !loading.has(device) && this.#placing.isAtHand(device));
    if (dealt === undefined || !('stages' in dealt)) return undefined;
    this.#propose(model, dealt.stages);
    return this.#view.book.highest(model);
  }

  #await(drive: Drive<P>, hoped: KnownPlacement | undefined): void {
    if (drive.isHopeless === (hoped === undefined) && (hoped === undefined || hoped === drive.known)) return;
    drive.isHopeless = hoped === undefined;
    if (hoped !== undefined) drive.known = hoped;
    drive.isListed = drive.holdsPlacement(this.#post.nowMs);
    this.changed = true;
  }

  /** Beside a placement that is doubtful another one loads. */
  #hedge(drive: Drive<P>, sound: KnownPlacement | undefined): void {
    const hedge = sound === drive.known ? undefined : sound;
    if (drive.hedge === hedge) return;
    drive.hedge = hedge;
    this.changed = true;
  }

  /** Whoever sees the same loss proposes; each waits its rank, so that mostly one does. */
  #wantProposal(drive: Drive<P>): void {
    const { nowMs } = this.#post;
    drive.unservedSinceMs ??= nowMs;
    const waitMs = this.#isArriving() ? ARRIVE_MS : this.#rank(drive.model) * RANK_MS;
    if (nowMs - drive.unservedSinceMs < waitMs) return;
    const atHand = (trust: Trust) =>
      this.#placing.deal(drive.model, nowMs, (device) => this.#placing.isAtHand(device), trust);
    const hasRoom = (trust: Trust) => 'stages' in (atHand(trust) ?? {});
    const dealt = atHand(drive.trust);
    if (dealt === undefined) {
      drive.tell({ kind: 'waiting', reason: 'reading' });
      return;
    }
    if ('stages' in dealt) {
      drive.unservedSinceMs = undefined;
      this.#propose(drive.model, dealt.stages);
      const proposed = this.#view.book.highest(drive.model);
      if (drive.isHopeless || drive.known === undefined) this.#await(drive, proposed);
      else this.#hedge(drive, proposed);
      return;
    }
    const others = this.#placing.deal(drive.model, nowMs, () => true, drive.trust);
    if (others !== undefined && 'stages' in others) {
      this.#seek(this.#placing.worthLinking(others.stages, nowMs));
      return;
    }
    // nobody else has room: those who are passed over are asked again
    const hasDoubts = this.#view.hasDoubts(nowMs);
    if (hasDoubts && drive.trust === 'sure' && hasRoom('doubtful')) drive.trust = 'doubtful';
    else if (hasDoubts && hasRoom('any')) drive.tell({ kind: 'waiting', reason: 'loading' });
    else if (drive.isHopeless) drive.tell({ kind: 'paused', missingBytes: dealt.missingBytes });
  }

  /** No link yet, though there are others: what the room has is not known. */
  #isArriving(): boolean {
    for (const _ of this.#view.links.up()) return false;
    return this.#view.knowsOthers;
  }

  #rank(model: ModelKey): number {
    const salt = `${model} ${this.#view.book.highest(model)?.placement.id.epoch ?? 0} `;
    const own = hashOf(salt + this.#post.device);
    let rank = 0;
    for (const state of this.#view.answering(this.#post.nowMs)) {
      const drives = state.driving.some(({ placement }) => placement.model === model);
      if (drives && state.device !== this.#post.device && hashOf(salt + state.device) < own) rank++;
    }
    return rank;
  }
}

function isSameRound(a: KnownPlacement, b: KnownPlacement): boolean {
  return roundOf(a.placement.id.epoch) === roundOf(b.placement.id.epoch);
}
