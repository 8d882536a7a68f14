import type { IncomingMessage, ServerResponse } from 'node:http';

/** Answers with JSON that is not kept. */
export function sendJson(request: IncomingMessage, response: ServerResponse, status: number, value: unknown): true {
  const body = JSON.stringify(value);
  response.setHeader('Content-Type', 'application/json; charset=utf-8');
  response.setHeader('Cache-Control', 'no-store');
  response.setHeader('Content-Length', Buffer.byteLength(body));
  response.writeHead(status);
  response.end(request.method === 'HEAD' ? undefined : body);
  return true;
}

/** Answers with a line of text, mostly why something is refused. */
export function say(response: ServerResponse, status: number, text: string): true {
  response.setHeader('Content-Type', 'text/plain; charset=utf-8');
  response.setHeader('Cache-Control', 'no-store');
  response.writeHead(status);
  response.end(`${text}\n`);
  return true;
}

/** Answers a preflight of a request that may use `methods` and `headers`. */
export function answerPreflight(
  request: IncomingMessage,
  response: ServerResponse,
  methods: string,
  headers: string,
): true {
  response.setHeader('Allow', methods);
  response.setHeader('Access-Control-Allow-Methods', methods);
  response.setHeader('Access-Control-Allow-Headers', headers);
  response.setHeader('Access-Control-Max-Age', '600');
  // a page of the internet that is listed reaches this machine only with this word
  if (request.headers['access-control-request-private-network']) {
    response.setHeader('Access-Control-Allow-Private-Network', 'true');
  }
  response.writeHead(204);
  response.end();
  return true;
}
