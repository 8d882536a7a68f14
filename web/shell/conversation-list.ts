import { html, nothing, type TemplateResult } from 'lit';
import type { App } from '../app.ts';
import type { Conversation } from '../state/conversation.ts';
import { confirmWith } from '../ui/confirm.ts';
import { icon } from '../ui/icons.ts';
import { chatWords } from '../words/chat.ts';
import { shellWords } from '../words/shell.ts';

const RECENTLY_MS = 24 * 60 * 60 * 1000;

/** Conversations by day, the one that is open marked; the same list in the side column and in a phone's sheet. */
export function conversationList(app: App): TemplateResult {
  const all = app.chats.list.value;
  if (all.length === 0) return html`<p class="note convnone">${shellWords.noConversations}</p>`;
  const since = Date.now() - RECENTLY_MS;
  const recent = all.filter((conversation) => conversation.changedAt >= since);
  const earlier = all.filter((conversation) => conversation.changedAt < since);
  return html`${group(app, shellWords.today, recent)}${group(app, shellWords.earlier, earlier)}`;
}

function group(app: App, words: string, conversations: readonly Conversation[]) {
  if (conversations.length === 0) return nothing;
  return html`<h2>${words}</h2>
    <ul>
      ${conversations.map((conversation) => row(app, conversation))}
    </ul>`;
}

function row(app: App, conversation: Conversation): TemplateResult {
  const route = app.router.route.value;
  const open = route.view === 'chat' && route.conversation === conversation.id;
  const title = conversation.title || chatWords.newTitle;
  return html`<li>
    <a href="#/chat/${encodeURIComponent(conversation.id)}" aria-current=${open ? 'true' : nothing}><span>${title}</span></a>
    <button
      type="button"
      class="ib"
      aria-label=${shellWords.removeConversation(title)}
      title=${shellWords.removeConversation(title)}
      @click=${() => remove(app, conversation, title, open)}
    >
      ${icon('bin', true)}
    </button>
  </li>`;
}

async function remove(app: App, conversation: Conversation, title: string, open: boolean): Promise<void> {
  if (!(await confirmWith(shellWords.removeAsk(title), shellWords.remove))) return;
  if (app.answers.live.value?.conversation === conversation.id) await app.answers.stop();
  app.chats.remove(conversation.id);
  app.answers.forget(conversation.id);
  if (open) app.router.go({ view: 'chat' });
}
