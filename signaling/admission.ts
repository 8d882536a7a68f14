import type { IncomingMessage } from 'node:http';
import { TLSSocket } from 'node:tls';

/** Whom a request may come from, decided from its headers alone. */
export type Admission =
  /** No other site asks: the app itself, an address typed in, a program. */
  | { readonly kind: 'own'; readonly origin?: string }
  /** A listed site asks: it gets CORS headers. */
  | { readonly kind: 'listed'; readonly origin: string }
  | { readonly kind: 'refused'; readonly status: 403 | 421; readonly reason: string };

/** Whom this server lets ask, and under which names. */
export interface AdmissionRules {
  /** Origins of other sites. */
  readonly listedOrigins: readonly string[];
  /** Names and addresses, beside this computer's own `localhost`, that a request may call this server by. */
  readonly isOwnName?: (hostname: string) => boolean;
}

const LOOPBACK_NAMES: ReadonlySet<string> = new Set(['localhost', '127.0.0.1', '[::1]']);

/**
 * Checks Host (a foreign name that resolves to this machine must not reach it: DNS rebinding), Origin and
 * Sec-Fetch-Site.
 */
export function admit(request: IncomingMessage, rules: AdmissionRules): Admission {
  const host = (request.headers.host ?? '').toLowerCase();
  const name = host.replace(/:\d+$/, '');
  if (!LOOPBACK_NAMES.has(name) && !rules.isOwnName?.(name)) {
    return { kind: 'refused', status: 421, reason: `this server does not answer as ${JSON.stringify(host)}` };
  }
  const origin = request.headers.origin;
  if (origin === undefined) return admitWithoutOrigin(request);
  const scheme = request.socket instanceof TLSSocket ? 'https' : 'http';
  if (origin.toLowerCase() === `${scheme}://${host}`) return { kind: 'own', origin };
  if (rules.listedOrigins.includes(origin)) return { kind: 'listed', origin };
  return { kind: 'refused', status: 403, reason: `${origin} is not among the origins that may ask here (--origin)` };
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
