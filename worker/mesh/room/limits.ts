/** What one control message may hold: the wire's schemas refuse more, and who writes messages splits them. */

/** Of records and ids in a message, UTF-8: the wire takes 64 KiB, and what is around them needs little. */
export const MESSAGE_BYTES = 60 * 1024;
/** State records in one message. */
export const RECORDS_A_MESSAGE = 32;
export const PLACEMENTS_A_MESSAGE = 64;
/** Devices in a digest, or asked for. */
export const DEVICES_A_DIGEST = 512;
/** What a device knows of placements, whoever names them. */
export const MODELS_KNOWN = 32;
export const PLACEMENTS_OF_A_MODEL = 8;
export const STAGES_A_RECORD = 256;
export const DRIVING_A_RECORD = 64;

const sizes = new WeakMap<object, number>();
const encoder = new TextEncoder();

/** UTF-8 bytes of a record's JSON. Records never change, so each is measured once. */
export function jsonBytes(record: object): number {
  const known = sizes.get(record);
  if (known !== undefined) return known;
  const bytes = encoder.encode(JSON.stringify(record)).byteLength + 1;
  sizes.set(record, bytes);
  return bytes;
}

/** The first ones, as many as a message, or a share of one, can hold. */
export function within<T extends object>(records: readonly T[], most: number, mostBytes = MESSAGE_BYTES): readonly T[] {
  let bytes = 0;
  for (let i = 0; i < records.length; i++) {
    bytes += jsonBytes(records[i] as T);
    if (i === most || bytes > mostBytes) return records.slice(0, i);
  }
  return records;
}

/** All in order, in as many pieces as messages need. What is too large for any is left out. */
export function split<T extends object>(records: readonly T[], most: number, mostBytes = MESSAGE_BYTES): T[][] {
  const pieces: T[][] = [];
  let piece: T[] = [];
  let bytes = 0;
  for (const record of records) {
    const size = jsonBytes(record);
    if (size > mostBytes) continue;
    if (piece.length === most || bytes + size > mostBytes) {
      pieces.push(piece);
      piece = [];
      bytes = 0;
    }
    piece.push(record);
    bytes += size;
  }
  if (piece.length > 0) pieces.push(piece);
  return pieces;
}
