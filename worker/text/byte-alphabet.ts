/**
 * The alphabet of byte-level BPE (GPT-2's `bytes_to_unicode`): vocabularies are text, so each byte is written as a
 * visible character; printable Latin-1 stands for itself, the other 68 bytes for U+0100 and up.
 */

/** Code point that stands for byte i. */
export const BYTE_TO_CODE_POINT: Uint16Array = new Uint16Array(256);
/** Byte that a code point below 324 stands for, or -1. */
const CODE_POINT_TO_BYTE = new Int16Array(324).fill(-1);

let next = 256;
for (let byte = 0; byte < 256; byte++) {
  const visible = (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
  const codePoint = visible ? byte : next++;
  BYTE_TO_CODE_POINT[byte] = codePoint;
  CODE_POINT_TO_BYTE[codePoint] = byte;
}

/** Writes the alphabet's UTF-8 (one or two bytes) for `byte` at `target[offset]`; returns the offset behind it. */
export function writeByteCharacter(byte: number, target: Uint8Array, offset: number): number {
  const codePoint = BYTE_TO_CODE_POINT[byte] as number;
  if (codePoint < 0x80) {
    target[offset] = codePoint;
    return offset + 1;
  }
  target[offset] = 0xc0 | (codePoint >> 6);
  target[offset + 1] = 0x80 | (codePoint & 0x3f);
  return offset + 2;
}

/** The bytes that a vocabulary entry (UTF-8 of the alphabet) stands for; characters outside it stay as they are. */
export function fromByteAlphabet(text: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(text.length);
  let length = 0;
  for (let i = 0; i < text.length; i++) {
    const lead = text[i] as number;
    if (lead < 0x80) {
      bytes[length++] = lead;
      continue;
    }
    const codePoint = lead >= 0xc2 && lead <= 0xc5 ? ((lead & 0x1f) << 6) | ((text[i + 1] ?? 0) & 0x3f) : 0xffff;
    const byte = CODE_POINT_TO_BYTE[codePoint] ?? -1;
    if (byte < 0) {
      bytes[length++] = lead;
    } else {
      bytes[length++] = byte;
      i++;
    }
  }
  return bytes.subarray(0, length);
}
