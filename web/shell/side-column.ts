import { html, nothing } from 'lit';
import { customElement, property } from 'lit/decorators.js';
import type { App } from '../app.ts';
import { loadingProgress } from '../state/loading-progress.ts';
import { bytesOf } from '../ui/format.ts';
import { iconButton } from '../ui/parts.ts';
import { logo, scales } from '../ui/scales.ts';
import { View } from '../ui/view.ts';
import { modelWords } from '../words/models.ts';
import { shellWords } from '../words/shell.ts';
import { conversationList } from './conversation-list.ts';
import { navigation } from './navigation.ts';
import { roomCard } from './room-card.ts';

const LOGO_SIZE = 26;

/** Desktop: navigation, conversations, and what is loaded in one card. */
@customElement('side-column')
export class SideColumn extends View {
  @property({ attribute: false }) app!: App;

  protected watched() {
    const { router, chats, models, room } = this.app;
    return [router.route, chats.list, models.loaded, models.loading, room.view];
  }

  protected override render() {
    const { view } = this.app.router.route.value;
    return html`<aside class="side" aria-label=${shellWords.app}>
      <div class="between">
        <a class="brand" href="#/chat">${logo(LOGO_SIZE)}${shellWords.app}</a>
        ${iconButton('compose', shellWords.newConversation, () => this.app.router.go({ view: 'chat' }))}
      </div>
      <nav class="nav" aria-label=${shellWords.navigation}>${navigation(this.app, view === 'start' ? 'chat' : view)}</nav>
      <div class="convs">${conversationList(this.app)}</div>
      ${this.#card()} ${roomCard(this.app)}
    </aside>`;
  }

  #card() {
    const { loading, loaded } = this.app.models;
    const now = loading.value;
    if (now && (now.phase === 'loading' || now.phase === 'finding' || now.phase === 'pausing')) {
      const shown = loadingProgress(now);
      const { preparing } = shown;
      const note = now.progress
        ? bytesOf(now.progress.doneBytes, now.progress.totalBytes)
        : shellWords.loading(shown.percent);
      return html`<a class="modelcard" href="#/models">
        <span class="between"><b>${now.name}</b><span class="state now">${shown.percent} %</span></span>
        ${shown.layers ? scales(shown) : nothing}
        <span class="note">${preparing ? modelWords.preparing(preparing.done, preparing.total) : note}</span>
      </a>`;
    }
    const model = loaded.value;
    if (!model) return nothing;
    return html`<a class="modelcard" href="#/models">
      <b>${model.summary.name}</b>
      ${scales({ layers: model.summary.layers, full: model.summary.layers })}
      <span class="note">${shellWords.ready}, ${shellWords.onThisDevice}</span>
    </a>`;
  }
}
