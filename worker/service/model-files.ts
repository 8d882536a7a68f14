import type { HubRepository, ModelSource, ServerModel, Settings } from '../api.ts';
import { ModelError, RetryError } from '../errors.ts';
import type { CachedFile, ShardStore } from '../shards/index.ts';
import { fileSource } from '../weights/file-source.ts';
import { readGgufHeader } from '../weights/gguf.ts';
import { httpSource, listServerFolder, serverSource } from '../weights/http-source.ts';
import { listHubFiles } from '../weights/hub.ts';
import { hubSource } from '../weights/hub-source.ts';
import type { ByteSource, Checkpoint, FileIdentity } from '../weights/types.ts';
import { servedName } from './model-name.ts';

/** A model's file, through the cache, with its header read. */
export interface OpenedModel {
  readonly source: ModelSource;
  readonly fileName: string;
  readonly file: CachedFile;
  readonly checkpoint: Checkpoint;
}

/** Finds the bytes of a model, wherever they are: a hub, an address, the app's server, a picked file, the store. */
export class ModelFiles {
  readonly #store: ShardStore;
  readonly #appOrigin: string;
  #settings: Settings;

  constructor(store: ShardStore, appOrigin: string, settings: Settings) {
    this.#store = store;
    this.#appOrigin = appOrigin;
    this.#settings = settings;
  }

  set settings(settings: Settings) {
    this.#settings = settings;
  }

  /** Access to the hub or mirror that the settings name. */
  get hub(): { readonly baseUrl: string; readonly token?: string } {
    const { hubBaseUrl, hubToken } = this.#settings;
    return { baseUrl: hubBaseUrl, ...(hubToken === '' ? {} : { token: hubToken }) };
  }

  async hubFiles(repository: string, revision: string | undefined, signal: AbortSignal): Promise<HubRepository> {
    const at = revision === undefined ? {} : { revision };
    const listing = await listHubFiles({ ...this.hub, repository, ...at, signal });
    return {
      repository: listing.repository,
      commit: listing.commit,
      files: listing.files.map(({ file, size, quantization, unsupported }) => ({
        file,
        bytes: size,
        quantization: quantization ?? '',
        ...(unsupported === undefined ? {} : { unsupported }),
      })),
    };
  }

  async serverModels(signal: AbortSignal): Promise<readonly ServerModel[]> {
    const files = await listServerFolder({ base: this.#appOrigin, signal });
    return files.map(({ name, size, note }) => ({
      file: name,
      name: servedName(name),
      bytes: size,
      ...(note === undefined ? {} : { note }),
    }));
  }

  async open(source: ModelSource, signal: AbortSignal): Promise<OpenedModel> {
    const bytes = await this.#find(source, signal);
    const file = await this.#store.open(bytes.identity, bytes.size, bytes.source);
    const checkpoint = await readGgufHeader((start, end, stop) => file.readRange(start, end, stop), bytes.size, signal);
    return { source, fileName: bytes.name, file, checkpoint };
  }

  async #find(source: ModelSource, signal: AbortSignal): Promise<Found> {
    switch (source.kind) {
      case 'picked':
        return found(await fileSource(source.file, source.file.name, signal));
      case 'url':
        return this.#orKept(
          async () => found(await httpSource({ address: source.address, signal })),
          (identity) => identity.kind === 'url' && identity.address === new URL(source.address).href,
        );
      case 'server':
        return this.#orKept(
          () => this.#onServer(source.file, signal),
          (identity) => identity.kind === 'url' && identity.address === this.#serverAddress(source.file),
        );
      case 'hub':
        return this.#orKept(
          () => this.#onHub(source.repository, source.file, source.commit, signal),
          (identity) =>
            identity.kind === 'hub' && identity.repository === source.repository && identity.file === source.file,
        );
      case 'stored':
        return this.#stored(source.key);
      default:
        return source satisfies never;
    }
  }

  async #onServer(name: string, signal: AbortSignal): Promise<Found> {
    const files = await listServerFolder({ base: this.#appOrigin, signal });
    const file = files.find((each) => each.name === name);
    if (file === undefined) throw new ModelError(`The app's server has no ${name} any more.`);
    return found(serverSource({ base: this.#appOrigin, file }));
  }

  async #onHub(repository: string, name: string, commit: string | undefined, signal: AbortSignal): Promise<Found> {
    const listing = await listHubFiles({
      ...this.hub,
      repository,
      signal,
      ...(commit === undefined ? {} : { revision: commit }),
    });
    const file = listing.files.find((each) => each.file === name);
    if (file === undefined) throw new ModelError(`${repository} has no file ${name} any more.`);
    const { size, sha256 } = file;
    const where = { repository: listing.repository, commit: listing.commit, file: name, size };
    return found(hubSource({ ...this.hub, ...where, ...(sha256 === undefined ? {} : { sha256 }) }));
  }

  /** What the network says, or, where it cannot be reached, a whole file that is kept. */
  async #orKept(ask: () => Promise<Found>, isIt: (identity: FileIdentity) => boolean): Promise<Found> {
    try {
      return await ask();
    } catch (error) {
      if (!(error instanceof RetryError)) throw error;
      const kept = (await this.#store.list()).find(({ identity, complete }) => complete && isIt(identity));
      if (kept === undefined) throw error;
      return { identity: kept.identity, name: kept.name, size: kept.size, source: undefined };
    }
  }

  async #stored(key: string): Promise<Found> {
    const kept = (await this.#store.list()).find((each) => each.key === key);
    if (kept === undefined) throw new ModelError('This model is no longer kept here. Get it again.');
    const { identity, name, size } = kept;
    const source = identity.kind === 'picked' ? undefined : this.#sourceOf(identity, size);
    return { identity, name, size, source };
  }

  /** Where a kept file's missing or damaged shards come from, without asking the network first. */
  #sourceOf(identity: Exclude<FileIdentity, { kind: 'picked' }>, size: number): ByteSource {
    if (identity.kind === 'hub') return hubSource({ ...this.hub, ...identity, size });
    const base = this.#appOrigin;
    const prefix = new URL('models/', base).href;
    if (identity.address.startsWith(prefix)) {
      const name = identity.address.slice(prefix.length).split('/').map(decodeURIComponent).join('/');
      return serverSource({ base, file: { name, size, etag: identity.etag } });
    }
    const { address } = identity;
    return {
      identity,
      name: address,
      size,
      async *read(start, end, signal) {
        const source = await httpSource({ address, signal });
        if (source.identity.kind !== 'url' || source.identity.etag !== identity.etag || source.size !== size) {
          throw new ModelError(`The file at ${address} has changed. Remove it here, and get it again.`);
        }
        yield* source.read(start, end, signal);
      },
    };
  }

  #serverAddress(name: string): string {
    return new URL(`models/${name.split('/').map(encodeURIComponent).join('/')}`, this.#appOrigin).href;
  }
}

interface Found {
  readonly identity: FileIdentity;
  readonly name: string;
  readonly size: number;
  readonly source: ByteSource | undefined;
}

function found(source: ByteSource): Found {
  const { identity, name, size } = source;
  return { identity, name, size, source };
}
