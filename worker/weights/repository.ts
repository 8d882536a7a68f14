/** What a person pasted for a repository of a hub. */
export interface RepositoryReference {
  readonly repository: string;
  /** Branch, tag or commit. */
  readonly revision?: string;
  readonly file?: string;
  /** As in `owner/name:Q4_K_M`. */
  readonly quantization?: string;
}

const HUB_HOSTS = ['huggingface.co', 'www.huggingface.co', 'hf.co'];
/** The hub's pages that are no models. */
const NO_OWNERS = ['datasets', 'spaces', 'docs', 'collections', 'papers', 'blog'];

/**
 * Understands `owner/name`, `owner/name:Q4_K_M`, `hf.co/owner/name` and the addresses of a repository's pages and files,
 * on the hub and on the mirror whose base address is given; undefined for anything else.
 */
export function parseRepository(text: string, baseUrl?: string): RepositoryReference | undefined {
  const typed = text.trim();
  const below = belowHub(typed, baseUrl);
  if (below === undefined && typed.includes('://')) return undefined;
  const path = (below ?? typed).split(/[?#]/)[0] ?? '';
  let parts: string[];
  try {
    parts = path.replace(/\/+$/, '').split('/').map(decodeURIComponent);
  } catch {
    return undefined;
  }
  const [owner = '', named = '', kind, revision, ...rest] = parts;
  const [name = '', quantization] = named.split(':');
  const repository = `${owner}/${name}`;
  if (!isRepository(repository) || NO_OWNERS.includes(owner)) return undefined;
  if (kind === undefined) return { repository, ...(quantization ? { quantization } : {}) };
  if (below === undefined) return undefined;
  if (!['tree', 'blob', 'resolve', 'raw'].includes(kind) || !revision) return { repository };
  const isFile = kind !== 'tree' && rest.length > 0;
  return { repository, revision, ...(isFile ? { file: rest.join('/') } : {}) };
}

/** `owner/name`. */
export function isRepository(text: string): boolean {
  return /^[\w.-]+\/[\w.-]+$/.test(text) && !text.includes('..');
}

/** The path on the hub or the mirror, without the slash that it begins with. */
function belowHub(typed: string, baseUrl: string | undefined): string | undefined {
  const [, host = '', path = ''] = /^(?:https?:\/\/)?([^/\s]+)\/+(\S+)$/i.exec(typed) ?? [];
  const mirror = baseUrl && URL.canParse(baseUrl) ? new URL(baseUrl) : undefined;
  if (mirror?.host === host.toLowerCase()) {
    const base = mirror.pathname.replace(/^\/+|\/+$/g, '');
    if (base === '') return path;
    return path.startsWith(`${base}/`) ? path.slice(base.length + 1) : undefined;
  }
  return HUB_HOSTS.includes(host.toLowerCase()) ? path : undefined;
}
