/** A device that drives sessions over stages of one other device, which the tests play. */
import { expect, test } from 'vitest';
import type { Effect, Input } from './io.ts';
import type { ControlMessage, PrepareMessage, StartMessage } from './messages.ts';
import { DRIVER_SLOT } from './messages.ts';
import { RoomNode } from './node.ts';
import { stateOf } from './test-states.ts';

const MODELS = ['m', 'n'];
const VOCABULARY = 100;

class Driving {
  nowMs = 0;
  readonly effects: Effect<number[]>[] = [];
  readonly node: RoomNode<number[]>;
  /** What the stage says that it holds. */
  holds = { at: 0, have: 0, retained: 0 };
  stores = true;
  answers = true;

  constructor(incarnation = 1) {
    this.node = new RoomNode({
      device: 'a',
      incarnation,
      address: 'a.1',
      name: 'a',
      version: { app: '0', wire: 1 },
      profile: { ...stateOf('a').profile, compute: false, budgetBytes: 0 },
      payloads: {
        bytes: (rows) => rows.length,
        slice: (rows, from, to) => rows.slice(from, to),
        join: (p) => p.flat(),
      },
      models: {
        layers: (model) => (model === 'unread' ? undefined : 4),
        bytes: () => 10,
        slots: () => 2,
        vocabulary: () => VOCABULARY,
      },
      isMember: () => true,
      random: () => 0.5,
    });
    const stages = MODELS.map((model) => ({
      placement: { model, epoch: 256, proposer: 'b' },
      first: 0,
      last: 4,
      phase: 'ready' as const,
      doneBytes: 10,
      totalBytes: 10,
    }));
    for (const peer of ['b', 'c']) this.feed({ kind: 'link-open', peer });
    const placements = stages.map(({ placement: id, first, last }) => ({
      id,
      stages: [{ device: 'b', first, last }],
      spares: [],
    }));
    const states = [
      stateOf('b', { links: ['a', 'c'], stages }),
      stateOf('c', { links: ['a', 'b'], profile: { ...stateOf('c').profile, compute: false } }),
    ];
    this.hear('b', { kind: 'gossip', states, placements });
  }

  feed(input: Input<number[]>): void {
    const todo = [input];
    for (let next = todo.shift(); next !== undefined; next = todo.shift()) {
      for (const effect of this.node.handle(next, this.nowMs)) {
        this.effects.push(effect);
        if (effect.kind === 'store' && this.stores) {
          todo.push({ kind: 'stored', session: effect.head.session, ticket: effect.ticket });
        }
        if (effect.kind !== 'send' || effect.message.kind !== 'prepare' || !this.answers) continue;
        const { session, attempt, stage } = effect.message;
        const message = { kind: 'prepared', session, attempt, stage, slot: 0, ...this.holds } as const;
        todo.push({ kind: 'control', peer: effect.peer, message });
      }
    }
  }

  hear(peer: string, message: ControlMessage): void {
    this.feed({ kind: 'control', peer, message });
  }

  wait(ms: number): void {
    for (const endMs = this.nowMs + ms; this.nowMs < endMs; ) {
      this.nowMs += 250;
      for (const peer of ['b', 'c']) this.feed({ kind: 'beat', peer });
      this.feed({ kind: 'tick' });
    }
  }

  ask(model: string, tokens: readonly number[] = [1, 2, 3]): void {
    this.feed({ kind: 'answer', session: 's', model, tokens, maxTokens: 9, stopTokens: [], sampler: {} });
  }

  say(peer: string, first: number, tokens: readonly number[]): void {
    const { attempt, epoch } = { attempt: this.starts.at(-1)?.attempt ?? 0, epoch: 256 };
    this.feed({
      kind: 'frame',
      peer,
      frame: { kind: 'tokens', epoch, session: 's', attempt, slot: DRIVER_SLOT, first, tokens },
    });
  }

  #sent<K extends ControlMessage['kind']>(kind: K): Extract<ControlMessage, { kind: K }>[] {
    return this.effects.flatMap((effect) =>
      effect.kind === 'send' && effect.message.kind === kind
        ? [effect.message as Extract<ControlMessage, { kind: K }>]
        : [],
    );
  }

  get prepares(): PrepareMessage[] {
    return this.#sent('prepare');
  }

  get starts(): StartMessage[] {
    return this.#sent('start');
  }

  all<K extends Effect<number[]>['kind']>(kind: K): Extract<Effect<number[]>, { kind: K }>[] {
    return this.effects.filter((effect): effect is Extract<Effect<number[]>, { kind: K }> => effect.kind === kind);
  }
}

/** Of a session on the disk that was answered in seven attempts. */
const head = {
  session: 's',
  model: 'm',
  attempts: { last: 7, forgotten: 0, kept: [] },
  answering: false,
  limit: 9,
  stopTokens: [],
  sampler: null,
};

test('what a stage held before the conversation went to another model and back is not believed', () => {
  const room = new Driving();
  room.ask('m');
  room.feed({ kind: 'stop', session: 's' });
  room.ask('n');
  room.feed({ kind: 'stop', session: 's' });
  room.holds = { at: 1, have: 3, retained: 0 };
  room.ask('m');
  const [first = 0, second = 0, third = 0] = room.prepares.map(({ attempt }) => attempt);
  expect([first < second, second < third]).toEqual([true, true]);
  expect(room.starts.at(-1)).toMatchObject({ attempt: third, begin: 0 });
});

test('nor what it held before the session was forgotten', () => {
  const room = new Driving();
  room.ask('m');
  room.feed({ kind: 'forget', session: 's' });
  room.holds = { at: 1, have: 3, retained: 0 };
  room.ask('m');
  expect(room.starts.at(-1)?.attempt).toBeGreaterThan(1);
  expect(room.starts.at(-1)?.begin).toBe(0);
});

test('a write of the conversation on the model before is not taken for one of the model now', () => {
  const room = new Driving();
  room.stores = false;
  room.ask('m');
  const before = room.all('store')[0]?.ticket ?? 0;
  room.ask('n');
  expect(room.all('store')).toHaveLength(2);
  room.feed({ kind: 'stored', session: 's', ticket: before });
  expect(room.prepares).toEqual([]);
});

test('what the disk brings late does not replace a session that answers already, and its attempts are above the disk’s', () => {
  const room = new Driving();
  room.ask('m');
  room.holds = { at: 7, have: 3, retained: 0 };
  room.feed({ kind: 'restore', sessions: [{ head, tokens: [4, 5, 6] }] });
  room.wait(1000);
  const [drive] = room.node.driver.drives();
  expect(drive).toMatchObject({ phase: 'running', tokens: [1, 2, 3] });
  expect(room.starts.at(-1)).toMatchObject({ attempt: 8, begin: 0 });
});

test('a refusal counts only from the device of that stage, and no number that leaves none after it', () => {
  const room = new Driving();
  room.answers = false;
  room.ask('m');
  const [{ attempt } = { attempt: 0 }] = room.prepares;
  const refused = { kind: 'refused', session: 's', attempt, stage: 0, reason: 'stale' } as const;
  room.hear('c', { ...refused, known: 900 });
  expect(room.prepares).toHaveLength(1);
  room.hear('b', { ...refused, known: 0xffffffff });
  room.wait(5000);
  expect(room.prepares.length).toBeGreaterThan(1);
  for (const { attempt } of room.prepares) expect(attempt).toBeLessThan(10);
  // a disk that was set back
  room.hear('b', { ...refused, attempt: room.prepares.at(-1)?.attempt ?? 0, known: 900 });
  room.wait(5000);
  expect(room.prepares.at(-1)?.attempt).toBe(901);
});

test('tokens count from the device that samples alone, and only those of the vocabulary', () => {
  const room = new Driving();
  room.ask('m');
  room.say('c', 3, [7]);
  expect(room.all('tokens')).toEqual([]);
  room.say('b', 3, [VOCABULARY]);
  expect(room.all('tokens')).toEqual([]);
  room.wait(1000);
  expect(room.starts).toHaveLength(2);
  room.say('b', 3, [7]);
  expect(room.all('tokens')).toMatchObject([{ first: 3, tokens: [7] }]);
});

test('an answer that its stages give up each time is begun at longer and longer intervals, then ends', () => {
  const room = new Driving();
  room.ask('m');
  const begun: number[] = [];
  while (room.nowMs < 300_000 && room.all('answered').length === 0) {
    const last = room.starts.at(-1)?.attempt ?? 0;
    if (begun.length < room.starts.length) begun.push(room.nowMs);
    room.hear('b', { kind: 'broken', session: 's', attempt: last });
    room.wait(250);
  }
  expect(room.all('answered')).toEqual([{ kind: 'answered', session: 's', finish: 'failed' }]);
  expect(begun).toHaveLength(12);
  expect((begun[11] ?? 0) - (begun[0] ?? 0)).toBeGreaterThan(30_000);
  // asked again it begins at once
  room.ask('m');
  expect(room.starts).toHaveLength(13);
});

test('nor is one begun without end whose stages say nothing, though their links stand', () => {
  const room = new Driving();
  room.ask('m');
  room.wait(200_000);
  expect(room.all('answered')).toEqual([{ kind: 'answered', session: 's', finish: 'failed' }]);
  expect(room.starts).toHaveLength(12);
});

test('an answer that comes on, though attempts break between its tokens, does not end', () => {
  const room = new Driving();
  room.feed({ kind: 'answer', session: 's', model: 'm', tokens: [1], maxTokens: 40, stopTokens: [], sampler: {} });
  for (let first = 1; first <= 40; first++) {
    room.say('b', first, [7]);
    room.hear('b', { kind: 'broken', session: 's', attempt: room.starts.at(-1)?.attempt ?? 0 });
    room.wait(250);
  }
  expect(room.all('answered')).toEqual([{ kind: 'answered', session: 's', finish: 'length' }]);
});

test('a disk that is slow, and a model whose header is not read, are said to the person', () => {
  const room = new Driving();
  room.stores = false;
  room.ask('m');
  room.feed({ kind: 'stored', session: 's', ticket: room.all('store').at(-1)?.ticket ?? 0 });
  room.wait(4000);
  expect(room.all('status').map(({ status }) => status)).toEqual([{ kind: 'waiting', reason: 'storing' }]);
  room.stores = true;
  room.ask('unread');
  room.wait(4000);
  expect(room.all('status').at(-1)?.status).toEqual({ kind: 'waiting', reason: 'reading' });
});

test('a disk that is slow is not taken for stages that are silent, and the person hears of it', () => {
  const room = new Driving();
  room.feed({ kind: 'answer', session: 's', model: 'm', tokens: [1], maxTokens: 90, stopTokens: [], sampler: {} });
  room.stores = false;
  // the stages run no further ahead
  for (let first = 1; first <= 17; first++) room.say('b', first, [7]);
  room.wait(30_000);
  expect(room.starts).toHaveLength(1);
  expect(room.all('status').map(({ status }) => status)).toEqual([{ kind: 'waiting', reason: 'storing' }]);
  room.feed({ kind: 'stored', session: 's', ticket: room.all('store').at(-1)?.ticket ?? 0 });
  room.wait(4000);
  expect(room.starts).toHaveLength(1);
  // now it is theirs
  room.stores = true;
  room.feed({ kind: 'stored', session: 's', ticket: room.all('store').at(-1)?.ticket ?? 0 });
  room.wait(6000);
  expect(room.starts).toHaveLength(2);
});

test('who stops an answer waits for no disk', () => {
  const room = new Driving();
  room.ask('m');
  room.stores = false;
  room.say('b', 3, [7]);
  room.feed({ kind: 'stop', session: 's' });
  expect(room.all('answered')).toEqual([{ kind: 'answered', session: 's', finish: 'stopped' }]);
  room.ask('m', [1, 2, 3, 7, 8]);
  for (let i = 0; i < 3; i++) {
    room.feed({ kind: 'stored', session: 's', ticket: room.all('store').at(-1)?.ticket ?? 0 });
  }
  room.say('b', 5, [1, 1, 1, 1, 1, 1, 1, 1, 1]);
  expect(room.all('answered')).toHaveLength(1);
  room.feed({ kind: 'stop', session: 's' });
  expect(room.all('answered').slice(1)).toEqual([{ kind: 'answered', session: 's', finish: 'stopped' }]);
  room.feed({ kind: 'stored', session: 's', ticket: room.all('store').at(-1)?.ticket ?? 0 });
  expect(room.all('answered')).toHaveLength(2);
});

test('a stage that is refused to one conversation ends no other, and where nobody else has room it is asked for again', () => {
  const room = new Driving();
  room.ask('m');
  room.say('b', 3, [7]);
  room.answers = false;
  const other = { kind: 'answer', session: 't', maxTokens: 9, stopTokens: [], sampler: {} } as const;
  room.feed({ ...other, model: 'n', tokens: [1] });
  const refuse = () => {
    const { attempt = 0 } = room.prepares.at(-1) ?? {};
    room.hear('b', { kind: 'refused', session: 't', attempt, stage: 0, reason: 'no-stage', known: 0 });
  };
  refuse();
  room.wait(1500);
  expect(room.prepares.filter(({ session }) => session === 't')).toHaveLength(1);
  room.wait(1500);
  expect(room.prepares.filter(({ session }) => session === 't')).toHaveLength(2);
  expect(room.prepares.filter(({ session }) => session === 's')).toHaveLength(1);
  expect(room.all('status')).toEqual([
    { kind: 'status', session: 't', status: { kind: 'waiting', reason: 'loading' } },
  ]);
  // somebody else has room: its layers go there, and only its own
  const profile = { ...stateOf('c').profile, budgetBytes: 50 };
  const state = stateOf('c', { counter: 2, links: ['a', 'b'], profile, freeBytes: 50 });
  room.hear('c', { kind: 'gossip', states: [state], placements: [] });
  refuse();
  room.wait(1000);
  expect(room.node.book.highest('n')?.placement.stages).toEqual([{ device: 'c', first: 0, last: 4 }]);
  expect(room.node.book.highest('m')?.placement.stages).toEqual([{ device: 'b', first: 0, last: 4 }]);
  expect(room.prepares.filter(({ session }) => session === 's')).toHaveLength(1);
});

test('a device that did not answer is asked again where nobody else has room', () => {
  const room = new Driving();
  room.answers = false;
  room.ask('m');
  room.wait(12_000);
  expect(room.prepares.length).toBeGreaterThan(1);
  expect(room.all('status').filter(({ status }) => status.kind === 'paused')).toEqual([]);
  room.answers = true;
  room.wait(6000);
  expect(room.starts).toHaveLength(1);
});

test('a conversation that is deleted is forgotten by all who may hold something of it', () => {
  const forgotten = (room: Driving) =>
    room.all('send').flatMap(({ peer, message }) => (message.kind === 'forget' ? `${peer} ${message.session}` : []));
  // it was driven before this load, where nobody knows
  const restored = new Driving();
  restored.feed({ kind: 'restore', sessions: [{ head, tokens: [4, 5, 6] }] });
  restored.feed({ kind: 'forget', session: 's' });
  expect(forgotten(restored)).toEqual(['b s', 'c s']);
  // nor is anything of it on the disk
  const unknown = new Driving();
  unknown.feed({ kind: 'forget', session: 's' });
  expect(forgotten(unknown)).toEqual(['b s', 'c s']);
  const running = new Driving();
  running.ask('m');
  running.feed({ kind: 'forget', session: 's' });
  expect(forgotten(running)).toEqual(['b s', 'c s']);
  expect(running.all('erase')).toEqual([{ kind: 'erase', session: 's' }]);
});

test('attempts of a session that is not on the disk are above those of earlier loads', () => {
  const first = new Driving();
  first.ask('m');
  const second = new Driving(2);
  second.holds = { at: first.prepares[0]?.attempt ?? 0, have: 3, retained: 0 };
  second.ask('m');
  expect(second.prepares[0]?.attempt).toBeGreaterThan(1000);
  expect(second.starts.at(-1)?.begin).toBe(0);
});
