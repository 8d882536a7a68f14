import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { engines } from '../package.json';
import { missingPackages, nodeTooOld } from './install.mjs';
import { createAuthority, issueLeaf } from './lan/authority.ts';
import { exclusively } from './lock.mjs';
import { parseOptions } from './options.mjs';

let root: string;
beforeEach(async () => {
  root = await mkdtemp(path.join(os.tmpdir(), 'shoal-install-'));
});
afterEach(() => rm(root, { recursive: true, force: true }));

describe('Node', () => {
  it.each(['18.20.4', '20.18.1', '21.7.0', '22.11.0'])('%s is too old, said with what to do', (version) => {
    expect(nodeTooOld(version)).toContain('https://nodejs.org');
  });
  it.each(['20.19.0', '20.20.2', '22.12.0', '24.1.0'])('%s serves', (version) => {
    expect(nodeTooOld(version)).toBeUndefined();
  });

  it('is asked for alike by the start, by npm and in the README', async () => {
    expect(engines.node).toBe('^20.19 || >=22.12');
    const readme = await readFile(new URL('../README.md', import.meta.url), 'utf8');
    for (const said of [nodeTooOld('18.0.0') ?? '', readme]) {
      expect(said.replace(/\s+/g, ' ')).toContain('Node 20.19 or a later 20, or 22.12 or later');
    }
  });
});

describe('what is missing', () => {
  const lock = {
    packages: {
      '': { version: '0.1.0' },
      'node_modules/lit': { version: '3.0.0' },
      'node_modules/webgpu': { version: '1.0.0', dev: true },
      'node_modules/other-platform': { version: '1.0.0', optional: true },
    },
  };
  async function install(name: string): Promise<void> {
    await mkdir(path.join(root, 'node_modules', name), { recursive: true });
    await writeFile(path.join(root, 'node_modules', name, 'package.json'), '{}');
  }

  it('is everything in a fresh clone, yet for a user no tool of the tests', async () => {
    await writeFile(path.join(root, 'package-lock.json'), JSON.stringify(lock));
    expect(missingPackages(root, { dev: false })).toEqual(['lit']);
    expect(missingPackages(root, { dev: true })).toEqual(['lit', 'webgpu']);
  });

  it('is nothing once installed, and again what was updated or deleted', async () => {
    await install('lit');
    await writeFile(path.join(root, 'package-lock.json'), JSON.stringify(lock));
    await writeFile(path.join(root, 'node_modules/.package-lock.json'), JSON.stringify(lock));
    expect(missingPackages(root, { dev: false })).toEqual([]);
    expect(missingPackages(root, { dev: true })).toEqual(['webgpu']);
    const newer = JSON.stringify(lock).replace('3.0.0', '3.0.1');
    await writeFile(path.join(root, 'package-lock.json'), newer);
    expect(missingPackages(root, { dev: false })).toEqual(['lit']);
  });
});

describe('two at once', () => {
  it('take turns, and a lock of a dead process is taken over', async () => {
    const lockFile = path.join(root, 'a.lock');
    // no process has an id beyond the largest that Linux gives
    await writeFile(lockFile, '99999999');
    const order: string[] = [];
    const turn = (name: string) =>
      exclusively(lockFile, async () => {
        order.push(`${name} begins`);
        await new Promise((resolve) => setTimeout(resolve, 20));
        order.push(`${name} ends`);
      });
    await Promise.all([turn('a'), turn('b')]);
    const first = order[0]?.[0];
    expect(order[1]).toBe(`${first} ends`);
    expect(order).toHaveLength(4);
  });

  it('a lock with this process’s own id was left by another that had the id before', async () => {
    const lockFile = path.join(root, 'a.lock');
    await writeFile(lockFile, String(process.pid));
    expect(await exclusively(lockFile, async () => 'runs')).toBe('runs');
    expect(existsSync(lockFile)).toBe(false);
  });

  describe('where another process has the id', () => {
    let other: ReturnType<typeof spawn>;
    let lockFile: string;
    const said: string[] = [];
    const say = (words: string) => void said.push(words);
    beforeEach(async () => {
      other = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'ignore' });
      await once(other, 'spawn');
      lockFile = path.join(root, 'a.lock');
      await writeFile(lockFile, String(other.pid));
      said.length = 0;
    });
    const end = async () => {
      if (other.exitCode !== null || other.signalCode !== null) return;
      other.kill();
      await once(other, 'exit');
    };
    afterEach(end);

    it('and does not touch the lock, it is taken over, and who was waited for is said', async () => {
      const options = { silentForMs: 500, sayAfterMs: 0, say };
      expect(await exclusively(lockFile, async () => 'runs', options)).toBe('runs');
      expect(said).toHaveLength(1);
      expect(said[0]).toContain(`process ${other.pid}`);
    });

    it('and touches the lock, it is waited for until it dies', async () => {
      await end();
      const lock = new URL('./lock.mjs', import.meta.url).href;
      const holds = `import { exclusively } from ${JSON.stringify(lock)};
        await exclusively(${JSON.stringify(lockFile)}, async () => {
          console.log('holds');
          await new Promise((resolve) => setTimeout(resolve, 2000));
          console.log('ends');
        }, { heartbeatMs: 50 });`;
      other = spawn(process.execPath, ['--input-type=module', '-e', holds], { stdio: ['ignore', 'pipe', 'inherit'] });
      const events: string[] = [];
      const begins = once(other.stdout as NodeJS.ReadableStream, 'data');
      other.stdout?.on('data', (text) => events.push(String(text).trim()));
      await begins;
      await exclusively(lockFile, async () => events.push('next'), { silentForMs: 700, say });
      expect(events).toEqual(['holds', 'ends', 'next']);
    });
  });
});

describe('the command line', () => {
  it('is read with its defaults', () => {
    expect(parseOptions([])).toEqual({
      port: 8420,
      portWasGiven: false,
      stunPort: 3478,
      stunPortWasGiven: false,
      origins: [],
      limits: {},
      lan: false,
      starter: false,
      dev: false,
      help: false,
    });
    expect(
      parseOptions(['--origin', 'https://a.example/', '--starter', '--port', '0', '--models', root]),
    ).toMatchObject({
      port: 0,
      portWasGiven: true,
      origins: ['https://a.example'],
      starter: true,
      models: root,
    });
  });

  it('sets the limits of signaling', () => {
    expect(parseOptions(['--limit', 'rooms=5', '--limit', 'rooms-per-address=3', '--stun-port', 'off'])).toMatchObject({
      limits: { rooms: 5, roomsPerAddress: 3 },
      stunPort: 'off',
    });
  });

  it('takes a certificate with the key that belongs to it', async () => {
    const own = await issueLeaf(await createAuthority('Own', Date.now()), ['a.local'], Date.now());
    const other = await issueLeaf(await createAuthority('Other', Date.now()), ['a.local'], Date.now());
    const [cert, key, foreign] = ['cert.pem', 'key.pem', 'foreign.pem'].map((name) => path.join(root, name));
    await writeFile(cert ?? '', own.chain);
    await writeFile(key ?? '', own.key);
    await writeFile(foreign ?? '', other.key);
    expect(parseOptions(['--lan', '--cert', cert ?? '', '--key', key ?? ''])).toMatchObject({
      lan: true,
      certificate: own,
    });
    expect(() => parseOptions(['--lan', '--cert', cert ?? '', '--key', foreign ?? ''])).toThrow('belong together');
    expect(() => parseOptions(['--lan', '--cert', key ?? '', '--key', key ?? ''])).toThrow('PEM is wanted');
  });

  it.each([
    [['--port', 'x'], '--port x'],
    [['--port', '70000'], '65535'],
    [['--models', '/no/such/folder'], 'there is no folder'],
    [['--origin', 'example.org'], 'https://example.org'],
    [['--nonsense'], '--nonsense'],
    [['--stun-port', 'none'], '65535'],
    [['--limit', 'rooms'], 'the names are rooms'],
    [['--limit', 'toString=3'], 'the names are rooms'],
    [['--limit', 'rooms=0'], 'NAME=N'],
    [['--lan', '--cert', 'a.pem'], 'go together'],
    [['--lan', '--cert', '/no/such', '--key', '/no/such'], 'there is no file'],
    [['--interface', 'en0'], 'belong to --lan'],
    [['--lan', '--dev'], 'does not go with it'],
  ])('%j is refused in plain words', (args, words) => {
    expect(() => parseOptions(args)).toThrow(words);
  });
});
