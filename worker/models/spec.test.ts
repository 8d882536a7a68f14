import { describe, expect, it } from 'vitest';
import { stringTable } from '../weights/string-table.ts';
import type { Checkpoint, FormatName, GgufArray, GgufScalar, TensorInfo } from '../weights/types.ts';
import { readModelSpec, stageTensors, wholeModel } from './spec.ts';

type Shapes = Record<string, readonly [rows: number, cols: number]>;

const LAYERS = 2;
const SHAPES: Shapes = {
  'token_embd.weight': [100, 64],
  'output_norm.weight': [1, 64],
  ...Object.fromEntries(
    Array.from({ length: LAYERS }, (_, layer) => [
      [`blk.${layer}.attn_norm.weight`, [1, 64]],
      [`blk.${layer}.attn_q.weight`, [64, 64]],
      [`blk.${layer}.attn_k.weight`, [32, 64]],
      [`blk.${layer}.attn_v.weight`, [32, 64]],
      [`blk.${layer}.attn_output.weight`, [64, 64]],
      [`blk.${layer}.ffn_norm.weight`, [1, 64]],
      [`blk.${layer}.ffn_gate.weight`, [96, 64]],
      [`blk.${layer}.ffn_up.weight`, [96, 64]],
      [`blk.${layer}.ffn_down.weight`, [64, 96]],
    ]).flat(),
  ),
};
const KEYS: Record<string, GgufScalar> = {
  'general.architecture': 'llama',
  'llama.block_count': LAYERS,
  'llama.embedding_length': 64,
  'llama.feed_forward_length': 96,
  'llama.attention.head_count': 4,
  'llama.attention.head_count_kv': 2,
  'llama.attention.layer_norm_rms_epsilon': 1e-5,
  'llama.context_length': 2048,
  'llama.rope.freq_base': 500_000,
};

function checkpoint(keys: Record<string, GgufScalar | GgufArray> = {}, shapes: Shapes = {}): Checkpoint {
  const tensors = new Map<string, TensorInfo>();
  for (const [name, [rows, cols]] of Object.entries({ ...SHAPES, ...shapes })) {
    if (rows === 0) continue;
    tensors.set(name, { name, rows, cols, shape: [cols, rows], format: 'f32', offset: 0, bytes: rows * cols * 4 });
  }
  return { container: 'gguf', metadata: new Map(Object.entries({ ...KEYS, ...keys })), tensors, headerBytes: 0 };
}

/** The same with one tensor of another format. */
function withFormat(name: string, format: FormatName, shapes: Shapes = {}): Checkpoint {
  const { tensors, ...rest } = checkpoint({}, shapes);
  const info = tensors.get(name);
  if (info === undefined) throw new Error(`There is no ${name}.`);
  return { ...rest, tensors: new Map([...tensors, [name, { ...info, format }]]) };
}

describe('a model spec', () => {
  it('says what the header says', () => {
    const spec = readModelSpec(checkpoint());
    expect(spec).toMatchObject({ hiddenSize: 64, vocabulary: 100, contextTokens: 2048, normEps: 1e-5, tiedHead: true });
    expect(spec.blocks).toHaveLength(LAYERS);
    expect(spec.blocks[0]?.attention).toMatchObject({ heads: 4, kvHeads: 2, headSize: 16, qkNorm: false });
    expect(spec.rope).toMatchObject({ theta: 500_000, dims: 16, pairing: 'adjacent', linearFactor: 1 });
  });

  it('scales rotations linearly as llama.cpp does: also where no type is named', () => {
    const factor = { 'llama.rope.scaling.factor': 4 };
    expect(readModelSpec(checkpoint(factor)).rope.linearFactor).toBe(4);
    expect(readModelSpec(checkpoint({ ...factor, 'llama.rope.scaling.type': 'linear' })).rope.linearFactor).toBe(4);
    expect(readModelSpec(checkpoint({ ...factor, 'llama.rope.scaling.type': 'none' })).rope.linearFactor).toBe(1);
  });

  it('ties the head to the embedding only where there is no head', () => {
    expect(readModelSpec(checkpoint({}, { 'output.weight': [100, 64] })).tiedHead).toBe(false);
  });

  it('divides frequencies by the factors of a Llama file', () => {
    const factors = { 'rope_freqs.weight': [1, 8] } as const;
    expect(readModelSpec(checkpoint({}, factors)).rope.factorsTensor).toBe('rope_freqs.weight');
    expect(readModelSpec(checkpoint()).rope.factorsTensor).toBeUndefined();
    expect(() => readModelSpec(checkpoint({}, { 'rope_freqs.weight': [1, 4] }))).toThrow(/has 4 entries; 8/);
  });

  it('reads counts that are 64-bit numbers', () => {
    expect(readModelSpec(checkpoint({ 'llama.block_count': 2n })).blocks).toHaveLength(LAYERS);
  });

  it.each([
    ['an unknown architecture', { 'general.architecture': 'mamba' }, {}, /“mamba”.*Qwen3/],
    ['none at all', { 'general.architecture': '' }, {}, /does not name/],
    ['a mixture of experts', { 'llama.expert_count': 8 }, {}, /mixture of experts/],
    ['yarn', { 'llama.rope.scaling.type': 'yarn' }, {}, /yarn/],
    ['heads that cannot be shared', { 'llama.attention.head_count_kv': 3 }, {}, /4 heads/],
    [
      'a head size beyond the kernels',
      { 'llama.attention.key_length': 512, 'llama.attention.value_length': 512 },
      {},
      /512/,
    ],
    ['a missing tensor', {}, { 'blk.1.ffn_up.weight': [0, 0] }, /lacks the tensor blk\.1\.ffn_up\.weight/],
    [
      'a tensor of another shape',
      {},
      { 'blk.0.attn_k.weight': [64, 64] },
      /blk\.0\.attn_k\.weight is 64 x 64; 32 x 64/,
    ],
    [
      'rotary factors of a family that has none',
      Object.fromEntries(
        Object.entries(KEYS).map(([key, value]) => [
          key.replace(/^llama/, 'qwen2'),
          key === 'general.architecture' ? 'qwen2' : value,
        ]),
      ),
      { 'rope_freqs.weight': [1, 8] },
      /rope_freqs\.weight.*qwen2/,
    ],
    ['a tensor that nothing would use', {}, { 'output.bias': [1, 100] }, /output\.bias/],
    ['no layers', { 'llama.block_count': 0 }, {}, /block_count is 0/],
    ['absurdly many', { 'llama.block_count': 1e9 }, {}, /block_count/],
    ['an eps that is no number', { 'llama.attention.layer_norm_rms_epsilon': Number.NaN }, {}, /epsilon/],
  ] as const)('refuses %s by name', (_, keys, shapes, message) => {
    expect(() => readModelSpec(checkpoint(keys, shapes as unknown as Shapes))).toThrow(message);
  });
});

describe('what only the bytes would show otherwise', () => {
  const tokens = (count: number) => ({
    'tokenizer.ggml.tokens': stringTable(Array.from({ length: count }, (_, i) => `t${i}`)),
  });

  it('a vocabulary that is not as long as the embedding is refused with both counts', () => {
    expect(readModelSpec(checkpoint(tokens(100))).vocabulary).toBe(100);
    expect(() => readModelSpec(checkpoint(tokens(99)))).toThrow(/99 tokens and token_embd\.weight 100 rows/);
    expect(() => readModelSpec(checkpoint(tokens(101)))).toThrow(/101 tokens and token_embd\.weight 100 rows/);
  });

  it.each([
    ['a norm', 'blk.0.attn_norm.weight', {}],
    ['the last norm', 'output_norm.weight', {}],
    ['a bias', 'blk.1.attn_k.bias', { 'blk.1.attn_k.bias': [1, 32] }],
    ['rotary factors', 'rope_freqs.weight', { 'rope_freqs.weight': [1, 8] }],
  ] as const)('%s that is quantized is refused by name', (_, name, shapes) => {
    for (const format of ['f32', 'f16', 'bf16'] as const) readModelSpec(withFormat(name, format, shapes));
    expect(() => readModelSpec(withFormat(name, 'q8_0', shapes))).toThrow(`${name} is q8_0`);
  });

  it('matrices may be quantized', () => {
    expect(readModelSpec(withFormat('blk.0.attn_q.weight', 'q4_k')).blocks).toHaveLength(LAYERS);
  });
});

describe('the tensors of stages', () => {
  const spec = readModelSpec(checkpoint({}, { 'output.weight': [100, 64] }));
  const names = (range: Parameters<typeof stageTensors>[1]) => stageTensors(spec, range).map(({ name }) => name);

  it('are together those of the whole, each in one stage', () => {
    const first = names({ firstLayer: 0, endLayer: 1, embedding: true, head: false });
    const second = names({ firstLayer: 1, endLayer: 2, embedding: false, head: true });
    expect([...first, ...second].sort()).toEqual(names(wholeModel(spec)).sort());
  });

  it('hold the embedding twice only where a tied head is in another stage', () => {
    const tied = readModelSpec(checkpoint());
    const head = stageTensors(tied, { firstLayer: 1, endLayer: 2, embedding: false, head: true });
    expect(head.map(({ name }) => name)).toContain('token_embd.weight');
    const whole = stageTensors(tied, wholeModel(tied)).filter(({ name }) => name === 'token_embd.weight');
    expect(whole).toHaveLength(1);
  });
});
