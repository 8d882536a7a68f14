import { html, nothing, type TemplateResult } from 'lit';
import type { RoomLine } from '../../worker/api.ts';
import type { App } from '../app.ts';
import { roomModel } from '../state/answering.ts';
import type { Live } from '../state/live-answer.ts';
import type { RoomPast } from '../state/room-lines.ts';
import { stageParts } from '../state/room-model.ts';
import { roughBytes } from '../ui/format.ts';
import { icon } from '../ui/icons.ts';
import { scalesOver } from '../ui/scales.ts';
import { roomWords as words } from '../words/room.ts';

/** What the room does about the answer that is being written, as one calm line; nothing while all is well. */
export function roomLine(app: App, { room, text, reasoning }: Live) {
  const line = room.at(-1);
  if (!line || line.kind === 'resumed') return nothing;
  const hasBegun = text !== '' || reasoning !== '';
  const paused = line.kind === 'paused';
  return html`<div class="line ${paused ? 'warn' : 'now'}" role="status">
    ${icon(paused ? 'pause' : 'moves')}
    <div>
      <p>${said(line, hasBegun)}</p>
      ${paused ? nothing : picture(app)}
      ${
        paused
          ? html`<div class="row">
              <a class="btn" href="#/room">${words.invite}</a>
              <a class="btn bare" href="#/models">${words.smaller}</a>
            </div>`
          : nothing
      }
    </div>
  </div>`;
}

function said(line: Exclude<RoomLine, { kind: 'resumed' }>, hasBegun: boolean): TemplateResult {
  switch (line.kind) {
    case 'suspected':
      return html`<b>${words.suspected(line.device)}</b> ${words.suspectedNote}`;
    case 'waiting':
      return html`${hasBegun && line.reason === 'loading' ? words.waitingBegun : words.waiting[line.reason]}`;
    case 'moved':
      return html`<b>${moved(line)}</b> ${words.movedNote}`;
    case 'paused':
      return line.missingBytes > 0
        ? html`<b>${words.pausedMissing(roughBytes(line.missingBytes))}</b> ${words.pausedNote}`
        : html`<b>${words.pausedApart}</b> ${words.pausedApartNote}`;
    default:
      return line satisfies never;
  }
}

function moved({ gone, devices }: Extract<RoomPast, { kind: 'moved' }>): string {
  // kept by a version that named one device
  const left = [gone ?? []].flat();
  const names = words.list(devices);
  return left.length === 0 ? words.moved(names) : words.movedFrom(words.list(left), left.length, names);
}

/** How far the layers are; the words say what is happening. */
function picture(app: App) {
  const model = roomModel(app.room.view.value);
  return model && model.phase !== 'ready' ? scalesOver(stageParts(model)) : nothing;
}

/** Troubles that are over, small, where the answer ends. */
export function roomPast(past: readonly RoomPast[]) {
  if (past.length === 0) return nothing;
  return html`<ul class="roompast">
    ${past.map((one) => html`<li>${icon(one.kind === 'paused' ? 'pause' : 'moves', true)}<span>${pastWords(one)}</span></li>`)}
  </ul>`;
}

function pastWords(past: RoomPast): string {
  switch (past.kind) {
    case 'moved':
      return moved(past);
    case 'silent':
      return words.past.silent(past.device);
    case 'paused':
      return past.missingBytes > 0 ? words.past.paused(roughBytes(past.missingBytes)) : words.past.pausedApart;
    default:
      return past satisfies never;
  }
}
