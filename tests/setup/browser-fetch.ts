/**
 * Node's `fetch` with what a browser adds for a page of `origin`: preflights, CORS, headers hidden unless exposed,
 * redirects that scripts cannot read.
 */
export function browserFetch(origin: string): typeof fetch {
  return async (input, init = {}) => {
    const { redirect = 'follow', mode = 'cors', ...rest } = init;
    const headers = new Headers(init.headers);
    let address = String(input);
    for (let hop = 0; hop < 20; hop++) {
      const cross = new URL(address).origin !== origin;
      if (cross && mode === 'cors') await preflight(origin, address, headers, init);
      const sent = new Headers(headers);
      if (cross) sent.set('origin', origin);
      const response = await fetch(address, { ...rest, headers: sent, redirect: 'manual' });
      const location = response.headers.get('location');
      if (response.status >= 300 && response.status < 400 && location !== null) {
        await response.body?.cancel();
        if (redirect === 'error') throw new TypeError('Failed to fetch');
        if (redirect === 'manual') return hidden('opaqueredirect');
        const next = new URL(location, address);
        if (next.origin !== new URL(address).origin) headers.delete('authorization');
        address = next.href;
        continue;
      }
      if (cross && mode === 'no-cors') {
        await response.body?.cancel();
        return hidden('opaque');
      }
      if (cross && !allows(response, origin)) {
        await response.body?.cancel();
        throw new TypeError('Failed to fetch');
      }
      return cross ? readable(response) : response;
    }
    throw new TypeError('Failed to fetch');
  };
}

/** Request headers that need no permission; one plain range is among them. */
const SIMPLE_REQUEST = new Set(['accept', 'accept-language', 'content-language', 'range']);
const SIMPLE_RESPONSE = ['cache-control', 'content-length', 'content-type', 'expires', 'last-modified', 'pragma'];

async function preflight(origin: string, address: string, headers: Headers, init: RequestInit): Promise<void> {
  const asked = [...headers.keys()].filter((name) => !SIMPLE_REQUEST.has(name));
  const method = init.method ?? 'GET';
  if (asked.length === 0 && ['GET', 'HEAD', 'POST'].includes(method)) return;
  const response = await fetch(address, {
    method: 'OPTIONS',
    headers: {
      origin,
      'access-control-request-method': method,
      'access-control-request-headers': asked.join(','),
    },
    signal: init.signal ?? null,
  });
  await response.body?.cancel();
  const allowed = (response.headers.get('access-control-allow-headers') ?? '').toLowerCase().split(/\s*,\s*/);
  if (!response.ok || !allows(response, origin) || asked.some((name) => !allowed.includes(name))) {
    throw new TypeError('Failed to fetch');
  }
}

function allows(response: Response, origin: string): boolean {
  return ['*', origin].includes(response.headers.get('access-control-allow-origin') ?? '');
}

function readable(response: Response): Response {
  const exposed = (response.headers.get('access-control-expose-headers') ?? '').toLowerCase().split(/\s*,\s*/);
  const headers = new Headers();
  for (const [name, value] of response.headers) {
    if (SIMPLE_RESPONSE.includes(name) || exposed.includes(name)) headers.set(name, value);
  }
  return new Response(response.body, { status: response.status, headers });
}

function hidden(type: ResponseType): Response {
  const response = new Response(null);
  for (const [name, value] of Object.entries({ type, status: 0, ok: false })) {
    Object.defineProperty(response, name, { value });
  }
  return response;
}
