import { html, nothing, type TemplateResult } from 'lit';
import type { App } from '../app.ts';
import { STARTER_BYTES, type StarterState } from '../state/starter.ts';
import { bytesOf } from '../ui/format.ts';
import { button, calmLine, meter } from '../ui/parts.ts';
import { modelWords as words } from '../words/models.ts';

const STARTER_FILE = /smollm2-135m/i;

/** Shown when the hub cannot be reached: what still works, and the small model that the app's server can fetch. */
export function hubLine(app: App) {
  if (app.models.hub.value !== 'unreachable' || !app.device.computes) return nothing;
  const down = navigator.onLine ? words.hubDown(hostOf(app.preferences.all.value.hubBaseUrl)) : words.offline;
  return html`<div class="hubline">
    ${calmLine('warn', html`<b>${down}</b> ${words.hubDownRest}`, html`${button(words.askAgain, () => void probeAgain(app))}<a class="btn bare" href="#/settings/hub">${words.mirror}</a>`)}
    ${starterOffer(app)}
  </div>`;
}

async function probeAgain(app: App): Promise<void> {
  const [entry] = app.models.catalogue.value;
  if (entry) await app.models.probeHub(entry.id);
}

function starterOffer(app: App) {
  const state = app.starter.state.value;
  if (!state || isHere(app)) return nothing;
  return html`<div class="starter">
    <div>
      <h3>${words.starterName}</h3>
      <p class="note">${words.starterHonest}</p>
    </div>
    ${starterState(app, state)}
  </div>`;
}

function starterState(app: App, state: StarterState): TemplateResult {
  if (state.state === 'fetching') {
    const done = state.doneBytes ?? 0;
    const amount = words.starterFetching(bytesOf(done, STARTER_BYTES));
    return html`<div class="grow">
      ${meter(words.starterName, done / STARTER_BYTES, amount, 'now')}
      <p class="note" role="status">${amount}</p>
    </div>`;
  }
  const failed = state.state === 'failed';
  return html`<p class="grow">${failed ? words.starterFailed(state.message ?? '') : words.starter}</p>
    ${button(failed ? words.again : words.starterGet, () => void fetchStarter(app), { kind: 'main' })}`;
}

async function fetchStarter(app: App): Promise<void> {
  const known = app.starter.state.value;
  const state = known?.state === 'ready' ? known : await app.starter.fetch();
  if (state?.state !== 'ready') return;
  await app.models.readServed();
  const model = app.models.served.value.find(({ file }) => file === state.file || STARTER_FILE.test(file));
  if (!model) return;
  app.router.go({ view: 'models' });
  await app.models.load({ name: words.starterName, source: { kind: 'server', file: model.file } });
}

/** Kept, on its way, or in the server's folder already, where it has a row. */
function isHere(app: App): boolean {
  const kept = app.device.storage.value?.files.some((file) => STARTER_FILE.test(file.name));
  const served = app.models.served.value.some(({ file }) => STARTER_FILE.test(file));
  const loading = app.models.loading.value?.source;
  return kept === true || served || (loading?.kind === 'server' && STARTER_FILE.test(loading.file));
}

export function hostOf(address: string): string {
  return URL.canParse(address) ? new URL(address).host : address;
}
