import type { IncomingMessage, ServerResponse } from 'node:http';
import path from 'node:path';
import { resolveInside } from './safe-path.ts';
import { openRegularFile, sendFile } from './send-file.ts';

const TYPES: Readonly<Record<string, string>> = {
  '.css': 'text/css; charset=utf-8',
  '.html': 'text/html; charset=utf-8',
  '.ico': 'image/x-icon',
  '.js': 'text/javascript; charset=utf-8',
  '.json': 'application/json; charset=utf-8',
  '.map': 'application/json; charset=utf-8',
  '.mjs': 'text/javascript; charset=utf-8',
  '.png': 'image/png',
  '.svg': 'image/svg+xml',
  '.txt': 'text/plain; charset=utf-8',
  '.wasm': 'application/wasm',
  '.webmanifest': 'application/manifest+json; charset=utf-8',
  '.woff2': 'font/woff2',
};

/**
 * What the page may do. It connects to any hub, mirror or address that a person names, hence `connect-src`; images and
 * styles of an answer load nothing from elsewhere.
 */
export const CONTENT_SECURITY_POLICY = [
  "default-src 'self'",
  "script-src 'self' 'wasm-unsafe-eval'",
  "worker-src 'self'",
  "style-src 'self'",
  // views set widths and positions by style attributes
  "style-src-attr 'unsafe-inline'",
  "img-src 'self' data: blob:",
  "font-src 'self'",
  // signaling may be on another origin than the app
  "connect-src 'self' https: http: wss: ws: blob:",
  "object-src 'none'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

/** Serves a file of the built app; false where there is none. */
export async function sendAppFile(
  request: IncomingMessage,
  response: ServerResponse,
  appFolder: string,
  pathname: string,
): Promise<boolean> {
  const encoded = pathname === '/' ? 'index.html' : pathname.slice(1);
  const resolved = await resolveInside(appFolder, encoded);
  const file = resolved && (await openRegularFile(resolved));
  if (!file) return false;
  response.setHeader('Content-Type', TYPES[path.extname(resolved).toLowerCase()] ?? 'application/octet-stream');
  response.setHeader('Content-Security-Policy', CONTENT_SECURITY_POLICY);
  // files of assets/ carry a hash of their content in their name
  const forever = pathname.startsWith('/assets/');
  response.setHeader('Cache-Control', forever ? 'public, max-age=31536000, immutable' : 'no-cache');
  await sendFile(request, response, file);
  return true;
}
