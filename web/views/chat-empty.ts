import { html, nothing, type TemplateResult } from 'lit';
import type { App } from '../app.ts';
import { loadingProgress } from '../state/loading-progress.ts';
import { icon } from '../ui/icons.ts';
import { scales } from '../ui/scales.ts';
import { chatWords as words } from '../words/chat.ts';
import { modelWords } from '../words/models.ts';
import { deviceProblems } from './device-problems.ts';

/** A conversation before its first word: what is ready, who sees what one writes, things to try. */
export function chatEmpty(app: App, write: (text: string) => void): TemplateResult {
  const loaded = app.models.loaded.value;
  const loading = app.models.loading.value;
  const report = app.device.report.value;
  if (loaded) {
    const { layers, name } = loaded.summary;
    const lead = app.chats.trouble.value ? words.readyLeadNotKept : words.readyLead;
    return html`<div class="empty">
      ${scales({ layers, full: layers })}
      <div>
        <h2 class="h1">${words.readyTitle(name)}</h2>
        <p class="lead">${lead}</p>
        ${loaded.warning ? html`<p class="note">${loaded.warning}</p>` : nothing}
      </div>
      ${tries(write)}
    </div>`;
  }
  if (loading && loading.phase !== 'failed' && loading.phase !== 'paused') {
    const progress = loadingProgress(loading);
    const { preparing } = progress;
    return html`<div class="empty">
      ${progress.layers ? scales(progress) : nothing}
      <div>
        <h2 class="h1">${words.loadingTitle(loading.name)}</h2>
        <p class="lead" role="status">
          ${preparing ? modelWords.preparing(preparing.done, preparing.total) : words.percent(progress.percent)}
        </p>
      </div>
      ${tries(write)}
    </div>`;
  }
  if (!app.settled.value) return html`<div class="empty"></div>`;
  return html`<div class="empty">
    <div>
      <h2 class="h1">${words.noneTitle}</h2>
      <p class="lead">${words.noneLead}</p>
    </div>
    ${report?.compute === 'none' ? deviceProblems(report) : nothing}
    <div class="row"><a class="btn main" href="#/models">${words.chooseModel}</a></div>
  </div>`;
}

function tries(write: (text: string) => void): TemplateResult {
  return html`<div class="tries">
    ${words.tries.map(
      (text) =>
        html`<button type="button" @click=${() => write(text)}>${icon('chat')}<span>${text}</span>${icon('right')}</button>`,
    )}
  </div>`;
}
