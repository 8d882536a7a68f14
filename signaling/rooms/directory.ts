import type { RoomLimits } from './limits.ts';

/** Why a peer is not listed. */
export type DirectoryRefusal = 'too-many-rooms' | 'too-many-rooms-of-this-peer' | 'too-many-rooms-of-this-address';

/** A room's public name: 16 bytes derived from its secret, base64url. */
const ROOM_NAME = /^[\w-]{22}$/;

export function isRoomName(text: string): boolean {
  return ROOM_NAME.test(text);
}

interface Entry {
  endMs: number;
  readonly address: string;
}

/** Which peers say that they are in which room: opaque names, in memory alone, forgotten after `entryMs`. */
export class Directory {
  readonly #limits: RoomLimits;
  readonly #now: () => number;
  /** Room, then peer. */
  readonly #rooms = new Map<string, Map<string, Entry>>();
  /** Network address, then room, then how many of its peers are listed there. */
  readonly #roomsOfAddress = new Map<string, Map<string, number>>();
  readonly #roomsOfPeer = new Map<string, Set<string>>();

  constructor(limits: RoomLimits, now: () => number) {
    this.#limits = limits;
    this.#now = now;
  }

  /**
   * Lists the peer, or keeps it listed; answers with the others that are. A room that is full is full of whoever came: of
   * the network address that has most of it the oldest entry gives way, so that nobody shuts others out.
   * @param address that the peer asks from, as limits count it
   */
  announce(room: string, peer: string, address: string): readonly string[] | DirectoryRefusal {
    this.#expire(room);
    const peers = this.#rooms.get(room) ?? new Map<string, Entry>();
    const endMs = this.#now() + this.#limits.entryMs;
    const entry = peers.get(peer);
    if (entry) entry.endMs = endMs;
    else {
      const refusal = this.#refusal(room, peers, peer, address);
      if (refusal) return refusal;
      if (peers.size >= this.#limits.peersPerRoom) this.#giveWay(room, peers);
      peers.set(peer, { endMs, address });
      this.#rooms.set(room, peers);
      const rooms = this.#roomsOfPeer.get(peer) ?? new Set();
      this.#roomsOfPeer.set(peer, rooms.add(room));
      this.#count(address, room, 1);
    }
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
    const entry = peers?.get(peer);
    if (peers === undefined || entry === undefined) return;
    peers.delete(peer);
    this.#count(entry.address, room, -1);
    if (peers.size === 0) this.#rooms.delete(room);
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

  #count(address: string, room: string, change: 1 | -1): void {
    const rooms = this.#roomsOfAddress.get(address) ?? new Map<string, number>();
    const peers = (rooms.get(room) ?? 0) + change;
    if (peers > 0) rooms.set(room, peers);
    else rooms.delete(room);
    if (rooms.size > 0) this.#roomsOfAddress.set(address, rooms);
    else this.#roomsOfAddress.delete(address);
  }

  #refusal(
    room: string,
    peers: ReadonlyMap<string, Entry>,
    peer: string,
    address: string,
  ): DirectoryRefusal | undefined {
    if ((this.#roomsOfPeer.get(peer)?.size ?? 0) >= this.#limits.roomsPerPeer) return 'too-many-rooms-of-this-peer';
    const ofAddress = this.#roomsOfAddress.get(address);
    if (!ofAddress?.has(room) && (ofAddress?.size ?? 0) >= this.#limits.roomsPerAddress)
      return 'too-many-rooms-of-this-address';
    if (peers.size > 0 || this.#rooms.size < this.#limits.rooms) return undefined;
    this.sweep();
    return this.#rooms.size < this.#limits.rooms ? undefined : 'too-many-rooms';
  }

  #giveWay(room: string, peers: ReadonlyMap<string, Entry>): void {
    let most = 0;
    let gives: string | undefined;
    // in the order in which they came
    for (const [peer, { address }] of peers) {
      const count = this.#roomsOfAddress.get(address)?.get(room) ?? 0;
      if (count <= most) continue;
      most = count;
      gives = peer;
    }
    if (gives !== undefined) this.leave(room, gives);
  }

  #expire(room: string): void {
    const now = this.#now();
    for (const [peer, { endMs }] of this.#rooms.get(room) ?? []) if (endMs <= now) this.leave(room, peer);
  }
}
