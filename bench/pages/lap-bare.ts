/** Bare messages over a data channel of the connection whose links are measured: so many bytes, answered by 8. */

const ANSWER_BYTES = 8;
/** What browsers take in one message. */
const WHOLE_BYTES = 256 * 1024;
const SLICE_BYTES = 4096;
const MOST_BYTES = 2 ** 21;

export type Way = 'whole' | 'sliced';

export class BareChannel {
  readonly #channel: RTCDataChannel;
  readonly #bytes = new Uint8Array(MOST_BYTES);
  /** Of a message that is arriving. */
  #leftBytes = 0;
  #answered: ((ms: number | undefined) => void) | undefined;

  constructor(channel: RTCDataChannel) {
    this.#channel = channel;
    channel.binaryType = 'arraybuffer';
    channel.onmessage = ({ data }: MessageEvent<ArrayBuffer>) => this.#receive(data);
    channel.onclose = () => this.#answered?.(undefined);
  }

  /** Milliseconds from sending `bytes` to the answer; undefined where the connection is lost. */
  ping(bytes: number, way: Way): Promise<number | undefined> {
    return new Promise((resolve) => {
      const begin = performance.now();
      this.#answered = (ms) => resolve(ms && ms - begin);
      if (this.#channel.readyState === 'open') this.#send(bytes, way);
      else resolve(undefined);
    });
  }

  #send(bytes: number, way: Way): void {
    new DataView(this.#bytes.buffer).setUint32(0, bytes, true);
    const most = way === 'whole' ? WHOLE_BYTES : SLICE_BYTES;
    for (let at = 0; at < bytes; at += most) this.#channel.send(this.#bytes.subarray(at, Math.min(bytes, at + most)));
  }

  #receive(data: ArrayBuffer): void {
    if (data.byteLength === ANSWER_BYTES && this.#leftBytes === 0) {
      this.#answered?.(performance.now());
      return;
    }
    if (this.#leftBytes === 0) this.#leftBytes = new DataView(data).getUint32(0, true);
    this.#leftBytes -= data.byteLength;
    if (this.#leftBytes === 0) this.#channel.send(new Uint8Array(ANSWER_BYTES));
  }
}
