import { expect, it } from 'vitest';
import type { WireMessage } from './room-schemas.ts';
import { roomCodec } from './room-schemas.ts';

const DEVICE = 'AAAAAAAAAAAAAAAAAAAAAA';
const key = { generation: 1, by: DEVICE, without: [], key: DEVICE };

function said(message: WireMessage, version?: number): object {
  const text = roomCodec.encode(message, version);
  expect(roomCodec.decode(text)).toHaveProperty('message');
  return JSON.parse(text);
}

it('a device that speaks version 1 is told nothing that this version added', () => {
  const keys = { kind: 'room-keys' as const, keys: [{ ...key, signature: 'A'.repeat(86) }] };
  expect(said(keys, 1)).toEqual({ v: 1, kind: 'room-keys', keys: [key] });
  expect(said(keys, 2)).toEqual({ v: 1, ...keys });
  const denied = { kind: 'denied' as const, reason: 'old-invite' as const };
  expect(said(denied, 1)).toEqual({ v: 1, kind: 'denied', reason: 'expired' });
  expect(said(denied)).toEqual({ v: 1, ...denied });
  const digest = { kind: 'digest' as const, states: [], placements: [], models: [null, 'm'] as const };
  expect(said(digest, 1)).toEqual({ v: 1, kind: 'digest', states: [], placements: [] });
  expect(said(digest)).toEqual({ v: 1, ...digest });
});

it('who speaks version 1 or 2 is not told when a model was laid, and need not say it', () => {
  const id = { model: 'm', epoch: 256, proposer: DEVICE };
  const before = { id, stages: [{ device: DEVICE, first: 0, last: 4 }], spares: [] };
  const gossip = { kind: 'gossip' as const, states: [], placements: [{ ...before, laid: 1 }] };
  const prepare = { kind: 'prepare' as const, session: '0'.repeat(16), attempt: 1, placement: before, stage: 0 };
  for (const version of [1, 2]) {
    expect(said(gossip, version)).toEqual({ v: 1, ...gossip, placements: [before] });
    expect(said({ ...prepare, placement: { ...before, laid: 1 } }, version)).toEqual({ v: 1, ...prepare });
  }
  expect(said(gossip)).toEqual({ v: 1, ...gossip });
  const heard = { v: 1, ...gossip, placements: [before] };
  expect(roomCodec.decode(JSON.stringify(heard))).toEqual({ message: { ...gossip, placements: [before] } });
});
