// @ts-check
import { existsSync } from 'node:fs';
import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { exclusively as lockExclusively } from '../../signaling/lock.mjs';

const COMPLETE = '.complete';

/** The folder that holds package.json. */
export const repositoryFolder = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');

/** Where fetched tools are kept: `.cache` in the repository, or what SHOAL_CACHE names. */
export function cacheFolder() {
  return path.resolve(process.env.SHOAL_CACHE || path.join(repositoryFolder, '.cache'));
}

/**
 * Runs `action` while no other process runs one of the same name.
 * @template T
 * @param {string} name
 * @param {() => Promise<T>} action
 * @returns {Promise<T>}
 */
export function exclusively(name, action) {
  return lockExclusively(path.join(cacheFolder(), `${name}.lock`), action);
}

/**
 * Fills a folder of the cache once; it appears complete or not at all, also when several processes ask.
 * @param {string} name
 * @param {(folder: string) => Promise<void>} fill writes into the folder that it is given
 * @returns {Promise<string>} the folder
 */
export async function fetchOnce(name, fill) {
  const folder = path.join(cacheFolder(), name);
  const isComplete = () => existsSync(path.join(folder, COMPLETE));
  if (isComplete()) return folder;
  return exclusively(name, async () => {
    if (isComplete()) return folder;
    const partial = `${folder}.partial`;
    await rm(partial, { recursive: true, force: true });
    await mkdir(partial, { recursive: true });
    await fill(partial);
    await writeFile(path.join(partial, COMPLETE), '');
    await rm(folder, { recursive: true, force: true });
    await rename(partial, folder);
    return folder;
  });
}
