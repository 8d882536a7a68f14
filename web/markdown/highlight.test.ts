import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { highlight } from './highlight.ts';

const kinds = (code: string, language: string) =>
  highlight(code, language)
    .filter((span) => span.kind !== 'plain')
    .map((span) => `${span.kind} ${span.text}`);

describe('colours of code', () => {
  it('finds words, names, numbers, strings and comments', () => {
    expect(kinds('def tide(hours=12): # "two"\n    return "high"', 'python')).toEqual([
      'keyword def',
      'name tide',
      'number 12',
      'comment # "two"',
      'keyword return',
      'string "high"',
    ]);
    expect(kinds('// x\nif (a) { f(1.5) }', 'ts')).toEqual(['comment // x', 'keyword if', 'name f', 'number 1.5']);
  });

  it('changes no character of any text', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: 'binary', maxLength: 60 }),
        fc.constantFrom('python', 'c', 'sql', ''),
        (code, name) => {
          expect(
            highlight(code, name)
              .map((span) => span.text)
              .join(''),
          ).toBe(code);
        },
      ),
    );
  });

  it('leaves plain text and long code alone', () => {
    expect(kinds('if 1', 'text')).toEqual([]);
    expect(kinds('if 1\n'.repeat(5000), 'c')).toEqual([]);
  });
});
