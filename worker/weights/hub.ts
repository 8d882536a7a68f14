import * as v from 'valibot';
import { ModelError } from '../errors.ts';
import { asHubError, type Hub, hubAt, hubFailure, isRedirect, sendAnonymously, sendWithToken } from './hub-access.ts';
import { isUsableQuantization, quantizationOf, splitOf } from './quantization.ts';
import { isRepository } from './repository.ts';
import {
  discard,
  Exchange,
  Patience,
  patiently,
  platformTransport,
  statusFailure,
  type Transport,
} from './transport.ts';

/** One GGUF file of a repository. */
export interface HubFile {
  /** Path inside the repository. */
  readonly file: string;
  readonly size: number;
  /** Hex; absent for the rare file outside of large-file storage. */
  readonly sha256?: string;
  /** 'Q4_K_M' and the like, from the file's name. */
  readonly quantization?: string;
  /** Why Shoal cannot load it, as far as the name tells; absent when it can. The header has the last word. */
  readonly unsupported?: string;
}

export interface HubListing {
  /** owner/name as the hub spells it. */
  readonly repository: string;
  /** The commit that the files belong to. */
  readonly commit: string;
  readonly gated: boolean;
  /** Largest last. */
  readonly files: readonly HubFile[];
  /** What the hub read from a GGUF header, where it says. */
  readonly architecture?: string;
  readonly contextLength?: number;
  readonly parameters?: number;
}

export interface HubListingOptions {
  /** owner/name */
  readonly repository: string;
  /** Branch, tag or commit; the main branch unless given. */
  readonly revision?: string;
  readonly baseUrl?: string;
  readonly token?: string;
  readonly signal: AbortSignal;
  readonly transport?: Transport;
}

/** The part of https://huggingface.co/docs/hub/api that is used: `GET /api/models/{repo}/revision/{rev}?blobs=true`. */
const ModelInfo = v.object({
  id: v.optional(v.string()),
  sha: v.pipe(v.string(), v.regex(/^[0-9a-f]{40}$/)),
  gated: v.optional(v.union([v.boolean(), v.string()])),
  siblings: v.optional(
    v.array(
      v.object({
        rfilename: v.string(),
        size: v.nullish(v.number()),
        lfs: v.nullish(v.object({ sha256: v.optional(v.string()), size: v.optional(v.number()) })),
      }),
    ),
  ),
  gguf: v.nullish(
    v.object({
      total: v.optional(v.number()),
      architecture: v.optional(v.string()),
      context_length: v.optional(v.number()),
    }),
  ),
});
type ModelInfo = v.InferOutput<typeof ModelInfo>;

const MAX_ANSWER_BYTES = 32 * 1024 * 1024;

/**
 * The GGUF files of a repository at its current commit, so that a person picks the quantization.
 *
 * Throws PersonError (`details.gated`, `details.page`: licence to accept, token to paste), ModelError (no such
 * repository), RetryError (`details.retryAfterMs` when rate limited; `details.hubUnreachable` where no hub answers).
 */
export async function listHubFiles(options: HubListingOptions): Promise<HubListing> {
  const { repository, revision, baseUrl, token, signal, transport = platformTransport } = options;
  const hub = hubAt(baseUrl, token, transport);
  if (!isRepository(repository)) {
    throw new ModelError(
      `"${repository.slice(0, 100)}" is no repository. Enter owner/name, like Qwen/Qwen3-0.6B-GGUF.`,
    );
  }
  const path = `api/models/${repository}${revision === undefined ? '' : `/revision/${encodeURIComponent(revision)}`}`;
  const address = new URL(`${path}?blobs=true`, hub.base).href;
  try {
    const info = await patiently(new Patience(transport, hub.base.host, address), signal, () =>
      fetchInfo(hub, repository, address, signal),
    );
    return listing(repository, info);
  } catch (error) {
    throw asHubError(hub, error);
  }
}

async function fetchInfo(hub: Hub, repository: string, address: string, signal: AbortSignal): Promise<ModelInfo> {
  const exchange = new Exchange(hub.transport, signal);
  try {
    let withToken = false;
    let response = await sendAnonymously(exchange, address);
    if ((response.status === 401 || response.status === 403) && hub.token !== undefined) {
      await discard(response);
      withToken = true;
      response = await sendWithToken(hub, exchange, address, {});
    }
    if (isRedirect(response)) {
      await discard(response);
      throw new ModelError(`${repository} has moved on ${hub.base.host}. Enter its new name.`);
    }
    const failure = hubFailure(hub, repository, response, withToken) ?? statusFailure(response, hub.base.host);
    if (failure) {
      await discard(response);
      throw failure;
    }
    return parseInfo(hub, await readText(exchange, response, hub.base.host));
  } finally {
    exchange.close();
  }
}

async function readText(exchange: Exchange, response: Response, who: string): Promise<string> {
  const decoder = new TextDecoder();
  let text = '';
  let bytes = 0;
  for await (const chunk of exchange.chunks(response)) {
    bytes += chunk.length;
    if (bytes > MAX_ANSWER_BYTES)
      throw new ModelError(`${who} sent over ${MAX_ANSWER_BYTES} bytes as a list of files.`);
    text += decoder.decode(chunk, { stream: true });
  }
  return text + decoder.decode();
}

function parseInfo(hub: Hub, text: string): ModelInfo {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    json = undefined;
  }
  const parsed = v.safeParse(ModelInfo, json);
  if (parsed.success) return parsed.output;
  throw new ModelError(
    `${hub.base.host} does not answer as a Hugging Face hub does (a sign-in page of this network, perhaps). Check the hub's address in Settings.`,
    { hubUnreachable: true },
  );
}

function listing(repository: string, info: ModelInfo): HubListing {
  const files: HubFile[] = [];
  for (const { rfilename, size, lfs } of info.siblings ?? []) {
    if (!/\.gguf$/i.test(rfilename)) continue;
    const bytes = lfs?.size ?? size;
    if (typeof bytes !== 'number' || !Number.isSafeInteger(bytes) || bytes < 0) continue;
    const sha256 = lfs?.sha256 !== undefined && /^[0-9a-f]{64}$/.test(lfs.sha256) ? lfs.sha256 : undefined;
    const quantization = quantizationOf(rfilename);
    const unsupported = whyNot(rfilename, quantization);
    files.push({
      file: rfilename,
      size: bytes,
      ...(sha256 === undefined ? {} : { sha256 }),
      ...(quantization === undefined ? {} : { quantization }),
      ...(unsupported === undefined ? {} : { unsupported }),
    });
  }
  files.sort((a, b) => a.size - b.size || (a.file < b.file ? -1 : 1));
  const { architecture, context_length: contextLength, total: parameters } = info.gguf ?? {};
  return {
    repository: info.id !== undefined && isRepository(info.id) ? info.id : repository,
    commit: info.sha,
    gated: info.gated !== undefined && info.gated !== false && info.gated !== 'false',
    files,
    ...(architecture === undefined ? {} : { architecture }),
    ...(contextLength === undefined ? {} : { contextLength }),
    ...(parameters === undefined ? {} : { parameters }),
  };
}

function whyNot(file: string, quantization: string | undefined): string | undefined {
  const split = splitOf(file);
  if (split) return `Part ${split.index} of ${split.count}: models in parts are not supported yet.`;
  const base = file.split('/').at(-1) ?? file;
  if (/(^|[-_.])mmproj([-_.]|$)/i.test(base)) return 'The part of a model that sees; not supported.';
  if (/imatrix/i.test(base) && quantization === undefined) return 'Notes of the quantizer, no model.';
  if (quantization !== undefined && !isUsableQuantization(quantization)) return `${quantization} is not supported yet.`;
  return undefined;
}
