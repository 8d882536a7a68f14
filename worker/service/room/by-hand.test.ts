import { describe, expect, it } from 'vitest';
import { MemoryError, PersonError } from '../../errors.ts';
import type { DeviceProfile } from '../../mesh/types.ts';
import { type ByHandRoom, stagesByHand } from './by-hand.ts';

const profile: DeviceProfile = { compute: true, budgetBytes: 10e9, storage: 'f16', platform: 'mac' };

/** Ten layers of 1 GB; the end with the head takes half a GB more. */
const room: ByHandRoom = {
  layers: 10,
  candidates: [
    { device: 'mac', profile, freeBytes: 8e9, holds: () => false },
    { device: 'ipad', profile, freeBytes: 4.2e9, holds: () => false },
    { device: 'phone', profile: { ...profile, compute: false }, freeBytes: 9e9, holds: () => false },
  ],
  bytes: (first, last) => (last - first) * 1e9 + (last === 10 ? 5e8 : 0),
  nameOf: (device) => device.toUpperCase(),
};

describe('layers by hand', () => {
  it('become stages in their order; who is given none holds none', () => {
    const given = [
      { device: 'ipad', layers: 4 },
      { device: 'phone', layers: 0 },
      { device: 'mac', layers: 6 },
    ];
    expect(stagesByHand(given, room)).toEqual([
      { device: 'ipad', first: 0, last: 4 },
      { device: 'mac', first: 4, last: 10 },
    ]);
  });

  it('must add up, in whole numbers, each device once', () => {
    const give = (...layers: number[]) =>
      layers.map((count, i) => ({ device: ['mac', 'ipad'][i] as string, layers: count }));
    expect(() => stagesByHand(give(6, 3), room)).toThrow(PersonError);
    expect(() => stagesByHand(give(6, 3), room)).toThrow('The model has 10 layers; 9 were given to devices.');
    expect(() => stagesByHand(give(6.5, 3.5), room)).toThrow('whole numbers');
    expect(() => stagesByHand(give(12, -2), room)).toThrow('whole numbers');
    const twice = [...give(5), { device: 'mac', layers: 5 }];
    expect(() => stagesByHand(twice, room)).toThrow('MAC was given layers twice');
  });

  it('must fit, and the error says how many would', () => {
    const split = (mac: number) => [
      { device: 'mac', layers: mac },
      { device: 'ipad', layers: 10 - mac },
    ];
    expect(stagesByHand(split(7), room)).toHaveLength(2);
    expect(() => stagesByHand(split(5), room)).toThrow(
      'IPAD has 4.20 GB free, and layers 6–10 need 5.50 GB. Give it 4 at most.',
    );
    expect(() => stagesByHand(split(9), room)).toThrow(MemoryError);
  });

  it('need no room where a device holds just these already', () => {
    const candidates = room.candidates.map((each) => ({ ...each, freeBytes: 0, holds: () => true }));
    expect(stagesByHand([{ device: 'mac', layers: 10 }], { ...room, candidates })).toHaveLength(1);
  });

  it('are for devices that compute and can be reached', () => {
    const one = (device: string) => [{ device, layers: 10 }];
    expect(() => stagesByHand(one('phone'), room)).toThrow('PHONE has no GPU for models.');
    expect(() => stagesByHand(one('gone'), room)).toThrow('GONE cannot be reached now.');
  });
});
