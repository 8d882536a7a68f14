import type { StorageType } from '../../worker/gpu/device.ts';
import type { ModelShape } from '../kernels/shapes.ts';
import { encode, type Field, type Message } from './protobuf.ts';

/** TensorProto.DataType. */
const TYPES = { f32: 1, u8: 2, i32: 6, i64: 7, f16: 10 } as const;
type ElementType = keyof typeof TYPES;

const BLOCK = 32;
const OPSET = 21;
const IR_VERSION = 10;
const CONTEXT_TOKENS = 1024;

/**
 * An ONNX file of a decoder as ONNX Runtime's own builder makes one for WebGPU: 4-bit products in blocks of 32, attention
 * with the rotation in one node, norms with the sum before them in one. Weights are drawn: their values set no speed.
 * Inputs: input_ids, seqlens_k, total_sequence_length, past.N.key and .value; outputs: logits of the last token, present.N.key and .value.
 */
export function decoderGraph(shape: ModelShape, storage: StorageType): Uint8Array<ArrayBuffer> {
  const { layers, hiddenSize, heads, kvHeads, headSize, feedForward, vocabulary } = shape;
  const graph = new Graph(storage);
  graph.input('input_ids', 'i64', [1, 'tokens']);
  graph.input('seqlens_k', 'i32', [1]);
  graph.input('total_sequence_length', 'i32', []);
  for (const name of ['cos', 'sin']) graph.weights(name, [CONTEXT_TOKENS, headSize / 2], () => 0.7);
  graph.weights('embedding', [vocabulary, hiddenSize], small);
  let sum = graph.node('Gather', ['embedding', 'input_ids']);
  let normed = graph.node('SimplifiedLayerNormalization', [sum, graph.norm(hiddenSize)], graph.normAttributes(shape));
  const next = (added: string): void => {
    const [out, , , total] = graph.nodes(
      'SkipSimplifiedLayerNormalization',
      [sum, added, graph.norm(hiddenSize)],
      [['epsilon', { float: shape.normEps }]],
      4,
    );
    normed = out as string;
    sum = total as string;
  };
  for (let layer = 0; layer < layers; layer++) {
    const past = ['key', 'value'].map((what) => `past.${layer}.${what}`);
    const present = ['key', 'value'].map((what) => `present.${layer}.${what}`);
    for (const name of past) graph.input(name, storage, [1, kvHeads, 'past', headSize]);
    for (const name of present) graph.output(name, storage, [1, kvHeads, 'total', headSize]);
    const [q, k, v] = [heads, kvHeads, kvHeads].map((of) => graph.product(normed, hiddenSize, of * headSize));
    const [attended] = graph.nodes(
      'GroupQueryAttention',
      [q ?? '', k ?? '', v ?? '', ...past, 'seqlens_k', 'total_sequence_length', 'cos', 'sin'],
      [
        ['num_heads', heads],
        ['kv_num_heads', kvHeads],
        ['scale', { float: 1 / Math.sqrt(headSize) }],
        ['do_rotary', 1],
        ['rotary_interleaved', 0],
        ['local_window_size', -1],
      ],
      3,
      ['', ...present],
    );
    next(graph.product(attended as string, heads * headSize, hiddenSize));
    const gate = graph.product(normed, hiddenSize, feedForward);
    const up = graph.product(normed, hiddenSize, feedForward);
    const silu = graph.node('Mul', [gate, graph.node('Sigmoid', [gate])]);
    next(graph.product(graph.node('Mul', [silu, up]), feedForward, hiddenSize));
  }
  graph.output('logits', storage, [1, 1, vocabulary]);
  const last = graph.node('Gather', [normed, graph.integers('last', [-1])], [['axis', 1]]);
  graph.product(last, hiddenSize, vocabulary, 'logits');
  return graph.encode();
}

const small = (i: number) => 0.02 * Math.sin(i * 12.9898);

class Graph {
  readonly #storage: StorageType;
  readonly #nodes: Field[] = [];
  readonly #initializers: Field[] = [];
  readonly #inputs: Field[] = [];
  readonly #outputs: Field[] = [];
  #names = 0;

  constructor(storage: StorageType) {
    this.#storage = storage;
  }

  input(name: string, type: ElementType, dims: readonly (number | string)[]): void {
    this.#inputs.push([11, valueInfo(name, type, dims)]);
  }
  output(name: string, type: ElementType, dims: readonly (number | string)[]): void {
    this.#outputs.push([12, valueInfo(name, type, dims)]);
  }

  /** Floats of the storage type. */
  weights(name: string, dims: readonly number[], value: (i: number) => number): string {
    const count = dims.reduce((product, length) => product * length, 1);
    const values = this.#storage === 'f32' ? new Float32Array(count) : new Uint16Array(count);
    for (let i = 0; i < count; i++) values[i] = this.#storage === 'f32' ? value(i) : toHalf(value(i));
    return this.#initializer(name, this.#storage, dims, new Uint8Array(values.buffer));
  }

  integers(name: string, values: readonly number[]): string {
    const bytes = new Uint8Array(BigInt64Array.from(values, BigInt).buffer);
    return this.#initializer(name, 'i64', [values.length], bytes);
  }

  norm(size: number): string {
    return this.weights(this.#fresh(), [size], () => 1);
  }

  normAttributes({ normEps }: ModelShape): readonly Attribute[] {
    return [
      ['axis', -1],
      ['epsilon', { float: normEps }],
      ['stash_type', 1],
    ];
  }

  /** input [tokens, columns] times 4-bit weights [rows, columns] transposed. */
  product(input: string, columns: number, rows: number, output?: string): string {
    const blocks = columns / BLOCK;
    const quants = Uint8Array.from({ length: (rows * columns) / 2 }, (_, i) => Math.imul(i + 1, 0x9e3779b1) >>> 24);
    const name = this.#initializer(this.#fresh(), 'u8', [rows, blocks, BLOCK / 2], quants);
    const scales = this.weights(this.#fresh(), [rows, blocks], () => 0.005);
    const attributes: Attribute[] = [
      ['K', columns],
      ['N', rows],
      ['bits', 4],
      ['block_size', BLOCK],
      ['accuracy_level', 4],
    ];
    const names = output === undefined ? undefined : [output];
    return this.nodes('MatMulNBits', [input, name, scales], attributes, 1, names)[0] as string;
  }

  node(op: string, inputs: readonly string[], attributes: readonly Attribute[] = []): string {
    return this.nodes(op, inputs, attributes, 1)[0] as string;
  }

  nodes(
    op: string,
    inputs: readonly string[],
    attributes: readonly Attribute[],
    outputs: number,
    names: readonly string[] = [],
  ): readonly string[] {
    const given = Array.from({ length: outputs }, (_, i) => names[i] || this.#fresh());
    this.#nodes.push([
      1,
      [
        ...inputs.map((name): Field => [1, name]),
        // mean and inverse deviation of a norm are of use to training alone
        ...given.map((name, i): Field => [2, outputs === 4 && (i === 1 || i === 2) ? '' : name]),
        [3, this.#fresh()],
        [4, op],
        ...attributes.map((attribute): Field => [5, attributeOf(attribute)]),
        [7, STANDARD.has(op) ? '' : 'com.microsoft'],
      ],
    ]);
    return given;
  }

  encode(): Uint8Array<ArrayBuffer> {
    const graph: Message = [...this.#nodes, [2, 'decoder'], ...this.#initializers, ...this.#inputs, ...this.#outputs];
    const opset = (domain: string, version: number): Field => [
      8,
      [
        [1, domain],
        [2, version],
      ],
    ];
    return encode([[1, IR_VERSION], [7, graph], opset('', OPSET), opset('com.microsoft', 1)]);
  }

  #initializer(name: string, type: ElementType, dims: readonly number[], bytes: Uint8Array): string {
    this.#initializers.push([5, [...dims.map((dim): Field => [1, dim]), [2, TYPES[type]], [8, name], [9, bytes]]]);
    return name;
  }

  #fresh(): string {
    return `t${this.#names++}`;
  }
}

const STANDARD: ReadonlySet<string> = new Set(['Gather', 'Mul', 'Sigmoid', 'SimplifiedLayerNormalization']);

type Attribute = readonly [name: string, value: number | { readonly float: number }];

function attributeOf([name, value]: Attribute): Message {
  const isFloat = typeof value === 'object';
  return [[1, name], isFloat ? [2, value] : [3, value], [20, isFloat ? 1 : 2]];
}

function valueInfo(name: string, type: ElementType, dims: readonly (number | string)[]): Message {
  const shape = dims.map((dim): Field => [1, [typeof dim === 'number' ? [1, dim] : [2, dim]]]);
  return [
    [1, name],
    [
      2,
      [
        [
          1,
          [
            [1, TYPES[type]],
            [2, shape],
          ],
        ],
      ],
    ],
  ];
}

/** Of a normal number that a half can hold; smaller ones become zero. */
function toHalf(value: number): number {
  const bits = new Uint32Array(new Float32Array([value]).buffer)[0] ?? 0;
  const exponent = ((bits >>> 23) & 255) - 112;
  return ((bits >>> 16) & 0x8000) | (exponent <= 0 ? 0 : (exponent << 10) | ((bits >>> 13) & 1023));
}
