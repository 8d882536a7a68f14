import { afterEach, describe, expect, it } from 'vitest';
import { browserFetch } from '../../tests/setup/browser-fetch.ts';
import { writeGguf } from '../../tests/setup/gguf-writer.ts';
import { type HubServer, type HubSetup, startHubServer } from '../../tests/setup/hub-server.ts';
import { thrown } from '../../tests/setup/thrown.ts';
import { ModelError, PersonError, RetryError, ShoalError } from '../errors.ts';
import { CATALOGUE, resolveCatalogueEntry } from './catalogue.ts';
import { listHubFiles } from './hub.ts';
import { hubSource } from './hub-source.ts';
import { isUsableQuantization, quantizationOf, splitOf } from './quantization.ts';
import { rangeReader } from './read-whole.ts';
import { platformTransport, type Transport } from './transport.ts';

const PAGE = 'https://shoal.test';
const TOKEN = 'hf_secret';
const signal = new AbortController().signal;
const body = Uint8Array.from({ length: 300_000 }, (_, i) => (i * 7) & 255);
const model = writeGguf({ metadata: {}, tensors: [{ name: 'w', shape: [300_000], ggmlType: 24, data: body }] });
const files = { 'README.md': body.subarray(0, 10), 'tiny-Q8_0.gguf': model };

let hub: HubServer | undefined;
afterEach(async () => {
  await hub?.close();
  hub = undefined;
});

async function start(setup: Partial<HubSetup> = {}): Promise<HubServer> {
  hub = await startHubServer({ token: TOKEN, repositories: { 'me/tiny': { files } }, ...setup });
  return hub;
}
const gated = { repositories: { 'me/tiny': { files, gated: true } } };

function transportOf(fetcher: typeof fetch, parts: Partial<Transport> = {}) {
  const waits: number[] = [];
  const transport: Transport = {
    ...platformTransport,
    fetch: fetcher,
    sleep: async (ms) => void waits.push(ms),
    page: () => new URL(PAGE),
    stallMs: 5000,
    ...parts,
  };
  return { transport, waits };
}
const browser = () => transportOf(browserFetch(PAGE)).transport;

function list(server: HubServer, parts: { token?: string; transport?: Transport; repository?: string } = {}) {
  return listHubFiles({ repository: 'me/tiny', baseUrl: server.url, signal, transport: browser(), ...parts });
}

async function source(server: HubServer, parts: { token?: string; transport?: Transport } = {}, hashed = true) {
  const { commit, files: found } = await list(server);
  const file = found[0];
  if (!file) throw new Error('no file');
  const { sha256 } = file;
  return hubSource({
    repository: 'me/tiny',
    commit,
    file: file.file,
    size: file.size,
    baseUrl: server.url,
    transport: browser(),
    ...(sha256 === undefined || !hashed ? {} : { sha256 }),
    ...parts,
  });
}

const failure = (work: Promise<unknown>) => thrown(work, ShoalError);

/** Nothing that the second origin saw, and no address anywhere, holds the token. */
function expectTokenAtHubAlone(server: HubServer): void {
  const atCdn = server.requests.filter((request) => request.origin === 'cdn');
  for (const request of atCdn) expect(JSON.stringify(request)).not.toContain(TOKEN);
  for (const request of server.requests) expect(request.path).not.toContain(TOKEN);
}

const readAll = async (from: Awaited<ReturnType<typeof source>>) => rangeReader(from)(0, from.size, signal);
const isModel = (bytes: Uint8Array) => Buffer.compare(bytes, model) === 0;

describe('the listing of a repository', () => {
  it('gives the commit, and GGUF files with size, hash and quantization', async () => {
    const server = await start({
      repositories: {
        'me/tiny': {
          files: {
            ...files,
            'tiny-Q5_K_M.gguf': body.subarray(0, 20),
            'big-Q4_K_M-00001-of-00002.gguf': body.subarray(0, 30),
            'sub/tiny-q4_k_m.gguf': body.subarray(0, 40),
            'mmproj-tiny-f16.gguf': body.subarray(0, 50),
          },
        },
      },
    });
    const listing = await list(server);
    expect(listing).toMatchObject({ repository: 'me/tiny', commit: server.commit('me/tiny'), gated: false });
    expect(listing.files.map(({ file, size, quantization }) => [file, size, quantization])).toEqual([
      ['tiny-Q5_K_M.gguf', 20, 'Q5_K_M'],
      ['big-Q4_K_M-00001-of-00002.gguf', 30, 'Q4_K_M'],
      ['sub/tiny-q4_k_m.gguf', 40, 'Q4_K_M'],
      ['mmproj-tiny-f16.gguf', 50, 'F16'],
      ['tiny-Q8_0.gguf', model.length, 'Q8_0'],
    ]);
    expect(listing.files.map((file) => file.unsupported)).toEqual([
      'Q5_K_M is not supported yet.',
      'Part 1 of 2: models in parts are not supported yet.',
      undefined,
      'The part of a model that sees; not supported.',
      undefined,
    ]);
    expect(listing.files.at(-1)?.sha256).toMatch(/^[0-9a-f]{64}$/);
    expect(server.requests[0]?.path).toBe('/api/models/me/tiny?blobs=true');
  });

  it('of a revision asks for that revision, below a mirror path', async () => {
    const paths: string[] = [];
    const transport = transportOf(async (input) => {
      paths.push(String(input));
      return Response.json({ sha: 'a'.repeat(40), gated: 'auto', siblings: [] });
    }).transport;
    const base = 'https://mirror.test/hf';
    const listing = await listHubFiles({ repository: 'a/b', revision: 'pr/1', baseUrl: base, signal, transport });
    expect(paths).toEqual(['https://mirror.test/hf/api/models/a/b/revision/pr%2F1?blobs=true']);
    expect(listing).toMatchObject({ gated: true, files: [] });
  });

  it('of a private repository is asked with the token only after a refusal', async () => {
    const server = await start({ repositories: { 'me/tiny': { files, private: true } } });
    const without = await failure(list(server));
    expect(without).toBeInstanceOf(PersonError);
    expect(without.message).toMatch(/paste a token in Settings/);
    const listing = await list(server, { token: TOKEN });
    expect(listing.files).toHaveLength(1);
    expect(
      server.requests.filter(({ method }) => method === 'GET').map(({ headers }) => headers.authorization),
    ).toEqual([undefined, undefined, `Bearer ${TOKEN}`]);
    expect((await failure(list(server, { token: 'wrong' }))).message).toMatch(/refuses the access token/);
  });

  it('says what is wrong with a name', async () => {
    const server = await start();
    expect((await failure(list(server, { repository: 'no repository' }))).message).toMatch(/Enter owner\/name/);
    expect(await failure(list(server, { repository: 'me/other' }))).toBeInstanceOf(PersonError);
    server.faults = [{ on: 'api', status: 404 }];
    const missing = await failure(list(server));
    expect(missing).toBeInstanceOf(ModelError);
    expect(missing.message).toMatch(/no such model/);
  });

  it('waits when the hub is busy, and says how long when it is long', async () => {
    const server = await start();
    server.faults = [{ on: 'api', status: 429, headers: { ratelimit: '"api";r=0;t=9' }, times: 1 }];
    const { transport, waits } = transportOf(browserFetch(PAGE));
    await list(server, { transport });
    expect(waits).toEqual([9000]);
    server.faults = [{ on: 'api', status: 429, headers: { 'retry-after': '300' } }];
    const error = await failure(list(server));
    expect(error).toBeInstanceOf(RetryError);
    expect(error.details).toMatchObject({ retryAfterMs: 300_000, status: 429 });
    expect(error.details.hubUnreachable).toBeUndefined();
  });

  it.each([
    ['5xx', { on: 'api', status: 503 } as const],
    ['no answer', { on: 'api', drop: true } as const],
    ['an answer that this page may not read', { on: 'api', noCors: true } as const],
  ])('with %s says that the hub is away and what else there is', async (_, fault) => {
    const server = await start();
    server.faults = [fault];
    const error = await failure(list(server));
    expect(error).toBeInstanceOf(RetryError);
    expect(error.details.hubUnreachable).toBe(true);
    expect(error.message).toMatch(/a file of this device/);
  });

  it('that is a sign-in page of the network is recognised', async () => {
    const server = await start();
    server.faults = [{ on: 'api', status: 200, headers: { 'content-type': 'text/html' }, body: '<html>' }];
    expect((await failure(list(server))).details.hubUnreachable).toBe(true);
    server.faults = [{ on: 'api', status: 200, body: '{"sha":"../../x"}' }];
    expect(await failure(list(server))).toBeInstanceOf(ModelError);
  });
});

describe('a file of a hub', () => {
  it('is read anonymously through the redirect, and known by its commit', async () => {
    const server = await start();
    const from = await source(server, { token: TOKEN });
    expect(from.identity).toEqual({
      kind: 'hub',
      repository: 'me/tiny',
      commit: server.commit('me/tiny'),
      file: 'tiny-Q8_0.gguf',
    });
    expect(isModel(await readAll(from))).toBe(true);
    expect(server.requests.every((request) => request.headers.authorization === undefined)).toBe(true);
  });

  it('that is gated asks for the licence', async () => {
    const server = await start(gated);
    const error = await failure(readAll(await source(server)));
    expect(error).toBeInstanceOf(PersonError);
    expect(error.message).toBe(
      `me/tiny asks for a licence. Accept the licence at ${server.url}/me/tiny, then paste a token in Settings.`,
    );
    expect(error.details).toMatchObject({ gated: true, page: `${server.url}/me/tiny` });
    const wrong = await failure(readAll(await source(server, { token: 'hf_other' })));
    expect(wrong.message).toMatch(/does not let this token read/);
  });

  it('that is gated is read in a browser through the LFS API, the token at the hub alone', async () => {
    const server = await start(gated);
    const from = await source(server, { token: TOKEN });
    expect(isModel(await readAll(from))).toBe(true);
    expect(isModel(await readAll(from))).toBe(true);
    expectTokenAtHubAlone(server);
    const asked = server.requests.filter(({ method, path }) => method !== 'OPTIONS' && path.includes('batch'));
    expect(asked).toHaveLength(1);
    expect(server.requests.filter(({ origin }) => origin === 'cdn')).toHaveLength(2);
  });

  it('that is gated is read outside of browsers through the redirect, the token at the hub alone', async () => {
    const server = await start({ ...gated, lfs: false });
    const { transport } = transportOf(fetch);
    expect(isModel(await readAll(await source(server, { token: TOKEN, transport })))).toBe(true);
    expectTokenAtHubAlone(server);
  });

  it('that is gated and served by the hub itself needs nothing more', async () => {
    const server = await start({ ...gated, direct: true });
    expect(isModel(await readAll(await source(server, { token: TOKEN })))).toBe(true);
    expect(server.requests.some(({ origin, path }) => origin === 'cdn' || path.includes('batch'))).toBe(false);
  });

  it('asks for a new signed address when one ran out', async () => {
    const server = await start(gated);
    const from = await source(server, { token: TOKEN });
    await readAll(from);
    server.faults = [{ on: 'cdn', status: 403, times: 1 }];
    expect(isModel(await readAll(from))).toBe(true);
    expectTokenAtHubAlone(server);
  });

  it('that is gated is refused where the redirect is hidden and the hub has no LFS API: none is followed with the token', async () => {
    const server = await start({ ...gated, lfs: false });
    const followed: RequestInit[] = [];
    const browserish = browserFetch(PAGE);
    const { transport } = transportOf((input, init = {}) => {
      if (new Headers(init.headers).has('authorization') && init.redirect !== 'manual') followed.push(init);
      return browserish(input, init);
    });
    const error = await failure(readAll(await source(server, { token: TOKEN, transport })));
    expect(error).toBeInstanceOf(PersonError);
    expect(error.message).toMatch(/only by a redirect, which browsers hide/);
    expect(error.message).toMatch(/pick it from this device/);
    expect(followed).toEqual([]);
    expect(server.requests.some((request) => request.origin === 'cdn')).toBe(false);
  });

  it('is not asked for with a token that cannot be one, which no message repeats', async () => {
    const server = await start(gated);
    const error = await failure(readAll(await source(server, { token: 'to ken\nx' })));
    expect(error).toBeInstanceOf(PersonError);
    expect(error.message).not.toMatch(/to ken/);
    expect(server.requests.every((request) => request.headers.authorization === undefined)).toBe(true);
  });

  it('is continued when the CDN breaks off, and waits when it is busy', async () => {
    const server = await start();
    server.faults = [
      { on: 'cdn', cutAfter: 131_072, times: 1 },
      { on: 'resolve', status: 429, headers: { 'retry-after': '3' }, times: 1 },
      { on: 'cdn', status: 503, times: 1 },
    ];
    const { transport, waits } = transportOf(browserFetch(PAGE));
    expect(isModel(await readAll(await source(server, { transport })))).toBe(true);
    expect(waits).toContain(3000);
  });

  it('is refused when the CDN ignores ranges, is cut short, or the file is gone', async () => {
    const server = await start();
    const from = await source(server);
    server.faults = [{ on: 'cdn', whole: true, times: 1 }];
    expect((await failure(readAll(from))).details.ranges).toBe(false);
    server.faults = [{ on: 'resolve', status: 404, times: 1 }];
    expect(await failure(readAll(from))).toBeInstanceOf(ModelError);
    server.faults = [{ on: 'cdn', shortAfter: 100_000, times: 1 }];
    expect(isModel(await readAll(from))).toBe(true);
  });

  it('without a published hash must keep its ETag, with one the hash decides', async () => {
    const server = await start();
    for (const hashed of [false, true]) {
      const from = await source(server, {}, hashed);
      server.faults = [];
      await readAll(from);
      server.faults = [{ on: 'cdn', etag: '"other"' }];
      const again = await readAll(from).catch((error: unknown) => error);
      if (hashed) expect(isModel(again as Uint8Array)).toBe(true);
      else expect(again).toMatchObject({ name: 'ModelError', details: { changed: true } });
    }
  });

  it('where no hub answers says so', async () => {
    const server = await start();
    const from = await source(server);
    await server.close();
    const error = await failure(readAll(from));
    expect(error).toBeInstanceOf(RetryError);
    expect(error.details.hubUnreachable).toBe(true);
  });
});

it('labels are read from file names', () => {
  const labels = {
    'SmolLM2-135M-Instruct-Q8_0.gguf': 'Q8_0',
    'qwen2.5-0.5b-instruct-q4_k_m.gguf': 'Q4_K_M',
    'SmolLM2-360M-Instruct-Q4_0_4_4.gguf': 'Q4_0_4_4',
    'Qwen3-0.6B-UD-Q4_K_XL.gguf': 'UD-Q4_K_XL',
    'stories260K.f16.gguf': 'F16',
    'a/Q8_0/model-fp16.gguf': 'F16',
    'x-IQ4_XS.gguf': 'IQ4_XS',
    'x-Q4_K_M-00001-of-00003.gguf': 'Q4_K_M',
    'Qwen3-4B.gguf': undefined,
  };
  for (const [file, label] of Object.entries(labels)) expect(quantizationOf(file)).toBe(label);
  expect(['Q4_K_M', 'Q8_0', 'Q6_K', 'F16'].every(isUsableQuantization)).toBe(true);
  expect(['Q4_K_S', 'Q5_0', 'UD-Q4_K_XL', 'Q4_0_4_4', 'IQ4_NL', 'MXFP4'].some(isUsableQuantization)).toBe(false);
  expect(splitOf('x-00002-of-00003.gguf')).toEqual({ index: 2, count: 3 });
  expect(splitOf('x-00001-of-00001.gguf')).toBeUndefined();
});

describe('the catalogue', () => {
  it('holds a dozen models, smallest download first, each once', () => {
    expect(CATALOGUE).toHaveLength(12);
    expect(new Set(CATALOGUE.map((model) => model.id)).size).toBe(12);
    const sizes = CATALOGUE.map((model) => model.downloadBytes);
    expect(sizes).toEqual([...sizes].sort((a, b) => a - b));
  });

  it.each(CATALOGUE.map((model) => [model.name, model] as const))(
    '%s: its figures agree with each other',
    (_, model) => {
      const { hiddenSize, heads, kvHeads, headSize, feedForwardSize, layers, vocabulary } = model;
      const attention = 2 * hiddenSize * heads * headSize + 2 * hiddenSize * kvHeads * headSize;
      const embedding = vocabulary * hiddenSize;
      const tied = layers * (attention + 3 * hiddenSize * feedForwardSize) + embedding;
      const apart = [tied, tied + embedding].map((sum) => Math.abs(sum - model.parameters) / model.parameters);
      expect(Math.min(...apart)).toBeLessThan(0.01);
      const bits = (model.downloadBytes * 8) / model.parameters;
      const first = model.quantizations[0];
      // Q4_K_M: 4.5 bits with some 6.56 and a larger embedding; Q8_0: 8.5, norms and vocabulary on top.
      expect(bits).toBeGreaterThan(first === 'Q8_0' ? 8.3 : 4.4);
      expect(bits).toBeLessThan(first === 'Q8_0' ? 9 : 5.4);
      const wide = [hiddenSize, feedForwardSize, heads * headSize].every((columns) => columns % 256 === 0);
      expect(model.quantizations.includes('Q4_K_M')).toBe(wide);
      expect(model.quantizations.every(isUsableQuantization)).toBe(true);
    },
  );

  it('is resolved to an exact file when asked', async () => {
    const [model] = CATALOGUE;
    if (!model) throw new Error('empty');
    const { repository } = model;
    const both = { 'x-Q4_0.gguf': body, 'x-Q8_0.gguf': body.subarray(9), 'x-Q5_K_M.gguf': body.subarray(8) };
    const server = await start({ repositories: { [repository]: { files: both } } });
    const resolved = await resolveCatalogueEntry(model, { baseUrl: server.url, signal, transport: browser() });
    expect(resolved.file).toMatchObject({ file: 'x-Q8_0.gguf', size: body.length - 9 });
    expect(resolved.listing.commit).toBe(server.commit(repository));
    await server.close();
    const bare = await start({ repositories: { [repository]: { files: { 'x-Q5_K_M.gguf': body } } } });
    const error = await failure(resolveCatalogueEntry(model, { baseUrl: bare.url, signal, transport: browser() }));
    expect(error.message).toMatch(/no file of Q8_0 or Q4_0 or F16 any more/);
  });
});
