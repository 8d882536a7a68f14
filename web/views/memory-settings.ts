import { html, nothing } from 'lit';
import { customElement, property, state } from 'lit/decorators.js';
import type { App } from '../app.ts';
import { fromAny } from '../state/errors.ts';
import { roughBytes } from '../ui/format.ts';
import { button, calmLine } from '../ui/parts.ts';
import { View } from '../ui/view.ts';
import { settingsWords as words } from '../words/settings.ts';
import { interruptedLine } from './interrupted-line.ts';

const STEP_BYTES = 128 * 1024 * 1024;
const LEAST_BYTES = 256 * 1024 * 1024;

/** How much models may take here. */
@customElement('memory-settings')
export class MemorySettings extends View {
  @property({ attribute: false }) app!: App;
  @state() private sliding: number | undefined;
  @state() private failure = '';

  protected watched() {
    const { device, models, preferences } = this.app;
    return [device.report, device.storage, models.loaded, models.loading, preferences.all];
  }

  protected override render() {
    const report = this.app.device.report.value;
    if (!report) return html`<p class="note" role="status">…</p>`;
    const value = this.sliding ?? report.budgetBytes;
    const loaded = this.app.models.loaded.value;
    const usual = roughBytes(report.defaultBudgetBytes);
    return html`${interruptedLine(this.app)} ${this.failure ? calmLine('bad', this.failure) : nothing}
      <div class="budget">
        <div class="between">
          <label for="budget">${words.budget}</label>
          <output for="budget" class="figure">${roughBytes(value)}</output>
        </div>
        <input
          id="budget"
          type="range"
          min=${LEAST_BYTES}
          max=${Math.max(report.maxBudgetBytes, LEAST_BYTES + STEP_BYTES)}
          step=${STEP_BYTES}
          .value=${String(value)}
          aria-valuetext=${roughBytes(value)}
          aria-describedby="budgetnote"
          @input=${(event: Event) => {
            this.sliding = Number((event.target as HTMLInputElement).value);
          }}
          @change=${(event: Event) => void this.#set(Number((event.target as HTMLInputElement).value))}
        />
        <p class="note" id="budgetnote">${words.budgetNote(usual)}</p>
      </div>
      ${loaded ? html`<p class="note">${words.taken(roughBytes(loaded.allocatedBytes), loaded.summary.name)}</p>` : nothing}
      ${
        report.budgetBytes === report.defaultBudgetBytes
          ? nothing
          : html`<div class="row">${button(words.usual(usual), () => void this.#set(undefined))}</div>`
      }`;
  }

  async #set(budgetBytes: number | undefined): Promise<void> {
    this.failure = '';
    this.app.preferences.change((before) => {
      const { budgetBytes: _old, ...rest } = before;
      return budgetBytes === undefined ? rest : { ...rest, budgetBytes };
    });
    try {
      await this.app.device.applyBudget();
      await this.app.models.readCatalogue();
    } catch (error) {
      this.failure = fromAny(error).message;
    } finally {
      this.sliding = undefined;
    }
  }
}
