import { InternalError, PersonError } from '../errors.ts';
import { type RangeTarget, readRange } from './http-range.ts';
import {
  asHubError,
  HUGGING_FACE,
  type Hub,
  hubAddress,
  hubAt,
  hubFailure,
  isRedirect,
  redirectTarget,
  type SignedAddress,
  sendAnonymously,
  sendWithToken,
  signedByLfs,
  signedByRedirect,
} from './hub-access.ts';
import { discard, type Exchange, platformTransport, type Transport } from './transport.ts';
import type { ByteSource } from './types.ts';

const MAX_REDIRECTS = 5;

export interface HubSourceOptions {
  /** owner/name */
  readonly repository: string;
  /** The commit that the listing gave: 40 hex digits. */
  readonly commit: string;
  /** Path inside the repository. */
  readonly file: string;
  readonly size: number;
  readonly sha256?: string;
  readonly baseUrl?: string;
  readonly token?: string;
  readonly transport?: Transport;
}

/**
 * A file of a Hugging Face repository, or of a mirror's. Read anonymously where the hub allows it; the token is sent
 * only after a refusal, only to the hub's own origin, and never along a redirect (see `TokenReader`).
 *
 * `read` throws as every source does; where no hub answers, a RetryError with `details.hubUnreachable`.
 */
export function hubSource(options: HubSourceOptions): ByteSource {
  const { repository, commit, file, size, sha256, baseUrl, token, transport = platformTransport } = options;
  if (!/^[0-9a-f]{40}$/.test(commit)) throw new InternalError(`"${commit}" is no commit.`);
  const hub = hubAt(baseUrl, token, transport);
  const address = hubAddress(hub, `${repository}/resolve/${commit}/${file}`);
  const withToken = hub.token === undefined ? undefined : new TokenReader(hub, repository, address, size, sha256);
  let validator: string | undefined;
  const target: RangeTarget = {
    transport,
    who: hub.base.host,
    address,
    size,
    get validator() {
      return validator;
    },
    open: async (exchange, range) => {
      const response = await openOnHub(exchange, address, range, withToken);
      // A commit's content does not change, and its CDNs name it by different ETags; only where no hash will tell in
      // the end must the ETag stay what the first answer said.
      if (sha256 === undefined && response.status === 206) validator ??= response.headers.get('etag') ?? undefined;
      return response;
    },
    judge: (response) => hubFailure(hub, repository, response, withToken?.needed === true),
  };
  return {
    identity: { kind: 'hub', repository, commit, file },
    name: file.split('/').at(-1) ?? file,
    size,
    ...(sha256 === undefined ? {} : { sha256 }),
    ...(hub.base.origin === new URL(HUGGING_FACE).origin ? {} : { mirror: hub.base.origin }),
    read: (start, end, signal) => readFromHub(hub, target, start, end, signal),
  };
}

async function openOnHub(
  exchange: Exchange,
  address: string,
  range: string,
  withToken: TokenReader | undefined,
): Promise<Response> {
  if (withToken?.needed) return withToken.open(exchange, range);
  const response = await sendAnonymously(exchange, address, range);
  if (!withToken || (response.status !== 401 && response.status !== 403)) return response;
  await discard(response);
  withToken.needed = true;
  return withToken.open(exchange, range);
}

async function* readFromHub(
  hub: Hub,
  target: RangeTarget,
  start: number,
  end: number,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array, void> {
  try {
    yield* readRange(target, start, end, signal);
  } catch (error) {
    throw asHubError(hub, error);
  }
}

/**
 * Reads with a token that never leaves the hub's origin: no request that carries it follows a redirect. A hub answers a
 * download with one, to a signed address on a CDN. That address comes from the redirect where it can be read, else (in
 * browsers, which hide it) from the hub's LFS API, and is fetched without the token.
 */
class TokenReader {
  /** Whether the hub refused without the token. */
  needed = false;
  readonly #hub: Hub;
  readonly #repository: string;
  readonly #address: string;
  readonly #size: number;
  readonly #sha256: string | undefined;
  #signed: SignedAddress | undefined;

  constructor(hub: Hub, repository: string, address: string, size: number, sha256: string | undefined) {
    this.#hub = hub;
    this.#repository = repository;
    this.#address = address;
    this.#size = size;
    this.#sha256 = sha256;
  }

  async open(exchange: Exchange, range: string): Promise<Response> {
    if (this.#signed && this.#signed.expires > Date.now()) {
      const response = await sendAnonymously(exchange, this.#signed.address, range);
      // A CDN says 400, 401, 403 or 410 to an address that ran out.
      if (![400, 401, 403, 410].includes(response.status)) return response;
      await discard(response);
    }
    this.#signed = undefined;
    return this.#ask(exchange, range);
  }

  async #ask(exchange: Exchange, range: string): Promise<Response> {
    const init = { headers: { range } };
    let address = this.#address;
    for (let hop = 0; hop < MAX_REDIRECTS; hop++) {
      const response = await sendWithToken(this.#hub, exchange, address, init);
      if (!isRedirect(response)) return response;
      await discard(response);
      const next = redirectTarget(response, address);
      if (next === undefined) return this.#askHidden(exchange, range);
      if (new URL(next).origin !== this.#hub.base.origin) {
        this.#signed = signedByRedirect(next);
        return sendAnonymously(exchange, next, range);
      }
      address = next;
    }
    throw new PersonError(`${this.#hub.base.host} redirects in a circle. Check the hub's address in Settings.`);
  }

  /** The redirect's target cannot be read. */
  async #askHidden(exchange: Exchange, range: string): Promise<Response> {
    this.#signed = this.#sha256
      ? await signedByLfs(this.#hub, exchange, this.#repository, this.#sha256, this.#size)
      : undefined;
    if (this.#signed) return sendAnonymously(exchange, this.#signed.address, range);
    const { host } = this.#hub.base;
    throw new PersonError(
      `${host} gives this file only by a redirect, which browsers hide from a page; followed blindly, it could carry your access token elsewhere. Download the file at ${this.#hub.base.origin} and pick it from this device, or set a hub that has the Git LFS API.`,
      { status: 302, redirectHidden: true },
    );
  }
}
