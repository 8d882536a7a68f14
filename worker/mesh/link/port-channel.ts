import type { LinkChannel } from './channel.ts';
import type { FromPort, ToPort } from './window-messages.ts';

/** A data channel that stays in the window, seen from the worker. */
export class PortChannel implements LinkChannel {
  readyState: RTCDataChannelState = 'connecting';
  bufferedAmount = 0;
  bufferedAmountLowThreshold = 0;
  binaryType: BinaryType = 'arraybuffer';
  onopen: LinkChannel['onopen'] = null;
  onmessage: LinkChannel['onmessage'] = null;
  onbufferedamountlow: LinkChannel['onbufferedamountlow'] = null;
  onclose: LinkChannel['onclose'] = null;
  readonly #port: MessagePort;

  constructor(port: MessagePort) {
    this.#port = port;
    port.onmessage = (event: MessageEvent<FromPort>) => this.#receive(event.data);
  }

  send(data: string | Uint8Array<ArrayBuffer>): void {
    if (this.readyState !== 'open') throw new Error(`The channel is ${this.readyState}.`);
    this.bufferedAmount += data.length;
    // cloned here; a view into a larger buffer would take all of it along
    this.#port.postMessage({
      kind: 'send',
      data: typeof data === 'string' ? data : data.slice(),
    } satisfies ToPort);
  }

  close(): void {
    if (this.readyState === 'closed') return;
    this.readyState = 'closed';
    this.#port.postMessage({ kind: 'close' } satisfies ToPort);
  }

  #receive(message: FromPort): void {
    if (this.readyState === 'closed') return;
    switch (message.kind) {
      case 'open':
        this.readyState = 'open';
        this.onopen?.(new Event('open'));
        return;
      case 'message':
        this.onmessage?.(new MessageEvent('message', { data: message.data }));
        return;
      case 'sent': {
        const above = this.bufferedAmount > this.bufferedAmountLowThreshold;
        this.bufferedAmount -= message.bytes;
        if (above && this.bufferedAmount <= this.bufferedAmountLowThreshold)
          this.onbufferedamountlow?.(new Event('bufferedamountlow'));
        return;
      }
      case 'close':
        this.readyState = 'closed';
        this.onclose?.(new Event('close'));
        this.#port.close();
        return;
      default:
        message satisfies never;
    }
  }
}
