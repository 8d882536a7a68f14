import { readdir } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import path from 'node:path';
import { resolveInside } from './safe-path.ts';
import { type OpenFile, openRegularFile, sendFile } from './send-file.ts';

/** A row of /models/index.json. `name` is the path below /models/, not encoded. */
export interface ListedModel {
  readonly name: string;
  readonly size: number;
  readonly etag: string;
  readonly note?: string;
}

/** A folder whose GGUF files are served; `note` gives a model's label by its name. */
export interface ModelsFolder {
  readonly folder: string;
  readonly note?: (name: string) => string | undefined;
}

const DEEPEST_SUBFOLDER = 4;
const MAGIC = Buffer.from('GGUF', 'latin1');

/** The GGUF files of the folders, by name; of two with one name the first folder's. */
export async function listModels(folders: readonly ModelsFolder[]): Promise<readonly ListedModel[]> {
  const found = new Map<string, ListedModel>();
  for (const { folder, note } of folders) {
    for (const name of await namesIn(folder, '', 0)) {
      if (found.has(name)) continue;
      const file = await openModel(folder, name.split('/').map(encodeURIComponent).join('/'));
      if (!file) continue;
      await file.handle.close();
      const label = note?.(name);
      found.set(name, { name, size: file.size, etag: file.etag, ...(label === undefined ? {} : { note: label }) });
    }
  }
  return [...found.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** Serves /models/<encoded>; false where no folder has such a file. */
export async function sendModel(
  request: IncomingMessage,
  response: ServerResponse,
  folders: readonly ModelsFolder[],
  encoded: string,
): Promise<boolean> {
  for (const { folder } of folders) {
    const file = await openModel(folder, encoded);
    if (!file) continue;
    response.setHeader('Content-Type', 'application/octet-stream');
    // the page keeps models itself; what Chromium would keep too, it first piles up in memory
    response.setHeader('Cache-Control', 'no-store');
    await sendFile(request, response, file);
    return true;
  }
  return false;
}

/** Opens a file that is GGUF by its name and by its first bytes. */
async function openModel(folder: string, encoded: string): Promise<OpenFile | undefined> {
  const resolved = await resolveInside(folder, encoded);
  if (!resolved || !isGgufName(resolved)) return undefined;
  const file = await openRegularFile(resolved);
  if (!file) return undefined;
  const start = Buffer.alloc(MAGIC.length);
  await file.handle.read(start, 0, start.length, 0);
  if (start.equals(MAGIC)) return file;
  await file.handle.close();
  return undefined;
}

async function namesIn(folder: string, below: string, depth: number): Promise<string[]> {
  const entries = await readdir(path.join(folder, below), { withFileTypes: true }).catch(() => []);
  const names: string[] = [];
  for (const entry of entries) {
    if (entry.name.startsWith('.')) continue;
    const name = below === '' ? entry.name : `${below}/${entry.name}`;
    // a link to a folder is not walked: it could lead in a circle
    if (entry.isDirectory() && depth < DEEPEST_SUBFOLDER) names.push(...(await namesIn(folder, name, depth + 1)));
    else if (isGgufName(entry.name)) names.push(name);
  }
  return names;
}

function isGgufName(name: string): boolean {
  return name.toLowerCase().endsWith('.gguf');
}
