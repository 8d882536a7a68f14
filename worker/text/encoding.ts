import { ModelError } from '../errors.ts';

/** One way to turn text without special tokens into tokens. */
export interface TextEncoding {
  /** Appends the tokens of `text` to `output`; ModelError where the vocabulary has none for a character. */
  encode(text: string, output: number[]): void;
}

/** Text of the token that stands for one byte, in vocabularies made of characters. */
export function byteTokenText(byte: number): string {
  return `<0x${hex(byte)}>`;
}

/** The token for the unknown, in place of a byte that has none. */
export function orUnknown(byte: number, unknown: number | undefined): number {
  if (unknown !== undefined) return unknown;
  throw new ModelError(
    `This model's vocabulary has no token for the byte 0x${hex(byte)}, and none for the unknown. Leave the character out, or choose another file of this model.`,
  );
}

function hex(byte: number): string {
  return byte.toString(16).toUpperCase().padStart(2, '0');
}
