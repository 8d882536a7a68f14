import { html, nothing, type TemplateResult } from 'lit';
import type { App } from '../app.ts';
import { DEFAULT_SAMPLER, type Preferences } from '../state/preferences.ts';
import { button } from '../ui/parts.ts';
import { settingsWords as words } from '../words/settings.ts';

type Key = 'temperature' | 'topK' | 'topP' | 'minP' | 'repetitionPenalty';
interface Knob {
  readonly key: Key;
  readonly name: string;
  readonly note: string;
  readonly min: number;
  readonly max: number;
  readonly step: number;
}

const KNOBS: readonly Knob[] = [
  { key: 'temperature', name: words.temperature, note: words.temperatureNote, min: 0, max: 2, step: 0.05 },
  { key: 'topK', name: words.topK, note: words.topKNote, min: 0, max: 1000, step: 1 },
  { key: 'topP', name: words.topP, note: words.topPNote, min: 0.05, max: 1, step: 0.01 },
  { key: 'minP', name: words.minP, note: words.minPNote, min: 0, max: 1, step: 0.01 },
  { key: 'repetitionPenalty', name: words.repetition, note: words.repetitionNote, min: 0.5, max: 2, step: 0.01 },
];
const LARGEST_SEED = 4_294_967_295;

/** How the next token is chosen. */
export function samplingSettings(app: App): TemplateResult {
  const preferences = app.preferences.all.value;
  const usual =
    KNOBS.every(({ key }) => preferences.sampler[key] === DEFAULT_SAMPLER[key]) && preferences.seed === undefined;
  return html`<ul class="opts">
      ${KNOBS.map((knob) => knobRow(app, preferences, knob))}
      <li>
        <div>
          <h3><label for="seed">${words.seed}</label></h3>
          <p class="note" id="seednote">${words.seedNote}</p>
        </div>
        <div class="field short">
          <input
            id="seed"
            type="number"
            inputmode="numeric"
            min="0"
            max=${LARGEST_SEED}
            step="1"
            aria-describedby="seednote"
            placeholder=${words.seedEmpty}
            .value=${preferences.seed === undefined ? '' : String(preferences.seed)}
            @change=${(event: Event) => setSeed(app, event.target as HTMLInputElement)}
          />
        </div>
      </li>
    </ul>
    ${
      usual
        ? nothing
        : html`<div class="row">
            ${button(words.usualSampling, () => {
              app.preferences.change(({ seed: _seed, ...rest }) => ({ ...rest, sampler: DEFAULT_SAMPLER }));
            })}
          </div>`
    }`;
}

function knobRow(app: App, preferences: Preferences, { key, name, note, min, max, step }: Knob): TemplateResult {
  return html`<li>
    <div>
      <h3><label for=${key}>${name}</label></h3>
      <p class="note" id="${key}note">${note}</p>
    </div>
    <div class="field short">
      <input
        id=${key}
        type="number"
        inputmode="decimal"
        min=${min}
        max=${max}
        step=${step}
        aria-describedby="${key}note"
        .value=${String(preferences.sampler[key])}
        @change=${(event: Event) => {
          const input = event.target as HTMLInputElement;
          const value = within(input.valueAsNumber, min, max, DEFAULT_SAMPLER[key]);
          input.value = String(value);
          app.preferences.change((before) => ({ ...before, sampler: { ...before.sampler, [key]: value } }));
        }}
      />
    </div>
  </li>`;
}

function setSeed(app: App, input: HTMLInputElement): void {
  const value = input.valueAsNumber;
  app.preferences.change(({ seed: _seed, ...rest }) =>
    Number.isFinite(value) ? { ...rest, seed: within(Math.round(value), 0, LARGEST_SEED, 0) } : rest,
  );
}

/** The nearest value that is allowed; the usual one where there is no number. */
function within(value: number, min: number, max: number, usual: number): number {
  return Number.isFinite(value) ? Math.min(max, Math.max(min, value)) : usual;
}
