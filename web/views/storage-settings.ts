import { html, nothing, type TemplateResult } from 'lit';
import { styleMap } from 'lit/directives/style-map.js';
import type { StoredFile } from '../../worker/api.ts';
import type { App } from '../app.ts';
import { describeKept } from '../state/kept-name.ts';
import { confirmWith } from '../ui/confirm.ts';
import { bytes, bytesOf, roughBytes, unbroken } from '../ui/format.ts';
import { button, state } from '../ui/parts.ts';
import { modelWords } from '../words/models.ts';
import { PROBLEMS } from '../words/problems.ts';
import { settingsWords as words } from '../words/settings.ts';

/** What is kept, whether the browser promised to keep it, and the way to remove it. */
export function storageSettings(app: App): TemplateResult {
  const storage = app.device.storage.value;
  if (app.device.report.value?.problems.includes('no-storage')) {
    const { what, means, todo } = PROBLEMS['no-storage'];
    return html`<p>${state('warn', what)}</p><p class="note">${means} ${todo}</p>`;
  }
  if (!storage) return html`<p class="note" role="status">…</p>`;
  const { files, usedBytes, quotaBytes, persisted } = storage;
  const kept = files.reduce((sum, file) => sum + file.keptBytes, 0);
  return html`<div class="between wrap">
      <span><b class="figure">${roughBytes(usedBytes)}</b> <span class="note">${quotaBytes > 0 ? words.ofQuota(unbroken(roughBytes(quotaBytes))) : words.used}</span></span>
      ${persisted ? state('ok', words.persisted) : state('warn', words.notPersisted)}
    </div>
    ${bar(app, files, quotaBytes)}
    ${
      persisted
        ? nothing
        : html`<p class="note">${words.notPersistedNote}</p>
            <div class="row">${button(words.ask, () => void app.device.askToPersist())}</div>`
    }
    <ul class="opts">
      ${files.length === 0 ? html`<li><p class="note">${words.nothing}</p></li>` : nothing}
      ${files.map((file) => row(app, file))}
      <li>
        <div>
          <h3>${words.conversations(app.chats.list.value.length)}</h3>
          <p class="note">${words.conversationsNote}</p>
        </div>
      </li>
    </ul>
    ${
      files.length > 1
        ? html`<div class="row">${button(words.removeAll, () => void removeAll(app, files, kept), { kind: 'bad' })}</div>`
        : nothing
    }`;
}

function bar(app: App, files: readonly StoredFile[], quotaBytes: number): TemplateResult {
  const loadingKey = app.models.loading.value?.summary?.key;
  const share = (file: StoredFile) => `${(100 * file.keptBytes) / Math.max(1, quotaBytes)}%`;
  return html`<div class="stack" aria-hidden="true">
    ${files.map((file) => html`<i class=${file.key === loadingKey ? 'now' : ''} style=${styleMap({ width: share(file) })}></i>`)}
  </div>`;
}

function row(app: App, file: StoredFile): TemplateResult {
  const { name } = describeKept(app, file);
  const inUse = app.models.loaded.value?.summary.key === file.key ? `, ${words.inUse}` : '';
  const amount = file.complete
    ? words.whole(bytes(file.size), file.verified === 'origin')
    : (file.lookedAt ? words.lookedAt : words.part)(bytesOf(file.keptBytes, file.size));
  return html`<li>
    <div>
      <h3>${name}</h3>
      <p class="note">${amount}${inUse}</p>
    </div>
    ${button(words.remove, () => void remove(app, file, name), { kind: 'bare', label: words.removeName(name) })}
  </li>`;
}

async function remove(app: App, file: StoredFile, name: string): Promise<void> {
  if (await confirmWith(modelWords.removeAsk(name, bytes(file.keptBytes)), words.remove)) await app.models.remove(file);
}

async function removeAll(app: App, files: readonly StoredFile[], kept: number): Promise<void> {
  if (!(await confirmWith(words.removeAllAsk(bytes(kept)), words.removeAll))) return;
  for (const file of files) await app.models.remove(file);
}
