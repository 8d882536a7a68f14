import { ModelError, PersonError, RetryError, ShoalError } from '../errors.ts';
import { discard, type Exchange, NoAnswer, PassingFailure, type Transport, waitAsked } from './transport.ts';

export const HUGGING_FACE = 'https://huggingface.co';

/** A hub, as the person configured it. */
export interface Hub {
  /** Base URL of the hub or a mirror, e.g. https://huggingface.co. */
  readonly base: URL;
  readonly token: string | undefined;
  readonly transport: Transport;
}

export function hubAt(baseUrl: string | undefined, token: string | undefined, transport: Transport): Hub {
  let base: URL;
  try {
    base = new URL(baseUrl?.trim() || HUGGING_FACE);
  } catch {
    throw new ModelError(`"${baseUrl}" is no address of a hub. Enter one like ${HUGGING_FACE}.`);
  }
  if (base.protocol !== 'https:' && base.protocol !== 'http:') {
    throw new ModelError(`A hub is reached over https or http, not ${base.protocol} Enter one like ${HUGGING_FACE}.`);
  }
  base.search = '';
  base.hash = '';
  if (!base.pathname.endsWith('/')) base.pathname += '/';
  return { base, token: token?.trim() || undefined, transport };
}

/** An address below the hub's base; segments are escaped. */
export function hubAddress(hub: Hub, path: string, query = ''): string {
  const escaped = path.split('/').map(encodeURIComponent).join('/');
  return new URL(escaped + query, hub.base).href;
}

/** Anonymous: redirects are followed, as nothing on the request is secret. */
export function sendAnonymously(exchange: Exchange, address: string, range?: string): Promise<Response> {
  return exchange.send(address, range === undefined ? {} : { headers: { range } });
}

/**
 * Sends the token, to the hub's origin alone: redirects are never followed here. The answer may be one
 * (`type: 'opaqueredirect'` in browsers, a readable 3xx elsewhere).
 */
export function sendWithToken(hub: Hub, exchange: Exchange, address: string, init: RequestInit): Promise<Response> {
  return exchange.send(address, { ...init, headers: withToken(hub, address, init), redirect: 'manual' });
}

function withToken(hub: Hub, address: string, init: RequestInit): Headers {
  if (hub.token === undefined || new URL(address).origin !== hub.base.origin) {
    throw new PersonError(`The access token is only for ${hub.base.origin}, not for ${new URL(address).origin}.`);
  }
  if (!/^[\x21-\x7e]+$/.test(hub.token)) {
    throw new PersonError('The access token holds characters that no token has. Paste it again in Settings.', {
      gated: true,
    });
  }
  const headers = new Headers(init.headers);
  headers.set('authorization', `Bearer ${hub.token}`);
  return headers;
}

/** What a hub's answer means where it is not the wanted content; undefined for 2xx. */
export function hubFailure(
  hub: Hub,
  repository: string,
  response: Response,
  withToken: boolean,
): ShoalError | PassingFailure | undefined {
  const { status } = response;
  if (response.ok) return undefined;
  const host = hub.base.host;
  const page = new URL(repository, hub.base).href;
  const code = response.headers.get('x-error-code') ?? '';
  const details = { status, repository };
  if (code === 'GatedRepo' || status === 403) {
    return new PersonError(
      withToken
        ? `${host} does not let this token read ${repository}. Accept the licence at ${page} with the token's account, and give the token the right to read gated repositories; then try again.`
        : `${repository} asks for a licence. Accept the licence at ${page}, then paste a token in Settings.`,
      { ...details, gated: true, page },
    );
  }
  if (status === 401) {
    return new PersonError(
      withToken
        ? `${host} refuses the access token. Paste a valid one in Settings, and check the name ${repository}.`
        : `${host} shows ${repository} only to those who may see it, or has no such repository. Check the name; if it is right, accept the licence at ${page}, then paste a token in Settings.`,
      { ...details, gated: true, page },
    );
  }
  if (status === 404 || status === 410) {
    return new ModelError(`${host} has no such model, revision or file in ${repository} (${status}). Check the name.`, {
      ...details,
      page,
    });
  }
  if (status === 429) {
    return new PassingFailure(`${host} asks to slow down (429)`, status, waitAsked(response.headers));
  }
  if (status === 408 || status >= 500) {
    return new PassingFailure(`${host} has trouble (${status})`, status, waitAsked(response.headers));
  }
  return undefined;
}

/**
 * Marks what means "no hub here" with `details.hubUnreachable`, so that the page can offer the server's folder, a
 * file, or the starter model. A hub behind a firm's proxy often looks like one that does not allow this page.
 */
export function asHubError(hub: Hub, error: unknown): unknown {
  if (!(error instanceof ShoalError)) return error;
  const { details } = error;
  const away = details.unreachable === true || details.cors === true || details.mixedContent === true;
  const down = error instanceof RetryError && typeof details.status === 'number' && details.status >= 500;
  if (!away && !down) return error;
  const message =
    details.cors === true
      ? `${hub.base.host} answers, but not to this page: it is a mirror that does not allow it (CORS), or this network stands between.`
      : error.message;
  return new RetryError(
    `${message} Until then: a model from the server's folder, a file of this device, or what is already here.`,
    { ...details, hubUnreachable: true },
    error,
  );
}

/** A readable redirect's target, or undefined. */
export function redirectTarget(response: Response, address: string): string | undefined {
  const location = response.headers.get('location');
  if (response.status < 300 || response.status >= 400 || !location) return undefined;
  return new URL(location, address).href;
}

export function isRedirect(response: Response): boolean {
  return response.type === 'opaqueredirect' || (response.status >= 300 && response.status < 400);
}

/** A download address that needs no token. */
export interface SignedAddress {
  readonly address: string;
  /** When it stops working, ms since 1970. */
  readonly expires: number;
}

const DEFAULT_SIGNED_MS = 5 * 60_000;
const SIGNED_MARGIN_MS = 30_000;

/**
 * Asks the hub's Git LFS batch API (https://github.com/git-lfs/git-lfs/blob/main/docs/api/batch.md) for a signed
 * address of the file with this SHA-256: an answer in JSON, so that no redirect is followed with the token on it.
 * Undefined where the hub has no such API for this page.
 */
export async function signedByLfs(
  hub: Hub,
  exchange: Exchange,
  repository: string,
  sha256: string,
  size: number,
): Promise<SignedAddress | undefined> {
  const address = hubAddress(hub, `${repository}.git/info/lfs/objects/batch`);
  let response: Response;
  try {
    response = await sendWithToken(hub, exchange, address, {
      method: 'POST',
      headers: { accept: 'application/vnd.git-lfs+json', 'content-type': 'application/vnd.git-lfs+json' },
      body: JSON.stringify({
        operation: 'download',
        transfers: ['basic'],
        hash_algo: 'sha256',
        objects: [{ oid: sha256, size }],
      }),
    });
  } catch (error) {
    if (error instanceof NoAnswer) return undefined;
    throw error;
  }
  if (!response.ok) {
    await discard(response);
    if (isRedirect(response) || response.status === 404 || response.status === 405 || response.status === 501) {
      return undefined;
    }
    throw (
      hubFailure(hub, repository, response, true) ?? new PassingFailure(`${hub.base.host} answered ${response.status}`)
    );
  }
  const answer: unknown = await response.json().catch(() => undefined);
  const action = downloadAction(answer);
  if (!action) return undefined;
  const seconds = typeof action.expires_in === 'number' ? action.expires_in : undefined;
  const at = typeof action.expires_at === 'string' ? Date.parse(action.expires_at) : Number.NaN;
  const lasts =
    seconds !== undefined ? Date.now() + seconds * 1000 : Number.isNaN(at) ? Date.now() + DEFAULT_SIGNED_MS : at;
  return { address: new URL(action.href, address).href, expires: lasts - SIGNED_MARGIN_MS };
}

/** What a redirect of unknown lifetime is worth. */
export function signedByRedirect(address: string): SignedAddress {
  return { address, expires: Date.now() + DEFAULT_SIGNED_MS - SIGNED_MARGIN_MS };
}

interface DownloadAction {
  readonly href: string;
  readonly expires_in?: unknown;
  readonly expires_at?: unknown;
}

function downloadAction(answer: unknown): DownloadAction | undefined {
  const { objects } = (answer ?? {}) as { objects?: { actions?: { download?: { href?: unknown } } }[] };
  const action = Array.isArray(objects) ? objects[0]?.actions?.download : undefined;
  return typeof action?.href === 'string' ? (action as DownloadAction) : undefined;
}
