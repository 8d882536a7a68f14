// @ts-check
// Runs before anything is installed: Node's own modules only.
import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { exclusively } from './lock.mjs';

/** @typedef {{ version?: string, dev?: boolean, devOptional?: boolean, optional?: boolean, link?: boolean }} LockedPackage */

/**
 * Says in plain words that this Node is too old; undefined where it serves.
 * @param {string} version such as `20.19.0`
 */
export function nodeTooOld(version) {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  // what Vite needs: require() of modules came with 20.19 and 22.12
  const serves = major > 22 || (major === 22 && minor >= 12) || (major === 20 && minor >= 19);
  if (serves) return undefined;
  return `Shoal needs Node 20.19 or a later 20, or 22.12 or later; this is Node ${version}. Install a newer one from https://nodejs.org and try again.`;
}

/**
 * Installs what the lock file lists and node_modules lacks; nothing is asked of the network where nothing is missing.
 * @param {string} root the folder of package.json
 * @param {{ dev: boolean }} options dev: the tools of the tests, too
 * @throws Error with what npm said last
 */
export async function ensureDependencies(root, options) {
  if (missingPackages(root, options).length === 0) return;
  await exclusively(path.join(root, '.cache/install.lock'), async () => {
    const missing = missingPackages(root, options);
    if (missing.length === 0) return;
    console.log(`Installing ${missing.length} packages (once) …`);
    const args = ['ci', '--no-audit', '--no-fund', ...(options.dev ? [] : ['--omit=dev'])];
    const { code, said } = await npm(args, root);
    if (code !== 0) throw new Error(`npm ${args.join(' ')} failed:\n${said.trim().split('\n').slice(-12).join('\n')}`);
    const still = missingPackages(root, options);
    if (still.length > 0)
      throw new Error(`npm installed without error, yet ${still.slice(0, 5).join(', ')} is missing`);
  });
}

/**
 * Names of the packages that the lock file lists and node_modules does not have in that version.
 * @param {string} root
 * @param {{ dev: boolean }} options
 */
export function missingPackages(root, options) {
  const wanted = readLock(path.join(root, 'package-lock.json'));
  const present = readLock(path.join(root, 'node_modules/.package-lock.json'));
  return Object.entries(wanted)
    .filter(([name, locked]) => name !== '' && !locked.link && (options.dev || !(locked.dev || locked.devOptional)))
    .filter(([name, locked]) => {
      // npm leaves out optional packages of other platforms
      if (locked.optional) return false;
      return present[name]?.version !== locked.version || !existsSync(path.join(root, name, 'package.json'));
    })
    .map(([name]) => name.replace(/^.*node_modules\//, ''));
}

/**
 * @param {string} file
 * @returns {Record<string, LockedPackage>}
 */
function readLock(file) {
  if (!existsSync(file)) return {};
  return JSON.parse(readFileSync(file, 'utf8')).packages ?? {};
}

/**
 * @param {string[]} args
 * @param {string} cwd
 * @returns {Promise<{ code: number, said: string }>}
 */
function npm(args, cwd) {
  return new Promise((resolve) => {
    // npm is a batch file on Windows, which Node starts only through a shell
    const child = spawn('npm', args, { cwd, shell: process.platform === 'win32', stdio: ['ignore', 'pipe', 'pipe'] });
    let said = '';
    child.stdout.on('data', (data) => (said += data));
    child.stderr.on('data', (data) => (said += data));
    child.on('error', (error) => resolve({ code: 1, said: error.message }));
    child.on('close', (code) => resolve({ code: code ?? 1, said }));
  });
}
