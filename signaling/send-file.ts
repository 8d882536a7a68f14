import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { pipeline } from 'node:stream/promises';

/** Bytes `start` to `end`, both included, as HTTP counts them. */
export interface ByteRange {
  readonly start: number;
  readonly end: number;
}

/** An open file with what HTTP says about it. */
export interface OpenFile {
  readonly handle: FileHandle;
  readonly size: number;
  readonly etag: string;
  readonly modified: Date;
}

/** Opens a regular file that is no link; undefined where there is none. */
export async function openRegularFile(file: string): Promise<OpenFile | undefined> {
  // Windows has neither flag; a fifo would block without O_NONBLOCK
  const flags = constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0);
  let handle: FileHandle;
  try {
    handle = await open(file, flags);
  } catch {
    return undefined;
  }
  const status = await handle.stat({ bigint: true });
  if (!status.isFile()) {
    await handle.close();
    return undefined;
  }
  const size = Number(status.size);
  const etag = `"${size.toString(16)}-${status.mtimeNs.toString(16)}-${status.ino.toString(16)}"`;
  return { handle, size, etag, modified: status.mtime };
}

/**
 * Answers GET or HEAD with the file or the range asked for (RFC 9110: If-Match, If-None-Match, If-Range, one range; of
 * several ranges the whole file) and closes it.
 */
export async function sendFile(request: IncomingMessage, response: ServerResponse, file: OpenFile): Promise<void> {
  try {
    response.setHeader('ETag', file.etag);
    response.setHeader('Last-Modified', file.modified.toUTCString());
    response.setHeader('Accept-Ranges', 'bytes');
    const { 'if-match': ifMatch, 'if-none-match': ifNoneMatch } = request.headers;
    if (ifMatch !== undefined && !listsTag(ifMatch, file.etag)) return end(response, 412);
    if (ifNoneMatch !== undefined && listsTag(ifNoneMatch, file.etag)) return end(response, 304);
    const range = request.method === 'GET' ? rangeAsked(request, file) : undefined;
    if (range === 'unsatisfiable') {
      response.setHeader('Content-Range', `bytes */${file.size}`);
      return end(response, 416);
    }
    const { start, end: last } = range ?? { start: 0, end: file.size - 1 };
    if (range) response.setHeader('Content-Range', `bytes ${start}-${last}/${file.size}`);
    response.setHeader('Content-Length', last - start + 1);
    response.writeHead(range ? 206 : 200);
    if (request.method === 'HEAD' || last < start) {
      response.end();
      return;
    }
    const bytes = file.handle.createReadStream({ start, end: last, autoClose: false });
    // a reader that goes away in the middle is no error of ours
    await pipeline(bytes, response).catch(() => response.destroy());
  } finally {
    await file.handle.close();
  }
}

/**
 * The one range of a Range header, cut to the file.
 * @returns undefined where the header asks for nothing that can be served as one range
 */
export function parseRange(header: string, size: number): ByteRange | 'unsatisfiable' | undefined {
  const match = /^bytes=\s*(\d*)-(\d*)\s*$/i.exec(header);
  if (!match) return undefined;
  const [, from = '', to = ''] = match;
  if (from === '' && to === '') return undefined;
  if (from === '') {
    const length = Math.min(Number(to), size);
    return length === 0 ? 'unsatisfiable' : { start: size - length, end: size - 1 };
  }
  const start = Number(from);
  if (to !== '' && Number(to) < start) return undefined;
  if (start >= size) return 'unsatisfiable';
  return { start, end: to === '' ? size - 1 : Math.min(Number(to), size - 1) };
}

function rangeAsked(request: IncomingMessage, file: OpenFile): ByteRange | 'unsatisfiable' | undefined {
  const { range, 'if-range': ifRange } = request.headers;
  if (range === undefined) return undefined;
  if (ifRange !== undefined && ifRange !== file.etag && ifRange !== file.modified.toUTCString()) return undefined;
  return parseRange(range, file.size);
}

function listsTag(header: string, etag: string): boolean {
  if (header.trim() === '*') return true;
  return header.split(',').some((tag) => tag.trim().replace(/^W\//, '') === etag);
}

function end(response: ServerResponse, status: number): void {
  response.writeHead(status);
  response.end();
}
