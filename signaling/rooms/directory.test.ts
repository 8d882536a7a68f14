import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Directory } from './directory.ts';
import { DEFAULT_ROOM_LIMITS } from './limits.ts';
import { Buckets, TokenBucket } from './token-bucket.ts';

describe('the directory', () => {
  it('lists who announced itself, to the others, until it leaves or falls silent', () => {
    let now = 0;
    const directory = new Directory({ ...DEFAULT_ROOM_LIMITS, entryMs: 100 }, () => now);
    expect(directory.announce('room', 'a', 'here')).toEqual([]);
    now = 60;
    expect(directory.announce('room', 'b', 'here')).toEqual(['a']);
    expect(directory.list('room')).toEqual(['a', 'b']);
    now = 100;
    expect(directory.list('room')).toEqual(['b']);
    directory.leave('room', 'b');
    expect(directory.size).toBe(0);
  });

  it('keeps its limits, and makes room by what has ended', () => {
    let now = 0;
    const limits = { ...DEFAULT_ROOM_LIMITS, rooms: 2, roomsPerPeer: 2, entryMs: 100 };
    const directory = new Directory(limits, () => now);
    directory.announce('one', 'a', 'here');
    directory.announce('one', 'b', 'here');
    expect(directory.announce('one', 'a', 'here')).toEqual(['b']);
    directory.announce('two', 'a', 'here');
    expect(directory.announce('three', 'c', 'here')).toBe('too-many-rooms');
    expect(directory.announce('three', 'a', 'here')).toBe('too-many-rooms-of-this-peer');
    now = 100;
    expect(directory.announce('three', 'c', 'here')).toEqual([]);
    expect(directory.size).toBe(1);
  });

  it('is filled by nobody: whoever announces itself is listed, and who came first of the fullest address gives way', () => {
    const directory = new Directory({ ...DEFAULT_ROOM_LIMITS, peersPerRoom: 4 }, () => 0);
    directory.announce('room', 'member', 'home');
    for (const peer of ['x1', 'x2', 'x3', 'x4', 'x5']) directory.announce('room', peer, 'flood');
    expect(directory.list('room')).toEqual(['member', 'x3', 'x4', 'x5']);
    expect(directory.announce('room', 'reloaded', 'home')).toEqual(['member', 'x4', 'x5']);
    expect(directory.announce('room', 'newcomer', 'elsewhere')).toHaveLength(3);
    // nobody gives way to who is listed
    const listed = directory.list('room');
    for (const peer of listed) directory.announce('room', peer, 'home');
    expect(directory.list('room')).toEqual(listed);
    // what has given way is listed again when it next announces itself
    const away = ['member', 'reloaded', 'newcomer'].filter((peer) => !listed.includes(peer));
    for (const peer of away) expect(directory.announce('room', peer, 'home')).toHaveLength(3);
  });

  it('lists devices of one address in so many rooms, of any other in others', () => {
    let now = 0;
    const directory = new Directory({ ...DEFAULT_ROOM_LIMITS, roomsPerAddress: 2, entryMs: 100 }, () => now);
    directory.announce('one', 'a', 'here');
    directory.announce('two', 'b', 'here');
    expect(directory.announce('three', 'c', 'here')).toBe('too-many-rooms-of-this-address');
    expect(directory.announce('two', 'c', 'here')).toEqual(['b']);
    expect(directory.announce('three', 'd', 'there')).toEqual([]);
    expect(directory.announce('three', 'c', 'here')).toBe('too-many-rooms-of-this-address');
    directory.leave('two', 'b');
    expect(directory.announce('three', 'c', 'here')).toBe('too-many-rooms-of-this-address');
    directory.leave('two', 'c');
    expect(directory.announce('three', 'c', 'here')).toEqual(['d']);
    now = 100;
    directory.sweep();
    for (const room of ['four', 'five']) expect(directory.announce(room, 'e', 'here')).toEqual([]);
  });

  it('after any announcements and departures lists exactly who is there, and keeps nothing of who is not', () => {
    const name = fc.constantFrom('a', 'b', 'c', 'd');
    const step = fc.record({
      what: fc.constantFrom('announce', 'leave', 'forget', 'wait'),
      room: name,
      peer: name,
      address: name,
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        let now = 0;
        const limits = { ...DEFAULT_ROOM_LIMITS, rooms: 3, peersPerRoom: 3, roomsPerPeer: 2, entryMs: 10 };
        const directory = new Directory(limits, () => now);
        const model = new Map<string, number>();
        for (const { what, room, peer, address } of steps) {
          if (what === 'wait') now += 4;
          if (what === 'leave') directory.leave(room, peer);
          if (what === 'forget') directory.forget(peer);
          for (const [entry, end] of model) {
            const gone =
              (what === 'leave' && entry === `${room}/${peer}`) || (what === 'forget' && entry.endsWith(`/${peer}`));
            if (end <= now || gone) model.delete(entry);
          }
          if (what === 'announce' && typeof directory.announce(room, peer, address) !== 'string') {
            const there = [...model.keys()].filter((entry) => entry.startsWith(`${room}/`));
            const isFull = there.length === limits.peersPerRoom && !model.has(`${room}/${peer}`);
            const gone = there.filter((entry) => !directory.isListed(room, entry.slice(2)));
            // of a full room one gives way
            expect(gone).toHaveLength(isFull ? 1 : 0);
            for (const entry of gone) model.delete(entry);
            model.set(`${room}/${peer}`, now + 10);
          }
          for (const each of ['a', 'b', 'c', 'd']) {
            const expected = [...model.keys()].filter((entry) => entry.startsWith(`${each}/`)).map((e) => e.slice(2));
            expect([...directory.list(each)].sort()).toEqual(expected.sort());
            expect(expected.length).toBeLessThanOrEqual(3);
          }
          expect(directory.size).toBeLessThanOrEqual(3);
        }
        now += 10;
        directory.sweep();
        expect(directory.size).toBe(0);
      }),
    );
  });
});

describe('the allowance', () => {
  it('is a burst, then a rate', () => {
    const bucket = new TokenBucket(20, 3, 0);
    expect([bucket.take(0), bucket.take(0), bucket.take(0), bucket.take(0)]).toEqual([true, true, true, false]);
    expect(bucket.take(49)).toBe(false);
    expect(bucket.take(51)).toBe(true);
    expect(bucket.take(51)).toBe(false);
    expect(bucket.isFull(1_000)).toBe(true);
  });

  it('is one for each address, and forgotten once it is full again', () => {
    let now = 0;
    const buckets = new Buckets(1, 1, () => now);
    expect([buckets.take('a'), buckets.take('a'), buckets.take('b')]).toEqual([true, false, true]);
    buckets.sweep();
    expect(buckets.size).toBe(2);
    now = 1_000;
    buckets.sweep();
    expect(buckets.size).toBe(0);
  });
});
