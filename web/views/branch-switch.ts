import { html, nothing } from 'lit';
import type { App } from '../app.ts';
import { branchPlace, type Conversation, type Message } from '../state/conversation.ts';
import { iconButton } from '../ui/parts.ts';
import { chatWords as words } from '../words/chat.ts';

/** `2 of 3`, and the way to the others; nothing where there is one only. */
export function branchSwitch(app: App, conversation: Conversation, message: Message) {
  const { place, of, previous, next } = branchPlace(conversation, message);
  if (of < 2) return nothing;
  const show = (other: Message | undefined) => other && app.chats.choose(conversation.id, other);
  return html`<span class="branches">
    ${iconButton('left', words.previous, () => show(previous), !previous)}
    <span class="num">${words.place(place, of)}</span>
    ${iconButton('right', words.next, () => show(next), !next)}
  </span>`;
}
