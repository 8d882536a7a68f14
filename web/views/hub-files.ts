import { html, nothing, type PropertyValues, type TemplateResult } from 'lit';
import { customElement, property, state } from 'lit/decorators.js';
import type { HubFile, HubRepository, ModelSource } from '../../worker/api.ts';
import type { App } from '../app.ts';
import { fromAny, type ShoalError } from '../state/errors.ts';
import { bytes } from '../ui/format.ts';
import { button, calmLine, state as stateWords } from '../ui/parts.ts';
import { View } from '../ui/view.ts';
import { modelWords as words } from '../words/models.ts';
import { errorActions } from './error-actions.ts';
import type { WantedRepository } from './wanted-text.ts';

/** The files of one repository: the person picks the quantization. Sends `chosen` and `back`. */
@customElement('hub-files')
export class HubFiles extends View {
  @property({ attribute: false }) app!: App;
  /** Each new one is looked up, the same repository again too. */
  @property({ attribute: false }) wanted!: WantedRepository;
  @state() private found: HubRepository | undefined;
  @state() private failure: ShoalError | undefined;
  #asked: object | undefined;

  protected watched() {
    return [];
  }

  protected override willUpdate(changed: PropertyValues): void {
    if (changed.has('wanted')) void this.#ask();
  }

  protected override render() {
    return html`<section aria-labelledby="hubfiles">
      <div class="grouphead">
        <h2 id="hubfiles">${words.files(this.wanted.repository)}</h2>
        ${button(words.back, () => this.dispatchEvent(new Event('back')), { kind: 'bare' })}
      </div>
      ${this.#content()}
    </section>`;
  }

  #content() {
    if (this.failure) {
      return calmLine(
        'bad',
        this.failure.message,
        html`${button(words.again, () => void this.#ask())}${errorActions(this.failure)}`,
      );
    }
    if (!this.found) return html`<p class="note" role="status">${words.lookingUp}</p>`;
    if (this.found.files.length === 0) return html`<p>${words.noFiles}</p>`;
    return html`<p class="note">${words.filesNote}</p>
      <ul class="mlist files">
        ${[...this.found.files].sort(usableFirst).map((file) => this.#row(file))}
      </ul>`;
  }

  #row(file: HubFile): TemplateResult {
    return html`<li>
      <div>
        <h3>${file.quantization || file.file}</h3>
        <div class="note quiet">${bytes(file.bytes)}</div>
      </div>
      <div class="m-act">
        ${
          file.unsupported
            ? html`<button type="button" class="btn" aria-disabled="true">${words.unsupported}</button>`
            : button(words.choose, () => this.#choose(file), { label: `${words.choose} ${file.file}` })
        }
      </div>
      <div class="m-fit">
        <div class="m-why">
          ${file.unsupported ? stateWords('bad', file.unsupported) : nothing}<span class="filename">${file.file}</span>
        </div>
      </div>
    </li>`;
  }

  #choose(file: HubFile): void {
    const { repository, commit } = this.found as HubRepository;
    const source: ModelSource = { kind: 'hub', repository, file: file.file, commit };
    this.dispatchEvent(new CustomEvent('chosen', { detail: { source, name: file.file } }));
  }

  async #ask(): Promise<void> {
    const { wanted } = this;
    this.#asked = wanted;
    this.found = undefined;
    this.failure = undefined;
    try {
      const found = await this.app.models.hubFiles(wanted.repository, wanted.revision);
      if (this.#asked !== wanted) return;
      this.found = found;
      const named = found.files.filter((file) => isQuantization(file, wanted.quantization));
      if (named.length === 1 && named[0]) this.#choose(named[0]);
    } catch (error) {
      if (this.#asked === wanted) this.failure = fromAny(error);
    }
  }
}

/** The one that was named; where several or none are, the person picks. */
function isQuantization(file: HubFile, wanted: string | undefined): boolean {
  return file.unsupported === undefined && file.quantization.toLowerCase() === wanted?.toLowerCase();
}

/** What can run here, smallest first; then what cannot. */
function usableFirst(a: HubFile, b: HubFile): number {
  return Number(a.unsupported !== undefined) - Number(b.unsupported !== undefined) || a.bytes - b.bytes;
}
