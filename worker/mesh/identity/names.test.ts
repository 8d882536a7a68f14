import fc from 'fast-check';
import { expect, it } from 'vitest';
import { cleanName, isName, MAX_NAME_CHARACTERS } from './names.ts';

it('names that people give stay as they are', () => {
  for (const name of [
    'Anna’s iPhone',
    'Küche',
    'ノートパソコン',
    'هاتف أحمد',
    'Büro 2 🖥️',
    'e\u0301tage',
    'a'.repeat(40),
  ]) {
    expect(isName(name)).toBe(true);
    expect(cleanName(name, 'x').normalize('NFC')).toBe(name.normalize('NFC'));
  }
});

it('a peer’s name cannot turn text around, hide, break lines or run over them', () => {
  const hostile = [
    '',
    ' ',
    'a\nb',
    'a  b',
    ' a',
    'a\u202eb',
    'a\u200b',
    '\u2066x',
    'x\u0000',
    '\ud800',
    '\u{e0041}',
    '\u2800',
  ];
  for (const name of [...hostile, 'a'.repeat(41), `a${'\u0301'.repeat(3)}`, '\u00a0']) expect(isName(name)).toBe(false);
});

it('whatever is typed becomes a valid name', () => {
  const text = fc.oneof(fc.string({ unit: 'binary', maxLength: 80 }), fc.string({ unit: 'grapheme', maxLength: 80 }));
  fc.assert(
    fc.property(text, (typed) => {
      const name = cleanName(typed, 'Device');
      expect(isName(name)).toBe(true);
      expect([...name].length).toBeLessThanOrEqual(MAX_NAME_CHARACTERS);
    }),
  );
  expect(cleanName('\u202e\n ', 'Device')).toBe('Device');
});
