import { createReadStream } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { PassThrough, type Readable } from 'node:stream';
import { createInflateRaw } from 'node:zlib';

/** A file inside a zip archive, as the archive's directory lists it. */
export interface ZipEntry {
  readonly name: string;
  readonly method: number;
  readonly compressedBytes: number;
  readonly bytes: number;
  readonly headerOffset: number;
}

// https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT, sections 4.3.7, 4.3.12 and 4.3.16
const END_SIGNATURE = 0x06054b50;
const DIRECTORY_SIGNATURE = 0x02014b50;
const LOCAL_SIGNATURE = 0x04034b50;
const END_BYTES = 22;
const DIRECTORY_HEADER_BYTES = 46;
const LOCAL_HEADER_BYTES = 30;
const LONGEST_COMMENT = 0xffff;
const LARGEST_DIRECTORY_BYTES = 16 * 1024 * 1024;
const STORED = 0;
const DEFLATED = 8;

/**
 * Lists a zip archive below 4 GiB.
 * @throws Error where the file is none, or is cut off
 */
export async function listZip(file: string): Promise<readonly ZipEntry[]> {
  const handle = await open(file, 'r');
  try {
    const { size } = await handle.stat();
    const tail = await readAt(handle, Math.max(0, size - END_BYTES - LONGEST_COMMENT), size);
    const at = lastIndexOfSignature(tail);
    const directoryBytes = tail.readUInt32LE(at + 12);
    const directoryOffset = tail.readUInt32LE(at + 16);
    if (directoryBytes > LARGEST_DIRECTORY_BYTES || directoryOffset + directoryBytes > size) {
      throw new Error(`${file}: its directory lies outside the archive`);
    }
    return parseDirectory(await readAt(handle, directoryOffset, directoryOffset + directoryBytes), file);
  } finally {
    await handle.close();
  }
}

/** The bytes of an entry, inflated as they are read. */
export async function openZipEntry(file: string, entry: ZipEntry): Promise<Readable> {
  const handle = await open(file, 'r');
  let header: Buffer;
  try {
    header = await readAt(handle, entry.headerOffset, entry.headerOffset + LOCAL_HEADER_BYTES);
  } finally {
    await handle.close();
  }
  if (header.readUInt32LE(0) !== LOCAL_SIGNATURE) throw new Error(`${file}: no entry where ${entry.name} should be`);
  const start = entry.headerOffset + LOCAL_HEADER_BYTES + header.readUInt16LE(26) + header.readUInt16LE(28);
  const inflated = entry.method === STORED ? new PassThrough() : createInflateRaw();
  if (entry.method !== STORED && entry.method !== DEFLATED) {
    throw new Error(`${entry.name} is packed by method ${entry.method}; 0 (stored) and 8 (deflated) are known`);
  }
  if (entry.compressedBytes === 0) return inflated.end();
  const packed = createReadStream(file, { start, end: start + entry.compressedBytes - 1 });
  packed.on('error', (error) => inflated.destroy(error));
  inflated.on('close', () => packed.destroy());
  return packed.pipe(inflated);
}

function parseDirectory(directory: Buffer, file: string): readonly ZipEntry[] {
  const entries: ZipEntry[] = [];
  let at = 0;
  while (at + DIRECTORY_HEADER_BYTES <= directory.length) {
    if (directory.readUInt32LE(at) !== DIRECTORY_SIGNATURE) throw new Error(`${file}: its directory is damaged`);
    const nameBytes = directory.readUInt16LE(at + 28);
    const nameAt = at + DIRECTORY_HEADER_BYTES;
    entries.push({
      name: directory.toString('utf8', nameAt, nameAt + nameBytes),
      method: directory.readUInt16LE(at + 10),
      compressedBytes: directory.readUInt32LE(at + 20),
      bytes: directory.readUInt32LE(at + 24),
      headerOffset: directory.readUInt32LE(at + 42),
    });
    at = nameAt + nameBytes + directory.readUInt16LE(at + 30) + directory.readUInt16LE(at + 32);
  }
  return entries;
}

function lastIndexOfSignature(tail: Buffer): number {
  for (let at = tail.length - END_BYTES; at >= 0; at--) {
    if (tail.readUInt32LE(at) === END_SIGNATURE) return at;
  }
  throw new Error('no zip archive, or one that is cut off');
}

async function readAt(handle: FileHandle, start: number, end: number): Promise<Buffer> {
  const buffer = Buffer.alloc(end - start);
  const { bytesRead } = await handle.read(buffer, 0, buffer.length, start);
  return buffer.subarray(0, bytesRead);
}
