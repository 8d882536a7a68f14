import type { DeviceId, SessionId } from '../../mesh/types.ts';

/** A conversation's session on a device that drives it: the same after a reload, another on another device. */
export async function sessionOf(conversation: string, device: DeviceId): Promise<SessionId> {
  const text = new TextEncoder().encode(`shoal session ${device} ${conversation}`);
  const digest = await crypto.subtle.digest('SHA-256', text);
  return [...new Uint8Array(digest, 0, 8)].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}
