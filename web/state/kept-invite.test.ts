import { describe, expect, it } from 'vitest';
import { KeptInvite } from './kept-invite.ts';

/** As much of a browser's storage as is used. */
function storage(kept = new Map<string, string>()) {
  return {
    kept,
    getItem: (key: string) => kept.get(key) ?? null,
    setItem: (key: string, value: string) => void kept.set(key, value),
    removeItem: (key: string) => void kept.delete(key),
  };
}

const JOINING = { invite: 'https://shoal.example/#/join/abc', name: 'Phone' };

describe('the invite that is being used', () => {
  it('is there after a reload, until it is forgotten', () => {
    const own = storage();
    const open = () => new KeptInvite(() => own as unknown as Storage);
    expect(open().read()).toBeUndefined();
    open().keep(JOINING);
    expect(open().read()).toEqual(JOINING);
    open().forget();
    expect(open().read()).toBeUndefined();
    expect(own.kept.size).toBe(0);
  });

  it.each(['no JSON', 'null', '7', '{"invite":1,"name":"Phone"}', '{"invite":"abc"}'])(
    'is not read from %s',
    (text) => {
      const own = storage();
      const invite = new KeptInvite(() => own as unknown as Storage);
      invite.keep(JOINING);
      for (const key of own.kept.keys()) own.kept.set(key, text);
      expect(invite.read()).toBeUndefined();
    },
  );

  it('is not kept where the browser keeps nothing', () => {
    const full = {
      ...storage(),
      setItem: () => {
        throw new Error('full');
      },
    };
    for (const none of [undefined, full as unknown as Storage]) {
      const invite = new KeptInvite(() => none);
      invite.keep(JOINING);
      expect(invite.read()).toBeUndefined();
    }
  });
});
