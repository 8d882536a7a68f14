import type { Metadata } from '../weights/types.ts';
import { readString, readTokenId } from './metadata.ts';
import { TokenType, type Vocabulary } from './vocabulary.ts';

/** Texts that end a turn wherever a vocabulary has them: the list of llama.cpp, since files do not say it. */
const END_TEXTS = [
  '<|eot_id|>',
  '<|im_end|>',
  '<|end|>',
  '<|return|>',
  '<|call|>',
  '<|flush|>',
  '<|calls|>',
  '<end_of_turn>',
  '<|endoftext|>',
  '</s>',
  '<|eom_id|>',
  '<EOT>',
  '_<EOT>',
  '[EOT]',
  '[EOS]',
  '<|end_of_text|>',
  '<end_of_utterance>',
  '<eos>',
  '<turn|>',
  '<|tool_response>',
  '<｜end▁of▁sentence｜>',
  '[e~[',
];

/** Texts of tokens after which a model that fills gaps in code has nothing more to say. */
const FILL_END_TEXTS = [
  '<|fim_pad|>',
  '<fim-pad>',
  '<fim_pad>',
  '<PAD>',
  '[PAD]',
  '<|fim_repo|>',
  '<|repo_name|>',
  '<fim-repo>',
  '<REPO>',
  '<reponame>',
  '<|file_sep|>',
];

/** Texts that are shown although the file calls them control tokens. */
const SHOWN_TEXTS = ['<|channel|>', '<|message|>', '<|start|>', '<|constrain|>'];

const END_KEYS = ['eos', 'eot', 'eom', 'fim_pad', 'fim_rep', 'fim_sep'];

export interface SpecialTokens {
  readonly bos: number | undefined;
  readonly eos: number | undefined;
  readonly unknown: number | undefined;
  readonly end: ReadonlySet<number>;
}

/** Finds the tokens with a task of their own, and corrects their types in `vocabulary.types`, as llama.cpp does. */
export function findSpecialTokens(
  metadata: Metadata,
  vocabulary: Vocabulary,
  defaults: { readonly bos?: number; readonly eos?: number; readonly unknown?: number },
): SpecialTokens {
  const read = (name: string, fallback?: number) => {
    const inRange = fallback !== undefined && fallback < vocabulary.size ? fallback : undefined;
    return readTokenId(metadata, `tokenizer.ggml.${name}_token_id`, vocabulary.size) ?? inRange;
  };
  const eos = read('eos', defaults.eos);
  const end = new Set<number>();
  for (const key of END_KEYS) {
    const id = key === 'eos' ? eos : read(key);
    if (id !== undefined) end.add(id);
  }
  for (const text of [...END_TEXTS, ...FILL_END_TEXTS]) {
    const id = vocabulary.token(text);
    if (id === undefined) continue;
    end.add(id);
    vocabulary.types[id] = TokenType.control;
  }
  for (const text of SHOWN_TEXTS) {
    const id = vocabulary.token(text);
    if (id !== undefined) vocabulary.types[id] = TokenType.userDefined;
  }
  keepGoingPastInnerEnds(vocabulary, end);
  return { bos: read('bos', defaults.bos), eos, unknown: read('unknown', defaults.unknown), end };
}

/** Formats of several channels use one model's end token inside an answer. */
function keepGoingPastInnerEnds(vocabulary: Vocabulary, end: Set<number>): void {
  const ends = (text: string) => {
    const id = vocabulary.token(text);
    return id !== undefined && end.has(id);
  };
  const channels = ends('<|return|>') && (ends('<|call|>') || ends('<|calls|>'));
  const flushes = ends('<|flush|>') && (ends('<|call|>') || ends('<|calls|>'));
  const inner = vocabulary.token('<|end|>');
  if (inner !== undefined && (channels || flushes)) {
    end.delete(inner);
    vocabulary.types[inner] = TokenType.userDefined;
  }
  const strike = vocabulary.token('</s>');
  if (strike !== undefined && ends('<|tool_response>')) {
    end.delete(strike);
    vocabulary.types[strike] = TokenType.normal;
  }
}

/** A piece of a text: a special token that stood in it, or text between. */
export type Fragment = { readonly token: number } | { readonly text: string };

interface Special {
  readonly id: number;
  readonly text: string;
  readonly bytes: number;
  /** Written out by a template, never by a person's own words: recognised only when asked. */
  readonly guarded: boolean;
  /** Blanks behind it belong to it. */
  readonly stripsRight: boolean;
}

/** Finds special tokens in texts: the longest first over the whole text, then the next, as llama.cpp does. */
export class SpecialSplitter {
  readonly #specials: readonly Special[];

  constructor(metadata: Metadata, vocabulary: Vocabulary) {
    const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
    const name = readString(metadata, 'general.name')?.toLowerCase() ?? '';
    const phi3 = name.includes('phi-3') || name.includes('phi3');
    const specials: Special[] = [];
    for (let id = 0; id < vocabulary.size; id++) {
      const type = vocabulary.types[id];
      const guarded = type === TokenType.control || type === TokenType.unknown;
      if (!guarded && type !== TokenType.userDefined) continue;
      const bytes = vocabulary.text(id);
      const text = decoder.decode(bytes);
      const stripsRight = phi3 && !['<unk>', '<s>', '<|endoftext|>'].includes(text);
      specials.push({ id, text, bytes: bytes.length, guarded, stripsRight });
    }
    this.#specials = specials.sort((a, b) => b.bytes - a.bytes || a.id - b.id);
  }

  /** @param parseSpecial control tokens too; without it only those that the vocabulary's makers added as words */
  split(text: string, parseSpecial: boolean): readonly Fragment[] {
    let fragments: Fragment[] = text === '' ? [] : [{ text }];
    for (const special of this.#specials) {
      if (special.guarded && !parseSpecial) continue;
      if (!text.includes(special.text)) continue;
      fragments = fragments.flatMap((fragment) => ('text' in fragment ? cut(fragment.text, special) : fragment));
    }
    return fragments;
  }
}

function cut(text: string, special: Special): Fragment[] {
  const fragments: Fragment[] = [];
  let from = 0;
  for (;;) {
    const at = text.indexOf(special.text, from);
    if (at < 0) break;
    if (at > from) fragments.push({ text: text.slice(from, at) });
    fragments.push({ token: special.id });
    from = at + special.text.length;
    if (special.stripsRight) while (from < text.length && ' \t\n\v\f\r'.includes(text.charAt(from))) from++;
  }
  if (from < text.length) fragments.push({ text: text.slice(from) });
  return fragments;
}
