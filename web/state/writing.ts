/** Which answer this window writes just now: kept by the window, so that it knows after a reload what broke off. */
import { recall, remember } from './window-memory.ts';

const KEY = 'shoal-writing';

interface Writing {
  readonly conversation: string;
  readonly message: string;
}

export const writing = {
  set(now: Writing): void {
    remember(KEY, JSON.stringify(now));
  },

  clear(): void {
    remember(KEY, undefined);
  },

  /** What broke off; nothing the second time. */
  take(): Writing | undefined {
    const text = recall(KEY);
    remember(KEY, undefined);
    try {
      const { conversation, message } = JSON.parse(text ?? '{}') as Partial<Writing>;
      return typeof conversation === 'string' && typeof message === 'string' ? { conversation, message } : undefined;
    } catch {
      return undefined;
    }
  },
};
