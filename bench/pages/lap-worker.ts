/** The worker of `npm run bench -- lap`: a room as the app has it, with stages that only wait. */
import { expose } from 'comlink';
import { GREEDY } from '../../tests/setup/greedy.mjs';
import { Readbacks } from '../../worker/generation/readbacks.ts';
import { openGpu } from '../../worker/gpu/device.ts';
import { padded } from '../../worker/gpu/step.ts';
import {
  type DeviceKey,
  generateKey,
  makeRoom,
  namesOfRoom,
  openKey,
  type RoomNames,
} from '../../worker/mesh/identity/index.ts';
import { RecordStore } from '../../worker/mesh/identity/store.ts';
import { attachLinks, type WindowPort } from '../../worker/mesh/link/index.ts';
import { WIRE_VERSION } from '../../worker/mesh/wire/frame.ts';
import { MemoryClaims } from '../../worker/service/memory-claims.ts';
import { Room } from '../../worker/service/room/room.ts';
import type { SessionEvent } from '../../worker/service/room/room-host.ts';
import { RoomModels } from '../../worker/service/room/room-models.ts';
import { RoomStages } from '../../worker/service/room/room-stages.ts';
import { SessionStore } from '../../worker/service/room/session-store.ts';
import { BareChannel } from './lap-bare.ts';
import { Measuring, readLapModel, type Visit, VOCABULARY, waitingStage } from './lap-stage.ts';

const BUDGET_BYTES = 1e9;
const PROMPT_TOKENS = 8;

type Start = ConstructorParameters<typeof Room>[1];

const bareChannels = new Map<number, BareChannel>();
let key: DeviceKey;
let room: Room;
let measuring: Measuring | undefined;
const troubles: string[] = [];
/** Of the session that this device drives. */
let heard: (event: SessionEvent) => void = () => {};
/** Ends of the laps that this device drives. */
let lapsOver: readonly number[] = [];
let lapOver: () => void = () => {};

/** Until the driver has the token of the lap before. */
async function isLapOver(): Promise<void> {
  const before = measuring?.visits.length ?? 0;
  while (lapsOver.length < before) {
    await new Promise<void>((resolve) => {
      lapOver = resolve;
    });
  }
}

addEventListener('message', ({ data }: MessageEvent) => {
  const { connection, channel } =
    (data as { bare?: { connection: number; channel: RTCDataChannel } } | null)?.bare ?? {};
  if (connection !== undefined && channel !== undefined) bareChannels.set(connection, new BareChannel(channel));
});

function enter(names: RoomNames, name: string, start: Start): void {
  const onTrouble = (error: unknown) => troubles.push(String(error));
  const noFiles = new RoomModels({
    open: async () => {
      throw new Error('These models have no files.');
    },
  });
  room = new Room(
    {
      device: { incarnation: 1 } as never,
      key,
      names,
      name,
      profile: { compute: true, budgetBytes: BUDGET_BYTES, storage: 'f16', platform: 'linux' },
      appVersion: 'bench',
      wireVersion: WIRE_VERSION,
      models: {
        layers: (model) => readLapModel(model)?.devices,
        bytes: () => 1,
        slots: () => noFiles.slots(),
        read: (model, signal) => noFiles.read(model, signal),
      },
      stages: (feed) =>
        new RoomStages({
          models: noFiles,
          claims: new MemoryClaims(undefined),
          openGpu: async () => {
            throw new Error('These stages need no GPU.');
          },
          budgetBytes: () => BUDGET_BYTES,
          wire: 'f16',
          feed,
          onTrouble,
          loadWork: async (stage) => {
            const model = readLapModel(stage.model);
            return model && waitingStage(stage, model, () => measuring, isLapOver);
          },
        }),
      store: (feed) =>
        new SessionStore({
          records: new RecordStore('lap'),
          prefix: `${key.device}:`,
          stored: (session, ticket) => feed({ kind: 'stored', session, ticket }),
          failed: onTrouble,
          recovered: () => {},
        }),
      now: () => performance.now(),
      random: Math.random,
      post: (message) => postMessage({ room: message }),
      onSession: (event) => heard(event),
      onMembers: () => {},
      onRemoved: () => {},
      onTrouble,
    },
    start,
  );
  attachLinks(globalThis as unknown as WindowPort, room.links);
}

/** Answers, and the moments at which its tokens came. */
function answer(session: string, model: string, tokens: readonly number[], maxTokens: number, onToken: () => void) {
  return new Promise<void>((resolve) => {
    heard = (event) => {
      if (event.session !== session) return;
      if (event.kind === 'tokens') for (const _ of event.tokens) onToken();
      if (event.kind === 'answered') resolve();
    };
    room.host?.feed({
      kind: 'answer',
      session,
      model,
      tokens,
      maxTokens,
      stopTokens: [],
      sampler: { ...GREEDY, promptTokens: tokens.length },
    });
  });
}

const bench = {
  async make(name: string) {
    key = await openKey(await generateKey());
    const { names, roster, keys } = await makeRoom(key, name);
    enter(names, name, { roster, keys, askFirst: false, askFirstChange: 0 });
    return { secret: names.secret, inviteKey: room.members?.inviteKey as string, directory: names.directory };
  },

  async join(name: string, secret: string, inviteKey: string): Promise<void> {
    key = await openKey(await generateKey());
    enter(await namesOfRoom(secret), name, { inviteKey });
  },

  state() {
    return {
      device: key?.device,
      isMember: room?.members !== undefined,
      links: room?.links.open.map(({ device }) => device) ?? [],
      troubles,
    };
  },

  /** From now on runs of so many rows are measured, and before each a bare message of `bytes` to `next`. */
  arm(options: { rows: number; bytes: number; pilot: number; next: string | undefined }): void {
    const next = () => {
      const link = room.links.open.find(({ device }) => device === options.next);
      return link && bareChannels.get(link.connection);
    };
    measuring = new Measuring({ ...options, next });
  },

  visits(): readonly Visit[] {
    return measuring?.visits ?? [];
  },

  /** What it takes to read rows of states from an idle GPU as a stage does, ms; undefined without a GPU. */
  async readbacks(hiddenSize: number, rows: number, count: number): Promise<number[] | undefined> {
    const adapter = await navigator.gpu?.requestAdapter();
    if (!adapter) return undefined;
    const gpu = await openGpu(adapter, { storage: 'f32', budgetBytes: BUDGET_BYTES });
    const bytes = rows * padded(hiddenSize) * 4;
    const { COPY_DST, COPY_SRC, MAP_READ, STORAGE } = GPUBufferUsage;
    const hidden = gpu.ledger.buffer('hidden', bytes, 'scratch', STORAGE | COPY_SRC | COPY_DST);
    const readbacks = new Readbacks([gpu.ledger.buffer('readback', bytes, 'scratch', MAP_READ | COPY_DST)]);
    const times: number[] = [];
    for (let i = 0; i < count; i++) {
      gpu.device.queue.writeBuffer(hidden, 0, new Float32Array(bytes / 4).fill(i));
      await gpu.device.queue.onSubmittedWorkDone();
      const begin = performance.now();
      const encoder = gpu.device.createCommandEncoder();
      const read = readbacks.copy(encoder, hidden, [{ start: 0, bytes }]);
      gpu.device.queue.submit([encoder.finish()]);
      const values = new Float32Array(await read());
      times.push(performance.now() - begin);
      if (values.at(-1) !== i) throw new Error('The GPU gave other states than were written.');
    }
    gpu.close();
    return times;
  },

  /** Lays a model over devices, a layer each. */
  place(model: string, devices: readonly string[]): void {
    room.host?.feed({ kind: 'place', model, stages: devices.map((device, i) => ({ device, first: i, last: i + 1 })) });
  },

  /**
   * So many laps, driven from here; returns when each of them ended, on this device's clock. Of laps of several rows there
   * are fewer where they take longer than `limitMs`, but `least`.
   */
  async laps(
    model: string,
    session: string,
    { rows, count, least, limitMs }: { rows: number; count: number; least: number; limitMs: number },
  ): Promise<number[]> {
    const ends: number[] = [];
    const limit = performance.now() + limitMs;
    lapsOver = ends;
    const end = () => {
      ends.push(performance.now());
      lapOver();
    };
    if (rows === 1) {
      // the prompt's lap is of other rows
      let isFirst = true;
      await answer(session, model, tokensFrom(0, PROMPT_TOKENS), count + 1, () => {
        if (!isFirst) end();
        isFirst = false;
      });
      return ends;
    }
    // other tokens each time: nothing of the lap before is of use
    for (let i = 0; i < count && (i < least || performance.now() < limit); i++) {
      await answer(session, model, tokensFrom(i + 1, rows), 1, end);
    }
    return ends;
  },
};

function tokensFrom(first: number, count: number): number[] {
  return Array.from({ length: count }, (_, i) => (first + i) % VOCABULARY);
}

export type LapBench = typeof bench;
expose(bench);
