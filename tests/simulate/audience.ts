import type { SimDevice } from './device.ts';
import { Conversation } from './people.ts';
import { Random } from './random.ts';
import type { Watch } from './watch.ts';
import type { World } from './world.ts';

/** The people at the devices: they ask, read, stop an answer, come back to a reloaded page, and check every token. */
export class Audience {
  readonly conversations: readonly Conversation[];
  readonly #world: World;
  readonly #watch: Watch;
  readonly #bySession = new Map<string, Conversation>();

  constructor(world: World, watch: Watch) {
    this.#world = world;
    this.#watch = watch;
    const { constants, devices } = world;
    this.conversations = devices.flatMap(({ index, drives }) => {
      if (!drives) return [];
      const model = `${constants.modelName}${index % constants.models}`;
      return Array.from(
        { length: constants.sessionsADevice },
        (_, i) => new Conversation(index, model, constants, new Random(constants.seed, 100_000 + index * 100 + i)),
      );
    });
  }

  get isAnswering(): boolean {
    return this.conversations.some((conversation) => conversation.isAnswering);
  }

  /** The person at a device whose page has begun anew. */
  returnTo(device: SimDevice): void {
    for (const conversation of this.conversations) {
      if (conversation.device === device.index) this.resume(device, conversation);
    }
  }

  resume(device: SimDevice, conversation: Conversation): void {
    if (!conversation.isAnswering) {
      this.#planAsk(conversation);
      return;
    }
    const stored = device.disk.get(conversation.session);
    if (stored?.head.answering && startsWith(stored.tokens, conversation.prompt)) return;
    const isDone =
      stored !== undefined &&
      !stored.head.answering &&
      startsWith(stored.tokens, conversation.prompt) &&
      stored.tokens.length > conversation.prompt.length;
    if (isDone) {
      this.answered(device, conversation.session, conversation.stopsAt < Number.POSITIVE_INFINITY);
      return;
    }
    // the page went before the question was on its disk: the person asks again
    this.#world.tally.answersAskedAgain++;
    this.#question(device, conversation);
  }

  #planAsk(conversation: Conversation): void {
    if (this.#world.nowMs >= this.#world.faultsEndMs) return;
    const device = this.#world.devices[conversation.device] as SimDevice;
    const ms = this.#world.random.between(...this.#world.constants.thinkSeconds) * 1000;
    this.#world.plan(device, ms, { kind: 'ask', conversation, turn: conversation.turn });
  }

  ask(conversation: Conversation): void {
    const device = this.#world.devices[conversation.device] as SimDevice;
    const given = conversation.ask();
    if (given !== undefined) {
      this.#bySession.delete(given);
      this.#world.give(device, { kind: 'forget', session: given });
    }
    this.#bySession.set(conversation.session, conversation);
    conversation.askedMs = this.#world.nowMs;
    conversation.lastTokenMs = this.#world.nowMs;
    conversation.driverOutMs = 0;
    conversation.noRoomMs = 0;
    this.#question(device, conversation);
  }

  #question(device: SimDevice, { session, model, prompt, maxTokens, seed }: Conversation): void {
    const sampler = { seed };
    this.#world.give(device, { kind: 'answer', session, model, tokens: prompt, maxTokens, stopTokens: [], sampler });
  }

  tokens(session: string, count: number): void {
    const conversation = this.#bySession.get(session);
    // a page that was stopped and went before its disk had that goes on by itself: nobody waits for it
    if (conversation === undefined || !conversation.isAnswering) return;
    this.#world.tally.tokens += count;
    this.#watch.endGap(conversation, this.#world.nowMs);
    const device = this.#world.devices[conversation.device] as SimDevice;
    for (const drive of device.node?.driver.drives() ?? []) {
      if (drive.session !== session) continue;
      const stages = drive.known?.placement.stages.length ?? 0;
      this.#world.tally.tokensByStages[stages] = (this.#world.tally.tokensByStages[stages] ?? 0) + count;
    }
    if (conversation.stopsAt <= 0) return;
    conversation.stopsAt -= count;
    if (conversation.stopsAt <= 0) this.#world.plan(device, 1, { kind: 'input', input: { kind: 'stop', session } });
  }

  answered(device: SimDevice, session: string, wasStopped: boolean): void {
    const conversation = this.#bySession.get(session);
    if (conversation === undefined || !conversation.isAnswering) return;
    // an answer that was stopped need not be on the disk yet
    const drives = wasStopped ? [...(device.node?.driver.drives() ?? [])] : [];
    const tokens = drives.find((drive) => drive.session === session)?.tokens ?? device.disk.get(session)?.tokens ?? [];
    const wrong = conversation.firstWrong(tokens);
    if (wrong >= 0) {
      this.#world.tally.wrongTokens++;
      this.#world.trace(`${device.index} ${session.slice(0, 4)} wrong at ${wrong} of ${tokens.length}`);
    }
    const isWhole = tokens.length === conversation.prompt.length + conversation.maxTokens;
    if (isWhole) this.#world.tally.answersCompleted++;
    else if (wasStopped) this.#world.tally.answersStopped++;
    else {
      this.#world.tally.answersLost++;
      const { prompt, maxTokens } = conversation;
      this.#world.trace(
        `${device.index} ${session.slice(0, 4)} lost: ${tokens.length - prompt.length} of ${maxTokens}`,
      );
    }
    this.#world.tally.answeringSeconds += (this.#world.nowMs - conversation.askedMs) / 1000;
    conversation.isAnswering = false;
    conversation.answered = [...tokens];
    this.#planAsk(conversation);
  }
}

function startsWith(tokens: readonly number[], prompt: readonly number[]): boolean {
  return tokens.length >= prompt.length && prompt.every((token, i) => tokens[i] === token);
}
