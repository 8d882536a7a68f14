import { beforeEach, expect, it } from 'vitest';
import { Joining } from './joining.ts';

let joining: Joining;

beforeEach(() => {
  joining = new Joining();
});

it('a stranger that fails the proof, or says without one that this device is unknown, is no answer', () => {
  joining.failed({ reason: 'unknown', by: 'peer' });
  joining.failed({ reason: 'unknown', by: 'us' });
  joining.failed({ reason: 'removed', by: 'us' });
  joining.failed({ reason: 'timeout', by: 'us' });
  expect(joining.refused).toBeUndefined();
  joining.failed({ reason: 'old-invite', by: 'peer' });
  expect(joining.refused).toBe('old-invite');
});

it('a device that denies stops neither the answers of others nor calls to them', () => {
  expect(joining.list(['one', 'two', 'three'])).toEqual(['one', 'two', 'three']);
  joining.opened('1');
  joining.opened('2');
  joining.asked('2');
  joining.denied('1', 'one', 'denied');
  expect(joining.refused).toBeUndefined();
  expect(joining.isAsking).toBe(true);
  expect(joining.toCall()).toEqual(['two', 'three']);
  joining.failed({ reason: 'old-invite', by: 'peer' });
  expect(joining.refused).toBeUndefined();
});

it('is denied when nobody is left that may say otherwise, and asks each once, and none that comes later', () => {
  joining.list(['one', 'two']);
  joining.opened('1');
  joining.denied('1', 'one', 'denied');
  expect(joining.refused).toBe('denied');
  expect(joining.list(['one', 'two', 'late'])).toEqual(['two']);
  expect(joining.mayAsk('late')).toBe(false);
  joining.opened('2');
  expect(joining.refused).toBeUndefined();
  joining.denied('2', 'two', 'denied');
  expect(joining.refused).toBe('denied');
  expect(joining.toCall()).toEqual([]);
});

it('asks again by itself where a device had only too many newcomers, or knows another invite', () => {
  joining.list(['one']);
  joining.opened('1');
  joining.denied('1', 'one', 'busy');
  expect(joining.refused).toBe('busy');
  expect(joining.list(['one', 'late'])).toEqual(['one', 'late']);
  joining.opened('1');
  joining.denied('1', 'one', 'old-invite');
  expect(joining.refused).toBe('old-invite');
  expect(joining.toCall()).toEqual(['one', 'late']);
});

it('does not wait for a device that said it asks and went away', () => {
  joining.opened('1');
  joining.asked('1');
  joining.closed('1');
  expect(joining.isAsking).toBe(false);
  joining.asked('1');
  expect(joining.isAsking).toBe(false);
});

it('goes on without a device whose welcome is of another version, or not of the room', () => {
  joining.list(['one', 'two', 'three']);
  joining.opened('1');
  joining.opened('2');
  joining.misled('1', 'one', false);
  joining.misled('2', 'two', true);
  expect(joining.refused).toBe('version');
  expect(joining.toCall()).toEqual(['three']);
});
