import type { Frame } from '../../mesh/room/messages.ts';
import type { Frame as WireFrame } from '../../mesh/wire/frame.ts';
import type { Rows } from './rows.ts';

const NO_BYTES = new Uint8Array();

/** A frame of the room as a link carries it. */
export function toWire(frame: Frame<Rows>): WireFrame {
  const { epoch, session, attempt, slot, first } = frame;
  const fence = { epoch, session, attempt, slot, position: first, wantsToken: false };
  switch (frame.kind) {
    case 'rows': {
      const { type, bytes } = frame.payload;
      return { ...fence, kind: 'rows', type, rows: frame.rows, wantsToken: frame.sample, payload: bytes };
    }
    case 'tokens': {
      const ids = new Uint8Array(Uint32Array.from(frame.tokens).buffer);
      const extra = frame.extra?.bytes ?? NO_BYTES;
      const payload = new Uint8Array(ids.byteLength + extra.byteLength);
      payload.set(ids);
      payload.set(extra, ids.byteLength);
      return { ...fence, kind: 'tokens', type: 'u32', rows: frame.tokens.length, payload };
    }
    case 'progress':
    case 'acknowledgement':
      return { ...fence, kind: frame.kind, type: 'none', rows: 0, payload: NO_BYTES };
    default:
      return frame satisfies never;
  }
}

/** Undefined for what is no frame of a session, or whose payload is not of its kind. */
export function fromWire(frame: WireFrame): Frame<Rows> | undefined {
  const { kind, type, epoch, session, attempt, slot, position: first, rows, wantsToken } = frame;
  const fence = { epoch, session, attempt, slot, first };
  const payload = frame.payload as Uint8Array<ArrayBuffer>;
  switch (kind) {
    case 'rows':
      if (rows === 0 || (type !== 'f16' && type !== 'f32')) return undefined;
      return { ...fence, kind, rows, sample: wantsToken, payload: { type, bytes: payload } };
    case 'tokens': {
      if (rows === 0 || type !== 'u32') return undefined;
      const words = new Uint32Array(payload.buffer, payload.byteOffset, payload.byteLength / 4);
      const tokens = [...words.subarray(0, rows)];
      if (words.length === rows) return { ...fence, kind, tokens };
      return { ...fence, kind, tokens, extra: { type, bytes: payload.subarray(rows * 4) } };
    }
    case 'progress':
    case 'acknowledgement':
      return type === 'none' ? { ...fence, kind } : undefined;
    case 'beat':
      return undefined;
    default:
      return kind satisfies never;
  }
}
