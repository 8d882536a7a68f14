import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { browserFetch } from '../../tests/setup/browser-fetch.ts';
import { thrown } from '../../tests/setup/thrown.ts';
import { CancelledError, ModelError, PersonError, RetryError, ShoalError } from '../errors.ts';
import { httpSource, listServerFolder, serverSource } from './http-source.ts';
import { rangeReader } from './read-whole.ts';
import { platformTransport, type Transport, waitAsked } from './transport.ts';

const content = Uint8Array.from({ length: 700_000 }, (_, i) => (i * 31 + (i >> 8)) & 255);
const signal = new AbortController().signal;
const servers: Server[] = [];

afterEach(async () => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
});

async function serve(listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

interface Answer {
  status?: number;
  headers?: Record<string, string>;
  /** Body bytes before the connection breaks or hangs. */
  cutAfter?: number;
  hangAfter?: number;
  wholeFile?: boolean;
  etag?: string;
  shift?: number;
}

/** Serves `content` by ranges; `next` says what is special about each request in turn. */
async function ranged(next: (request: number) => Answer | undefined = () => undefined) {
  const log: { range: string | undefined; method: string | undefined; sent: number; closed: Promise<boolean> }[] = [];
  const url = await serve((request, response) => {
    const answer = next(log.length) ?? {};
    const closed = new Promise<boolean>((resolve) => response.on('close', () => resolve(!response.writableEnded)));
    const entry = { range: request.headers.range, method: request.method, sent: 0, closed };
    log.push(entry);
    if (answer.status !== undefined) {
      response.writeHead(answer.status, answer.headers).end();
      return;
    }
    const [, from = 0, to = 0] = /bytes=(\d+)-(\d+)/.exec(request.headers.range ?? '')?.map(Number) ?? [];
    const start = answer.wholeFile ? 0 : from;
    const end = answer.wholeFile ? content.length : to + 1;
    response.writeHead(answer.wholeFile ? 200 : 206, {
      etag: answer.etag ?? '"one"',
      'content-length': end - start,
      ...(answer.wholeFile
        ? {}
        : { 'content-range': `bytes ${start + (answer.shift ?? 0)}-${end - 1}/${content.length}` }),
      ...answer.headers,
    });
    if (request.method === 'HEAD') return void response.end();
    const limit = answer.cutAfter ?? answer.hangAfter ?? Number.POSITIVE_INFINITY;
    const body = content.subarray(start, Math.min(end, start + limit));
    entry.sent = body.length;
    if (body.length === end - start) response.end(body);
    else response.write(body, () => answer.cutAfter !== undefined && response.destroy());
  });
  return { url: `${url}/some%20model.gguf`, log };
}

function testTransport(parts: Partial<Transport> = {}) {
  const waits: number[] = [];
  const transport: Transport = {
    ...platformTransport,
    sleep: async (ms) => void waits.push(ms),
    page: () => undefined,
    stallMs: 5000,
    ...parts,
  };
  return { transport, waits };
}

/** `toEqual` takes a second for so many bytes. */
const same = (a: Uint8Array, b: Uint8Array) => Buffer.compare(a, b) === 0;

const open = (address: string, transport = testTransport().transport) => httpSource({ address, signal, transport });

const failure = (work: Promise<unknown>) => thrown(work, ShoalError);

describe('a file at an address', () => {
  it('is known by address and ETag, and read by one request a run', async () => {
    const { url, log } = await ranged();
    const source = await open(`${url}#part`);
    expect(source).toMatchObject({
      identity: { kind: 'url', address: url, etag: '"one"' },
      name: 'some model.gguf',
      size: content.length,
    });
    expect(same(await rangeReader(source)(1000, 600_000, signal), content.subarray(1000, 600_000))).toBe(true);
    expect(log.map((entry) => entry.range)).toEqual(['bytes=0-0', 'bytes=1000-599999']);
  });

  it('needs no request for nothing', async () => {
    const { url, log } = await ranged();
    const source = await open(url);
    expect(await rangeReader(source)(5, 5, signal)).toHaveLength(0);
    expect(log).toHaveLength(1);
  });

  it('that breaks off is continued at the byte where it broke, nothing twice', async () => {
    const { url, log } = await ranged((request) => [undefined, { cutAfter: 200_000 }, { cutAfter: 150_000 }][request]);
    const source = await open(url);
    const got = await rangeReader(source)(0, content.length, signal);
    expect(same(got, content)).toBe(true);
    const starts = log.slice(1).map((entry) => Number(/=(\d+)/.exec(entry.range ?? '')?.[1]));
    expect(starts).toHaveLength(3);
    expect(starts[0]).toBe(0);
    // What the socket swallowed at the break is not counted as received; nothing that was received is asked again.
    expect(starts[1]).toBeLessThanOrEqual(200_000);
    expect(starts[1]).toBeGreaterThan(0);
    expect(starts[2]).toBeGreaterThan(starts[1] ?? 0);
  });

  it('that keeps breaking without progress ends as RetryError', async () => {
    const { url, log } = await ranged((request) => (request === 0 ? undefined : { cutAfter: 0 }));
    const { transport, waits } = testTransport();
    const source = await open(url, transport);
    expect(await failure(rangeReader(source)(0, 1000, signal))).toBeInstanceOf(RetryError);
    expect(log.filter((entry) => entry.method === 'GET')).toHaveLength(7);
    expect(waits).toHaveLength(5);
    expect(waits[4]).toBeGreaterThan(waits[0] ?? 0);
  });

  it('whose server ends early without an error is continued too', async () => {
    let request = 0;
    const url = await serve((incoming, response) => {
      const start = Number(/bytes=(\d+)/.exec(incoming.headers.range ?? '')?.[1]);
      const end = request++ === 0 ? start + 1 : Math.min(content.length, start + 300_000);
      response.writeHead(206, { 'content-range': `bytes ${start}-${end - 1}/${content.length}` });
      response.end(content.subarray(start, end));
    });
    const source = await open(url);
    expect(same(await rangeReader(source)(0, content.length, signal), content)).toBe(true);
    expect(request).toBe(4);
  });

  it('that stalls is asked again', async () => {
    const { url, log } = await ranged((request) => (request === 1 ? { hangAfter: 100_000 } : undefined));
    const { transport } = testTransport({ stallMs: 150 });
    const source = await open(url, transport);
    expect(same(await rangeReader(source)(0, content.length, signal), content)).toBe(true);
    expect(log[2]?.range).toBe('bytes=100000-699999');
    expect(await log[1]?.closed).toBe(true);
  });

  it('is cancelled when the reader leaves', async () => {
    const { url, log } = await ranged((request) => (request === 1 ? { hangAfter: 70_000 } : undefined));
    const source = await open(url);
    for await (const chunk of source.read(0, content.length, signal)) {
      expect(chunk.length).toBeGreaterThan(0);
      break;
    }
    expect(await log[1]?.closed).toBe(true);
  });

  it('stops when the caller asks, also between attempts', async () => {
    const { url, log } = await ranged((request) => (request === 1 ? { hangAfter: 70_000 } : undefined));
    const source = await open(url);
    const abort = new AbortController();
    const reading = (async () => {
      for await (const _ of source.read(0, content.length, abort.signal)) abort.abort();
    })();
    expect(await failure(reading)).toBeInstanceOf(CancelledError);
    expect(await log[1]?.closed).toBe(true);
    expect(await failure(rangeReader(source)(0, 10, abort.signal))).toBeInstanceOf(CancelledError);
    expect(log).toHaveLength(2);

    const waiting = new AbortController();
    setTimeout(() => waiting.abort(), 10);
    await expect(platformTransport.sleep(1_000_000, waiting.signal)).rejects.toBeInstanceOf(CancelledError);
    await expect(platformTransport.sleep(1_000_000, waiting.signal)).rejects.toBeInstanceOf(CancelledError);
    await platformTransport.sleep(1, signal);
  });

  it('is refused where ranges are answered with the whole file, whose body is cancelled', async () => {
    const { url, log } = await ranged(() => ({ wholeFile: true }));
    const error = await failure(open(url));
    expect(error).toBeInstanceOf(ModelError);
    expect(error.message).toMatch(/ignores byte ranges \(it answered 200 instead of 206\)/);
    expect(log).toHaveLength(1);

    const later = await ranged((request) => (request === 0 ? undefined : { wholeFile: true }));
    const source = await open(later.url);
    expect(await failure(rangeReader(source)(10, 20, signal))).toMatchObject({ details: { ranges: false } });
    expect(later.log).toHaveLength(2);
  });

  it('that changes between requests is noticed', async () => {
    const tagged = await ranged((request) => (request === 0 ? undefined : { etag: '"two"' }));
    const one = await failure(rangeReader(await open(tagged.url))(0, 10, signal));
    expect(one).toBeInstanceOf(ModelError);
    expect(one).toMatchObject({ details: { changed: true } });
    expect(one.message).toMatch(/it was "one", is "two"/);

    const grown = await ranged((request) =>
      request === 0 ? undefined : { headers: { 'content-range': `bytes 0-9/${content.length + 1}` } },
    );
    expect(await failure(rangeReader(await open(grown.url))(0, 10, signal))).toMatchObject({
      details: { changed: true },
    });

    const shifted = await ranged((request) => (request === 0 ? undefined : { shift: 5 }));
    expect(await failure(rangeReader(await open(shifted.url))(0, 10, signal))).toBeInstanceOf(ModelError);

    const cut = await ranged((request) => (request === 0 ? undefined : { status: 416 }));
    expect((await failure(rangeReader(await open(cut.url))(0, 10, signal))).message).toMatch(/416/);
  });

  it.each([
    [401, PersonError, /sign-in/],
    [403, PersonError, /sign-in/],
    [404, ModelError, /no such file \(404\)/],
    [410, ModelError, /no such file \(410\)/],
    [418, ModelError, /answered 418/],
    [416, ModelError, /416/],
  ])('answered with %i is a clear error at once', async (status, kind, message) => {
    const { url, log } = await ranged(() => ({ status }));
    const error = await failure(open(url));
    expect(error).toBeInstanceOf(kind);
    expect(error.message).toMatch(message);
    expect(log).toHaveLength(1);
  });

  it.each([500, 502, 503, 408])('answered with %i is tried again, then a RetryError', async (status) => {
    const passing = await ranged((request) => (request < 2 ? { status } : undefined));
    expect((await open(passing.url)).size).toBe(content.length);
    const lasting = await ranged(() => ({ status }));
    const error = await failure(open(lasting.url));
    expect(error).toBeInstanceOf(RetryError);
    expect(error).toMatchObject({ details: { status } });
    expect(lasting.log).toHaveLength(3);
  });

  it('waits as long as a busy server asks, and leaves long waits to the person', async () => {
    const { url } = await ranged((request) =>
      request === 0 ? { status: 429, headers: { 'retry-after': '7' } } : undefined,
    );
    const { transport, waits } = testTransport();
    await open(url, transport);
    expect(waits).toEqual([7000]);

    const busy = await ranged(() => ({ status: 429, headers: { ratelimit: '"api";r=0;t=240' } }));
    const error = await failure(open(busy.url));
    expect(error).toBeInstanceOf(RetryError);
    expect(error).toMatchObject({ details: { status: 429, retryAfterMs: 240_000 } });
    expect(error.message).toMatch(/Try again in 4 minutes/);
    expect(busy.log).toHaveLength(1);
  });

  it('that nobody serves is said to be out of reach, or this device offline', async () => {
    const url = await serve(() => undefined);
    const server = servers.pop();
    await new Promise((resolve) => server?.close(resolve));
    const gone = await failure(open(url));
    expect(gone).toBeInstanceOf(RetryError);
    expect(gone.message).toMatch(/cannot be reached/);
    const offline = await failure(open(url, testTransport({ online: () => false }).transport));
    expect(offline).toMatchObject({ details: { offline: true } });
    expect(offline.message).toMatch(/offline/);
  });

  it('that does not allow this page is told from one out of reach', async () => {
    const { url } = await ranged();
    const { transport } = testTransport({
      fetch: browserFetch('https://shoal.test'),
      page: () => new URL('http://shoal.test/'),
    });
    const error = await failure(open(url, transport));
    expect(error).toBeInstanceOf(ModelError);
    expect(error.message).toMatch(/does not allow pages of http:\/\/shoal\.test/);
    expect(error).toMatchObject({ details: { cors: true } });
  });

  it('over http is refused to a page over https, unless local', async () => {
    const { transport } = testTransport({
      fetch: () => Promise.reject(new TypeError('Failed to fetch')),
      page: () => new URL('https://shoal.test/'),
    });
    expect(await failure(open('http://models.test/a.gguf', transport))).toMatchObject({
      details: { mixedContent: true },
    });
    expect(await failure(open('http://localhost/a.gguf', transport))).toMatchObject({ details: { unreachable: true } });
  });

  it('tells its size and revision also where the server exposes neither Content-Range nor ETag', async () => {
    const cors = { 'access-control-allow-origin': '*', 'last-modified': 'Sat, 21 Nov 2026 10:00:00 GMT' };
    const base = await serve((request, response) => {
      if (request.method === 'HEAD') response.writeHead(200, { ...cors, 'content-length': content.length }).end();
      else response.writeHead(206, { ...cors, 'content-range': `bytes 0-0/${content.length}` }).end('x');
    });
    const { transport } = testTransport({ fetch: browserFetch('https://shoal.test') });
    const source = await open(`${base}/m.gguf`, transport);
    expect(source.size).toBe(content.length);
    expect(source.identity).toMatchObject({ etag: cors['last-modified'] });
  });

  it('must be a web address', async () => {
    expect((await failure(open('no address'))).message).toMatch(/no web address/);
    expect((await failure(open('ftp://host/file'))).message).toMatch(/not from ftp:/);
    expect((await failure(open('https://me:secret@host/file'))).message).not.toMatch(/secret/);
  });
});

it('waits are read from Retry-After and RateLimit', () => {
  const now = Date.parse('2026-11-21T10:00:00Z');
  const asked = (headers: Record<string, string>) => waitAsked(new Headers(headers), now);
  expect(asked({ 'retry-after': '12' })).toBe(12_000);
  expect(asked({ 'retry-after': 'Sat, 21 Nov 2026 10:01:00 GMT' })).toBe(60_000);
  expect(asked({ 'retry-after': 'Sat, 21 Nov 2026 09:00:00 GMT' })).toBe(0);
  expect(asked({ ratelimit: '"resolvers";r=0;t=55' })).toBe(55_000);
  expect(asked({ 'retry-after': 'soon' })).toBeUndefined();
  expect(asked({})).toBeUndefined();
});

describe("the server's folder", () => {
  const list = [{ name: 'sub/my model.gguf', size: content.length, etag: '"one"', note: 'to try' }];

  it('lists its models and reads them without another question', async () => {
    const paths: string[] = [];
    const base = await serve((request, response) => {
      paths.push(request.url ?? '');
      if (request.url === '/app/models/index.json') {
        response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(list));
      } else {
        response.writeHead(206, { 'content-range': `bytes 3-9/${content.length}`, etag: '"one"' });
        response.end(content.subarray(3, 10));
      }
    });
    const { transport } = testTransport();
    const files = await listServerFolder({ base: `${base}/app/`, signal, transport });
    expect(files).toEqual(list);
    const [file] = files;
    if (!file) throw new Error('no file');
    const source = serverSource({ base: `${base}/app/`, file, transport });
    expect(source.name).toBe('my model.gguf');
    expect(same(await rangeReader(source)(3, 10, signal), content.subarray(3, 10))).toBe(true);
    expect(paths).toEqual(['/app/models/index.json', '/app/models/sub/my%20model.gguf']);
  });

  it('is empty on a static host, and an error where the list is broken', async () => {
    const { transport } = testTransport();
    const list = (base: string) => listServerFolder({ base, signal, transport });
    expect(await list(await serve((_, response) => void response.writeHead(404).end()))).toEqual([]);
    const page = await serve((_, response) => void response.writeHead(200, { 'content-type': 'text/html' }).end('<p>'));
    expect(await list(page)).toEqual([]);
    const broken = await serve(
      (_, response) => void response.writeHead(200, { 'content-type': 'application/json' }).end('{'),
    );
    expect(await failure(list(broken))).toBeInstanceOf(ModelError);
    const odd = await serve(
      (_, response) =>
        void response.writeHead(200, { 'content-type': 'application/json' }).end('[{"name":1},null,{"name":"a"}]'),
    );
    expect(await list(odd)).toEqual([]);
  });
});
