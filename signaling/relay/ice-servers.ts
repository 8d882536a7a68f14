import type { IncomingMessage } from 'node:http';
import { isIP } from 'node:net';
import type { IceAnswer, IceServer } from '../rooms/signaling.ts';
import { DEFAULT_RELAY_LIMITS, type Relay } from './relay.ts';

/**
 * The ICE servers for a page, under the address by which it reached this server: that needs no second name to resolve.
 * @param elsewhere where a page on this computer finds the relay; its own loopback interface is none that WebRTC uses
 */
export function iceServersFor(
  relay: Relay | undefined,
  room: string,
  request: IncomingMessage,
  elsewhere: string | undefined,
): IceAnswer {
  if (relay?.port === undefined) return { iceServers: [], expiresMs: DEFAULT_RELAY_LIMITS.credentialsMs };
  const host = hostFor(request, elsewhere);
  const at = `${host}:${relay.port}`;
  const iceServers: IceServer[] = [{ urls: [`stun:${at}`] }];
  if (relay.relays) {
    const urls = [`turn:${at}?transport=udp`];
    if (relay.answersTcp(host) || isIP(host) === 0) urls.push(`turn:${at}?transport=tcp`);
    iceServers.push({ urls, ...relay.credentials(room) });
  }
  return { iceServers, expiresMs: relay.credentialsMs };
}

function hostFor(request: IncomingMessage, elsewhere: string | undefined): string {
  const name = (request.headers.host ?? '').replace(/:\d+$/, '').toLowerCase();
  if (isIP(name) === 4 && !name.startsWith('127.')) return name;
  // a name of the local network may not resolve inside WebRTC; the address under it is known here
  const arrived = (request.socket.localAddress ?? '').replace(/^::ffff:/, '');
  if (isIP(arrived) === 4 && !arrived.startsWith('127.')) return arrived;
  return elsewhere ?? '127.0.0.1';
}
