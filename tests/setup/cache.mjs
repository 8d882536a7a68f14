// @ts-check
import { existsSync, readFileSync } from 'node:fs';
import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const LOCK_POLL_MS = 500;
const COMPLETE = '.complete';

/** The folder that holds package.json. */
export const repositoryFolder = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');

/** Where fetched tools are kept: `.cache` in the repository, or what SHOAL_CACHE names. */
export function cacheFolder() {
  return path.resolve(process.env.SHOAL_CACHE || path.join(repositoryFolder, '.cache'));
}

/**
 * Runs `action` while no other process runs one of the same name; a lock whose owner died is taken over.
 * @template T
 * @param {string} name
 * @param {() => Promise<T>} action
 * @returns {Promise<T>}
 */
export async function exclusively(name, action) {
  const lock = path.join(cacheFolder(), `${name}.lock`);
  await mkdir(cacheFolder(), { recursive: true });
  while (!(await acquire(lock))) await sleep(LOCK_POLL_MS);
  try {
    return await action();
  } finally {
    await rm(lock, { force: true });
  }
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

/** @param {string} lock */
async function acquire(lock) {
  try {
    await writeFile(lock, String(process.pid), { flag: 'wx' });
    return true;
  } catch (error) {
    if (/** @type {NodeJS.ErrnoException} */ (error).code !== 'EEXIST') throw error;
  }
  if (!ownerIsAlive(lock)) await rm(lock, { force: true });
  return false;
}

/** @param {string} lock */
function ownerIsAlive(lock) {
  let owner;
  try {
    owner = Number(readFileSync(lock, 'utf8'));
  } catch {
    return false;
  }
  // the owner creates the file first and writes its id a moment later
  if (owner === 0) return true;
  try {
    process.kill(owner, 0);
    return true;
  } catch (error) {
    return /** @type {NodeJS.ErrnoException} */ (error).code === 'EPERM';
  }
}
