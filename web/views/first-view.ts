import { html, nothing, type TemplateResult } from 'lit';
import { customElement, property } from 'lit/decorators.js';
import type { CatalogueEntry, DeviceReport, ServerModel } from '../../worker/api.ts';
import type { App } from '../app.ts';
import { freeEstimate } from '../state/free-estimate.ts';
import type { Wanted } from '../state/models.ts';
import { suggest } from '../state/suggest.ts';
import { bytes, count, roughBytes } from '../ui/format.ts';
import { icon } from '../ui/icons.ts';
import { button } from '../ui/parts.ts';
import { logo, school } from '../ui/scales.ts';
import { View } from '../ui/view.ts';
import { firstWords as words } from '../words/first.ts';
import { shellWords } from '../words/shell.ts';
import { deviceProblems, gpuName } from './device-problems.ts';
import { hubLine } from './hub-line.ts';
import { interruptedLine } from './interrupted-line.ts';

const LOGO_SIZE = 28;
/** Models of the server's folder that a first visit shows; the models page has them all. */
const SERVED = 3;

/** What this device can run, and a few models to begin with. */
@customElement('first-view')
export class FirstView extends View {
  @property({ attribute: false }) app!: App;
  #probed = false;

  protected watched() {
    const { device, models, settled, starter } = this.app;
    return [
      device.report,
      device.storage,
      models.catalogue,
      models.hub,
      models.loading,
      models.served,
      settled,
      starter.state,
    ];
  }

  protected override render() {
    const report = this.app.device.report.value;
    return html`<div class="first">
      <header><span class="brand">${logo(LOGO_SIZE)}${shellWords.app}</span></header>
      <main id="content" tabindex="-1">
        <div class="hero">
          <h1 tabindex="-1">${words.title}</h1>
          <p class="lead">${words.lead}</p>
          <p class="orroom">
            <a class="btn" href="#/room">${icon('room')}${words.room}</a>
            <span class="note">${words.roomNote}</span>
          </p>
        </div>
        ${report ? this.#ways(report) : nothing}
        <section class="device">${report ? this.#facts(report) : html`<p class="note" role="status">${words.looking}</p>`}</section>
        <ul class="true">
          <li>${icon('lock')}<span>${words.privacy}</span></li>
          <li>${icon('download')}<span>${words.source}</span></li>
          <li>${icon('offline')}<span>${words.offline}</span></li>
        </ul>
      </main>
    </div>`;
  }

  protected override updated(): void {
    const best = this.#suggestions()[0];
    if (!best || this.#probed) return;
    this.#probed = true;
    void this.app.models.probeHub(best.id);
  }

  #suggestions(): readonly CatalogueEntry[] {
    const report = this.app.device.report.value;
    if (!report || report.compute === 'none') return [];
    return suggest(this.app.models.catalogue.value, report.compute === 'software-gpu');
  }

  #facts(report: DeviceReport): TemplateResult {
    const storage = this.app.device.storage.value;
    const none = report.compute === 'none';
    const software = report.compute === 'software-gpu';
    const gpu = none ? words.gpuNone : software ? words.software : gpuName(report) || words.gpuUnnamed;
    const gpuNote = none ? words.gpuNoneNote : software ? words.softwareNote : words.gpuNote(report.f16);
    const estimate = freeEstimate(storage);
    const free = estimate === undefined ? words.diskUnknown : roughBytes(estimate);
    const freeNote = estimate === undefined ? words.diskUnknownNote : words.diskNote;
    return html`<div class="between"><h2>${words.can}</h2><span class="note">${words.reported}</span></div>
      <dl class="facts">
        ${none ? nothing : fact(words.memory, roughBytes(report.budgetBytes), words.memoryNote)} ${fact(words.gpu, gpu, gpuNote)}
        ${fact(words.disk, free, freeNote)}
        ${none ? nothing : fact(words.binding, roughBytes(report.maxBindingBytes), words.bindingNote)}
      </dl>`;
  }

  #ways(report: DeviceReport) {
    const problems = deviceProblems(report);
    if (report.compute === 'none') return html`<section class="ways troubles">${problems}</section>`;
    const best = this.#suggestions()[0];
    const isHubAway = this.app.models.hub.value === 'unreachable';
    const offers = isHubAway ? [] : this.#suggestions();
    const served = this.app.models.served.value.slice(0, SERVED);
    // what can be had comes first
    const isHubFirst = served.length === 0;
    return html`${interruptedLine(this.app)} ${isHubFirst ? hubLine(this.app) : nothing}
      ${best && !isHubAway ? this.#school(best) : nothing}
      <section aria-labelledby="offer" class="offers">
        <div class=${offers.length + served.length ? 'between' : 'vh'}>
          <h2 id="offer">${words.offer}</h2>
          <span class="note">${words.offerNote}</span>
        </div>
        ${!best && this.app.settled.value ? html`<p>${words.none}</p>` : nothing}
        <div class="ways">
          ${served.map((model, index) => this.#served(model, offers.length === 0 && index === 0))}
          ${offers.map((entry, index) => this.#offer(entry, index, offers.length))}
        </div>
        <a class="btn bare" href="#/models">${words.other}${icon('right', true)}</a>
      </section>
      ${isHubFirst ? nothing : hubLine(this.app)}
      ${problems.length ? html`<section class="troubles">${problems}</section>` : nothing}`;
  }

  #school(best: CatalogueEntry): TemplateResult {
    const next = this.app.models.catalogue.value.filter((entry) => entry.fit.verdict === 'too-large')[0];
    const nextFits = next && next.fit.layersThatFit > 0 ? next : undefined;
    const label = words.allFit(best.layers, best.name);
    return html`<section class="school">
      ${
        nextFits
          ? html`<div class="schools">
              <div>${school(best.layers, best.layers, label)}</div>
              <div>
                ${school(nextFits.layers, nextFits.fit.layersThatFit, words.someFit(nextFits.fit.layersThatFit, nextFits.layers, nextFits.name))}
              </div>
            </div>`
          : school(best.layers, best.layers, label)
      }
      <div class="cap">
        <p><b>${label}</b>${words.allFitNote(bytes(best.downloadBytes))}</p>
        ${
          nextFits
            ? html`<p class="hole">
                <b>${words.someFit(nextFits.fit.layersThatFit, nextFits.layers, nextFits.name)}</b>
                ${words.someFitNote(bytes(nextFits.downloadBytes))}
              </p>`
            : nothing
        }
      </div>
    </section>`;
  }

  #offer(entry: CatalogueEntry, index: number, of: number): TemplateResult {
    const rank = index === 0 ? words.recommended : index === of - 1 ? words.smallest : words.smaller;
    const software = this.app.device.report.value?.compute === 'software-gpu';
    return html`<article class="way">
      <div>
        <span class="note">${software ? nothing : rank}</span>
        <h3>${entry.name}</h3>
      </div>
      <p>${entry.about} ${words.needs(roughBytes(entry.fit.totalBytes), count(entry.fit.contextTokens))}</p>
      <div class="row">
        ${button(words.get(bytes(entry.downloadBytes)), () => this.#get(entry), {
          kind: index === 0 ? 'main' : 'plain',
          label: `${words.get(bytes(entry.downloadBytes))}: ${entry.name}`,
        })}
      </div>
    </article>`;
  }

  #served(model: ServerModel, isMain: boolean): TemplateResult {
    const { name } = model;
    return html`<article class="way">
      <div>
        <span class="note">${words.served}</span>
        <h3>${name}</h3>
      </div>
      <p>${bytes(model.bytes)}${model.note ? `. ${model.note}.` : ''}</p>
      <div class="row">
        ${button(words.load, () => this.#start({ name, source: { kind: 'server', file: model.file } }), {
          kind: isMain ? 'main' : 'plain',
          label: `${words.load} ${name}`,
        })}
      </div>
    </article>`;
  }

  #start(wanted: Wanted): void {
    void this.app.models.load(wanted);
    this.app.router.go({ view: 'models' });
  }

  #get(entry: CatalogueEntry): void {
    this.#start({ name: entry.name, entry: entry.id });
  }
}

function fact(name: string, value: string, note: string): TemplateResult {
  return html`<div><dt>${name}</dt><dd>${value}<small>${note}</small></dd></div>`;
}
