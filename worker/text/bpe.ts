import { ModelError } from '../errors.ts';
import type { Metadata } from '../weights/types.ts';
import { fromByteAlphabet, writeByteCharacter } from './byte-alphabet.ts';
import { byteTokenText, orUnknown, type TextEncoding } from './encoding.ts';
import { Merger } from './merge.ts';
import { MergeTable } from './merge-table.ts';
import { readStrings } from './metadata.ts';
import { type PreTokenizer, splitWords } from './pretokenizers.ts';
import type { Vocabulary } from './vocabulary.ts';

const encoder = new TextEncoder();

/**
 * Byte-pair encoding over bytes in GPT-2's alphabet, or (`rawText`) over characters with byte tokens for the rest.
 * Throws ModelError when merges are missing or letters have no token.
 */
export function createBpe(
  metadata: Metadata,
  vocabulary: Vocabulary,
  pre: PreTokenizer,
  unknown: number | undefined,
): TextEncoding {
  const list = readStrings(metadata, 'tokenizer.ggml.merges');
  if (!list) {
    throw new ModelError("This model's vocabulary has no merges (tokenizer.ggml.merges). Choose another file of it.");
  }
  const merges = new MergeTable(vocabulary, list);
  const symbols = pre.rawText
    ? characterSymbols(vocabulary, merges, unknown)
    : byteSymbols(vocabulary, merges, unknown);
  return {
    encode(text, output) {
      const merger = new Merger();
      const prepared = pre.rawText ? text.replaceAll(' ', '\u2581') : text;
      for (const word of splitWords(prepared, pre.stages)) {
        const whole = pre.wholeWords || (pre.rawText && word.startsWith('\n')) ? symbols.whole(word) : -1;
        if (whole >= 0) {
          output.push(whole);
          continue;
        }
        merger.clear();
        symbols.start(word, merger);
        merger.run(merges);
        for (let i = 0; i < merger.count; i++) {
          const symbol = merger.symbols[i] as number;
          if (symbol >= 0 && symbol < vocabulary.size) output.push(symbol);
          else symbols.spell(symbol, output);
        }
      }
    },
  };
}

/** What merging starts from, and what becomes of symbols that are no tokens. */
interface Symbols {
  /** Token that is the word as it stands, or -1. */
  whole(word: string): number;
  start(word: string, merger: Merger): void;
  spell(symbol: number, output: number[]): void;
}

/** Symbol -1 - byte: a byte that neither tokens nor merges know. */
function byteSymbols(vocabulary: Vocabulary, merges: MergeTable, unknown: number | undefined): Symbols {
  const symbolOfByte = new Int32Array(256);
  const tokenOfByte = new Int32Array(256);
  const character = new Uint8Array(2);
  for (let byte = 0; byte < 256; byte++) {
    const text = character.subarray(0, writeByteCharacter(byte, character, 0));
    const symbol = merges.symbol(text);
    symbolOfByte[byte] = symbol >= 0 ? symbol : -1 - byte;
    tokenOfByte[byte] = vocabulary.find(text);
  }
  requireLetters(tokenOfByte, unknown);
  const spellByte = (byte: number, output: number[]) => {
    const token = tokenOfByte[byte] as number;
    output.push(token >= 0 ? token : orUnknown(byte, unknown));
  };
  let buffer = new Uint8Array(256);
  return {
    whole(word) {
      const bytes = encoder.encode(word);
      if (bytes.length > vocabulary.maxTextBytes) return -1;
      if (bytes.length * 2 > buffer.length) buffer = new Uint8Array(bytes.length * 2);
      let end = 0;
      for (const byte of bytes) end = writeByteCharacter(byte, buffer, end);
      return vocabulary.find(buffer, 0, end);
    },
    start(word, merger) {
      const bytes = encoder.encode(word);
      for (let i = 0; i < bytes.length; i++) merger.push(symbolOfByte[bytes[i] as number] as number, i + 1);
    },
    spell(symbol, output) {
      if (symbol < 0) spellByte(-1 - symbol, output);
      else for (const byte of fromByteAlphabet(merges.strangerText(symbol))) spellByte(byte, output);
    },
  };
}

function requireLetters(tokenOfByte: Int32Array, unknown: number | undefined): void {
  if (unknown !== undefined) return;
  const lacking: string[] = [];
  for (let byte = 0x20; byte < 0x7f; byte++) {
    if ((tokenOfByte[byte] as number) < 0) lacking.push(`'${String.fromCharCode(byte)}'`);
  }
  if ((tokenOfByte[0x0a] as number) < 0) lacking.push('the line end');
  if (lacking.length === 0) return;
  throw new ModelError(
    `This model's vocabulary lacks tokens that it needs: ${lacking.join(' ')}. Choose another file of this model.`,
  );
}

/** Symbol -1 - code point: a character that neither tokens nor merges know. */
function characterSymbols(vocabulary: Vocabulary, merges: MergeTable, unknown: number | undefined): Symbols {
  const spellBytes = (bytes: Uint8Array, output: number[]) => {
    for (const byte of bytes) output.push(vocabulary.token(byteTokenText(byte)) ?? orUnknown(byte, unknown));
  };
  return {
    whole: (word) => vocabulary.find(encoder.encode(word)),
    start(word, merger) {
      let end = 0;
      for (const character of word) {
        const bytes = encoder.encode(character);
        end += bytes.length;
        const symbol = merges.symbol(bytes);
        merger.push(symbol >= 0 ? symbol : -1 - (character.codePointAt(0) as number), end);
      }
    },
    spell(symbol, output) {
      if (symbol >= 0) spellBytes(merges.strangerText(symbol), output);
      else spellBytes(encoder.encode(String.fromCodePoint(-1 - symbol)), output);
    },
  };
}
