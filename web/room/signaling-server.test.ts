import { describe, expect, test } from 'vitest';
import { Backoff } from './backoff.ts';
import { candidatesFailure, proofFailure, signalingFailure } from './join-failure.ts';
import { SignalingServer } from './signaling-server.ts';

function answering(answer: unknown, status = 200) {
  const asked: { url: string; method: string; body: unknown }[] = [];
  const fetcher = async (url: URL | RequestInfo, init: RequestInit = {}) => {
    const body = init.body instanceof Blob ? JSON.parse(await init.body.text()) : undefined;
    asked.push({ url: String(url), method: init.method ?? 'GET', body });
    return new Response(typeof answer === 'string' ? answer : JSON.stringify(answer), { status });
  };
  return { asked, fetcher: fetcher as typeof fetch };
}

describe('the signaling server', () => {
  test('is asked under its own path of the origin, whatever page asks', async () => {
    const { asked, fetcher } = answering({ peers: ['me', 'you'], expiresMs: 90_000 });
    const server = new SignalingServer('https://shoal.example:8443/some/page#join', fetcher);
    expect(server.peerOptions).toEqual({ host: 'shoal.example', port: 8443, path: '/signaling/', secure: true });
    expect(await server.announce('A'.repeat(22), { peer: 'me', token: 't' })).toEqual(['you']);
    expect(asked).toEqual([
      {
        url: `https://shoal.example:8443/signaling/rooms/${'A'.repeat(22)}`,
        method: 'POST',
        body: { peer: 'me', token: 't' },
      },
    ]);
    await server.ice('B'.repeat(22), { peer: 'me', token: 't' }).catch(() => {});
    expect(asked[1]).toEqual({
      url: 'https://shoal.example:8443/signaling/ice',
      method: 'POST',
      body: { room: 'B'.repeat(22), peer: 'me', token: 't' },
    });
    expect(new SignalingServer('http://localhost', fetcher).peerOptions).toMatchObject({ port: 80, secure: false });
  });

  test('that refuses is quoted, and what is no answer is an error', async () => {
    const who = { peer: 'me', token: 't' };
    const full = new SignalingServer('http://localhost', answering('this room lists 64 devices', 429).fetcher);
    await expect(full.announce('room', who)).rejects.toMatchObject({
      status: 429,
      message: 'this room lists 64 devices',
    });
    for (const answer of [{}, { peers: [1] }, { peers: ['x'.repeat(65)] }, 'not json', { peers: Array(300).fill('a') }])
      await expect(
        new SignalingServer('http://localhost', answering(answer).fetcher).announce('room', who),
      ).rejects.toThrow();
    for (const answer of [{ iceServers: [{}], expiresMs: 1 }, { iceServers: [] }])
      await expect(
        new SignalingServer('http://localhost', answering(answer).fetcher).ice('room', who),
      ).rejects.toThrow();
  });

  test('waits longer after each failure, half a minute at most, and not all devices together', () => {
    const longest = new Backoff(() => 1);
    expect(Array.from({ length: 7 }, () => longest.next())).toEqual([1000, 2000, 4000, 8000, 16_000, 30_000, 30_000]);
    const shortest = new Backoff(() => 0);
    expect(shortest.next()).toBe(500);
    shortest.next();
    shortest.reset();
    expect(shortest.next()).toBe(500);
  });
});

describe('a join that failed', () => {
  test('names its stage and what to do', () => {
    expect(signalingFailure('https://shoal.local', 'timed out')).toMatchObject({
      stage: 'signaling',
      message: expect.stringMatching(/shoal\.local could not be reached \(timed out\)\. Check/),
    });
    expect(candidatesFailure('a', false).message).toMatch(/--lan/);
    expect(candidatesFailure('a', true).message).not.toMatch(/--lan/);
    expect(proofFailure('a', { reason: 'version', by: 'us', behind: 'us' })).toMatchObject({
      stage: 'version',
      message: expect.stringMatching(/^This device has an older version.*updates itself/),
    });
    expect(proofFailure('a', { reason: 'version', by: 'us', behind: 'peer' }).message).toMatch(/^The other device has/);
    expect(proofFailure('a', { reason: 'removed', by: 'peer' })).toMatchObject({
      stage: 'proof',
      message: expect.stringMatching(/^This device was removed/),
    });
    expect(proofFailure('a', { reason: 'removed', by: 'us' }).message).toMatch(/called again/);
    expect(proofFailure('a', { reason: 'old-invite', by: 'us' }).message).toMatch(/Send it a new one/);
  });
});
