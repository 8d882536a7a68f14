import { html, nothing, type TemplateResult } from 'lit';
import type { App } from '../app.ts';
import { type Answering, answering } from '../state/answering.ts';
import { loadingProgress } from '../state/loading-progress.ts';
import { loadingKey } from '../state/models.ts';
import { readersOf, stageParts } from '../state/room-model.ts';
import { icon } from '../ui/icons.ts';
import { scales, scalesOver } from '../ui/scales.ts';
import { chatWords as words } from '../words/chat.ts';
import { modelWords } from '../words/models.ts';
import { roomWords } from '../words/room.ts';
import { deviceProblems } from './device-problems.ts';

const FEWEST_PARAMETERS = 50e6;

/** A conversation before its first word: what is ready, who sees what one writes, things to try. */
export function chatEmpty(app: App, write: (text: string) => void): TemplateResult {
  const loaded = app.models.loaded.value;
  const loading = app.models.loading.value;
  const { known } = app.preferences.all.value;
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
      ${tries(write, loaded.summary.parameters)}
    </div>`;
  }
  const now = answering(app);
  if (now?.by === 'room') return inRoom(app, now, write);
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
      ${tries(write, loading.summary?.parameters ?? known[loadingKey(loading) ?? '']?.parameters)}
    </div>`;
  }
  if (!app.settled.value) return html`<div class="empty"></div>`;
  return html`<div class="empty">
    <div>
      <h2 class="h1">${words.noneTitle}</h2>
      <p class="lead">${words.noneLead}</p>
    </div>
    ${report?.compute === 'none' ? deviceProblems(report) : nothing}
    <div class="row">
      <a class="btn main" href="#/models">${words.chooseModel}</a>
      <a class="btn" href="#/room">${words.orRoom}</a>
    </div>
  </div>`;
}

/** The room answers: over whom it runs, and who of them can read what one writes. */
function inRoom(app: App, { model, name }: Extract<Answering, { by: 'room' }>, write: (text: string) => void) {
  const { devices = [] } = app.room.view.value ?? {};
  const parts = stageParts(model);
  const names = [...new Set(parts.map(({ stage }) => stage.device))].flatMap(
    (id) => devices.find(({ device }) => device === id)?.name ?? [],
  );
  const title =
    model.phase === 'ready'
      ? roomWords.chatReady(name)
      : model.phase === 'loading'
        ? roomWords.chatLoading(name)
        : roomWords.chatBroken(name);
  return html`<div class="empty">
    ${scalesOver(parts)}
    <div>
      <h2 class="h1">${title}</h2>
      <p class="lead">${leadOf(names, readersOf(model, devices), devices.find(({ own }) => own)?.name)}</p>
    </div>
    ${tries(write, Object.values(app.preferences.all.value.known).find((one) => one.name === name)?.parameters)}
  </div>`;
}

/** Where it runs, and who else can read what one writes. */
function leadOf(names: readonly string[], readers: readonly string[], self: string | undefined): string {
  if (names.length > 1) return roomWords.chatLead(roomWords.list(names), roomWords.readers(readers));
  const [only = roomWords.gone] = names;
  return only === self ? roomWords.chatLeadHere : roomWords.chatLeadOne(only);
}

/** Nothing where the model is too small for what they ask: its answers would disappoint. */
function tries(write: (text: string) => void, parameters = FEWEST_PARAMETERS) {
  if (parameters < FEWEST_PARAMETERS) return nothing;
  return html`<div class="tries">
    ${words.tries.map(
      (text) =>
        html`<button type="button" @click=${() => write(text)}>${icon('chat')}<span>${text}</span>${icon('right')}</button>`,
    )}
  </div>`;
}
