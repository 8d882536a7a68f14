import { expect, test } from 'vitest';
import type { TokenRequest } from '../../generation/run.ts';
import type { Input } from '../../mesh/room/io.ts';
import { RoomEngine } from './room-engine.ts';
import type { Rows } from './rows.ts';

test('an answer that the room gave up ends with what the person can do', async () => {
  const fed: Input<Rows>[] = [];
  const engine = new RoomEngine({
    device: 'a',
    model: 'm',
    contextTokens: 100,
    endTokens: [],
    feed: (input) => fed.push(input),
    nameOf: (device) => device,
  });
  const request = { conversation: 'c', tokens: [1, 2], maxTokens: 5, sampler: {}, onToken: () => false };
  const answer = engine.generate({ ...request, signal: new AbortController().signal } as unknown as TokenRequest);
  while (fed.length === 0) await new Promise((resolve) => setTimeout(resolve));
  const [asked] = fed;
  if (asked?.kind !== 'answer') throw new Error('It was not asked.');
  engine.receive({ kind: 'answered', session: asked.session, finish: 'failed' });
  await expect(answer).rejects.toMatchObject({ remedy: 'ask-person', details: { problem: 'room-gave-up' } });
});
