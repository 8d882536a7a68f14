/** What a link asks of an RTCDataChannel. */
export interface LinkChannel {
  readonly readyState: RTCDataChannelState;
  readonly bufferedAmount: number;
  bufferedAmountLowThreshold: number;
  binaryType: BinaryType;
  onopen: ((event: Event) => void) | null;
  onmessage: ((event: MessageEvent) => void) | null;
  onbufferedamountlow: ((event: Event) => void) | null;
  onclose: ((event: Event) => void) | null;
  /** Copies what it is given. */
  send(data: string): void;
  send(data: Uint8Array<ArrayBuffer>): void;
  close(): void;
}

export interface LinkChannels {
  readonly control: LinkChannel;
  readonly data: LinkChannel;
}
