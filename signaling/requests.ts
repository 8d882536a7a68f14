import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { type AdmissionRules, admit } from './admission.ts';
import { sendAppFile } from './app-files.ts';
import { listModels, type ModelsFolder, sendModel } from './models-folder.ts';
import { answerPreflight, say, sendJson } from './replies.ts';
import { refuseUpgrade } from './rooms/peer-sockets.ts';
import { SIGNALING_PATH, type Signaling } from './rooms/signaling.ts';
import type { Starter } from './starter.ts';

/** What the server serves, and to whom. */
export interface ServedContent extends AdmissionRules {
  /** The built app; absent where another server gives it (development). */
  readonly appFolder?: string;
  /** A folder of GGUF files. */
  readonly modelsFolder?: string;
  readonly starter: Starter;
  readonly signaling: Signaling;
}

const ALLOWED = 'GET, HEAD, OPTIONS';
const READABLE_HEADERS = 'Accept-Ranges, Content-Length, Content-Range, ETag, Last-Modified, Retry-After';
const SENDABLE_HEADERS = 'Range, If-Match, If-Range, If-None-Match';
/** Asked for by the page that explains certificates, from another origin: that it answers at all is the answer. */
export const PROBE_PATH = '/certificate-probe';

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
  const isSignaling = pathname.startsWith(SIGNALING_PATH);
  const isProbe = pathname === PROBE_PATH;
  if (!content.appFolder && !isModel && !isStarter && !isSignaling && !isProbe) return false;

  response.setHeader('X-Content-Type-Options', 'nosniff');
  response.setHeader('Referrer-Policy', 'no-referrer');
  // the addresses of an answer's links are looked up when they are followed, not before
  response.setHeader('X-DNS-Prefetch-Control', 'off');
  response.setHeader('Cross-Origin-Resource-Policy', 'same-origin');
  response.setHeader('Vary', 'Origin');

  if (isProbe) return answerProbe(response);
  const admission = admit(request, content);
  if (admission.kind === 'refused') return say(response, admission.status, admission.reason);
  if (admission.kind === 'listed') {
    if (!isModel && !isSignaling) return say(response, 403, 'other origins may read models and meet, nothing else');
    response.setHeader('Access-Control-Allow-Origin', admission.origin);
    response.setHeader('Access-Control-Expose-Headers', READABLE_HEADERS);
    response.setHeader('Cross-Origin-Resource-Policy', 'cross-origin');
  }
  if (isStarter) return answerStarter(content.starter, request, response, admission.origin !== undefined);
  if (isSignaling) return content.signaling.answer(request, response, pathname);
  if (request.method === 'OPTIONS') return answerPreflight(request, response, ALLOWED, SENDABLE_HEADERS);
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    response.setHeader('Allow', ALLOWED);
    return say(response, 405, `${request.method} is not served here`);
  }
  if (isModel) return answerModels(content, request, response, pathname.slice('/models/'.length));
  if (content.appFolder && (await sendAppFile(request, response, content.appFolder, pathname))) return true;
  return say(response, 404, 'nothing here has this address');
}

/**
 * Answers the request of a WebSocket.
 * @returns false where the path is not one of the server's own
 */
export function upgrade(content: ServedContent, request: IncomingMessage, socket: Duplex, head: Buffer): boolean {
  if (!(request.url ?? '').startsWith(SIGNALING_PATH)) return false;
  // from here on nobody else listens: a connection that breaks would end the process
  socket.on('error', () => socket.destroy());
  const admission = admit(request, content);
  if (admission.kind === 'refused') refuseUpgrade(socket, admission.status, admission.reason);
  else if (!content.signaling.upgrade(request, socket, head))
    refuseUpgrade(socket, 404, 'nothing here has this address');
  return true;
}

function answerProbe(response: ServerResponse): boolean {
  response.setHeader('Cross-Origin-Resource-Policy', 'cross-origin');
  response.setHeader('Cache-Control', 'no-store');
  response.writeHead(204);
  response.end();
  return true;
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
