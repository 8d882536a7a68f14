import { html, nothing } from 'lit';
import { customElement, property, state } from 'lit/decorators.js';
import type { App } from '../../app.ts';
import { fromAny } from '../../state/errors.ts';
import { button, calmLine } from '../../ui/parts.ts';
import { View } from '../../ui/view.ts';
import { roomWords as words } from '../../words/room.ts';

/** Lays a model whose devices are not all here over those that are, or says why that cannot be. */
@customElement('lay-here')
export class LayHere extends View {
  @property({ attribute: false }) app!: App;
  @property() model = '';
  @state() private failure = '';
  @state() private busy = false;

  protected watched() {
    return [];
  }

  protected override render() {
    return html`${this.failure ? calmLine('bad', this.failure) : nothing}
      <div class="row">${button(words.layHere, () => void this.#lay(), { busy: this.busy })}</div>`;
  }

  async #lay(): Promise<void> {
    if (this.busy) return;
    this.busy = true;
    this.failure = '';
    try {
      await this.app.room.layOut(this.model);
    } catch (error) {
      this.failure = fromAny(error).message;
    } finally {
      this.busy = false;
    }
  }
}
