import type { SamplerSettings, Settings } from '../../worker/api.ts';
import { Cell, type Readable } from './cell.ts';
import type { KeyValue } from './key-value.ts';

export type Theme = 'system' | 'light' | 'dark';

/** What a model's header said, remembered so that lists can draw it without reading the header again. */
export interface KnownModel {
  readonly name: string;
  readonly quantization: string;
  readonly layers: number;
  readonly parameters: number;
}

export interface Preferences {
  readonly hubBaseUrl: string;
  readonly hubToken: string;
  /** Absent: this device's default. */
  readonly budgetBytes?: number;
  readonly contextTokens: number;
  /** Of what is computed on the way; absent: what suits this device. For comparison: no view offers it. */
  readonly storage?: Settings['storage'];
  readonly sampler: Omit<SamplerSettings, 'seed' | 'logitBias' | 'topLogProbs'>;
  /** Absent: another one for each answer. */
  readonly seed?: number;
  /** Loaded by itself at the next visit, when all of it is kept. */
  readonly lastModel?: { readonly key: string; readonly name: string };
  readonly known: Readonly<Record<string, KnownModel>>;
}

export const CONTEXT_CHOICES = [4096, 8192, 16384] as const;
export const HUB_BASE_URL = 'https://huggingface.co';
export const DEFAULT_SAMPLER: Preferences['sampler'] = {
  temperature: 0.7,
  topK: 40,
  topP: 0.95,
  minP: 0.05,
  repetitionPenalty: 1.05,
  frequencyPenalty: 0,
  presencePenalty: 0,
};
export const DEFAULT_PREFERENCES: Preferences = {
  hubBaseUrl: HUB_BASE_URL,
  hubToken: '',
  contextTokens: 4096,
  sampler: DEFAULT_SAMPLER,
  known: {},
};

const KEY = 'preferences';
const THEME_KEY = 'shoal-theme';

/** Kept in this browser, shared by its windows. */
export class PreferenceStore {
  readonly #cell = new Cell<Preferences>(DEFAULT_PREFERENCES);
  readonly #kept: KeyValue;
  readonly #channel = new BroadcastChannel('shoal-preferences');
  #heard = false;
  #onOtherWindow: (before: Preferences) => void = () => {};

  constructor(kept: KeyValue) {
    this.#kept = kept;
    this.#channel.onmessage = (event: MessageEvent<Preferences>) => {
      const before = this.#cell.value;
      this.#heard = true;
      this.#cell.set(event.data);
      this.#onOtherWindow(before);
    };
  }

  get all(): Readable<Preferences> {
    return this.#cell;
  }

  /** Calls `listener` after another window changed something, with what was before. */
  set onOtherWindow(listener: (before: Preferences) => void) {
    this.#onOtherWindow = listener;
  }

  async read(): Promise<void> {
    const kept = await this.#kept.get<Partial<Preferences>>(KEY);
    // what another window said meanwhile is newer
    if (kept && !this.#heard) this.#cell.set({ ...DEFAULT_PREFERENCES, ...kept });
  }

  change(change: (before: Preferences) => Preferences): void {
    this.#cell.update(change);
    this.#channel.postMessage(this.#cell.value);
    void this.#kept.set(KEY, this.#cell.value);
  }
}

/** The part that the worker is told. */
export function workerSettings(preferences: Preferences): Settings {
  const { hubBaseUrl, hubToken, contextTokens, budgetBytes, storage = 'auto' } = preferences;
  const settings: Settings = { hubBaseUrl, hubToken, contextTokens, storage };
  return budgetBytes === undefined ? settings : { ...settings, budgetBytes };
}

export function readTheme(): Theme {
  const kept = localStorageOrNothing()?.getItem(THEME_KEY);
  return kept === 'light' || kept === 'dark' ? kept : 'system';
}

/** Takes effect at once; `theme.js` sets it before the first paint at the next visit. */
export function applyTheme(theme: Theme): void {
  if (theme === 'system') {
    delete document.documentElement.dataset.theme;
    localStorageOrNothing()?.removeItem(THEME_KEY);
  } else {
    document.documentElement.dataset.theme = theme;
    localStorageOrNothing()?.setItem(THEME_KEY, theme);
  }
}

function localStorageOrNothing(): Storage | undefined {
  try {
    return localStorage;
  } catch {
    return undefined;
  }
}
