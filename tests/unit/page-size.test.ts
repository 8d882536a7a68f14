import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { ensureBuilt } from '../../signaling/build.mjs';
import { repositoryFolder } from '../setup/cache.mjs';

const BUILD_TIMEOUT_MS = 120_000;
const BUDGET_BYTES = 300_000;

/**
 * What the page loads without being asked for anything: the scripts of its document, what they import at once, and the
 * workers that any of them starts. Drawing of answers, codes and connections come when they are wanted.
 */
async function scriptsFromTheStart(app: string): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  const document = await readFile(path.join(app, 'index.html'), 'utf8');
  const wanted = [...document.matchAll(/<(?:script[^>]* src|link rel="modulepreload"[^>]* href)="\/([^"]+\.js)"/g)];
  const names = wanted.map(([, name]) => name as string);
  for (let name = names.pop(); name !== undefined; name = names.pop()) {
    if (found.has(name)) continue;
    const script = await readFile(path.join(app, name), 'utf8');
    found.set(name, script);
    const folder = path.posix.dirname(name);
    for (const [, file] of script.matchAll(/\b(?:from|import)\s*["'`]\.\/([^"'`]+\.js)["'`]/g)) {
      names.push(path.posix.join(folder, file as string));
    }
    for (const [, file] of script.matchAll(/new Worker\(new URL\((?:\s|\/\*.*?\*\/)*["'`]\/([^"'`]+\.js)["'`]/g)) {
      names.push(file as string);
    }
  }
  return found;
}

describe('the built app', () => {
  it(
    'has less than 300 KB of script before a model is chosen, compressed, its workers included',
    async () => {
      const { app } = await ensureBuilt(repositoryFolder);
      const scripts = await scriptsFromTheStart(app);
      const sizes = [...scripts.values()].map((script) => gzipSync(script).length);
      const total = sizes.reduce((sum, size) => sum + size, 0);
      expect([...scripts.keys()].some((file) => file.includes('template-worker'))).toBe(true);
      expect(scripts.size).toBeGreaterThan(3);
      expect(total).toBeLessThan(BUDGET_BYTES);
    },
    BUILD_TIMEOUT_MS,
  );

  it(
    'opens offline: its service worker keeps the page and every script, and no model',
    async () => {
      const { app } = await ensureBuilt(repositoryFolder);
      const serviceWorker = await readFile(path.join(app, 'sw.js'), 'utf8');
      const scripts = (await readdir(path.join(app, 'assets'))).filter((file) => /\.(js|css)$/.test(file));
      for (const file of scripts) expect(serviceWorker).toContain(`assets/${file}`);
      expect(serviceWorker).toContain('index.html');
      expect(serviceWorker).toContain('SKIP_WAITING');
      expect(serviceWorker).not.toContain('.gguf');
    },
    BUILD_TIMEOUT_MS,
  );
});
