import type { SessionId } from '../types.ts';

/** What a link's `data` channel carries; docs/protocol.md has the table of its header. */
export interface Frame {
  readonly kind: FrameKind;
  readonly type: PayloadType;
  /** The last row wants a token. */
  readonly wantsToken: boolean;
  /** Of the placement. */
  readonly epoch: number;
  readonly session: SessionId;
  readonly attempt: number;
  /** Position of the first row. */
  readonly position: number;
  readonly rows: number;
  /** At the receiver. */
  readonly slot: number;
  /** Begins where a Float32Array may begin. */
  readonly payload: Uint8Array;
}

export type FrameKind = 'beat' | 'rows' | 'tokens' | 'progress' | 'acknowledgement';
export type PayloadType = 'none' | 'f16' | 'f32' | 'u32';

export const WIRE_VERSION = 1;
export const HEADER_BYTES = 36;
export const CONTINUATION_BYTES = 8;
/** What one `send()` takes: Chromium sends 16 KiB at once in 83 ms where four of 4 KiB take 30 (10 ms one way). */
export const SLICE_BYTES = 4096;
/** 256 rows of 8192 floats. */
export const MAX_PAYLOAD_BYTES = 8 * 1024 * 1024;

export const CONTINUATION = 6;
const KINDS = ['', 'beat', 'rows', 'tokens', 'progress', 'acknowledgement'] as const satisfies readonly (
  | FrameKind
  | ''
)[];
const TYPES = ['none', 'f16', 'f32', 'u32'] as const satisfies readonly PayloadType[];
const ELEMENT_BYTES = { none: 0, f16: 2, f32: 4, u32: 4 } as const satisfies Record<PayloadType, number>;
const WANTS_TOKEN = 1;

/** A header as it is read: everything but the payload, of which only the length is known. */
export interface FrameHeader extends Omit<Frame, 'payload'> {
  readonly sequence: number;
  readonly payloadBytes: number;
}

export type MalformedHeader = 'too-short' | 'version' | 'kind' | 'type' | 'flags' | 'length' | 'too-large';

/** Writes a frame's header at the beginning of `view`. */
export function writeHeader(view: DataView, frame: Frame, sequence: number): void {
  view.setUint8(0, WIRE_VERSION);
  view.setUint8(1, KINDS.indexOf(frame.kind));
  view.setUint8(2, TYPES.indexOf(frame.type));
  view.setUint8(3, frame.wantsToken ? WANTS_TOKEN : 0);
  view.setUint32(4, frame.epoch, true);
  view.setUint32(8, Number.parseInt(frame.session.slice(8), 16), true);
  view.setUint32(12, Number.parseInt(frame.session.slice(0, 8), 16), true);
  view.setUint32(16, frame.attempt, true);
  view.setUint32(20, frame.position, true);
  view.setUint16(24, frame.rows, true);
  view.setUint16(26, frame.slot, true);
  view.setUint32(28, sequence, true);
  view.setUint32(32, frame.payload.byteLength, true);
}

/** Reads a header and checks all that can be checked without knowing the session. */
export function readHeader(view: DataView): FrameHeader | MalformedHeader {
  if (view.byteLength < HEADER_BYTES) return 'too-short';
  if (view.getUint8(0) !== WIRE_VERSION) return 'version';
  const kind = KINDS[view.getUint8(1)];
  if (!kind) return 'kind';
  const type = TYPES[view.getUint8(2)];
  if (!type) return 'type';
  const flags = view.getUint8(3);
  if (flags & ~WANTS_TOKEN) return 'flags';
  const rows = view.getUint16(24, true);
  const payloadBytes = view.getUint32(32, true);
  if (payloadBytes > MAX_PAYLOAD_BYTES) return 'too-large';
  if (!isWholeRows(type, rows, payloadBytes)) return 'length';
  const high = view.getUint32(12, true).toString(16).padStart(8, '0');
  const low = view.getUint32(8, true).toString(16).padStart(8, '0');
  return {
    kind,
    type,
    wantsToken: (flags & WANTS_TOKEN) !== 0,
    epoch: view.getUint32(4, true),
    session: high + low,
    attempt: view.getUint32(16, true),
    position: view.getUint32(20, true),
    rows,
    slot: view.getUint16(26, true),
    sequence: view.getUint32(28, true),
    payloadBytes,
  };
}

/** Says what is wrong with a frame that is to be sent; a fault of the caller. */
export function checkFrame(frame: Frame): void {
  const { rows, payload, type } = frame;
  if (!/^[0-9a-f]{16}$/.test(frame.session)) throw new RangeError(`${frame.session} is not 16 hexadecimal digits`);
  for (const name of ['epoch', 'attempt', 'position'] as const) checkWhole(name, frame[name], 0xffffffff);
  for (const name of ['rows', 'slot'] as const) checkWhole(name, frame[name], 0xffff);
  if (payload.byteLength > MAX_PAYLOAD_BYTES)
    throw new RangeError(`A payload of ${payload.byteLength} bytes; ${MAX_PAYLOAD_BYTES} are the most`);
  if (!isWholeRows(type, rows, payload.byteLength))
    throw new RangeError(`${payload.byteLength} bytes are not ${rows} rows of ${type}`);
}

function checkWhole(name: string, value: number, most: number): void {
  if (!Number.isInteger(value) || value < 0 || value > most)
    throw new RangeError(`${name} is ${value}, not a whole number up to ${most}`);
}

/** How wide a row is only the session knows; that each is as wide as the others is known here. */
function isWholeRows(type: PayloadType, rows: number, bytes: number): boolean {
  if (type === 'none') return bytes === 0;
  if (rows === 0) return bytes === 0;
  return bytes > 0 && bytes % (ELEMENT_BYTES[type] * rows) === 0;
}
