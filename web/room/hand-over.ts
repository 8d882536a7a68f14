import type { FromPort, ToPort, ToWorker } from '../../worker/mesh/link/window-messages.ts';

/** What of a worker is used here. */
export type RoomWorker = Pick<Worker, 'postMessage' | 'addEventListener' | 'removeEventListener'>;

type Connection = Extract<ToWorker, { kind: 'connection' }>;

/** What may stand in a channel that stays here, as in one of the worker; what comes more waits in this page. */
const CHANNEL_FULL_BYTES = 16 * 1024;
const CHANNEL_LOW_BYTES = 4 * 1024;

export function tellWorker(worker: RoomWorker, message: ToWorker, transfer: Transferable[] = []): void {
  worker.postMessage({ room: message }, transfer);
}

/**
 * Gives the worker the channels of a connection. To be called in the task that made them: later no browser transfers one.
 * Where none can be transferred (Chromium before 130) they stay here behind ports: such a device drives, and does not
 * compute. Returns which it was.
 */
export function handOver(
  worker: RoomWorker,
  connection: Omit<Connection, 'control' | 'data'>,
  control: RTCDataChannel,
  data: RTCDataChannel,
): 'transferred' | 'relayed' {
  try {
    tellWorker(worker, { ...connection, control, data }, [control, data] as unknown as Transferable[]);
    return 'transferred';
  } catch (error) {
    if ((error as DOMException).name !== 'DataCloneError') throw error;
  }
  const ports = { control: relay(control), data: relay(data) };
  tellWorker(worker, { ...connection, ...ports }, [ports.control, ports.data]);
  return 'relayed';
}

/** A port that stands for the channel in the worker. */
export function relay(channel: RTCDataChannel): MessagePort {
  const { port1, port2 } = new MessageChannel();
  const tell = (message: FromPort, transfer: Transferable[] = []) => port1.postMessage(message, transfer);
  const waiting: (string | Uint8Array<ArrayBuffer>)[] = [];
  const pump = () => {
    let bytes = 0;
    while (channel.readyState === 'open' && channel.bufferedAmount < CHANNEL_FULL_BYTES) {
      const next = waiting.shift();
      if (next === undefined) break;
      // two calls, since each of `send`'s forms takes one type
      if (typeof next === 'string') channel.send(next);
      else channel.send(next);
      bytes += next.length;
    }
    if (bytes > 0) tell({ kind: 'sent', bytes });
  };
  channel.binaryType = 'arraybuffer';
  channel.bufferedAmountLowThreshold = CHANNEL_LOW_BYTES;
  channel.onopen = () => tell({ kind: 'open' });
  channel.onbufferedamountlow = pump;
  channel.onmessage = ({ data }: MessageEvent<string | ArrayBuffer>) =>
    tell({ kind: 'message', data }, typeof data === 'string' ? [] : [data]);
  channel.onclose = () => {
    tell({ kind: 'close' });
    port1.close();
  };
  port1.onmessage = ({ data }: MessageEvent<ToPort>) => {
    if (data.kind === 'close') channel.close();
    else {
      waiting.push(data.data as string | Uint8Array<ArrayBuffer>);
      pump();
    }
  };
  return port2;
}
