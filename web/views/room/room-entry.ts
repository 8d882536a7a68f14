import { html, nothing, type TemplateResult } from 'lit';
import { customElement, property, state } from 'lit/decorators.js';
import type { App } from '../../app.ts';
import {
  keepName,
  MAX_NAME_CHARACTERS,
  plainName,
  readName,
  type WindowLocks,
  windowNumber,
  withWindow,
} from '../../state/device-name.ts';
import { fromAny } from '../../state/errors.ts';
import { icon } from '../../ui/icons.ts';
import { button, calmLine, setting } from '../../ui/parts.ts';
import { scalesOver } from '../../ui/scales.ts';
import { View } from '../../ui/view.ts';
import { roomWords as words } from '../../words/room.ts';
import { copyText } from './copy-text.ts';
import { scanInvite } from './scan-dialog.ts';

const EXAMPLE = [16, 12, 8].map((layers) => ({ layers, full: layers }));

let numbered: Promise<number> | undefined;
/** Asked once: the number is this window's for as long as it is open. */
function ownWindowNumber(): Promise<number> {
  numbered ??= windowNumber(navigator.locks as WindowLocks | undefined);
  return numbered;
}

/** Making a room, and the ways into one that there is; also what an opened invite leads to. */
@customElement('room-entry')
export class RoomEntry extends View {
  @property({ attribute: false }) app!: App;
  @state() private typedName: string | undefined;
  @state() private windowOfBrowser = 1;
  @state() private asksFirst = true;
  @state() private link = '';
  @state() private busy: 'make' | 'join' | undefined;
  @state() private failure: { readonly where: 'make' | 'join' | 'name'; readonly message: string } | undefined;

  protected watched() {
    const { room, router, device } = this.app;
    return [room.view, room.removed, room.server, router.invite, device.report];
  }

  /** A phone mostly joins: that way stands first there, and is read first. */
  readonly #isNarrow = matchMedia('(max-width: 959px)');
  readonly #onWidth = () => this.requestUpdate();

  override connectedCallback(): void {
    super.connectedCallback();
    this.#isNarrow.addEventListener('change', this.#onWidth);
    void ownWindowNumber().then((number) => {
      this.windowOfBrowser = number;
    });
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.#isNarrow.removeEventListener('change', this.#onWidth);
  }

  protected override render() {
    const invite = this.app.router.invite.value;
    return invite === undefined ? this.#ways() : this.#invited(invite);
  }

  #ways(): TemplateResult {
    const { room } = this.app;
    const make = this.#makingWay();
    const join = this.#joiningWay();
    return html`<div class="pagehead">
        <h1 tabindex="-1">${words.room}</h1>
        <p>${words.what}</p>
        <figure class="example">
          ${scalesOver(EXAMPLE)}
          <figcaption class="note quiet">${words.example}</figcaption>
        </figure>
      </div>
      ${
        room.removed.value
          ? calmLine(
              'warn',
              words.removed,
              button(words.understood, () => room.dismissRemoved(), { kind: 'bare' }),
            )
          : nothing
      }
      ${window.isSecureContext ? nothing : calmLine('bad', words.cannotMake)} ${this.#name()}
      <div class="ways two-ways">
        ${this.#isNarrow.matches ? [join, make] : [make, join]}
      </div>
      <p class="note privacy">${icon('lock', true)}<span>${words.privacy}</span></p>`;
  }

  #makingWay(): TemplateResult {
    const { room } = this.app;
    return html`<section class="way" aria-labelledby="make">
      <h2 id="make">${words.make}</h2>
      <p>${room.reach === 'network' ? words.makeNote : words.makeNoteLocal}</p>
      ${setting('ask-first', words.askFirst, words.askFirstNote, this.asksFirst, () => {
        this.asksFirst = !this.asksFirst;
      })}
      ${this.#failed('make')}
      <div class="row">
        ${button(words.make, () => void this.#make(), { kind: 'main', busy: this.busy === 'make' })}
      </div>
    </section>`;
  }

  #joiningWay(): TemplateResult {
    return html`<section class="way" aria-labelledby="join">
      <h2 id="join">${words.join}</h2>
      <p>${words.joinNote}</p>
      ${button(words.scan, () => void this.#scan(), { icon: 'scan' })} ${this.#paste()} ${this.#failed('join')}
    </section>`;
  }

  #invited(invite: string): TemplateResult {
    const { device, room, install } = this.app;
    const platform = device.report.value?.platform;
    const apple = platform === 'iphone' || platform === 'ipad' ? platform : undefined;
    const join = html`${this.#name()}${this.#failed('join')}
      <div class="row">
        ${button(words.joinGo, () => void this.#join(invite), { kind: 'main', busy: this.busy === 'join' })}
        ${button(words.notNow, () => this.app.router.invite.set(undefined), { kind: 'bare' })}
      </div>`;
    return html`<div class="pagehead">
        <h1 class="shown" tabindex="-1">${words.invited}</h1>
        <p>${device.computes ? words.invitedLead : words.invitedNoGpu}</p>
      </div>
      ${room.view.value ? calmLine('plain', words.inAnother) : nothing}
      ${
        apple && !install.installed
          ? html`<div class="ways two-ways">
              ${this.#installedFirst(words.platforms[apple], invite)}
              <section class="way" aria-labelledby="here">
                <h2 id="here">${words.hereTitle}</h2>
                <p>${words.hereLead}</p>
                ${join}
              </section>
            </div>`
          : html`<div class="single">${join}</div>`
      }
      <p class="note privacy">${icon('lock', true)}<span>${words.privacy}</span></p>`;
  }

  /** Another storage than Safari's: what is there need not be downloaded again. */
  #installedFirst(device: string, invite: string): TemplateResult {
    return html`<section class="way" aria-labelledby="installed">
      <h2 id="installed">${words.installedTitle(device)}</h2>
      <p>${words.installedLead}</p>
      <ol class="numbered">
        ${words.installedSteps.map((step) => html`<li>${step}</li>`)}
      </ol>
      <div class="row">${copyText(this.app.room.inviteLink(codeOf(invite)), words.copyLink)}</div>
    </section>`;
  }

  #name(): TemplateResult {
    const bad = this.failure?.where === 'name';
    return html`<div class="formrow">
      <label for="device-name">${words.name}</label>
      <div class="field ${bad ? 'bad' : ''}">
        <input
          id="device-name"
          type="text"
          maxlength=${MAX_NAME_CHARACTERS}
          autocomplete="off"
          spellcheck="false"
          aria-invalid=${bad ? 'true' : nothing}
          aria-describedby="device-name-note"
          .value=${this.#nameNow()}
          @input=${(event: Event) => {
            this.typedName = (event.target as HTMLInputElement).value;
            this.failure = undefined;
          }}
        />
      </div>
      <p class="note" id="device-name-note">${bad ? this.failure?.message : words.nameNote}</p>
    </div>`;
  }

  #paste(): TemplateResult {
    return html`<form class="formrow" @submit=${this.#onPaste}>
      <label class="vh" for="invite-link">${words.paste}</label>
      <div class="field">
        ${icon('link')}
        <input
          id="invite-link"
          type="text"
          inputmode="url"
          autocomplete="off"
          autocapitalize="off"
          spellcheck="false"
          enterkeyhint="go"
          placeholder=${words.pasteHint}
          .value=${this.link}
          @input=${(event: Event) => {
            this.link = (event.target as HTMLInputElement).value;
            this.failure = undefined;
          }}
        />
        <button class="btn bare" aria-busy=${this.busy === 'join' ? 'true' : nothing}>${words.joinGo}</button>
      </div>
    </form>`;
  }

  #failed(where: 'make' | 'join') {
    return this.failure?.where === where ? calmLine('bad', this.failure.message) : nothing;
  }

  #nameNow(): string {
    if (this.typedName !== undefined) return this.typedName;
    const { platform } = this.app.device.report.value ?? {};
    const usual = readName(localStorageOrNothing()) ?? plainName(platform, navigator.userAgent);
    return withWindow(usual, this.windowOfBrowser);
  }

  /** The name that goes in; undefined where there is none. */
  #takeName(): string | undefined {
    const name = this.#nameNow().trim();
    if (name === '') {
      this.failure = { where: 'name', message: words.nameMissing };
      this.querySelector<HTMLInputElement>('#device-name')?.focus();
      return undefined;
    }
    if (this.windowOfBrowser === 1 && this.typedName !== undefined) keepName(localStorageOrNothing(), name);
    return name;
  }

  async #make(): Promise<void> {
    const name = this.#takeName();
    if (name !== undefined) await this.#enter('make', () => this.app.room.make(name, this.asksFirst));
  }

  async #join(invite: string): Promise<void> {
    const name = this.#takeName();
    if (name !== undefined) await this.#enter('join', () => this.app.room.join(invite, name));
  }

  async #enter(where: 'make' | 'join', enter: () => Promise<void>): Promise<void> {
    if (this.busy) return;
    this.busy = where;
    this.failure = undefined;
    try {
      await enter();
      this.app.room.dismissRemoved();
      this.app.router.invite.set(undefined);
      this.dispatchEvent(new Event('entered'));
    } catch (error) {
      this.failure = { where, message: fromAny(error).message };
    } finally {
      this.busy = undefined;
    }
  }

  async #scan(): Promise<void> {
    const found = await scanInvite();
    if (found !== undefined) await this.#join(found);
  }

  #onPaste = (event: Event): void => {
    event.preventDefault();
    if (this.link.trim() !== '') void this.#join(this.link);
    else this.querySelector<HTMLInputElement>('#invite-link')?.focus();
  };
}

function codeOf(invite: string): string {
  return invite.replace(/^.*#\/join\//, '');
}

function localStorageOrNothing(): Storage | undefined {
  try {
    return localStorage;
  } catch {
    return undefined;
  }
}

declare global {
  interface HTMLElementTagNameMap {
    'room-entry': RoomEntry;
  }
}
