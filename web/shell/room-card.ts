import { html, nothing } from 'lit';
import type { App } from '../app.ts';
import { roomModel } from '../state/answering.ts';
import { isModelPreparing, loadedBytes, stageParts } from '../state/room-model.ts';
import { bytesOf } from '../ui/format.ts';
import { scalesOver } from '../ui/scales.ts';
import { roomWords as words } from '../words/room.ts';

/** The room in one card: how many are here, and what they run. */
export function roomCard(app: App) {
  const view = app.room.view.value;
  // what keeps it out is told where it tries to get in
  if (!view || (view.phase !== 'in' && view.refused !== undefined)) return nothing;
  const model = roomModel(view);
  const here = view.devices.filter(({ presence }) => presence !== 'away').length;
  return html`<a class="modelcard" href="#/room">
    <span class="between">
      <b>${words.room}</b>
      <span class="note">${view.phase === 'in' ? words.devices(here) : words.joiningDevice.toLowerCase()}</span>
    </span>
    ${model ? scalesOver(stageParts(model)) : nothing}
    <span class="note">${model ? said(model) : view.phase === 'in' ? words.noModel : words.joining}</span>
  </a>`;
}

function said(model: NonNullable<ReturnType<typeof roomModel>>): string {
  const { name, phase } = model;
  if (phase === 'ready') return `${name}, ${words.readyState.toLowerCase()}`;
  if (phase === 'interrupted') return `${name}, ${words.interruptedState.toLowerCase()}`;
  if (isModelPreparing(model)) return `${name}, ${words.stage.preparing}`;
  const { done, total } = loadedBytes(model);
  return total > 0 ? `${name}, ${bytesOf(done, total)}` : words.chatLoading(name);
}
