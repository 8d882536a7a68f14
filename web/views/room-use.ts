import { html, nothing, type TemplateResult } from 'lit';
import type { ModelSource } from '../../worker/api.ts';
import type { App } from '../app.ts';
import { roomMemory } from '../state/room-model.ts';
import { roughBytes } from '../ui/format.ts';
import { button, state } from '../ui/parts.ts';
import { roomWords as words } from '../words/room.ts';

/** A row of the models page, as the room would take it. */
export interface RoomUse {
  readonly row: string;
  readonly name: string;
  /** Absent for a file that the other devices cannot get. */
  readonly source?: () => Promise<ModelSource>;
  /** What it needs, as far as that is known before it is laid out. */
  readonly totalBytes?: number;
}

/** This window is a member of a room. */
export function isInRoom(app: App): boolean {
  return app.room.view.value?.phase === 'in';
}

/** Offers a model to the room, beside this device; nothing outside of a room. */
export function roomButton(app: App, use: RoomUse) {
  const { source, totalBytes = 0 } = use;
  const room = app.room.view.value;
  if (!isInRoom(app) || !room || source === undefined) return nothing;
  const { devices, budgetBytes } = roomMemory(room);
  if (devices === 0 || totalBytes > budgetBytes) return nothing;
  const placing = app.room.placing.value;
  const busy = placing?.row === use.row && !placing.failure;
  return button(words.use, () => void start(app, use, source), { label: `${words.use}: ${use.name}`, busy });
}

/** What is to be known of it in the room: that it fits there alone, is too large there too, or why it was not taken. */
export function roomNote(app: App, use: RoomUse, fitsHere: boolean): TemplateResult | typeof nothing {
  const room = app.room.view.value;
  if (!isInRoom(app) || !room) return nothing;
  const placing = app.room.placing.value;
  if (placing?.row === use.row) {
    if (placing.failure) return html`<span role="alert">${state('bad', placing.failure.message)}</span>`;
    return html`<span role="status">${words.placing}</span>`;
  }
  if (use.source === undefined) return html`<span>${words.pickedOnly}</span>`;
  const { devices, budgetBytes } = roomMemory(room);
  if (devices === 0 || use.totalBytes === undefined || fitsHere) return nothing;
  return use.totalBytes > budgetBytes
    ? state('bad', words.shortBy(roughBytes(use.totalBytes - budgetBytes)))
    : state('ok', words.fitsRoom);
}

/** What the room's devices give together, for the head of the models page. */
export function roomGives(app: App) {
  const room = app.room.view.value;
  if (!isInRoom(app) || !room) return nothing;
  const { devices, freeBytes } = roomMemory(room);
  return html`<p>${devices === 0 ? words.noModelNobody : `${words.gives(roughBytes(freeBytes), devices)}.`}</p>`;
}

async function start(app: App, { row, name }: RoomUse, source: () => Promise<ModelSource>): Promise<void> {
  if (app.room.placing.value && !app.room.placing.value.failure) return;
  const { contextTokens } = app.preferences.all.value;
  if (await app.room.use(row, name, source, contextTokens)) app.router.go({ view: 'room' });
}
