import { describe, expect, it } from 'vitest';
import { emptyLive, takeEvent } from './live-answer.ts';

const text = (value: string, kind: 'answer' | 'reasoning' = 'answer') =>
  ({ kind: 'text', pieces: [{ kind, text: value }], tokens: 1 }) as const;

describe('an answer that is being written', () => {
  it('gathers text and thought apart, with the time that the thought took', () => {
    let live = { ...emptyLive('c', 'm', undefined), askedAt: 1000 };
    live = { ...live, ...takeEvent(live, { kind: 'prefill', doneTokens: 4, totalTokens: 8, reusedTokens: 0 }, 1100) };
    expect(live.phase).toBe('prefill');
    const thinking = takeEvent(takeEvent(live, text('Hm', 'reasoning'), 1500), text('m.', 'reasoning'), 1900);
    expect(thinking).toMatchObject({ phase: 'thinking', reasoning: 'Hmm.', reasoningMs: 400, reasoningTokens: 2 });
    const writing = takeEvent(thinking, text('Yes'), 2000);
    expect(writing).toMatchObject({ phase: 'writing', text: 'Yes', tokens: 3, firstTokenMs: 500, reasoningMs: 400 });
  });

  it('that broke off in its thought goes on with it: nothing twice, the times together', () => {
    const started = {
      ...({ id: 'm', role: 'assistant', text: '', version: 1, createdAt: 0 } as const),
      ...{ reasoning: 'Hm', reasoningMs: 700, reasoningTokens: 4 },
    };
    const live = takeEvent({ ...emptyLive('c', 'm', started), askedAt: 9000 }, text('m.', 'reasoning'), 9100);
    expect(takeEvent(live, text(' Ah.', 'reasoning'), 9400)).toMatchObject({
      reasoning: 'Hmm. Ah.',
      reasoningMs: 1000,
      reasoningTokens: 6,
    });
  });

  it('measures the speed over the last seconds, at a steady pace exactly', () => {
    let live = emptyLive('c', 'm', undefined);
    for (let at = 0; at <= 5000; at += 10) live = takeEvent(live, text('a'), at);
    expect(live.tokensPerSecond).toBeCloseTo(100, 5);
    expect(live.marks.length).toBeLessThan(20);
  });

  it('stays stopping while the last tokens arrive', () => {
    const stopping = { ...emptyLive('c', 'm', undefined), phase: 'stopping' as const };
    expect(takeEvent(stopping, text('late'), 5)).toMatchObject({ phase: 'stopping', text: 'late' });
    const lost = { ...stopping, phase: 'reloading' as const };
    expect(takeEvent(lost, text('late'), 5)).toMatchObject({ phase: 'reloading', text: 'late' });
  });
});
