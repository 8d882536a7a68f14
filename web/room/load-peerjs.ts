import type { Peer, PeerOptions } from 'peerjs';

export type PeerConstructor = new (id: string, options: PeerOptions) => Peer;

let loaded: Promise<PeerConstructor> | undefined;

/**
 * Loads PeerJS when a room is first entered. While it loads it constructs a connection to try the browser out, with STUN
 * and TURN servers of its own choice, and webrtc-adapter patches RTCPeerConnection; both meet a stand-in without servers.
 */
export function loadPeerJs(): Promise<PeerConstructor> {
  loaded ??= load().catch((error: unknown) => {
    // offline, perhaps: the next room tries again
    loaded = undefined;
    throw error;
  });
  return loaded;
}

async function load(): Promise<PeerConstructor> {
  const Native = globalThis.RTCPeerConnection;
  globalThis.RTCPeerConnection = class extends Native {
    constructor() {
      super({ iceServers: [] });
    }
  };
  try {
    return (await import('peerjs')).Peer;
  } finally {
    globalThis.RTCPeerConnection = Native;
  }
}
