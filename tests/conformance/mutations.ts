import type { ModelSpec } from '../../worker/models/spec.ts';
import type { Mutation64 } from '../reference/forward64.ts';
import type { Draft, DraftTensor } from './checkpoints.ts';
import type { Family, Size } from './families.ts';

/**
 * A fault that an engine could have. Where the weights or metadata can play it they do, and the engine runs as it is;
 * else its description of the model is changed.
 */
export interface Mutation {
  readonly name: string;
  appliesTo(family: Family, size: Size): boolean;
  /** It hardly shows at the first positions. */
  readonly late?: boolean;
  readonly draft?: (draft: Draft) => Draft;
  readonly spec?: (spec: ModelSpec) => ModelSpec;
  readonly spec64?: Mutation64;
}

const FAR = 1e30;

export const MUTATIONS: readonly Mutation[] = [
  {
    name: 'rope base x10',
    appliesTo: () => true,
    draft: (draft) => withFloat(draft, 'rope.freq_base', draft.family.ropeTheta * 10),
  },
  {
    name: 'no rope',
    appliesTo: () => true,
    spec: (spec) => ({ ...spec, rope: { ...spec.rope, linearFactor: FAR } }),
    spec64: (spec) => ({ ...spec, ropePairing: 'none' }),
  },
  {
    // the rows of queries and keys change places, so that the pairing which was right turns the wrong ones together
    name: 'other pairing of rope',
    appliesTo: () => true,
    draft: (draft) => {
      const half = draft.size.headSize / 2;
      const source =
        draft.family.architecture === 'llama'
          ? (i: number) => (i % 2 === 0 ? i / 2 : half + (i - 1) / 2)
          : (i: number) => (i < half ? 2 * i : 2 * (i - half) + 1);
      return withTensors(draft, /attn_[qk](_norm)?\.(weight|bias)$/, (tensor) => {
        return withRows(tensor, (row) => {
          const inHead = row % draft.size.headSize;
          return row - inHead + source(inHead);
        });
      });
    },
  },
  {
    name: 'no bias',
    appliesTo: ({ biases }) => biases,
    draft: (draft) => {
      return withTensors(draft, /\.bias$/, ({ shape, values }) => ({ shape, values: new Float32Array(values.length) }));
    },
  },
  {
    name: 'no qk-norm',
    appliesTo: ({ queryKeyNorm }) => queryKeyNorm,
    spec: (spec) => ({
      ...spec,
      blocks: spec.blocks.map((block) => ({ ...block, attention: { ...block.attention, qkNorm: false } })),
    }),
    spec64: (spec) => ({ ...spec, queryKeyNorm: false }),
  },
  {
    // queries and what becomes of their heads move to other places, so that each attends with another KV head
    name: 'wrong GQA map',
    appliesTo: (_, { kvHeads }) => kvHeads >= 2,
    draft: (draft) => {
      const { heads, kvHeads, headSize } = draft.size;
      const shared = heads / kvHeads;
      const source = (head: number) =>
        shared === 1 ? (head + kvHeads - 1) % kvHeads : (head % shared) * kvHeads + Math.floor(head / shared);
      const moved = (row: number) => source(Math.floor(row / headSize)) * headSize + (row % headSize);
      const queries = withTensors(draft, /attn_q\.(weight|bias)$/, (tensor) => withRows(tensor, moved));
      return withTensors(queries, /attn_output\.weight$/, (tensor) => withColumns(tensor, moved));
    },
  },
  {
    name: 'eps 1e-3',
    appliesTo: () => true,
    draft: (draft) => withFloat(draft, 'attention.layer_norm_rms_epsilon', 1e-3),
  },
  {
    name: 'no rope scaling',
    late: true,
    appliesTo: ({ ropeScaling }) => ropeScaling !== undefined,
    draft: (draft) => {
      return withTensors(draft, /^rope_freqs/, ({ shape, values }) => ({ shape, values: values.map(() => 1) }));
    },
  },
];

function withFloat(draft: Draft, key: string, value: number): Draft {
  const name = `${draft.family.architecture}.${key}`;
  return { ...draft, metadata: { ...draft.metadata, [name]: { type: 'f32', value } } };
}

function withTensors(draft: Draft, names: RegExp, change: (tensor: DraftTensor) => DraftTensor): Draft {
  const tensors = new Map(draft.tensors);
  for (const [name, tensor] of draft.tensors) if (names.test(name)) tensors.set(name, change(tensor));
  return { ...draft, tensors };
}

/** Row i becomes what row `source(i)` was; a vector's rows are its entries. */
function withRows({ shape, values }: DraftTensor, source: (row: number) => number): DraftTensor {
  const columns = shape.length < 2 ? 1 : (shape[0] as number);
  const out = new Float32Array(values.length);
  for (let row = 0; row < values.length / columns; row++) {
    const from = source(row) * columns;
    out.set(values.subarray(from, from + columns), row * columns);
  }
  return { shape, values: out };
}

function withColumns({ shape, values }: DraftTensor, source: (column: number) => number): DraftTensor {
  const columns = shape[0] as number;
  const out = values.map((_, i) => values[i - (i % columns) + source(i % columns)] as number);
  return { shape, values: out };
}
