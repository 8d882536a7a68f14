import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Starter, type StarterState } from './starter.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

/** A server that answers so, one time after the other, and with the last from then on; `undefined`: not at all. */
function server(...answers: (StarterState | undefined)[]) {
  const asked: string[] = [];
  vi.stubGlobal('fetch', async (_address: URL, { method }: RequestInit) => {
    asked.push(String(method));
    const answer = answers.length > 1 ? answers.shift() : answers[0];
    if (answer === undefined) throw new TypeError('Failed to fetch');
    return Response.json(answer);
  });
  return asked;
}

describe('the starter model on the server', () => {
  it('is followed to its end where the server was fetching it before the page opened', async () => {
    const asked = server({ state: 'fetching', doneBytes: 1 }, { state: 'fetching', doneBytes: 2 }, { state: 'ready' });
    const starter = new Starter('http://shoal.test');
    const seen: (number | undefined | string)[] = [];
    starter.state.subscribe(() => seen.push(starter.state.value?.doneBytes ?? starter.state.value?.state));
    expect((await starter.ask())?.state).toBe('fetching');
    const ended = starter.followed();
    await vi.advanceTimersByTimeAsync(5000);
    expect((await ended)?.state).toBe('ready');
    expect(seen).toEqual([1, 2, 'ready']);
    expect(asked).toEqual(['GET', 'GET', 'GET']);
  });

  it('is asked for once, and followed by one look at a time', async () => {
    const asked = server({ state: 'fetching' }, { state: 'fetching' }, { state: 'failed', message: 'no pip' });
    const starter = new Starter('http://shoal.test');
    const ended = Promise.all([starter.fetch(), starter.followed()]);
    await vi.advanceTimersByTimeAsync(5000);
    expect((await ended).map((state) => state?.message)).toContain('no pip');
    expect(asked.filter((method) => method === 'POST')).toHaveLength(1);
    expect(starter.state.value?.state).toBe('failed');
  });

  it('is not forgotten for a moment without a network', async () => {
    server({ state: 'fetching' }, undefined, undefined, { state: 'ready' });
    const starter = new Starter('http://shoal.test');
    await starter.ask();
    await vi.advanceTimersByTimeAsync(5000);
    expect(starter.state.value?.state).toBe('ready');
  });

  it('is unknown once the server stays away', async () => {
    server({ state: 'fetching' }, undefined);
    const starter = new Starter('http://shoal.test');
    await starter.ask();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(starter.state.value).toBeUndefined();
  });
});
