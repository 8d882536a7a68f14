import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BlockSplitter, isClosedCode } from './split.ts';

const SAMPLE = `# Tides

The moon pulls on the sea,
and harder on what is closer.

1. first
2. second

   more of the second
3. third

\`\`\`python
def f():

    return 1
\`\`\`

| a | b |
|---|---|
| 1 | 2 |

> quoted
lazily

- [ ] open
- [x] done
`;

/** The reader rewrites blanks at the end of some lines. */
const bare = (text: string) => text.replace(/\s+/g, '');

describe('Markdown that grows', () => {
  it('gives the same blocks whether it comes at once or in pieces', () => {
    const whole = new BlockSplitter().split(SAMPLE).map((block) => block.raw);
    expect(whole.join('')).toBe(SAMPLE);
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 30 }), { minLength: 3, maxLength: 60 }), (steps) => {
        const splitter = new BlockSplitter();
        let end = 0;
        for (const step of steps) {
          end += step;
          splitter.split(SAMPLE.slice(0, end));
        }
        expect(splitter.split(SAMPLE).map((block) => block.raw)).toEqual(whole);
      }),
    );
  });

  it('loses no character of any text', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom('a', '\n', '- ', '1. ', '```', '> ', '|', '#', ' ', '*')), (parts) => {
        const splitter = new BlockSplitter();
        let text = '';
        for (const part of parts) {
          text += part;
          const drawn = splitter.split(text).map((block) => block.raw);
          expect(bare(drawn.join(''))).toBe(bare(text));
        }
      }),
    );
  });

  it('keeps settled blocks as they are, so that they are drawn once', () => {
    const splitter = new BlockSplitter();
    const first = splitter.split('One.\n\nTwo.\n\nThr');
    const blocks = splitter.split('One.\n\nTwo.\n\nThree.\n\nFour');
    expect(blocks).toHaveLength(4);
    expect(blocks[0]).toBe(first[0]);
    expect(blocks[1]).toBe(first[1]);
  });

  it('cuts a long list, with its numbers going on', () => {
    const splitter = new BlockSplitter();
    let text = '';
    for (let i = 1; i <= 60; i++) {
      text += `${i}. entry that is as long as entries in answers usually are\n`;
      splitter.split(text);
    }
    const blocks = splitter.split(text);
    expect(blocks.length).toBeGreaterThan(2);
    expect(blocks.map((block) => block.raw).join('')).toBe(text);
    expect(blocks.at(-1)?.token).toHaveProperty(
      'start',
      expect.toSatisfy((start: number) => start > 40),
    );
  });

  it('starts over when the text is another one', () => {
    const splitter = new BlockSplitter();
    splitter.split('One.\n\nTwo.');
    expect(splitter.split('Three.').map((block) => block.raw)).toEqual(['Three.']);
  });

  it('knows when a fence has closed', () => {
    const code = (raw: string) => isClosedCode({ raw, token: { type: 'code', raw } });
    expect(code('```js\nlet a;')).toBe(false);
    expect(code('```js\nlet a;\n```')).toBe(true);
    expect(code('```js\nlet a;\n```\n\n')).toBe(true);
    expect(code('```')).toBe(false);
  });
});
