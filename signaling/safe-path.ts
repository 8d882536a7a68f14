import { realpath } from 'node:fs/promises';
import path from 'node:path';

/**
 * The file that a URL's path names inside a folder, with links followed; undefined where it is not there, is hidden,
 * or lies outside, be it by `..`, an encoded separator or a link.
 * @param encoded percent-encoded, without a leading slash
 */
export async function resolveInside(folder: string, encoded: string): Promise<string | undefined> {
  let name: string;
  try {
    name = decodeURIComponent(encoded);
  } catch {
    return undefined;
  }
  const segments = name.split('/');
  if (/[\\\0]/.test(name) || segments.some((segment) => segment === '' || segment.startsWith('.'))) return undefined;
  // a drive letter or an alternate stream on Windows
  if (process.platform === 'win32' && name.includes(':')) return undefined;
  try {
    const root = await realpath(folder);
    const file = await realpath(path.join(root, ...segments));
    return file.startsWith(root.endsWith(path.sep) ? root : root + path.sep) ? file : undefined;
  } catch {
    return undefined;
  }
}
