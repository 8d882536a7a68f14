import { html, nothing, type TemplateResult } from 'lit';
import type { RoomView } from '../../../worker/api.ts';
import type { App } from '../../app.ts';
import { icon } from '../../ui/icons.ts';
import { button, setting } from '../../ui/parts.ts';
import { qrCode } from '../../ui/qr-code.ts';
import { roomWords as words } from '../../words/room.ts';
import { copyText } from './copy-text.ts';

/** How another device comes in. A code is shown only where another device can open what it says. */
export function invitePanel(app: App, room: RoomView): TemplateResult {
  const { invite } = room;
  return html`<section class="invite" id="invite" aria-labelledby="invite-title">
    <h2 id="invite-title" tabindex="-1">${words.invite}</h2>
    ${invite === undefined ? html`<p class="note">${words.noInvite}</p>` : ways(app, invite, room.devices.length < 2)}
    ${setting(
      'room-ask-first',
      words.askFirst,
      room.askFirst ? words.inviteAsks : words.inviteOpen,
      room.askFirst,
      () => void app.room.setAskFirst(!room.askFirst),
    )}
  </section>`;
}

function ways(app: App, invite: string, alone: boolean): TemplateResult | typeof nothing {
  // what the server answers decides which address is right
  if (app.room.server.value === undefined) return nothing;
  const link = app.room.inviteLink(invite);
  if (app.room.reach === 'this-computer') return thisComputer(link, alone);
  return html`${qrCode(link, words.qrLabel)}
    <div class="inviteside">
      <p class="note">${words.inviteNote}</p>
      <div class="row pair">${copyText(link, words.copyLink)} ${shareButton(link)}</div>
    </div>
    <p class="note quiet">${words.keyNote}</p>
    ${steps(app)}`;
}

function thisComputer(link: string, alone: boolean): TemplateResult {
  return html`<div class="localonly">
    <p><b>${words.localTitle}</b></p>
    <p class="note">${words.localNote} <code>${words.localCommand}</code> ${words.localRest}</p>
    <div class="row pair">
      <a class="btn ${alone ? 'main' : ''}" href=${link} target="_blank" rel="noopener">${words.secondWindow}</a>
      ${copyText(link, words.copyLink)}
    </div>
  </div>`;
}

function shareButton(link: string) {
  if (!('share' in navigator)) return nothing;
  // put away without choosing: nothing to say
  const share = () => void navigator.share({ title: words.shareTitle, url: link }).catch(() => {});
  return button(words.share, share, { icon: 'share' });
}

/** A phone trusts the server's certificate first; it has no address of the app that it could open before. */
function steps(app: App) {
  const address = app.room.server.value?.steps;
  if (address === undefined) return nothing;
  return html`<details class="steps">
    <summary>${icon('right', true)}<span>${words.stepsTitle}</span></summary>
    <p class="note">${words.stepsNote}</p>
    <a class="link" href=${address} target="_blank" rel="noopener">${address}</a>
  </details>`;
}
