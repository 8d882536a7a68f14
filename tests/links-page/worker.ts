/** The worker of the page: links with the real proof, and frames whose bytes follow from their numbers. */
import { expose } from 'comlink';
import * as v from 'valibot';
import {
  generateKey,
  makeRoom,
  membershipOf,
  namesOfRoom,
  type OwnPart,
  openKey,
  Prover,
  type RoomNames,
  Verifier,
} from '../../worker/mesh/identity/index.ts';
import { attachLinks } from '../../worker/mesh/link/attach.ts';
import type { Link } from '../../worker/mesh/link/link.ts';
import { Links } from '../../worker/mesh/link/links.ts';
import { controlCodec } from '../../worker/mesh/wire/control.ts';
import type { Frame } from '../../worker/mesh/wire/frame.ts';
import { fromHalves, fromHalvesByHand, toHalves, toHalvesByHand } from '../../worker/mesh/wire/halves.ts';

const GoodbyeSchema = v.strictObject({ kind: v.literal('goodbye') });
const NoteSchema = v.strictObject({ kind: v.literal('note'), text: v.string() });
const codec = controlCodec([GoodbyeSchema, NoteSchema]);
type Message = v.InferOutput<typeof GoodbyeSchema | typeof NoteSchema>;

const SESSIONS = 4;
const heard: (Message['kind'] | `closed ${string}`)[] = [];
const notes: string[] = [];
const failures: string[] = [];
const received = { frames: 0, bytes: 0, broken: 0, outOfOrder: 0 };
const lastOfSession = new Map<string, number>();

const own = generateKey().then(openKey);
/** Whether to call everybody who is listed. */
let callsListed = true;
let room: { readonly names: RoomNames; readonly part: OwnPart } | undefined;

const links = new Links<Message>({
  now: () => performance.now(),
  post: (message) => postMessage({ room: message }),
  codec,
  createProver: async (context) => {
    if (!room) throw new Error('make or join comes first');
    return new Prover({ key: await own, room: room.names, part: room.part, ...context });
  },
  opened: (link) => ({
    control: (message) => {
      heard.push(message.kind);
      if (message.kind === 'note') notes.push(message.text);
    },
    frame: (frame) => take(link, frame),
    closed: (reason) => heard.push(`closed ${reason}`),
  }),
  choose: (addresses) => (callsListed ? addresses : []),
  failed: (_, { reason, by }) => failures.push(`${reason} by ${by}`),
  leaving: () => {
    for (const link of links.open) link.sendControl({ kind: 'goodbye' });
  },
  returned: () => {
    for (const link of links.open) link.sendControl({ kind: 'note', text: 'here again' });
  },
});
attachLinks(globalThis as unknown as Parameters<typeof attachLinks>[0], links);

function frameOf(seed: number, number: number): Frame {
  const random = mix(seed * 65_537 + number);
  // as many of 4 to 8 bytes as of 128 to 256 KiB
  const words = Math.max(1, Math.round(2 ** (((random % 1000) / 1000) * 16)));
  const payload = new Uint32Array(words);
  for (let i = 0; i < words; i++) payload[i] = mix(random + i);
  return {
    kind: 'rows',
    type: 'u32',
    wantsToken: number % 2 === 1,
    epoch: seed,
    session: (random % SESSIONS).toString(16).padStart(16, 'a'),
    attempt: 1,
    position: number,
    rows: 1,
    slot: 3,
    payload: new Uint8Array(payload.buffer),
  };
}

function take(_link: Link<Message>, frame: Frame): void {
  received.frames++;
  received.bytes += frame.payload.byteLength;
  const expected = frameOf(frame.epoch, frame.position);
  const { payload, ...fields } = frame;
  const { payload: bytes, ...expectedFields } = expected;
  const same = JSON.stringify(fields) === JSON.stringify(expectedFields) && payload.length === bytes.length;
  if (!same || !payload.every((byte, i) => byte === bytes[i])) received.broken++;
  if ((lastOfSession.get(frame.session) ?? -1) >= frame.position) received.outOfOrder++;
  lastOfSession.set(frame.session, frame.position);
}

function mix(value: number): number {
  let x = Math.imul(value ^ 0x9e3779b9, 0x85ebca6b);
  x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35);
  return (x ^ (x >>> 16)) >>> 0;
}

const worker = {
  /** A room of one: this device is a member. */
  async make(): Promise<{ secret: string; key: string; directory: string }> {
    const made = await makeRoom(await own, 'Maker');
    const membership = membershipOf(made.roster);
    const verifier = new Verifier(made.names.id);
    room = {
      names: made.names,
      part: { role: 'member', membership: () => membership, keys: () => made.keys, verifier },
    };
    return { secret: made.names.secret, key: made.keys[0]?.key ?? '', directory: made.names.directory };
  },

  async join(secret: string, inviteKey: string): Promise<void> {
    room = { names: await namesOfRoom(secret), part: { role: 'newcomer', inviteKey } };
  },

  state() {
    return {
      links: links.open.map((link) => ({
        device: link.device,
        address: link.address,
        side: link.side,
        queuedBytes: link.queuedBytes,
        ...link.statistics,
      })),
      heard,
      notes,
      failures,
      received,
    };
  },

  note(text: string): boolean[] {
    return links.open.map((link) => link.sendControl({ kind: 'note', text }));
  },

  /** Sends so many frames of 4 B to 256 KiB over the first link, as fast as it takes them; returns their bytes. */
  async send(count: number, seed: number): Promise<number> {
    const link = links.open[0];
    if (!link) throw new Error('there is no link');
    let bytes = 0;
    for (let number = 0; number < count; number++) {
      const frame = frameOf(seed, number);
      while (!link.sendFrame(frame)) {
        if (link.closed) throw new Error('the link closed');
        await link.drained();
      }
      bytes += frame.payload.byteLength;
    }
    return bytes;
  },

  /** What this browser's Float16Array and the code by hand make of every half and of what lies between two. */
  compareHalves(): { native: boolean; differences: number } {
    const all = Uint16Array.from({ length: 0x10000 }, (_, half) => half);
    const values = fromHalvesByHand(all);
    const native = fromHalves(all);
    let differences = values.filter((value, i) => !Object.is(value, native[i])).length;
    for (let offset = -3; offset <= 3; offset++) {
      const near = new Float32Array(0x10000);
      const bits = new Uint32Array(near.buffer);
      // around each half and around the middle between it and the next
      for (let half = 0; half < 0x10000; half++) {
        near[half] = values[half] as number;
        if ((half & 0x7c00) !== 0x7c00) bits[half] = (bits[half] as number) + 0x1000 * (half & 1) + offset;
      }
      const numbers = near.filter((value) => !Number.isNaN(value));
      const [byHand, byEngine] = [toHalvesByHand(numbers), toHalves(numbers)];
      differences += byHand.filter((half, i) => half !== byEngine[i]).length;
    }
    return { native: 'Float16Array' in globalThis, differences };
  },

  callNobody(): void {
    callsListed = false;
  },

  call(address: string): void {
    links.call([address]);
  },
};

export type LinksWorker = typeof worker;
expose(worker);
