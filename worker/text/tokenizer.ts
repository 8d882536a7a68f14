import { ModelError, PersonError } from '../errors.ts';
import type { Metadata } from '../weights/types.ts';
import { createBpe } from './bpe.ts';
import { fromByteAlphabet } from './byte-alphabet.ts';
import type { TextEncoding } from './encoding.ts';
import { readBoolean, readString } from './metadata.ts';
import { PRE_TOKENIZER_NAMES, type PreTokenizer, preTokenizer } from './pretokenizers.ts';
import { createSentencePiece } from './sentencepiece.ts';
import { findSpecialTokens, SpecialSplitter, type SpecialTokens } from './special-tokens.ts';
import type { Tokenizer } from './types.ts';
import { TokenType, Vocabulary } from './vocabulary.ts';

/** A vocabulary's kind: how text becomes tokens, and tokens bytes. */
interface Kind {
  readonly specials: SpecialTokens;
  readonly encoding: TextEncoding;
  readonly addBos: boolean;
  /** Whatever the file says, since files of this kind say it wrongly. */
  readonly alwaysBos: boolean;
  /** A space goes before text at the start and behind special tokens. */
  readonly spacePrefix: boolean;
  /** Bytes of a token of type `normal`, from its text. */
  readonly plain: (text: Uint8Array) => Uint8Array;
  readonly warning?: string;
}

/** Characters in one text: several times the longest context; engines' regular expressions overflow at about five. */
const MAX_TEXT = 2 * 1024 * 1024;
const LONE_SURROGATES = /\p{Surrogate}/gu;

/**
 * The tokenizer of a GGUF file: byte-level BPE (`gpt2`), its variant over characters (`gemma4`) or SentencePiece BPE
 * (`llama`), read as llama.cpp reads it.
 * @throws ModelError for other kinds, unknown pre-tokenizers, and vocabularies that lack what they need
 */
export function createTokenizer(metadata: Metadata): Tokenizer {
  const model = readString(metadata, 'tokenizer.ggml.model');
  if (model === undefined) {
    throw new ModelError('This file has no vocabulary (tokenizer.ggml.model). Choose a complete model file.');
  }
  const vocabulary = new Vocabulary(metadata);
  const kind = createKind(model, metadata, vocabulary);
  const splitter = new SpecialSplitter(metadata, vocabulary);
  const { bos, eos, end } = kind.specials;
  const addBos = kind.alwaysBos || (readBoolean(metadata, 'tokenizer.ggml.add_bos_token') ?? kind.addBos);
  const addEos = readBoolean(metadata, 'tokenizer.ggml.add_eos_token') ?? false;
  if ((addBos && bos === undefined) || (addEos && eos === undefined)) {
    throw new ModelError(
      `This model's vocabulary asks for ${addBos && bos === undefined ? 'a beginning' : 'an end'} token and does not say which. Choose another file of this model.`,
    );
  }

  const tokenBytes = (token: number, special = false): Uint8Array => {
    if (!(token >= 0 && token < vocabulary.size)) return EMPTY;
    const text = vocabulary.text(token);
    switch (vocabulary.types[token]) {
      case TokenType.normal:
        return kind.plain(text);
      case TokenType.userDefined:
        return text.slice();
      case TokenType.control:
      case TokenType.unknown:
        return special ? text.slice() : EMPTY;
      case TokenType.byte:
        return byteOf(text);
      default:
        return EMPTY;
    }
  };

  return {
    size: vocabulary.size,
    bosToken: bos,
    eosToken: eos,
    endTokens: end,
    addsBos: addBos,
    ...(kind.warning === undefined ? {} : { warning: kind.warning }),
    encode(text, { addSpecial, parseSpecial }) {
      if (text.length > MAX_TEXT) {
        throw new PersonError(`This text has ${text.length} characters; up to ${MAX_TEXT} fit. Shorten it.`);
      }
      const output: number[] = [];
      if (addSpecial && addBos) output.push(bos as number);
      let afterSpecial = true;
      for (const fragment of splitter.split(text.replace(LONE_SURROGATES, '\ufffd'), parseSpecial)) {
        if ('token' in fragment) {
          output.push(fragment.token);
          afterSpecial = true;
        } else {
          kind.encoding.encode(kind.spacePrefix && afterSpecial ? ` ${fragment.text}` : fragment.text, output);
          afterSpecial = false;
        }
      }
      if (addSpecial && addEos) output.push(eos as number);
      return Uint32Array.from(output);
    },
    tokenBytes,
    decode(tokens, special) {
      const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
      let text = '';
      for (let i = 0; i < tokens.length; i++) {
        text += decoder.decode(tokenBytes(tokens[i] as number, special), { stream: true });
      }
      text += decoder.decode();
      const first = tokens[0] === bos && !special ? tokens[1] : tokens[0];
      const prefixed = kind.spacePrefix && first !== undefined && tokenBytes(first)[0] === 0x20;
      return prefixed ? text.slice(1) : text;
    },
  };
}

const EMPTY = new Uint8Array(0);

function createKind(model: string, metadata: Metadata, vocabulary: Vocabulary): Kind {
  switch (model) {
    case 'llama': {
      const specials = findSpecialTokens(metadata, vocabulary, { bos: 1, eos: 2, unknown: 0 });
      return {
        specials,
        encoding: createSentencePiece(metadata, vocabulary, specials.unknown),
        addBos: true,
        alwaysBos: false,
        spacePrefix: readBoolean(metadata, 'tokenizer.ggml.add_space_prefix') ?? true,
        plain: withSpaces,
      };
    }
    case 'gpt2':
    case 'gemma4': {
      const specials = findSpecialTokens(metadata, vocabulary, {});
      const name = model === 'gemma4' ? 'gemma4' : readString(metadata, 'tokenizer.ggml.pre') || undefined;
      const pre = preTokenizerNamed(name ?? 'default');
      return {
        specials,
        encoding: createBpe(metadata, vocabulary, pre, specials.unknown),
        addBos: pre.addBos,
        alwaysBos: pre.rawText,
        spacePrefix: false,
        plain: pre.rawText ? withSpaces : fromByteAlphabet,
        ...(name === undefined ? { warning: NO_PRE_TOKENIZER } : {}),
      };
    }
    default:
      throw new ModelError(
        `This model's vocabulary is of the kind '${model}', which Shoal cannot read. It reads gpt2 (byte-level BPE), llama (SentencePiece BPE) and gemma4. Choose another model.`,
      );
  }
}

const NO_PRE_TOKENIZER =
  'This file does not say how its vocabulary cuts text into words (tokenizer.ggml.pre), so the default is used: answers may be worse than the model can give. A newer file of this model will say it.';

function preTokenizerNamed(name: string): PreTokenizer {
  const found = preTokenizer(name);
  if (found) return found;
  throw new ModelError(
    `This model's vocabulary cuts text in the way '${name}' (tokenizer.ggml.pre), which Shoal does not know. It knows ${PRE_TOKENIZER_NAMES.join(', ')}. Choose another model.`,
  );
}

/** U+2581 stands for a space. */
function withSpaces(text: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(text.length);
  let length = 0;
  for (let i = 0; i < text.length; i++) {
    if (text[i] === 0xe2 && text[i + 1] === 0x96 && text[i + 2] === 0x81) {
      bytes[length++] = 0x20;
      i += 2;
    } else {
      bytes[length++] = text[i] as number;
    }
  }
  return bytes.subarray(0, length);
}

/** The byte that a text like `<0x0A>` names. */
function byteOf(text: Uint8Array): Uint8Array {
  const byte = Number.parseInt(String.fromCharCode(...text.subarray(3, 5)), 16);
  return Number.isNaN(byte) ? EMPTY : Uint8Array.of(byte);
}
