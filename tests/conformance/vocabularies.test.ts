import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { createTokenizer } from '../../worker/text/tokenizer.ts';
import { metadataOf } from './gguf-metadata.ts';
import { ensureLlamaModels } from './llama-sources.ts';

/** Vocabularies of kinds that Shoal refuses by name. */
const OUT_OF_SCOPE: Record<string, string> = {
  'bert-bge': 'WordPiece',
  'nomic-bert-moe': 'Unigram',
};

const SEPARATOR = '\n__ggml_vocab_test__\n';
/** llama.cpp has 694 cases; 46 are of the WordPiece vocabulary. */
const LEAST_VECTORS = 648;

const models = await ensureLlamaModels();
const folder = 'dir' in models ? models.dir : '';
const files = folder ? (await readdir(folder)).filter((name) => /^ggml-vocab-.*\.gguf$/.test(name)).sort() : [];

describe.skipIf('skipped' in models)(
  `llama.cpp's vocabularies${'skipped' in models ? ` (${models.skipped})` : ''}`,
  () => {
    let seen = 0;

    for (const file of files) {
      const name = file.slice('ggml-vocab-'.length, -'.gguf'.length);
      const kind = OUT_OF_SCOPE[name];
      if (kind) {
        test(`${name} is refused by name: ${kind}`, async () => {
          const metadata = await metadataOf(path.join(folder, file));
          expect(() => createTokenizer(metadata)).toThrow(String(metadata.get('tokenizer.ggml.model')));
        });
        continue;
      }
      if (!existsSync(path.join(folder, `${file}.inp`))) {
        test(`${name} has no vectors; text comes back from its tokens`, async () => {
          const tokenizer = createTokenizer(await metadataOf(path.join(folder, file)));
          for (const text of await inputsOf('ggml-vocab-gpt-2.gguf')) {
            const tokens = tokenizer.encode(text, { addSpecial: false, parseSpecial: false });
            expect(tokenizer.decode(tokens)).toBe(text);
          }
        });
        continue;
      }
      test(`${name} gives the tokens of every vector`, async () => {
        const tokenizer = createTokenizer(await metadataOf(path.join(folder, file)));
        const inputs = await inputsOf(file);
        const outputs = linesOf(await readFile(path.join(folder, `${file}.out`), 'utf8'), '\n');
        expect(outputs).toHaveLength(inputs.length);
        inputs.forEach((text, i) => {
          const expected = (outputs[i] as string).trim().split(' ').filter(Boolean).map(Number);
          const tokens = tokenizer.encode(text, { addSpecial: false, parseSpecial: false });
          expect([...tokens], JSON.stringify(text)).toEqual(expected);
          seen++;
        });
      });
    }

    test(`at least ${LEAST_VECTORS} vectors were seen`, () => {
      expect(seen).toBeGreaterThanOrEqual(LEAST_VECTORS);
    });
  },
);

async function inputsOf(file: string): Promise<string[]> {
  return linesOf(await readFile(path.join(folder, `${file}.inp`), 'utf8'), SEPARATOR);
}

/** The separator ends each entry but perhaps the last. */
function linesOf(text: string, separator: string): string[] {
  const lines = text.split(separator);
  return lines.at(-1) === '' ? lines.slice(0, -1) : lines;
}
