/**
 * How families cut text into words before BPE: `tokenizer.ggml.pre` names expressions, run one after the other, each on
 * the pieces of the one before. What an expression does not match is a piece as well. Names, expressions and flags are
 * those of llama.cpp (`llama-vocab.cpp`), which in places differ from the model's own `tokenizer.json`.
 */
export interface PreTokenizer {
  readonly stages: readonly RegExp[];
  /** A word that is a token as it stands is not merged from its bytes. */
  readonly wholeWords: boolean;
  /** Text is prefixed with the beginning token unless the file says otherwise. */
  readonly addBos: boolean;
  /** Words go to BPE as UTF-8 with U+2581 for spaces, not in the byte alphabet. */
  readonly rawText: boolean;
}

const ENGLISH = "'s|'t|'re|'ve|'m|'ll|'d";
const ENGLISH_ANY_CASE = "(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])";
const GPT2 = `${ENGLISH}| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+`;
const LINES_AND_SPACES = '\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+';
const CJK = '[一-龥぀-ゟ゠-ヿ]+';
const NOT_SMALL = '(?:(?=\\p{L})[^a-z])';
const NOT_CAPITAL = '(?:(?=\\p{L})[^A-Z])';
const ASCII_PUNCTUATION_WORD = '[!"#$%&\'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+';
/** The range takes in wide blanks, which llama.cpp keeps apart. */
const DEEPSEEK_EAST = '(?:(?!\\s)[一-龥ࠀ-一가-퟿])+';
/** The letters that DeepSeek's first vocabulary lists one by one. */
const DEEPSEEK_LETTERS =
  'A-Za-zµÀ-ÖØ-öø-ƺƼ-ƿǄ-ʓʕ-ʯͰ-ͳͶͷͻ-ͽͿΆΈ-ΊΌΎ-ΡΣ-ϵϷ-ҁҊ-ԯԱ-ՖႠ-ჅᎠ-Ᏽᏸ-ᏽᲐ-ᲺᲽ-Ჿᴀ-ᴫᵫ-ᵷᵹ-ᶚḀ-ἕἘ-Ἕἠ-ὅὈ-Ὅὐ-ὗὙὛὝὟ-ώᾀ-ᾴᾶ-ᾼιῂ-ῄῆ-ῌῐ-ΐῖ-Ίῠ-Ῥῲ-ῴῶ-ῼℂℇℊ-ℓℕℙ-ℝℤΩℨK-ℭℯ-ℴℹℼ-ℿⅅ-ⅉⅎↃↄⰀ-ⱻⱾ-ⳤⳫ-ⳮⳲⳳꙀ-ꙭꚀ-ꚛꜢ-ꝯꝱ-ꞇꞋ-ꞎꭰ-ꮿﬀ-ﬆﬓ-ﬗＡ-Ｚａ-ｚ𐐀-𐑏𐒰-𐓓𐓘-𐓻𐲀-𐲲𐳀-𐳲𑢠-𑣟𞤀-𞥃';

function llama3Like(digits: string, contractions = `${ENGLISH_ANY_CASE}|`): string {
  return `${contractions}[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|${digits}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|${LINES_AND_SPACES}`;
}

function casedWords(suffix: string, digits: string): string {
  const head = '[^\\r\\n\\p{L}\\p{N}]?';
  return `${head}${NOT_SMALL}*${NOT_CAPITAL}+${suffix}|${head}${NOT_SMALL}+${NOT_CAPITAL}*${suffix}|${digits}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|${LINES_AND_SPACES}`;
}

interface Family {
  readonly names: readonly string[];
  readonly stages: readonly string[];
  readonly wholeWords?: true;
  readonly addBos?: true;
  readonly rawText?: true;
}

const LLAMA3_STAGES = [llama3Like('\\p{N}{1,3}')];

const FAMILIES: readonly Family[] = [
  {
    names: ['default'],
    stages: ['[\\p{P}\\$\\+<=>\\^~\\|]+', GPT2, '\\p{N}+', '[0-9][0-9][0-9]'],
  },
  {
    names: ['llama-bpe', 'llama3', 'llama-v3', 'falcon3', 'falcon-h1', 'pixtral', 'midm-2.0', 'lfm2'],
    stages: LLAMA3_STAGES,
    wholeWords: true,
    addBos: true,
  },
  { names: ['dbrx', 'smaug-bpe', 'glm4', 'chatglm-bpe'], stages: LLAMA3_STAGES },
  {
    names: ['qwen2', 'deepseek-r1-qwen', 'kormo', 'f2llmv2', 'megrez', 'stablelm2', 'hunyuan', 'solar-open', 'grok-2'],
    stages: [llama3Like('\\p{N}')],
  },
  {
    names: ['qwen35'],
    stages: [
      `${ENGLISH_ANY_CASE}|[^\\r\\n\\p{L}\\p{N}]?[\\p{L}\\p{M}]+|\\p{N}| ?[^\\s\\p{L}\\p{M}\\p{N}]+[\\r\\n]*|${LINES_AND_SPACES}`,
    ],
  },
  {
    names: [
      'gpt-2',
      'phi-2',
      'gigachat',
      'a.x-4.0',
      'mellum',
      'mpt',
      'olmo',
      'jais',
      'trillion',
      'granite-docling',
      'exaone4',
    ],
    stages: [GPT2],
  },
  {
    names: ['smollm', 'starcoder', 'refact', 'command-r', 'codeshell', 'exaone', 'minerva-7b', 'mellum2'],
    stages: ['\\p{N}', GPT2],
  },
  { names: ['tekken'], stages: [casedWords('', '\\p{N}')], wholeWords: true, addBos: true },
  {
    names: ['gpt-4o', 'llama4', 'kanana2', 'talkie', 'minimax-m2'],
    stages: [casedWords(`${ENGLISH_ANY_CASE}?`, '\\p{N}{1,3}')],
  },
  { names: ['falcon'], stages: ['[\\p{P}\\$\\+<=>\\^~\\|`]+', GPT2, '[0-9][0-9][0-9]'] },
  {
    names: ['deepseek-llm'],
    stages: [
      '[\\r\\n]',
      `\\s?[${DEEPSEEK_LETTERS}]+`,
      '\\s?(?:(?!\\s)[!-\\/:-~！-／：-～‘-‟　-。])+',
      '\\s+$',
      DEEPSEEK_EAST,
      '\\p{N}+',
    ],
  },
  {
    names: ['deepseek-coder'],
    stages: ['[\\r\\n]', '\\s?\\p{L}+', '\\s?\\p{P}+', DEEPSEEK_EAST, '\\p{N}'],
  },
  {
    names: ['deepseek-v3', 'hunyuan-dense', 'joyai-llm', 'hy_v4'],
    stages: [
      '\\p{N}{1,3}',
      CJK,
      `${ASCII_PUNCTUATION_WORD}|[^\\r\\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+[\\r\\n]*|${LINES_AND_SPACES}`,
    ],
  },
  { names: ['poro-chat', 'bloom', 'gpt3-finnish'], stages: [' ?[^(\\s|.,!?…。，、।۔،)]+'] },
  { names: ['viking'], stages: [' ?[^(\\s|.,!?…。，、।۔،)]+', '\\p{N}'] },
  {
    names: ['bailingmoe', 'bailingmoe2', 'llada-moe'],
    stages: [
      "'(?:[sSdDmMtT]|[lL][lL]|[vV][eE]|[rR][eE])|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]|\\s+(?!\\S)|\\s+",
    ],
  },
  {
    names: ['seed-coder'],
    stages: [
      `${ENGLISH_ANY_CASE}|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}\\r\\n]+|${LINES_AND_SPACES}`,
    ],
  },
  {
    names: ['exaone-moe'],
    stages: [
      `${ENGLISH_ANY_CASE}|[^\\r\\n\\p{L}\\p{N}]?(?:\\p{L}\\p{M}*(?: \\p{L}\\p{M}*)*)+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n\\/]?|\\s*[\\r\\n]|\\s+(?!\\S)|\\s+`,
    ],
  },
  { names: ['minicpm5'], stages: ['\\p{N}{1,3}', llama3Like('\\p{N}+')], wholeWords: true },
  { names: ['ufakzeka'], stages: [llama3Like('\\p{N}', '')] },
  { names: ['laguna'], stages: ['[^\\n]+|\\n+', llama3Like('\\p{N}')] },
  { names: ['gemma4'], stages: ['[^\\n]+|\\n+'], rawText: true, addBos: true },
];

/** Every name of `tokenizer.ggml.pre` that is read. */
export const PRE_TOKENIZER_NAMES: readonly string[] = FAMILIES.flatMap((family) => family.names);

/** The pre-tokenizer that `tokenizer.ggml.pre` names, or undefined. */
export function preTokenizer(name: string): PreTokenizer | undefined {
  const family = FAMILIES.find((candidate) => candidate.names.includes(name));
  if (!family) return undefined;
  return {
    stages: family.stages.map(expression),
    wholeWords: family.wholeWords ?? false,
    addBos: family.addBos ?? false,
    rawText: family.rawText ?? false,
  };
}

/** Cuts `text` into words; their concatenation is `text`. */
export function splitWords(text: string, stages: readonly RegExp[]): readonly string[] {
  let pieces: string[] = [text];
  for (const stage of stages) {
    const next: string[] = [];
    for (const piece of pieces) {
      let end = 0;
      for (const match of piece.matchAll(stage)) {
        if (match.index > end) next.push(piece.slice(end, match.index));
        next.push(match[0]);
        end = match.index + match[0].length;
      }
      if (end < piece.length) next.push(piece.slice(end));
    }
    pieces = next;
  }
  return pieces;
}

/** JavaScript's `\s` has U+FEFF and lacks U+0085; the vocabularies mean Unicode's White_Space. */
function expression(source: string): RegExp {
  return new RegExp(source.replaceAll('\\s', '\\p{White_Space}').replaceAll('\\S', '\\P{White_Space}'), 'gu');
}
