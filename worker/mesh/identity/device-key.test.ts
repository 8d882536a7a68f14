import { describe, expect, it } from 'vitest';
import { type Bytes, fromBase64url, toBase64url } from './bytes.ts';
import { deviceIdOf, generateKey, isKeyOf, openKey, verifySignature } from './device-key.ts';
import { newKey } from './test-room.ts';

const TEXT = new TextEncoder().encode('what is signed') as Bytes;

describe('a device key', () => {
  it('cannot be read, and signs what its public half verifies', async () => {
    const stored = await generateKey();
    await expect(crypto.subtle.exportKey('pkcs8', stored.privateKey)).rejects.toThrow();
    const key = await openKey(stored);
    const signature = await key.sign(TEXT);
    expect(key.device).toHaveLength(22);
    expect(await isKeyOf(key.device, key.publicKey)).toBe(true);
    expect(await verifySignature(key.publicKey, signature, TEXT)).toBe(true);
  });

  it('does not verify another text, another key, or what is no signature', async () => {
    const [key, other] = [await newKey(), await newKey()];
    const signature = await key.sign(TEXT);
    expect(await verifySignature(other.publicKey, signature, TEXT)).toBe(false);
    expect(await verifySignature(key.publicKey, signature, TEXT.slice(1))).toBe(false);
    for (const wrong of ['', signature.slice(1), `${signature}A`, toBase64url(new Uint8Array(64))]) {
      expect(await verifySignature(key.publicKey, wrong, TEXT)).toBe(false);
    }
  });

  it('has one form: no second encoding gives it a second id', async () => {
    const key = await newKey();
    const spki = fromBase64url(key.publicKey) as Bytes;
    const longer = new Uint8Array([...spki, 0]);
    const compressed = new Uint8Array([...spki.subarray(0, 59)]);
    for (const form of [longer, compressed]) {
      expect(await isKeyOf(await deviceIdOf(form), toBase64url(form))).toBe(false);
    }
    const offCurve = spki.slice();
    offCurve[90] = (offCurve[90] ?? 0) ^ 1;
    expect(await verifySignature(toBase64url(offCurve), await key.sign(TEXT), TEXT)).toBe(false);
    expect(await isKeyOf((await newKey()).device, key.publicKey)).toBe(false);
  });
});
