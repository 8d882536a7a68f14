import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { FrameAssembler } from './assemble.ts';
import { FrameCutter, fitsOneSlice } from './cut.ts';
import { checkFrame, type Frame, HEADER_BYTES, MAX_PAYLOAD_BYTES, SLICE_BYTES } from './frame.ts';

const u32 = fc.integer({ min: 0, max: 0xffffffff });
const u16 = fc.integer({ min: 0, max: 0xffff });
/** Payloads around the length of a slice and well over it. */
const frames: fc.Arbitrary<Frame> = fc
  .record({
    kind: fc.constantFrom('rows', 'tokens', 'progress', 'acknowledgement', 'beat'),
    type: fc.constantFrom('f16', 'f32', 'u32'),
    wantsToken: fc.boolean(),
    epoch: u32,
    session: fc.tuple(u32, u32).map((parts) => parts.map((part) => part.toString(16).padStart(8, '0')).join('')),
    attempt: u32,
    position: u32,
    rows: fc.integer({ min: 1, max: 64 }),
    width: fc.oneof(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 900, max: 1100 })),
    slot: u16,
    seed: fc.integer({ min: 1, max: 0xffff }),
  })
  .map(({ width, seed, ...fields }) => {
    const payload = new Uint8Array(fields.rows * width * (fields.type === 'f16' ? 2 : 4));
    for (let i = 0; i < payload.length; i++) payload[i] = (i * seed) >>> 5;
    return { ...fields, payload } as Frame;
  });

const EMPTY: Frame = {
  kind: 'beat',
  type: 'none',
  wantsToken: false,
  epoch: 0,
  session: '0'.repeat(16),
  attempt: 0,
  position: 0,
  rows: 0,
  slot: 0,
  payload: new Uint8Array(0),
};
const long = (bytes = 3 * SLICE_BYTES): Frame => ({
  ...EMPTY,
  kind: 'rows',
  type: 'f16',
  rows: 1,
  payload: new Uint8Array(bytes).fill(7),
});

function slicesOf(frame: Frame, sequence: number): ArrayBuffer[] {
  const cutter = new FrameCutter(frame, sequence);
  const slices: ArrayBuffer[] = [];
  while (!cutter.done) slices.push(cutter.next(new Uint8Array(SLICE_BYTES)).slice().buffer);
  return slices;
}

/** A frame as a string: `toEqual` looks at each byte for itself. */
function told({ payload, ...fields }: Frame): string {
  return `${JSON.stringify(fields)} ${Buffer.from(payload).toString('base64')}`;
}

function receiveAll(assembler: FrameAssembler, slices: readonly unknown[]): Frame[] {
  return slices.map((slice) => assembler.receive(slice)).filter((frame) => frame !== undefined);
}

function first(slices: readonly ArrayBuffer[]): ArrayBuffer {
  return slices[0] as ArrayBuffer;
}

describe('frames on an ordered channel', () => {
  test('what is cut is put together again, in sends of at most 4 KiB', () => {
    fc.assert(
      fc.property(fc.array(frames, { maxLength: 6 }), (sent) => {
        const slices = sent.flatMap(slicesOf);
        expect(slices.every((slice) => slice.byteLength <= SLICE_BYTES)).toBe(true);
        const assembler = new FrameAssembler();
        expect(receiveAll(assembler, slices).map(told)).toEqual(sent.map(told));
        expect(assembler.drops.size).toBe(0);
      }),
    );
  });

  test('short frames may come between the slices of a long one, anywhere', () => {
    fc.assert(
      fc.property(
        frames,
        fc.array(fc.tuple(frames.filter(fitsOneSlice), fc.nat(500)), { maxLength: 5 }),
        (one, others) => {
          const slices = slicesOf(one, 0);
          let at = 0;
          others.forEach(([frame], i) => {
            at = Math.min(slices.length, at + 1 + (others[i]?.[1] ?? 0));
            slices.splice(at, 0, ...slicesOf(frame, i + 1));
          });
          const assembler = new FrameAssembler();
          const received = receiveAll(assembler, slices).map(told);
          expect(received).toHaveLength(others.length + 1);
          for (const frame of [one, ...others.map(([short]) => short)]) expect(received).toContain(told(frame));
          expect(assembler.drops.size).toBe(0);
        },
      ),
    );
  });

  test('a payload begins where floats may begin', () => {
    const assembler = new FrameAssembler();
    const [short, whole] = receiveAll(assembler, [...slicesOf(long(16), 0), ...slicesOf(long(), 1)]);
    expect((short?.payload.byteOffset ?? 1) % 4).toBe(0);
    expect((whole?.payload.byteOffset ?? 1) % 4).toBe(0);
  });

  test('bytes of any kind neither throw nor make a frame out of nothing', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: SLICE_BYTES + 10 }), { maxLength: 10 }), (noise) => {
        const assembler = new FrameAssembler();
        for (const bytes of noise) {
          const frame = assembler.receive(bytes.slice().buffer);
          if (frame) expect(() => checkFrame(frame)).not.toThrow();
        }
        assembler.receive('text');
        assembler.receive(null);
        expect(assembler.drops.get('not-bytes')).toBe(2);
      }),
    );
  });

  test('slices that are changed, cut, lost, doubled or exchanged give no frame but those that were sent', () => {
    const damage = fc.record({
      at: fc.nat(1000),
      how: fc.constantFrom('flip', 'cut', 'grow', 'lose', 'double', 'exchange'),
      byte: fc.nat(HEADER_BYTES - 1),
      value: fc.integer({ min: 1, max: 255 }),
    });
    fc.assert(
      fc.property(
        fc.array(frames, { minLength: 1, maxLength: 5 }),
        fc.array(damage, { maxLength: 4 }),
        (sent, faults) => {
          const slices = sent.flatMap(slicesOf);
          for (const { at, how, byte, value } of faults) {
            const i = at % slices.length;
            const slice = new Uint8Array(slices[i] as ArrayBuffer).slice();
            if (how === 'flip') {
              const where = byte % slice.length;
              slice[where] = (slice[where] as number) ^ value;
              slices[i] = slice.buffer;
            } else if (how === 'cut') slices[i] = slice.slice(0, slice.length - Math.min(slice.length, value)).buffer;
            else if (how === 'grow') slices[i] = Uint8Array.from([...slice, 0, 0, 0, 0]).buffer;
            else if (how === 'lose' && slices.length > 1) slices.splice(i, 1);
            else if (how === 'double') slices.splice(i, 0, slice.buffer);
            else if (how === 'exchange') {
              const j = (i + value) % slices.length;
              [slices[i], slices[j]] = [slices[j] as ArrayBuffer, slices[i] as ArrayBuffer];
            }
          }
          const assembler = new FrameAssembler();
          const received = receiveAll(assembler, slices);
          expect(received.length).toBeLessThanOrEqual(sent.length);
          // a header whose values were changed into other valid ones is for the session to judge
          for (const frame of received) expect(() => checkFrame(frame)).not.toThrow();
          if (!faults.some(({ how }) => how === 'flip'))
            expect(sent.map(told)).toEqual(expect.arrayContaining(received.map(told)));
          // after whatever happened, what is in order goes through again
          // (three jumps: one of them is ahead, whatever number the damage left)
          for (const jump of [0, 0x55555555, 0xaaaaaaaa]) receiveAll(assembler, slicesOf(EMPTY, jump));
          expect(receiveAll(assembler, slicesOf(long(), 0xaaaaaaab)).map(told)).toEqual([told(long())]);
        },
      ),
    );
  });

  test('each fault is counted under its name', () => {
    const changed = (offset: number, value: number, slice = first(slicesOf(EMPTY, 0))) => {
      const bytes = new Uint8Array(slice).slice();
      bytes[offset] = value;
      return bytes.buffer;
    };
    const dropsOf = (...slices: unknown[]) => {
      const assembler = new FrameAssembler();
      receiveAll(assembler, slices);
      return Object.fromEntries(assembler.drops);
    };
    expect(dropsOf(new ArrayBuffer(7))).toEqual({ 'too-short': 1 });
    expect(dropsOf(new ArrayBuffer(HEADER_BYTES - 1))).toEqual({ 'too-short': 1 });
    expect(dropsOf(changed(0, 2))).toEqual({ version: 1 });
    expect(dropsOf(changed(1, 9))).toEqual({ kind: 1 });
    expect(dropsOf(changed(2, 4))).toEqual({ type: 1 });
    expect(dropsOf(changed(3, 2))).toEqual({ flags: 1 });
    expect(dropsOf(changed(32, 4))).toEqual({ length: 1 });
    expect(dropsOf(changed(35, 0xff))).toEqual({ 'too-large': 1 });
    expect(dropsOf(changed(24, 7, first(slicesOf(long(16), 0))))).toEqual({ length: 1 });
    expect(dropsOf(new ArrayBuffer(SLICE_BYTES + 1))).toEqual({ 'slice-length': 1 });
    expect(dropsOf(first(slicesOf(long(), 0)), first(slicesOf(long(), 1)))).toEqual({ interrupted: 1 });
    expect(dropsOf(...slicesOf(long(), 0).slice(1))).toEqual({ foreign: 3 });
    expect(dropsOf(...slicesOf(long(), 0).filter((_, i) => i !== 1))).toEqual({ 'out-of-order': 1, foreign: 1 });
    expect(dropsOf(...slicesOf(EMPTY, 0), ...slicesOf(EMPTY, 0))).toEqual({ late: 1 });
    expect(dropsOf(...slicesOf(EMPTY, 5), ...slicesOf(EMPTY, 6))).toEqual({ early: 1 });
  });

  test('the sequence goes on at zero after the last number', () => {
    const assembler = new FrameAssembler();
    receiveAll(assembler, [...slicesOf(EMPTY, 0x7fffffff), ...slicesOf(EMPTY, 0xfffffffe)]);
    expect(receiveAll(assembler, [...slicesOf(EMPTY, 0xffffffff), ...slicesOf(EMPTY, 0)])).toHaveLength(2);
  });

  test('a frame that cannot be sent is refused with figures', () => {
    expect(() => checkFrame({ ...EMPTY, session: 'f' })).toThrow(/16 hexadecimal/);
    expect(() => checkFrame({ ...EMPTY, epoch: 2 ** 32 })).toThrow(/epoch is 4294967296/);
    expect(() => checkFrame({ ...EMPTY, rows: 1.5 })).toThrow(/rows is 1.5/);
    expect(() => checkFrame({ ...long(10), rows: 4 })).toThrow(/10 bytes are not 4 rows of f16/);
    expect(() => checkFrame(long(MAX_PAYLOAD_BYTES + 2))).toThrow(/8388608 are the most/);
    checkFrame(long(MAX_PAYLOAD_BYTES));
  });
});
