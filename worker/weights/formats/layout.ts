/** What the formats' files share: strides, views, and the order of nibbles in a word. */

/** Weights that a kernel unpacks at a time; float rows are padded to a multiple of it. */
export const UNIT_WEIGHTS = 32;
/** Weights of one block of the K formats. */
export const SUPERBLOCK_WEIGHTS = 256;

export function unitsOf(cols: number): number {
  return Math.ceil(cols / UNIT_WEIGHTS);
}

/** Words of a row of `count` halves, the last half of an odd number left zero. */
export function wordsOfHalves(count: number): number {
  return Math.ceil(count / 2);
}

/**
 * The file's bytes as 16-bit numbers: every block has an even size, so this reads all of them, wherever they start.
 * An odd address, which no aligned checkpoint has, costs a copy.
 */
export function halvesOf(source: Uint8Array): Uint16Array {
  const aligned = source.byteOffset % 2 === 0 ? source : source.slice();
  return new Uint16Array(aligned.buffer, aligned.byteOffset, aligned.byteLength >> 1);
}

export function wordsOf(plane: Uint8Array): Uint32Array {
  return new Uint32Array(plane.buffer, plane.byteOffset, plane.byteLength >> 2);
}

/**
 * Eight nibbles, four in the low nibbles of the bytes of each word, in the order that kernels unpack: weight 2k at bit
 * 4k of the low half, weight 2k + 1 at bit 4k of the high half, so that one mask takes two neighbours.
 */
export function packNibbles(first: number, second: number): number {
  const a = first & 0x0f0f0f0f;
  const b = second & 0x0f0f0f0f;
  const low = a | (a >>> 12); // weights 0, 2 in byte 0; 1, 3 in byte 1
  const high = b | (b >>> 12);
  return (low & 0xff) | ((high & 0xff) << 8) | ((low & 0xff00) << 8) | ((high & 0xff00) << 16);
}

/** Rows of plain numbers, copied with zeros behind each up to whole units. */
export function repackValues(source: Uint8Array, rows: number, cols: number, bytes: number, plane: Uint8Array): void {
  const from = cols * bytes;
  const to = unitsOf(cols) * UNIT_WEIGHTS * bytes;
  if (from === to) {
    plane.set(source.subarray(0, rows * from));
    return;
  }
  for (let row = 0; row < rows; row++) {
    plane.set(source.subarray(row * from, (row + 1) * from), row * to);
    plane.fill(0, row * to + from, (row + 1) * to);
  }
}
