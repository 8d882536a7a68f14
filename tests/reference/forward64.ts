import { dequantize } from './dequantize.ts';
import { type GgufFile, parseGguf } from './gguf-file.ts';

/**
 * The families in plain float64, a third opinion beside llama.cpp and Shoal: it shows that the checkpoints of
 * conformance see a fault before an engine is asked. Slow and whole in memory: for small checkpoints alone.
 */
export interface Spec64 {
  readonly layers: number;
  readonly heads: number;
  readonly kvHeads: number;
  readonly headSize: number;
  readonly rmsEps: number;
  readonly ropeTheta: number;
  /** Rotary rows are 2i and 2i+1 (`adjacent`), i and i + half (`halves`), or none. */
  readonly ropePairing: 'adjacent' | 'halves' | 'none';
  readonly queryKeyNorm: boolean;
  /** The KV head that a query head attends with. */
  readonly kvHeadOf: (head: number) => number;
  /** What activations and KV are rounded to between operations: float16 as a device might, or nothing. */
  readonly storage: 'f64' | 'f16';
}

export type Mutation64 = (spec: Spec64) => Spec64;

/** Raw logits at every position of one sequence. */
export function forward64(bytes: Uint8Array, tokens: readonly number[], mutate: Mutation64 = (s) => s): Float32Array[] {
  const file = parseGguf(bytes);
  const weights = weightsOf(bytes, file);
  const weight = (name: string): Float32Array => {
    const values = weights.get(name);
    if (!values) throw new Error(`the checkpoint has no tensor ${name}`);
    return values;
  };
  const spec = mutate(specOf(file));
  const embedding = weight('token_embd.weight');
  const hiddenSize = Number(file.metadata.get(`${file.metadata.get('general.architecture')}.embedding_length`));
  const ropeFactors = weights.get('rope_freqs.weight');
  const stored = <T extends readonly Float64Array[]>(rows: T): T => {
    if (spec.storage === 'f16') for (const row of rows) roundToHalf(row);
    return rows;
  };

  const states = tokens.map((token) =>
    Float64Array.from(embedding.subarray(token * hiddenSize).subarray(0, hiddenSize)),
  );
  for (let layer = 0; layer < spec.layers; layer++) {
    const part = (name: string) => weight(`blk.${layer}.${name}`);
    const bias = (name: string) => weights.get(`blk.${layer}.${name}.bias`);
    const normed = stored(states.map((state) => rmsNorm(state, part('attn_norm.weight'), spec.rmsEps)));
    const project = (name: string) => stored(product(part(`${name}.weight`), normed, bias(name)));
    const queries = project('attn_q');
    const keys = project('attn_k');
    const values = project('attn_v');
    if (spec.queryKeyNorm) {
      normHeads(queries, part('attn_q_norm.weight'), spec);
      normHeads(keys, part('attn_k_norm.weight'), spec);
    }
    rotate(queries, spec, ropeFactors);
    rotate(keys, spec, ropeFactors);
    stored(queries);
    stored(keys);
    const attended = stored(attend(queries, keys, values, spec));
    add(states, product(part('attn_output.weight'), attended, bias('attn_output')));
    stored(states);

    const inner = stored(states.map((state) => rmsNorm(state, part('ffn_norm.weight'), spec.rmsEps)));
    const gates = product(part('ffn_gate.weight'), inner);
    const ups = product(part('ffn_up.weight'), inner);
    for (const [t, gate] of gates.entries()) {
      const up = ups[t] as Float64Array;
      for (let i = 0; i < gate.length; i++) gate[i] = silu(at(gate, i)) * at(up, i);
    }
    add(states, product(part('ffn_down.weight'), stored(gates)));
    stored(states);
  }
  const last = stored(states.map((state) => rmsNorm(state, weight('output_norm.weight'), spec.rmsEps)));
  return product(weights.get('output.weight') ?? embedding, last).map((row) => Float32Array.from(row));
}

function specOf({ metadata }: GgufFile): Spec64 {
  const architecture = metadata.get('general.architecture');
  const number = (key: string) => Number(metadata.get(`${architecture}.${key}`));
  const heads = number('attention.head_count');
  const kvHeads = number('attention.head_count_kv');
  return {
    layers: number('block_count'),
    heads,
    kvHeads,
    headSize: number('attention.key_length') || number('embedding_length') / heads,
    rmsEps: number('attention.layer_norm_rms_epsilon'),
    ropeTheta: number('rope.freq_base') || 10_000,
    ropePairing: architecture === 'llama' ? 'adjacent' : 'halves',
    queryKeyNorm: architecture === 'qwen3',
    kvHeadOf: (head) => Math.floor((head * kvHeads) / heads),
    storage: 'f64',
  };
}

function weightsOf(bytes: Uint8Array, file: GgufFile): Map<string, Float32Array> {
  return new Map(
    file.tensors.map(({ name, ggmlType, offset, bytes: length }) => {
      return [name, dequantize(ggmlType, bytes.subarray(offset, offset + length))];
    }),
  );
}

/** `weight` has a row an output; each input gives its own row of outputs. */
function product(weight: Float32Array, inputs: readonly Float64Array[], bias?: Float32Array): Float64Array[] {
  const columns = (inputs[0] as Float64Array).length;
  const rows = weight.length / columns;
  const outputs = inputs.map(() => new Float64Array(rows));
  for (let row = 0; row < rows; row++) {
    const start = row * columns;
    for (let t = 0; t < inputs.length; t++) {
      const input = inputs[t] as Float64Array;
      // four sums, so that the additions do not wait for each other; every width here is a multiple of 4
      let [a, b, c, d] = [bias ? at(bias, row) : 0, 0, 0, 0];
      for (let i = 0; i < columns; i += 4) {
        a += at(weight, start + i) * at(input, i);
        b += at(weight, start + i + 1) * at(input, i + 1);
        c += at(weight, start + i + 2) * at(input, i + 2);
        d += at(weight, start + i + 3) * at(input, i + 3);
      }
      (outputs[t] as Float64Array)[row] = a + b + (c + d);
    }
  }
  return outputs;
}

function rmsNorm(state: Float64Array, weight: Float32Array, eps: number): Float64Array {
  let squares = 0;
  for (let i = 0; i < state.length; i++) squares += at(state, i) ** 2;
  const scale = 1 / Math.sqrt(squares / state.length + eps);
  return Float64Array.from(state, (value, i) => value * scale * at(weight, i));
}

function normHeads(rows: readonly Float64Array[], weight: Float32Array, { headSize, rmsEps }: Spec64): void {
  for (const row of rows) {
    for (let start = 0; start < row.length; start += headSize) {
      row.set(rmsNorm(row.subarray(start, start + headSize), weight, rmsEps), start);
    }
  }
}

function rotate(rows: readonly Float64Array[], spec: Spec64, factors: Float32Array | undefined): void {
  if (spec.ropePairing === 'none') return;
  const half = spec.headSize / 2;
  for (const [position, row] of rows.entries()) {
    for (let start = 0; start < row.length; start += spec.headSize) {
      for (let i = 0; i < half; i++) {
        const frequency = spec.ropeTheta ** ((-2 * i) / spec.headSize) / (factors ? at(factors, i) : 1);
        const first: number = start + (spec.ropePairing === 'adjacent' ? 2 * i : i);
        const second = spec.ropePairing === 'adjacent' ? first + 1 : first + half;
        const [x, y] = [at(row, first), at(row, second)];
        const [cos, sin] = [Math.cos(position * frequency), Math.sin(position * frequency)];
        row[first] = x * cos - y * sin;
        row[second] = x * sin + y * cos;
      }
    }
  }
}

function attend(
  queries: readonly Float64Array[],
  keys: readonly Float64Array[],
  values: readonly Float64Array[],
  { heads, headSize, kvHeadOf }: Spec64,
): Float64Array[] {
  return queries.map((query, position) => {
    const out = new Float64Array(heads * headSize);
    for (let head = 0; head < heads; head++) {
      const kv = kvHeadOf(head) * headSize;
      const scores = keys.slice(0, position + 1).map((key) => {
        let score = 0;
        for (let i = 0; i < headSize; i++) score += at(query, head * headSize + i) * at(key, kv + i);
        return score / Math.sqrt(headSize);
      });
      const largest = Math.max(...scores);
      const shares = scores.map((score) => Math.exp(score - largest));
      const total = shares.reduce((sum, share) => sum + share, 0);
      for (const [t, share] of shares.entries()) {
        const value = values[t] as Float64Array;
        for (let i = 0; i < headSize; i++) {
          out[head * headSize + i] = at(out, head * headSize + i) + (share / total) * at(value, kv + i);
        }
      }
    }
    return out;
  });
}

function add(states: readonly Float64Array[], changes: readonly Float64Array[]): void {
  for (const [t, state] of states.entries()) {
    for (let i = 0; i < state.length; i++) state[i] = at(state, i) + at(changes[t] as Float64Array, i);
  }
}

/** Rounds to the nearest float16 of ordinary size or below; larger values than float16 holds become infinite. */
function roundToHalf(row: Float64Array): void {
  for (let i = 0; i < row.length; i++) {
    const size = Math.abs(at(row, i));
    const step = 2 ** (Math.max(-14, Math.floor(Math.log2(size))) - 10);
    row[i] = size >= 65520 ? at(row, i) * Number.POSITIVE_INFINITY : Math.round(at(row, i) / step) * step;
  }
}

function silu(x: number): number {
  return x / (1 + Math.exp(-x));
}

function at(values: Float32Array | Float64Array, index: number): number {
  return values[index] as number;
}
