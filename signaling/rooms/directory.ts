import type { RoomLimits } from './limits.ts';

/** Why a peer is not listed. */
export type DirectoryRefusal = 'too-many-rooms' | 'room-is-full' | 'too-many-rooms-of-this-peer';

/** A room's public name: 16 bytes derived from its secret, base64url. */
const ROOM_NAME = /^[\w-]{22}$/;

export function isRoomName(text: string): boolean {
  return ROOM_NAME.test(text);
}

/** Which peers say that they are in which room: opaque names, in memory alone, forgotten after `entryMs`. */
export class Directory {
  readonly #limits: RoomLimits;
  readonly #now: () => number;
  /** Room, then peer, then when its entry ends. */
  readonly #rooms = new Map<string, Map<string, number>>();
  readonly #roomsOfPeer = new Map<string, Set<string>>();

  constructor(limits: RoomLimits, now: () => number) {
    this.#limits = limits;
    this.#now = now;
  }

  /** Lists the peer, or keeps it listed; answers with the others that are. */
  announce(room: string, peer: string): readonly string[] | DirectoryRefusal {
    this.#expire(room);
    const peers = this.#rooms.get(room) ?? new Map<string, number>();
    if (!peers.has(peer)) {
      const refusal = this.#refusal(peers, peer);
      if (refusal) return refusal;
    }
    peers.set(peer, this.#now() + this.#limits.entryMs);
    this.#rooms.set(room, peers);
    const rooms = this.#roomsOfPeer.get(peer) ?? new Set();
    this.#roomsOfPeer.set(peer, rooms.add(room));
    return [...peers.keys()].filter((other) => other !== peer);
  }

  list(room: string): readonly string[] {
    this.#expire(room);
    return [...(this.#rooms.get(room)?.keys() ?? [])];
  }

  isListed(room: string, peer: string): boolean {
    this.#expire(room);
    return this.#rooms.get(room)?.has(peer) === true;
  }

  leave(room: string, peer: string): void {
    const peers = this.#rooms.get(room);
    peers?.delete(peer);
    if (peers?.size === 0) this.#rooms.delete(room);
    const rooms = this.#roomsOfPeer.get(peer);
    rooms?.delete(room);
    if (rooms?.size === 0) this.#roomsOfPeer.delete(peer);
  }

  /** Takes the peer off every list. */
  forget(peer: string): void {
    for (const room of this.#roomsOfPeer.get(peer) ?? []) this.leave(room, peer);
  }

  /** Drops every entry that has ended. */
  sweep(): void {
    for (const room of [...this.#rooms.keys()]) this.#expire(room);
  }

  /** Rooms that list anybody. */
  get size(): number {
    return this.#rooms.size;
  }

  #refusal(peers: ReadonlyMap<string, number>, peer: string): DirectoryRefusal | undefined {
    if (peers.size >= this.#limits.peersPerRoom) return 'room-is-full';
    if ((this.#roomsOfPeer.get(peer)?.size ?? 0) >= this.#limits.roomsPerPeer) return 'too-many-rooms-of-this-peer';
    if (peers.size > 0 || this.#rooms.size < this.#limits.rooms) return undefined;
    this.sweep();
    return this.#rooms.size < this.#limits.rooms ? undefined : 'too-many-rooms';
  }

  #expire(room: string): void {
    const now = this.#now();
    for (const [peer, end] of this.#rooms.get(room) ?? []) if (end <= now) this.leave(room, peer);
  }
}
