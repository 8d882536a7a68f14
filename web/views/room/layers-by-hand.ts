import { html, nothing, type TemplateResult } from 'lit';
import { customElement, property, state } from 'lit/decorators.js';
import { repeat } from 'lit/directives/repeat.js';
import type { RoomModelView, RoomView } from '../../../worker/api.ts';
import type { App } from '../../app.ts';
import { fromAny } from '../../state/errors.ts';
import { handsOf, type LayersOfDevice, moved, withLayers } from '../../state/layers-by-hand.ts';
import { roughBytes } from '../../ui/format.ts';
import { icon } from '../../ui/icons.ts';
import { button, calmLine } from '../../ui/parts.ts';
import { scalesOver } from '../../ui/scales.ts';
import { View } from '../../ui/view.ts';
import { roomWords as words } from '../../words/room.ts';

/** A form that says which device holds how many layers of a model, and in which order. */
@customElement('layers-by-hand')
export class LayersByHandForm extends View {
  @property({ attribute: false }) app!: App;
  @property({ attribute: false }) room!: RoomView;
  @property({ attribute: false }) model!: RoomModelView;
  @state() private given: readonly LayersOfDevice[] = [];
  @state() private failure = '';
  @state() private busy = false;

  protected watched() {
    return [];
  }

  override connectedCallback(): void {
    super.connectedCallback();
    this.given = handsOf(this.room, this.model);
  }

  protected override render() {
    const layers = this.model.layers ?? 0;
    const sum = this.given.reduce((total, each) => total + each.layers, 0);
    const fits = sum === layers;
    return html`<form class="byhand" aria-labelledby="byhand-title" @submit=${(event: Event) => this.#submit(event)}>
      <h3 id="byhand-title" tabindex="-1">${words.byHandTitle}</h3>
      ${scalesOver([
        ...this.given.filter((each) => each.layers > 0).map((each) => ({ layers: each.layers, full: each.layers })),
        ...(sum < layers ? [{ layers: layers - sum, full: 0, rest: 'hole' as const }] : []),
      ])}
      <ul>
        ${repeat(
          this.given,
          ({ device }) => device,
          (each, i) => this.#row(each, i, layers),
        )}
      </ul>
      <p class="state ${fits ? 'ok' : 'warn'}" role="status">
        ${icon(fits ? 'check' : 'warn', true)}<span>${words.given(sum, layers)}</span>
      </p>
      <p class="note">${words.byHandNote}</p>
      ${this.failure ? calmLine('bad', this.failure) : nothing}
      <div class="row">
        <button
          type="submit"
          class="btn main"
          aria-disabled=${fits && !this.busy ? nothing : 'true'}
          aria-busy=${this.busy ? 'true' : nothing}
        >
          ${this.busy ? words.layingOut : words.layOut}
        </button>
        ${button(words.cancel, () => this.#close(), { kind: 'bare' })}
      </div>
    </form>`;
  }

  #row({ device, name, freeBytes, layers: count }: LayersOfDevice, index: number, most: number): TemplateResult {
    const id = `layers-${index}`;
    const change = (layers: number) => {
      this.failure = '';
      this.given = withLayers(this.given, device, layers, most);
    };
    return html`<li>
      <label for=${id}>
        <b>${name}</b>
        <span class="note">${words.memoryLeft(roughBytes(freeBytes))}</span>
      </label>
      <div class="count">
        ${
          index === 0
            ? nothing
            : html`<button
                type="button"
                class="ib"
                aria-label=${words.earlier(name)}
                title=${words.earlier(name)}
                @click=${() => {
                  this.given = moved(this.given, index);
                }}
              >
                ${icon('up')}
              </button>`
        }
        <button type="button" class="ib" aria-label=${words.fewer(name)} @click=${() => change(count - 1)}>−</button>
        <input
          id=${id}
          type="number"
          inputmode="numeric"
          min="0"
          max=${most}
          aria-label=${words.layersOf(name)}
          .value=${String(count)}
          @input=${({ target }: Event) => {
            const typed = (target as HTMLInputElement).valueAsNumber;
            if (Number.isFinite(typed)) change(typed);
          }}
          @change=${(event: Event) => {
            const input = event.target as HTMLInputElement;
            change(input.valueAsNumber);
            input.value = String(this.given[index]?.layers ?? 0);
          }}
        />
        <button type="button" class="ib" aria-label=${words.moreLayers(name)} @click=${() => change(count + 1)}>+</button>
      </div>
    </li>`;
  }

  async #submit(event: Event): Promise<void> {
    event.preventDefault();
    const sum = this.given.reduce((total, { layers }) => total + layers, 0);
    if (this.busy || sum !== this.model.layers) return;
    this.busy = true;
    this.failure = '';
    try {
      await this.app.room.layOut(
        this.model.model,
        this.given.map(({ device, layers }) => ({ device, layers })),
      );
      this.#close();
    } catch (error) {
      this.failure = fromAny(error).message;
    } finally {
      this.busy = false;
    }
  }

  #close(): void {
    this.dispatchEvent(new CustomEvent('closed'));
  }
}

declare global {
  interface HTMLElementTagNameMap {
    'layers-by-hand': LayersByHandForm;
  }
}
