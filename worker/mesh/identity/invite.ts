import { PersonError } from '../../errors.ts';
import { concatenate, fromBase64url, sha256, toBase64url } from './bytes.ts';
import { ROOM_KEY_BYTES, SECRET_BYTES } from './secrets.ts';

/** What an invite holds; both 16 bytes, base64url. */
export interface Invite {
  readonly secret: string;
  readonly key: string;
}

/** The fragment of a link that carries an invite, to tell it from the app's other addresses. */
export const JOIN_PREFIX = '#/join/';
const VERSION = 1;
const CHECK_BYTES = 2;
const BODY_BYTES = 1 + SECRET_BYTES + ROOM_KEY_BYTES;
/** More is not read: a pasted text may be anything. */
const MAX_LINK_CHARACTERS = 4096;

/**
 * The link of an invite, which is also what its QR code says.
 * @param app the address at which the app is served; its query and fragment do not matter
 */
export async function makeInviteLink(app: string, invite: Invite): Promise<string> {
  const url = new URL(app);
  url.search = '';
  url.hash = JOIN_PREFIX + (await inviteCode(invite));
  return url.href;
}

/** What follows `#/join/` in the link of an invite. */
export async function inviteCode({ secret, key }: Invite): Promise<string> {
  const [secretBytes, keyBytes] = [fromBase64url(secret, SECRET_BYTES), fromBase64url(key, ROOM_KEY_BYTES)];
  if (!secretBytes || !keyBytes) throw new TypeError('An invite holds 16 bytes of secret and 16 of key.');
  const body = concatenate(new Uint8Array([VERSION]), secretBytes, keyBytes);
  return toBase64url(concatenate(body, (await sha256(body)).subarray(0, CHECK_BYTES)));
}

/** Whether an address or its fragment is meant as an invite, readable or not. */
export function looksLikeInvite(text: string): boolean {
  return text.includes(JOIN_PREFIX);
}

/**
 * Reads an invite from a link, a scanned code, an address bar's fragment, or a message that holds the link.
 * Throws `PersonError` that says what is wrong with it and what to do; `details.problem` is 'not-an-invite' | 'cut-off' |
 * 'damaged' | 'version'.
 */
export async function readInvite(text: string): Promise<Invite> {
  const at = text.slice(0, MAX_LINK_CHARACTERS).indexOf(JOIN_PREFIX);
  if (at < 0) {
    throw unreadable('not-an-invite', 'This is not a Shoal invite. An invite is a link that contains “#/join/”.');
  }
  const code = /^[A-Za-z0-9_-]*/.exec(text.slice(at + JOIN_PREFIX.length, MAX_LINK_CHARACTERS))?.[0] ?? '';
  const version = fromBase64url(code.slice(0, 4).padEnd(4, 'A'))?.[0];
  const length = Math.ceil(((BODY_BYTES + CHECK_BYTES) * 4) / 3);
  if (code.length >= 2 && version !== VERSION) {
    throw unreadable(
      'version',
      `This invite is of version ${version}, this app reads version ${VERSION}. Reload the page for the newest app, or ask for a new invite.`,
    );
  }
  if (code.length < length) {
    throw unreadable(
      'cut-off',
      `This invite was cut off: it has ${code.length} of ${length} characters after “#/join/”. Copy the whole link, or scan the code.`,
    );
  }
  const bytes = fromBase64url(code.slice(0, length), BODY_BYTES + CHECK_BYTES);
  const body = bytes?.slice(0, BODY_BYTES);
  const check = body && (await sha256(body)).subarray(0, CHECK_BYTES);
  if (!body || code.length > length || check?.some((byte, i) => byte !== bytes?.[BODY_BYTES + i])) {
    throw unreadable('damaged', 'This invite was changed on its way. Copy the link again, or scan the code.');
  }
  return {
    secret: toBase64url(body.subarray(1, 1 + SECRET_BYTES)),
    key: toBase64url(body.subarray(1 + SECRET_BYTES)),
  };
}

function unreadable(problem: string, message: string): PersonError {
  return new PersonError(message, { problem });
}
