import { html, nothing, type PropertyValues, type TemplateResult } from 'lit';
import { customElement, property, state } from 'lit/decorators.js';
import type { App } from '../app.ts';
import type { Route } from '../state/route.ts';
import { button, calmLine } from '../ui/parts.ts';
import { View } from '../ui/view.ts';
import '../views/chat-view.ts';
import '../views/first-view.ts';
import '../views/models-view.ts';
import '../views/room/room-view.ts';
import '../views/settings-view.ts';
import { chatWords } from '../words/chat.ts';
import { roomWords } from '../words/room.ts';
import { shellWords } from '../words/shell.ts';
import './side-column.ts';
import { navigation } from './navigation.ts';

/** The frame: side column or tabs, the view that the address names, news in one calm line, files dropped anywhere. */
@customElement('shoal-app')
export class ShoalApp extends View {
  @property({ attribute: false }) app!: App;
  @state() private dropping = false;
  @state() private updateLater = false;
  #shownView: string | undefined;

  protected watched() {
    const { router, settled, notice, updates, chats, device, models, room } = this.app;
    return [
      ...[router.route, settled, notice, updates.ready, chats.list, chats.trouble],
      ...[device.failure, device.storage, models.loaded, room.view, room.removed],
    ];
  }

  override connectedCallback(): void {
    super.connectedCallback();
    addEventListener('dragover', this.#onDragOver);
    addEventListener('dragleave', this.#onDragLeave);
    addEventListener('drop', this.#onDrop);
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    removeEventListener('dragover', this.#onDragOver);
    removeEventListener('dragleave', this.#onDragLeave);
    removeEventListener('drop', this.#onDrop);
  }

  protected override render() {
    const route = this.#route();
    document.body.className = route.view;
    document.title = this.#title(route);
    const content = this.#content(route);
    if (route.view === 'start') return html`${this.#lines()}${content}${this.#dropHint()}`;
    return html`<div class="app">
      <a class="skip" href="#content" @click=${this.#skip}>${shellWords.skip}</a>
      <side-column .app=${this.app}></side-column>
      <div class="stage">${this.#lines()}${content}</div>
      <nav class="tabs" aria-label=${shellWords.navigation}>${navigation(this.app, route.view)}</nav>
      <p class="vh" role="status">${this.app.room.asking.map(({ name }) => roomWords.asks(name)).join(' ')}</p>
      ${this.#dropHint()}
    </div>`;
  }

  protected override updated(changed: PropertyValues): void {
    super.updated(changed);
    const { view } = this.#route();
    if (this.#shownView !== undefined && this.#shownView !== view) {
      scrollTo(0, 0);
      this.querySelector<HTMLElement>('h1')?.focus({ preventScroll: true });
    }
    this.#shownView = view;
  }

  /** The start is a first visit's page while nothing is kept; later it is the chat. */
  #route(): Route {
    const route = this.app.router.route.value;
    if (route.view !== 'start' || !this.app.settled.value || this.app.isFirstVisit) return route;
    return { view: 'chat' };
  }

  #content(route: Route): TemplateResult | typeof nothing {
    switch (route.view) {
      case 'start':
        return html`<first-view .app=${this.app}></first-view>`;
      case 'chat':
        return html`<chat-view .app=${this.app} .conversation=${route.conversation}></chat-view>`;
      case 'models':
        return html`<models-view .app=${this.app}></models-view>`;
      case 'room':
        return html`<room-view .app=${this.app}></room-view>`;
      case 'settings':
        return html`<settings-view .app=${this.app} .section=${route.section}></settings-view>`;
      default:
        return route satisfies never;
    }
  }

  #title(route: Route): string {
    if (route.view === 'start') return shellWords.app;
    if (route.view === 'models') return shellWords.title(shellWords.models);
    if (route.view === 'room') return shellWords.title(shellWords.room);
    if (route.view === 'settings') return shellWords.title(shellWords.settings);
    return shellWords.title(this.app.chats.find(route.conversation)?.title || chatWords.newTitle);
  }

  #lines() {
    const { notice, updates, device, chats, room } = this.app;
    const failure = device.failure.value;
    const trouble = chats.trouble.value;
    const offered = updates.ready.value && !this.updateLater;
    // that nothing is kept at all is said where a conversation begins, and among the device's troubles
    const unkept = trouble === 'refused' ? undefined : trouble;
    // the page of the room says it itself
    const removed = room.removed.value && this.#route().view !== 'room';
    if (!failure && !notice.value && !offered && !unkept && !removed) return nothing;
    return html`<div class="news">
      ${failure ? calmLine('bad', `${shellWords.startFailed} ${failure.message}`) : nothing}
      ${
        unkept
          ? calmLine(
              'bad',
              shellWords.notKept[unkept],
              unkept === 'full' ? html`<a class="btn" href="#/settings/storage">${shellWords.makeRoom}</a>` : nothing,
            )
          : nothing
      }
      ${
        removed
          ? calmLine(
              'warn',
              roomWords.removed,
              button(shellWords.close, () => room.dismissRemoved(), { kind: 'bare' }),
            )
          : nothing
      }
      ${
        notice.value
          ? calmLine(
              notice.value.tone,
              notice.value.words,
              button(shellWords.close, () => notice.set(undefined), { kind: 'bare' }),
            )
          : nothing
      }
      ${
        offered
          ? calmLine(
              'plain',
              shellWords.update,
              html`${button(shellWords.useUpdate, () => updates.use())}
              ${button(shellWords.later, () => (this.updateLater = true), { kind: 'bare' })}`,
            )
          : nothing
      }
    </div>`;
  }

  #dropHint() {
    return this.dropping ? html`<div class="drophint" role="status">${shellWords.drop}</div>` : nothing;
  }

  #skip = (event: Event): void => {
    event.preventDefault();
    this.querySelector<HTMLElement>('#content')?.focus();
  };

  #onDragOver = (event: DragEvent): void => {
    if (!event.dataTransfer?.types.includes('Files')) return;
    event.preventDefault();
    this.dropping = true;
  };

  #onDragLeave = (event: DragEvent): void => {
    if (event.relatedTarget === null) this.dropping = false;
  };

  #onDrop = (event: DragEvent): void => {
    const [file] = event.dataTransfer?.files ?? [];
    this.dropping = false;
    if (!file) return;
    event.preventDefault();
    this.app.openFile(file);
  };
}

declare global {
  interface HTMLElementTagNameMap {
    'shoal-app': ShoalApp;
  }
}
