import { parseRepository } from '../../worker/weights/repository.ts';

/** What a person typed into the search: a word for the catalogue, a repository of the hub, or an address. */
export type WantedText =
  | { readonly kind: 'name' }
  | WantedRepository
  | { readonly kind: 'hub-file'; readonly repository: string; readonly file: string; readonly revision: string }
  | { readonly kind: 'url'; readonly address: string };

export interface WantedRepository {
  readonly kind: 'hub';
  readonly repository: string;
  /** Branch, tag or commit. */
  readonly revision?: string;
  /** The file that is wanted of it. */
  readonly quantization?: string;
}

/**
 * Understands `owner/name`, `owner/name:Q4_K_M`, the address of a repository or of one of its files at a revision, on the
 * hub or on the mirror that is set, and any other address.
 */
export function readWanted(typed: string, hubBaseUrl: string): WantedText {
  const reference = parseRepository(typed, hubBaseUrl);
  if (reference) {
    const { repository, revision, file, quantization } = reference;
    if (file !== undefined && revision !== undefined) return { kind: 'hub-file', repository, file, revision };
    return {
      kind: 'hub',
      repository,
      ...(revision === undefined ? {} : { revision }),
      ...(quantization === undefined ? {} : { quantization }),
    };
  }
  const text = typed.trim();
  if (!/^https?:\/\//i.test(text) || !URL.canParse(text)) return { kind: 'name' };
  return { kind: 'url', address: new URL(text).href };
}
