import { html, nothing, type TemplateResult } from 'lit';
import type { RoomDevice, RoomModelView, RoomView } from '../../../worker/api.ts';
import type { App } from '../../app.ts';
import { isPreparing, loadedBytes, roomMemory, type StagePart, stageParts } from '../../state/room-model.ts';
import { bytesOf, count, progressLine, roughBytes } from '../../ui/format.ts';
import { icon } from '../../ui/icons.ts';
import { button, calmLine, state } from '../../ui/parts.ts';
import { dart, scalesOver } from '../../ui/scales.ts';
import { roomWords as words } from '../../words/room.ts';
import './lay-here.ts';
import './layers-by-hand.ts';

/** Whether the person lays the model out by hand just now. */
export interface ByHand {
  readonly open: boolean;
  set(open: boolean): void;
}

/** The model that the room runs: its layers as marks over the devices, and the same in words. */
export function roomModelPanel(app: App, room: RoomView, byHand: ByHand): TemplateResult {
  const [model, ...others] = room.models;
  return html`<section class="panel ofmodel" aria-labelledby="room-model">
    <div class="between">
      <h2 id="room-model">${model?.name ?? words.modelTitle}</h2>
      ${model ? stateOf(model) : nothing}
    </div>
    ${model ? picture(app, room, model, byHand) : none(room)}
    ${others.length ? html`<p class="note">${words.others(words.list(others.map(({ name }) => name)))}</p>` : nothing}
  </section>`;
}

function none(room: RoomView): TemplateResult {
  const { devices, freeBytes } = roomMemory(room);
  return html`<p>${words.noModel} ${devices === 0 ? words.noModelNobody : words.noModelNote(roughBytes(freeBytes), devices)}</p>`;
}

function stateOf({ phase, answers }: RoomModelView): TemplateResult {
  if (phase === 'interrupted') return state('warn', words.interruptedState);
  if (phase === 'loading') return html`<span class="state now">${dart}${words.loadingState}</span>`;
  return answers > 0 ? html`<span class="state now">${dart}${words.computing}</span>` : state('ok', words.readyState);
}

function picture(app: App, room: RoomView, model: RoomModelView, byHand: ByHand): TemplateResult {
  const { devices } = room;
  const parts = stageParts(model);
  const { done, total } = loadedBytes(model);
  return html`${scalesOver(parts)}
    <ul class="stages">
      ${parts.map((part) => stageLine(part, nameOf(part.stage.device, devices)))}
    </ul>
    <p class="note">
      ${model.phase === 'loading' && total > 0 ? html`<b>${words.loadingAmount(progressLine({ ...model, doneBytes: done, totalBytes: total }))}</b> ` : nothing}
      ${model.phase === 'interrupted' ? `${words.interruptedNote} ` : nothing}
      ${model.contextTokens > 0 ? `${words.context(count(model.contextTokens))}, ${words.oneMark}.` : nothing}
    </p>
    ${coming(model, devices)}
    ${byHand.open ? nothing : actions(app, room, model, byHand)}
    ${
      byHand.open && model.layers !== undefined
        ? html`<layers-by-hand .app=${app} .room=${room} .model=${model} @closed=${() => byHand.set(false)}></layers-by-hand>`
        : nothing
    }`;
}

/** How the model will lie once its parts have loaded. */
function coming(
  { coming: stages, ...model }: RoomModelView,
  devices: readonly RoomDevice[],
): TemplateResult | typeof nothing {
  if (stages === undefined) return nothing;
  const parts = stageParts({ ...model, stages });
  const { done, total } = loadedBytes({ stages });
  const held = parts.map(({ stage: { device, first, last }, layers }) => {
    const range = layers === 1 ? words.layerOne(last) : words.layerRange(first + 1, last);
    return `${nameOf(device, devices)} ${range}`;
  });
  const amount = total > 0 ? progressLine({ ...model, doneBytes: done, totalBytes: total }) : undefined;
  return calmLine('now', words.coming(words.list(held), amount));
}

function actions(app: App, { devices }: RoomView, model: RoomModelView, byHand: ByHand): TemplateResult {
  const here = devices.filter(({ compute, presence }) => compute && presence === 'here');
  const isBroken = model.phase === 'interrupted';
  return html`${isBroken && here.length > 0 ? html`<lay-here .app=${app} .model=${model.model}></lay-here>` : nothing}
  <div class="row">
    ${isBroken ? nothing : html`<a class="btn" href="#/chat">${icon('chat')}${words.chat}</a>`}
    ${model.layers === undefined || here.length < 2 ? nothing : button(words.byHand, () => byHand.set(true), { kind: 'bare', id: 'by-hand' })}
  </div>`;
}

function stageLine({ stage, layers }: StagePart, name: string): TemplateResult {
  const { first, last, phase, doneBytes, totalBytes } = stage;
  const said = isPreparing(stage)
    ? words.stage.preparing
    : phase === 'loading' && totalBytes > 0
      ? words.stage.loading(bytesOf(doneBytes, totalBytes))
      : saidOf(phase);
  const tone = phase === 'loading' ? 'now' : phase === 'failed' || phase === 'away' ? 'warn' : '';
  return html`<li>
    <b>${name}</b>
    <span class="note">${layers === 1 ? words.holdsOne(last) : words.holds(first + 1, last)}</span>
    <span class="state ${tone}">${said}</span>
  </li>`;
}

function saidOf(phase: StagePart['stage']['phase']): string {
  return phase === 'loading' ? words.loadingState.toLowerCase() : words.stage[phase];
}

/** A device may have left since. */
function nameOf(id: string, devices: readonly RoomDevice[]): string {
  return devices.find(({ device }) => device === id)?.name ?? words.gone;
}
