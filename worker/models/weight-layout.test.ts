import { describe, expect, it } from 'vitest';
import type { FormatName } from '../weights/types.ts';
import type { StageTensor } from './spec.ts';
import { weightBytes, weightLayout } from './weight-layout.ts';

const joined = { name: 'qkv', joining: 'stacked', together: 8 } as const;
const matrix = (name: string, rows: number): StageTensor => ({
  name,
  rows,
  cols: 256,
  kind: 'matrix',
  optional: false,
  layer: 0,
  joined,
});
const vector = (name: string, cols: number): StageTensor => ({
  name,
  rows: 1,
  cols,
  kind: 'vector',
  optional: true,
  layer: 0,
  joined,
});
const wanted = [
  matrix('q', 16),
  vector('q bias', 16),
  matrix('k', 8),
  vector('k bias', 8),
  matrix('v', 8),
  vector('v bias', 8),
];
const of = (formats: Record<string, FormatName>) =>
  weightLayout(wanted, new Map(Object.entries(formats).map(([name, format]) => [name, { format }])));

describe('which tensors lie in the same buffers', () => {
  it('are all of one format, and biases of all, in order', () => {
    const layout = of({ q: 'q8_0', k: 'q8_0', v: 'q8_0', 'q bias': 'f32', 'v bias': 'f16' });
    expect(layout.matrices.map(({ members }) => members)).toEqual([
      [
        { name: 'q', rows: 16, biasStart: 0 },
        { name: 'k', rows: 8, biasStart: 16 },
        { name: 'v', rows: 8, biasStart: 24 },
      ],
    ]);
    const members = [
      { name: 'q bias', start: 0 },
      { name: 'v bias', start: 24 },
    ];
    expect(layout.vectors).toEqual([{ cols: 32, members }]);
    expect(weightBytes(layout)).toBe(32 * 272 + 32 * 4);
  });

  it('are none where a tensor would begin among rows that are loaded together', () => {
    const odd = [matrix('q', 16), matrix('k', 12), matrix('v', 12)];
    const { matrices } = weightLayout(odd, new Map(odd.map(({ name }) => [name, { format: 'q8_0' }])));
    expect(matrices.map(({ members }) => members.map(({ name }) => name))).toEqual([['q'], ['k'], ['v']]);
    expect(matrices.every(({ joined: spec }) => spec === undefined)).toBe(true);
  });

  it('are fewer where formats differ', () => {
    const { matrices, vectors } = of({ q: 'q4_k', k: 'q4_k', v: 'q6_k' });
    expect(matrices.map(({ format, members }) => [format.name, members.map(({ biasStart }) => biasStart)])).toEqual([
      ['q4_k', [0, 16]],
      ['q6_k', [24]],
    ]);
    expect(vectors).toEqual([]);
  });
});
