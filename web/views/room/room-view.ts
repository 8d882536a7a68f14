import { html, nothing, type TemplateResult } from 'lit';
import { customElement, property, state } from 'lit/decorators.js';
import type { RoomView as Room } from '../../../worker/api.ts';
import type { App } from '../../app.ts';
import { button } from '../../ui/parts.ts';
import { View } from '../../ui/view.ts';
import { roomWords as words } from '../../words/room.ts';
import { inRoom } from './in-room.ts';
import { joining } from './joining.ts';
import './room-entry.ts';
import type { ByHand } from './room-model-panel.ts';

interface Page {
  readonly title: string;
  readonly content: TemplateResult;
  /** Whether the way to the invite stands at the top. */
  readonly invites?: boolean;
}

/** The room of this window: how to get into one, the way in, and what is there. */
@customElement('room-view')
export class RoomPage extends View {
  @property({ attribute: false }) app!: App;
  @state() private wantsAnother = false;
  @state() private laysByHand = false;

  protected watched() {
    const { room, router, device, models, preferences, settled } = this.app;
    return [
      ...[room.view, room.failure, room.connecting, room.removed, room.server, router.invite],
      ...[device.report, models.loaded, preferences.all, settled],
    ];
  }

  override connectedCallback(): void {
    super.connectedCallback();
    void this.app.room.readServer();
  }

  protected override render() {
    const { title, content, invites = false } = this.#page(this.app.room.view.value);
    return html`<header class="top">
        <div class="grow"><div class="title" aria-hidden="true">${title}</div></div>
        ${invites ? button(words.invite, () => this.#toInvite(), { kind: 'bare', icon: 'scan' }) : nothing}
      </header>
      <main class="page roompage" id="content" tabindex="-1">${content}</main>`;
  }

  /** A phone has the invite further down. */
  #toInvite(): void {
    this.querySelector('#invite')?.scrollIntoView({ block: 'start' });
    this.querySelector<HTMLElement>('#invite-title')?.focus({ preventScroll: true });
  }

  #byHand(): ByHand {
    const set = async (open: boolean) => {
      this.laysByHand = open;
      await this.updateComplete;
      this.querySelector<HTMLElement>(open ? '#byhand-title' : '#by-hand')?.focus();
    };
    return { open: this.laysByHand, set: (open) => void set(open) };
  }

  /** An invite to the room that the window is in, or came back to by itself, says nothing new. */
  protected override updated(): void {
    const { invite } = this.app.router;
    const room = this.app.room.view.value;
    if (room?.phase === 'in' && invite.value?.endsWith(`/${room.invite}`)) invite.set(undefined);
  }

  #page(room: Room | undefined): Page {
    const { invite } = this.app.router;
    if (!this.app.settled.value)
      return { title: words.room, content: html`<h1 class="vh" tabindex="-1">${words.room}</h1>` };
    if (invite.value !== undefined || this.wantsAnother || room === undefined) {
      const title = invite.value === undefined ? words.room : words.join;
      const done = () => {
        this.wantsAnother = false;
      };
      return { title, content: html`<room-entry .app=${this.app} @entered=${done}></room-entry>` };
    }
    if (room.phase !== 'in') {
      const another = () => {
        this.wantsAnother = true;
      };
      return { title: words.joining, content: joining(this.app, room, another) };
    }
    return { title: words.room, content: inRoom(this.app, room, this.#byHand()), invites: true };
  }
}

declare global {
  interface HTMLElementTagNameMap {
    'room-view': RoomPage;
  }
}
