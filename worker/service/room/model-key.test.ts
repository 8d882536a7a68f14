import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isSameFile, modelKey, readModelKey, roomModel, sourceOf } from './model-key.ts';

const APP = 'https://shoal.example/app/';

describe('how a room names a model', () => {
  it('is read back as it was written', () => {
    const text = fc.string({ minLength: 1, maxLength: 40 });
    const where = fc.oneof(
      fc.record({ kind: fc.constant('hub' as const), repository: text, commit: text, file: text }),
      fc.record({ kind: fc.constant('url' as const), address: fc.webUrl(), etag: text }),
      fc.record({ kind: fc.constant('server' as const), file: text, etag: text }),
    );
    fc.assert(
      fc.property(fc.record({ where, contextTokens: fc.integer({ min: 1, max: 100_000 }) }), (model) => {
        expect(readModelKey(modelKey(model))).toEqual(model);
      }),
    );
  });

  it.each(['', '{}', '[]', 'null', '["hub","a","b","c"]', '["hub","a","b","c",0]', '["hub","a","b","c",1.5]'])(
    'refuses %s',
    (key) => expect(() => readModelKey(key)).toThrow(/does not know/),
  );

  it.each([
    '["url","javascript:alert(1)","e",1]',
    '["ftp","x","y",1]',
    '["server",3,"e",1]',
    `["url","${'x'.repeat(2000)}"]`,
  ])('refuses %s', (key) => expect(() => readModelKey(key)).toThrow(/does not know/));

  it('refuses whatever else comes', () => {
    fc.assert(fc.property(fc.json(), (json) => void expect(() => readModelKey(json)).toThrow(/does not know/)));
  });

  it('leaves out the address of the app itself, which differs from device to device', () => {
    const identity = { kind: 'url', address: `${APP}models/a%20b/c.gguf`, etag: '"1"' } as const;
    const model = roomModel(identity, 512, APP);
    expect(sourceOf(model)).toEqual({ kind: 'server', file: 'a b/c.gguf' });
    const elsewhere = { ...identity, address: 'http://localhost:4800/models/a%20b/c.gguf' };
    expect(isSameFile(model, elsewhere)).toBe(true);
    expect(isSameFile(model, { ...elsewhere, etag: '"2"' })).toBe(false);
  });

  it('says that a picked file cannot be shared', () => {
    const identity = { kind: 'picked', name: 'x.gguf', size: 1, headerSha256: '' } as const;
    expect(() => roomModel(identity, 512, APP)).toThrow(/x\.gguf lies on this device alone/);
  });
});
