import type { Metadata } from '../weights/types.ts';
import { byteTokenText, orUnknown, type TextEncoding } from './encoding.ts';
import { MAX_RANK, type MergeRules, Merger } from './merge.ts';
import { readNumbers } from './metadata.ts';
import type { Vocabulary } from './vocabulary.ts';

const encoder = new TextEncoder();

/**
 * SentencePiece BPE: characters join to the neighbours with which they make a token, the best score first. What stays
 * a character without token becomes byte tokens. Spaces are U+2581.
 */
export function createSentencePiece(
  metadata: Metadata,
  vocabulary: Vocabulary,
  unknown: number | undefined,
): TextEncoding {
  const ranks = ranksByScore(readNumbers(metadata, 'tokenizer.ggml.scores', vocabulary.size), vocabulary.size);
  const tokenOfByte = new Int32Array(256);
  for (let byte = 0; byte < 256; byte++) {
    tokenOfByte[byte] = vocabulary.token(byteTokenText(byte)) ?? vocabulary.find(Uint8Array.of(byte));
  }
  return {
    encode(text, output) {
      const bytes = encoder.encode(text.replaceAll(' ', '\u2581'));
      const rules: MergeRules = {
        join(_left, _right, start, end, pair) {
          const token = vocabulary.find(bytes, start, end);
          if (token < 0) return false;
          pair.symbol = token;
          pair.rank = ranks[token] as number;
          return true;
        },
      };
      const merger = new Merger();
      for (let start = 0; start < bytes.length; ) {
        const end = Math.min(bytes.length, start + characterBytes(bytes[start] as number));
        merger.push(vocabulary.find(bytes, start, end), end);
        start = end;
      }
      merger.run(rules);
      let start = 0;
      for (let i = 0; i < merger.count; i++) {
        const token = merger.symbols[i] as number;
        const end = merger.ends[i] as number;
        if (token >= 0) output.push(token);
        else for (const byte of bytes.subarray(start, end)) output.push(byteToken(byte));
        start = end;
      }
    },
  };

  function byteToken(byte: number): number {
    const token = tokenOfByte[byte] as number;
    return token >= 0 ? token : orUnknown(byte, unknown);
  }
}

function characterBytes(lead: number): number {
  if (lead < 0xc0) return 1;
  if (lead < 0xe0) return 2;
  return lead < 0xf0 ? 3 : 4;
}

/** 0 for the highest score; equal scores share a rank. Without scores all are equal. */
function ranksByScore(scores: ArrayLike<number> | undefined, size: number): Uint32Array {
  const ranks = new Uint32Array(size);
  if (!scores) return ranks;
  const sorted = Float32Array.from({ length: size }, (_, id) => scores[id] as number).sort();
  const distinct = sorted.filter((score, i) => i === 0 || score !== sorted[i - 1]);
  for (let id = 0; id < size; id++) {
    ranks[id] = Math.min(distinct.length - 1 - lastAtMost(distinct, scores[id] as number), MAX_RANK - 1);
  }
  return ranks;
}

/** Index of the last entry that is not above `value`; NaN sorts to the end and reads as the highest. */
function lastAtMost(sorted: Float32Array, value: number): number {
  let low = 0;
  let high = sorted.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if ((sorted[middle] as number) > value) high = middle - 1;
    else low = middle;
  }
  return low;
}
