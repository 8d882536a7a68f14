import type { IncomingMessage } from 'node:http';

/** Whom a request may come from, decided from its headers alone. */
export type Admission =
  /** No other site asks: the app itself, an address typed in, a program. */
  | { readonly kind: 'own'; readonly origin?: string }
  /** A listed site asks: it gets CORS headers. */
  | { readonly kind: 'listed'; readonly origin: string }
  | { readonly kind: 'refused'; readonly status: 403 | 421; readonly reason: string };

const LOOPBACK_NAMES: ReadonlySet<string> = new Set(['localhost', '127.0.0.1', '[::1]']);

/**
 * Checks Host (a foreign name that resolves to this machine must not reach it: DNS rebinding), Origin and
 * Sec-Fetch-Site.
 */
export function admit(request: IncomingMessage, listedOrigins: readonly string[]): Admission {
  const host = request.headers.host ?? '';
  if (!LOOPBACK_NAMES.has(host.replace(/:\d+$/, '').toLowerCase())) {
    return { kind: 'refused', status: 421, reason: `this server answers on localhost, not as ${JSON.stringify(host)}` };
  }
  const origin = request.headers.origin;
  if (origin === undefined) return admitWithoutOrigin(request);
  if (origin.toLowerCase() === `http://${host.toLowerCase()}`) return { kind: 'own', origin };
  if (listedOrigins.includes(origin)) return { kind: 'listed', origin };
  return { kind: 'refused', status: 403, reason: `${origin} is not among the origins that may read here (--origin)` };
}

/** Without Origin another page can only navigate here or embed: the first is a visit, the second is refused. */
function admitWithoutOrigin(request: IncomingMessage): Admission {
  const site = request.headers['sec-fetch-site'];
  const foreign = site === 'cross-site' || site === 'same-site';
  if (foreign && request.headers['sec-fetch-mode'] !== 'navigate') {
    return { kind: 'refused', status: 403, reason: 'another site may not embed this' };
  }
  return { kind: 'own' };
}
