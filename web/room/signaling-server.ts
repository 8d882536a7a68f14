import type { PeerOptions } from 'peerjs';
import * as v from 'valibot';

const REQUEST_TIMEOUT_MS = 10_000;
const PATH = 'signaling/';

const ListedSchema = v.object({ peers: v.pipe(v.array(v.pipe(v.string(), v.maxLength(64))), v.maxLength(256)) });
const IceSchema = v.object({
  iceServers: v.array(
    v.object({
      urls: v.union([v.string(), v.array(v.string())]),
      username: v.optional(v.string()),
      credential: v.optional(v.string()),
    }),
  ),
  expiresMs: v.pipe(v.number(), v.minValue(0)),
});

export type IceAnswer = v.InferOutput<typeof IceSchema>;

/** Who a device is to the server: its PeerJS id, and what proves that the id is its. */
export interface Registration {
  readonly peer: string;
  readonly token: string;
}

/** What the server answered with instead of what was asked for; the message is in its words. */
export class SignalingRefusal extends Error {
  readonly status: number;
  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

/** The server that introduces devices, as seen from a page. Trusted with nothing: it sees ids and encrypted offers. */
export class SignalingServer {
  readonly #base: URL;
  readonly #fetch: typeof fetch;

  /** @param origin where the server is: that of the page, or another */
  constructor(origin: string, fetcher: typeof fetch = (...parameters) => fetch(...parameters)) {
    this.#base = new URL(PATH, new URL('/', origin));
    this.#fetch = fetcher;
  }

  /** Where PeerJS connects to. */
  get peerOptions(): Pick<PeerOptions, 'host' | 'port' | 'path' | 'secure'> {
    const { hostname, port, pathname, protocol } = this.#base;
    const secure = protocol === 'https:';
    return { host: hostname, port: port === '' ? (secure ? 443 : 80) : Number(port), path: pathname, secure };
  }

  /** Lists this device in a room's directory, or keeps it listed; answers with who else is. */
  async announce(room: string, who: Registration): Promise<readonly string[]> {
    const { peers } = await this.#ask(`rooms/${room}`, ListedSchema, who);
    return peers.filter((peer) => peer !== who.peer);
  }

  /** STUN and TURN servers, with credentials for `expiresMs`; only for who is listed in the room. */
  ice(room: string, who: Registration): Promise<IceAnswer> {
    return this.#ask('ice', IceSchema, { room, ...who });
  }

  async #ask<T>(what: string, schema: v.GenericSchema<unknown, T>, question: object): Promise<T> {
    const signal = AbortSignal.timeout(REQUEST_TIMEOUT_MS);
    const response = await this.#fetch(new URL(what, this.#base), {
      method: 'POST',
      // a type that needs no preflight, so that another origin costs no second request
      body: new Blob([JSON.stringify(question)], { type: 'text/plain' }),
      signal,
      cache: 'no-store',
      credentials: 'omit',
    });
    if (!response.ok) throw new SignalingRefusal(response.status, (await response.text()).slice(0, 300));
    return v.parse(schema, await response.json());
  }
}
