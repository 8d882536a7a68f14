/** Words that all of the mesh shares; docs/protocol.md says what they mean. Plain data, no behaviour. */

/** First 16 bytes of the SHA-256 of the device's public key (SPKI), base64url: 22 characters. */
export type DeviceId = string;
/** 64 random bits, as a decimal-free hex string of 16 characters: a JavaScript number could not hold them. */
export type SessionId = string;
/** Names a checkpoint's file at one revision, as the shard cache does. */
export type ModelKey = string;

/** (epoch, proposer) is a total order among the placements of one model. */
export interface PlacementId {
  readonly model: ModelKey;
  readonly epoch: number;
  readonly proposer: DeviceId;
}

/** Layers [first, last) of a model on one device; the first stage embeds, the last has the head and samples. */
export interface StageAssignment {
  readonly device: DeviceId;
  readonly first: number;
  readonly last: number;
}

/** Never changes once proposed. */
export interface Placement {
  readonly id: PlacementId;
  readonly stages: readonly StageAssignment[];
  /** Devices that hold copies of stages' weights; none yet. */
  readonly spares: readonly StageAssignment[];
  /**
   * The round of the model's placement that a person laid last, as far as the proposer knew; 0: nobody did. Absent, of a
   * version that does not say it: its own.
   */
  readonly laid?: number;
}

export interface DeviceProfile {
  /** Whether it runs stages at all. */
  readonly compute: boolean;
  /** Memory that models may take on it, bytes. */
  readonly budgetBytes: number;
  readonly storage: 'f16' | 'f32';
  readonly platform: 'iphone' | 'ipad' | 'mac' | 'android' | 'windows' | 'linux' | 'other';
}

export interface StageState {
  readonly placement: PlacementId;
  readonly first: number;
  readonly last: number;
  readonly phase: 'loading' | 'ready' | 'failed';
  /** Of its weights, bytes that are here, and all: what a loading stage shows. */
  readonly doneBytes: number;
  readonly totalBytes: number;
}

/** What a device says of itself; the higher (incarnation, counter) holds, whoever brings it. */
export interface DeviceState {
  readonly device: DeviceId;
  /** Rises with every load of the page and every rejoin. */
  readonly incarnation: number;
  /** Rises with every change. */
  readonly counter: number;
  /** Where signaling reaches it now; new at each load. */
  readonly address: string;
  readonly name: string;
  /** Of the app and of the wire. */
  readonly version: { readonly app: string; readonly wire: number };
  readonly profile: DeviceProfile;
  /** Bytes of the budget that no stage takes. */
  readonly freeBytes: number;
  readonly visible: boolean;
  readonly wakeLock: boolean;
  /** Peers with a link now, and peers whose link was lost within the last 10 s. */
  readonly links: readonly DeviceId[];
  readonly lost: readonly DeviceId[];
  readonly stages: readonly StageState[];
  /**
   * Sessions that it drives and that answer, or did within the last minute, with the placement they run on or wait for,
   * and one more where that is doubtful.
   */
  readonly driving: readonly { readonly session: SessionId; readonly placement: PlacementId }[];
}

/** Lets a device in, signed by the member `by`; the maker of the room signed itself. Bytes are base64url. */
export interface RosterEntry {
  readonly device: DeviceId;
  readonly publicKey: string;
  readonly name: string;
  /** Above that of `by`; 0 is the maker's alone. */
  readonly rank: number;
  readonly by: DeviceId;
  readonly signature: string;
}

/** Removes a device, signed by the member `by`, or by itself when it leaves. */
export interface Tombstone {
  readonly device: DeviceId;
  readonly by: DeviceId;
  /** Of those that the removed device let in, who stays; ascending. */
  readonly keeps: readonly DeviceId[];
  readonly signature: string;
}

/** Grows only; devices unite theirs. Entries ascend by (rank, device, by), tombstones by (device, by). */
export interface Roster {
  readonly maker: DeviceId;
  /** 16 bytes, base64url: with the maker's id it hashes to the room secret, so that nobody else can be the maker. */
  readonly salt: string;
  readonly entries: readonly RosterEntry[];
  readonly tombstones: readonly Tombstone[];
}

/** The key that newcomers prove, signed by the member `by`; a removal makes the next generation. */
export interface RoomKey {
  readonly generation: number;
  readonly by: DeviceId;
  /** Devices that were out when it was made, so that they were not given it; ascending. */
  readonly without: readonly DeviceId[];
  /** 16 bytes, base64url. */
  readonly key: string;
  readonly signature: string;
}
