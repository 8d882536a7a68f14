import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startNetwork } from './lap-network.mjs';

const DELAY_MS = 20;
/** A timer may be half a millisecond early, and so may the reading of either clock. */
const EARLY_MS = 1;

const network = startNetwork();
let one: Socket;
let other: Socket;

async function open(): Promise<Socket> {
  // all of them may wait while this process is kept from reading
  const socket = createSocket({ type: 'udp4', recvBufferSize: 4 * 2 ** 20 });
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  return socket;
}

beforeAll(async () => {
  [one, other] = [await open(), await open()];
});

afterAll(async () => {
  one.close();
  other.close();
  await network.close();
});

it('brings every packet in order, none before its time, from the port that stands for its sender', async () => {
  await network.setDelay(DELAY_MS);
  const toOther = await network.wayTo(other.address().port);
  const fromOne = await network.wayTo(one.address().port);
  const sentMs: number[] = [];
  const arrived: { number: number; afterMs: number; port: number }[] = [];
  const all = new Promise<void>((resolve) => {
    other.on('message', (packet, { port }) => {
      const number = packet.readUInt32LE();
      arrived.push({ number, afterMs: performance.now() - (sentMs[number] ?? 0), port });
      if (arrived.length === 200) resolve();
    });
  });
  for (let number = 0; number < 200; number++) {
    const packet = Buffer.alloc(1200);
    packet.writeUInt32LE(number);
    sentMs.push(performance.now());
    one.send(packet, toOther, '127.0.0.1');
  }
  await all;
  expect(arrived.map(({ number }) => number)).toEqual(sentMs.map((_, number) => number));
  expect(new Set(arrived.map(({ port }) => port))).toEqual(new Set([fromOne]));
  expect(Math.min(...arrived.map(({ afterMs }) => afterMs))).toBeGreaterThan(DELAY_MS - EARLY_MS);
});

it('answers reach the sender by the same way', async () => {
  await network.setDelay(0);
  const toOther = await network.wayTo(other.address().port);
  const answered = once(one, 'message') as Promise<[Buffer, { port: number }]>;
  other.once('message', (packet, { port }) => other.send(packet.subarray(0, 8), port, '127.0.0.1'));
  one.send(Buffer.alloc(100), toOther, '127.0.0.1');
  const [answer, { port }] = await answered;
  expect(answer.length).toBe(8);
  expect(port).toBe(toOther);
});
