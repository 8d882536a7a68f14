import { expect, it } from 'vitest';
import { evidenceOf, MAX_EVIDENCE } from './evidence.ts';
import { plainEntry, plainRoster, plainTombstone } from './test-room.ts';

const sybils = Array.from({ length: 60 }, (_, at) => `s${String(at).padStart(2, '0')}`);

it('shows what decides, its signer with it, however many others a removed device let in to fill it', () => {
  // hostile h lets in sixty, all of which sign that v is out, as h does; m removed h with all of them, and v itself
  const roster = plainRoster(
    ...['h', 'm', 'v'].map((device, at) => plainEntry(device, at + 1, 'a')),
    ...sybils.map((device, at) => plainEntry(device, at + 4, 'h')),
    ...sybils.map((device) => plainTombstone(device, 'v')),
    plainTombstone('m', 'h'),
    plainTombstone('m', 'v'),
  );
  const shown = evidenceOf(roster, ['v', 'a']);
  expect(shown.length).toBeLessThanOrEqual(MAX_EVIDENCE);
  expect(shown.slice(0, 2)).toEqual([plainTombstone('m', 'v'), plainEntry('m', 2, 'a')]);
});

it('leaves out what nobody known signed, and shows nothing twice', () => {
  const roster = plainRoster(plainEntry('v', 1, 'a'), plainTombstone('nobody', 'v'), plainTombstone('a', 'v'));
  expect(evidenceOf(roster, ['v', 'a'])).toEqual([
    plainTombstone('a', 'v'),
    plainEntry('a', 0, 'a'),
    plainEntry('v', 1, 'a'),
  ]);
});
