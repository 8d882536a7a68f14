import { ModelError } from '../errors.ts';
import { contentRange, type RangeTarget, readRange, validatorOf } from './http-range.ts';
import {
  discard,
  Exchange,
  Patience,
  patiently,
  platformTransport,
  statusFailure,
  type Transport,
} from './transport.ts';
import type { ByteSource } from './types.ts';

export interface HttpSourceOptions {
  readonly address: string;
  readonly signal: AbortSignal;
  readonly transport?: Transport;
}

/**
 * A file at any address that answers byte ranges and allows this page: probed with one byte for its size and
 * revision. Redirects are followed; cookies and referrers are not sent.
 *
 * Throws ModelError (no such file, ranges refused, CORS, no web address), PersonError (401, 403), RetryError.
 */
export async function httpSource(options: HttpSourceOptions): Promise<ByteSource> {
  const { signal, transport = platformTransport } = options;
  const url = webAddress(options.address);
  const address = url.href;
  const who = url.host;
  const found = await patiently(new Patience(transport, who, address), signal, () =>
    probe(transport, address, who, signal),
  );
  // Where neither revision header can be read, the size is the only sign of a change.
  const etag = found.validator ?? `size-${found.size}`;
  const target: RangeTarget = {
    transport,
    who,
    address,
    size: found.size,
    ...(found.validator === undefined ? {} : { validator: found.validator }),
    open: (exchange, range) => exchange.send(address, { headers: { range } }),
  };
  return {
    identity: { kind: 'url', address, etag },
    name: fileName(url),
    size: found.size,
    read: (start, end, stop) => readRange(target, start, end, stop),
  };
}

export interface ServerFile {
  /** Path below `models/`. */
  readonly name: string;
  readonly size: number;
  readonly etag: string;
  /** What the server says of it, for people. */
  readonly note?: string;
}

/** A file of the app's own server, as its list describes it. `base` is the app's address. */
export function serverSource(options: {
  readonly base: string;
  readonly file: ServerFile;
  readonly transport?: Transport;
}): ByteSource {
  const { base, file, transport = platformTransport } = options;
  const path = file.name.split('/').map(encodeURIComponent).join('/');
  const url = new URL(`models/${path}`, base);
  const address = url.href;
  const target: RangeTarget = {
    transport,
    who: "The app's server",
    address,
    size: file.size,
    validator: file.etag,
    open: (exchange, range) => exchange.send(address, { headers: { range }, credentials: 'same-origin' }),
  };
  return {
    identity: { kind: 'url', address, etag: file.etag },
    name: fileName(url),
    size: file.size,
    read: (start, end, stop) => readRange(target, start, end, stop),
  };
}

/** The models in the server's folder; empty where the server has none to offer. `base` is the app's address. */
export async function listServerFolder(options: {
  readonly base: string;
  readonly signal: AbortSignal;
  readonly transport?: Transport;
}): Promise<readonly ServerFile[]> {
  const { base, signal, transport = platformTransport } = options;
  const address = new URL('models/index.json', base).href;
  const who = "The app's server";
  return patiently(new Patience(transport, who, address), signal, async () => {
    const exchange = new Exchange(transport, signal);
    try {
      const response = await exchange.send(address, { credentials: 'same-origin' });
      const json = response.headers.get('content-type')?.includes('json') ?? false;
      // A static host answers 404, or with the app's page.
      if (response.status === 404 || (response.ok && !json)) {
        await discard(response);
        return [];
      }
      const failure = statusFailure(response, who);
      if (failure) {
        await discard(response);
        throw failure;
      }
      const chunks: Uint8Array[] = [];
      for await (const chunk of exchange.chunks(response)) chunks.push(chunk.slice());
      return serverFiles(await new Blob(chunks as Uint8Array<ArrayBuffer>[]).text());
    } finally {
      exchange.close();
    }
  });
}

function serverFiles(text: string): readonly ServerFile[] {
  let list: unknown;
  try {
    list = JSON.parse(text);
  } catch {
    list = undefined;
  }
  if (!Array.isArray(list)) throw new ModelError("The app's server sent a list of models that cannot be read.");
  return list.filter(
    (file): file is ServerFile =>
      typeof file?.name === 'string' &&
      Number.isSafeInteger(file.size) &&
      typeof file.etag === 'string' &&
      (file.note === undefined || typeof file.note === 'string'),
  );
}

interface Found {
  readonly size: number;
  readonly validator: string | undefined;
}

async function probe(transport: Transport, address: string, who: string, signal: AbortSignal): Promise<Found> {
  const exchange = new Exchange(transport, signal);
  try {
    const response = await exchange.send(address, { headers: { range: 'bytes=0-0' } });
    await discard(response);
    const failure = statusFailure(response, who);
    if (failure) throw failure;
    if (response.status !== 206) {
      throw new ModelError(
        `${who} ignores byte ranges (it answered ${response.status} instead of 206), so the file cannot be loaded in pieces. Choose another source, or download the file and pick it from this device.`,
        { status: response.status, ranges: false },
      );
    }
    const validator = validatorOf(response.headers);
    const total = contentRange(response.headers)?.total;
    if (total !== undefined) return { size: total, validator };
    // Content-Range is readable across origins only where it is exposed; Content-Length always is.
    const head = await exchange.send(address, { method: 'HEAD' });
    await discard(head);
    const length = Number(head.headers.get('content-length') ?? Number.NaN);
    if (head.ok && Number.isSafeInteger(length) && length > 0) return { size: length, validator };
    throw new ModelError(
      `${who} does not say how large the file is (Content-Range is not exposed to this page). Choose another source, or download the file and pick it from this device.`,
    );
  } finally {
    exchange.close();
  }
}

function webAddress(text: string): URL {
  let url: URL;
  try {
    url = new URL(text.trim());
  } catch {
    throw new ModelError(`"${text.slice(0, 200)}" is no web address. Paste one that starts with https://.`);
  }
  if (url.protocol !== 'https:' && url.protocol !== 'http:') {
    throw new ModelError(`Shoal loads from https and http addresses, not from ${url.protocol} ones.`);
  }
  if (url.username !== '' || url.password !== '') {
    throw new ModelError('The address holds a name or password, which browsers refuse. Paste it without.');
  }
  url.hash = '';
  return url;
}

function fileName(url: URL): string {
  const last = url.pathname.split('/').at(-1) ?? '';
  try {
    return decodeURIComponent(last) || url.host;
  } catch {
    return last;
  }
}
