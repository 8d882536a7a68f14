/** Small pieces that several views are made of. */
import { html, nothing, type TemplateResult } from 'lit';
import { styleMap } from 'lit/directives/style-map.js';
import { type IconName, icon } from './icons.ts';

export type Tone = 'ok' | 'warn' | 'bad' | 'now' | 'sea' | 'plain';

const TONE_ICON: Readonly<Partial<Record<Tone, IconName>>> = {
  ok: 'check',
  sea: 'check',
  warn: 'warn',
  bad: 'warn',
  plain: 'info',
};

/** A state in words, with its sign. */
export function state(tone: Tone, words: string | TemplateResult): TemplateResult {
  const sign = TONE_ICON[tone];
  return html`<span class="state ${tone}">${sign ? icon(sign, true) : nothing}<span>${words}</span></span>`;
}

interface ButtonOptions {
  readonly kind?: 'main' | 'plain' | 'bare' | 'bad';
  readonly icon?: IconName;
  readonly label?: string;
  readonly busy?: boolean;
  readonly id?: string;
}

export function button(words: string, onClick: () => void, options: ButtonOptions = {}): TemplateResult {
  const { kind = 'plain', label, busy = false, id } = options;
  return html`<button
    type="button"
    class="btn ${kind}"
    id=${id ?? nothing}
    aria-label=${label ?? nothing}
    aria-busy=${busy ? 'true' : nothing}
    @click=${onClick}
  >
    ${options.icon ? icon(options.icon) : nothing}${words}
  </button>`;
}

export function iconButton(name: IconName, label: string, onClick: () => void, refused = false): TemplateResult {
  return html`<button
    type="button"
    class="ib"
    aria-label=${label}
    title=${label}
    aria-disabled=${refused ? 'true' : nothing}
    @click=${refused ? nothing : onClick}
  >
    ${icon(name)}
  </button>`;
}

interface Choice<T> {
  readonly value: T;
  readonly words: string;
}

/** One of a few. */
export function segmented<T>(
  label: string,
  choices: readonly Choice<T>[],
  chosen: T,
  choose: (value: T) => void,
): TemplateResult {
  return html`<div class="seg" role="group" aria-label=${label}>
    ${choices.map(
      ({ value, words }) =>
        html`<button type="button" aria-pressed=${value === chosen ? 'true' : 'false'} @click=${() => choose(value)}>
          ${words}
        </button>`,
    )}
  </div>`;
}

/** Something that is on or off, with what that means. @param id of its words, one in the page */
export function setting(id: string, words: string, note: string, isOn: boolean, toggle: () => void): TemplateResult {
  return html`<div class="setting">
    <div>
      <span id=${id}>${words}</span>
      <p class="note">${note}</p>
    </div>
    <button
      type="button"
      class="switch"
      role="switch"
      aria-checked=${isOn ? 'true' : 'false'}
      aria-labelledby=${id}
      @click=${toggle}
    ></button>
  </div>`;
}

/** A share of a whole as a bar. */
export function meter(label: string, share: number, words: string, className = ''): TemplateResult {
  const percent = Math.round(Math.min(1, Math.max(0, share)) * 100);
  return html`<div
    class="bar ${className}"
    role="meter"
    aria-label=${label}
    aria-valuemin="0"
    aria-valuemax="100"
    aria-valuenow=${percent}
    aria-valuetext=${words}
  >
    <i style=${styleMap({ width: `${percent}%` })}></i>
  </div>`;
}

/** Trouble or news as one calm line with its next step. */
export function calmLine(
  tone: 'now' | 'plain' | 'warn' | 'bad',
  words: string | TemplateResult,
  actions: TemplateResult | typeof nothing = nothing,
): TemplateResult {
  const sign: IconName = tone === 'plain' ? 'info' : tone === 'now' ? 'again' : 'warn';
  return html`<div class="line ${tone}" role=${tone === 'bad' ? 'alert' : 'status'}>
    ${icon(sign)}
    <div><p>${words}</p>${actions === nothing ? nothing : html`<div class="row">${actions}</div>`}</div>
  </div>`;
}
