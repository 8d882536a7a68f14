import { html, nothing } from 'lit';
import type { App } from '../app.ts';
import { roughBytes } from '../ui/format.ts';
import { button, calmLine } from '../ui/parts.ts';
import { modelWords as words } from '../words/models.ts';

/** The system closed the page while a model was loading: says so, and leaves the next step to the person. */
export function interruptedLine(app: App) {
  const interrupted = app.device.report.value?.interrupted;
  if (!interrupted || app.models.loaded.value || app.models.loading.value) return nothing;
  const { model, budgetBefore, budgetNow } = interrupted;
  const last = app.preferences.all.value.lastModel;
  const file = app.device.storage.value?.files.find((kept) => kept.complete && kept.key === last?.key);
  return calmLine(
    'warn',
    budgetNow < budgetBefore
      ? words.interrupted(model, roughBytes(budgetBefore), roughBytes(budgetNow))
      : words.interruptedAgain(model),
    html`${
      file && last && app.device.computes
        ? button(words.tryAgain(last.name), () => {
            void app.models.load({ name: last.name, source: { kind: 'stored', key: file.key } });
          })
        : nothing
    }<a class="btn bare" href="#/settings/memory">${words.memorySetting}</a>`,
  );
}
