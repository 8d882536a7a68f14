import { expect, test } from 'vitest';
import type { TokenRequest } from '../../generation/run.ts';
import type { Input } from '../../mesh/room/io.ts';
import { RoomEngine } from './room-engine.ts';
import type { Rows } from './rows.ts';

function setUp() {
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
  const generate = () =>
    engine.generate({ ...request, signal: new AbortController().signal } as unknown as TokenRequest);
  return { fed, engine, generate };
}

/** An answer that the room was asked for. */
async function asked() {
  const { fed, engine, generate } = setUp();
  const answer = generate();
  while (fed.length === 0) await new Promise((resolve) => setTimeout(resolve));
  const [input] = fed;
  if (input?.kind !== 'answer') throw new Error('It was not asked.');
  return { engine, answer, session: input.session };
}

test('an answer whose conversation is deleted ends at once, though the room says nothing more of it', async () => {
  const { engine, answer, session } = await asked();
  engine.end(session);
  await expect(answer).resolves.toMatchObject({ finish: 'stopped', answerTokens: 0 });
});

test('a room that was left answers nothing, also what was on the way to being asked', async () => {
  const { engine, fed, generate } = setUp();
  const answer = generate();
  engine.close(new Error('left'));
  await expect(answer).rejects.toThrow('left');
  await expect(generate()).rejects.toThrow('left');
  expect(fed).toEqual([]);
});

test('an answer that the room gave up ends with what the person can do', async () => {
  const { engine, answer, session } = await asked();
  engine.receive({ kind: 'answered', session, finish: 'failed' });
  await expect(answer).rejects.toMatchObject({ remedy: 'ask-person', details: { problem: 'room-gave-up' } });
});
