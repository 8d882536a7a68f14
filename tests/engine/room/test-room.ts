import { Engine } from '../../../worker/generation/engine.ts';
import type { TokenRequest } from '../../../worker/generation/run.ts';
import { makeRoom, namesOfRoom, openDevice } from '../../../worker/mesh/identity/index.ts';
import type { ToWindow } from '../../../worker/mesh/link/index.ts';
import { channelPair, type TestChannel } from '../../../worker/mesh/link/test-channels.ts';
import type { DeviceProfile, StageAssignment } from '../../../worker/mesh/types.ts';
import { MemoryClaims } from '../../../worker/service/memory-claims.ts';
import type { OpenedModel } from '../../../worker/service/model-files.ts';
import { modelKey } from '../../../worker/service/room/model-key.ts';
import { Room } from '../../../worker/service/room/room.ts';
import { RoomEngine } from '../../../worker/service/room/room-engine.ts';
import type { SessionEvent } from '../../../worker/service/room/room-host.ts';
import { RoomModels } from '../../../worker/service/room/room-models.ts';
import { RoomStages } from '../../../worker/service/room/room-stages.ts';
import { SessionStore } from '../../../worker/service/room/session-store.ts';
import { SHARD_BYTES } from '../../../worker/shards/types.ts';
import { readGgufHeader } from '../../../worker/weights/gguf.ts';
import { openEnvironment } from '../../kernels/open.ts';
import { model as gguf } from '../model.ts';
import { openStage } from '../open.ts';

export const CONTEXT_TOKENS = 256;
export const MODEL = modelKey({
  where: { kind: 'server', file: 'drawn.gguf', etag: '"1"' },
  contextTokens: CONTEXT_TOKENS,
});
const SDP = `v=0\r\nm=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\na=fingerprint:sha-256 ${Array.from({ length: 32 }, () => 'AB').join(':')}\r\n`;
const DELIVER_MS = 1;
/** As the directory is asked again: on busy cores a proof may miss its limit. */
const LIST_MS = 3000;

/** The file, read as the cache would give it. */
async function openModel(): Promise<OpenedModel> {
  const { signal } = new AbortController();
  const bytes = gguf;
  const size = bytes.length;
  const read = async (start: number, end: number) => bytes.slice(start, end);
  const checkpoint = await readGgufHeader(read, size, signal);
  const file = {
    identity: { kind: 'url', address: 'https://shoal.example/models/drawn.gguf', etag: '"1"' } as const,
    size,
    has: async () => true,
    readRange: read,
    async *shards(indices: readonly number[]) {
      for (const index of indices) {
        const offset = index * SHARD_BYTES;
        yield { index, offset, bytes: await read(offset, Math.min(size, offset + SHARD_BYTES)), release: () => {} };
      }
    },
    verifyWhole: async () => 'no-origin-hash' as const,
  };
  return {
    source: { kind: 'server', file: 'drawn.gguf' },
    fileName: 'drawn.gguf',
    file: file as unknown as OpenedModel['file'],
    checkpoint,
  };
}

/** What one device alone says, by the engine that runs whole models. */
export async function saidAlone(request: Omit<TokenRequest, 'onToken' | 'signal'>): Promise<number[]> {
  const gpu = await openEnvironment('driver', 'f32');
  const { stage } = await openStage(gpu, gguf, { contextTokens: CONTEXT_TOKENS });
  const engine = new Engine(stage, CONTEXT_TOKENS, 1);
  const said: number[] = [];
  const onToken = ({ token }: { token: number }) => void said.push(token) as unknown as boolean;
  await engine.generate({ ...request, signal: new AbortController().signal, onToken });
  engine.close();
  stage.free();
  gpu.close();
  return said;
}

/** Windows, signaling and the air between them: who is listed is called, and what is sent arrives a moment later. */
export class TestNetwork {
  readonly devices: TestDevice[] = [];
  readonly #channels: { readonly ends: readonly [TestChannel, TestChannel]; readonly of: readonly TestDevice[] }[] = [];
  readonly #timer = setInterval(() => this.#deliver(), DELIVER_MS);
  readonly #lists = setInterval(() => {
    for (const device of this.devices) if (!device.dead) this.list(device);
  }, LIST_MS);
  #connections = 0;

  /** @param computes whether it has a GPU; then its budget holds the whole model */
  async device(name: string, computes: boolean): Promise<TestDevice> {
    const device = await TestDevice.open(this, name, computes);
    this.devices.push(device);
    return device;
  }

  call(from: TestDevice, addresses: readonly string[]): void {
    for (const address of addresses) {
      const to = this.devices.find((device) => device.address === address && device.room !== undefined && !device.dead);
      if (to === undefined) from.room?.links.receive({ kind: 'unreachable', address, stage: 'signaling' });
      else if (to !== from && !this.#connected(from, to)) this.#connect(from, to);
    }
  }

  /** A device joins in: those who are there are listed to it. */
  list(to: TestDevice): void {
    const others = this.devices.filter((device) => device !== to && device.room !== undefined && !device.dead);
    const addresses = others.filter((device) => !this.#connected(to, device)).map((device) => device.address);
    to.room?.links.receive({ kind: 'address', address: to.address });
    to.room?.links.receive({ kind: 'listed', addresses });
  }

  async close(): Promise<void> {
    for (const device of this.devices) await device.close();
    clearInterval(this.#timer);
    clearInterval(this.#lists);
  }

  #connected(a: TestDevice, b: TestDevice): boolean {
    return this.#channels.some(({ ends, of }) => of.includes(a) && of.includes(b) && ends[0].readyState !== 'closed');
  }

  #connect(from: TestDevice, to: TestDevice): void {
    const connection = ++this.#connections;
    const control = channelPair();
    const data = channelPair();
    const of = [from, to];
    this.#channels.push({ ends: control, of }, { ends: data, of });
    for (const [i, device] of of.entries()) {
      device.room?.links.receive({
        kind: 'connection',
        connection,
        side: i === 0 ? 'called' : 'answered',
        address: (of[1 - i] as TestDevice).address,
        ownAddress: device.address,
        control: control[i] as unknown as RTCDataChannel,
        data: data[i] as unknown as RTCDataChannel,
      });
      device.room?.links.receive({
        kind: 'described',
        connection,
        ownDescription: SDP,
        description: SDP,
        maxMessageBytes: 262144,
      });
    }
    for (const channel of [...control, ...data]) channel.open();
  }

  #deliver(): void {
    for (const { ends, of } of this.#channels) {
      if (of.some(({ dead }) => dead)) continue;
      for (const end of ends) if (end.readyState === 'open') end.deliver();
    }
  }
}

export class TestDevice {
  readonly address: string;
  room: Room | undefined;
  /** Killed: nothing leaves it, nothing reaches it. */
  dead = false;
  readonly events: SessionEvent[] = [];
  readonly troubles: unknown[] = [];
  readonly id: string;
  readonly #network: TestNetwork;
  readonly #parts: Omit<ConstructorParameters<typeof Room>[0], 'names'>;
  #engine: RoomEngine | undefined;
  #secret = '';
  #ticker: ReturnType<typeof setInterval> | undefined;

  static async open(network: TestNetwork, name: string, computes: boolean): Promise<TestDevice> {
    const device = await openDevice({});
    const key = device.key;
    const models = new RoomModels({ open: openModel });
    await models.read(MODEL, new AbortController().signal);
    const profile: DeviceProfile = { compute: computes, budgetBytes: 0, storage: 'f32', platform: 'linux' };
    const budgetBytes = computes ? models.bytes(MODEL, 0, models.layers(MODEL) as number, profile) : 0;
    return new TestDevice(network, name, { device, key, models, profile: { ...profile, budgetBytes } });
  }

  constructor(
    network: TestNetwork,
    name: string,
    opened: Pick<ConstructorParameters<typeof Room>[0], 'device' | 'key' | 'profile'> & { readonly models: RoomModels },
  ) {
    this.#network = network;
    this.id = opened.key.device;
    this.address = `at-${name.replace(' ', '-')}`;
    this.#parts = {
      ...opened,
      name,
      appVersion: 'test',
      wireVersion: 1,
      stages: (feed) =>
        new RoomStages({
          models: opened.models,
          claims: new MemoryClaims(undefined),
          openGpu: () => openEnvironment('driver', 'f32'),
          budgetBytes: () => opened.profile.budgetBytes,
          wire: 'f32',
          feed,
          onTrouble: (error) => this.troubles.push(error),
        }),
      store: (feed) =>
        new SessionStore({
          records: { set: async () => {}, delete: async () => {}, startingWith: async () => [] },
          prefix: '',
          stored: (session, ticket) => feed({ kind: 'stored', session, ticket }),
          failed: (error) => this.troubles.push(error),
          recovered: () => {},
        }),
      now: () => performance.now(),
      random: Math.random,
      post: (message) => this.#post(message),
      onSession: (event) => {
        this.events.push(event);
        this.#engine?.receive(event);
      },
      onMembers: () => {},
      onRemoved: () => {},
      onTrouble: (error) => this.troubles.push(error),
    };
  }

  /** Makes a room of one; returns what an invite holds. */
  async make(): Promise<{ secret: string; inviteKey: string }> {
    const { names, roster, keys } = await makeRoom(this.#parts.key, this.#parts.name);
    this.#start(new Room({ ...this.#parts, names }, { roster, keys, askFirst: false, askFirstChange: 0 }));
    this.#secret = names.secret;
    return this.invite();
  }

  /** What an invite of a member holds now. */
  invite(): { secret: string; inviteKey: string } {
    return { secret: this.#secret, inviteKey: this.room?.members?.inviteKey as string };
  }

  async join({ secret, inviteKey }: { secret: string; inviteKey: string }): Promise<void> {
    const names = await namesOfRoom(secret);
    this.#secret = secret;
    this.#start(new Room({ ...this.#parts, names }, { inviteKey }));
  }

  ask(
    request: Omit<TokenRequest, 'onToken' | 'signal'> & Partial<Pick<TokenRequest, 'onToken' | 'signal' | 'onRoom'>>,
  ) {
    const said: number[] = [];
    this.#engine ??= new RoomEngine({
      device: this.id,
      model: MODEL,
      contextTokens: CONTEXT_TOKENS,
      endTokens: [],
      feed: (input) => this.room?.host?.feed(input),
      nameOf: (device) => device,
    });
    const done = this.#engine.generate({
      signal: new AbortController().signal,
      ...request,
      onToken: (sampled) => {
        said.push(sampled.token);
        return request.onToken?.(sampled) ?? false;
      },
    });
    return { said, done };
  }

  /** Lays the model's layers over devices by hand, in this order. */
  place(...devices: readonly TestDevice[]): readonly StageAssignment[] {
    const layers = this.#parts.models.layers(MODEL) as number;
    const cut = (i: number) => Math.round((layers * i) / devices.length);
    const stages = devices.map(({ id }, i) => ({ device: id, first: cut(i), last: cut(i + 1) }));
    this.room?.host?.feed({ kind: 'place', model: MODEL, stages });
    return stages;
  }

  /** From now on it is silent, as after SIGKILL: no channel closes. */
  kill(): void {
    this.dead = true;
  }

  async close(): Promise<void> {
    clearInterval(this.#ticker);
    await this.room?.close();
  }

  #start(room: Room): void {
    this.room = room;
    this.#ticker = setInterval(() => room.links.tick(), 125);
    this.#network.list(this);
  }

  #post(message: ToWindow): void {
    // a window answers later
    if (message.kind === 'call') queueMicrotask(() => this.#network.call(this, message.addresses));
  }
}

export async function until(what: string, holds: () => boolean, limitMs = 30_000): Promise<void> {
  for (const end = performance.now() + limitMs; !holds(); ) {
    if (performance.now() > end) throw new Error(`In ${limitMs} ms it did not come: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
