/** One large message over several connections between two pages, against the same over one. */

const CHANNEL_ID = 0;
/** As links send: slices, and little of them in a channel. */
const SLICE_BYTES = 4096;
const CHANNEL_FULL_BYTES = 16 * 1024;
const CHANNEL_LOW_BYTES = 4 * 1024;
const LENGTH_BYTES = 4;
const ANSWER_BYTES = 8;

export class Stripes {
  readonly #connections: RTCPeerConnection[] = [];
  readonly #channels: RTCDataChannel[] = [];
  /** Of the message that is arriving: its length may come after parts of it. */
  #leftBytes = 0;
  #answered: () => void = () => {};

  /** Begins one more connection, or answers one; returns its description and all its candidates. */
  async describe(offer?: RTCSessionDescriptionInit) {
    const connection = new RTCPeerConnection();
    const channel = connection.createDataChannel('stripe', { negotiated: true, id: CHANNEL_ID });
    channel.binaryType = 'arraybuffer';
    channel.bufferedAmountLowThreshold = CHANNEL_LOW_BYTES;
    channel.onmessage = ({ data }: MessageEvent<ArrayBuffer>) => this.#receive(data);
    this.#connections.push(connection);
    this.#channels.push(channel);
    const candidates: RTCIceCandidateInit[] = [];
    const gathered = new Promise<void>((resolve) => {
      connection.onicecandidate = ({ candidate }) => (candidate ? candidates.push(candidate.toJSON()) : resolve());
    });
    if (offer) await connection.setRemoteDescription(offer);
    await connection.setLocalDescription();
    await gathered;
    return { description: connection.localDescription?.toJSON() as RTCSessionDescriptionInit, candidates };
  }

  /** What the other page gave for the connection that was made last. */
  async complete(answer: RTCSessionDescriptionInit | undefined, candidates: readonly RTCIceCandidateInit[]) {
    const connection = this.#connections.at(-1) as RTCPeerConnection;
    if (answer) await connection.setRemoteDescription(answer);
    for (const candidate of candidates) await connection.addIceCandidate(candidate);
  }

  get isOpen(): boolean {
    return this.#channels.every(({ readyState }) => readyState === 'open');
  }

  /** Milliseconds from sending `bytes` over the first `count` connections to the answer. */
  async ping(bytes: number, count: number): Promise<number> {
    const answered = new Promise<void>((resolve) => {
      this.#answered = resolve;
    });
    const begin = performance.now();
    const length = new Uint8Array(LENGTH_BYTES);
    new DataView(length.buffer).setUint32(0, bytes, true);
    this.#channels[0]?.send(length);
    let left = bytes;
    const slice = new Uint8Array(SLICE_BYTES);
    for (const channel of this.#channels.slice(0, count)) {
      const pump = () => {
        while (left > 0 && channel.bufferedAmount < CHANNEL_FULL_BYTES) {
          const part = slice.subarray(0, Math.min(left, SLICE_BYTES));
          left -= part.length;
          channel.send(part);
        }
      };
      channel.onbufferedamountlow = pump;
      pump();
    }
    await answered;
    return performance.now() - begin;
  }

  #receive(data: ArrayBuffer): void {
    if (data.byteLength === ANSWER_BYTES) {
      this.#answered();
      return;
    }
    const isLength = data.byteLength === LENGTH_BYTES;
    this.#leftBytes += isLength ? new DataView(data).getUint32(0, true) : -data.byteLength;
    if (this.#leftBytes === 0) this.#channels[0]?.send(new Uint8Array(ANSWER_BYTES));
  }
}
