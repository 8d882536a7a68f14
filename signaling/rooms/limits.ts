/** What one server carries; all can be set by options. */
export interface RoomLimits {
  readonly rooms: number;
  readonly peersPerRoom: number;
  /** Rooms that one peer may be listed in. */
  readonly roomsPerPeer: number;
  /** Rooms that peers of one network address may be listed in. */
  readonly roomsPerAddress: number;
  /** Open signaling connections in all, and from one address. */
  readonly connections: number;
  readonly connectionsPerAddress: number;
  /** Peer ids from one address that were not connected just before: so many a minute, and as many more at once. */
  readonly idsPerMinute: number;
  /** Calls from one address to one peer: so many a minute, and as many more at once. */
  readonly callsPerMinute: number;
  readonly messagesPerSecond: number;
  readonly messageBurst: number;
  readonly messageBytes: number;
  /** Of messages that wait for a peer which is not connected, for the 5 s that PeerServer keeps them: in all, and of one address. */
  readonly waitingBytes: number;
  readonly waitingBytesPerAddress: number;
  /** A peer that does not announce itself again within this time is no longer listed. */
  readonly entryMs: number;
}

export const DEFAULT_ROOM_LIMITS: RoomLimits = {
  rooms: 1_000,
  peersPerRoom: 64,
  roomsPerPeer: 8,
  // a class behind one address has some 30 devices, which all may reload at once
  roomsPerAddress: 128,
  connections: 4_096,
  connectionsPerAddress: 256,
  idsPerMinute: 120,
  // a class that reloads at once calls each of its devices from 30 others; a page listens to 8 that prove nothing at a time
  callsPerMinute: 120,
  messagesPerSecond: 20,
  messageBurst: 300,
  messageBytes: 16 * 1024,
  waitingBytes: 16 * 1024 * 1024,
  waitingBytesPerAddress: 1024 * 1024,
  entryMs: 90_000,
};
