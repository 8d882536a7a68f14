import type { GenerateEvent, GenerateRequest, GenerateResult, WaysOn } from '../../worker/api.ts';
import type { WorkerClient } from '../../worker/client.ts';
import { answering } from './answering.ts';
import { Cell, type Readable } from './cell.ts';
import type { Chats } from './chats.ts';
import { type Conversation, type Message, shownPath, turnsFor } from './conversation.ts';
import { fromAny, type ShoalError } from './errors.ts';
import { emptyLive, type Live, pastWith, takeEvent } from './live-answer.ts';
import type { Models } from './models.ts';
import type { PreferenceStore } from './preferences.ts';
import type { RoomState } from './room.ts';
import type { WakeLock } from './wake-lock.ts';
import { writing } from './writing.ts';

/** How often the text so far is written down, so that a killed tab loses little. */
const KEEP_MS = 2000;
/** A GPU that is lost again without a new token in between is not tried a third time. */
const RELOADS_WITHOUT_PROGRESS = 2;

/** Asks the model, shows what comes, keeps it. One answer at a time in this window. */
export class Answers {
  readonly #live = new Cell<Live | undefined>(undefined);
  readonly #worker: WorkerClient;
  readonly #chats: Chats;
  readonly #models: Models;
  readonly #preferences: PreferenceStore;
  readonly #wakeLock: WakeLock;
  readonly #room: RoomState;
  #stopped = false;

  constructor(
    worker: WorkerClient,
    chats: Chats,
    models: Models,
    room: RoomState,
    preferences: PreferenceStore,
    wakeLock: WakeLock,
  ) {
    this.#worker = worker;
    this.#chats = chats;
    this.#models = models;
    this.#room = room;
    this.#preferences = preferences;
    this.#wakeLock = wakeLock;
  }

  get live(): Readable<Live | undefined> {
    return this.#live;
  }

  /** A question at the end of what is shown. Returns the conversation, made now when there was none. */
  ask(conversation: Conversation | undefined, text: string): Conversation {
    const base = conversation ?? this.#chats.create();
    const last = shownPath(base).at(-1);
    return this.#askAfter(base, last?.id, text);
  }

  /** The edited question becomes a branch beside the old one. */
  edit(conversation: Conversation, message: Message, text: string): void {
    this.#askAfter(conversation, message.parent, text);
  }

  /** Another answer beside this one. */
  regenerate(conversation: Conversation, message: Message): void {
    if (message.parent !== undefined) this.#answerAfter(conversation, message.parent);
  }

  /** Goes on where an answer broke off. */
  goOn(conversation: Conversation, message: Message): void {
    this.#chats.reopen(conversation.id, message.id);
    void this.#run(conversation.id, message.id);
  }

  /** The answer that this window was writing when its page went away, if it has not ended since: told once. */
  takeBroken(): { readonly conversation: Conversation; readonly message: Message } | undefined {
    const broken = writing.take();
    const conversation = broken && this.#chats.find(broken.conversation);
    const message = conversation?.messages[broken?.message ?? ''];
    if (!conversation || !message || message.finish !== undefined || message.failure !== undefined) return undefined;
    return { conversation, message };
  }

  /** The context is full and the person chose to go on without the oldest turns. */
  dropOldest(conversation: Conversation, message: Message): void {
    this.#chats.dropOldest(conversation.id);
    this.goOn(conversation, message);
  }

  /** The context is full and the person chose to go on without what the answer thought. */
  dropReasoning(conversation: Conversation, message: Message): void {
    this.#chats.patch(conversation.id, message.id, { leavesOutReasoning: true });
    this.goOn(conversation, message);
  }

  async stop(): Promise<void> {
    const live = this.#live.value;
    if (!live) return;
    this.#stopped = true;
    this.#live.set({ ...live, phase: 'stopping' });
    await this.#worker.stop(live.request);
  }

  /** A removed conversation's memory on the GPU is freed. */
  forget(conversation: string): void {
    this.#worker.forget(conversation).catch(() => undefined);
  }

  get #answering() {
    return answering({ models: this.#models, room: this.#room });
  }

  #askAfter(conversation: Conversation, parent: string | undefined, text: string): Conversation {
    const question = newMessage('user', text, parent);
    const grown = this.#chats.add(conversation, question);
    return this.#answerAfter(grown, question.id);
  }

  #answerAfter(conversation: Conversation, question: string): Conversation {
    const model = this.#answering?.name;
    const answer = { ...newMessage('assistant', '', question), ...(model ? { model } : {}) };
    const grown = this.#chats.add(conversation, answer);
    void this.#run(grown.id, answer.id);
    return grown;
  }

  async #run(conversationId: string, messageId: string): Promise<void> {
    if (this.#live.value) return;
    this.#stopped = false;
    this.#wakeLock.hold('answer');
    const started = this.#message(conversationId, messageId);
    this.#live.set(emptyLive(conversationId, messageId, started));
    const keeping = setInterval(() => this.#keep(), KEEP_MS);
    writing.set({ conversation: conversationId, message: messageId });
    try {
      const result = await this.#generateThroughLoss(conversationId, messageId);
      this.#finish(result);
    } catch (error) {
      this.#fail(fromAny(error));
    } finally {
      clearInterval(keeping);
      writing.clear();
      this.#live.set(undefined);
      this.#wakeLock.release('answer');
    }
  }

  /** Asks; when the GPU goes away, loads the model again and asks to continue what is there. */
  async #generateThroughLoss(conversationId: string, messageId: string): Promise<GenerateResult> {
    let withoutProgress = 0;
    // the same before and after a loss, and a reload
    const begunWith = this.#message(conversationId, messageId)?.seed;
    const seed = begunWith ?? this.#preferences.all.value.seed ?? randomSeed();
    if (begunWith === undefined) this.#chats.patch(conversationId, messageId, { seed });
    for (;;) {
      const tokensBefore = this.#live.value?.tokens ?? 0;
      try {
        return await this.#generate(conversationId, messageId, seed);
      } catch (error) {
        const failure = fromAny(error);
        if (failure.remedy !== 'reload-device' || failure.details.reason === 'absent' || this.#stopped) throw failure;
        withoutProgress = (this.#live.value?.tokens ?? 0) > tokensBefore ? 1 : withoutProgress + 1;
        if (withoutProgress > RELOADS_WITHOUT_PROGRESS) throw failure;
        this.#keep();
        this.#live.update((live) => live && { ...live, phase: 'reloading', lost: failure.message });
        if (!(await this.#models.reload())) throw this.#models.loading.value?.error ?? failure;
      }
    }
  }

  async #generate(conversationId: string, messageId: string, seed: number): Promise<GenerateResult> {
    const conversation = this.#chats.find(conversationId);
    const message = conversation?.messages[messageId];
    if (!conversation || !message) throw new TypeError('The conversation was removed.');
    const preferences = this.#preferences.all.value;
    const request: GenerateRequest = {
      id: crypto.randomUUID(),
      conversation: conversationId,
      turns: turnsFor(conversation, message),
      ...(message.reasoning && !message.leavesOutReasoning ? { begunReasoning: message.reasoning } : {}),
      sampler: { ...preferences.sampler, seed },
      maxTokens: this.#answering?.contextTokens ?? preferences.contextTokens,
      stopStrings: [],
      whenFull: conversation.dropsOldest ? 'drop-oldest' : 'ask',
    };
    this.#live.update((live) => live && { ...live, request: request.id, phase: 'queued', askedAt: performance.now() });
    if (this.#stopped) return stoppedBeforeItBegan(this.#live.value);
    return await this.#worker.generate(request, this.#batched(request.id));
  }

  /** Events are gathered and shown once an animation frame, however fast they come. */
  #batched(request: string): (event: GenerateEvent) => void {
    let gathered: GenerateEvent[] = [];
    return (event) => {
      const isFirst = gathered.length === 0;
      gathered.push(event);
      if (!isFirst) return;
      onNextFrame(() => {
        const events = gathered;
        gathered = [];
        const now = performance.now();
        this.#live.update((live) =>
          live?.request === request ? events.reduce((state, next) => takeEvent(state, next, now), live) : live,
        );
      });
      this.#flush = () => {
        const events = gathered;
        gathered = [];
        const now = performance.now();
        this.#live.update((live) => live && events.reduce((state, next) => takeEvent(state, next, now), live));
      };
    };
  }

  #flush: () => void = () => {};

  #keep(): void {
    this.#flush();
    const live = this.#live.value;
    if (!live) return;
    if (this.#chats.find(live.conversation) === undefined) {
      this.#abandon(live.conversation);
      return;
    }
    const kept = this.#message(live.conversation, live.message);
    if (live.text === kept?.text && live.reasoning === (kept.reasoning ?? '')) return;
    this.#chats.patch(live.conversation, live.message, { text: live.text, ...reasoningOf(live) });
  }

  /** Another window removed the conversation: nothing of it is to be said or kept any more. */
  #abandon(conversation: string): void {
    if (this.#stopped) return;
    void this.stop();
    this.forget(conversation);
  }

  #finish(result: GenerateResult): void {
    this.#flush();
    const live = this.#live.value;
    if (!live) return;
    const { finish, waysOn, ...rest } = result;
    const { answerTokens, firstTokenMs, tokensPerSecond, usedTokens, contextTokens, droppedTurns } = rest;
    this.#chats.patch(live.conversation, live.message, {
      text: live.text,
      ...reasoningOf(live),
      ...roomPastOf(live),
      finish,
      ...(waysOn ? { waysOn } : {}),
      ...(live.notice ? { notice: live.notice } : {}),
      figures: { answerTokens, firstTokenMs, tokensPerSecond, usedTokens, contextTokens, droppedTurns },
    });
  }

  #fail(error: ShoalError): void {
    this.#flush();
    const live = this.#live.value;
    if (!live) return;
    const stopped = error.remedy === 'cancelled';
    const notice = [live.notice, stopped && !this.#stopped ? error.message : undefined].filter(Boolean).join(' ');
    this.#chats.patch(live.conversation, live.message, {
      text: live.text,
      ...reasoningOf(live),
      ...roomPastOf(live),
      finish: stopped ? 'stopped' : 'failed',
      ...(stopped ? {} : { failure: failureOf(error), ...waysOf(error) }),
      ...(notice ? { notice } : {}),
    });
  }

  #message(conversation: string, message: string): Message | undefined {
    return this.#chats.find(conversation)?.messages[message];
  }
}

function failureOf(error: ShoalError) {
  return { remedy: error.remedy, message: error.message, contextFull: error.details.contextFull === true };
}

function waysOf({ details }: ShoalError): { readonly waysOn?: WaysOn } {
  if (details.contextFull !== true) return {};
  return { waysOn: { dropOldest: details.dropOldest === true, dropReasoning: details.dropReasoning === true } };
}

function reasoningOf(live: Live): Partial<Message> {
  if (live.reasoning === '') return {};
  return { reasoning: live.reasoning, reasoningMs: live.reasoningMs, reasoningTokens: live.reasoningTokens };
}

function roomPastOf(live: Live): Partial<Message> {
  const roomPast = pastWith(live);
  return roomPast.length === 0 ? {} : { roomPast };
}

function newMessage(role: Message['role'], text: string, parent: string | undefined): Message {
  const message = { id: crypto.randomUUID(), role, text, version: 0, createdAt: Date.now() };
  return parent === undefined ? message : { ...message, parent };
}

function randomSeed(): number {
  return crypto.getRandomValues(new Uint32Array(1))[0] ?? 0;
}

function stoppedBeforeItBegan(live: Live | undefined): GenerateResult {
  return {
    finish: 'stopped',
    promptTokens: 0,
    reusedTokens: 0,
    answerTokens: live?.tokens ?? 0,
    firstTokenMs: 0,
    tokensPerSecond: 0,
    droppedTurns: 0,
    usedTokens: 0,
    contextTokens: 0,
  };
}

/** Hidden pages get no animation frames: a timer keeps the text coming there. */
function onNextFrame(run: () => void): void {
  if (document.visibilityState === 'visible') requestAnimationFrame(run);
  else setTimeout(run, HIDDEN_FRAME_MS);
}
const HIDDEN_FRAME_MS = 250;
