import { html, nothing } from 'lit';
import { customElement, property, state } from 'lit/decorators.js';
import type { App } from '../app.ts';
import { answering } from '../state/answering.ts';
import type { Conversation, Message } from '../state/conversation.ts';
import { iconButton } from '../ui/parts.ts';
import { View } from '../ui/view.ts';
import { chatWords as words } from '../words/chat.ts';
import { branchSwitch } from './branch-switch.ts';
import { copyButton } from './copy-button.ts';

/** What the person said; editing it asks again on a new branch. */
@customElement('own-message')
export class OwnMessage extends View {
  @property({ attribute: false }) app!: App;
  @property({ attribute: false }) conversation!: Conversation;
  @property({ attribute: false }) message!: Message;
  @state() private editing = false;

  protected watched() {
    return [this.app.models.loaded, this.app.room.view];
  }

  protected override render() {
    if (this.editing) return this.#editor();
    const canAsk = answering(this.app) !== undefined;
    return html`<article class="me" aria-label=${words.you}>
      <p>${this.message.text}</p>
      <div class="acts">
        ${branchSwitch(this.app, this.conversation, this.message)} ${copyButton(this.message.text)}
        ${canAsk ? iconButton('edit', words.edit, () => void this.#startEdit()) : nothing}
      </div>
    </article>`;
  }

  #editor() {
    return html`<form class="editor" @submit=${this.#onSubmit}>
      <textarea
        aria-label=${words.editLabel}
        rows="3"
        .value=${this.message.text}
        @keydown=${(event: KeyboardEvent) => {
          if (event.key === 'Escape') this.#cancel();
          if (event.key === 'Enter' && (event.metaKey || event.ctrlKey)) this.#onSubmit(event);
        }}
      ></textarea>
      <div class="row end">
        <button type="button" class="btn" @click=${this.#cancel}>${words.cancel}</button>
        <button class="btn main">${words.askAgain}</button>
      </div>
    </form>`;
  }

  async #startEdit(): Promise<void> {
    this.editing = true;
    await this.updateComplete;
    const field = this.querySelector('textarea');
    field?.focus();
    field?.setSelectionRange(field.value.length, field.value.length);
  }

  #cancel = (): void => {
    this.editing = false;
  };

  #onSubmit = (event: Event): void => {
    event.preventDefault();
    const text = this.querySelector('textarea')?.value.trim();
    if (!text || this.app.answers.live.value) return;
    this.editing = false;
    this.app.answers.edit(this.conversation, this.message, text);
  };
}
