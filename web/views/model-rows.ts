/** The rows of the models page, one function a kind. */
import { html, nothing, type TemplateResult } from 'lit';
import type {
  CatalogueEntry,
  LoadedModel,
  ModelSource,
  ModelSummary,
  ServerModel,
  StoredFile,
} from '../../worker/api.ts';
import type { App } from '../app.ts';
import { describeKept } from '../state/kept-name.ts';
import { loadingProgress } from '../state/loading-progress.ts';
import { type Loading, loadingKey, type Wanted } from '../state/models.ts';
import { confirmWith } from '../ui/confirm.ts';
import { bytes, bytesOf, count, percent, progressLine, roughBytes } from '../ui/format.ts';
import { button, iconButton, meter, state } from '../ui/parts.ts';
import { scales } from '../ui/scales.ts';
import { modelWords as words } from '../words/models.ts';
import { shellWords } from '../words/shell.ts';
import { errorActions } from './error-actions.ts';
import { fitAction, fitWords, loadButton } from './fit-words.ts';
import { isInRoom, type RoomUse, roomButton, roomNote } from './room-use.ts';

const SMALL_MARK = 4.6;

interface RowParts {
  readonly name: string;
  readonly sub: string;
  readonly layers?: number;
  readonly layersFit?: number;
  readonly act: TemplateResult | typeof nothing;
  readonly why?: TemplateResult | typeof nothing;
  readonly progress?: TemplateResult;
  readonly tall?: boolean;
}

function row({ name, sub, layers, layersFit, act, why, progress, tall }: RowParts): TemplateResult {
  const picture =
    layers && !progress
      ? scales({
          layers,
          full: layersFit ?? layers,
          pixelsALayer: SMALL_MARK,
          label: layersFit === undefined ? words.layers(layers) : words.layersFit(layersFit, layers),
        })
      : nothing;
  return html`<li class=${tall ? 'tall' : ''}>
    <div>
      <h3>${name}</h3>
      <div class="note quiet">${sub}</div>
      ${picture === nothing ? nothing : html`<div class="m-layers">${picture}</div>`}
    </div>
    <div class="m-act">${act}</div>
    ${progress ? html`<div class="m-prog">${progress}</div>` : html`<div class="m-fit"><div class="m-why">${why ?? nothing}</div></div>`}
  </li>`;
}

/** What stands under a name: the quantization, where the name does not tell it, and the size. */
function beside(name: string, quantization: string | undefined, size: number | undefined): string {
  const shown = quantization && !name.endsWith(quantization) ? quantization : undefined;
  return [shown, size === undefined ? undefined : bytes(size)].filter(Boolean).join(', ');
}

export function catalogueRow(app: App, entry: CatalogueEntry): TemplateResult {
  const large = entry.fit.verdict === 'too-large' && app.device.computes;
  const wanted = { name: entry.name, entry: entry.id };
  const use = {
    ...{ row: entry.id, name: entry.name, totalBytes: entry.fit.totalBytes },
    source: () => app.models.find(entry.id),
  };
  return row({
    name: entry.name,
    sub: beside(entry.name, entry.quantization, entry.downloadBytes),
    layers: entry.layers,
    ...(large ? { layersFit: entry.fit.layersThatFit } : {}),
    act: withRoom(app, use, fitAction(app, entry.fit, wanted, words.get(bytes(entry.downloadBytes))), !large),
    why: html`${roomNote(app, use, !large && app.device.computes)}
    ${fitWords(app, entry.fit, entry.layers, entry.contextTokens, entry.about)}`,
    tall: large,
  });
}

/** The two ways to use a model in a room. Where this device cannot, the room's way stands alone. */
function withRoom(app: App, use: RoomUse, act: TemplateResult, possibleHere: boolean): TemplateResult {
  if (!isInRoom(app)) return act;
  const room = roomButton(app, use);
  if (room === nothing) return act;
  return html`<div class="m-both">${possibleHere && app.device.computes ? act : nothing}${room}</div>`;
}

/** A model whose header was read: from an address, a file or the hub. */
export function inspectedRow(app: App, summary: ModelSummary): TemplateResult {
  const missing = summary.fileBytes - summary.keptBytes;
  const isFile = summary.source.kind === 'picked';
  const label = missing <= 0 || isFile ? words.load : words.get(bytes(missing));
  const { contextTokens } = app.preferences.all.value;
  const large = summary.fit.verdict === 'too-large' && app.device.computes;
  const use = {
    ...{ row: summary.key, name: summary.name, totalBytes: summary.fit.totalBytes },
    ...(isFile ? {} : { source: async () => summary.source }),
  };
  return row({
    name: summary.name,
    sub: beside(summary.name, summary.quantization, summary.fileBytes),
    layers: summary.layers,
    ...(large ? { layersFit: summary.fit.layersThatFit } : {}),
    act: withRoom(
      app,
      use,
      fitAction(app, summary.fit, { name: summary.name, source: summary.source, key: summary.key }, label),
      !large,
    ),
    why: html`${roomNote(app, use, !large && app.device.computes)}
    ${fitWords(app, summary.fit, summary.layers, contextTokens, parametersWords(summary.parameters))}`,
    tall: large,
  });
}

export function servedRow(app: App, model: ServerModel): TemplateResult {
  const { name } = model;
  const source: ModelSource = { kind: 'server', file: model.file };
  const use = { row: model.file, name, source: async () => source };
  const load = loadButton(app, words.load, () => start(app, { name, source }), { label: `${words.load} ${name}` });
  return row({
    name,
    sub: `${model.file}, ${bytes(model.bytes)}`,
    act: withRoom(app, use, load, true),
    why: html`${roomNote(app, use, true)} ${model.note ? html`<span>${sentence(model.note)}</span>` : nothing}`,
  });
}

export function storedRow(app: App, file: StoredFile): TemplateResult {
  const known = describeKept(app, file);
  const loaded = app.models.loaded.value;
  const isLoaded = loaded?.summary.key === file.key;
  const { name } = known;
  const parts = {
    name,
    sub: beside(name, known.quantization, file.size),
    ...(known.layers ? { layers: known.layers } : {}),
  };
  const removal = iconButton('bin', words.remove(name), () => void remove(app, file, name));
  const source = sourceOf(file);
  const use = { row: file.key, name, ...(source ? { source: async () => source } : {}) };
  if (isLoaded && loaded) {
    const { contextTokens } = app.preferences.all.value;
    const other = loaded.contextTokens < contextTokens && loaded.contextTokens < loaded.summary.trainedContextTokens;
    return row({
      ...parts,
      act: html`${removal}${withRoom(app, use, html`<a class="btn main" href="#/chat">${words.chat}</a>`, true)}`,
      why: html`${roomNote(app, use, true)} ${state('ok', words.ready)}
        <span>${words.readyFor(count(loaded.contextTokens), roughBytes(loaded.allocatedBytes))}</span>
        ${loaded.warning ? html`<span>${loaded.warning}</span>` : nothing}
        ${
          other
            ? html`<span>
                ${button(
                  words.loadWith(count(contextTokens)),
                  () => start(app, { name, source: { kind: 'stored', key: file.key } }),
                  { kind: 'bare' },
                )}
              </span>`
            : nothing
        }`,
    });
  }
  if (file.complete) {
    return row({
      ...parts,
      act: html`${removal}${withRoom(
        app,
        use,
        loadButton(app, words.load, () => start(app, { name, source: { kind: 'stored', key: file.key } }), {
          label: `${words.load} ${name}`,
        }),
        true,
      )}`,
      why: html`${roomNote(app, use, true)} ${state('sea', words.kept)}<span>${words.keptNote}</span>`,
    });
  }
  const amount = bytesOf(file.keptBytes, file.size);
  return row({
    ...parts,
    act: html`${removal}${
      source
        ? withRoom(
            app,
            use,
            loadButton(app, words.resume, () => start(app, { name, source, key: file.key }), {
              icon: 'play',
              label: `${words.resume} ${name}`,
            }),
            true,
          )
        : nothing
    }`,
    progress: html`${progressPicture(name, known.layers, file.keptBytes, file.size, undefined)}
      <div class="m-why">${roomNote(app, use, true)}<span>${file.lostBytes > 0 ? `${words.lost(bytes(file.lostBytes))} ` : ''}${source ? words.pausedAt(amount) : `${words.partly(amount)} ${words.openAgain}`}</span></div>`,
  });
}

/** Loaded, and not kept: the browser keeps nothing for the page. */
export function unkeptRow({ summary, contextTokens, allocatedBytes }: LoadedModel): TemplateResult {
  const { name, quantization, fileBytes, layers } = summary;
  return row({
    name,
    sub: beside(name, quantization, fileBytes),
    layers,
    act: html`<a class="btn main" href="#/chat">${words.chat}</a>`,
    why: html`${state('ok', words.ready)}<span>${words.readyFor(count(contextTokens), roughBytes(allocatedBytes))}</span>`,
  });
}

export function loadingRow(app: App, loading: Loading): TemplateResult {
  const { name, summary, progress, phase } = loading;
  const entry = app.models.catalogue.value.find((known) => known.id === loading.entry);
  // until its header is read, what is known of it from before
  const key = loadingKey(loading);
  const file = app.device.storage.value?.files.find((kept) => kept.key === key);
  const known = key === undefined ? undefined : app.preferences.all.value.known[key];
  const size = summary?.fileBytes ?? file?.size ?? entry?.downloadBytes;
  const quantization = summary?.quantization ?? known?.quantization ?? entry?.quantization;
  const done = progress?.doneBytes ?? summary?.keptBytes ?? file?.keptBytes ?? 0;
  const total = progress?.totalBytes ?? size ?? 0;
  const moving = phase === 'loading' || phase === 'finding' || phase === 'pausing';
  const layers = summary?.layers ?? known?.layers ?? entry?.layers;
  return row({
    name,
    sub: beside(name, quantization, size),
    act: loadingAction(app, loading),
    progress: html`${progressPicture(name, layers, done, total, moving ? loadingProgress(loading).full : undefined)}
      <div class="m-why" aria-live="off">${loadingWords(loading, done, total)}</div>`,
  });
}

function loadingAction(app: App, loading: Loading): TemplateResult {
  const { name, phase } = loading;
  if (phase === 'failed') {
    return html`${iconButton('close', words.dismiss(name), () => app.models.dismiss())}${button(words.again, () => void app.models.resume(), { kind: 'plain' })}`;
  }
  if (phase === 'paused') {
    const file = app.device.storage.value?.files.find((kept) => kept.key === loading.summary?.key);
    const discard = file ? () => void remove(app, file, name) : () => app.models.dismiss();
    return html`${iconButton(file ? 'bin' : 'close', file ? words.remove(name) : words.dismiss(name), discard)}${button(
      words.resume,
      () => void app.models.resume(),
      { icon: 'play', label: `${words.resume} ${name}` },
    )}`;
  }
  const { progress } = loading;
  if (phase === 'loading' && progress && progress.doneBytes >= progress.totalBytes) {
    return button(words.cancel, () => void app.models.cancel(), { icon: 'close', label: `${words.cancel} ${name}` });
  }
  return button(words.pause, () => void app.models.pause(), {
    icon: 'pause',
    label: `${words.pause} ${name}`,
    busy: phase === 'pausing',
  });
}

function loadingWords(loading: Loading, done: number, total: number): TemplateResult {
  const { phase, progress, preparing, silent, error } = loading;
  if (phase === 'finding') return html`<span>${words.finding}</span>`;
  if (phase === 'paused') return html`<span>${words.pausedAt(bytesOf(done, total))}</span>`;
  if (phase === 'pausing') return html`<span>${words.pausing}</span>`;
  if (phase === 'failed' && error) {
    const actions = errorActions(error);
    return html`<span role="alert">${state('bad', error.message)}</span>${actions === nothing ? nothing : html`<span>${actions}</span>`}`;
  }
  if (!progress) return html`<span>${words.reading}</span>`;
  const [amount, ...rest] = progressLine(progress).split(', ');
  const arrives = progress.fetchedBytes > 0;
  const isWhole = progress.doneBytes >= progress.totalBytes;
  const pace = rest.length && !isWhole && !silent ? `, ${rest.join(', ')}` : '';
  const means = isWhole ? '' : silent ? words.silent : arrives ? words.downloading : words.fromCache;
  return html`<span><b>${amount}</b>${pace}. ${means}</span>
    ${progress.repairedShards ? html`<span>${words.repaired(progress.repairedShards)}</span>` : nothing}
    ${
      isWhole
        ? html`<span>${preparing ? words.preparing(preparing.done, preparing.total) : words.preparingBegins}</span>`
        : nothing
    }`;
}

/** One mark a layer: full ones are here and checked, the roe one is arriving. */
function progressPicture(
  name: string,
  layers: number | undefined,
  done: number,
  total: number,
  layersDone: number | undefined,
) {
  const value = percent(done, total);
  if (!layers)
    return meter(name, total ? done / total : 0, bytesOf(done, total), layersDone === undefined ? '' : 'now');
  const full = layersDone ?? Math.floor((done / Math.max(1, total)) * layers);
  const arriving = layersDone !== undefined && full < layers ? { now: full } : {};
  return html`<div
    class="prog"
    role="progressbar"
    aria-label=${name}
    aria-valuemin="0"
    aria-valuemax="100"
    aria-valuenow=${value}
    aria-valuetext=${bytesOf(done, total)}
  >
    ${scales({ layers, full, ...arriving })}
  </div>`;
}

/** Where the rest of a partly kept file comes from; a picked file has to be opened again. */
function sourceOf({ identity }: StoredFile): ModelSource | undefined {
  if (identity.kind === 'hub') {
    const { repository, file, commit } = identity;
    return { kind: 'hub', repository, file, commit };
  }
  if (identity.kind === 'url') return { kind: 'url', address: identity.address };
  return undefined;
}

function start(app: App, wanted: Wanted): void {
  void app.models.load(wanted);
}

async function remove(app: App, file: StoredFile, name: string): Promise<void> {
  if (!(await confirmWith(words.removeAsk(name, bytes(file.keptBytes)), shellWords.remove))) return;
  await app.models.remove(file);
}

function parametersWords(value: number): string {
  return value > 0 ? words.about(count(Math.round(value / 1e6)).concat(' million')) : '';
}

function sentence(text: string): string {
  return /[.!?]$/.test(text) ? text : `${text}.`;
}
