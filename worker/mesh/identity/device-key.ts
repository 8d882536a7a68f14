import type { DeviceId } from '../types.ts';
import { type Bytes, fromBase64url, sha256, toBase64url } from './bytes.ts';

/** ECDSA P-256 with SHA-256: the one curve that WebCrypto has had everywhere for ten years. */
const KEY = { name: 'ECDSA', namedCurve: 'P-256' } as const;
const SIGNATURE = { name: 'ECDSA', hash: 'SHA-256' } as const;
export const SIGNATURE_BYTES = 64;
export const PUBLIC_KEY_BYTES = 91;
export const DEVICE_ID_BYTES = 16;
/** Of an uncompressed P-256 point in SPKI (RFC 5480): one key has one form, so one id. */
const SPKI_PREFIX = [
  0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce,
  0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00, 0x04,
];

/** What IndexedDB keeps: the private half cannot be read, only used. */
export type StoredKey = CryptoKeyPair;

/** A device that can sign. */
export interface DeviceKey {
  readonly device: DeviceId;
  /** SPKI, base64url. */
  readonly publicKey: string;
  /** 64 bytes, base64url. */
  sign(bytes: Bytes): Promise<string>;
}

export function generateKey(): Promise<StoredKey> {
  return crypto.subtle.generateKey(KEY, false, ['sign', 'verify']);
}

export async function openKey(stored: StoredKey): Promise<DeviceKey> {
  const spki = new Uint8Array(await crypto.subtle.exportKey('spki', stored.publicKey));
  return {
    device: await deviceIdOf(spki),
    publicKey: toBase64url(spki),
    sign: async (bytes) => toBase64url(new Uint8Array(await crypto.subtle.sign(SIGNATURE, stored.privateKey, bytes))),
  };
}

/** First 16 bytes of the SHA-256 of the public key (SPKI), base64url. */
export async function deviceIdOf(spki: Bytes): Promise<DeviceId> {
  return toBase64url((await sha256(spki)).subarray(0, DEVICE_ID_BYTES));
}

/** Whether a public key is of the one form that is allowed and the id is its hash. */
export async function isKeyOf(device: DeviceId, publicKey: string): Promise<boolean> {
  const spki = publicKeyBytes(publicKey);
  return spki !== undefined && (await deviceIdOf(spki)) === device;
}

/** False for a wrong signature and for anything that is not a key or a signature. */
export async function verifySignature(publicKey: string, signature: string, bytes: Bytes): Promise<boolean> {
  const spki = publicKeyBytes(publicKey);
  const raw = fromBase64url(signature, SIGNATURE_BYTES);
  if (!spki || !raw) return false;
  try {
    const key = await crypto.subtle.importKey('spki', spki, KEY, false, ['verify']);
    return await crypto.subtle.verify(SIGNATURE, key, raw, bytes);
  } catch {
    return false; // a point that is not on the curve
  }
}

function publicKeyBytes(publicKey: string): Bytes | undefined {
  const spki = fromBase64url(publicKey, PUBLIC_KEY_BYTES);
  return spki && SPKI_PREFIX.every((byte, at) => spki[at] === byte) ? spki : undefined;
}
