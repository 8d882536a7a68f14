import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import { say } from '../replies.ts';
import { derOf, fingerprintOf } from './authority.ts';
import { mobileConfig } from './profile.ts';
import { PLATFORMS, platformOf, STEPS_ASSETS, stepsPage, stepsPolicy } from './steps.ts';

/** What the pages on certificates need of the server, asked anew for each request. */
export interface StepsSource {
  readonly origins: readonly string[];
  /** PEM of the root, and its name. */
  readonly root: string;
  readonly authority: string;
  isOwnName(hostname: string): boolean;
}

/** Answers over plain HTTP, for devices that do not trust the certificate yet: the pages, the certificate, nothing else. */
export function stepsListener(source: () => StepsSource): RequestListener {
  return (request, response) => answerSteps(source(), request, response);
}

function answerSteps(source: StepsSource, request: IncomingMessage, response: ServerResponse): void {
  const { origins, root, authority } = source;
  response.setHeader('X-Content-Type-Options', 'nosniff');
  response.setHeader('Referrer-Policy', 'no-referrer');
  response.setHeader('Content-Security-Policy', stepsPolicy(origins));
  response.setHeader('Cache-Control', 'no-store');
  response.setHeader('Vary', 'User-Agent');
  const host = (request.headers.host ?? '').replace(/:\d+$/, '').toLowerCase();
  if (!source.isOwnName(host)) {
    say(response, 421, 'this server does not answer under that name');
    return;
  }
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    response.setHeader('Allow', 'GET, HEAD');
    say(response, 405, `${request.method} is not served here`);
    return;
  }
  const pathname = (request.url ?? '/').replace(/[?#].*$/, '');
  const send = (type: string, body: string | Buffer, download?: string) => {
    response.setHeader('Content-Type', type);
    response.setHeader('Content-Length', Buffer.byteLength(body));
    if (download) response.setHeader('Content-Disposition', `attachment; filename="${download}"`);
    response.writeHead(200);
    response.end(request.method === 'HEAD' ? undefined : body);
  };
  const asset = Object.hasOwn(STEPS_ASSETS, pathname) ? STEPS_ASSETS[pathname] : undefined;
  const asked = pathname === '/' ? platformOf(request.headers['user-agent'] ?? '') : pathname.slice(1);
  const platform = PLATFORMS.find((each) => each === asked);
  if (asset) send(asset.type, asset.body);
  else if (platform) {
    send('text/html; charset=utf-8', stepsPage(platform, { origins, authority, fingerprint: fingerprintOf(root) }));
  } else if (pathname === '/shoal.mobileconfig') {
    // without a file name: Safari offers to install it, and does not just keep it
    send('application/x-apple-aspen-config', mobileConfig({ der: derOf(root), name: authority }));
  } else if (pathname === '/shoal.crt') send('application/x-x509-ca-cert', derOf(root), 'shoal.crt');
  else say(response, 404, 'nothing here has this address');
}
