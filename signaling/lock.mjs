// @ts-check
import { readFileSync, statSync } from 'node:fs';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const POLL_MS = 300;
/** A lock is created first and gets its owner's id a moment later; one that stays empty was left by a crash. */
const EMPTY_FOR_MS = 5_000;

/**
 * Runs `action` while no other process of this machine holds `lockFile`; a lock whose owner died is taken over.
 * @template T
 * @param {string} lockFile
 * @param {() => Promise<T>} action
 * @returns {Promise<T>}
 */
export async function exclusively(lockFile, action) {
  await mkdir(path.dirname(lockFile), { recursive: true });
  while (!(await acquire(lockFile))) await sleep(POLL_MS);
  try {
    return await action();
  } finally {
    await rm(lockFile, { force: true });
  }
}

/** @param {string} lockFile */
async function acquire(lockFile) {
  try {
    await writeFile(lockFile, String(process.pid), { flag: 'wx' });
    return true;
  } catch (error) {
    if (/** @type {NodeJS.ErrnoException} */ (error).code !== 'EEXIST') throw error;
  }
  if (!ownerIsAlive(lockFile)) await rm(lockFile, { force: true });
  return false;
}

/** @param {string} lockFile */
function ownerIsAlive(lockFile) {
  try {
    const owner = Number(readFileSync(lockFile, 'utf8'));
    if (owner === 0) return Date.now() - statSync(lockFile).mtimeMs < EMPTY_FOR_MS;
    process.kill(owner, 0);
    return true;
  } catch (error) {
    return /** @type {NodeJS.ErrnoException} */ (error).code === 'EPERM';
  }
}
