import fc from 'fast-check';
import { expect, it } from 'vitest';
import { type Bytes, canonical, fromBase64url, toBase64url } from './bytes.ts';

const bytes = fc.uint8Array({ maxLength: 100 }).map((array): Bytes => new Uint8Array(array));

it('base64url gives back the bytes, and agrees with the platform’s', () => {
  fc.assert(
    fc.property(bytes, (original) => {
      const text = toBase64url(original);
      expect(text).toBe(Buffer.from(original).toString('base64url'));
      expect(fromBase64url(text)).toEqual(original);
      expect(fromBase64url(text, original.length)).toEqual(original);
      expect(fromBase64url(text, original.length + 1)).toBeUndefined();
    }),
  );
});

it('one text means one list of bytes: no other text is read', () => {
  const text = fc.oneof(
    fc.string(),
    fc.base64String(),
    fc.string({ unit: fc.constantFrom('A', 'B', '_', '-', '=', ' ') }),
  );
  fc.assert(
    fc.property(text, (candidate) => {
      const read = fromBase64url(candidate);
      if (read) expect(toBase64url(read)).toBe(candidate);
    }),
  );
  for (const wrong of ['A', 'AB', 'AAB', 'AA==', 'A+', 'A/', 'AA\n', ' AA'])
    expect(fromBase64url(wrong)).toBeUndefined();
});

it('two lists of fields never give the same canonical bytes', () => {
  const fields = fc.array(fc.oneof(fc.string({ maxLength: 6 }), bytes), { maxLength: 5 });
  const asBytes = (list: readonly (string | Uint8Array)[]) => list.map((field) => toBase64url(Buffer.from(field)));
  fc.assert(
    fc.property(fields, fields, (one, other) => {
      const isSame = toBase64url(canonical('x', ...one)) === toBase64url(canonical('x', ...other));
      expect(isSame).toBe(JSON.stringify(asBytes(one)) === JSON.stringify(asBytes(other)));
    }),
  );
  expect(canonical('ab', 'c')).not.toEqual(canonical('a', 'bc'));
  expect(canonical('a', 1)).toEqual(new Uint8Array([1, 0, 0, 0, 97, 4, 0, 0, 0, 1, 0, 0, 0]));
});
