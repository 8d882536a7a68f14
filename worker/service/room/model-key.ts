import type { ModelSource } from '../../api.ts';
import { ModelError } from '../../errors.ts';
import type { ModelKey } from '../../mesh/types.ts';
import type { FileIdentity } from '../../weights/types.ts';

/**
 * What a device of a room needs to find the file that another chose: where it lies, at which revision, and the context
 * that keys and values are taken for. A file of the app's own server is named without the server's address, which may be
 * another one for each device.
 */
export interface RoomModel {
  readonly where:
    | { readonly kind: 'hub'; readonly repository: string; readonly commit: string; readonly file: string }
    | { readonly kind: 'url'; readonly address: string; readonly etag: string }
    | { readonly kind: 'server'; readonly file: string; readonly etag: string };
  readonly contextTokens: number;
}

const MAX_KEY_CHARACTERS = 1024;
const MOST_CONTEXT_TOKENS = 1 << 20;

export function modelKey({ where, contextTokens }: RoomModel): ModelKey {
  const fields =
    where.kind === 'hub'
      ? [where.repository, where.commit, where.file]
      : where.kind === 'url'
        ? [where.address, where.etag]
        : [where.file, where.etag];
  return JSON.stringify([where.kind, ...fields, contextTokens]);
}

/** @throws ModelError for what is no key: it comes from other devices */
export function readModelKey(key: ModelKey): RoomModel {
  const [kind, ...fields] = parse(key);
  const contextTokens = fields.pop();
  const texts = fields.filter((field): field is string => typeof field === 'string' && field !== '');
  const isCount =
    typeof contextTokens === 'number' &&
    Number.isInteger(contextTokens) &&
    contextTokens > 0 &&
    contextTokens <= MOST_CONTEXT_TOKENS;
  if (isCount && texts.length === fields.length) {
    const [a = '', b = '', c = ''] = texts;
    if (kind === 'hub' && texts.length === 3) {
      return { where: { kind, repository: a, commit: b, file: c }, contextTokens };
    }
    if (kind === 'url' && texts.length === 2 && /^https?:\/\//.test(a)) {
      return { where: { kind, address: a, etag: b }, contextTokens };
    }
    if (kind === 'server' && texts.length === 2) return { where: { kind, file: a, etag: b }, contextTokens };
  }
  throw new ModelError('A device of the room named a model in a way that this version of Shoal does not know.');
}

function parse(key: ModelKey): readonly unknown[] {
  if (key.length > MAX_KEY_CHARACTERS) return [];
  try {
    const value: unknown = JSON.parse(key);
    return Array.isArray(value) ? value : [];
  } catch {
    return [];
  }
}

/** The source that a device opens to get the model. */
export function sourceOf({ where }: RoomModel): ModelSource {
  switch (where.kind) {
    case 'hub':
      return { kind: 'hub', repository: where.repository, file: where.file, commit: where.commit };
    case 'url':
      return { kind: 'url', address: where.address };
    case 'server':
      return { kind: 'server', file: where.file };
    default:
      return where satisfies never;
  }
}

/**
 * How the room names an opened file.
 * @param appOrigin where this device has the app from
 * @throws ModelError for a picked file, which the other devices cannot fetch
 */
export function roomModel(identity: FileIdentity, contextTokens: number, appOrigin: string): RoomModel {
  switch (identity.kind) {
    case 'hub': {
      const { repository, commit, file } = identity;
      return { where: { kind: 'hub', repository, commit, file }, contextTokens };
    }
    case 'url': {
      const { address, etag } = identity;
      const folder = new URL('models/', appOrigin).href;
      if (!address.startsWith(folder)) return { where: { kind: 'url', address, etag }, contextTokens };
      const file = address.slice(folder.length).split('/').map(decodeURIComponent).join('/');
      return { where: { kind: 'server', file, etag }, contextTokens };
    }
    case 'picked':
      throw new ModelError(
        `${identity.name} lies on this device alone, and the others of the room cannot fetch it. Choose a model of a hub, an address, or the app's server.`,
      );
    default:
      return identity satisfies never;
  }
}

/** Whether what a device found is the very file that the room means: another revision computes other numbers. */
export function isSameFile({ where }: RoomModel, identity: FileIdentity): boolean {
  if (where.kind === 'hub') {
    return (
      identity.kind === 'hub' &&
      identity.repository === where.repository &&
      identity.commit === where.commit &&
      identity.file === where.file
    );
  }
  return identity.kind === 'url' && identity.etag === where.etag;
}
