import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PersonError } from '../../errors.ts';
import { toBase64url } from './bytes.ts';
import { JOIN_PREFIX, looksLikeInvite, makeInviteLink, readInvite } from './invite.ts';
import { namesOfRoom } from './secrets.ts';

const sixteen = fc.uint8Array({ minLength: 16, maxLength: 16 }).map(toBase64url);
const INVITE = { secret: 'AAECAwQFBgcICQoLDA0ODw', key: 'EBESExQVFhcYGRobHB0eHw' };
const APP = 'https://desk.local:8443/app/?x=1#/chat';

async function problemOf(text: string): Promise<unknown> {
  const error = await readInvite(text).then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  return error instanceof PersonError ? error.details.problem : error;
}

describe('an invite', () => {
  it('is read from the link, the fragment, and a message around it', async () => {
    await fc.assert(
      fc.asyncProperty(sixteen, sixteen, async (secret, key) => {
        const link = await makeInviteLink(APP, { secret, key });
        expect(link.startsWith('https://desk.local:8443/app/#/join/')).toBe(true);
        expect(looksLikeInvite(link)).toBe(true);
        for (const text of [link, new URL(link).hash, `Join me: ${link}. See you!`, `<${link}>`]) {
          expect(await readInvite(text)).toEqual({ secret, key });
        }
      }),
    );
  });

  it('that was cut off says so wherever it was cut', async () => {
    const link = await makeInviteLink(APP, INVITE);
    const start = link.indexOf(JOIN_PREFIX) + JOIN_PREFIX.length;
    for (let end = start; end < link.length; end++) expect(await problemOf(link.slice(0, end))).toBe('cut-off');
    expect(await problemOf(link.slice(0, start - 1))).toBe('not-an-invite');
  });

  it('that was mistyped anywhere is not taken for another room', async () => {
    const link = await makeInviteLink(APP, INVITE);
    const start = link.indexOf(JOIN_PREFIX) + JOIN_PREFIX.length;
    for (let at = start; at < link.length; at++) {
      const changed = `${link.slice(0, at)}${link[at] === 'A' ? 'B' : 'A'}${link.slice(at + 1)}`;
      expect(['damaged', 'version']).toContain(await problemOf(changed));
    }
    expect(await problemOf(`${link}A`)).toBe('damaged');
  });

  it('of another version says which side is to be renewed', async () => {
    const problem = readInvite(`${JOIN_PREFIX}AgAA`);
    await expect(problem).rejects.toThrow('version 2');
    await expect(problem).rejects.toThrow('Reload');
  });

  it('anything else is no invite, and never breaks the reader', async () => {
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: 'binary' }), async (text) => {
        expect(['not-an-invite', 'cut-off', 'damaged', 'version']).toContain(await problemOf(JOIN_PREFIX + text));
        expect(await problemOf(text.replaceAll('#', ''))).toBe('not-an-invite');
      }),
    );
  });
});

it('the directory’s name is HKDF-SHA-256 of the secret, and tells neither the secret nor the room’s id', async () => {
  const names = await namesOfRoom(INVITE.secret);
  // hkdfSync('sha256', 000102…0f, '', 'shoal directory', 16) of node:crypto, which is OpenSSL's
  const { hkdfSync } = await import('node:crypto');
  const secret = Buffer.from(INVITE.secret, 'base64url');
  expect(names.directory).toBe(
    Buffer.from(hkdfSync('sha256', secret, '', 'shoal directory', 16)).toString('base64url'),
  );
  expect(names.directory).not.toBe(toBase64url(names.id));
  await expect(namesOfRoom('short')).rejects.toThrow('16 bytes');
});
