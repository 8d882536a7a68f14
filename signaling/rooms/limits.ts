/** What one server carries; all can be set by options. */
export interface RoomLimits {
  readonly rooms: number;
  readonly peersPerRoom: number;
  /** Rooms that one peer may be listed in. */
  readonly roomsPerPeer: number;
  /** Open signaling connections in all. */
  readonly connections: number;
  readonly messagesPerSecond: number;
  readonly messageBurst: number;
  readonly messageBytes: number;
  /** A peer that does not announce itself again within this time is no longer listed. */
  readonly entryMs: number;
}

export const DEFAULT_ROOM_LIMITS: RoomLimits = {
  rooms: 1_000,
  peersPerRoom: 64,
  roomsPerPeer: 8,
  connections: 4_096,
  messagesPerSecond: 20,
  messageBurst: 300,
  messageBytes: 16 * 1024,
  entryMs: 90_000,
};
