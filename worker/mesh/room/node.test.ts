import { expect, test } from 'vitest';
import type { StageAssignment } from '../types.ts';
import { answersOn } from './answers.ts';
import type { Effect, Input } from './io.ts';
import type { ControlMessage } from './messages.ts';
import { RoomNode } from './node.ts';
import { stageOf, stateOf } from './test-states.ts';

function node(device: string, incarnation = 1, isMember = (_: string) => true): RoomNode<number[]> {
  return new RoomNode({
    device,
    incarnation,
    address: `${device}.${incarnation}`,
    name: device,
    version: { app: '0', wire: 1 },
    profile: stateOf(device).profile,
    payloads: { bytes: (rows) => rows.length, slice: (rows, from, to) => rows.slice(from, to), join: (p) => p.flat() },
    models: { layers: () => 4, bytes: (_, first, last) => (last - first) * 10, slots: () => 2 },
    isMember,
    random: () => 0.5,
  });
}

/** The node with one peer whose link is up, ticked until `untilMs`; beats from the peer until `heardMs`. */
function linked(untilMs: number, heardMs = untilMs): { room: RoomNode<number[]>; effects: Effect<number[]>[] } {
  const room = node('a');
  const effects: Effect<number[]>[] = [];
  const feed = (input: Input<number[]>, nowMs: number) => effects.push(...room.handle(input, nowMs));
  feed({ kind: 'link-open', peer: 'b' }, 0);
  for (let nowMs = 250; nowMs <= untilMs; nowMs += 250) {
    if (nowMs <= heardMs) feed({ kind: 'beat', peer: 'b' }, nowMs);
    feed({ kind: 'tick' }, nowMs);
  }
  return { room, effects };
}

const sent = (effects: readonly Effect<number[]>[]): ControlMessage[] =>
  effects.flatMap((effect) => (effect.kind === 'send' ? [effect.message] : []));

test('a peer that is silent for 4 s loses its link, and the record says so', () => {
  const { room, effects } = linked(5000, 1000);
  expect(effects).toContainEqual({ kind: 'disconnect', peer: 'b' });
  expect(room.records.of('a')).toMatchObject({ links: [], lost: ['b'] });
});

test('a goodbye makes the link lost at once', () => {
  const { room } = linked(500);
  const effects = room.handle({ kind: 'control', peer: 'b', message: { kind: 'goodbye' } }, 600);
  expect(effects).toContainEqual({ kind: 'disconnect', peer: 'b' });
  expect(room.view.isLive('b')).toBe(false);
});

test('a page that hides and shows while its peer calls again is linked on both sides, or on neither', () => {
  for (const hiddenMs of [250, 500, 1000, 1500, 2000, 3000, 3750, 5000, 20_000]) {
    const nodes = { a: node('a'), b: node('b') };
    let nowMs = 0;
    let isHidden = false;
    let isConnected = false;
    let calls = 0;
    // what the windows of both keep: one connection, and no second call while there is one
    const feed = (to: 'a' | 'b', input: Input<number[]>): void => {
      const peer = to === 'a' ? 'b' : 'a';
      for (const effect of nodes[to].handle(input, nowMs)) {
        if (effect.kind === 'send' && isConnected) feed(peer, { kind: 'control', peer: to, message: effect.message });
        if (effect.kind === 'disconnect' && isConnected) {
          isConnected = false;
          feed(peer, { kind: 'link-closed', peer: to });
        }
        if (effect.kind === 'connect' && !isConnected) connect();
      }
    };
    const connect = () => {
      isConnected = true;
      calls++;
      feed('a', { kind: 'link-open', peer: 'b' });
      feed('b', { kind: 'link-open', peer: 'a' });
    };
    const pass = (ms: number) => {
      for (const untilMs = nowMs + ms; nowMs < untilMs; ) {
        nowMs += 250;
        if (isConnected) feed('a', { kind: 'beat', peer: 'b' });
        if (isConnected && !isHidden) feed('b', { kind: 'beat', peer: 'a' });
        feed('a', { kind: 'tick' });
        feed('b', { kind: 'tick' });
      }
    };
    connect();
    pass(10_000);
    feed('a', { kind: 'leave' });
    isHidden = true;
    pass(hiddenMs);
    // it does not call without end whoever hides
    expect(calls).toBeLessThan(8);
    isHidden = false;
    feed('a', { kind: 'return' });
    pass(9000);
    expect([hiddenMs, nodes.a.links.isUp('b'), nodes.b.links.isUp('a')]).toEqual([hiddenMs, true, true]);
  }
});

test('after a sleep it says how it is and asks for news, before anything else; nobody is lost for it', () => {
  const { room } = linked(1000);
  const effects = room.handle({ kind: 'tick' }, 61_000);
  expect(sent(effects).map(({ kind }) => kind)).toEqual(['gossip', 'digest']);
  expect(room.links.isUp('b')).toBe(true);
});

test('a connection that failed does not end the one that came about meanwhile', () => {
  const { room } = linked(500);
  room.handle({ kind: 'connect-failed', peer: 'b' }, 600);
  expect(room.links.isUp('b')).toBe(true);
});

test('a record of itself that is higher than its own is gone on from', () => {
  const { room } = linked(500);
  const old = stateOf('a', { incarnation: 7, counter: 3 });
  room.handle({ kind: 'control', peer: 'b', message: { kind: 'gossip', states: [old], placements: [] } }, 600);
  room.handle({ kind: 'tick' }, 750);
  expect(room.records.of('a')).toMatchObject({ incarnation: 7, counter: 4, links: ['b'] });
});

test('nothing is taken of a removed device', () => {
  const removed = new Set<string>();
  const room = node('a', 1, (device) => !removed.has(device));
  const message: ControlMessage = { kind: 'gossip', states: [stateOf('x')], placements: [] };
  room.handle({ kind: 'link-open', peer: 'b' }, 0);
  room.handle({ kind: 'control', peer: 'b', message }, 500);
  expect(room.records.of('x')).toBeDefined();
  removed.add('x');
  room.handle({ kind: 'removed', peer: 'x' }, 550);
  expect(room.records.of('x')).toBeUndefined();
  room.handle({ kind: 'control', peer: 'b', message }, 600);
  expect(room.records.of('x')).toBeUndefined();
  expect(sent(room.handle({ kind: 'link-open', peer: 'c' }, 700))).toMatchObject([
    { kind: 'digest', states: [['a', 1, 2]] },
  ]);
});

test('a member cannot make others keep records of devices that are not in the room', () => {
  const room = node('a', 1, (device) => device === 'a' || device === 'b');
  room.handle({ kind: 'link-open', peer: 'b' }, 0);
  for (let i = 0; i < 100; i++) {
    const states = [stateOf(`x${i}`, { links: [`x${i + 1}`] }), stateOf(`y${i}`, { links: ['a', 'b'] })];
    room.handle({ kind: 'control', peer: 'b', message: { kind: 'gossip', states, placements: [] } }, 10 + i);
  }
  room.handle({ kind: 'tick' }, 250);
  expect([...room.records.devices()]).toEqual(['a']);
});

test('links of strangers that go are no part of what a device says of itself, and it still links to everybody', () => {
  const room = node('a', 1, (device) => /^[a-k]$/.test(device));
  const feed = (input: Input<number[]>, nowMs: number) => room.handle(input, nowMs);
  feed({ kind: 'link-open', peer: 'b' }, 0);
  for (let i = 0; i < 70; i++) {
    feed({ kind: 'link-open', peer: `stranger ${i}` }, 10 + i);
    feed({ kind: 'link-closed', peer: `stranger ${i}` }, 20 + i);
    feed({ kind: 'connect-failed', peer: `stranger ${i}` }, 20 + i);
  }
  feed({ kind: 'present', peer: 'c', address: 'c.1' }, 200);
  const effects = feed({ kind: 'tick' }, 250);
  expect(room.records.of('a')).toMatchObject({ links: ['b'], lost: [] });
  expect(effects).toContainEqual({ kind: 'connect', peer: 'c', address: 'c.1' });
});

test('one device alone loads, answers, stores before it says so, and ends with a stop token', () => {
  const room = node('a');
  const effects: Effect<number[]>[] = [];
  const feed = (input: Input<number[]>, nowMs: number) => effects.push(...room.handle(input, nowMs));
  const last = <K extends Effect<number[]>['kind']>(kind: K) =>
    effects.findLast((effect): effect is Extract<Effect<number[]>, { kind: K }> => effect.kind === kind);
  const stored = (nowMs: number) => feed({ kind: 'stored', session: 's', ticket: last('store')?.ticket ?? 0 }, nowMs);
  feed({ kind: 'tick' }, 0);
  feed({ kind: 'answer', session: 's', model: 'm', tokens: [1, 2, 3], maxTokens: 9, stopTokens: [8], sampler: {} }, 0);
  stored(10);
  feed({ kind: 'tick' }, 250);
  expect(last('load')).toEqual({ kind: 'load', stage: { model: 'm', first: 0, last: 4 } });
  feed({ kind: 'stage-ready', stage: { model: 'm', first: 0, last: 4 } }, 300);
  // the attempt's number is on the disk before anything is computed
  expect(last('run')).toBeUndefined();
  expect(last('store')?.head.attempts.last).toBe(1);
  stored(310);
  const run = last('run');
  expect(run).toMatchObject({ first: 0, rows: 3, tokens: [1, 2, 3], sample: true });
  if (run === undefined) return;
  const { slot, session, attempt, first, rows } = run;
  expect(answersOn(room, 'a', 'm')).toBe(1);
  feed({ kind: 'computed', slot, session, attempt, first, rows, tokens: [5] }, 400);
  expect(last('tokens')).toMatchObject({ first: 3, tokens: [5] });
  expect(last('run')).toMatchObject({ first: 3, rows: 1, tokens: [5] });
  stored(410);
  feed({ kind: 'computed', slot, session, attempt, first: 3, rows: 1, tokens: [8] }, 450);
  expect(last('answered')).toBeUndefined();
  stored(460);
  expect(last('answered')).toEqual({ kind: 'answered', session: 's', finish: 'stop-token' });
  expect(last('store')).toMatchObject({ head: { answering: false }, from: 4, tokens: [8] });
  // the next question mostly comes soon: the placement is kept for it, and nothing is being written
  feed({ kind: 'tick' }, 700);
  expect(room.records.of('a')?.driving).toHaveLength(1);
  expect(answersOn(room, 'a', 'm')).toBe(0);
});

test('two devices hold a model that neither can hold alone, as one of them asks', () => {
  const [a, b] = [node('a'), node('b')];
  const nodes = { a, b };
  const place: StageAssignment[] = [
    { device: 'a', first: 0, last: 2 },
    { device: 'b', first: 2, last: 4 },
  ];
  const loads: string[] = [];
  const carry = (from: 'a' | 'b', effects: readonly Effect<number[]>[]) => {
    for (const effect of effects) {
      if (effect.kind === 'load') loads.push(`${from} ${effect.stage.first}-${effect.stage.last}`);
      if (effect.kind !== 'send') continue;
      const to = effect.peer as 'a' | 'b';
      carry(to, nodes[to].handle({ kind: 'control', peer: from, message: effect.message }, 100));
    }
  };
  carry('a', a.handle({ kind: 'link-open', peer: 'b' }, 0));
  carry('b', b.handle({ kind: 'link-open', peer: 'a' }, 0));
  carry('a', a.handle({ kind: 'place', model: 'm', stages: place }, 100));
  expect(loads.sort()).toEqual(['a 0-2', 'b 2-4']);
  expect(b.records.stage('a', 'm', 0, 2)?.phase).toBe('loading');
});

test('an answer that goes on without the device that went away says who has its layers now', () => {
  const room = node('a');
  const effects: Effect<number[]>[] = [];
  const feed = (input: Input<number[]>, nowMs: number) => effects.push(...room.handle(input, nowMs));
  const hear = (peer: string, message: ControlMessage, nowMs: number) =>
    feed({ kind: 'control', peer, message }, nowMs);
  const ready = (device: string) => stateOf(device, { links: ['a', 'b', 'c'], stages: [stageOf(0, 4)] });
  const statuses = () => effects.flatMap((effect) => (effect.kind === 'status' ? [effect.status] : []));
  for (const peer of ['b', 'c']) {
    feed({ kind: 'link-open', peer }, 0);
    hear(peer, { kind: 'gossip', states: [ready(peer)], placements: [] }, 0);
  }
  /** All stores are done, all stages prepared. */
  const settle = (nowMs: number) => {
    for (let i = 0; i < effects.length; i++) {
      const effect = effects[i] as Effect<number[]>;
      if (effect.kind === 'store') feed({ kind: 'stored', session: 's', ticket: effect.ticket }, nowMs);
      if (effect.kind !== 'send' || effect.message.kind !== 'prepare') continue;
      const { attempt, stage } = effect.message;
      const prepared = { session: 's', attempt, stage, slot: 0, at: 0, have: 0, retained: 0 };
      hear(effect.peer, { kind: 'prepared', ...prepared }, nowMs);
    }
  };
  const starts = () =>
    effects.flatMap((effect) =>
      effect.kind === 'send' && effect.message.kind === 'start' ? [{ peer: effect.peer, ...effect.message }] : [],
    );
  feed({ kind: 'place', model: 'm', stages: [{ device: 'b', first: 0, last: 4 }] }, 10);
  feed({ kind: 'answer', session: 's', model: 'm', tokens: [1, 2], maxTokens: 9, stopTokens: [], sampler: {} }, 20);
  settle(30);
  const [begun] = starts();
  expect(begun?.peer).toBe('b');
  const frame = { kind: 'tokens', epoch: 257, session: 's', attempt: begun?.attempt ?? 0, slot: 65535 } as const;
  feed({ kind: 'frame', peer: 'b', frame: { ...frame, first: 2, tokens: [5] } }, 100);
  expect(statuses()).toEqual([]);
  hear('b', { kind: 'goodbye' }, 200);
  for (let nowMs = 250; nowMs <= 1500; nowMs += 250) {
    feed({ kind: 'beat', peer: 'c' }, nowMs);
    feed({ kind: 'tick' }, nowMs);
    settle(nowMs);
  }
  expect(starts().at(-1)?.peer).toBe('c');
  expect(statuses().filter(({ kind }) => kind === 'moved')).toEqual([{ kind: 'moved', gone: ['b'], devices: ['c'] }]);
});

test('a model that a person lays over the devices is higher than every other, also than one that was repaired often', () => {
  const room = node('a');
  const place = (model: string) =>
    room.handle({ kind: 'place', model, stages: [{ device: 'a', first: 0, last: 4 }] }, 0);
  const epochOf = (model: string) => room.book.highest(model)?.placement.id.epoch ?? 0;
  for (let i = 0; i < 5; i++) place('old');
  place('new');
  expect(epochOf('new')).toBeGreaterThan(epochOf('old'));
  place('old');
  expect(epochOf('old')).toBeGreaterThan(epochOf('new'));
});

test('a repair of an older model does not take the room back from the model that a person laid last', () => {
  const room = node('a');
  let nowMs = 0;
  const feed = (input: Input<number[]>): void => {
    for (const effect of room.handle(input, nowMs)) {
      if (effect.kind === 'store') feed({ kind: 'stored', session: effect.head.session, ticket: effect.ticket });
      if (effect.kind === 'load') feed({ kind: 'stage-ready', stage: effect.stage });
    }
  };
  const place = (model: string, device: string) =>
    feed({ kind: 'place', model, stages: [{ device, first: 0, last: 4 }] });
  const epochOf = (model: string) => room.book.highest(model)?.placement.id.epoch ?? 0;
  feed({ kind: 'tick' });
  feed({ kind: 'link-open', peer: 'b' });
  place('old', 'b');
  feed({ kind: 'answer', session: 's', model: 'old', tokens: [1, 2], maxTokens: 9, stopTokens: [], sampler: {} });
  place('new', 'a');
  feed({ kind: 'link-closed', peer: 'b' });
  for (; nowMs < 10_000; nowMs += 250) feed({ kind: 'tick' });
  expect(room.book.highest('old')?.placement.stages).toEqual([{ device: 'a', first: 0, last: 4 }]);
  expect(epochOf('old')).toBeGreaterThanOrEqual(epochOf('new'));
  expect(room.book.newestFirst()).toEqual(['new', 'old']);
  place('old', 'a');
  expect(room.book.newestFirst()).toEqual(['old', 'new']);
});

test('two people who lay two models at once see the same one on top', () => {
  const nodes = { a: node('a'), b: node('b') };
  const said: [to: 'a' | 'b', message: ControlMessage][] = [];
  const feed = (to: 'a' | 'b', input: Input<number[]>) => {
    for (const effect of nodes[to].handle(input, 0))
      if (effect.kind === 'send') said.push([effect.peer as 'a' | 'b', effect.message]);
  };
  feed('a', { kind: 'link-open', peer: 'b' });
  feed('b', { kind: 'link-open', peer: 'a' });
  feed('a', { kind: 'place', model: 'n', stages: [{ device: 'a', first: 0, last: 4 }] });
  feed('b', { kind: 'place', model: 'm', stages: [{ device: 'b', first: 0, last: 4 }] });
  for (const [to, message] of said) feed(to, { kind: 'control', peer: to === 'a' ? 'b' : 'a', message });
  expect(nodes.a.book.newestFirst()).toEqual(['m', 'n']);
  expect(nodes.b.book.newestFirst()).toEqual(['m', 'n']);
});

test('a proposal is of interest that is the highest of its model or in use; a model, while somebody could run it', () => {
  const { room } = linked(500);
  const placed = (epoch: number, device = 'b') => ({
    id: { model: 'm', epoch, proposer: 'b' },
    stages: [{ device, first: 0, last: 4 }],
    spares: [],
  });
  const hear = (message: ControlMessage) => room.handle({ kind: 'control', peer: 'b', message }, 600);
  expect(room.takesUp(placed(512))).toBe(true);
  expect(room.takesUp(placed(2 ** 48))).toBe(false);
  hear({ kind: 'gossip', states: [], placements: [placed(512, 'gone')] });
  expect(room.isCurrent('m')).toBe(false);
  expect(room.takesUp(placed(256))).toBe(false);
  hear({ kind: 'gossip', states: [stateOf('b', { links: ['a'], stages: [stageOf(0, 4)] })], placements: [] });
  expect(room.isCurrent('m')).toBe(true);
  expect(room.takesUp({ ...placed(256), id: { model: 'm', epoch: 256, proposer: 'a' } })).toBe(true);
});

test('a member that names thousands of models leaves a device with a few', () => {
  const { room } = linked(500);
  for (let i = 0; i < 5000; i++) {
    const id = { model: `m${i}`, epoch: 256, proposer: 'b' };
    const placements = [{ id, stages: [{ device: 'b', first: 0, last: 4 }], spares: [] }];
    room.handle({ kind: 'control', peer: 'b', message: { kind: 'gossip', states: [], placements } }, 600);
  }
  expect([...room.book.models()].length).toBeLessThanOrEqual(32);
});
