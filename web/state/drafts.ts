/** What was typed and not sent, by conversation; in memory where the browser keeps nothing for the page. */
const PREFIX = 'shoal-draft:';
const memory = new Map<string, string>();

export function readDraft(conversation = ''): string {
  const key = PREFIX + conversation;
  return memory.get(key) ?? session()?.getItem(key) ?? '';
}

export function keepDraft(conversation = '', text = ''): void {
  const key = PREFIX + conversation;
  try {
    const storage = session();
    if (storage === undefined) throw new Error('nothing is kept');
    if (text) storage.setItem(key, text);
    else storage.removeItem(key);
    memory.delete(key);
  } catch {
    memory.set(key, text); // full, or refused
  }
}

/** Where site data is blocked, to name it is an error. */
function session(): Storage | undefined {
  try {
    return sessionStorage;
  } catch {
    return undefined;
  }
}
