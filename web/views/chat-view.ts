import { html, nothing, type PropertyValues, type TemplateResult } from 'lit';
import { customElement, property, state } from 'lit/decorators.js';
import { repeat } from 'lit/directives/repeat.js';
import type { App } from '../app.ts';
import { conversationList } from '../shell/conversation-list.ts';
import { answering } from '../state/answering.ts';
import { type Conversation, type Message, shownPath } from '../state/conversation.ts';
import { icon } from '../ui/icons.ts';
import { iconButton } from '../ui/parts.ts';
import { StickToEnd } from '../ui/stick-to-end.ts';
import { View } from '../ui/view.ts';
import { chatWords as words } from '../words/chat.ts';
import { roomWords } from '../words/room.ts';
import { shellWords } from '../words/shell.ts';
import './answer-message.ts';
import { chatEmpty } from './chat-empty.ts';
import './chat-composer.ts';
import './own-message.ts';
import { hubLine } from './hub-line.ts';
import { interruptedLine } from './interrupted-line.ts';

/** One conversation: what was said, what is being written, and the field for the next message. */
@customElement('chat-view')
export class ChatView extends View {
  @property({ attribute: false }) app!: App;
  @property({ attribute: false }) conversation: string | undefined;
  @state() private announced = '';
  @state() private atEnd = true;
  #stick: StickToEnd | undefined;
  #wasLive: string | undefined;

  protected watched() {
    const { chats, models, settled, device, router, room } = this.app;
    return [chats.list, models.loaded, models.loading, settled, device.report, device.storage, router.route, room.view];
  }

  override connectedCallback(): void {
    super.connectedCallback();
    this.#stopLive = this.app.answers.live.subscribe(() => this.#onLive());
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.#stopLive();
    this.#stick?.leave();
    this.#stick = undefined;
  }

  protected override render() {
    const conversation = this.app.chats.find(this.conversation);
    const path = conversation ? shownPath(conversation) : [];
    return html`${this.#top(conversation)}
      <main class="chatbody" id="content" tabindex="-1">
        <div class="scroll">
          ${conversation && path.length ? this.#thread(conversation, path) : this.#empty()}
        </div>
        <div class="below">
          ${
            this.atEnd || path.length === 0
              ? nothing
              : html`<button type="button" class="btn toend" @click=${() => this.#stick?.goToEnd()}>
                  ${icon('toEnd', true)}${words.toEnd}
                </button>`
          }
          <chat-composer .app=${this.app} .conversation=${this.conversation} @sent=${() => this.#stick?.goToEnd()}></chat-composer>
        </div>
        <p class="vh" role="log" aria-live="polite">${this.announced}</p>
      </main>
      ${this.#sheet()}`;
  }

  protected override updated(changed: PropertyValues): void {
    super.updated(changed);
    const scroll = this.querySelector<HTMLElement>('.scroll');
    if (scroll && !this.#stick) {
      this.#stick = new StickToEnd(scroll, (atEnd) => {
        this.atEnd = atEnd;
      });
    }
    if (changed.has('conversation')) this.#stick?.goToEnd();
  }

  #stopLive: () => void = () => {};

  #top(conversation: Conversation | undefined): TemplateResult {
    const now = answering(this.app);
    const room = now?.by === 'room' ? now : undefined;
    const name = now?.name ?? this.app.models.loading.value?.name;
    return html`<header class="top">
      <span class="hide-desk">${iconButton('list', words.open, () => this.#openSheet())}</span>
      <div class="grow">
        <h1 class="title" tabindex="-1">${conversation?.title || words.newTitle}</h1>
        <div class="sub hide-desk">
          ${room ? roomWords.inRoomShort(room.name, room.devices) : (name ?? shellWords.noModel)}
        </div>
      </div>
      <span class="hide-phone">
        <a class="btn bare" href=${room ? '#/room' : '#/models'}>
          ${room ? roomWords.inRoom(room.name, room.devices) : (name ?? words.chooseModel)}${icon('right', true)}
        </a>
      </span>
      <span class="hide-desk">
        ${iconButton('compose', shellWords.newConversation, () => this.app.router.go({ view: 'chat' }))}
      </span>
    </header>`;
  }

  #empty(): TemplateResult {
    return html`<div class="emptywrap">
      ${interruptedLine(this.app)} ${answering(this.app) || this.app.models.isLoading ? nothing : hubLine(this.app)}
      ${chatEmpty(this.app, (text) => this.querySelector('chat-composer')?.write(text))}
    </div>`;
  }

  #thread(conversation: Conversation, path: readonly Message[]): TemplateResult {
    return html`<div class="thread" @drawn=${() => this.#stick?.follow()}>
      ${repeat(
        path,
        (message) => message.id,
        (message) =>
          message.role === 'user'
            ? html`<own-message .app=${this.app} .conversation=${conversation} .message=${message}></own-message>`
            : html`<answer-message .app=${this.app} .conversation=${conversation} .message=${message}></answer-message>`,
      )}
    </div>`;
  }

  /** A phone's list of conversations. */
  #sheet(): TemplateResult {
    return html`<dialog class="sheet convsheet" aria-label=${words.open} @click=${this.#onSheetClick}>
      <div class="between">
        <h2>${words.open}</h2>
        ${iconButton('close', shellWords.closeConversations, () => this.querySelector('dialog')?.close())}
      </div>
      <div class="convs">${conversationList(this.app)}</div>
    </dialog>`;
  }

  #openSheet(): void {
    this.querySelector('dialog')?.showModal();
  }

  #onSheetClick = (event: Event): void => {
    const target = event.target as HTMLElement;
    if (target.closest('a') || target instanceof HTMLDialogElement) this.querySelector('dialog')?.close();
  };

  /** Says a finished answer aloud, once, to who listens; of one that was stopped, that it was. */
  #onLive(): void {
    const live = this.app.answers.live.value;
    if (live) {
      if (live.conversation === this.conversation) {
        this.#wasLive = live.message;
        if (live.phase === 'stopping') this.announced = words.stopping;
      }
      this.#stick?.follow();
      return;
    }
    const finished = this.#wasLive;
    this.#wasLive = undefined;
    const { text, finish } = (finished && this.app.chats.find(this.conversation)?.messages[finished]) || {};
    if (finish === 'stopped') this.announced = words.stopped;
    else if (text) this.announced = words.announceAnswer + spoken(text);
  }
}

const SPOKEN_LENGTH = 2000;

/** Markdown's signs are not read out. */
function spoken(text: string): string {
  return text
    .slice(0, SPOKEN_LENGTH)
    .replace(/[*_`#>|]+/g, ' ')
    .replace(/\s+/g, ' ');
}
