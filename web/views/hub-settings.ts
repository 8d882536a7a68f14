import { html, nothing } from 'lit';
import { customElement, property, state } from 'lit/decorators.js';
import type { App } from '../app.ts';
import { HUB_BASE_URL, type Preferences } from '../state/preferences.ts';
import { button } from '../ui/parts.ts';
import { View } from '../ui/view.ts';
import { settingsWords as words } from '../words/settings.ts';
import { hostOf } from './hub-line.ts';

/** The hub or a mirror of it, and the token that goes there and nowhere else. */
@customElement('hub-settings')
export class HubSettings extends View {
  @property({ attribute: false }) app!: App;
  @state() private badAddress = false;

  protected watched() {
    return [this.app.preferences.all];
  }

  protected override render() {
    const { hubBaseUrl, hubToken } = this.app.preferences.all.value;
    return html`<div class="formrow">
        <label for="hubaddress">${words.hubUrl}</label>
        <div class="field ${this.badAddress ? 'bad' : ''}">
          <input
            id="hubaddress"
            type="url"
            inputmode="url"
            autocomplete="off"
            autocapitalize="off"
            spellcheck="false"
            aria-invalid=${this.badAddress ? 'true' : 'false'}
            aria-describedby=${this.badAddress ? 'hubbad' : nothing}
            .value=${hubBaseUrl}
            @change=${this.#onAddress}
          />
        </div>
        ${this.badAddress ? html`<p class="state bad" id="hubbad" role="alert">${words.hubUrlBad}</p>` : nothing}
        ${
          hubBaseUrl === HUB_BASE_URL
            ? nothing
            : html`<div class="row">${button(words.hubUsual, () => this.#change({ hubBaseUrl: HUB_BASE_URL, hubToken: '' }))}</div>`
        }
      </div>
      <div class="formrow">
        <label for="hubtoken">${words.token}</label>
        <div class="field">
          <input
            id="hubtoken"
            type="password"
            autocomplete="off"
            spellcheck="false"
            aria-describedby="tokennote"
            .value=${hubToken}
            @change=${(event: Event) => this.#change({ hubToken: (event.target as HTMLInputElement).value.trim() })}
          />
        </div>
        <p class="note" id="tokennote">${words.tokenNote(hostOf(hubBaseUrl))}</p>
      </div>`;
  }

  #onAddress = (event: Event): void => {
    const typed = (event.target as HTMLInputElement).value.trim().replace(/\/+$/, '');
    const address = typed === '' ? HUB_BASE_URL : typed;
    this.badAddress = !/^https?:\/\//i.test(address) || !URL.canParse(address);
    if (this.badAddress) return;
    const before = this.app.preferences.all.value.hubBaseUrl;
    // a token was given for one origin: another one does not get it
    const moved = new URL(address).origin !== new URL(before).origin;
    this.#change(moved ? { hubBaseUrl: address, hubToken: '' } : { hubBaseUrl: address });
  };

  #change(change: Partial<Pick<Preferences, 'hubBaseUrl' | 'hubToken'>>): void {
    this.badAddress = false;
    this.app.preferences.change((before) => ({ ...before, ...change }));
    this.app.models.hub.set('unknown');
    void this.app.device.applySettings();
  }
}
