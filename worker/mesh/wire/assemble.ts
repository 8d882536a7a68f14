import {
  CONTINUATION,
  CONTINUATION_BYTES,
  type Frame,
  type FrameHeader,
  HEADER_BYTES,
  type MalformedHeader,
  readHeader,
  SLICE_BYTES,
  WIRE_VERSION,
} from './frame.ts';

/**
 * Why a slice was dropped: its header, or `not-bytes`: text on the data channel; `slice-length`: more than a slice holds
 * or other than its frame's length asks for; `foreign`: a continuation of no frame that is being put together; `out-of-order`: not
 * the next of its frame; `late`, `early`: a sequence that was, or a gap; `interrupted`: a long frame that another long one followed unfinished.
 */
export type FrameDrop =
  | MalformedHeader
  | 'not-bytes'
  | 'slice-length'
  | 'foreign'
  | 'out-of-order'
  | 'late'
  | 'early'
  | 'interrupted';

interface Unfinished {
  readonly header: FrameHeader;
  /** Memory is taken for what came, not for what a header promises. */
  readonly parts: Uint8Array[];
  filled: number;
}

/**
 * Puts the slices of one ordered channel together. Holds at most one long frame; frames of one slice may come between
 * its slices. What does not fit is dropped and counted, and never throws.
 */
export class FrameAssembler {
  /** How many slices were dropped, by reason. */
  readonly drops = new Map<FrameDrop, number>();
  #next = 0;
  #unfinished: Unfinished | undefined;

  /** Takes what the channel brought; returns the frame that it completes. */
  receive(message: unknown): Frame | undefined {
    if (!(message instanceof ArrayBuffer)) return this.#drop('not-bytes');
    if (message.byteLength < CONTINUATION_BYTES) return this.#drop('too-short');
    if (message.byteLength > SLICE_BYTES) return this.#drop('slice-length');
    const view = new DataView(message);
    if (view.getUint8(0) === WIRE_VERSION && view.getUint8(1) === CONTINUATION) return this.#continue(view);
    return this.#begin(view);
  }

  #begin(view: DataView): Frame | undefined {
    if (view.byteLength >= HEADER_BYTES) {
      const behind = this.#follow(view.getUint32(28, true));
      if (behind) return this.#drop(behind);
    }
    const header = readHeader(view);
    if (typeof header === 'string') return this.#drop(header);
    const here = view.byteLength - HEADER_BYTES;
    if (here !== Math.min(header.payloadBytes, SLICE_BYTES - HEADER_BYTES)) return this.#drop('slice-length');
    if (here === header.payloadBytes) return frameOf(header, new Uint8Array(view.buffer as ArrayBuffer, HEADER_BYTES));
    if (this.#unfinished) this.#drop('interrupted');
    const first = new Uint8Array(view.buffer as ArrayBuffer, HEADER_BYTES);
    this.#unfinished = { header, parts: [first], filled: here };
    return undefined;
  }

  #continue(view: DataView): Frame | undefined {
    const unfinished = this.#unfinished;
    if (!unfinished || view.getUint32(4, true) !== unfinished.header.sequence) return this.#drop('foreign');
    const { header, parts } = unfinished;
    const here = view.byteLength - CONTINUATION_BYTES;
    const asked = Math.min(header.payloadBytes - unfinished.filled, SLICE_BYTES - CONTINUATION_BYTES);
    if (here !== asked || view.getUint16(2, true) !== parts.length) {
      // the frame has a hole now
      this.#unfinished = undefined;
      return this.#drop(here === asked ? 'out-of-order' : 'slice-length');
    }
    parts.push(new Uint8Array(view.buffer as ArrayBuffer, CONTINUATION_BYTES));
    unfinished.filled += here;
    if (unfinished.filled < header.payloadBytes) return undefined;
    this.#unfinished = undefined;
    return frameOf(header, joined(parts, header.payloadBytes));
  }

  /** One frame dropped for a gap must not drop all that follow, so a gap is gone on from. */
  #follow(sequence: number): 'late' | 'early' | undefined {
    const ahead = (sequence - this.#next) >>> 0;
    if (ahead >= 0x80000000) return 'late';
    this.#next = (sequence + 1) >>> 0;
    return ahead > 0 ? 'early' : undefined;
  }

  #drop(reason: FrameDrop): undefined {
    this.drops.set(reason, (this.drops.get(reason) ?? 0) + 1);
  }
}

function joined(parts: readonly Uint8Array[], bytes: number): Uint8Array {
  const whole = new Uint8Array(bytes);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

function frameOf({ sequence: _, payloadBytes: __, ...fields }: FrameHeader, payload: Uint8Array): Frame {
  return { ...fields, payload };
}
