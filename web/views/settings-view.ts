import { html, nothing, type PropertyValues, type TemplateResult } from 'lit';
import { customElement, property } from 'lit/decorators.js';
import { version } from '../../package.json';
import type { App } from '../app.ts';
import { applyTheme, readTheme, type Theme } from '../state/preferences.ts';
import { roughBytes } from '../ui/format.ts';
import { button, segmented, state } from '../ui/parts.ts';
import { View } from '../ui/view.ts';
import { settingsWords as words } from '../words/settings.ts';
import { shellWords } from '../words/shell.ts';
import { deviceProblems, gpuName } from './device-problems.ts';
import './hub-settings.ts';
import './memory-settings.ts';
import { hostOf } from './hub-line.ts';
import { samplingSettings } from './sampling-settings.ts';
import { storageSettings } from './storage-settings.ts';

/** What a person may decide, and what this device and this app are. */
@customElement('settings-view')
export class SettingsView extends View {
  @property({ attribute: false }) app!: App;
  @property({ attribute: false }) section: string | undefined;
  #shown: string | undefined;

  protected watched() {
    const { device, models, preferences, chats, install, settled } = this.app;
    return [
      ...[device.report, device.storage, models.loaded, models.loading, preferences.all, chats.list],
      ...[install.offered, settled],
    ];
  }

  protected override render() {
    return html`<header class="top"><div class="grow"><div class="title" aria-hidden="true">${shellWords.settings}</div></div></header>
      <main class="page" id="content" tabindex="-1">
        <div class="pagehead"><h1 tabindex="-1">${shellWords.settings}</h1></div>
        ${section('look', words.look, '', this.#look())}
        ${section('memory', words.memory, words.memoryNote, html`<memory-settings .app=${this.app}></memory-settings>`)}
        ${section('storage', words.storage, words.storageNote, storageSettings(this.app))}
        ${section('hub', words.hub, words.hubNote, html`<hub-settings .app=${this.app}></hub-settings>`)}
        ${section('sampling', words.sampling, words.samplingNote, samplingSettings(this.app))}
        ${section('device', words.device, words.deviceNote, this.#device())}
        ${section('app', words.app, '', this.#about())}
        ${section('leaves', words.leaves, words.leavesNote, this.#leaves())}
      </main>`;
  }

  protected override updated(changed: PropertyValues): void {
    super.updated(changed);
    if (!this.section || this.#shown === this.section) return;
    this.#shown = this.section;
    const heading = this.querySelector<HTMLElement>(`#${CSS.escape(this.section)}`);
    requestAnimationFrame(() => {
      heading?.scrollIntoView({ block: 'start' });
      heading?.focus({ preventScroll: true });
    });
  }

  #look(): TemplateResult {
    const themes: readonly { value: Theme; words: string }[] = [
      { value: 'system', words: words.system },
      { value: 'light', words: words.light },
      { value: 'dark', words: words.dark },
    ];
    const choose = (theme: Theme) => {
      applyTheme(theme);
      this.requestUpdate();
    };
    return html`<ul class="opts">
      <li>
        <div><h3>${words.theme}</h3></div>
        ${segmented(words.theme, themes, readTheme(), choose)}
      </li>
    </ul>`;
  }

  #device(): TemplateResult {
    const report = this.app.device.report.value;
    if (!report) return html`<p class="note" role="status">…</p>`;
    const computes =
      report.compute === 'gpu'
        ? words.computesGpu
        : report.compute === 'software-gpu'
          ? words.computesSoftware
          : words.computesNone;
    const problems = deviceProblems(report);
    return html`<dl class="kv">
        ${pair(words.computes, computes)} ${pair(words.gpu, gpuName(report) || words.unknown)}
        ${pair(words.platform, words.platforms[report.platform])} ${pair(words.arithmetic, report.f16 ? words.yes : words.no)}
        ${pair(words.largest, report.maxBindingBytes ? roughBytes(report.maxBindingBytes) : words.unknown)}
      </dl>
      ${problems.length ? html`<div class="troubles"><h3>${words.troubles}</h3>${problems}</div>` : nothing}`;
  }

  #about(): TemplateResult {
    const { install } = this.app;
    return html`<ul class="opts">
      <li>
        <div>
          <h3>${words.install}</h3>
          <p class="note">${install.installed ? words.installed : `${words.installNote} ${this.#installWay()}`}</p>
        </div>
        ${
          install.installed
            ? state('ok', words.yes)
            : install.offered.value
              ? button(words.installDo, () => void install.ask())
              : nothing
        }
      </li>
      <li>
        <div><h3>${words.version}</h3></div>
        <span class="note">${version}</span>
      </li>
    </ul>`;
  }

  #installWay(): string {
    if (this.app.install.offered.value) return '';
    const platform = this.app.device.report.value?.platform;
    if (platform === 'iphone' || platform === 'ipad') return words.installSafariPhone;
    const isSafari = /^((?!chrome|android).)*safari/i.test(navigator.userAgent);
    return platform === 'mac' && isSafari ? words.installSafariMac : words.installElsewhere;
  }

  #leaves(): TemplateResult {
    const host = hostOf(this.app.preferences.all.value.hubBaseUrl);
    return html`<dl class="kv say">${words.leavesRows(host).map(([what, where]) => pair(what, where))}</dl>`;
  }
}

function section(id: string, title: string, note: string, content: TemplateResult): TemplateResult {
  return html`<section class="set" aria-labelledby=${id}>
    <header>
      <h2 id=${id} tabindex="-1">${title}</h2>
      ${note ? html`<p>${note}</p>` : nothing}
    </header>
    <div class="panel">${content}</div>
  </section>`;
}

function pair(name: string, value: string): TemplateResult {
  return html`<div><dt>${name}</dt><dd>${value}</dd></div>`;
}
