// @ts-check
import { readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { mkdir, utimes } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const POLL_MS = 300;
/** A lock is created first and gets its owner's id a moment later; one that stays empty was left by a crash. */
const EMPTY_FOR_MS = 5_000;
/** An owner touches its lock this often, as long as it lives. */
const HEARTBEAT_MS = 2_000;
/** Watched for so long without a touch, a lock is taken over: its id belongs to another process by now. */
const SILENT_FOR_MS = 60_000;
/** Who is waited for is said after so long: most locks are gone before. */
const SAY_AFTER_MS = 1_500;

/** Locks that this process holds. */
const held = /** @type {Set<string>} */ (new Set());

/**
 * @typedef {{ pid: number, touchedMs: number }} Owner
 * @typedef {{ heartbeatMs?: number, silentForMs?: number, sayAfterMs?: number, say?: (words: string) => void }} LockOptions
 */

/**
 * Runs `action` while no other process of this machine holds `lockFile`, and says whom it waits for. A lock is taken over
 * where its owner died, and where whoever has its id now does not touch it.
 * @template T
 * @param {string} lockFile
 * @param {() => Promise<T>} action
 * @param {LockOptions} [options]
 * @returns {Promise<T>}
 */
export async function exclusively(lockFile, action, options = {}) {
  await mkdir(path.dirname(lockFile), { recursive: true });
  await acquire(lockFile, options);
  const beat = setInterval(() => {
    const now = new Date();
    utimes(lockFile, now, now).catch(() => {});
  }, options.heartbeatMs ?? HEARTBEAT_MS);
  beat.unref();
  try {
    return await action();
  } finally {
    clearInterval(beat);
    held.delete(lockFile);
    // another process may have taken it over while this machine slept
    if (ownerOf(lockFile)?.pid === process.pid) rmSync(lockFile, { force: true });
  }
}

/**
 * @param {string} lockFile
 * @param {LockOptions} options
 */
async function acquire(lockFile, { silentForMs = SILENT_FOR_MS, sayAfterMs = SAY_AFTER_MS, say = console.log }) {
  const began = performance.now();
  let said = false;
  /** @type {(Owner & { sinceMs: number }) | undefined} */
  let watched;
  while (!create(lockFile)) {
    const owner = ownerOf(lockFile);
    if (owner === undefined) continue;
    // by a clock that stands still while the machine sleeps, since its owner slept too
    if (watched?.pid !== owner.pid || watched.touchedMs !== owner.touchedMs) {
      watched = { ...owner, sinceMs: performance.now() };
    }
    const silentMs = performance.now() - watched.sinceMs;
    if (isLeft(lockFile, owner) || silentMs >= silentForMs) {
      rmSync(lockFile, { force: true });
      continue;
    }
    if (!said && performance.now() - began >= sayAfterMs) {
      said = true;
      say(`Waiting for process ${owner.pid}, which holds ${lockFile} (delete it if no other Shoal is at work) …`);
    }
    await sleep(POLL_MS);
  }
}

/**
 * Creates the lock and knows of it at once: another that waits in this process would take it for left by a namesake.
 * @param {string} lockFile
 */
function create(lockFile) {
  try {
    writeFileSync(lockFile, String(process.pid), { flag: 'wx' });
    held.add(lockFile);
    return true;
  } catch (error) {
    if (/** @type {NodeJS.ErrnoException} */ (error).code !== 'EEXIST') throw error;
    return false;
  }
}

/**
 * Undefined where the lock is gone by now.
 * @param {string} lockFile
 * @returns {Owner | undefined}
 */
function ownerOf(lockFile) {
  try {
    return { pid: Number(readFileSync(lockFile, 'utf8')) || 0, touchedMs: statSync(lockFile).mtimeMs };
  } catch (error) {
    if (/** @type {NodeJS.ErrnoException} */ (error).code === 'ENOENT') return undefined;
    throw error;
  }
}

/**
 * Whether it is plain that nobody holds the lock. This process's own id on a lock that it does not hold is of one that
 * had the id before: in a container, each start gets the same.
 * @param {string} lockFile
 * @param {Owner} owner
 */
function isLeft(lockFile, { pid, touchedMs }) {
  if (pid === 0) return Date.now() - touchedMs >= EMPTY_FOR_MS;
  if (pid === process.pid) return !held.has(lockFile);
  try {
    process.kill(pid, 0);
    return false;
  } catch (error) {
    return /** @type {NodeJS.ErrnoException} */ (error).code !== 'EPERM';
  }
}
