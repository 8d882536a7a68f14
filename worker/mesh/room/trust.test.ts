import { expect, test } from 'vitest';
import type { DeviceState } from '../types.ts';
import type { Effect, Input } from './io.ts';
import { RoomNode } from './node.ts';
import { Records } from './records.ts';
import { stateOf } from './test-states.ts';

/** Devices that hear one another at once, over the links that they are given. */
class Mesh {
  nowMs = 0;
  readonly connects: string[] = [];
  readonly #nodes = new Map<string, RoomNode<number[]>>();
  readonly #links: (readonly [string, string])[] = [];

  constructor(devices: readonly string[]) {
    for (const device of devices) {
      const node = new RoomNode<number[]>({
        device,
        incarnation: 1,
        address: device,
        name: device,
        version: { app: '0', wire: 1 },
        profile: stateOf(device).profile,
        payloads: {
          bytes: (rows) => rows.length,
          slice: (rows, from, to) => rows.slice(from, to),
          join: (p) => p.flat(),
        },
        models: { layers: () => 4, bytes: () => 10, slots: () => 2 },
        isMember: () => true,
        random: () => 0.5,
      });
      this.#nodes.set(device, node);
    }
  }

  of(device: string): RoomNode<number[]> {
    return this.#nodes.get(device) as RoomNode<number[]>;
  }

  link(a: string, b: string): void {
    this.#links.push([a, b]);
    this.feed(a, { kind: 'link-open', peer: b });
    this.feed(b, { kind: 'link-open', peer: a });
  }

  /** Gossip about others from a device that says what it likes. */
  lie(from: string, to: string, ...states: readonly DeviceState[]): void {
    this.feed(to, { kind: 'control', peer: from, message: { kind: 'gossip', states, placements: [] } });
  }

  feed(device: string, input: Input<number[]>): void {
    const { nowMs } = this;
    const todo: { device: string; effect: Effect<number[]> }[] = [];
    const handle = (at: string, what: Input<number[]>) => {
      for (const effect of this.#nodes.get(at)?.handle(what, nowMs) ?? []) todo.push({ device: at, effect });
    };
    handle(device, input);
    for (let one = todo.shift(); one !== undefined; one = todo.shift()) {
      const { device: from, effect } = one;
      if (effect.kind === 'connect') this.connects.push(`${from} ${effect.peer}`);
      if (effect.kind === 'send') handle(effect.peer, { kind: 'control', peer: from, message: effect.message });
    }
  }

  run(ms: number): void {
    const untilMs = this.nowMs + ms;
    while (this.nowMs < untilMs) {
      this.nowMs += 250;
      for (const [a, b] of this.#links) {
        this.feed(a, { kind: 'beat', peer: b });
        this.feed(b, { kind: 'beat', peer: a });
      }
      for (const device of this.#nodes.keys()) this.feed(device, { kind: 'tick' });
    }
  }
}

test('nobody is believed about a device that has a link, and that one hears what is said of it', () => {
  const mesh = new Mesh(['a', 'b', 'liar']);
  mesh.link('a', 'b');
  mesh.link('a', 'liar');
  mesh.run(500);
  mesh.lie('liar', 'a', stateOf('b', { incarnation: 3, counter: 9, name: 'lie' }));
  expect(mesh.of('a').records.of('b')).toMatchObject({ incarnation: 1, name: 'b' });
  mesh.run(250);
  expect(mesh.of('a').records.of('b')).toMatchObject({ incarnation: 3, counter: 10, name: 'b' });
});

test('what was said of a device is taken when its link is lost: it may be all that there is', () => {
  const records = new Records('self');
  records.linked('b');
  expect(records.accept(stateOf('b'), 'b', 0)).toBe('news');
  const later = stateOf('b', { counter: 2 });
  expect(records.accept(later, 'c', 0)).toBe('for-itself');
  expect(records.accept(stateOf('b', { counter: 3 }), 'c', 1)).toBe('old'); // told once in a while
  expect(records.of('b')?.counter).toBe(1);
  records.unlinked('b');
  expect(records.of('b')?.counter).toBe(3);
});

test('a device that others believed a lie about outdoes it, though it has no link to them', () => {
  const mesh = new Mesh(['far', 'middle', 'victim', 'liar']);
  mesh.link('far', 'middle');
  mesh.link('middle', 'victim');
  mesh.link('far', 'liar');
  mesh.run(1000);
  mesh.lie('liar', 'far', stateOf('victim', { incarnation: 900, counter: 2 ** 20, links: ['middle'], name: 'lie' }));
  expect(mesh.of('far').records.of('victim')?.name).toBe('lie');
  mesh.run(10_000);
  expect(mesh.of('far').records.of('victim')).toMatchObject({ incarnation: 900, name: 'victim' });
});

test('a record that is far from all that is known is not believed; the device itself is, once it has a link', () => {
  const records = new Records('self');
  const pairs = [
    { incarnation: 1002, counter: 1 },
    { incarnation: 1, counter: 2 ** 24 + 2 },
    { incarnation: 2 ** 48, counter: 2 ** 48 },
  ];
  records.accept(stateOf('x'), 'b', 0);
  for (const pair of pairs) {
    expect(records.accept(stateOf('x', pair), 'liar', 0)).toBe('doubtful');
    expect(records.of('x')).toEqual(stateOf('x'));
    // nor does what is true help where the lie came first, until there is a link
    const newcomer = new Records('newcomer');
    newcomer.accept(stateOf('x', { ...pair, name: 'lie' }), 'liar', 0);
    expect(newcomer.accept(stateOf('x'), 'b', 0)).toBe('doubtful');
    newcomer.linked('x');
    expect(newcomer.accept(stateOf('x'), 'x', 0)).toBe('news');
    expect(newcomer.of('x')).toEqual(stateOf('x'));
    expect(newcomer.accept(stateOf('x', pair), 'liar', 0)).toBe('old');
  }
  expect(records.compare([['x', 2 ** 40, 1]])).toMatchObject({ lacks: [{ device: 'x' }], asks: [] });
});

test('of a device about which two say what cannot both be true a link is sought', () => {
  const devices = Array.from({ length: 30 }, (_, i) => `d${i}`);
  const mesh = new Mesh(['self']);
  const links = ['d0', 'd1', 'd2', 'd3'];
  for (const peer of links) mesh.feed('self', { kind: 'link-open', peer });
  for (const device of devices) mesh.lie('d0', 'self', stateOf(device, { links: ['d0'] }));
  mesh.feed('self', { kind: 'tick' });
  const unwanted = devices.find((device) => !mesh.connects.includes(`self ${device}`) && !links.includes(device)) ?? '';
  expect(unwanted).not.toBe('');
  mesh.lie('d1', 'self', stateOf(unwanted, { incarnation: 2 ** 40 }));
  mesh.nowMs = 1000;
  mesh.feed('self', { kind: 'tick' });
  expect(mesh.connects).toContain(`self ${unwanted}`);
});
