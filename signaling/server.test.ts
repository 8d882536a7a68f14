import { mkdir, mkdtemp, rm, symlink, utimes, writeFile } from 'node:fs/promises';
import { type IncomingHttpHeaders, request } from 'node:http';
import os from 'node:os';
import path from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type RunningServer, startServer } from './server.ts';

interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

const model = Buffer.concat([Buffer.from('GGUF'), Buffer.from(Array.from({ length: 996 }, (_, i) => i % 251))]);
const listed = 'https://listed.example';
let folder: string;
let server: RunningServer;

/** Asks as no browser would: the path goes out as it is, and any header may be set. */
function ask(pathname: string, headers: Record<string, string> = {}, method = 'GET'): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const asked = request({ host: '127.0.0.1', port: server.port, path: pathname, method, headers }, (response) => {
      const parts: Buffer[] = [];
      response.on('data', (part: Buffer) => parts.push(part));
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(parts) }),
      );
    });
    asked.on('error', reject);
    asked.end();
  });
}

beforeAll(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), 'shoal-server-'));
  const inside = (name: string) => path.join(folder, name);
  await mkdir(inside('models/family'), { recursive: true });
  await mkdir(inside('models/.hidden'));
  await mkdir(inside('models-elsewhere'));
  await mkdir(inside('app/assets'), { recursive: true });
  await writeFile(inside('secret.gguf'), model);
  await writeFile(inside('models-elsewhere/secret.gguf'), model);
  await writeFile(inside('models/tiny.gguf'), model);
  await writeFile(inside('models/family/nested one.GGUF'), model);
  await writeFile(inside('models/.hidden/hidden.gguf'), model);
  await writeFile(inside('models/.dot.gguf'), model);
  await writeFile(inside('models/notes.txt'), 'private');
  await writeFile(inside('models/renamed.gguf'), 'private, and no GGUF');
  await symlink(inside('secret.gguf'), inside('models/leak.gguf'));
  await symlink(inside('models-elsewhere'), inside('models/elsewhere'));
  await symlink(inside('models/tiny.gguf'), inside('models/again.gguf'));
  await writeFile(inside('app/index.html'), '<!doctype html><title>Shoal</title>');
  await writeFile(inside('app/sw.js'), '// worker');
  await writeFile(inside('app/assets/main-abc123.js'), '// main');
  server = await startServer({
    port: 0,
    appFolder: inside('app'),
    modelsFolder: inside('models'),
    listedOrigins: [listed],
    cacheFolder: inside('cache'),
  });
});

afterAll(async () => {
  await server.close();
  await rm(folder, { recursive: true, force: true });
});

describe('the models folder', () => {
  it('lists GGUF files alone, without hidden ones and links that lead out', async () => {
    const { status, headers, body } = await ask('/models/index.json');
    expect(status).toBe(200);
    expect(headers['content-type']).toContain('application/json');
    const rows = JSON.parse(body.toString()) as { name: string; size: number; etag: string }[];
    expect(rows.map((row) => row.name)).toEqual(['again.gguf', 'family/nested one.GGUF', 'tiny.gguf']);
    expect(rows.every((row) => row.size === 1000)).toBe(true);
    expect(rows[2]?.etag).toBe((await ask('/models/tiny.gguf', {}, 'HEAD')).headers.etag);
  });

  it('gives a whole file, and by HEAD all but its bytes', async () => {
    const whole = await ask('/models/tiny.gguf');
    expect(whole.status).toBe(200);
    expect(whole.body.equals(model)).toBe(true);
    expect(whole.headers['accept-ranges']).toBe('bytes');
    expect(whole.headers['content-length']).toBe('1000');
    const head = await ask('/models/tiny.gguf', { Range: 'bytes=0-9' }, 'HEAD');
    expect(head.status).toBe(200);
    expect(head.body.length).toBe(0);
    expect(head.headers['content-length']).toBe('1000');
    expect(head.headers.etag).toBe(whole.headers.etag);
  });

  it('gives a file of a subfolder under its encoded name', async () => {
    expect((await ask('/models/family/nested%20one.GGUF')).body.equals(model)).toBe(true);
    expect((await ask('/models/family%2Fnested%20one.GGUF')).body.equals(model)).toBe(true);
  });

  it('gives exactly the bytes of any range', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(999), fc.nat(1200), async (start, length) => {
        const answer = await ask('/models/tiny.gguf', { Range: `bytes=${start}-${start + length}` });
        const expected = model.subarray(start, start + length + 1);
        expect(answer.status).toBe(206);
        expect(answer.body.equals(expected)).toBe(true);
        expect(answer.headers['content-range']).toBe(`bytes ${start}-${start + expected.length - 1}/1000`);
      }),
      { numRuns: 40 },
    );
  });

  it.each([
    ['bytes=990-', 206, 'bytes 990-999/1000', 10],
    ['bytes=-4', 206, 'bytes 996-999/1000', 4],
    ['bytes=-5000', 206, 'bytes 0-999/1000', 1000],
    ['bytes=1000-', 416, 'bytes */1000', 0],
    ['bytes=-0', 416, 'bytes */1000', 0],
    ['bytes=9-2', 200, undefined, 1000],
    ['bytes=0-1,5-6', 200, undefined, 1000],
    ['lines=0-1', 200, undefined, 1000],
  ])('answers Range %s with %i', async (range, status, contentRange, bytes) => {
    const answer = await ask('/models/tiny.gguf', { Range: range });
    expect(answer.status).toBe(status);
    expect(answer.headers['content-range']).toBe(contentRange);
    expect(answer.body.length).toBe(bytes);
  });

  it('says that a file is unchanged, and refuses to go on with a changed one', async () => {
    const before = (await ask('/models/again.gguf', {}, 'HEAD')).headers.etag ?? '';
    expect((await ask('/models/again.gguf', { 'If-None-Match': `"other", ${before}` })).status).toBe(304);
    expect((await ask('/models/again.gguf', { Range: 'bytes=0-3', 'If-Range': before })).status).toBe(206);
    expect((await ask('/models/again.gguf', { 'If-Match': before })).status).toBe(200);
    await utimes(path.join(folder, 'models/tiny.gguf'), new Date(), new Date(Date.now() - 5000));
    const after = (await ask('/models/again.gguf', {}, 'HEAD')).headers.etag;
    expect(after).not.toBe(before);
    expect((await ask('/models/again.gguf', { 'If-None-Match': before })).status).toBe(200);
    expect((await ask('/models/again.gguf', { Range: 'bytes=0-3', 'If-Range': before })).status).toBe(200);
    expect((await ask('/models/again.gguf', { 'If-Match': before })).status).toBe(412);
  });

  it.each([
    '/models/../secret.gguf',
    '/models/%2e%2e/secret.gguf',
    '/models/..%2fsecret.gguf',
    '/models/%2e%2e%2fsecret.gguf',
    '/models/..%5csecret.gguf',
    '/models/family/../../secret.gguf',
    '/models//secret.gguf',
    '/models/%2fetc%2fpasswd',
    '/models/leak.gguf',
    '/models/elsewhere/secret.gguf',
    '/models/.dot.gguf',
    '/models/.hidden/hidden.gguf',
    '/models/notes.txt',
    '/models/renamed.gguf',
    '/models/tiny.gguf%00.gguf',
    '/models/%',
    '/models/',
    '/models/family',
  ])('has nothing at %s', async (pathname) => {
    const { status, body } = await ask(pathname);
    expect(status).toBe(404);
    expect(body.includes('GGUF\0')).toBe(false);
  });

  it('takes no other method', async () => {
    expect((await ask('/models/tiny.gguf', {}, 'PUT')).status).toBe(405);
    expect((await ask('/models/tiny.gguf', {}, 'DELETE')).status).toBe(405);
  });
});

describe('who may ask', () => {
  it.each(['evil.example', '192.168.0.7:8420', 'localhost.evil.example', '127.0.0.1.evil.example:80'])(
    'not one who calls it %j',
    async (host) => {
      expect((await ask('/models/index.json', { Host: host })).status).toBe(421);
      expect((await ask('/', { Host: host })).status).toBe(421);
    },
  );

  it.each(['localhost', '127.0.0.1:8420', '[::1]:8420', 'LOCALHOST:1'])('one who calls it %j', async (host) => {
    expect((await ask('/models/index.json', { Host: host })).status).toBe(200);
  });

  it.each(['https://evil.example', 'null', 'http://localhost:1', `${listed}.evil.example`])(
    'not a page of %s',
    async (origin) => {
      const answer = await ask('/models/tiny.gguf', { Origin: origin });
      expect(answer.status).toBe(403);
      expect(answer.headers['access-control-allow-origin']).toBeUndefined();
    },
  );

  it('its own page, without CORS headers', async () => {
    const answer = await ask('/models/tiny.gguf', { Host: 'localhost:5', Origin: 'http://localhost:5' });
    expect(answer.status).toBe(200);
    expect(answer.headers['access-control-allow-origin']).toBeUndefined();
    expect(answer.headers['cross-origin-resource-policy']).toBe('same-origin');
  });

  it('a listed origin, models alone', async () => {
    const answer = await ask('/models/tiny.gguf', { Origin: listed, Range: 'bytes=0-3' });
    expect(answer.status).toBe(206);
    expect(answer.headers['access-control-allow-origin']).toBe(listed);
    expect(answer.headers['access-control-expose-headers']).toContain('Content-Range');
    expect(answer.headers.vary).toBe('Origin');
    const preflight = await ask(
      '/models/tiny.gguf',
      { Origin: listed, 'Access-Control-Request-Method': 'GET', 'Access-Control-Request-Private-Network': 'true' },
      'OPTIONS',
    );
    expect(preflight.status).toBe(204);
    expect(preflight.headers['access-control-allow-headers']).toContain('Range');
    expect(preflight.headers['access-control-allow-private-network']).toBe('true');
    expect((await ask('/', { Origin: listed })).status).toBe(403);
    expect((await ask('/starter', { Origin: listed })).status).toBe(403);
  });

  it('no page that embeds, yet one that links here', async () => {
    const embedded = { 'Sec-Fetch-Site': 'cross-site', 'Sec-Fetch-Mode': 'no-cors' };
    expect((await ask('/models/tiny.gguf', embedded)).status).toBe(403);
    expect((await ask('/', { 'Sec-Fetch-Site': 'cross-site', 'Sec-Fetch-Mode': 'navigate' })).status).toBe(200);
  });
});

describe('the app', () => {
  it('comes with a strict policy and is asked for again', async () => {
    const { status, headers, body } = await ask('/?test-hooks');
    expect(status).toBe(200);
    expect(body.toString()).toContain('<title>Shoal</title>');
    expect(headers['content-type']).toBe('text/html; charset=utf-8');
    expect(headers['cache-control']).toBe('no-cache');
    expect(headers['x-content-type-options']).toBe('nosniff');
    expect(headers['referrer-policy']).toBe('no-referrer');
    const policy = headers['content-security-policy'] ?? '';
    expect(policy).toContain("img-src 'self' data: blob:;");
    expect(policy).toContain("frame-ancestors 'none'");
    expect(policy).toMatch(/script-src 'self' 'wasm-unsafe-eval';/);
  });

  it('keeps what carries a hash in its name, and never the service worker', async () => {
    expect((await ask('/assets/main-abc123.js')).headers['cache-control']).toContain('immutable');
    expect((await ask('/sw.js')).headers['cache-control']).toBe('no-cache');
    expect((await ask('/sw.js')).headers['content-type']).toBe('text/javascript; charset=utf-8');
  });

  it('has no other address', async () => {
    expect((await ask('/missing')).status).toBe(404);
    expect((await ask('/../secret.gguf')).status).toBe(404);
  });
});

describe('the starter model', () => {
  it('is absent at first, and only the own page may fetch it', async () => {
    const { status, body } = await ask('/starter');
    expect(status).toBe(200);
    expect(JSON.parse(body.toString())).toEqual({ state: 'absent', message: '', doneBytes: 0 });
    expect((await ask('/starter', {}, 'POST')).status).toBe(403);
    expect((await ask('/starter', { Origin: 'https://evil.example' }, 'POST')).status).toBe(403);
    expect((await ask('/starter', { Origin: listed }, 'POST')).status).toBe(403);
    expect((await ask('/starter', {}, 'DELETE')).status).toBe(405);
  });
});

describe('a second server', () => {
  it('finds the port taken', async () => {
    await expect(startServer({ port: server.port })).rejects.toMatchObject({ code: 'EADDRINUSE' });
  });
});
