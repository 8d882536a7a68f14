import { html, nothing, type TemplateResult } from 'lit';
import type { RoomDevice, RoomModelView, RoomView } from '../../../worker/api.ts';
import type { App } from '../../app.ts';
import { isPreparing, stageParts } from '../../state/room-model.ts';
import { confirmWith } from '../../ui/confirm.ts';
import { bytesOf, roughBytes } from '../../ui/format.ts';
import { type IconName, icon } from '../../ui/icons.ts';
import { iconButton, meter } from '../../ui/parts.ts';
import { dart, scalesOver } from '../../ui/scales.ts';
import { roomWords as words } from '../../words/room.ts';

const SIGNS: Readonly<Partial<Record<RoomDevice['platform'], IconName>>> = {
  iphone: 'phone',
  android: 'phone',
  ipad: 'tablet',
};

/** The devices of the room, this one first: what each gives, what it holds, how it is. */
export function deviceCards(app: App, room: RoomView): TemplateResult {
  const { devices } = room;
  const here = devices.filter(({ presence }) => presence !== 'away').length;
  const computing = devices.filter(({ compute, presence }) => compute && presence !== 'away').length;
  const order = (device: RoomDevice) => rank(device) + firstLayer(room.models[0], device);
  const sorted = [...devices].sort((a, b) => order(a) - order(b) || (a.name < b.name ? -1 : 1));
  return html`<section class="panel ofdevices" aria-labelledby="devices">
    <div class="between">
      <h2 id="devices">${words.devicesTitle}</h2>
      <span class="note">${words.deviceCount(here, devices.length, computing)}</span>
    </div>
    <ul class="devs">
      ${sorted.map((device) => card(app, room, device))}
    </ul>
  </section>`;
}

/** This device, those that are here, those that are away. */
function rank({ own, presence }: RoomDevice): number {
  return own ? 0 : presence === 'away' ? 2 : 1;
}

/** Where its layers begin, as a share of the model; those without any come last. */
function firstLayer(model: RoomModelView | undefined, { device }: RoomDevice): number {
  const own = model?.stages.filter((stage) => stage.device === device) ?? [];
  const all = Math.max(1, ...(model?.stages.map(({ last }) => last) ?? []));
  return own.length > 0 ? Math.min(...own.map(({ first }) => first)) / (all + 1) : 0.999;
}

function card(app: App, room: RoomView, device: RoomDevice): TemplateResult {
  const { own, name, presence, platform } = device;
  const [model] = room.models;
  const kind = presence === 'joining' ? '' : words.platforms[platform];
  return html`<li class="dev ${presence === 'away' ? 'dim' : ''}">
    <div class="head">
      ${icon(SIGNS[platform] ?? 'laptop')}
      <div>
        <h3>${name}</h3>
        <div class="kind">${[own ? words.thisDevice : '', kind].filter(Boolean).join(', ')}</div>
      </div>
      ${stateOf(device, model)}
    </div>
    ${model ? holdsPicture(model, device) : nothing} ${memory(device)}
    <div class="foot">
      <p class="note">${model ? holdsWords(model, device) : noteOf(device)}</p>
      ${own ? nothing : iconButton('takeOut', words.remove(name), () => void remove(app, device))}
    </div>
  </li>`;
}

function stateOf({ device, presence }: RoomDevice, model: RoomModelView | undefined): TemplateResult {
  if (presence === 'away') return html`<span class="state">${icon('away', true)}${words.away}</span>`;
  if (presence === 'joining') return html`<span class="state warn">${words.joiningDevice}</span>`;
  const own = model?.stages.filter((stage) => stage.device === device) ?? [];
  if (own.some(({ phase }) => phase === 'loading')) {
    return html`<span class="state now">${dart}${words.loadingDevice}</span>`;
  }
  const computes = own.some(({ phase }) => phase === 'ready') && model?.phase === 'ready' && model.answers > 0;
  if (computes) return html`<span class="state now">${dart}${words.computing}</span>`;
  return html`<span class="state ok">${icon('check', true)}${words.here}</span>`;
}

/** All layers of the model, with those of this device full: the same place in each card. */
function holdsPicture(model: RoomModelView, { device }: RoomDevice) {
  const parts = stageParts(model);
  if (!parts.some(({ stage }) => stage.device === device)) return nothing;
  return scalesOver(
    parts.map((part) =>
      part.stage.device === device ? part : { layers: part.layers, full: 0, rest: 'none' as const },
    ),
  );
}

function memory({ name, compute, presence, budgetBytes, freeBytes }: RoomDevice) {
  if (!compute || presence === 'joining') return nothing;
  const taken = Math.max(0, budgetBytes - freeBytes);
  const said =
    taken === 0
      ? words.memoryAll(roughBytes(budgetBytes))
      : words.memoryFree(roughBytes(taken), roughBytes(budgetBytes));
  return html`<div class="mem">
    <div class="between">
      <span class="note quiet">${words.memory}</span>
      <span class="note num">${said}</span>
    </div>
    ${meter(`${words.memory}, ${name}`, budgetBytes > 0 ? taken / budgetBytes : 0, said)}
  </div>`;
}

function holdsWords(model: RoomModelView, device: RoomDevice): string {
  const parts = stageParts(model);
  const own = parts.filter(({ stage }) => stage.device === device.device);
  if (own.length === 0) return noteOf(device);
  return own
    .map((part) => {
      const { first, last, phase, doneBytes, totalBytes } = part.stage;
      const range = part.layers === 1 ? words.holdsOne(last) : words.holds(first + 1, last);
      const ends = words.holdsEnds[endsOf(part === parts[0], part === parts.at(-1))];
      const what = [range, ends].filter(Boolean).join(' ');
      if (phase === 'ready') return `${what}.`;
      if (isPreparing(part.stage)) return `${what}: ${words.stage.preparing}.`;
      if (phase === 'loading' && totalBytes > 0)
        return `${what}: ${words.stage.loading(bytesOf(doneBytes, totalBytes))}.`;
      return `${what}: ${phase === 'loading' ? words.loadingDevice.toLowerCase() : words.stage[phase]}.`;
    })
    .join(' ');
}

function endsOf(isFirst: boolean, isLast: boolean): keyof typeof words.holdsEnds {
  if (isFirst && isLast) return 'both';
  return isFirst ? 'first' : isLast ? 'last' : 'none';
}

function noteOf({ compute, presence }: RoomDevice): string {
  if (presence === 'joining') return words.joiningNote;
  if (presence === 'away') return `${words.awayNote} ${words.holdsNoneAway}`;
  return compute ? words.holdsNone : words.noCompute;
}

async function remove(app: App, { device, name }: RoomDevice): Promise<void> {
  if (await confirmWith(words.removeAsk(name), words.removeDo)) await app.room.remove(device);
}
