import { describe, expect, it } from 'vitest';
import type { FileIdentity } from '../weights/types.ts';
import { modelName, servedName } from './model-name.ts';

const onHub = (repository: string, file: string): FileIdentity => ({ kind: 'hub', repository, commit: 'c0ffee', file });
const picked: FileIdentity = { kind: 'picked', name: 'x.gguf', size: 1, headerSha256: 'aa' };

describe('a model is called', () => {
  it('as the catalogue calls it, whatever its header says', () => {
    const file = 'SmolLM2-135M-Instruct-Q8_0.gguf';
    const identity = onHub('bartowski/SmolLM2-135M-Instruct-GGUF', file);
    expect(modelName(identity, file, 'Q8_0', 'Smollm2 135M 8k Lc100K Mix1 Ep2')).toBe('SmolLM2 135M Instruct');
    const other = onHub('qwen/qwen3-8b-gguf', 'Qwen3-8B-Q6_K.gguf');
    expect(modelName(other, 'Qwen3-8B-Q6_K.gguf', 'Q6_K', 'qwen3')).toBe('Qwen3 8B');
  });

  it('as the starter, wherever the file lies', () => {
    const file = 'SmolLM2-135M-Instruct.Q4_1.gguf';
    expect(modelName(picked, file, 'Q4_1', 'Smollm2 135M 8k Lc100K Mix1 Ep2')).toBe('SmolLM2 135M Instruct');
    expect(servedName(`starter/${file}`)).toBe('SmolLM2 135M Instruct');
  });

  it.each([
    ['SmolLM2-135M-Instruct.Q5_0.gguf', 'Q5_0', 'SmolLM2 135M Instruct · Q5_0'],
    ['Qwen_Qwen3-0.6B-Q4_K_M.gguf', 'Q4_K_M', 'Qwen3 0.6B · Q4_K_M'],
    ['qwen2.5-0.5b-instruct-q4_k_m.gguf', 'Q4_K_M', 'Qwen2.5 0.5B Instruct · Q4_K_M'],
    ['Meta-Llama-3.1-8B-Instruct-fp16.gguf', 'F16', 'Meta Llama 3.1 8B Instruct · F16'],
    ['a/b/stories260K.f32.gguf', 'F32', 'stories260K · F32'],
    ['Qwen3-4B-UD-Q4_K_XL-00001-of-00002.gguf', 'UD-Q4_K_XL', 'Qwen3 4B · UD-Q4_K_XL'],
    ['mine.gguf', 'F32', 'Mine · F32'],
  ])('by its file: %s', (file, quantization, name) => {
    expect(modelName(picked, file, quantization, 'Checkpoint 1200')).toBe(name);
  });

  it('by its repository where the file’s name says nothing, by its header where nothing else does', () => {
    const identity = onHub('someone/Gemma-3-1b-it-GGUF', 'ggml-model-q4_0.gguf');
    expect(modelName(identity, 'ggml-model-q4_0.gguf', 'Q4_0', 'Checkpoint')).toBe('Gemma 3 1b it · Q4_0');
    expect(modelName(picked, 'model.gguf', 'Q8_0', 'Tiny')).toBe('Tiny · Q8_0');
  });

  it('in the server’s folder by the same rule, before its header was read', () => {
    expect(servedName('stories260K.f32.gguf')).toBe('stories260K · F32');
    expect(servedName('small-count.gguf')).toBe('Small Count');
  });
});
