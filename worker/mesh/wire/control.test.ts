import fc from 'fast-check';
import * as v from 'valibot';
import { describe, expect, test } from 'vitest';
import { CONTROL_VERSION, type ControlDrop, controlCodec, MAX_CONTROL_BYTES } from './control.ts';

const note = v.strictObject({ kind: v.literal('note'), text: v.string(), count: v.optional(v.number()) });
const codec = controlCodec([v.strictObject({ kind: v.literal('goodbye') }), note]);

function dropOf(data: unknown): ControlDrop | undefined {
  const read = codec.decode(data);
  return 'dropped' in read ? read.dropped : undefined;
}

describe('control messages', () => {
  test('come back as they were', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: 'binary', maxLength: 300 }),
        fc.option(fc.integer(), { nil: undefined }),
        (text, count) => {
          const message = { kind: 'note' as const, text, ...(count === undefined ? {} : { count }) };
          expect(codec.decode(codec.encode(message))).toEqual({ message });
        },
      ),
    );
  });

  test('each thing that is wrong has its name', () => {
    const text = (fields: object) => JSON.stringify({ v: CONTROL_VERSION, kind: 'note', text: 'a', ...fields });
    expect(dropOf(text({}))).toBeUndefined();
    expect(dropOf(new ArrayBuffer(4))).toBe('not-text');
    expect(dropOf('x'.repeat(MAX_CONTROL_BYTES + 1))).toBe('too-large');
    expect(dropOf('{"v":1')).toBe('not-json');
    expect(dropOf('[]')).toBe('schema');
    expect(dropOf(text({ v: CONTROL_VERSION + 1 }))).toBe('version');
    expect(dropOf(text({ v: 0 }))).toBe('version');
    expect(dropOf(text({ kind: 'constructor' }))).toBe('kind');
    expect(dropOf(text({ kind: '__proto__' }))).toBe('kind');
    expect(dropOf(text({ text: 1 }))).toBe('schema');
    expect(dropOf(text({ more: 1 }))).toBe('schema');
    expect(codec.decode(text({ more: 1 }))).toEqual({ dropped: 'schema', kind: 'note' });
  });

  test('two schemas of one kind are a fault', () => {
    expect(() => controlCodec([note, note])).toThrow(/same kind/);
  });

  test('the limit is of bytes, not of characters', () => {
    const fits = { kind: 'note' as const, text: 'é'.repeat(MAX_CONTROL_BYTES / 2 - 50) };
    expect(codec.decode(codec.encode(fits))).toEqual({ message: fits });
    expect(() => codec.encode({ kind: 'note', text: 'é'.repeat(MAX_CONTROL_BYTES / 2) })).toThrow(/65536 are the most/);
    expect(dropOf(JSON.stringify({ v: 1, kind: 'note', text: 'é'.repeat(MAX_CONTROL_BYTES / 2) }))).toBe('too-large');
  });

  test('JSON of any kind is read or refused, and reaches no prototype', () => {
    fc.assert(
      fc.property(fc.json({ maxDepth: 6 }), fc.jsonValue(), (text, value) => {
        codec.decode(text);
        codec.decode(JSON.stringify({ v: 1, kind: 'note', text: value }));
      }),
    );
    const read = codec.decode('{"v":1,"kind":"note","text":"a","__proto__":{"polluted":true}}');
    expect((read as { message?: { polluted?: boolean } }).message?.polluted).toBeUndefined();
    expect(dropOf('['.repeat(MAX_CONTROL_BYTES))).toBe('not-json');
    expect(({} as { polluted?: boolean }).polluted).toBeUndefined();
  });
});
