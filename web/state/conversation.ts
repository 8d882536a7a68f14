/**
 * A conversation is a tree of messages: editing or answering again adds a branch and keeps the old one. Pure
 * functions on plain data. Two windows may change one conversation at the same time: `merge` keeps what both did.
 */
import type { ChatTurn, WaysOn } from '../../worker/api.ts';
import type { RoomPast } from './room-lines.ts';

export interface AnswerFigures {
  readonly answerTokens: number;
  readonly firstTokenMs: number;
  readonly tokensPerSecond: number;
  /** Tokens that the conversation takes after this answer, of the context. */
  readonly usedTokens: number;
  readonly contextTokens: number;
  readonly droppedTurns: number;
}

export interface AnswerFailure {
  readonly remedy: string;
  readonly message: string;
  readonly contextFull: boolean;
}

export interface Message {
  readonly id: string;
  /** The message before it; absent for the first. */
  readonly parent?: string;
  readonly role: 'user' | 'assistant';
  readonly text: string;
  /** Counts this message's changes: of two versions, the higher one is kept. */
  readonly version: number;
  readonly createdAt: number;
  readonly reasoning?: string;
  readonly reasoningMs?: number;
  readonly reasoningTokens?: number;
  readonly model?: string;
  /** What its tokens are drawn with, also when it goes on after the page died in it. */
  readonly seed?: number;
  /** Absent while the answer is being written, and for good when the page died in it. */
  readonly finish?: 'end' | 'stop-string' | 'max-tokens' | 'stopped' | 'context-full' | 'failed';
  readonly failure?: AnswerFailure;
  /** Where the context was full: what would make room. */
  readonly waysOn?: WaysOn;
  /** It goes on without what was thought, which is still shown. */
  readonly leavesOutReasoning?: boolean;
  /** What the person should know of how it came about. */
  readonly notice?: string;
  readonly figures?: AnswerFigures;
  /** What the room did about it while it was written, oldest first. */
  readonly roomPast?: readonly RoomPast[];
}

export interface Conversation {
  readonly id: string;
  readonly title: string;
  readonly createdAt: number;
  readonly changedAt: number;
  readonly messages: Readonly<Record<string, Message>>;
  /** Which branch is shown after a message (or after ROOT): child ids. */
  readonly chosen: Readonly<Record<string, string>>;
  /** The person chose to go on without the oldest turns. */
  readonly dropsOldest?: boolean;
  /** A removed conversation stays as an empty mark, so that another window cannot bring it back. */
  readonly removed?: boolean;
}

export const ROOT = 'root';
const TITLE_LENGTH = 60;

export function emptyConversation(id: string, now: number): Conversation {
  return { id, title: '', createdAt: now, changedAt: now, messages: {}, chosen: {} };
}

/** Children of a message in the order in which they were made. */
export function branchesAfter(conversation: Conversation, parent: string | undefined): readonly Message[] {
  return Object.values(conversation.messages)
    .filter((message) => message.parent === parent)
    .sort((a, b) => a.createdAt - b.createdAt || (a.id < b.id ? -1 : 1));
}

/** The messages that are shown: from the first, along the chosen branches. */
export function shownPath(conversation: Conversation): readonly Message[] {
  const path: Message[] = [];
  const seen = new Set<string>();
  let parent: string | undefined;
  for (;;) {
    const branches = branchesAfter(conversation, parent);
    const wanted = conversation.chosen[parent ?? ROOT];
    const next = branches.find((message) => message.id === wanted) ?? branches.at(-1);
    if (!next || seen.has(next.id)) return path;
    seen.add(next.id);
    path.push(next);
    parent = next.id;
  }
}

/** Where a message stands among its branches: `2 of 3`, with its neighbours. */
export function branchPlace(conversation: Conversation, message: Message) {
  const branches = branchesAfter(conversation, message.parent);
  const index = branches.findIndex((other) => other.id === message.id);
  return { place: index + 1, of: branches.length, previous: branches[index - 1], next: branches[index + 1] };
}

/** Adds a message, shows its branch, and names the conversation after its first question. */
export function addMessage(conversation: Conversation, message: Message): Conversation {
  return {
    ...conversation,
    title: conversation.title || (message.role === 'user' ? titleFrom(message.text) : ''),
    changedAt: Math.max(conversation.changedAt + 1, message.createdAt),
    messages: { ...conversation.messages, [message.id]: message },
    chosen: { ...conversation.chosen, [message.parent ?? ROOT]: message.id },
  };
}

export function changeMessage(conversation: Conversation, id: string, change: Partial<Message>): Conversation {
  const before = conversation.messages[id];
  if (!before) return conversation;
  const message = { ...before, ...change, version: before.version + 1 };
  return { ...conversation, messages: { ...conversation.messages, [id]: message } };
}

/** The message without its failure, its finish and what was said of them: it is being written again. */
export function reopenMessage(conversation: Conversation, id: string): Conversation {
  const before = conversation.messages[id];
  if (!before) return conversation;
  const { failure: _failure, finish: _finish, waysOn: _waysOn, notice: _notice, ...rest } = before;
  const messages = { ...conversation.messages, [id]: { ...rest, version: before.version + 1 } };
  return { ...conversation, messages };
}

export function chooseBranch(conversation: Conversation, message: Message, now: number): Conversation {
  const chosen = { ...conversation.chosen, [message.parent ?? ROOT]: message.id };
  return { ...conversation, chosen, changedAt: Math.max(conversation.changedAt + 1, now) };
}

/** The messages before `until` (exclusive), along its own parents. */
export function messagesBefore(conversation: Conversation, until: Message): readonly Message[] {
  const path: Message[] = [];
  const seen = new Set<string>([until.id]);
  let id = until.parent;
  while (id !== undefined && !seen.has(id)) {
    seen.add(id);
    const message = conversation.messages[id];
    if (!message) break;
    path.unshift(message);
    id = message.parent;
  }
  return path;
}

/**
 * What the model is asked: the turns before `answer`, and what of it is there already as a last assistant turn that
 * is to be continued. Answers that stayed empty are left out with their question's slot kept.
 */
export function turnsFor(conversation: Conversation, answer: Message): readonly ChatTurn[] {
  const turns: ChatTurn[] = messagesBefore(conversation, answer).map(({ role, text }) => ({ role, content: text }));
  const begun = answer.text !== '' || (answer.reasoning ?? '') !== '';
  if (begun) turns.push({ role: 'assistant', content: answer.text });
  return turns;
}

/** Both windows' changes: messages by version, branches and title from the later one; removal wins. */
export function merge(a: Conversation, b: Conversation): Conversation {
  if (a.removed || b.removed) return removedMark(a.removed ? a : b);
  const [older, later] = ordered(a, b);
  const messages: Record<string, Message> = { ...older.messages };
  for (const [id, message] of Object.entries(later.messages)) {
    const other = messages[id];
    messages[id] = other === undefined ? message : newerMessage(other, message);
  }
  return {
    id: later.id,
    title: later.title || older.title,
    createdAt: Math.min(a.createdAt, b.createdAt),
    changedAt: later.changedAt,
    messages,
    chosen: { ...older.chosen, ...later.chosen },
    ...(a.dropsOldest || b.dropsOldest ? { dropsOldest: true } : {}),
  };
}

export function removedMark(conversation: Conversation): Conversation {
  const { id, createdAt, changedAt } = conversation;
  return { id, title: '', createdAt, changedAt, messages: {}, chosen: {}, removed: true };
}

function ordered(a: Conversation, b: Conversation): readonly [Conversation, Conversation] {
  if (a.changedAt !== b.changedAt) return a.changedAt < b.changedAt ? [a, b] : [b, a];
  return JSON.stringify([a.title, a.chosen]) <= JSON.stringify([b.title, b.chosen]) ? [a, b] : [b, a];
}

function newerMessage(a: Message, b: Message): Message {
  if (a.version !== b.version) return a.version > b.version ? a : b;
  if (a.text.length !== b.text.length) return a.text.length > b.text.length ? a : b;
  return JSON.stringify(a) >= JSON.stringify(b) ? a : b;
}

function titleFrom(text: string): string {
  const line = text.trim().replace(/\s+/g, ' ');
  if (line.length <= TITLE_LENGTH) return line;
  const cut = line.slice(0, TITLE_LENGTH);
  const space = cut.lastIndexOf(' ');
  return `${space > TITLE_LENGTH / 2 ? cut.slice(0, space) : cut}…`;
}
