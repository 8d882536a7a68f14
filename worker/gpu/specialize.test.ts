import { describe, expect, it } from 'vitest';
import { specialize } from './specialize.ts';

const shaders = new Map([
  ['kernel', '#import parts/a\n#import formats/$format\n#if wide\nlet n = $n;\n#else\nlet n = 1;\n#endif'],
  ['parts/a', '#import parts/b\na'],
  ['parts/b', 'b'],
  ['formats/q', '#import parts/b\nq'],
  ['nested', '#if a\n#if b == 2\nboth\n#else\nonly a\n#endif\n#else\nneither\n#endif'],
  ['open', '#if a\nx'],
  ['unknown', '#include x'],
  ['loops', '#for i in 0..$n\n#for j in 0..2\n#if i == 1\na[$i][$j]\n#endif\n#endfor\nb$i\n#endfor\nc'],
  ['endless', '#for i in 0..2\nx'],
  ['uncounted', '#for i in 1..n\nx\n#endfor'],
]);
const of = (name: string, constants = {}) => specialize(name, constants, shaders).trim().split('\n');

describe('a specialized shader', () => {
  it('has each part once, before what needs it, and its constants in place', () => {
    expect(of('kernel', { format: 'q', wide: true, n: 7 })).toEqual(['b', 'a', 'q', 'let n = 7;']);
    expect(of('kernel', { format: 'q', wide: false, n: 7 })).toEqual(['b', 'a', 'q', 'let n = 1;']);
  });

  it('enables f16 first', () => {
    expect(of('parts/b', { f16: true })).toEqual(['enable f16;', 'b']);
  });

  it('follows nested conditions', () => {
    expect(of('nested', { a: true, b: 2 })).toEqual(['both']);
    expect(of('nested', { a: true, b: 3 })).toEqual(['only a']);
    expect(of('nested', { a: false, b: 2 })).toEqual(['neither']);
  });

  it('writes loops out, with their counts in place', () => {
    expect(of('loops', { n: 2 })).toEqual(['b0', 'a[1][0]', 'a[1][1]', 'b1', 'c']);
    expect(of('loops', { n: 0 })).toEqual(['c']);
  });

  it.each([
    ['endless', {}, '#endfor'],
    ['uncounted', {}, '1..n'],
    ['open', { a: true }, '#endif'],
    ['unknown', {}, '#include'],
    ['missing', {}, 'missing'],
    ['kernel', { format: 'none', wide: true, n: 1 }, 'formats/none'],
    ['kernel', { format: 'q', n: 1 }, 'wide'],
  ])('refuses what makes no sense: %s %o', (name, constants, word) => {
    expect(() => of(name, constants)).toThrow(word);
  });
});
