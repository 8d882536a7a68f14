import { html, nothing, type TemplateResult } from 'lit';
import type { Fit } from '../../worker/api.ts';
import type { App } from '../app.ts';
import type { Wanted } from '../state/models.ts';
import { count, roughBytes } from '../ui/format.ts';
import { button, state } from '../ui/parts.ts';
import { modelWords as words } from '../words/models.ts';

/** The verdict with its figures: what is to spare, what a shorter context would do, or the whole sum. */
export function fitWords(app: App, fit: Fit, layers: number, asked: number, about: string): TemplateResult {
  // what it would need says nothing where nothing is computed; why that is stands above the list
  if (!app.device.computes) return html`<span>${about}</span>`;
  if (fit.verdict === 'fits') {
    return html`${state('ok', words.spare(roughBytes(fit.budgetBytes - fit.totalBytes)))}
      <span>${words.needs(roughBytes(fit.totalBytes))} ${about}</span>`;
  }
  if (fit.verdict === 'shorter-context') {
    return html`${state('warn', words.shorter)}
      <span>
        ${asked > fit.contextTokens ? words.shorterNote(count(fit.contextTokens), roughBytes(fit.totalBytes)) : words.needs(roughBytes(fit.totalBytes))}
        ${about}
      </span>`;
  }
  const over = roughBytes(fit.totalBytes - fit.budgetBytes);
  const most = app.device.report.value?.maxBudgetBytes ?? fit.budgetBytes;
  return html`${state('bad', words.larger(over, fit.layersThatFit, layers))}
    <dl class="sum">
      ${line(words.sumWeights, fit.weightsBytes)} ${line(words.sumKv(count(fit.contextTokens)), fit.kvBytes)}
      ${line(words.sumScratch, fit.scratchBytes)}
      <div class="tot">
        <dt>${words.sumNeeds}</dt>
        <dd>${roughBytes(fit.totalBytes)}</dd>
      </div>
      ${line(words.sumGives, fit.budgetBytes)}
    </dl>
    <span>${fit.totalBytes <= most ? words.closeGap : words.noGap}</span>`;
}

/** Get, get with a shorter context, or a refusal whose reason stands beside it. */
export function fitAction(app: App, fit: Fit, wanted: Wanted, label: string): TemplateResult {
  if (fit.verdict === 'too-large' && app.device.computes) return refusal(words.doesNotFit);
  const shorter = fit.verdict === 'shorter-context';
  const text = shorter ? words.useContext(count(fit.contextTokens)) : label;
  const asked = shorter ? { ...wanted, contextTokens: fit.contextTokens } : wanted;
  return loadButton(app, text, () => void app.models.load(asked), { label: `${text}: ${wanted.name}` });
}

/** The button that gets or loads a model; where nothing computes, it says so instead. */
export function loadButton(
  app: App,
  text: string,
  load: () => void,
  options: Parameters<typeof button>[2] = {},
): TemplateResult {
  return app.device.computes ? button(text, load, options) : refusal(words.cannotRun);
}

function refusal(text: string): TemplateResult {
  return html`<button type="button" class="btn" aria-disabled="true">${text}</button>`;
}

function line(name: string, value: number) {
  return value > 0
    ? html`<div>
        <dt>${name}</dt>
        <dd>${roughBytes(value)}</dd>
      </div>`
    : nothing;
}
