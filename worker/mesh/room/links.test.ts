import { expect, test } from 'vitest';
import { Links } from './links.ts';

function look(links: Links, nowMs: number): string[] {
  const events: string[] = [];
  links.look(nowMs, (peer, event) => events.push(`${peer} ${event}`));
  return events;
}

test('1.5 s of silence is suspicion, told once; 4 s is silence', () => {
  const links = new Links();
  links.opened('a', 0);
  expect(look(links, 1250)).toEqual([]);
  expect(look(links, 1500)).toEqual(['a suspected']);
  expect(look(links, 2000)).toEqual([]);
  expect(look(links, 4000)).toEqual(['a silent']);
});

test('whoever is heard again is not suspected any more', () => {
  const links = new Links();
  links.opened('a', 0);
  look(links, 1600);
  expect(links.isSuspected('a')).toBe(true);
  expect(links.heard('a', 1700)).toBe(true);
  expect(links.isSuspected('a')).toBe(false);
  expect(look(links, 3000)).toEqual([]);
});

test('what is heard over a lost link counts for nothing', () => {
  const links = new Links();
  links.opened('a', 0);
  links.lose('a', 5000);
  expect(links.heard('a', 5001)).toBe(false);
  expect(links.isUp('a')).toBe(false);
  expect([...links.lost()]).toEqual(['a']);
  links.opened('a', 6000);
  expect([...links.lost()]).toEqual([]);
});

test('a link let go on purpose is not lost', () => {
  const links = new Links();
  links.opened('a', 0);
  links.letGo('a');
  expect([...links.lost()]).toEqual([]);
});
