import type { DeviceId } from '../types.ts';
import { type Bytes, canonical, fromBase64url, randomBytes, sha256, toBase64url } from './bytes.ts';
import { DEVICE_ID_BYTES } from './device-key.ts';

export const SECRET_BYTES = 16;
export const ROOM_KEY_BYTES = 16;
const MAC_BYTES = 32;

/** Everything that is derived from a room's secret. */
export interface RoomNames {
  /** 16 bytes, base64url; never changes and opens nothing. */
  readonly secret: string;
  /** Where signaling lists the room's devices; 22 characters. */
  readonly directory: string;
  /** Said to nobody; binds every signature to the room. */
  readonly id: Bytes;
}

/** Throws when the secret is not 16 bytes in base64url. */
export async function namesOfRoom(secret: string): Promise<RoomNames> {
  const bytes = fromBase64url(secret, SECRET_BYTES);
  if (!bytes) throw new TypeError(`A room's secret is ${SECRET_BYTES} bytes in base64url.`);
  const [directory, id] = await Promise.all([derive(bytes, 'shoal directory', 16), derive(bytes, 'shoal room', 16)]);
  return { secret, directory: toBase64url(directory), id };
}

/** A secret that commits to the room's maker, and the salt that shows it. */
export async function makeRoomSecret(maker: DeviceId): Promise<{ readonly secret: string; readonly salt: string }> {
  const salt = randomBytes(SECRET_BYTES);
  return { secret: toBase64url(await secretOf(maker, salt)), salt: toBase64url(salt) };
}

export async function isMakerOf(secret: string, maker: DeviceId, salt: string): Promise<boolean> {
  const bytes = fromBase64url(salt, SECRET_BYTES);
  if (!bytes || !fromBase64url(maker, DEVICE_ID_BYTES)) return false;
  return toBase64url(await secretOf(maker, bytes)) === secret;
}

export function makeKeyText(): string {
  return toBase64url(randomBytes(ROOM_KEY_BYTES));
}

/** HMAC-SHA-256 under what HKDF derives from a room key; base64url. */
export async function macUnder(roomKey: string, bytes: Bytes): Promise<string> {
  const mac = await crypto.subtle.sign('HMAC', await macKey(roomKey), bytes);
  return toBase64url(new Uint8Array(mac));
}

/** Compares in constant time, which WebCrypto's `verify` does. */
export async function isMacUnder(roomKey: string, mac: string, bytes: Bytes): Promise<boolean> {
  const raw = fromBase64url(mac, MAC_BYTES);
  return raw !== undefined && crypto.subtle.verify('HMAC', await macKey(roomKey), raw, bytes);
}

async function secretOf(maker: DeviceId, salt: Bytes): Promise<Bytes> {
  const bytes = canonical('shoal room secret 1', fromBase64url(maker, DEVICE_ID_BYTES) ?? '', salt);
  return (await sha256(bytes)).slice(0, SECRET_BYTES);
}

async function macKey(roomKey: string): Promise<CryptoKey> {
  const bytes = fromBase64url(roomKey, ROOM_KEY_BYTES);
  if (!bytes) throw new TypeError(`A room key is ${ROOM_KEY_BYTES} bytes in base64url.`);
  const key = await derive(bytes, 'shoal proof mac', MAC_BYTES);
  return crypto.subtle.importKey('raw', key, { name: 'HMAC', hash: 'SHA-256' }, false, ['sign', 'verify']);
}

/** HKDF-SHA-256 (RFC 5869) without salt. */
async function derive(secret: Bytes, info: string, length: number): Promise<Bytes> {
  const key = await crypto.subtle.importKey('raw', secret, 'HKDF', false, ['deriveBits']);
  const parameters = { name: 'HKDF', hash: 'SHA-256', salt: new Uint8Array(), info: new TextEncoder().encode(info) };
  return new Uint8Array(await crypto.subtle.deriveBits(parameters, key, length * 8));
}
