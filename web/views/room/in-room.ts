import { html, nothing, type TemplateResult } from 'lit';
import { repeat } from 'lit/directives/repeat.js';
import type { RoomView } from '../../../worker/api.ts';
import type { App } from '../../app.ts';
import { confirmWith } from '../../ui/confirm.ts';
import { icon } from '../../ui/icons.ts';
import { button, calmLine } from '../../ui/parts.ts';
import { roomWords as words } from '../../words/room.ts';
import { deviceCards } from './device-cards.ts';
import { invitePanel } from './invite-panel.ts';
import { type ByHand, roomModelPanel } from './room-model-panel.ts';

/** A room from the inside: who asks, the model over the devices, how to bring another one, the devices. */
export function inRoom(app: App, room: RoomView, byHand: ByHand): TemplateResult {
  return html`<div class="pagehead">
      <h1 tabindex="-1">${words.room}</h1>
      <p>${saidOf(room)}</p>
      <div class="row">
        <a class="btn ${room.models.length === 0 && room.devices.length > 1 ? 'main' : ''}" href="#/models">
          ${room.models.length === 0 ? words.chooseModel : words.changeModel}
        </a>
        ${button(words.leave, () => void leave(app, room), { kind: 'bare' })}
      </div>
    </div>
    ${asks(app, room)} ${troubles(app, room)}
    <div class="two">${repeat(
      panels(app, room, byHand),
      ([name]) => name,
      ([, panel]) => panel,
    )}</div>
    <p class="note privacy">${icon('lock', true)}<span>${words.privacy}</span></p>`;
}

/** In the order in which a phone shows them: the invite comes before the devices until there is a model to look at. */
function panels(app: App, room: RoomView, byHand: ByHand): readonly (readonly [string, TemplateResult])[] {
  const model = ['model', roomModelPanel(app, room, byHand)] as const;
  const devices = ['devices', deviceCards(app, room)] as const;
  const invite = ['invite', invitePanel(app, room)] as const;
  return room.models.length > 0 ? [model, devices, invite] : [model, invite, devices];
}

function saidOf({ models, devices }: RoomView): string {
  const [model] = models;
  if (!model) return devices.length < 2 ? words.alone : words.together(devices.length);
  const count = new Set(model.stages.map(({ device }) => device)).size;
  const said =
    model.phase === 'ready'
      ? words.runs(model.name, count)
      : model.phase === 'loading'
        ? words.loads(model.name, count)
        : words.broke(model.name);
  return model.answers > 0 ? `${said} ${words.writing(model.answers)}` : said;
}

function asks(app: App, { asking }: RoomView) {
  if (asking.length === 0) return nothing;
  return html`<div class="asks">
    ${asking.map(
      ({ device, name }) =>
        html`<div class="ask">
          ${icon('room')}
          <p><b>${words.asks(name)}</b> ${words.asksNote}</p>
          <div class="row">
            ${button(words.allow, () => void app.room.answerAsking(device, true), {
              kind: 'main',
              label: `${words.allow}: ${name}`,
            })}
            ${button(words.refuse, () => void app.room.answerAsking(device, false), { label: `${words.refuse}: ${name}` })}
          </div>
        </div>`,
    )}
  </div>`;
}

function troubles(app: App, { trouble }: RoomView) {
  const tried = app.room.failure.value;
  // that a device is away is told where the devices are
  const failure = tried?.stage === 'signaling' && tried.address !== undefined ? undefined : tried;
  const lost = app.room.connecting.value?.signaling === 'lost';
  if (!trouble && !failure && !lost) return nothing;
  return html`<div class="troubles">
    ${trouble ? calmLine('warn', trouble) : nothing} ${failure && !lost ? calmLine('plain', failure.message) : nothing}
    ${lost ? calmLine('plain', words.signalingLost) : nothing}
  </div>`;
}

async function leave(app: App, room: RoomView): Promise<void> {
  const own = room.models.flatMap(({ stages }) => stages.filter(({ device }) => device === room.self));
  const held = words.list(own.map(({ first, last }) => words.layers(first + 1, last)));
  if (await confirmWith(own.length > 0 ? words.leaveAskHolds(held) : words.leaveAsk, words.leave))
    await app.room.leave();
}
