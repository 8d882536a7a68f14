import { html, nothing, type TemplateResult } from 'lit';
import type { RoomView } from '../../../worker/api.ts';
import type { App } from '../../app.ts';
import { icon } from '../../ui/icons.ts';
import { button, calmLine } from '../../ui/parts.ts';
import { roomWords as words } from '../../words/room.ts';

/** With these the same invite may work later; with the others it never does. */
const PASSING: readonly RoomView['refused'][] = ['denied', 'expired', 'busy', 'full', 'nobody-here'];

/** The way into a room: how far it is, and why it does not go on. */
export function joining(app: App, room: RoomView, useAnother: () => void): TemplateResult {
  const { refused } = room;
  const failure = app.room.failure.value;
  const canTryAgain = PASSING.includes(refused) && app.room.canTryAgain;
  const title = refused ? words.refused : room.phase === 'asking' ? words.asking : words.joining;
  return html`<div class="pagehead"><h1 class="shown" tabindex="-1">${title}</h1></div>
    ${refused ? refusal(refused) : steps(app, room)} ${!refused && failure ? calmLine('warn', failure.message) : nothing}
    <div class="row">
      ${canTryAgain ? button(words.tryAgain, () => void app.room.joinAgain(), { kind: 'main' }) : nothing}
      ${refused ? button(words.anotherInvite, useAnother, { kind: canTryAgain ? 'plain' : 'main' }) : nothing}
      ${button(words.stopJoining, () => void app.room.leave(), { kind: refused ? 'bare' : 'plain' })}
    </div>
    <p class="note privacy">${icon('lock', true)}<span>${words.privacy}</span></p>`;
}

function refusal(reason: NonNullable<RoomView['refused']>): TemplateResult {
  const [what, todo] = words.refusals[reason];
  return calmLine('bad', html`<b>${what}</b> ${todo}`);
}

function steps(app: App, room: RoomView): TemplateResult {
  const said = room.phase === 'asking' ? words.askingLead : saidOf(app);
  return html`<p class="leadline" role="status">${said}</p>`;
}

function saidOf(app: App): string {
  const connecting = app.room.connecting.value;
  if (!connecting) return words.joiningLead;
  if (connecting.signaling === 'connecting') return words.joiningServer;
  if (connecting.connections.some(({ state }) => state !== 'connecting')) return words.joiningFound;
  return connecting.connections.length > 0 ? words.joiningLead : words.joiningNobody;
}
