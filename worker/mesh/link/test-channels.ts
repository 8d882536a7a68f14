import type { ProofStep } from '../identity/prover.ts';
import type { LinkChannel } from './channel.ts';
import type { LinkProver } from './prover.ts';

/** One end of a channel that delivers when told, and loses what comes to an end that nobody listens to, as browsers may. */
export class TestChannel implements LinkChannel {
  readyState: RTCDataChannelState = 'connecting';
  bufferedAmount = 0;
  bufferedAmountLowThreshold = 0;
  binaryType: BinaryType = 'blob';
  onopen: LinkChannel['onopen'] = null;
  onmessage: LinkChannel['onmessage'] = null;
  onbufferedamountlow: LinkChannel['onbufferedamountlow'] = null;
  onclose: LinkChannel['onclose'] = null;
  other!: TestChannel;
  readonly sent: (string | ArrayBuffer)[] = [];
  /** Not delivered yet. */
  readonly under: (string | ArrayBuffer)[] = [];
  /** A browser that forgets its event. */
  silentAboutLow = false;

  open(): void {
    this.readyState = 'open';
    this.onopen?.(new Event('open'));
  }

  send(data: string | Uint8Array<ArrayBuffer>): void {
    if (this.readyState !== 'open') throw new Error(`The channel is ${this.readyState}.`);
    const copy = typeof data === 'string' ? data : data.slice().buffer;
    this.sent.push(copy);
    this.under.push(copy);
    this.bufferedAmount += sizeOf(copy);
  }

  /** Delivers up to so many messages; returns how many. */
  deliver(most = Number.POSITIVE_INFINITY): number {
    let count = 0;
    if (this.other.readyState === 'connecting') return count;
    for (; count < most; count++) {
      const message = this.under.shift();
      if (message === undefined) break;
      const above = this.bufferedAmount > this.bufferedAmountLowThreshold;
      this.bufferedAmount -= sizeOf(message);
      this.other.onmessage?.(new MessageEvent('message', { data: message }));
      if (above && this.bufferedAmount <= this.bufferedAmountLowThreshold && !this.silentAboutLow)
        this.onbufferedamountlow?.(new Event('bufferedamountlow'));
    }
    return count;
  }

  close(): void {
    if (this.readyState === 'closed') return;
    this.deliver();
    this.readyState = 'closed';
    this.other.closed();
  }

  closed(): void {
    if (this.readyState === 'closed') return;
    this.readyState = 'closed';
    this.onclose?.(new Event('close'));
  }
}

export function channelPair(): readonly [TestChannel, TestChannel] {
  const [one, two] = [new TestChannel(), new TestChannel()];
  one.other = two;
  two.other = one;
  return [one, two];
}

/** Says its name and takes whoever says one. */
export function namingProver(name: string): LinkProver {
  let peer: string | undefined;
  const step = async (send: readonly string[]): Promise<ProofStep> => ({
    send,
    ...(peer !== undefined && {
      outcome: { kind: 'accepted', peer: { device: peer, publicKey: '', role: 'member' }, version: 1, learned: [] },
    }),
  });
  return {
    start: () => step([`I am ${name}`]),
    tick: () => step([]),
    receive: (message) => {
      peer = /^I am (\w+)$/.exec(message)?.[1];
      if (peer !== undefined) return step([]);
      return Promise.resolve({ send: ['no'], outcome: { kind: 'refused', by: 'us', reason: 'unknown' } });
    },
  };
}

/** Lets what waits for promises go on. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await Promise.resolve();
}

function sizeOf(message: string | ArrayBuffer): number {
  return typeof message === 'string' ? message.length : message.byteLength;
}
