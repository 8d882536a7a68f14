import type { FormatName } from './types.ts';

/** How one ggml tensor type lies in a file: blocks of `blockWeights` weights in `blockBytes` bytes. */
export interface GgmlType {
  readonly id: number;
  readonly name: string;
  readonly blockWeights: number;
  readonly blockBytes: number;
  /** The format that computes with this type; absent where Shoal cannot (yet). */
  readonly format?: FormatName;
}

/**
 * Every tensor type that llama.cpp writes or wrote (ggml.h, `enum ggml_type`; sizes as in gguf-py's
 * GGML_QUANT_SIZES), so that a file that cannot be used is refused with the type's name.
 */
const TABLE: readonly GgmlType[] = [
  { id: 0, name: 'F32', blockWeights: 1, blockBytes: 4, format: 'f32' },
  { id: 1, name: 'F16', blockWeights: 1, blockBytes: 2, format: 'f16' },
  { id: 2, name: 'Q4_0', blockWeights: 32, blockBytes: 18, format: 'q4_0' },
  { id: 3, name: 'Q4_1', blockWeights: 32, blockBytes: 20, format: 'q4_1' },
  { id: 6, name: 'Q5_0', blockWeights: 32, blockBytes: 22 },
  { id: 7, name: 'Q5_1', blockWeights: 32, blockBytes: 24 },
  { id: 8, name: 'Q8_0', blockWeights: 32, blockBytes: 34, format: 'q8_0' },
  { id: 9, name: 'Q8_1', blockWeights: 32, blockBytes: 40 },
  { id: 10, name: 'Q2_K', blockWeights: 256, blockBytes: 84 },
  { id: 11, name: 'Q3_K', blockWeights: 256, blockBytes: 110 },
  { id: 12, name: 'Q4_K', blockWeights: 256, blockBytes: 144, format: 'q4_k' },
  { id: 13, name: 'Q5_K', blockWeights: 256, blockBytes: 176 },
  { id: 14, name: 'Q6_K', blockWeights: 256, blockBytes: 210, format: 'q6_k' },
  { id: 15, name: 'Q8_K', blockWeights: 256, blockBytes: 292 },
  { id: 16, name: 'IQ2_XXS', blockWeights: 256, blockBytes: 66 },
  { id: 17, name: 'IQ2_XS', blockWeights: 256, blockBytes: 74 },
  { id: 18, name: 'IQ3_XXS', blockWeights: 256, blockBytes: 98 },
  { id: 19, name: 'IQ1_S', blockWeights: 256, blockBytes: 50 },
  { id: 20, name: 'IQ4_NL', blockWeights: 32, blockBytes: 18 },
  { id: 21, name: 'IQ3_S', blockWeights: 256, blockBytes: 110 },
  { id: 22, name: 'IQ2_S', blockWeights: 256, blockBytes: 82 },
  { id: 23, name: 'IQ4_XS', blockWeights: 256, blockBytes: 136 },
  { id: 24, name: 'I8', blockWeights: 1, blockBytes: 1 },
  { id: 25, name: 'I16', blockWeights: 1, blockBytes: 2 },
  { id: 26, name: 'I32', blockWeights: 1, blockBytes: 4 },
  { id: 27, name: 'I64', blockWeights: 1, blockBytes: 8 },
  { id: 28, name: 'F64', blockWeights: 1, blockBytes: 8 },
  { id: 29, name: 'IQ1_M', blockWeights: 256, blockBytes: 56 },
  { id: 30, name: 'BF16', blockWeights: 1, blockBytes: 2, format: 'bf16' },
  { id: 34, name: 'TQ1_0', blockWeights: 256, blockBytes: 54 },
  { id: 35, name: 'TQ2_0', blockWeights: 256, blockBytes: 66 },
  { id: 39, name: 'MXFP4', blockWeights: 32, blockBytes: 17 },
  { id: 40, name: 'NVFP4', blockWeights: 64, blockBytes: 36 },
  { id: 41, name: 'Q1_0', blockWeights: 128, blockBytes: 18 },
];

const BY_ID = new Map(TABLE.map((type) => [type.id, type]));

/** The type with this id; undefined for ids that llama.cpp removed or does not know. */
export function ggmlType(id: number): GgmlType | undefined {
  return BY_ID.get(id);
}

/** The types that Shoal computes with, for messages: 'F32, F16, BF16, Q8_0, …'. */
export const SUPPORTED_TYPES: string = [0, 1, 30, 8, 2, 3, 12, 14].map((id) => BY_ID.get(id)?.name).join(', ');
