import fc from 'fast-check';
import * as v from 'valibot';
import { describe, expect, it } from 'vitest';
import { type IdentityMessage, IdentityMessageSchema, TombstoneSchema } from './schemas.ts';
import { newKey, roomOf } from './test-room.ts';

function isRead(message: unknown): boolean {
  return v.safeParse(IdentityMessageSchema, JSON.parse(JSON.stringify(message))).success;
}

describe('messages of identity', () => {
  it('are read as they are written, and not with a field more, less or of another form', async () => {
    const [maker, other] = [await newKey(), await newKey()];
    const { roster, keys } = await roomOf(maker, other);
    const { device, publicKey } = other;
    const tombstone = { device, by: maker.device, keeps: [], signature: roster.entries[0]?.signature ?? '' };
    const { entries, salt } = roster;
    const messages: IdentityMessage[] = [
      { kind: 'ask', name: 'Küche' },
      { kind: 'asking' },
      { kind: 'denied', reason: 'expired' },
      {
        kind: 'welcome',
        maker: maker.device,
        salt,
        entries: [...entries],
        tombstones: [],
        keys: [...keys],
        askFirst: true,
        askFirstChange: 0,
      },
      { kind: 'roster', entries: [...entries], tombstones: [tombstone] },
      { kind: 'room-keys', keys: [...keys] },
      { kind: 'ask-first', askFirst: false, askFirstChange: 4_294_967_295 },
      { kind: 'question', device, publicKey, name: 'n', host: maker.device, leftMs: 120_000 },
      { kind: 'denial', device, by: maker.device, reason: 'withdrawn' },
    ];
    for (const message of messages) {
      expect(isRead(message), message.kind).toBe(true);
      expect(isRead({ ...message, more: 1 })).toBe(false);
      for (const field of Object.keys(message)) {
        // which came later
        const isOptional = message.kind === 'welcome' && field === 'askFirstChange';
        expect(isRead({ ...message, [field]: undefined }), `${message.kind} ${field}`).toBe(isOptional);
        for (const wrong of [{}, -1, 'a\nb', [{}], 'x'.repeat(200)]) {
          expect(isRead({ ...message, [field]: wrong }), `${message.kind} ${field}`).toBe(false);
        }
      }
    }
    // the last character of 16 bytes holds four bits that must be zero
    expect(isRead({ kind: 'denial', device: `${'A'.repeat(21)}B`, by: maker.device, reason: 'denied' })).toBe(false);
    const ids = Array.from({ length: 65 }, (_, at) => `${String(at).padStart(3, '0')}${device.slice(3)}`);
    const full = { ...tombstone, keeps: ids.slice(0, 64) };
    expect(v.is(TombstoneSchema, full)).toBe(true);
    expect(v.is(TombstoneSchema, { ...full, keeps: ids })).toBe(false);
    const unordered = { ...tombstone, keeps: [maker.device, device].sort().reverse() };
    expect(isRead({ kind: 'roster', entries: [], tombstones: [unordered] })).toBe(false);
  });

  it('are nothing else', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        expect(isRead({ kind: 'roster', value })).toBe(false);
        expect(isRead({ kind: 'ask', name: [value] })).toBe(false);
      }),
    );
  });
});
