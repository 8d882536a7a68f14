import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { ensureBuilt } from '../../signaling/build.mjs';
import { repositoryFolder } from '../setup/cache.mjs';

const BUILD_TIMEOUT_MS = 120_000;
const BUDGET_BYTES = 300_000;

describe('the built app', () => {
  it(
    'has less than 300 KB of script, compressed, its workers included',
    async () => {
      const { app } = await ensureBuilt(repositoryFolder);
      const scripts = (await readdir(app, { recursive: true })).filter((file) => file.endsWith('.js'));
      const sizes = await Promise.all(
        scripts.map(async (file) => gzipSync(await readFile(path.join(app, file))).length),
      );
      const total = sizes.reduce((sum, size) => sum + size, 0);
      expect(scripts.length).toBeGreaterThan(2);
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
