import { createHash } from 'node:crypto';
import { createReadStream, existsSync } from 'node:fs';
import { mkdir, open, rename } from 'node:fs/promises';
import path from 'node:path';
import { cacheFolder, exclusively } from '../setup/cache.mjs';
import { dequantize, TENSOR_TYPES } from './dequantize.ts';
import { type GgufFile, openGguf, readRange } from './gguf-file.ts';

const PIECE_WEIGHTS = 1 << 20;
const FILE_TYPE_KEY = 'general.file_type';

/**
 * Writes a GGUF file's F32 twin: the same metadata (but `general.file_type` 0), the same tensors in the same order,
 * every weight as float32. llama.cpp computes it exactly, while on quantized weights it rounds activations to 8 bits.
 */
export async function writeF32Twin(from: string, to: string): Promise<void> {
  const source = await openGguf(from);
  const reader = await open(from);
  const writer = await open(to, 'w');
  try {
    let at = 0;
    const append = async (bytes: Uint8Array) => {
      for (let done = 0; done < bytes.length; ) {
        done += (await writer.write(bytes, done, bytes.length - done, at + done)).bytesWritten;
      }
      at += bytes.length;
    };
    await append(f32Header(source));
    for (const tensor of source.tensors) {
      await append(new Uint8Array(padding(at, source.alignment)));
      const type = TENSOR_TYPES.get(tensor.ggmlType);
      if (!type) throw new Error(`${tensor.name} is of ggml type ${tensor.ggmlType}`);
      const pieceBytes = (PIECE_WEIGHTS / type.blockWeights) * type.blockBytes;
      const end = tensor.offset + tensor.bytes;
      for (let start = tensor.offset; start < end; start += pieceBytes) {
        const blocks = await readRange(reader, start, Math.min(start + pieceBytes, end));
        await append(new Uint8Array(dequantize(tensor.ggmlType, blocks).buffer));
      }
    }
    await append(new Uint8Array(padding(at, source.alignment)));
  } finally {
    await reader.close();
    await writer.close();
  }
}

/** The F32 twin of a file, from the cache where it was made before (found by the file's SHA-256). */
export async function cachedF32Twin(from: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(from)) hash.update(chunk as Uint8Array);
  const folder = path.join(cacheFolder(), 'f32-twins');
  const twin = path.join(folder, `${hash.digest('hex')}.gguf`);
  if (existsSync(twin)) return twin;
  await mkdir(folder, { recursive: true });
  return exclusively(`f32-twin-${path.basename(twin)}`, async () => {
    if (existsSync(twin)) return twin;
    await writeF32Twin(from, `${twin}.partial`);
    await rename(`${twin}.partial`, twin);
    return twin;
  });
}

function f32Header(source: GgufFile): Uint8Array {
  const parts: Uint8Array[] = [];
  parts.push(new TextEncoder().encode('GGUF'), u32(3));
  parts.push(u64(source.tensors.length), u64(source.entries.size));
  for (const [key, entry] of source.entries) {
    if (key === FILE_TYPE_KEY) parts.push(text(key), u32(4), u32(0));
    else parts.push(entry);
  }
  let offset = 0;
  for (const tensor of source.tensors) {
    parts.push(text(tensor.name), u32(tensor.shape.length), ...tensor.shape.map(u64), u32(0), u64(offset));
    const bytes = tensor.weights * 4;
    offset += bytes + padding(bytes, source.alignment);
  }
  return Buffer.concat(parts);
}

function padding(at: number, alignment: number): number {
  return (alignment - (at % alignment)) % alignment;
}

function u32(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value, true);
  return bytes;
}

function u64(value: number): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(value), true);
  return bytes;
}

function text(value: string): Uint8Array {
  const bytes = new TextEncoder().encode(value);
  return Buffer.concat([u64(bytes.length), bytes]);
}
