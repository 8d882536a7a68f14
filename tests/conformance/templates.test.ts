import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ModelError } from '../../worker/errors.ts';
import { chatTemplate, encodePrompt, specialText } from '../../worker/text/chat.ts';
import { createTemplateRenderer, type TemplateRenderer } from '../../worker/text/template.ts';
import { createTokenizer } from '../../worker/text/tokenizer.ts';
import type { ChatTurn } from '../../worker/text/types.ts';
import { ensureSmollm2 } from '../setup/smollm2.ts';
import { buildTemplateWorker } from '../setup/template-worker.ts';
import { metadataOf } from './gguf-metadata.ts';
import { ensureLlamaModels } from './llama-sources.ts';
import conversations from './templates/conversations.json' with { type: 'json' };
import expected from './templates/expected.json' with { type: 'json' };

type Name = keyof typeof conversations;
const CHATS = Object.entries(conversations) as [Name, ChatTurn[]][];
const OPTIONS = {
  bosToken: '<s>',
  eosToken: '</s>',
  addGenerationPrompt: true,
  nowMs: new Date(2026, 2, 5, 15, 4, 5).getTime(),
};

/** Templates that need what @huggingface/jinja lacks: they must fail with a clear error, so that ChatML is offered. */
const NOT_RENDERED = new Set(['ByteDance-Seed-OSS.jinja', 'tencent-Hy3.jinja']);

const models = await ensureLlamaModels();
const folder = 'dir' in models ? path.join(models.dir, 'templates') : '';
const smolLm2 = await ensureSmollm2();

let renderer: TemplateRenderer;
beforeAll(async () => {
  renderer = createTemplateRenderer({ spawn: await buildTemplateWorker() });
});
afterAll(() => renderer.close());

async function render(file: string, turns: readonly ChatTurn[]): Promise<string> {
  return renderer.renderChat(await readFile(path.join(folder, file), 'utf8'), turns, OPTIONS);
}

describe.skipIf('skipped' in models)(`real chat templates${'skipped' in models ? ` (${models.skipped})` : ''}`, () => {
  test.each(Object.entries(expected))('%s gives what jinja2 gives, or a clear error', async (file, texts) => {
    for (const [name, turns] of CHATS) {
      const result = await render(file, turns).catch((error: unknown) => error);
      const hash = texts[name];
      if (typeof result !== 'string') {
        expect(result).toBeInstanceOf(ModelError);
        expect((result as ModelError).details.reason).toMatch(/^template-(failed|refused)$/);
        expect(hash === null || NOT_RENDERED.has(file), `${name}: ${(result as Error).message}`).toBe(true);
      } else if (hash !== null) {
        expect(createHash('sha256').update(result).digest('hex'), `${name}: ${JSON.stringify(result)}`).toBe(hash);
      }
    }
  });

  test.each([
    [
      'Qwen-Qwen2.5-7B-Instruct.jinja',
      '<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nHi <b>!</b> {{ x }}<|im_end|>\n<|im_start|>assistant\n',
    ],
    [
      'Qwen-Qwen3-0.6B.jinja',
      '<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nHi <b>!</b> {{ x }}<|im_end|>\n<|im_start|>assistant\n',
    ],
    [
      'meta-llama-Llama-3.2-3B-Instruct.jinja',
      '<s><|start_header_id|>system<|end_header_id|>\n\nCutting Knowledge Date: December 2023\nToday Date: 05 Mar 2026\n\nBe brief.<|eot_id|><|start_header_id|>user<|end_header_id|>\n\nHi <b>!</b> {{ x }}<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n',
    ],
    ['mistralai-Mistral-Nemo-Instruct-2407.jinja', '<s>[INST]Be brief.\n\nHi <b>!</b> {{ x }}[/INST]'],
    [
      'google-gemma-2-2b-it.jinja',
      '<s><start_of_turn>user\nBe brief.\n\nHi <b>!</b> {{ x }}<end_of_turn>\n<start_of_turn>model\n',
    ],
  ])('%s says what its makers say', async (file, text) => {
    expect(await render(file, conversations.system as ChatTurn[])).toBe(text);
  });
});

const noSmolLm2 = 'skipped' in smolLm2 ? ` (skipped: ${smolLm2.skipped})` : '';
describe.skipIf(noSmolLm2 !== '')(`SmolLM2${noSmolLm2}`, () => {
  test('a question becomes the tokens that the model was trained on', async () => {
    const metadata = await metadataOf('file' in smolLm2 ? smolLm2.file : '');
    const tokenizer = createTokenizer(metadata);
    const prompt = await renderer.renderChat(chatTemplate(metadata) ?? '', CHATS[0]?.[1] ?? [], {
      bosToken: specialText(tokenizer, tokenizer.bosToken),
      eosToken: specialText(tokenizer, tokenizer.eosToken),
      addGenerationPrompt: true,
    });
    expect(prompt).toBe(
      '<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>\n<|im_start|>user\nName three colors.<|im_end|>\n<|im_start|>assistant\n',
    );
    const raw = '<|im_start|>user\nName three colors of the rainbow.<|im_end|>\n<|im_start|>assistant\n';
    expect([...encodePrompt(tokenizer, raw)].slice(0, 11)).toEqual([
      1, 4093, 198, 5820, 1296, 4683, 282, 260, 24594, 30, 2,
    ]);
    expect([...encodePrompt(tokenizer, 'def fibonacci(n):')]).toEqual([1604, 3987, 46477, 24, 94, 727]);
  });
});
