import { html, nothing, type TemplateResult } from 'lit';
import type { App } from '../app.ts';
import { type Route, routeHash } from '../state/route.ts';
import { type IconName, icon } from '../ui/icons.ts';
import { roomWords } from '../words/room.ts';
import { shellWords } from '../words/shell.ts';

const PLACES: readonly { readonly view: Route['view']; readonly icon: IconName; readonly words: string }[] = [
  { view: 'chat', icon: 'chat', words: shellWords.chat },
  { view: 'models', icon: 'models', words: shellWords.models },
  { view: 'room', icon: 'room', words: shellWords.room },
  { view: 'settings', icon: 'settings', words: shellWords.settings },
];

/** The same links for the side column and for a phone's tabs; Chat leads back to the conversation that was open. */
export function navigation(app: App, current: Route['view']): TemplateResult {
  const asking = app.room.asking.length;
  const open = app.chats.find(app.router.lastConversation)?.id;
  const addressOf = (view: Route['view']) =>
    routeHash(view === 'chat' && open !== undefined ? { view, conversation: open } : ({ view } as Route));
  return html`${PLACES.map(
    ({ view, icon: sign, words }) =>
      html`<a href=${addressOf(view)} aria-current=${view === current ? 'page' : nothing}>
        ${icon(sign)}<span>${words}</span>
        ${
          view === 'room' && asking > 0
            ? html`<span class="badge">${asking}</span><span class="vh">${roomWords.askBadge(asking)}</span>`
            : nothing
        }
      </a>`,
  )}`;
}
