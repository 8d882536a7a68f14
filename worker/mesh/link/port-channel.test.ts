import { afterEach, describe, expect, test } from 'vitest';
import { relay } from '../../../web/room/hand-over.ts';
import { PortChannel } from './port-channel.ts';
import { channelPair, type TestChannel } from './test-channels.ts';

const ends: { close(): void }[] = [];
afterEach(() => {
  for (const end of ends.splice(0)) end.close();
});

/** A channel that stays in the window, its port in the worker, and the other device's end. */
function relayed() {
  const [here, there] = channelPair();
  const port = relay(here as unknown as RTCDataChannel);
  const worker = new PortChannel(port);
  ends.push(port, worker);
  const got: unknown[] = [];
  there.onmessage = ({ data }) => got.push(data);
  return { here, there, worker, got };
}

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setTimeout(resolve, 1));
}

async function opened(pair: ReturnType<typeof relayed>): Promise<void> {
  pair.there.readyState = 'open';
  pair.here.open();
  await until(() => pair.worker.readyState === 'open');
}

describe('a channel behind a port', () => {
  test('opens, carries texts and bytes both ways in order, and closes', async () => {
    const pair = relayed();
    const heard: unknown[] = [];
    let closed = false;
    pair.worker.onmessage = ({ data }) => heard.push(data);
    pair.worker.onclose = () => {
      closed = true;
    };
    expect(() => pair.worker.send('early')).toThrow(/connecting/);
    await opened(pair);
    const scratch = new Uint8Array(8);
    for (const byte of [1, 2]) {
      scratch.fill(byte);
      // the sender writes its next slice into the same memory
      pair.worker.send(scratch.subarray(0, 3));
    }
    pair.worker.send('text');
    await until(() => pair.here.under.length === 3);
    pair.here.deliver();
    expect(
      pair.got.map((data) => (typeof data === 'string' ? data : [...new Uint8Array(data as ArrayBuffer)])),
    ).toEqual([[1, 1, 1], [2, 2, 2], 'text']);
    pair.there.send('back');
    pair.there.send(new Uint8Array([9]));
    pair.there.deliver();
    await until(() => heard.length === 2);
    expect(heard[0]).toBe('back');
    expect([...new Uint8Array(heard[1] as ArrayBuffer)]).toEqual([9]);
    pair.there.close();
    await until(() => closed);
  });

  test('says how much waits, in the page and in the channel, until it went', async () => {
    const pair = relayed();
    await opened(pair);
    let low = 0;
    pair.worker.bufferedAmountLowThreshold = 32 * 1024;
    pair.worker.onbufferedamountlow = () => low++;
    for (let i = 0; i < 64; i++) pair.worker.send(new Uint8Array(4096));
    expect(pair.worker.bufferedAmount).toBe(64 * 4096);
    await until(() => pair.here.sent.length === 4);
    expect(low).toBe(0);
    await drain(pair.here, 64);
    await until(() => pair.worker.bufferedAmount === 0);
    expect(low).toBe(1);
    expect(pair.got).toHaveLength(64);
  });

  test('closes the channel where the worker closes', async () => {
    const pair = relayed();
    await opened(pair);
    pair.worker.close();
    await until(() => pair.here.readyState === 'closed');
    expect(pair.there.readyState).toBe('closed');
  });
});

async function drain(channel: TestChannel, count: number): Promise<void> {
  while (channel.sent.length < count || channel.under.length > 0) {
    channel.deliver();
    await new Promise((resolve) => setTimeout(resolve, 0));
  }
}
