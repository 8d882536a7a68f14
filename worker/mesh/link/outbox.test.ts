import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { FrameAssembler } from '../wire/assemble.ts';
import type { Frame } from '../wire/frame.ts';
import { FrameOutbox, MAX_QUEUED_BYTES } from './outbox.ts';
import { channelPair, type TestChannel } from './test-channels.ts';

function frameOf(session: number, position: number, bytes: number): Frame {
  return {
    kind: 'rows',
    type: 'u32',
    wantsToken: false,
    epoch: 1,
    session: session.toString(16).padStart(16, '0'),
    attempt: 1,
    position,
    rows: 1,
    slot: 0,
    payload: new Uint8Array(bytes),
  };
}

function openOutbox() {
  const [one, two] = channelPair();
  one.readyState = two.readyState = 'open';
  const assembler = new FrameAssembler();
  const received: { session: number; position: number; bytes: number }[] = [];
  two.onmessage = ({ data }) => {
    const frame = assembler.receive(data);
    if (!frame) return;
    const { session, position, payload } = frame;
    received.push({ session: Number.parseInt(session, 16), position, bytes: payload.length });
  };
  return { channel: one, outbox: new FrameOutbox(one, () => {}), received, drops: assembler.drops };
}

function deliverAll(channel: TestChannel): void {
  while (channel.deliver() > 0);
}

describe('frames that wait', () => {
  test('all arrive, each session in its order, whatever lengths and pauses', () => {
    const frames = fc.array(
      fc.tuple(
        fc.integer({ min: 1, max: 3 }),
        fc.oneof(fc.constant(4), fc.integer({ min: 900, max: 60_000 })),
        fc.nat(9),
      ),
      { maxLength: 40 },
    );
    fc.assert(
      fc.property(frames, (sent) => {
        const { channel, outbox, received, drops } = openOutbox();
        sent.forEach(([session, words, deliver], position) => {
          expect(outbox.push(frameOf(session, position, words * 4))).toBe(true);
          channel.deliver(deliver);
        });
        deliverAll(channel);
        expect(received).toHaveLength(sent.length);
        for (const session of [1, 2, 3]) {
          const positions = received.filter((frame) => frame.session === session).map(({ position }) => position);
          expect(positions).toEqual([...positions].sort((a, b) => a - b));
        }
        expect(drops.size).toBe(0);
        expect(outbox.queuedBytes).toBe(0);
      }),
    );
  });

  test("a token goes before the rest of another session's megabytes, not before its own session's", () => {
    const { channel, outbox, received } = openOutbox();
    outbox.push(frameOf(1, 0, 4 * 2 ** 20));
    outbox.push(frameOf(1, 1, 4));
    outbox.push(frameOf(2, 0, 4));
    const atOnce = channel.under.length;
    channel.deliver(atOnce);
    channel.deliver(atOnce);
    expect(received).toEqual([{ session: 2, position: 0, bytes: 4 }]);
    deliverAll(channel);
    expect(received.slice(1)).toEqual([
      { session: 1, position: 0, bytes: 4 * 2 ** 20 },
      { session: 1, position: 1, bytes: 4 },
    ]);
  });

  test("a row of 16 KiB goes before another session's next chunk, not before its own session's", () => {
    const { channel, outbox, received } = openOutbox();
    for (const position of [0, 1]) outbox.push(frameOf(1, position, 2 ** 20));
    outbox.push(frameOf(1, 2, 16 * 1024));
    outbox.push(frameOf(2, 0, 16 * 1024));
    deliverAll(channel);
    expect(received.map(({ session, position }) => [session, position])).toEqual([
      [1, 0],
      [2, 0],
      [1, 1],
      [1, 2],
    ]);
  });

  test('how far somebody came goes before megabytes of its own session', () => {
    const { channel, outbox, received } = openOutbox();
    outbox.push(frameOf(1, 0, 4 * 2 ** 20));
    outbox.push({ ...frameOf(1, 7, 0), kind: 'progress', type: 'none', rows: 0 });
    for (let sends = 0; sends < 3; sends++) channel.deliver(channel.under.length);
    expect(received).toEqual([{ session: 1, position: 7, bytes: 0 }]);
  });

  test('what is withdrawn does not go, all else does, and no number is missing', () => {
    const frames = fc.array(
      fc.tuple(
        fc.integer({ min: 1, max: 2 }),
        fc.integer({ min: 1, max: 2 }),
        fc.oneof(fc.constant(4), fc.integer({ min: 900, max: 9000 })),
        fc.nat(5),
      ),
      { maxLength: 30 },
    );
    fc.assert(
      fc.property(frames, frames, (before, after) => {
        const { channel, outbox, received, drops } = openOutbox();
        const wanted = new Set<number>();
        let position = 0;
        const push = (each: typeof before, keeps: (session: number, attempt: number) => boolean) => {
          for (const [session, attempt, words, deliver] of each) {
            if (keeps(session, attempt)) wanted.add(position);
            outbox.push({ ...frameOf(session, position++, words * 4), attempt });
            channel.deliver(deliver);
          }
        };
        push(before, (session, attempt) => session !== 1 || attempt > 1);
        outbox.withdraw('1'.padStart(16, '0'), 0, 1);
        push(after, () => true);
        deliverAll(channel);
        const came = received.map((frame) => frame.position);
        expect([...wanted].filter((each) => !came.includes(each))).toEqual([]);
        for (const session of [1, 2]) {
          const own = received.filter((frame) => frame.session === session).map((frame) => frame.position);
          expect(own).toEqual([...own].sort((a, b) => a - b));
        }
        expect(drops.size).toBe(0);
        expect(outbox.queuedBytes).toBe(0);
      }),
    );
  });

  test('megabytes of an attempt that is over make room at once', async () => {
    const { outbox, channel, received } = openOutbox();
    let count = 0;
    while (outbox.push(frameOf(1, count, 2 ** 20))) count++;
    const waiting = outbox.drained();
    outbox.withdraw('1'.padStart(16, '0'), 1, 9);
    expect(outbox.push(frameOf(2, 0, 2 ** 20))).toBe(false);
    outbox.withdraw('1'.padStart(16, '0'), 0, 1);
    await waiting;
    expect(outbox.push(frameOf(2, 0, 2 ** 20))).toBe(true);
    deliverAll(channel);
    expect(received.map(({ session }) => session)).toEqual([1, 2]);
  });

  test('whose frames wait is told while some go, not while none does', () => {
    const { outbox, channel } = openOutbox();
    outbox.push(frameOf(1, 0, 2 ** 20));
    outbox.push(frameOf(2, 0, 2 ** 20));
    const sessions = [1, 2].map((session) => session.toString().padStart(16, '0'));
    expect(outbox.moving()).toEqual(sessions);
    expect(outbox.moving()).toEqual([]);
    channel.deliver(4);
    expect(outbox.moving()).toEqual(sessions);
    deliverAll(channel);
    expect(outbox.moving()).toEqual([]);
  });

  test('little stands in the channel, and sends are of 4 KiB at most', () => {
    const { channel, outbox } = openOutbox();
    outbox.push(frameOf(1, 0, 4 * 2 ** 20));
    let most = 0;
    do most = Math.max(most, channel.bufferedAmount);
    while (channel.deliver(1) > 0);
    expect(most).toBeLessThan(20 * 1024);
    expect(channel.sent.every((slice) => slice instanceof ArrayBuffer && slice.byteLength <= 4096)).toBe(true);
  });

  test('a full queue refuses, and says when there is room', async () => {
    const { channel, outbox } = openOutbox();
    let count = 0;
    while (outbox.push(frameOf(1, count, 2 ** 20))) count++;
    expect(outbox.queuedBytes).toBeLessThanOrEqual(MAX_QUEUED_BYTES);
    expect(count).toBe(15);
    let drained = false;
    const waiting = outbox.drained().then(() => {
      drained = true;
    });
    await Promise.resolve();
    expect(drained).toBe(false);
    deliverAll(channel);
    await waiting;
    expect(outbox.push(frameOf(1, count, 2 ** 20))).toBe(true);
  });

  test('one event that does not come holds nothing for good', () => {
    const { channel, outbox, received } = openOutbox();
    channel.silentAboutLow = true;
    outbox.push(frameOf(1, 0, 2 ** 20));
    for (let turn = 0; turn < 400; turn++) {
      deliverAll(channel);
      outbox.pump();
    }
    expect(received).toHaveLength(1);
  });

  test('what closes lets nobody wait', async () => {
    const { channel, outbox } = openOutbox();
    while (outbox.push(frameOf(1, 0, 2 ** 20)));
    const waiting = outbox.drained();
    channel.readyState = 'closing';
    outbox.close();
    await waiting;
    expect(outbox.push(frameOf(1, 0, 4))).toBe(false);
  });
});
