import {
  CONTINUATION,
  CONTINUATION_BYTES,
  type Frame,
  HEADER_BYTES,
  SLICE_BYTES,
  WIRE_VERSION,
  writeHeader,
} from './frame.ts';

/** Whether a frame goes in one send, and so may go between the slices of a longer one. */
export function fitsOneSlice(frame: Frame): boolean {
  return HEADER_BYTES + frame.payload.byteLength <= SLICE_BYTES;
}

/** A frame on its way out, cut into slices when their turn comes. */
export class FrameCutter {
  readonly frame: Frame;
  readonly #sequence: number;
  #sent = 0;
  #slices = 0;

  constructor(frame: Frame, sequence: number) {
    this.frame = frame;
    this.#sequence = sequence;
  }

  get done(): boolean {
    return this.#slices > 0 && this.#sent === this.frame.payload.byteLength;
  }

  /** Writes the next slice into `scratch` (SLICE_BYTES) and returns the part of it that is to be sent. */
  next(scratch: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
    const view = new DataView(scratch.buffer, scratch.byteOffset, scratch.byteLength);
    let at: number;
    if (this.#slices === 0) {
      writeHeader(view, this.frame, this.#sequence);
      at = HEADER_BYTES;
    } else {
      view.setUint8(0, WIRE_VERSION);
      view.setUint8(1, CONTINUATION);
      view.setUint16(2, this.#slices, true);
      view.setUint32(4, this.#sequence, true);
      at = CONTINUATION_BYTES;
    }
    const { payload } = this.frame;
    const part = payload.subarray(this.#sent, this.#sent + SLICE_BYTES - at);
    scratch.set(part, at);
    this.#sent += part.byteLength;
    this.#slices++;
    return scratch.subarray(0, at + part.byteLength);
  }
}
