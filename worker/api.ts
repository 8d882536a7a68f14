/**
 * The typed surface that the window (and later native nodes) call through Comlink. Everything here survives
 * structured clone; callbacks are passed with `Comlink.proxy`. Methods reject with a `WireError` (see errors.ts):
 * the window turns it into a `ShoalError` by `fromWire`.
 */
import type { StoredFile } from './shards/types.ts';
import type { ChatTurn, TextPiece } from './text/types.ts';

export type { WireError } from './errors.ts';
export type { StoredFile } from './shards/types.ts';
export type { ChatTurn, TextPiece } from './text/types.ts';

// ---------- device ----------

/** What this device can do; `compute` says whether it can run models itself, and if not, why. */
export interface DeviceReport {
  readonly compute: 'gpu' | 'software-gpu' | 'none';
  /** Why not, or what is slow: one code for each plain message. Empty when all is well. */
  readonly problems: readonly DeviceProblem[];
  /** What the browser tells of the GPU; may be empty strings. */
  readonly adapter: { readonly vendor: string; readonly architecture: string; readonly description: string };
  readonly f16: boolean;
  readonly maxBindingBytes: number;
  readonly platform: 'iphone' | 'ipad' | 'mac' | 'android' | 'windows' | 'linux' | 'other';
  /** Memory that models may take here, bytes; what the default would be; the largest a person may set. */
  readonly budgetBytes: number;
  readonly defaultBudgetBytes: number;
  readonly maxBudgetBytes: number;
  /**
   * Set when the last load on this device did not end (the tab died on the screen): nothing loads by itself, and the
   * budget shrank, down to a least one. Until the person sets the budget.
   */
  readonly interrupted?: { readonly model: string; readonly budgetBefore: number; readonly budgetNow: number };
}
export type DeviceProblem =
  | 'insecure-context'
  | 'no-webgpu'
  | 'no-adapter'
  | 'software-adapter'
  | 'slow-readback'
  | 'no-f16'
  | 'no-storage';

// ---------- models ----------

export type ModelSource =
  | { readonly kind: 'hub'; readonly repository: string; readonly file: string; readonly commit?: string }
  | { readonly kind: 'url'; readonly address: string }
  | { readonly kind: 'server'; readonly file: string }
  /** A File survives structured clone; the bytes are read in the worker. */
  | { readonly kind: 'picked'; readonly file: File }
  /** A file whose shards are all kept: needs no network. `key` as in StoredFile. */
  | { readonly kind: 'stored'; readonly key: string };

/** A row of the models page before its header was read: figures are the catalogue's, marked as such. */
export interface CatalogueEntry {
  readonly id: string;
  readonly name: string;
  readonly parameters: number;
  readonly layers: number;
  readonly repository: string;
  readonly quantization: string;
  /** About; exact once resolved. */
  readonly downloadBytes: number;
  readonly contextTokens: number;
  /** What it needs here at `contextTokens` (see Fit), from the catalogue's figures. */
  readonly fit: Fit;
  /** One plain sentence: what it is good for. */
  readonly about: string;
}

export interface HubFile {
  readonly file: string;
  readonly bytes: number;
  readonly quantization: string;
  /** Absent when it can run here; else the reason (split file, unsupported types). */
  readonly unsupported?: string;
}
export interface HubRepository {
  readonly repository: string;
  readonly commit: string;
  readonly files: readonly HubFile[];
}

export interface ServerModel {
  readonly file: string;
  /** What people call it, as far as the file's name tells. */
  readonly name: string;
  readonly bytes: number;
  readonly note?: string;
}

/** Whether it fits this device's budget, with the sum. */
export interface Fit {
  readonly verdict: 'fits' | 'shorter-context' | 'too-large';
  readonly weightsBytes: number;
  /** Keys and values of a conversation of `contextTokens`. */
  readonly kvBytes: number;
  readonly scratchBytes: number;
  readonly totalBytes: number;
  readonly budgetBytes: number;
  /** The context that was counted: the one asked for, or the longest that fits. */
  readonly contextTokens: number;
  /** Layers of the model that would fit at `contextTokens`. */
  readonly layersThatFit: number;
}

/** What the header of a model says. */
export interface ModelSummary {
  readonly key: string;
  readonly source: ModelSource;
  /** What people call it: the catalogue's name, or the file's made readable, with the quantization. */
  readonly name: string;
  readonly architecture: string;
  readonly quantization: string;
  readonly parameters: number;
  readonly layers: number;
  readonly vocabulary: number;
  readonly trainedContextTokens: number;
  readonly fileBytes: number;
  /** Bytes of it that are kept here. */
  readonly keptBytes: number;
  readonly fit: Fit;
}

export type LoadEvent =
  | { readonly kind: 'header'; readonly summary: ModelSummary }
  /** The model that was loaded before is freed: nothing answers until this one is ready. */
  | { readonly kind: 'unloaded' }
  | {
      readonly kind: 'progress';
      readonly doneBytes: number;
      readonly totalBytes: number;
      /** Bytes that came over the network in this run. */
      readonly fetchedBytes: number;
      /** Bytes of the shards now coming, beside `doneBytes`: not whole and checked yet. */
      readonly arrivingBytes: number;
      /** Layers whose weights are all here. */
      readonly layersDone: number;
      /** Of the download, over the last seconds; absent until measured, and while nothing comes. */
      readonly bytesPerSecond?: number;
      readonly secondsLeft?: number;
      readonly repairedShards: number;
    }
  | { readonly kind: 'preparing'; readonly pipelinesDone: number; readonly pipelinesTotal: number };

export interface LoadedModel {
  readonly summary: ModelSummary;
  readonly contextTokens: number;
  readonly sessions: number;
  readonly storage: 'f16' | 'f32';
  /** GPU bytes that are taken now. */
  readonly allocatedBytes: number;
  /** What a person should know of it, such as a vocabulary that is split by guess. */
  readonly warning?: string;
}

// ---------- chat ----------

export interface SamplerSettings {
  /** 0 is greedy. */
  readonly temperature: number;
  /** 0 is off. */
  readonly topK: number;
  readonly topP: number;
  readonly minP: number;
  readonly repetitionPenalty: number;
  readonly frequencyPenalty: number;
  readonly presencePenalty: number;
  /** 32-bit; the random number of a token is a function of (seed, position). */
  readonly seed: number;
  /** [token, added to its logit], at most 300. */
  readonly logitBias?: readonly (readonly [number, number])[];
  /** Log probabilities of the chosen token and of this many of the likeliest, 0–20; absent: none. */
  readonly topLogProbs?: number;
}

export interface GenerateRequest {
  /** Chosen by the caller; for `stop`. */
  readonly id: string;
  /** Turns of one conversation share KV: the longest common prefix is not computed again. */
  readonly conversation: string;
  readonly turns: readonly ChatTurn[];
  /** What was thought already of a last assistant turn that is to be continued; its content may be empty still. */
  readonly begunReasoning?: string;
  readonly sampler: SamplerSettings;
  readonly maxTokens: number;
  readonly stopStrings: readonly string[];
  /**
   * When the context is full: say so (rejects with PersonError, details.contextFull, and WaysOn in its details), or drop
   * the oldest turns.
   */
  readonly whenFull: 'ask' | 'drop-oldest';
}

/** What makes room in a full context, so that an answer can go on; tried out, not guessed. */
export interface WaysOn {
  /** Dropping the oldest turns. */
  readonly dropOldest: boolean;
  /** Continuing the answer's text without what was thought: `begunReasoning` left out. */
  readonly dropReasoning: boolean;
}

export type GenerateEvent =
  | { readonly kind: 'queued' }
  /** Something the person should know, such as a chat template that failed and was replaced. */
  | { readonly kind: 'notice'; readonly message: string }
  | {
      readonly kind: 'prefill';
      readonly doneTokens: number;
      readonly totalTokens: number;
      readonly reusedTokens: number;
    }
  | { readonly kind: 'room'; readonly line: RoomLine }
  | {
      readonly kind: 'text';
      readonly pieces: readonly TextPiece[];
      readonly tokens: number;
      readonly logProbs?: readonly TokenLogProb[];
    };

/** What a room does about an answer; devices by the names that people gave them. */
export type RoomLine =
  | { readonly kind: 'suspected'; readonly device: string }
  | { readonly kind: 'waiting'; readonly reason: 'loading' | 'linking' | 'busy' | 'storing' | 'reading' }
  /** `devices` have layers since that others had when the last token came; `gone` of those others went away. */
  | { readonly kind: 'moved'; readonly gone: readonly string[]; readonly devices: readonly string[] }
  /** Nobody who can be reached has room; 0 bytes: those who have it do not reach one another. */
  | { readonly kind: 'paused'; readonly missingBytes: number }
  | { readonly kind: 'resumed' };

export interface TokenLogProb {
  readonly token: number;
  readonly text: string;
  readonly logProb: number;
  readonly top: readonly { readonly token: number; readonly text: string; readonly logProb: number }[];
}

export interface GenerateResult {
  readonly finish: 'end' | 'stop-string' | 'max-tokens' | 'stopped' | 'context-full';
  /** With 'context-full'. */
  readonly waysOn?: WaysOn;
  readonly promptTokens: number;
  readonly reusedTokens: number;
  readonly answerTokens: number;
  readonly firstTokenMs: number;
  /** Decode only; 0 when fewer than two tokens came. */
  readonly tokensPerSecond: number;
  /** Turns dropped from the front to make room. */
  readonly droppedTurns: number;
  /** Tokens the conversation takes now, of the context. */
  readonly usedTokens: number;
  readonly contextTokens: number;
}

// ---------- room ----------

/** A device of the room, as the others know it. */
export interface RoomDevice {
  readonly device: string;
  readonly name: string;
  /** This window. */
  readonly own: boolean;
  /** `here`: heard of within seconds; `away`: not, or hidden; `joining`: its state has not come yet. */
  readonly presence: 'here' | 'away' | 'joining';
  readonly platform: DeviceReport['platform'];
  readonly compute: boolean;
  readonly budgetBytes: number;
  readonly freeBytes: number;
}

/** Layers [first, last) on a device. */
export interface RoomStage {
  readonly device: string;
  readonly first: number;
  readonly last: number;
  readonly phase: 'waiting' | 'loading' | 'ready' | 'failed' | 'away';
  readonly doneBytes: number;
  readonly totalBytes: number;
}

/** A model that the room runs, or is about to. */
export interface RoomModelView {
  readonly model: string;
  readonly name: string;
  /** Absent until its header was read here. */
  readonly layers?: number;
  readonly contextTokens: number;
  readonly phase: 'loading' | 'ready' | 'interrupted';
  readonly stages: readonly RoomStage[];
  /** Another way over the devices, which loads while answers run on this one. */
  readonly coming?: readonly RoomStage[];
  /** While it, or what is coming, loads: of all devices together, and until the last of them is done; absent while not known. */
  readonly bytesPerSecond?: number;
  readonly secondsLeft?: number;
  /** Answers that run on it now. */
  readonly answers: number;
}

export interface RoomView {
  /** `joining`: proved, or on the way; `asking`: somebody inside has to allow; `in`: a member. */
  readonly phase: 'joining' | 'asking' | 'in';
  /** Why joining does not go on. */
  readonly refused?: RoomRefusal;
  /** Where signaling lists the room; opens nothing. */
  readonly directory: string;
  /** What an invite holds: its address is the app's with `#/join/` and this. Absent while there is none to give. */
  readonly invite?: string;
  readonly self: string;
  /** Which of this browser's devices the window is; absent when nothing lasts. */
  readonly slot?: number;
  readonly askFirst: boolean;
  readonly devices: readonly RoomDevice[];
  readonly asking: readonly { readonly device: string; readonly name: string }[];
  /** Placed last comes first: it answers. */
  readonly models: readonly RoomModelView[];
  /** Why a stage could not be loaded here, for people. */
  readonly trouble?: string;
}

export type RoomRefusal =
  | 'removed'
  | 'old-invite'
  | 'version'
  | 'unknown'
  | 'denied'
  | 'expired'
  | 'busy'
  | 'full'
  | 'nobody-here';

// ---------- storage, settings, events ----------

export interface StorageReport {
  readonly files: readonly StoredFile[];
  readonly usedBytes: number;
  readonly quotaBytes: number;
  readonly persisted: boolean;
}

export interface Settings {
  /** Base URL of the hub or a mirror, no trailing slash. */
  readonly hubBaseUrl: string;
  /** Sent to that origin alone. Empty: none. */
  readonly hubToken: string;
  /** undefined: the default of this device. */
  readonly budgetBytes?: number;
  readonly contextTokens: number;
  /** For conformance and comparison; 'auto' takes f16 where the adapter has it. */
  readonly storage: 'auto' | 'f32';
}

/** What only the window can tell. */
export interface HostFacts {
  /** Where the app came from: its server's folder of models is asked there. */
  readonly origin: string;
  /** `navigator.maxTouchPoints`: iPadOS calls itself a Mac, and only this tells. */
  readonly maxTouchPoints: number;
  /**
   * This window, for as long as its page is open; and windows that were closed, or were not on the screen when last heard
   * of: those were not ended for their memory.
   */
  readonly window: string;
  readonly leftWindows: readonly string[];
  /** Of the app, as other devices of a room are told. */
  readonly appVersion: string;
  /** Offers `destroyDevice`, for tests. */
  readonly testHooks: boolean;
  /** False in tests that have no cores to spare: only kernels that a step needs are compiled. */
  readonly compilesAhead: boolean;
}

/** What happens without being asked for. */
export type WorkerEvent =
  | { readonly kind: 'device-lost'; readonly reason: 'lost' | 'out-of-memory' | 'validation'; readonly message: string }
  | { readonly kind: 'storage-changed' }
  /** The room changed; undefined: this window is in none any more. `removed`: another member took it out. */
  | { readonly kind: 'room'; readonly room: RoomView | undefined; readonly removed?: boolean };

/** How many layers each device takes, in the order of the layers. */
export type LayersByHand = readonly { readonly device: string; readonly layers: number }[];

/** What the window asks of the room. */
export interface RoomApi {
  room(): Promise<RoomView | undefined>;
  /** @param name what this device is called in it */
  makeRoom(name: string, askFirst: boolean): Promise<RoomView>;
  /** @throws PersonError (`details.problem`) where the text is no invite, or one of another version */
  joinRoom(invite: string, name: string): Promise<RoomView>;
  /**
   * Enters the room again that this window was in when it was closed or reloaded, if any.
   * @param slotBefore `RoomView.slot` of then, where the window remembers it
   */
  returnToRoom(slotBefore?: number): Promise<RoomView | undefined>;
  /** For good: the others forget this device too. */
  leaveRoom(): Promise<void>;
  setAskFirst(askFirst: boolean): Promise<void>;
  answerAsking(device: string, allow: boolean): Promise<void>;
  removeDevice(device: string): Promise<void>;
  /**
   * Lays a model over the room's devices: the fewest that hold it, unless `byHand` says who takes how many layers, in
   * order. Conversations without a model of this window are answered by it.
   * @throws MemoryError where they lack room, PersonError where `byHand` does not add up to the model's layers
   */
  placeInRoom(source: ModelSource, contextTokens: number, byHand?: LayersByHand): Promise<void>;
  /**
   * Lays a model of the room (`RoomModelView.model`) over the devices that are here anew: as `byHand` says, else by what
   * they have free.
   * @throws MemoryError where they lack room, or a device for what it is given (`details.most` layers fit there),
   * PersonError where `byHand` does not add up to the model's layers or names a device that cannot take any now
   */
  layOut(model: string, byHand?: LayersByHand): Promise<void>;
}

export interface WorkerApi {
  /** First call. */
  start(settings: Settings, host: HostFacts, onEvent: (event: WorkerEvent) => void): Promise<DeviceReport>;
  device(): Promise<DeviceReport>;
  changeSettings(settings: Settings): Promise<DeviceReport>;
  /** The person set the memory budget, be it to what it was: what an interrupted load took of it is given back. */
  chooseBudget(settings: Settings): Promise<DeviceReport>;

  catalogue(contextTokens: number): Promise<readonly CatalogueEntry[]>;
  /** The file of a catalogue entry, found on the hub. */
  resolve(entryId: string): Promise<ModelSource>;
  /** @param revision branch, tag or commit; the main branch unless given */
  hubFiles(repository: string, revision?: string): Promise<HubRepository>;
  /** Empty when the server offers none or cannot be reached. */
  serverModels(): Promise<readonly ServerModel[]>;
  /** Reads the header only. */
  inspect(source: ModelSource, contextTokens: number): Promise<ModelSummary>;

  /**
   * Downloads what is missing and loads it on the GPU as it comes. A model that is loaded answers until all of the other
   * one is here, and is freed then; one that cannot be had, or does not fit, costs it nothing.
   * `pauseLoad` makes it reject with CancelledError; what came is kept, and the same call resumes.
   */
  load(source: ModelSource, contextTokens: number, onEvent: (event: LoadEvent) => void): Promise<LoadedModel>;
  pauseLoad(): Promise<void>;
  unload(): Promise<void>;
  loaded(): Promise<LoadedModel | undefined>;

  generate(request: GenerateRequest, onEvent: (event: GenerateEvent) => void): Promise<GenerateResult>;
  /** The answer so far stays; the request resolves with finish 'stopped'. */
  stop(id: string): Promise<void>;
  /** Frees a conversation's KV. */
  forget(conversation: string): Promise<void>;

  storage(): Promise<StorageReport>;
  remove(key: string): Promise<void>;

  /** Destroys the GPU device as a driver's crash would. Refused unless HostFacts.testHooks. */
  destroyDevice(): Promise<void>;
}
