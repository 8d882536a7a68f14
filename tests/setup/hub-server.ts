import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/**
 * A Hugging Face hub for tests, on 127.0.0.1: the model API, `resolve` with a redirect to a second origin (the CDN) by
 * signed address, the LFS batch API, gating by token, CORS, and faults on demand. Files are kept in memory.
 */
export interface HubRepositorySetup {
  /** Path inside the repository to its content. */
  readonly files: Readonly<Record<string, Uint8Array>>;
  /** Files need the token; the listing does not. */
  readonly gated?: boolean;
  /** The listing needs the token as well. */
  readonly private?: boolean;
}

export interface HubSetup {
  /** By owner/name. */
  readonly repositories: Readonly<Record<string, HubRepositorySetup>>;
  /** The token that opens gated and private repositories. */
  readonly token?: string;
  /** Serve `resolve` from the hub itself instead of redirecting to the CDN. */
  readonly direct?: boolean;
  /** Answer the LFS batch API (default), or 404 as simple mirrors do. */
  readonly lfs?: boolean;
  /** Wait so long after each 64 KiB of a body, as a network would. */
  readonly chunkDelayMs?: number;
}

/** What goes wrong with requests of one kind: the first fault that fits, `times` times (without it: every time). */
export interface HubFault {
  readonly on: 'api' | 'resolve' | 'lfs' | 'cdn';
  times?: number;
  /** Answer this status, with these headers and body. */
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** Ignore Range: answer 200 with the whole file. */
  readonly whole?: boolean;
  /** Close the connection after so many bytes of the body. */
  readonly cutAfter?: number;
  /** Send nothing more after so many bytes of the body. */
  readonly stallAfter?: number;
  /** End the body in order after so many bytes, with a Content-Range that fits. */
  readonly shortAfter?: number;
  /** Wait before the answer, ms. */
  readonly delayMs?: number;
  /** Send this ETag. */
  readonly etag?: string;
  /** Send no CORS headers. */
  readonly noCors?: boolean;
  /** Close the connection without an answer. */
  readonly drop?: boolean;
}

export interface HubRequest {
  readonly origin: 'hub' | 'cdn';
  readonly method: string;
  /** Path and query. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string | undefined>>;
  status: number;
  /** Body bytes handed to the socket. */
  sent: number;
  /** Whether the client went away before the body's end. */
  cancelled: boolean;
}

export interface HubServer {
  /** Base URL, no trailing slash. */
  readonly url: string;
  /** Base URL of the second origin. */
  readonly cdnUrl: string;
  readonly requests: HubRequest[];
  readonly chunkDelayMs: number;
  /** Replace or push at any time. */
  faults: HubFault[];
  /** The commit of a repository. */
  commit(repository: string): string;
  close(): Promise<void>;
}

const EXPOSED =
  'ETag, Accept-Ranges, Content-Range, X-Error-Code, X-Linked-Size, X-Linked-ETag, Retry-After, RateLimit';
const CHUNK_BYTES = 64 * 1024;

export async function startHubServer(setup: HubSetup): Promise<HubServer> {
  const requests: HubRequest[] = [];
  const signatures = new Map<string, { readonly repository: string; readonly file: string }>();
  let signed = 0;
  const running: HubServer = {
    url: '',
    cdnUrl: '',
    requests,
    chunkDelayMs: setup.chunkDelayMs ?? 0,
    faults: [],
    commit: (repository) => hex('sha1', repository),
    close: async () => {
      for (const server of [hub, cdn]) {
        server.closeAllConnections();
        await new Promise((resolve) => server.close(resolve));
      }
    },
  };
  const urls = running as { url: string; cdnUrl: string };

  const sign = (repository: string, file: string): string => {
    const signature = hex('sha1', `${repository}/${file}#${signed++}`);
    signatures.set(signature, { repository, file });
    return `${running.cdnUrl}/blob/${signature}?expires=3600`;
  };
  const hub = createServer((request, response) => {
    const call = new Call(running, 'hub', request, response);
    const at = new URL(request.url ?? '/', 'http://hub');
    const path = decodeURIComponent(at.pathname).slice(1);
    const authorised = setup.token !== undefined && request.headers.authorization === `Bearer ${setup.token}`;
    if (call.preflight()) return;

    const api = /^api\/models\/([^/]+\/[^/]+)(?:\/revision\/(.+))?$/.exec(path);
    if (api) {
      const name = api[1] ?? '';
      return call.begin('api', () => {
        const repository = setup.repositories[name];
        if (!repository || (repository.private && !authorised))
          return call.refuse(authorised ? 404 : 401, 'RepoNotFound');
        call.json(200, modelInfo(name, repository, running.commit(name)));
      });
    }
    const lfs = /^([^/]+\/[^/]+)\.git\/info\/lfs\/objects\/batch$/.exec(path);
    if (lfs && request.method === 'POST') {
      const name = lfs[1] ?? '';
      return call.begin('lfs', async () => {
        const repository = setup.repositories[name];
        if (setup.lfs === false || !repository) return call.refuse(404, 'EntryNotFound');
        if ((repository.gated || repository.private) && !authorised) return call.refuse(401, 'GatedRepo');
        const asked = JSON.parse(await bodyOf(request)) as { objects: { oid: string; size: number }[] };
        const objects = asked.objects.map(({ oid, size }) => {
          const file = Object.entries(repository.files).find(([, content]) => hex('sha256', content) === oid)?.[0];
          if (file === undefined) return { oid, size, error: { code: 404, message: 'Object does not exist' } };
          return {
            oid,
            size,
            authenticated: true,
            actions: { download: { href: sign(name, file), expires_in: 3600 } },
          };
        });
        call.json(200, { transfer: 'basic', objects });
      });
    }
    const resolve = /^([^/]+\/[^/]+)\/resolve\/([^/]+)\/(.+)$/.exec(path);
    if (resolve) {
      const [, name = '', revision = '', file = ''] = resolve;
      return call.begin('resolve', () => {
        const repository = setup.repositories[name];
        const content = repository?.files[file];
        if (!repository || (repository.private && !authorised)) return call.refuse(401, 'RepoNotFound');
        if (repository.gated && !authorised) {
          const wrong = request.headers.authorization !== undefined;
          return call.refuse(wrong ? 403 : 401, 'GatedRepo');
        }
        if (!content || (revision !== 'main' && revision !== running.commit(name))) {
          return call.refuse(404, 'EntryNotFound');
        }
        if (setup.direct) return call.file(content);
        call.redirect(sign(name, file), { 'x-linked-size': String(content.length) });
      });
    }
    call.begin('resolve', () => call.refuse(404, 'NotFound'));
  });
  const cdn = createServer((request, response) => {
    const call = new Call(running, 'cdn', request, response);
    if (call.preflight()) return;
    call.begin('cdn', () => {
      const where = signatures.get((request.url ?? '').split(/[/?]/)[2] ?? '');
      const content = where && setup.repositories[where.repository]?.files[where.file];
      if (!content) return call.refuse(403, '');
      call.file(content);
    });
  });
  urls.url = await listen(hub);
  urls.cdnUrl = await listen(cdn);
  return running;
}

function modelInfo(name: string, repository: HubRepositorySetup, commit: string) {
  return {
    _id: commit.slice(0, 24),
    id: name,
    modelId: name,
    sha: commit,
    private: repository.private ?? false,
    gated: repository.gated ? 'manual' : false,
    siblings: Object.entries(repository.files).map(([rfilename, content]) => ({
      rfilename,
      size: content.length,
      blobId: hex('sha1', content),
      ...(rfilename.endsWith('.gguf')
        ? { lfs: { sha256: hex('sha256', content), size: content.length, pointerSize: 134 } }
        : {}),
    })),
  };
}

/** One request and its answer, with the fault that applies to it. */
class Call {
  readonly #server: HubServer;
  readonly #request: IncomingMessage;
  readonly #response: ServerResponse;
  readonly #log: HubRequest;
  #fault: HubFault | undefined;

  constructor(server: HubServer, origin: 'hub' | 'cdn', request: IncomingMessage, response: ServerResponse) {
    this.#server = server;
    this.#request = request;
    this.#response = response;
    this.#log = {
      origin,
      method: request.method ?? '',
      path: request.url ?? '',
      headers: { ...request.headers } as Record<string, string | undefined>,
      status: 0,
      sent: 0,
      cancelled: false,
    };
    server.requests.push(this.#log);
    response.on('close', () => {
      this.#log.cancelled = !response.writableEnded;
    });
  }

  preflight(): boolean {
    if (this.#request.method !== 'OPTIONS') return false;
    const kind = this.#log.origin === 'cdn' ? 'cdn' : undefined;
    const closed = this.#server.faults.some((fault) => fault.noCors && (kind === undefined || fault.on === kind));
    this.#head(closed ? 403 : 204, {}, closed);
    this.#response.end();
    return true;
  }

  begin(kind: HubFault['on'], answer: () => void | Promise<void>): void {
    const fault = this.#server.faults.find((each) => each.on === kind && (each.times ?? 1) > 0);
    if (fault?.times !== undefined) fault.times--;
    this.#fault = fault;
    const go = async () => {
      if (fault?.drop) {
        this.#response.destroy();
      } else if (fault?.status !== undefined) {
        this.#head(fault.status, fault.headers ?? {});
        this.#response.end(fault.body ?? '');
      } else {
        await answer();
      }
    };
    setTimeout(() => void go(), fault?.delayMs ?? 0);
  }

  json(status: number, value: unknown): void {
    this.#head(status, { 'content-type': 'application/json' });
    this.#response.end(JSON.stringify(value));
  }

  refuse(status: number, code: string): void {
    this.#head(status, code === '' ? {} : { 'x-error-code': code });
    this.#response.end('refused');
  }

  redirect(address: string, headers: Readonly<Record<string, string>>): void {
    this.#head(302, { ...headers, location: address });
    this.#response.end();
  }

  /** A file or its asked range. */
  file(content: Uint8Array): void {
    const etag = this.#fault?.etag ?? `"${hex('sha1', content)}"`;
    const range = /^bytes=(\d+)-(\d*)$/.exec(this.#request.headers.range ?? '');
    const whole = !range || this.#fault?.whole === true;
    const start = whole ? 0 : Number(range[1]);
    const end = whole || range[2] === '' ? content.length : Math.min(content.length, Number(range[2]) + 1);
    if (start >= content.length) {
      this.#head(416, { 'content-range': `bytes */${content.length}` });
      this.#response.end();
      return;
    }
    let body = content.subarray(start, end);
    if (this.#fault?.shortAfter !== undefined) body = body.subarray(0, this.#fault.shortAfter);
    this.#head(whole ? 200 : 206, {
      'accept-ranges': 'bytes',
      'content-length': String(body.length),
      etag,
      ...(whole ? {} : { 'content-range': `bytes ${start}-${start + body.length - 1}/${content.length}` }),
      ...this.#fault?.headers,
    });
    if (this.#request.method === 'HEAD') this.#response.end();
    else this.#stream(body, 0);
  }

  #stream(body: Uint8Array, from: number): void {
    if (this.#response.destroyed) return;
    const limit = this.#fault?.cutAfter ?? this.#fault?.stallAfter ?? body.length;
    const to = Math.min(from + CHUNK_BYTES, limit, body.length);
    if (to === from) {
      if (limit >= body.length) this.#response.end();
      else if (this.#fault?.cutAfter !== undefined) this.#response.destroy();
      return;
    }
    this.#log.sent += to - from;
    // One write in flight, so that `sent` says what the client let through.
    this.#response.write(body.subarray(from, to), () => {
      const { chunkDelayMs } = this.#server;
      if (chunkDelayMs > 0) setTimeout(() => this.#stream(body, to), chunkDelayMs);
      else this.#stream(body, to);
    });
  }

  #head(status: number, headers: Readonly<Record<string, string>>, noCors = this.#fault?.noCors === true): void {
    this.#log.status = status;
    const origin = this.#request.headers.origin;
    this.#response.writeHead(status, {
      ...(noCors
        ? {}
        : {
            'access-control-allow-origin': origin ?? '*',
            'access-control-allow-headers': 'authorization, content-type, accept, range',
            'access-control-allow-methods': 'GET, HEAD, POST',
            'access-control-expose-headers': EXPOSED,
            vary: 'Origin',
          }),
      ...headers,
    });
  }
}

async function listen(server: Server): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  let text = '';
  for await (const chunk of request) text += String(chunk);
  return text;
}

function hex(algorithm: 'sha1' | 'sha256', data: string | Uint8Array): string {
  return createHash(algorithm).update(data).digest('hex');
}
