/** Which answer this window writes just now: kept by the window, so that it knows after a reload what broke off. */

const KEY = 'shoal-writing';

interface Writing {
  readonly conversation: string;
  readonly message: string;
}

export const writing = {
  set(now: Writing): void {
    try {
      sessionStorage.setItem(KEY, JSON.stringify(now));
    } catch {
      // A browser that keeps nothing: the person goes on by hand.
    }
  },

  clear(): void {
    try {
      sessionStorage.removeItem(KEY);
    } catch {
      // As above: nothing was kept.
    }
  },

  /** What broke off; nothing the second time. */
  take(): Writing | undefined {
    try {
      const text = sessionStorage.getItem(KEY);
      sessionStorage.removeItem(KEY);
      const { conversation, message } = JSON.parse(text ?? '{}') as Partial<Writing>;
      return typeof conversation === 'string' && typeof message === 'string' ? { conversation, message } : undefined;
    } catch {
      return undefined;
    }
  },
};
