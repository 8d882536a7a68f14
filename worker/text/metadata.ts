import { ModelError } from '../errors.ts';
import type { GgufArray, Metadata, StringTable } from '../weights/types.ts';

/** Typed views of the `tokenizer.*` keys; each throws ModelError where a key holds something else than it must. */

export function readString(metadata: Metadata, key: string): string | undefined {
  const value = metadata.get(key);
  if (value === undefined) return undefined;
  if (typeof value !== 'string') throw wrongType(key, 'text');
  return value;
}

export function readBoolean(metadata: Metadata, key: string): boolean | undefined {
  const value = metadata.get(key);
  if (value === undefined) return undefined;
  if (typeof value !== 'boolean') throw wrongType(key, 'true or false');
  return value;
}

/** A token id, or undefined when it is missing or lies outside the vocabulary (llama.cpp ignores such ids too). */
export function readTokenId(metadata: Metadata, key: string, size: number): number | undefined {
  const value = metadata.get(key);
  if (value === undefined) return undefined;
  if (typeof value !== 'number' && typeof value !== 'bigint') throw wrongType(key, 'a token id');
  const id = Number(value);
  return Number.isInteger(id) && id >= 0 && id < size ? id : undefined;
}

export function readStrings(metadata: Metadata, key: string): StringTable | undefined {
  const value = metadata.get(key);
  if (value === undefined) return undefined;
  if (typeof value !== 'object' || !isStringTable(value)) throw wrongType(key, 'a list of texts');
  return value;
}

/** Numbers of at least `length` entries. */
export function readNumbers(metadata: Metadata, key: string, length: number): ArrayLike<number> | undefined {
  const value = metadata.get(key);
  if (value === undefined) return undefined;
  if (
    typeof value !== 'object' ||
    isStringTable(value) ||
    value instanceof BigInt64Array ||
    value instanceof BigUint64Array
  ) {
    throw wrongType(key, 'a list of numbers');
  }
  if (value.length < length) {
    throw new ModelError(
      `This model's vocabulary is damaged: ${key} has ${value.length} entries for ${length} tokens. Choose another file of this model.`,
    );
  }
  return value;
}

function isStringTable(value: GgufArray): value is StringTable {
  return 'bytes' in value && typeof value.bytes === 'function';
}

function wrongType(key: string, wanted: string): ModelError {
  return new ModelError(`This model's vocabulary is damaged: ${key} should be ${wanted}. Choose another file of it.`);
}
