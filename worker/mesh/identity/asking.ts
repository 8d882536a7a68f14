import type { DeviceId } from '../types.ts';
import type { Newcomer } from './members.ts';
import { MAX_MEMBERS, type Membership } from './roster.ts';
import type { Asking as AskingMessage, Denial, Denied, Question } from './schemas.ts';

/** How long a question is open, and a denial is remembered. */
export const ASKING_MS = 120_000;
/** Whoever was not let in may ask again after this. */
export const DENIED_MS = 20_000;
export const MAX_QUESTIONS = 8;
const MAX_DENIALS = 64;

export type AskingEffect =
  /** Sign the newcomer's entry and take it in, then call `rosterChanged`. */
  | { readonly kind: 'admit'; readonly newcomer: Newcomer }
  /** It is in: send it the welcome over its link. */
  | { readonly kind: 'welcome'; readonly device: DeviceId }
  /** To the newcomer over its link; close that after 'denied'. */
  | { readonly kind: 'tell'; readonly device: DeviceId; readonly message: AskingMessage | Denied }
  /** To every member with a link, but for the one it came from. */
  | { readonly kind: 'spread'; readonly message: Question | Denial; readonly except?: DeviceId };

export interface OpenQuestion {
  readonly newcomer: Newcomer;
  /** Members that the newcomer is linked to. */
  readonly hosts: readonly DeviceId[];
  readonly leftMs: number;
}

interface Held {
  readonly newcomer: Newcomer;
  readonly hosts: Set<DeviceId>;
  readonly untilMs: number;
}

/**
 * Who wants in and what was answered, as one member knows it. A state machine over messages and a monotonic clock; it
 * signs and sends nothing itself.
 */
export class AskingDesk {
  readonly #self: DeviceId;
  readonly #membership: () => Membership;
  readonly #askFirst: () => boolean;
  /** Newcomers that are linked to this device and not in yet. */
  readonly #linked = new Set<DeviceId>();
  readonly #questions = new Map<DeviceId, Held>();
  readonly #deniedUntilMs = new Map<DeviceId, number>();

  constructor(self: DeviceId, membership: () => Membership, askFirst: () => boolean) {
    this.#self = self;
    this.#membership = membership;
    this.#askFirst = askFirst;
  }

  /** A newcomer that proved the invite asks over its link. */
  asked(newcomer: Newcomer, nowMs: number): readonly AskingEffect[] {
    const expired = this.tick(nowMs);
    return [...expired, ...this.#asked(newcomer, nowMs)];
  }

  #asked(newcomer: Newcomer, nowMs: number): readonly AskingEffect[] {
    const { device } = newcomer;
    const membership = this.#membership();
    const standing = membership.standing(device);
    if (standing === 'member') return [{ kind: 'welcome', device }];
    if (standing === 'removed') return [denied(device, 'removed')];
    if (membership.members.length >= MAX_MEMBERS) return [denied(device, 'full')];
    if (this.#deniedUntilMs.has(device)) return [denied(device, 'denied')];
    const known = this.#questions.get(device);
    if (!known && this.#askFirst() && this.#questions.size >= MAX_QUESTIONS) return [denied(device, 'busy')];
    this.#linked.add(device);
    if (!this.#askFirst()) return [{ kind: 'admit', newcomer }];
    const asking: AskingEffect = { kind: 'tell', device, message: { kind: 'asking' } };
    if (known?.hosts.has(this.#self)) return [asking];
    // what the newcomer proved here counts, whatever others said of it
    const { hosts = new Set<DeviceId>(), untilMs = nowMs + ASKING_MS } = known ?? {};
    const held: Held = { newcomer, hosts: hosts.add(this.#self), untilMs };
    this.#questions.set(device, held);
    return [asking, { kind: 'spread', message: this.#question(held, this.#self, nowMs) }];
  }

  /** A member passes a question on. */
  heardQuestion(question: Question, from: DeviceId, nowMs: number): readonly AskingEffect[] {
    const expired = this.tick(nowMs);
    const { device, publicKey, name, host, leftMs } = question;
    const membership = this.#membership();
    const known = this.#questions.get(device);
    if (
      membership.standing(device) !== 'unknown' ||
      membership.standing(host) !== 'member' ||
      host === this.#self ||
      leftMs === 0 ||
      this.#deniedUntilMs.has(device) ||
      known?.hosts.has(host) ||
      (!known && this.#questions.size >= MAX_QUESTIONS)
    ) {
      return expired;
    }
    const untilMs = nowMs + Math.min(leftMs, ASKING_MS);
    const held = known ?? { newcomer: { device, publicKey, name }, hosts: new Set(), untilMs };
    held.hosts.add(host);
    this.#questions.set(device, held);
    return [...expired, { kind: 'spread', message: this.#question(held, host, nowMs), except: from }];
  }

  /** A member passes on that a question is over. */
  heardDenial(denial: Denial, from: DeviceId, nowMs: number): readonly AskingEffect[] {
    const expired = this.tick(nowMs);
    // its own are not news to it: what comes in its name is made up
    if (denial.by === this.#self || this.#membership().standing(denial.by) !== 'member') return expired;
    const effects = denial.reason === 'denied' ? this.#deny(denial, nowMs) : this.#withdraw(denial);
    return [...expired, ...effects.map((effect) => (effect.kind === 'spread' ? { ...effect, except: from } : effect))];
  }

  /** The person at this device answers. Nothing when the question is over. */
  answer(device: DeviceId, allow: boolean, nowMs: number): readonly AskingEffect[] {
    const expired = this.tick(nowMs);
    const held = this.#questions.get(device);
    if (!held) return expired;
    if (allow) return [...expired, { kind: 'admit', newcomer: held.newcomer }];
    return [...expired, ...this.#deny({ kind: 'denial', device, by: this.#self, reason: 'denied' }, nowMs)];
  }

  /** Whoever allowed signed an entry: the question is over everywhere, and the host says welcome. */
  rosterChanged(): readonly AskingEffect[] {
    const membership = this.#membership();
    for (const device of [...this.#questions.keys(), ...this.#deniedUntilMs.keys()]) {
      if (membership.standing(device) !== 'member') continue;
      this.#questions.delete(device);
      this.#deniedUntilMs.delete(device);
    }
    const inside = [...this.#linked].filter((device) => membership.standing(device) === 'member');
    for (const device of inside) this.#linked.delete(device);
    return inside.map((device) => ({ kind: 'welcome', device }));
  }

  /** The link to a newcomer was lost or closed. */
  linkLost(device: DeviceId): readonly AskingEffect[] {
    if (!this.#linked.delete(device)) return [];
    return this.#withdraw({ kind: 'denial', device, by: this.#self, reason: 'withdrawn' });
  }

  /** What a member that has just linked should hear. */
  forNewLink(nowMs: number): readonly Question[] {
    return [...this.#questions.values()].flatMap((held) =>
      [...held.hosts].map((host) => this.#question(held, host, nowMs)),
    );
  }

  /** Ends what is over; at least each second. */
  tick(nowMs: number): readonly AskingEffect[] {
    for (const [device, untilMs] of this.#deniedUntilMs) if (untilMs <= nowMs) this.#deniedUntilMs.delete(device);
    const over = [...this.#questions.values()].filter(({ untilMs }) => untilMs <= nowMs);
    return over.flatMap(({ newcomer: { device } }) => {
      this.#questions.delete(device);
      return this.#linked.delete(device) ? [denied(device, 'expired')] : [];
    });
  }

  /** For the page, oldest first. */
  questions(nowMs: number): readonly OpenQuestion[] {
    return [...this.#questions.values()]
      .filter(({ untilMs }) => untilMs > nowMs)
      .map(({ newcomer, hosts, untilMs }) => ({ newcomer, hosts: [...hosts], leftMs: untilMs - nowMs }));
  }

  #deny(denial: Denial, nowMs: number): readonly AskingEffect[] {
    const { device } = denial;
    if (this.#deniedUntilMs.has(device) || this.#membership().standing(device) === 'member') return [];
    const oldest = this.#deniedUntilMs.keys().next().value;
    if (this.#deniedUntilMs.size >= MAX_DENIALS && oldest !== undefined) this.#deniedUntilMs.delete(oldest);
    this.#deniedUntilMs.set(device, nowMs + DENIED_MS);
    this.#questions.delete(device);
    const told = this.#linked.delete(device) ? [denied(device, 'denied')] : [];
    return [...told, { kind: 'spread', message: denial }];
  }

  #withdraw(denial: Denial): readonly AskingEffect[] {
    const held = this.#questions.get(denial.device);
    if (!held?.hosts.delete(denial.by)) return [];
    if (held.hosts.size === 0) this.#questions.delete(denial.device);
    return [{ kind: 'spread', message: denial }];
  }

  #question({ newcomer, untilMs }: Held, host: DeviceId, nowMs: number): Question {
    return { kind: 'question', ...newcomer, host, leftMs: Math.max(0, Math.floor(untilMs - nowMs)) };
  }
}

function denied(device: DeviceId, reason: Denied['reason']): AskingEffect {
  return { kind: 'tell', device, message: { kind: 'denied', reason } };
}
