import type { IncomingMessage, ServerResponse } from 'node:http';
import { admit } from './admission.ts';
import { sendAppFile } from './app-files.ts';
import { listModels, type ModelsFolder, sendModel } from './models-folder.ts';
import type { Starter } from './starter.ts';

/** What the server serves, and to whom. */
export interface ServedContent {
  /** The built app; absent where another server gives it (development). */
  readonly appFolder?: string;
  /** A folder of GGUF files. */
  readonly modelsFolder?: string;
  /** Origins beside the app's own that may read models. */
  readonly listedOrigins: readonly string[];
  readonly starter: Starter;
}

const ALLOWED = 'GET, HEAD, OPTIONS';
const READABLE_HEADERS = 'Accept-Ranges, Content-Length, Content-Range, ETag, Last-Modified';
const SENDABLE_HEADERS = 'Range, If-Match, If-Range, If-None-Match';

/**
 * Answers one request.
 * @returns false where there is no app folder and the path is not one of the server's own
 */
export async function answer(
  content: ServedContent,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<boolean> {
  const pathname = (request.url ?? '/').replace(/[?#].*$/, '');
  const isModel = pathname.startsWith('/models/');
  const isStarter = pathname === '/starter';
  if (!content.appFolder && !isModel && !isStarter) return false;

  response.setHeader('X-Content-Type-Options', 'nosniff');
  response.setHeader('Referrer-Policy', 'no-referrer');
  // the addresses of an answer's links are looked up when they are followed, not before
  response.setHeader('X-DNS-Prefetch-Control', 'off');
  response.setHeader('Cross-Origin-Resource-Policy', 'same-origin');
  response.setHeader('Vary', 'Origin');

  const admission = admit(request, content.listedOrigins);
  if (admission.kind === 'refused') return say(response, admission.status, admission.reason);
  if (admission.kind === 'listed') {
    if (!isModel) return say(response, 403, 'other origins may read models, nothing else');
    response.setHeader('Access-Control-Allow-Origin', admission.origin);
    response.setHeader('Access-Control-Expose-Headers', READABLE_HEADERS);
    response.setHeader('Cross-Origin-Resource-Policy', 'cross-origin');
  }
  if (isStarter) return answerStarter(content.starter, request, response, admission.origin !== undefined);
  if (request.method === 'OPTIONS') return answerPreflight(request, response);
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    response.setHeader('Allow', ALLOWED);
    return say(response, 405, `${request.method} is not served here`);
  }
  if (isModel) return answerModels(content, request, response, pathname.slice('/models/'.length));
  if (content.appFolder && (await sendAppFile(request, response, content.appFolder, pathname))) return true;
  return say(response, 404, 'nothing here has this address');
}

async function answerModels(
  content: ServedContent,
  request: IncomingMessage,
  response: ServerResponse,
  encoded: string,
): Promise<boolean> {
  const folders: ModelsFolder[] = [{ folder: content.starter.folder, note: content.starter.note }];
  if (content.modelsFolder) folders.unshift({ folder: content.modelsFolder, note: content.starter.note });
  if (encoded === 'index.json') return sendJson(request, response, 200, await listModels(folders));
  if (await sendModel(request, response, folders, encoded)) return true;
  return say(response, 404, 'no GGUF file has this name here');
}

/** GET tells the state; POST starts fetching, for the app's own page alone. */
async function answerStarter(
  starter: Starter,
  request: IncomingMessage,
  response: ServerResponse,
  hasOwnOrigin: boolean,
): Promise<boolean> {
  if (request.method === 'GET' || request.method === 'HEAD') {
    return sendJson(request, response, 200, await starter.state());
  }
  if (request.method !== 'POST') {
    response.setHeader('Allow', 'GET, HEAD, POST');
    return say(response, 405, `${request.method} is not served here`);
  }
  if (!hasOwnOrigin) return say(response, 403, "only the app's own page may ask for this");
  void starter.fetch();
  return sendJson(request, response, 202, await starter.state());
}

function answerPreflight(request: IncomingMessage, response: ServerResponse): boolean {
  response.setHeader('Allow', ALLOWED);
  response.setHeader('Access-Control-Allow-Methods', ALLOWED);
  response.setHeader('Access-Control-Allow-Headers', SENDABLE_HEADERS);
  response.setHeader('Access-Control-Max-Age', '600');
  // a page of the internet that is listed reaches this machine only with this word
  if (request.headers['access-control-request-private-network']) {
    response.setHeader('Access-Control-Allow-Private-Network', 'true');
  }
  response.writeHead(204);
  response.end();
  return true;
}

function sendJson(request: IncomingMessage, response: ServerResponse, status: number, value: unknown): boolean {
  const body = JSON.stringify(value);
  response.setHeader('Content-Type', 'application/json; charset=utf-8');
  response.setHeader('Cache-Control', 'no-store');
  response.setHeader('Content-Length', Buffer.byteLength(body));
  response.writeHead(status);
  response.end(request.method === 'HEAD' ? undefined : body);
  return true;
}

function say(response: ServerResponse, status: number, text: string): boolean {
  response.setHeader('Content-Type', 'text/plain; charset=utf-8');
  response.setHeader('Cache-Control', 'no-store');
  response.writeHead(status);
  response.end(`${text}\n`);
  return true;
}
