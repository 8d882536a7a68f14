/** The part of `navigator.storage` and of the origin's private file system that the probe uses. */
export interface ProbeStorage {
  getDirectory?(): Promise<{
    getFileHandle(
      name: string,
      options: { readonly create: true },
    ): Promise<{ createSyncAccessHandle?(): Promise<{ truncate(bytes: number): void; close(): void }> }>;
    removeEntry(name: string): Promise<void>;
  }>;
}

/** One name for all windows: what a killed one left is taken over and removed by the next. */
const FILE = 'shoal-room-probe';
/**
 * No browser has room for this. One that grants it checks nothing: Chromium's private windows, which for a smaller size
 * would take the memory (seen in 156).
 */
const ABSURD_BYTES = 2 ** 50;
/** The figure in the message is right to this share. */
const PRECISION = 0.02;

/**
 * How many bytes the browser really grants, up to `neededBytes`: a file of that size without content is made and
 * removed, which takes a few milliseconds and no disk. Chromium checks its true quota then, which `estimate()` hides.
 * Undefined where this cannot be tried.
 */
export async function grantedBytes(
  storage: ProbeStorage | undefined,
  neededBytes: number,
): Promise<number | undefined> {
  const folder = await storage?.getDirectory?.().catch(() => undefined);
  if (folder === undefined) return undefined;
  try {
    const file = await folder.getFileHandle(FILE, { create: true });
    const handle = await file.createSyncAccessHandle?.(); // refused while another window tries
    if (handle === undefined) return undefined;
    try {
      return largestGranted((bytes) => handle.truncate(bytes), neededBytes);
    } finally {
      handle.close();
    }
  } catch {
    return undefined;
  } finally {
    await folder.removeEntry(FILE).catch(() => {});
  }
}

function largestGranted(reserve: (bytes: number) => void, wanted: number): number | undefined {
  const grants = (bytes: number) => {
    try {
      reserve(bytes);
      return true;
    } catch (error) {
      if (error instanceof DOMException && error.name === 'QuotaExceededError') return false;
      throw error;
    }
  };
  if (grants(ABSURD_BYTES)) return undefined;
  if (grants(wanted)) return wanted;
  let granted = 0;
  let refused = wanted;
  while (refused - granted > PRECISION * wanted) {
    const middle = Math.floor((granted + refused) / 2);
    if (grants(middle)) granted = middle;
    else refused = middle;
  }
  return granted;
}
