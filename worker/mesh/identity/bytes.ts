/** Bytes as WebCrypto takes them. */
export type Bytes = Uint8Array<ArrayBuffer>;

const BASE64URL = /^[A-Za-z0-9_-]*$/;

/** base64url without padding. */
export function toBase64url(bytes: Uint8Array): string {
  let text = '';
  for (const byte of bytes) text += String.fromCharCode(byte);
  return btoa(text).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
}

/** The bytes of a base64url text, or undefined unless it is the one text that `toBase64url` makes of them. */
export function fromBase64url(text: string, length?: number): Bytes | undefined {
  if (!BASE64URL.test(text) || text.length % 4 === 1) return undefined;
  const decoded = atob(text.replaceAll('-', '+').replaceAll('_', '/'));
  const bytes = Uint8Array.from(decoded, (character) => character.charCodeAt(0));
  if (length !== undefined && bytes.length !== length) return undefined;
  // the last character may hold bits that say nothing: then two texts would mean the same bytes
  return toBase64url(bytes) === text ? bytes : undefined;
}

/**
 * What a signature or mac covers: the label and each field, each preceded by its length (4 bytes, little endian), so that
 * no two lists of fields give the same bytes. Texts as UTF-8, numbers as 4 bytes.
 */
export function canonical(label: string, ...fields: readonly (Uint8Array | string | number)[]): Bytes {
  const parts = [label, ...fields].map(fieldBytes);
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + 4 + part.length, 0));
  const view = new DataView(bytes.buffer);
  let at = 0;
  for (const part of parts) {
    view.setUint32(at, part.length, true);
    bytes.set(part, at + 4);
    at += 4 + part.length;
  }
  return bytes;
}

function fieldBytes(field: Uint8Array | string | number): Uint8Array {
  if (typeof field === 'string') return new TextEncoder().encode(field);
  if (typeof field !== 'number') return field;
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, field, true);
  return bytes;
}

export function concatenate(...parts: readonly Uint8Array[]): Bytes {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

export function randomBytes(length: number): Bytes {
  return crypto.getRandomValues(new Uint8Array(length));
}

export async function sha256(bytes: Bytes): Promise<Bytes> {
  return new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
}

/** Order of ids and other texts that is the same on every device, whatever its language. */
export function compareText(one: string, other: string): number {
  return one < other ? -1 : one > other ? 1 : 0;
}
