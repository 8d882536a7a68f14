import { html, nothing } from 'lit';
import { customElement, property } from 'lit/decorators.js';
import type { App } from '../app.ts';
import { bytesOf, percent } from '../ui/format.ts';
import { iconButton } from '../ui/parts.ts';
import { logo, scales } from '../ui/scales.ts';
import { View } from '../ui/view.ts';
import { shellWords } from '../words/shell.ts';
import { conversationList } from './conversation-list.ts';
import { navigation } from './navigation.ts';

const LOGO_SIZE = 26;

/** Desktop: navigation, conversations, and what is loaded in one card. */
@customElement('side-column')
export class SideColumn extends View {
  @property({ attribute: false }) app!: App;

  protected watched() {
    const { router, chats, models } = this.app;
    return [router.route, chats.list, models.loaded, models.loading];
  }

  protected override render() {
    const { view } = this.app.router.route.value;
    return html`<aside class="side" aria-label=${shellWords.app}>
      <div class="between">
        <a class="brand" href="#/chat">${logo(LOGO_SIZE)}${shellWords.app}</a>
        ${iconButton('compose', shellWords.newConversation, () => this.app.router.go({ view: 'chat' }))}
      </div>
      <nav class="nav" aria-label=${shellWords.navigation}>${navigation(view === 'start' ? 'chat' : view)}</nav>
      <div class="convs">${conversationList(this.app)}</div>
      ${this.#card()}
    </aside>`;
  }

  #card() {
    const { loading, loaded } = this.app.models;
    const now = loading.value;
    if (now && (now.phase === 'loading' || now.phase === 'finding' || now.phase === 'pausing')) {
      const progress = now.progress;
      const layers = now.summary?.layers ?? 0;
      const share = progress ? percent(progress.doneBytes, progress.totalBytes) : 0;
      return html`<a class="modelcard" href="#/models">
        <span class="between"><b>${now.name}</b><span class="state now">${share} %</span></span>
        ${layers ? scales({ layers, full: progress?.layersDone ?? 0, now: Math.min(layers - 1, progress?.layersDone ?? 0) }) : nothing}
        <span class="note">${progress ? bytesOf(progress.doneBytes, progress.totalBytes) : shellWords.loading(share)}</span>
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
