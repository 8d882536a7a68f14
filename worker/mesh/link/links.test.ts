import fc from 'fast-check';
import * as v from 'valibot';
import { describe, expect, test } from 'vitest';
import { controlCodec } from '../wire/control.ts';
import type { Frame } from '../wire/frame.ts';
import { MAX_PROOF_BYTES, OPENING_TIMEOUT_MS } from './handshake.ts';
import type { CloseReason, Link } from './link.ts';
import { GAP_MS, holds, Links, type LinksOptions, MAX_UNPROVED, TICK_MS } from './links.ts';
import { channelPair, namingProver, settle, type TestChannel } from './test-channels.ts';
import type { ToWindow, ToWorker } from './window-messages.ts';

const note = v.strictObject({ kind: v.literal('note'), text: v.string() });
const codec = controlCodec([note]);
type Note = v.InferOutput<typeof note>;

const fingerprint = Array.from({ length: 32 }, () => 'AB').join(':');
const SDP = `v=0\r\nm=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\na=fingerprint:sha-256 ${fingerprint}\r\n`;
const FRAME: Frame = {
  kind: 'tokens',
  type: 'u32',
  wantsToken: false,
  epoch: 1,
  session: '00000000000000aa',
  attempt: 1,
  position: 7,
  rows: 1,
  slot: 0,
  payload: new Uint8Array([1, 0, 0, 0]),
};

/** A device with its links, its window's ears, and what it heard. */
function makeDevice(name: string, clock: { ms: number }, more: Partial<LinksOptions<Note>> = {}) {
  const posted: ToWindow[] = [];
  const heard: (Note | Frame | { closed: CloseReason; by: Link<Note> })[] = [];
  const opened: Link<Note>[] = [];
  const links = new Links<Note>({
    now: () => clock.ms,
    post: (message) => posted.push(message),
    codec,
    createProver: () => namingProver(name),
    opened: (link) => {
      opened.push(link);
      return {
        control: (message) => heard.push(message),
        frame: (frame) => heard.push(frame),
        closed: (closed) => heard.push({ closed, by: link }),
      };
    },
    ...more,
  });
  return { name, links, posted, heard, opened };
}
type Device = ReturnType<typeof makeDevice>;

/** What the windows of two devices do when one calls the other; `number` names the connection on both. */
function connect(caller: Device, called: Device, number = 1) {
  const control = channelPair();
  const data = channelPair();
  const ends = [caller, called].map((device, i) => {
    const other = i === 0 ? called : caller;
    const begin = () =>
      device.links.receive({
        kind: 'connection',
        connection: number,
        side: i === 0 ? 'called' : 'answered',
        address: `at-${other.name}`,
        ownAddress: `at-${device.name}`,
        control: control[i] as unknown as RTCDataChannel,
        data: data[i] as unknown as RTCDataChannel,
      });
    const describe = (ownDescription = SDP) =>
      device.links.receive({
        kind: 'described',
        connection: number,
        ownDescription,
        description: SDP,
        maxMessageBytes: 262144,
      });
    return { begin, describe, control: control[i] as TestChannel, data: data[i] as TestChannel };
  });
  const [one, two] = ends as [(typeof ends)[0], (typeof ends)[0]];
  const channels = [one.control, one.data, two.control, two.data];
  const carry = async () => {
    for (let turn = 0; turn < 10; turn++) {
      for (const channel of channels) channel.deliver();
      await settle();
    }
  };
  return { one, two, channels, carry };
}

async function connected(caller: Device, called: Device, number = 1) {
  const pair = connect(caller, called, number);
  for (const end of [pair.one, pair.two]) {
    end.begin();
    end.describe();
  }
  for (const channel of pair.channels) channel.open();
  await pair.carry();
  return pair;
}

describe('links', () => {
  test('two devices that prove themselves talk', async () => {
    const clock = { ms: 0 };
    const [ann, bob] = [makeDevice('ann', clock), makeDevice('bob', clock)];
    const { carry } = await connected(ann, bob);
    expect(ann.posted).toEqual([
      { kind: 'taken', connection: 1 },
      { kind: 'proved', connection: 1, device: 'bob' },
    ]);
    expect(bob.opened[0]?.device).toBe('ann');
    ann.links.to('bob')?.sendControl({ kind: 'note', text: 'hello' });
    ann.links.to('bob')?.sendFrame(FRAME);
    await carry();
    expect(bob.heard).toEqual([{ kind: 'note', text: 'hello' }, FRAME]);
    expect(bob.opened[0]?.statistics.drops).toEqual({});
  });

  test('nothing but `ready` is said before both sides listen on both channels, in whatever order they come', async () => {
    const STEPS = ['begin0', 'begin1', 'open0', 'open1', 'open2', 'open3', 'describe0', 'describe1'] as const;
    await fc.assert(
      fc.asyncProperty(
        fc.shuffledSubarray([...STEPS], { minLength: STEPS.length }),
        fc.array(fc.boolean(), { minLength: STEPS.length, maxLength: STEPS.length }),
        async (steps, carries) => {
          const clock = { ms: 0 };
          const [ann, bob] = [makeDevice('ann', clock), makeDevice('bob', clock)];
          const pair = connect(ann, bob);
          const ends = [pair.one, pair.two];
          const begun = [false, false];
          for (const [i, step] of steps.entries()) {
            const which = Number(step.at(-1));
            if (step.startsWith('begin')) {
              begun[which] = true;
              ends[which]?.begin();
            } else if (step.startsWith('open')) pair.channels[which]?.open();
            // a window describes what it has handed over
            else if (begun[which]) ends[which]?.describe();
            if (carries[i]) await pair.carry();
            const both = begun.every(Boolean) && pair.channels.every(({ readyState }) => readyState === 'open');
            if (!both) expect(new Set(pair.channels.flatMap(({ sent }) => sent))).toEqual(saidSoFar(pair.channels));
          }
          for (const end of ends) end?.describe();
          await pair.carry();
          expect(ann.links.open.map(({ device }) => device)).toEqual(['bob']);
          expect(bob.links.open.map(({ device }) => device)).toEqual(['ann']);
        },
      ),
    );
  });

  test('what a quick peer says while its proof is looked at is not lost', async () => {
    const clock = { ms: 0 };
    let judge = () => {};
    const slow = new Promise<void>((resolve) => {
      judge = resolve;
    });
    const ann = makeDevice('ann', clock);
    const bob = makeDevice('bob', clock, {
      createProver: () => {
        const prover = namingProver('bob');
        return { ...prover, receive: async (message, now) => slow.then(() => prover.receive(message, now)) };
      },
    });
    const { carry } = await connected(ann, bob);
    expect(bob.opened).toHaveLength(0);
    ann.links.to('bob')?.sendControl({ kind: 'note', text: 'x'.repeat(60_000) });
    ann.links.to('bob')?.sendFrame(FRAME);
    await carry();
    judge();
    await carry();
    expect(bob.heard).toEqual([{ kind: 'note', text: 'x'.repeat(60_000) }, FRAME]);
  });

  test('a device that proves nothing gets nothing, and is told why it failed', async () => {
    const clock = { ms: 0 };
    const failures: unknown[] = [];
    const ann = makeDevice('ann', clock, { failed: (address, failure) => failures.push({ address, ...failure }) });
    const strangers = (['too long', 'wrong', 'flood', 'silent'] as const).map((name, i) => {
      const stranger = makeDevice('stranger', clock);
      const pair = connect(stranger, ann, i);
      pair.two.begin();
      pair.two.describe();
      for (const channel of pair.channels) channel.open();
      return { name, ...pair };
    });
    for (const { name, one, carry } of strangers) {
      one.control.send('ready');
      one.data.send('ready');
      await carry();
      if (name === 'too long') one.control.send('x'.repeat(MAX_PROOF_BYTES + 1));
      if (name === 'wrong') one.control.send('let me in');
      if (name === 'flood') for (let i = 0; i < 50; i++) one.data.send(new Uint8Array(4096));
      await carry();
    }
    const stranger = { address: 'at-stranger', by: 'us' };
    expect(failures).toEqual([
      { ...stranger, reason: 'malformed' },
      { ...stranger, reason: 'unknown' },
      { ...stranger, reason: 'malformed' },
    ]);
    expect(ann.opened).toHaveLength(0);
    // only its name went out, and to the wrong one a refusal
    expect(strangers[1]?.two.control.sent).toEqual(['ready', 'ready', 'I am ann', 'no']);
  });

  test('a channel that opens and stays silent is closed after five seconds', async () => {
    const clock = { ms: 0 };
    const ann = makeDevice('ann', clock);
    const pair = connect(makeDevice('stranger', clock), ann);
    pair.two.begin();
    for (const channel of pair.channels) channel.open();
    clock.ms = 4900;
    ann.links.tick();
    expect(ann.posted.some(({ kind }) => kind === 'close')).toBe(false);
    clock.ms = 5001;
    ann.links.tick();
    expect(ann.posted).toContainEqual({ kind: 'close', connection: 1, failure: { reason: 'timeout', by: 'us' } });
  });

  test('a channel that never opens is given up, however long the other side keeps the connection', async () => {
    const clock = { ms: 0 };
    const ann = makeDevice('ann', clock);
    const { two } = connect(makeDevice('stranger', clock), ann);
    two.begin();
    two.describe();
    const ended = () => ann.posted.filter(({ kind }) => kind === 'close');
    for (; clock.ms <= OPENING_TIMEOUT_MS; clock.ms += TICK_MS) ann.links.tick();
    expect(ended()).toEqual([]);
    clock.ms += TICK_MS;
    ann.links.tick();
    expect(ended()).toEqual([{ kind: 'close', connection: 1, failure: { reason: 'timeout', by: 'us' } }]);
    expect(two.control.readyState).toBe('closed');
  });

  test('eight connections may be unproved; for a ninth the oldest that called here gives way', async () => {
    const clock = { ms: 0 };
    const ann = makeDevice('ann', clock);
    const own = connect(ann, makeDevice('called', clock), 50);
    own.one.begin();
    for (let i = 0; i < MAX_UNPROVED - 1; i++) connect(makeDevice(`silent${i}`, clock), ann, i).two.begin();
    expect(ann.posted.filter(({ kind }) => kind === 'close')).toEqual([]);
    await connected(makeDevice('honest', clock), ann, 99);
    expect(ann.posted.filter(({ kind }) => kind === 'close')).toEqual([
      { kind: 'close', connection: 0, failure: { reason: 'busy', by: 'us' } },
    ]);
    expect(ann.links.to('honest')).toBeDefined();
    expect(own.one.control.readyState).toBe('connecting');
  });

  test('beats go out every 250 ms where nothing else does, and tell the round trip', async () => {
    const clock = { ms: 0 };
    const [ann, bob] = [makeDevice('ann', clock), makeDevice('bob', clock)];
    const { one, two, carry } = await connected(ann, bob);
    const before = one.data.sent.length;
    const pass = async (ticks: number, each = () => {}) => {
      for (let i = 0; i < ticks; i++) {
        clock.ms += TICK_MS;
        each();
        ann.links.tick();
        bob.links.tick();
        // 20 ms there, 40 ms back
        clock.ms += 20;
        one.data.deliver();
        one.control.deliver();
        clock.ms += 20;
        two.data.deliver();
        clock.ms -= 40;
      }
      await carry();
    };
    await pass(16);
    expect(one.data.sent.length - before).toBe(8);
    expect(ann.links.to('bob')?.statistics.rttMs).toBe(60);
    const idle = one.data.sent.length;
    await pass(16, () => ann.links.to('bob')?.sendControl({ kind: 'note', text: 'busy' }));
    // one a second, for the round trip
    expect(one.data.sent.length - idle).toBeLessThanOrEqual(2);
    ann.links.quiet = true;
    const quiet = one.data.sent.length;
    await pass(16);
    expect(one.data.sent.length).toBe(quiet);
  });

  test('a beat goes once a second while megabytes wait, too, and few where nothing goes', async () => {
    const clock = { ms: 0 };
    const [ann, bob] = [makeDevice('ann', clock), makeDevice('bob', clock)];
    const { one, two } = await connected(ann, bob);
    const link = ann.links.to('bob');
    const rows: Frame = { ...FRAME, kind: 'rows', payload: new Uint8Array(8 * 1024 * 1024) };
    expect(link?.sendFrame(rows)).toBe(true);
    const pass = (seconds: number, slices: number) => {
      for (let ms = 0; ms < seconds * 1000; ms += TICK_MS) {
        clock.ms += TICK_MS;
        ann.links.tick();
        bob.links.tick();
        one.data.deliver(slices);
        two.data.deliver();
      }
    };
    pass(10, 8);
    expect(link?.queuedBytes).toBeGreaterThan(1024 * 1024);
    // none but beats has come whole
    expect(bob.opened[0]?.statistics.receivedFrames).toBe(10);
    expect(link?.statistics.rttMs).toBeGreaterThanOrEqual(0);
    const waiting = link?.queuedBytes ?? 0;
    pass(4, 0);
    expect((link?.queuedBytes ?? 0) - waiting).toBeLessThan(1024);
  });

  test('any slice counts as being heard', async () => {
    const clock = { ms: 0 };
    const heard: number[] = [];
    const ann = makeDevice('ann', clock);
    const bob = makeDevice('bob', clock, {
      opened: () => ({ control: () => {}, frame: () => {}, closed: () => {}, heard: () => heard.push(clock.ms) }),
    });
    const { one } = await connected(ann, bob);
    ann.links.to('bob')?.sendFrame({ ...FRAME, payload: new Uint8Array(40_000) });
    clock.ms = 77;
    one.data.deliver(3);
    expect(heard).toEqual([77, 77, 77]);
    expect(bob.links.to('ann')?.lastHeardMs).toBe(77);
  });

  test('with each tick the room speaks first, and after a sleep the window looks for new ways', async () => {
    const clock = { ms: 0 };
    const order: string[] = [];
    const ann = makeDevice('ann', clock, { tick: () => order.push('room') });
    const { one } = await connected(ann, makeDevice('bob', clock));
    ann.links.tick();
    order.length = 0;
    one.data.send = () => order.push('beat');
    for (const sleptMs of [GAP_MS - 1, 60_000]) {
      clock.ms += sleptMs;
      ann.links.tick();
    }
    expect(order).toEqual(['room', 'beat', 'room', 'beat']);
    expect(ann.posted.filter(({ kind }) => kind === 'restart')).toEqual([{ kind: 'restart' }]);
  });

  test('a second link of one device takes the place of the first', async () => {
    const clock = { ms: 0 };
    const [ann, bob] = [makeDevice('ann', clock), makeDevice('bob', clock)];
    await connected(ann, bob, 1);
    await connected(ann, bob, 2);
    for (const device of [ann, bob]) {
      expect(device.links.open.map(({ connection }) => connection)).toEqual([2]);
      expect(device.heard).toMatchObject([{ by: { connection: 1 } }]);
    }
  });

  test('where both called at once both keep the same link', async () => {
    for (const [first, second] of [
      ['ann', 'bob'],
      ['bob', 'ann'],
    ] as const) {
      const clock = { ms: 0 };
      const devices = { ann: makeDevice('ann', clock), bob: makeDevice('bob', clock) };
      await connected(devices[first], devices[second], 1);
      await connected(devices[second], devices[first], 2);
      const kept = first === 'ann' ? 1 : 2;
      for (const { links } of Object.values(devices))
        expect(links.open.map(({ connection }) => connection)).toEqual([kept]);
    }
  });

  test('of two links both sides keep the same, in whichever order they see them', () => {
    const address = fc.constantFrom('a', 'b', 'c', 'd');
    fc.assert(
      fc.property(address, address, (one, two) => {
        fc.pre(one !== two);
        const end = (side: 'called' | 'answered', own: string, other: string) => ({
          side,
          ownAddress: own,
          address: other,
        });
        const mine = [end('called', one, two), end('answered', one, two)] as const;
        const theirs = [end('answered', two, one), end('called', two, one)] as const;
        const keptBy = (older: 0 | 1, links: typeof mine | typeof theirs) =>
          holds(links[older], links[1 - older] as (typeof mine)[0]) ? older : 1 - older;
        const kept = new Set([keptBy(0, mine), keptBy(1, mine), keptBy(0, theirs), keptBy(1, theirs)]);
        expect(kept.size).toBe(1);
      }),
    );
  });

  test('whom to call goes to the window, and whether members name them', () => {
    const { links, posted } = makeDevice('ann', { ms: 0 });
    links.call([]);
    links.call(['listed']);
    links.call(['named'], 'by members');
    expect(posted).toEqual([
      { kind: 'call', addresses: ['listed'] },
      { kind: 'call', addresses: ['named'], ofMembers: true },
    ]);
  });

  test('what the window says comes to the room', () => {
    const said: unknown[] = [];
    const clock = { ms: 0 };
    const ann = makeDevice('ann', clock, {
      address: (address) => said.push(address),
      choose: (addresses) => addresses.filter((address) => address !== 'not you'),
      unreachable: (address) => said.push(`no ${address}`),
      visibility: (hidden) => said.push(hidden),
      wakeLock: (held) => said.push({ held }),
      leaving: () => said.push('leaving'),
      returned: () => said.push('returned'),
    });
    const messages: ToWorker[] = [
      { kind: 'address', address: 'here' },
      { kind: 'listed', addresses: ['you', 'not you'] },
      { kind: 'unreachable', address: 'you', stage: 'candidates' },
      { kind: 'visibility', hidden: true },
      { kind: 'wake-lock', held: true },
      { kind: 'leaving' },
      { kind: 'returned' },
    ];
    for (const message of messages) ann.links.receive(message);
    expect(said).toEqual(['here', 'no you', true, { held: true }, 'leaving', 'returned']);
    expect(ann.posted).toEqual([{ kind: 'call', addresses: ['you'] }]);
  });

  test('a link that closes says so once, on both sides, and sends no more', async () => {
    const clock = { ms: 0 };
    const [ann, bob] = [makeDevice('ann', clock), makeDevice('bob', clock)];
    await connected(ann, bob);
    const link = ann.links.to('bob');
    ann.links.disconnect('bob');
    expect(ann.heard).toMatchObject([{ closed: 'ours' }]);
    expect(bob.heard).toMatchObject([{ closed: 'theirs' }]);
    expect(link?.sendControl({ kind: 'note', text: 'late' })).toBe(false);
    expect(link?.sendFrame(FRAME)).toBe(false);
    ann.links.receive({ kind: 'ended', connection: 1 });
    expect(ann.heard).toHaveLength(1);
  });
});

/** Only `ready`, or nothing. */
function saidSoFar(channels: readonly TestChannel[]): Set<string> {
  return new Set(channels.some(({ sent }) => sent.length > 0) ? ['ready'] : []);
}
