import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { writeGguf } from '../../tests/setup/gguf-writer.ts';
import { CancelledError, ModelError, PersonError } from '../errors.ts';
import { fileSource } from './file-source.ts';
import { rangeReader } from './read-whole.ts';

const signal = new AbortController().signal;
const bytes = writeGguf({
  metadata: { 'general.architecture': 'llama' },
  tensors: [{ name: 'w', shape: [50_000], ggmlType: 0, data: new Uint8Array(200_000).fill(7) }],
});
const blob = (from: Uint8Array) => new Blob([from as Uint8Array<ArrayBuffer>]);

describe('a picked file', () => {
  it('is known by its size and the hash of its header, whatever its name', async () => {
    const source = await fileSource(blob(bytes), 'my model.gguf', signal);
    const header = bytes.subarray(0, bytes.length - 200_000);
    const headerSha256 = createHash('sha256').update(header).digest('hex');
    expect(source.identity).toEqual({ kind: 'picked', name: 'my model.gguf', size: bytes.length, headerSha256 });
    expect(await rangeReader(source)(100, 1000, signal)).toEqual(bytes.subarray(100, 1000));
  });

  it('that is no model is refused', async () => {
    await expect(fileSource(blob(new Uint8Array(100)), 'photo.jpg', signal)).rejects.toBeInstanceOf(ModelError);
  });

  it('that changed since it was picked is to be picked again', async () => {
    const file = blob(bytes);
    const source = await fileSource(file, 'm.gguf', signal);
    file.slice = () => {
      const stream = () =>
        new ReadableStream({ start: (controller) => controller.error(new DOMException('gone', 'NotReadableError')) });
      return { stream } as unknown as Blob;
    };
    const error = await rangeReader(source)(0, 10, signal).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(PersonError);
    expect((error as PersonError).message).toMatch(/Pick it again/);
    file.slice = () => blob(bytes.subarray(0, 4));
    await expect(rangeReader(source)(0, 10, signal)).rejects.toBeInstanceOf(PersonError);
  });

  it('is left alone once the caller stops', async () => {
    const source = await fileSource(blob(bytes), 'm.gguf', signal);
    await expect(rangeReader(source)(0, 10, AbortSignal.abort())).rejects.toBeInstanceOf(CancelledError);
  });
});
