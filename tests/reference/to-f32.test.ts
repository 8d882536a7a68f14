import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { writeGguf } from '../setup/gguf-writer.ts';
import { dequantize, TENSOR_TYPES } from './dequantize.ts';
import { parseGguf } from './gguf-file.ts';
import { writeF32Twin } from './to-f32.ts';

const FIXTURES = new URL('fixtures/quants/', import.meta.url);

describe('the F32 twin', () => {
  it('keeps names, shapes, order and metadata, and holds every weight as float32', async () => {
    const tensors = await Promise.all(
      [...TENSOR_TYPES.values()].map(async ({ name, ggmlType }) => ({
        name: `${name}.weight`,
        shape: [256, 4],
        ggmlType,
        data: new Uint8Array(await readFile(new URL(`${name.toLowerCase()}.blocks.bin`, FIXTURES))),
      })),
    );
    // a vector whose end needs padding
    tensors.push({
      name: 'norm.weight',
      shape: [3],
      ggmlType: 0,
      data: new Uint8Array(Float32Array.of(1, 2, 3).buffer),
    });
    const metadata = {
      'general.architecture': 'llama',
      'general.file_type': 15,
      'general.alignment': 64,
      'llama.rope.freq_base': { type: 'f32', value: 10_000 },
      'tokenizer.ggml.tokens': ['a', 'é', '▁b'],
      'tokenizer.ggml.scores': Float32Array.of(0, -1.5, -2),
    } as const;
    const folder = await mkdtemp(path.join(os.tmpdir(), 'shoal-twin-'));
    try {
      const from = path.join(folder, 'source.gguf');
      await writeFile(from, writeGguf({ metadata, tensors }));
      await writeF32Twin(from, path.join(folder, 'twin.gguf'));
      const bytes = new Uint8Array(await readFile(path.join(folder, 'twin.gguf')));
      const source = parseGguf(new Uint8Array(await readFile(from)));
      const twin = parseGguf(bytes);
      expect([...twin.metadata]).toEqual(
        [...source.metadata].map(([key, value]) => [key, key === 'general.file_type' ? 0 : value]),
      );
      expect(twin.tensors.map(({ name, shape }) => ({ name, shape }))).toEqual(
        tensors.map(({ name, shape }) => ({ name, shape })),
      );
      for (const [i, tensor] of twin.tensors.entries()) {
        const { ggmlType, data } = tensors[i] as (typeof tensors)[number];
        expect(tensor.ggmlType).toBe(0);
        expect(tensor.offset % 64).toBe(0);
        const values = bytes.slice(tensor.offset, tensor.offset + tensor.bytes);
        expect(Buffer.compare(values, new Uint8Array(dequantize(ggmlType, data).buffer))).toBe(0);
      }
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});
