import { open } from 'node:fs/promises';
import { readGgufHeader } from '../../worker/weights/gguf.ts';
import type { Metadata } from '../../worker/weights/types.ts';

/** The metadata of a GGUF file on this machine. */
export async function metadataOf(file: string): Promise<Metadata> {
  const handle = await open(file);
  try {
    const { size } = await handle.stat();
    const read = async (start: number, end: number) => {
      const bytes = new Uint8Array(end - start);
      await handle.read(bytes, 0, end - start, start);
      return bytes;
    };
    return (await readGgufHeader(read, size, new AbortController().signal)).metadata;
  } finally {
    await handle.close();
  }
}
