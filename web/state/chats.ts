import { Cell, type Readable } from './cell.ts';
import {
  addMessage,
  type Conversation,
  changeMessage,
  chooseBranch,
  emptyConversation,
  type Message,
  merge,
  removedMark,
  reopenMessage,
} from './conversation.ts';
import type { KeepTrouble, KeyValue } from './key-value.ts';

/** This browser's conversations, newest first; what another window changes arrives here too. */
export class Chats {
  readonly #list = new Cell<readonly Conversation[]>([]);
  readonly #kept: KeyValue;
  readonly #channel = new BroadcastChannel('shoal-conversations');

  constructor(kept: KeyValue) {
    this.#kept = kept;
    this.#channel.onmessage = (event: MessageEvent<Conversation>) => this.#take(event.data);
  }

  get list(): Readable<readonly Conversation[]> {
    return this.#list;
  }

  /** Why conversations, or what was written last, go with the window. */
  get trouble(): Readable<KeepTrouble | undefined> {
    return this.#kept.trouble;
  }

  /** Writes what a full disk refused, now that there may be room. */
  keepAgain(): Promise<void> {
    return this.#kept.retry();
  }

  async read(): Promise<void> {
    const kept = await this.#kept.values<Conversation>();
    for (const conversation of kept) this.#take(conversation);
  }

  find(id: string | undefined): Conversation | undefined {
    return this.#list.value.find((conversation) => conversation.id === id);
  }

  create(): Conversation {
    return emptyConversation(crypto.randomUUID(), Date.now());
  }

  add(conversation: Conversation, message: Message): Conversation {
    return this.#change(addMessage(this.find(conversation.id) ?? conversation, message));
  }

  /** `keep` false: shown, not written; for the many small steps of an answer. */
  patch(id: string, message: string, change: Partial<Message>, keep = true): void {
    const conversation = this.find(id);
    if (conversation) this.#change(changeMessage(conversation, message, change), keep);
  }

  reopen(id: string, message: string): void {
    const conversation = this.find(id);
    if (conversation) this.#change(reopenMessage(conversation, message));
  }

  choose(id: string, message: Message): void {
    const conversation = this.find(id);
    if (conversation) this.#change(chooseBranch(conversation, message, Date.now()));
  }

  dropOldest(id: string): void {
    const conversation = this.find(id);
    if (conversation) this.#change({ ...conversation, dropsOldest: true, changedAt: Date.now() });
  }

  remove(id: string): void {
    const conversation = this.find(id);
    if (conversation) this.#change(removedMark(conversation));
  }

  #change(conversation: Conversation, keep = true): Conversation {
    this.#take(conversation);
    if (keep) void this.#keep(conversation);
    return conversation;
  }

  async #keep(conversation: Conversation): Promise<void> {
    const merged = await this.#kept.update<Conversation>(conversation.id, (before) =>
      before ? merge(before, conversation) : conversation,
    );
    this.#channel.postMessage(merged);
  }

  #take(conversation: Conversation): void {
    const before = this.find(conversation.id);
    const merged = before ? merge(before, conversation) : conversation;
    const others = this.#list.value.filter((other) => other.id !== conversation.id);
    const list = merged.removed ? others : [...others, merged];
    this.#list.set(list.sort((a, b) => b.changedAt - a.changedAt));
  }
}
