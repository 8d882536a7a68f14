import { html, nothing, type PropertyValues } from 'lit';
import { customElement, property, state } from 'lit/decorators.js';
import type { App } from '../app.ts';
import { answering } from '../state/answering.ts';
import { shownPath } from '../state/conversation.ts';
import { keepDraft, readDraft } from '../state/drafts.ts';
import { loadingProgress } from '../state/loading-progress.ts';
import { isModelPreparing, loadedBytes } from '../state/room-model.ts';
import { count, percent } from '../ui/format.ts';
import { icon, stopIcon } from '../ui/icons.ts';
import { meter } from '../ui/parts.ts';
import { View } from '../ui/view.ts';
import { chatWords as words } from '../words/chat.ts';
import { roomWords } from '../words/room.ts';

const NEAR_FULL = 0.85;
/** Tokens between two updates of the context's figures while an answer is written. */
const CONTEXT_STEP = 20;

/** The field for the next message; says what keeps it from being sent. */
@customElement('chat-composer')
export class ChatComposer extends View {
  @property({ attribute: false }) app!: App;
  @property({ attribute: false }) conversation: string | undefined;
  @state() private typed = '';
  #wasLive = false;
  #shownTokens = 0;
  #stopHadFocus = false;

  protected watched() {
    const { models, chats, preferences, room } = this.app;
    return [models.loaded, models.loading, chats.list, preferences.all, room.view];
  }

  override connectedCallback(): void {
    super.connectedCallback();
    this.#stopLive = this.app.answers.live.subscribe(() => {
      const live = this.app.answers.live.value;
      const busy = live !== undefined;
      const shown = Math.floor((live?.tokens ?? 0) / CONTEXT_STEP);
      if (busy !== this.#wasLive || live?.phase === 'stopping' || shown !== this.#shownTokens) this.requestUpdate();
      this.#shownTokens = shown;
      this.#wasLive = busy;
    });
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.#stopLive();
  }

  /** Puts a text into the field, for the person to change or send. */
  write(text: string): void {
    this.#setTyped(text);
    const field = this.querySelector('textarea');
    void this.updateComplete.then(() => {
      field?.focus();
      field?.setSelectionRange(text.length, text.length);
    });
  }

  protected override willUpdate(changed: PropertyValues): void {
    this.#stopHadFocus = this.querySelector('.stop')?.contains(document.activeElement) === true;
    if (changed.has('conversation')) this.typed = readDraft(this.conversation);
  }

  protected override updated(): void {
    // the button that was pressed is gone with the answer
    if (this.#stopHadFocus && !this.querySelector('.stop'))
      this.querySelector<HTMLElement>('.foot .btn, .send')?.focus();
    const field = this.querySelector('textarea');
    if (!field || CSS.supports('field-sizing', 'content')) return;
    field.style.height = 'auto';
    field.style.height = `${field.scrollHeight}px`;
  }

  protected override render() {
    const conversation = this.app.chats.find(this.conversation);
    const hasTurns = conversation !== undefined && shownPath(conversation).length > 0;
    const words1 = hasTurns ? words.writeNext : words.write;
    return html`<form class="composer" @submit=${this.#onSubmit}>
      <div class="box">
        <textarea
          rows="1"
          aria-label=${words.messageLabel}
          placeholder=${words1}
          enterkeyhint=${finePointer() ? 'send' : 'enter'}
          .value=${this.typed}
          @input=${(event: Event) => this.#setTyped((event.target as HTMLTextAreaElement).value)}
          @keydown=${this.#onKey}
        ></textarea>
        <div class="foot">${this.#context()}${this.#action()}</div>
      </div>
    </form>`;
  }

  #stopLive: () => void = () => {};

  #context() {
    const by = answering(this.app);
    const now = this.app.models.loading.value;
    if (now && (now.phase === 'loading' || now.phase === 'finding') && !by) {
      const { percent: share, preparing } = loadingProgress(now);
      const said = preparing ? words.almost(now.name) : words.loading(now.name, share);
      return html`<span class="ctx" role="status">${said}</span>`;
    }
    const room = by?.by === 'room' ? by : undefined;
    if (room?.model.phase === 'loading') {
      const { done, total } = loadedBytes(room.model);
      const said = isModelPreparing(room.model)
        ? roomWords.chatAlmost(room.name)
        : roomWords.chatLoadingPercent(room.name, percent(done, total));
      return html`<span class="ctx">${said}</span>`;
    }
    if (room?.model.phase === 'interrupted') return html`<span class="ctx">${roomWords.chatBroken(room.name)}</span>`;
    const { used, context } = this.#usage();
    if (!context) return html`<span class="ctx"></span>`;
    const near = used / context >= NEAR_FULL;
    return html`<div class="ctx ${near ? 'near' : ''}">
      ${meter(words.context, used / context, words.used(count(used), count(context)), near ? 'warn' : '')}
      ${
        near
          ? html`<span class="num">${words.nearFull(count(Math.max(0, context - used)))}</span>`
          : html`<span class="num hide-phone">${words.used(count(used), count(context))}</span>
              <span class="num hide-desk" aria-hidden="true">${words.percent(percent(used, context))}</span>
              ${
                room
                  ? html`<span class="via hide-phone">${roomWords.inRoom(room.name, room.devices)}</span>
                      <span class="via hide-desk">${roomWords.inTheRoom}</span>`
                  : nothing
              }`
      }
    </div>`;
  }

  #usage(): { readonly used: number; readonly context: number } {
    const context = answering(this.app)?.contextTokens ?? 0;
    const conversation = this.app.chats.find(this.conversation);
    const last = conversation && shownPath(conversation).findLast((message) => message.figures);
    const live = this.app.answers.live.value;
    const writes = live !== undefined && live.conversation === this.conversation && live.prefill !== undefined;
    const used = writes ? (live.prefill?.totalTokens ?? 0) + live.tokens : (last?.figures?.usedTokens ?? 0);
    return { used: Math.min(context || Number.POSITIVE_INFINITY, used), context };
  }

  #action() {
    const live = this.app.answers.live.value;
    if (live) {
      const stopping = live.phase === 'stopping';
      return html`<button
        type="button"
        class="btn stop"
        aria-busy=${stopping ? 'true' : nothing}
        aria-disabled=${stopping ? 'true' : nothing}
        @click=${() => void (stopping || this.app.answers.stop())}
      >
        ${stopIcon}${stopping ? words.stopping : words.stop}
      </button>`;
    }
    const loading = this.app.models.loading.value?.phase;
    const waits = loading === 'loading' || loading === 'finding' || loading === 'pausing';
    if (!answering(this.app) && !waits) {
      return html`<a class="btn main" href="#/models">${words.chooseModel}</a>`;
    }
    const ready = this.#canSend();
    return html`<button
      class="send ${ready ? '' : 'off'}"
      aria-label=${words.send}
      title=${words.send}
      aria-disabled=${ready ? nothing : 'true'}
    >
      ${icon('up')}
    </button>`;
  }

  #canSend(): boolean {
    const { answers } = this.app;
    return this.typed.trim() !== '' && answering(this.app) !== undefined && answers.live.value === undefined;
  }

  #onKey = (event: KeyboardEvent): void => {
    // Safari ends a composition before the keydown of the Enter that commits it, which then has this code alone:
    // https://bugs.webkit.org/show_bug.cgi?id=165004
    const commits = event.isComposing || event.keyCode === 229;
    if (event.key !== 'Enter' || event.shiftKey || commits) return;
    const asked = event.metaKey || event.ctrlKey || finePointer();
    if (asked) this.#onSubmit(event);
  };

  #onSubmit = (event: Event): void => {
    event.preventDefault();
    if (!this.#canSend()) return;
    const text = this.typed.trim();
    this.#setTyped('');
    const conversation = this.app.answers.ask(this.app.chats.find(this.conversation), text);
    if (conversation.id !== this.conversation) {
      this.app.router.go({ view: 'chat', conversation: conversation.id }, 'replace');
    }
    this.dispatchEvent(new Event('sent'));
  };

  #setTyped(text: string): void {
    this.typed = text;
    keepDraft(this.conversation, text);
  }
}

/** With a mouse there is a keyboard, and Enter sends; on a phone Enter makes a new line. */
function finePointer(): boolean {
  return matchMedia('(pointer: fine)').matches;
}

declare global {
  interface HTMLElementTagNameMap {
    'chat-composer': ChatComposer;
  }
}
