// @ts-check
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { cacheFolder, exclusively, repositoryFolder } from './cache.mjs';
import { runOrThrow, runQuietly } from './command.mjs';

/** WebGPU without a GPU needs a Chromium that has this version's flags and subgroups. */
const OLDEST_VERSION = 134;
const VERSION_TIMEOUT_MS = 30_000;

const ON_PATH = ['chromium', 'chromium-browser', 'google-chrome-stable', 'google-chrome'];
const WELL_KNOWN = /** @type {Record<string, string[]>} */ ({
  darwin: ['/Applications/Google Chrome.app/Contents/MacOS/Google Chrome'],
  win32: ['ProgramFiles', 'ProgramFiles(x86)', 'LocalAppData'].map((name) =>
    path.join(process.env[name] ?? '', 'Google/Chrome/Application/chrome.exe'),
  ),
});

/** @type {Promise<{ executablePath: string, args: string[] } | { skipped: string }> | undefined} */
let found;

/**
 * Finds Chromium or installs it: Debian's package for root on Debian, else Playwright's own into the cache.
 * @returns {Promise<{ executablePath: string, args: string[] } | { skipped: string }>} args open WebGPU on SwiftShader
 */
export function ensureChromium() {
  found ??= find();
  return found;
}

async function find() {
  const present = await presentChromium();
  if (present) return withArguments(present);
  const reasons = [];
  for (const install of [installFromDebian, installFromPlaywright]) {
    try {
      const executablePath = await exclusively('chromium', install);
      if (executablePath && (await serves(executablePath))) return withArguments(executablePath);
    } catch (error) {
      reasons.push(error instanceof Error ? error.message : String(error));
    }
  }
  return { skipped: `no Chromium ${OLDEST_VERSION} or later: ${reasons.join('; ') || 'none could be installed'}` };
}

/** @param {string} executablePath */
function withArguments(executablePath) {
  const args = ['--enable-unsafe-webgpu', '--use-webgpu-adapter=swiftshader'];
  // Chromium refuses its sandbox to root
  if (process.getuid?.() === 0) args.push('--no-sandbox');
  return { executablePath, args };
}

async function presentChromium() {
  const folders = (process.env.PATH ?? '').split(path.delimiter);
  const onPath = ON_PATH.flatMap((name) => folders.map((folder) => path.join(folder, name)));
  const candidates = [process.env.SHOAL_CHROMIUM, ...onPath, ...(WELL_KNOWN[process.platform] ?? [])];
  for (const candidate of candidates) {
    if (candidate && existsSync(candidate) && (await serves(candidate))) return candidate;
  }
  return undefined;
}

/** @param {string} executablePath */
async function serves(executablePath) {
  // Chrome prints no version on Windows
  if (process.platform === 'win32') return existsSync(executablePath);
  const { output } = await runQuietly(executablePath, ['--version'], { timeoutMs: VERSION_TIMEOUT_MS });
  return Number(output.match(/\b(\d+)\.\d+\.\d+/)?.[1] ?? 0) >= OLDEST_VERSION;
}

async function installFromDebian() {
  const release = existsSync('/etc/os-release') ? readFileSync('/etc/os-release', 'utf8') : '';
  if (!/^ID=debian$/m.test(release) || process.getuid?.() !== 0) return undefined;
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  await runOrThrow('apt-get', ['-qq', 'update'], { env });
  await runOrThrow('apt-get', ['install', '-y', '-qq', '--no-install-recommends', 'chromium'], { env });
  return '/usr/bin/chromium';
}

async function installFromPlaywright() {
  const folder = path.join(cacheFolder(), 'browsers');
  process.env.PLAYWRIGHT_BROWSERS_PATH = folder;
  await runOrThrow('npx', ['playwright', 'install', 'chromium'], { cwd: repositoryFolder });
  const { chromium } = await import('@playwright/test');
  return chromium.executablePath();
}
