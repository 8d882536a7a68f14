// @ts-check
/** A synthetic model of about 1 GiB: a real GGUF header with a real vocabulary, and weights made as they are asked for. */

const TOKENS = 150_000;
const HIDDEN = 2048;
const KV = 512;
const MLP = 8192;
const LAYERS = 12;
const ALIGNMENT = 32;
const Q8_0 = { id: 8, weights: 32, bytes: 34 };
const F32 = { id: 0, weights: 1, bytes: 4 };
/** The weights repeat after so many bytes, but for a stamp that makes each stretch its own. */
const PATTERN_BYTES = 4 * 1024 * 1024;

/** @typedef {{ name: string, shape: number[], type: typeof F32, bytes: number }} Tensor */

/** @returns {{ size: number, layers: number, tokens: number, read(start: number, end: number): Uint8Array }} */
export function syntheticModel() {
  const tensors = tensorsOf();
  const header = headerOf(tensors);
  const size = header.length + tensors.reduce((sum, { bytes }) => sum + align(bytes), 0);
  const pattern = randomBytes(PATTERN_BYTES);
  return {
    size,
    layers: LAYERS,
    tokens: TOKENS,
    read(start, end) {
      const bytes = new Uint8Array(end - start);
      for (let at = start; at < end; ) {
        const from = at % PATTERN_BYTES;
        const length = Math.min(end - at, PATTERN_BYTES - from);
        bytes.set(pattern.subarray(from, from + length), at - start);
        // one byte of each stretch tells which it is, so that no two shards are alike
        const stretch = Math.floor(at / PATTERN_BYTES);
        if (from <= 99 && 99 < from + length) bytes[at - start + 99 - from] = stretch & 255;
        at += length;
      }
      if (start < header.length) bytes.set(header.subarray(start, Math.min(end, header.length)));
      return bytes;
    },
  };
}

/** @returns {Tensor[]} */
function tensorsOf() {
  /** @param {string} name @param {number[]} shape @param {typeof F32} type */
  const tensor = (name, shape, type) => {
    const weights = shape.reduce((product, length) => product * length, 1);
    return { name, shape, type, bytes: (weights / type.weights) * type.bytes };
  };
  const tensors = [tensor('token_embd.weight', [HIDDEN, TOKENS], Q8_0), tensor('output_norm.weight', [HIDDEN], F32)];
  for (let layer = 0; layer < LAYERS; layer++) {
    const name = (/** @type {string} */ part) => `blk.${layer}.${part}.weight`;
    tensors.push(
      tensor(name('attn_norm'), [HIDDEN], F32),
      tensor(name('attn_q'), [HIDDEN, HIDDEN], Q8_0),
      tensor(name('attn_k'), [HIDDEN, KV], Q8_0),
      tensor(name('attn_v'), [HIDDEN, KV], Q8_0),
      tensor(name('attn_output'), [HIDDEN, HIDDEN], Q8_0),
      tensor(name('ffn_norm'), [HIDDEN], F32),
      tensor(name('ffn_gate'), [HIDDEN, MLP], Q8_0),
      tensor(name('ffn_up'), [HIDDEN, MLP], Q8_0),
      tensor(name('ffn_down'), [MLP, HIDDEN], Q8_0),
    );
  }
  return tensors;
}

/** @param {Tensor[]} tensors */
function headerOf(tensors) {
  const out = new Writer();
  const { tokens, merges } = vocabulary();
  out.raw(Buffer.from('GGUF')).u32(3).u64(tensors.length).u64(16);
  out.string('general.architecture').u32(8).string('llama');
  out.string('general.name').u32(8).string('Synthetic');
  out.string('llama.block_count').u32(4).u32(LAYERS);
  out.string('llama.embedding_length').u32(4).u32(HIDDEN);
  out.string('llama.attention.head_count').u32(4).u32(32);
  out.string('llama.attention.head_count_kv').u32(4).u32(8);
  out.string('llama.feed_forward_length').u32(4).u32(MLP);
  out.string('llama.context_length').u32(4).u32(4096);
  out.string('llama.attention.layer_norm_rms_epsilon').u32(6).f32(1e-5);
  out.string('tokenizer.ggml.model').u32(8).string('gpt2');
  out.string('tokenizer.ggml.pre').u32(8).string('qwen2');
  out.string('tokenizer.ggml.tokens').u32(9).u32(8).u64(tokens.length).strings(tokens);
  out.string('tokenizer.ggml.token_type').u32(9).u32(5).u64(tokens.length);
  for (const token of tokens) out.u32(token.startsWith('<|') ? 3 : 1);
  out.string('tokenizer.ggml.merges').u32(9).u32(8).u64(merges.length).strings(merges);
  out
    .string('tokenizer.ggml.eos_token_id')
    .u32(4)
    .u32(TOKENS - 1);
  out
    .string('tokenizer.ggml.bos_token_id')
    .u32(4)
    .u32(TOKENS - 2);
  let offset = 0;
  for (const { name, shape, type, bytes } of tensors) {
    out.string(name).u32(shape.length);
    for (const length of shape) out.u64(length);
    out.u32(type.id).u64(offset);
    offset += align(bytes);
  }
  return out.padded(ALIGNMENT);
}

/** Byte-level BPE as a trained one looks: the byte alphabet, then merges of what is there already, then control tokens. */
function vocabulary() {
  const tokens = byteAlphabet();
  const seen = new Set(tokens);
  /** @type {string[]} */
  const merges = [];
  const random = generator(5);
  while (tokens.length < TOKENS - 2) {
    const left = /** @type {string} */ (tokens[Math.floor(tokens.length * random() ** 2)]);
    const right = /** @type {string} */ (tokens[Math.floor(tokens.length * random() ** 2)]);
    const token = left + right;
    if (token.length > 16 || seen.has(token)) continue;
    seen.add(token);
    tokens.push(token);
    merges.push(`${left} ${right}`);
  }
  tokens.push('<|begin|>', '<|end|>');
  return { tokens, merges };
}

/** GPT-2's: printable bytes stand for themselves, the others for characters from U+0100 on. */
function byteAlphabet() {
  let next = 256;
  return Array.from({ length: 256 }, (_, byte) => {
    const printable = (byte > 32 && byte < 127) || (byte > 160 && byte !== 173);
    return String.fromCharCode(printable ? byte : next++);
  });
}

/** @param {number} seed */
function generator(seed) {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

/** @param {number} length */
function randomBytes(length) {
  const random = generator(9);
  return Uint8Array.from({ length }, () => random() * 256);
}

/** @param {number} bytes */
function align(bytes) {
  return Math.ceil(bytes / ALIGNMENT) * ALIGNMENT;
}

class Writer {
  /** @type {Buffer[]} */
  #parts = [];
  /** @param {Buffer} bytes */
  raw(bytes) {
    this.#parts.push(bytes);
    return this;
  }
  /** @param {number} value */
  u32(value) {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32LE(value);
    return this.raw(bytes);
  }
  /** @param {number} value */
  u64(value) {
    const bytes = Buffer.alloc(8);
    bytes.writeBigUInt64LE(BigInt(value));
    return this.raw(bytes);
  }
  /** @param {number} value */
  f32(value) {
    const bytes = Buffer.alloc(4);
    bytes.writeFloatLE(value);
    return this.raw(bytes);
  }
  /** @param {string} value */
  string(value) {
    const bytes = Buffer.from(value);
    return this.u64(bytes.length).raw(bytes);
  }
  /** @param {string[]} values */
  strings(values) {
    for (const value of values) this.string(value);
    return this;
  }
  /** @param {number} alignment */
  padded(alignment) {
    const bytes = Buffer.concat(this.#parts);
    return Buffer.concat([bytes, Buffer.alloc((alignment - (bytes.length % alignment)) % alignment)]);
  }
}
