/** What a person typed into the search: a word for the catalogue, a repository of the hub, or an address. */
export type WantedText =
  | { readonly kind: 'name' }
  | { readonly kind: 'hub'; readonly repository: string }
  | { readonly kind: 'hub-file'; readonly repository: string; readonly file: string }
  | { readonly kind: 'url'; readonly address: string };

const REPOSITORY = /^[\w.-]+\/[\w.-]+$/;
const HUB_HOSTS = new Set(['huggingface.co', 'hf.co', 'www.huggingface.co']);

/** Understands `owner/name`, the address of a repository or of one of its files, and any other address. */
export function readWanted(typed: string): WantedText {
  const text = typed.trim();
  if (REPOSITORY.test(text)) return { kind: 'hub', repository: text };
  if (!/^https?:\/\//i.test(text) || !URL.canParse(text)) return { kind: 'name' };
  const url = new URL(text);
  const [owner, name, verb, , ...file] = url.pathname.split('/').filter(Boolean).map(decoded);
  if (!HUB_HOSTS.has(url.hostname) || !owner || !name) return { kind: 'url', address: url.href };
  const repository = `${owner}/${name}`;
  if ((verb === 'blob' || verb === 'resolve') && file.length > 0) {
    return { kind: 'hub-file', repository, file: file.join('/') };
  }
  return { kind: 'hub', repository };
}

/** A part of an address in plain characters; left as it is where it is not encoded rightly. */
function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
