import { html, nothing, type TemplateResult } from 'lit';
import { customElement, property, state } from 'lit/decorators.js';
import type { CatalogueEntry, ModelSource, ModelSummary, StoredFile } from '../../worker/api.ts';
import type { App } from '../app.ts';
import { fromAny, type ShoalError } from '../state/errors.ts';
import { freeEstimate } from '../state/free-estimate.ts';
import { loadingKey } from '../state/models.ts';
import { CONTEXT_CHOICES } from '../state/preferences.ts';
import { count, roughBytes, unbroken } from '../ui/format.ts';
import { icon } from '../ui/icons.ts';
import { calmLine, segmented } from '../ui/parts.ts';
import { View } from '../ui/view.ts';
import { modelWords as words } from '../words/models.ts';
import { shellWords } from '../words/shell.ts';
import { deviceProblems } from './device-problems.ts';
import { errorActions } from './error-actions.ts';
import { hubLine } from './hub-line.ts';
import './hub-files.ts';
import { interruptedLine } from './interrupted-line.ts';
import { catalogueRow, inspectedRow, loadingRow, servedRow, storedRow, unkeptRow } from './model-rows.ts';
import { roomGives } from './room-use.ts';
import { readWanted, type WantedRepository, type WantedText } from './wanted-text.ts';

/** Less is not worth a word: the app's own notes. */
const SHOWN_BYTES = 500_000;

/** All models: kept here, fitting, too large; and every way to bring another one. */
@customElement('models-view')
export class ModelsView extends View {
  @property({ attribute: false }) app!: App;
  @state() private typed = '';
  @state() private wanted: WantedText | undefined;
  @state() private inspected: ModelSummary | undefined;
  @state() private inspecting: string | undefined;
  @state() private failure: ShoalError | undefined;
  #probed = false;
  #wasLoading: string | undefined;

  protected watched() {
    const { device, models, settled, starter, preferences, opened, room } = this.app;
    return [
      ...[device.report, device.storage, models.catalogue, models.hub, models.loading, models.loaded, models.served],
      ...[settled, starter.state, preferences.all, opened, room.view, room.placing],
    ];
  }

  protected override willUpdate(): void {
    // from now on its row is among those on this device
    if (this.inspected && this.#hasRowHere(this.inspected)) this.inspected = undefined;
    const file = this.app.opened.value;
    if (!file || !this.app.settled.value) return;
    this.app.opened.set(undefined);
    void this.#inspect({ kind: 'picked', file }, file.name);
  }

  protected override updated(): void {
    const loading = this.app.models.loading.value?.name;
    if (loading && !this.#wasLoading) this.querySelector('#here')?.scrollIntoView({ block: 'center' });
    this.#wasLoading = loading;
    const [first] = this.app.models.catalogue.value;
    if (!first || this.#probed) return;
    this.#probed = true;
    void this.app.models.probeHub(first.id);
  }

  protected override render() {
    const storage = this.app.device.storage.value;
    return html`<header class="top">
        <div class="grow"><div class="title" aria-hidden="true">${shellWords.models}</div></div>
        ${storage && storage.usedBytes >= SHOWN_BYTES ? html`<a class="btn bare" href="#/settings/storage">${words.used(roughBytes(storage.usedBytes))}</a>` : nothing}
      </header>
      <main class="page" id="content" tabindex="-1">
        <div class="pagehead">
          <h1 tabindex="-1">${shellWords.models}</h1>
          <p>${words.lead}</p>
          ${roomGives(this.app)}
          ${this.#tools()}
        </div>
        ${this.#brought()}
        ${this.wanted?.kind === 'hub' ? this.#hubFiles(this.wanted) : html`${interruptedLine(this.app)} ${hubLine(this.app)} ${this.#lists()}`}
      </main>`;
  }

  #tools(): TemplateResult {
    const { contextTokens } = this.app.preferences.all.value;
    const choices = CONTEXT_CHOICES.map((value) => ({ value, words: count(value) }));
    return html`<form class="tools" role="search" @submit=${this.#onSubmit}>
      <div class="field">
        ${icon('search')}
        <input
          type="search"
          aria-label=${words.search}
          placeholder=${words.searchHint}
          autocomplete="off"
          autocapitalize="off"
          spellcheck="false"
          enterkeyhint="search"
          .value=${this.typed}
          @input=${this.#onType}
        />
        ${this.#wantedText().kind === 'name' ? nothing : html`<button class="btn bare">${words.searchGo}</button>`}
      </div>
      <div class="row" title=${words.contextNote}>
        <span class="note">${words.context}</span>
        ${segmented(words.context, choices, contextTokens as (typeof CONTEXT_CHOICES)[number], this.#chooseContext)}
      </div>
      <label class="btn filebutton">
        ${icon('file')}${words.open}
        <input type="file" accept=".gguf" class="vh" @change=${this.#onPick} />
      </label>
    </form>`;
  }

  /** What a search, an address or a file brought. */
  #brought() {
    if (this.inspecting) {
      return html`<section aria-busy="true">
        <div class="grouphead"><h2>${this.inspecting}</h2></div>
        <p class="note" role="status">${words.reading}</p>
      </section>`;
    }
    if (this.failure) {
      return calmLine('bad', this.failure.message, errorActions(this.failure));
    }
    const summary = this.inspected;
    if (!summary) return nothing;
    return html`<section>
      <div class="grouphead"><h2>${words.opened}</h2></div>
      <ul class="mlist">
        ${inspectedRow(this.app, summary)}
      </ul>
    </section>`;
  }

  /** Being loaded, or loaded: then its row is among those on this device. */
  #hasRowHere({ key }: ModelSummary): boolean {
    const { loading, loaded } = this.app.models;
    return loadingKey(loading.value) === key || loaded.value?.summary.key === key;
  }

  #wantedText(): WantedText {
    return readWanted(this.typed, this.app.preferences.all.value.hubBaseUrl);
  }

  #hubFiles(wanted: WantedRepository): TemplateResult {
    return html`<hub-files
      .app=${this.app}
      .wanted=${wanted}
      @chosen=${(event: CustomEvent<{ source: ModelSource; name: string }>) => {
        this.wanted = undefined;
        this.typed = '';
        void this.#inspect(event.detail.source, event.detail.name);
      }}
      @back=${() => {
        this.wanted = undefined;
        this.typed = '';
      }}
    ></hub-files>`;
  }

  #lists(): TemplateResult {
    const here = this.#here();
    const { catalogue, served } = this.app.models;
    const named = catalogue.value.filter((entry) => this.#matches(entry) && !this.#isHere(entry));
    const { computes } = this.app.device;
    const large = computes ? named.filter((entry) => entry.fit.verdict === 'too-large') : [];
    const fitting = named.filter((entry) => !large.includes(entry));
    const folder = served.value.filter((model) => !this.#loadingFile(model.file));
    const report = this.app.device.report.value;
    const nothingFound = this.typed !== '' && named.length === 0 && this.app.settled.value;
    return html`${report && !computes ? deviceProblems(report) : nothing}${here.length ? this.#section('here', words.here, this.#storageWords(), here) : nothing}
      ${
        folder.length
          ? this.#section(
              'served',
              words.served,
              words.servedNote,
              folder.map((model) => servedRow(this.app, model)),
            )
          : nothing
      }
      ${
        fitting.length
          ? this.#section(
              'fits',
              computes ? words.fits : words.catalogue,
              report && computes ? words.toGive(roughBytes(report.budgetBytes)) : '',
              fitting.map((entry) => catalogueRow(this.app, entry)),
            )
          : nothing
      }
      ${
        large.length
          ? this.#section(
              'large',
              words.tooLarge,
              words.ofCatalogue(large.length),
              large.map((entry) => catalogueRow(this.app, entry)),
            )
          : nothing
      }
      ${nothingFound ? html`<p class="note">${words.noMatch}</p>` : nothing}`;
  }

  #section(id: string, title: string, note: string, rows: readonly TemplateResult[]): TemplateResult {
    return html`<section aria-labelledby=${id}>
      <div class="grouphead">
        <h2 id=${id}>${title}</h2>
        <span class="note">${note}</span>
      </div>
      <ul class="mlist">
        ${rows}
      </ul>
    </section>`;
  }

  #here(): readonly TemplateResult[] {
    const { loading, loaded } = this.app.models;
    const now = loading.value;
    const rows: TemplateResult[] = now ? [loadingRow(this.app, now)] : [];
    const files = this.app.device.keptFiles;
    const loadedKey = loaded.value?.summary.key;
    // a header alone was kept to look at: that row stands above
    const shown = files.filter(({ key }) => key !== loadingKey(now) && key !== this.inspected?.key);
    const byUse = shown.sort((a, b) => rank(a, loadedKey) - rank(b, loadedKey) || (a.name < b.name ? -1 : 1));
    rows.push(...byUse.map((file) => storedRow(this.app, file)));
    const unstored = loaded.value && !files.some((file) => file.key === loadedKey) ? loaded.value : undefined;
    if (unstored && !now) rows.unshift(unkeptRow(unstored));
    return rows;
  }

  #storageWords(): string {
    const storage = this.app.device.storage.value;
    if (!storage) return '';
    const used = roughBytes(storage.usedBytes);
    const free = freeEstimate(storage);
    return free === undefined ? words.used(used) : words.usedOf(used, unbroken(roughBytes(free)));
  }

  #matches(entry: CatalogueEntry): boolean {
    const wanted = this.typed.trim().toLowerCase();
    return `${entry.name} ${entry.repository} ${entry.quantization}`.toLowerCase().includes(wanted);
  }

  /** An entry whose file is kept or being loaded has its row above. */
  #isHere(entry: CatalogueEntry): boolean {
    const now = this.app.models.loading.value;
    if (now?.entry === entry.id) return true;
    const sameFile = (repository: string, file: string) =>
      repository === entry.repository && file.toLowerCase().includes(entry.quantization.toLowerCase());
    if (now?.source?.kind === 'hub' && sameFile(now.source.repository, now.source.file)) return true;
    return this.app.device.keptFiles.some(
      ({ identity }) => identity.kind === 'hub' && sameFile(identity.repository, identity.file),
    );
  }

  #loadingFile(file: string): boolean {
    const { loading, loaded } = this.app.models;
    const source = loading.value?.source ?? loaded.value?.summary.source;
    if (source?.kind === 'server' && source.file === file) return true;
    return (this.app.device.storage.value?.files ?? []).some((kept) => kept.name === file && kept.complete);
  }

  #chooseContext = (contextTokens: number): void => {
    this.app.preferences.change((before) => ({ ...before, contextTokens }));
    void this.app.device.applySettings().then(
      () => this.app.models.readCatalogue(),
      (error: unknown) => {
        this.failure = fromAny(error);
      },
    );
  };

  #onType = (event: Event): void => {
    this.typed = (event.target as HTMLInputElement).value;
    this.failure = undefined;
    if (this.typed === '') this.wanted = undefined;
  };

  #onSubmit = (event: Event): void => {
    event.preventDefault();
    const wanted = this.#wantedText();
    if (wanted.kind === 'hub') this.wanted = wanted;
    else if (wanted.kind === 'url') void this.#inspect({ kind: 'url', address: wanted.address }, wanted.address);
    else if (wanted.kind === 'hub-file') {
      const { repository, file, revision } = wanted;
      void this.#inspect({ kind: 'hub', repository, file, commit: revision }, file);
    }
  };

  #onPick = (event: Event): void => {
    const input = event.target as HTMLInputElement;
    const [file] = input.files ?? [];
    input.value = '';
    if (file) void this.#inspect({ kind: 'picked', file }, file.name);
  };

  async #inspect(source: ModelSource, name: string): Promise<void> {
    this.failure = undefined;
    this.inspected = undefined;
    this.inspecting = name;
    try {
      this.inspected = await this.app.models.inspect(source);
    } catch (error) {
      this.failure = fromAny(error);
    } finally {
      this.inspecting = undefined;
    }
  }
}

function rank(file: StoredFile, loadedKey: string | undefined): number {
  return file.key === loadedKey ? 0 : file.complete ? 1 : 2;
}
