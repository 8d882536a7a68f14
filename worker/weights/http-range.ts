import { InternalError, ModelError, type ShoalError } from '../errors.ts';
import { discard, Exchange, PassingFailure, Patience, statusFailure, type Transport } from './transport.ts';

/** Broken connections in a row, without this much progress between them, before a run is given up. */
const READ_RETRIES = 5;
const PROGRESS_BYTES = 64 * 1024;

/** Something that answers ranges of one file. */
export interface RangeTarget {
  readonly transport: Transport;
  /** The host, for messages. */
  readonly who: string;
  /** Where it is, to find out why nothing answers. */
  readonly address: string;
  /** Bytes of the whole file. */
  readonly size: number;
  /** What every answer must repeat where it can be read: ETag or Last-Modified. */
  readonly validator?: string | undefined;
  /** Sends the request with this Range header. */
  open(exchange: Exchange, range: string): Promise<Response>;
  /** A target's own reading of an answer that is no success; undefined leaves it to the common one. */
  judge?(response: Response): ShoalError | PassingFailure | undefined;
}

/**
 * Bytes [start, end) by one request, and by further ones for the rest only where the connection breaks. Leaving early
 * cancels the request.
 */
export async function* readRange(
  target: RangeTarget,
  start: number,
  end: number,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array, void> {
  if (start < 0 || end > target.size || start > end) {
    throw new InternalError(`Range ${start} to ${end} of a file of ${target.size} bytes.`);
  }
  const patience = new Patience(target.transport, target.who, target.address, READ_RETRIES);
  let position = start;
  let settled = start;
  while (position < end) {
    const exchange = new Exchange(target.transport, signal);
    try {
      const response = await target.open(exchange, `bytes=${position}-${end - 1}`);
      const failure = rangeFailure(target, response, position);
      if (failure) {
        await discard(response);
        throw failure;
      }
      for await (const chunk of exchange.chunks(response)) {
        const wanted = chunk.length > end - position ? chunk.subarray(0, end - position) : chunk;
        if (wanted.length === 0) continue;
        position += wanted.length;
        if (position - settled >= PROGRESS_BYTES || position === end) {
          settled = position;
          patience.progressed();
        }
        yield wanted;
        if (position === end) return;
      }
      if (position < end) throw new PassingFailure(`${target.who} broke off ${end - position} bytes early`);
    } catch (error) {
      await patience.after(error, signal);
    } finally {
      exchange.close();
    }
  }
}

function rangeFailure(target: RangeTarget, response: Response, start: number): ShoalError | PassingFailure | undefined {
  if (!response.ok) return target.judge?.(response) ?? statusFailure(response, target.who);
  const { who, size } = target;
  if (response.status !== 206) {
    return new ModelError(
      `${who} ignores byte ranges (it answered ${response.status} instead of 206), so the file cannot be loaded in pieces. Choose another source, or download the file and pick it from this device.`,
      { status: response.status, ranges: false },
    );
  }
  const range = contentRange(response.headers);
  if (range && (range.start !== start || (range.total !== undefined && range.total !== size))) {
    const total = range.total === undefined ? '' : ` of ${range.total}`;
    return changed(`${who} sent bytes from ${range.start}${total} instead of ${start} of ${size}: the file changed.`);
  }
  const validator = validatorOf(response.headers);
  if (target.validator && validator && validator !== target.validator) {
    return changed(`The file at ${who} changed while it was loaded (it was ${target.validator}, is ${validator}).`);
  }
  return undefined;
}

function changed(what: string): ModelError {
  return new ModelError(`${what} Load it anew.`, { changed: true });
}

export interface ContentRange {
  readonly start: number;
  /** Absent where the server does not know. */
  readonly total?: number;
}

/** `Content-Range: bytes 0-0/1234`, or undefined where it is absent, not exposed or not of this form. */
export function contentRange(headers: Headers): ContentRange | undefined {
  const parts = headers.get('content-range')?.match(/^bytes (\d+)-\d+\/(\d+|\*)$/);
  if (!parts) return undefined;
  const start = Number(parts[1]);
  return parts[2] === '*' ? { start } : { start, total: Number(parts[2]) };
}

/**
 * What tells two revisions of a file apart. Last-Modified can always be read across origins, ETag only where it is
 * exposed. If-Range is not sent: it would cost cross-origin requests a preflight, and some CDNs refuse that.
 */
export function validatorOf(headers: Headers): string | undefined {
  return headers.get('etag') ?? headers.get('last-modified') ?? undefined;
}
