import { describe, expect, it } from 'vitest';
import { fromWire, PersonError, RetryError, ShoalError, toWire } from './errors.ts';

describe('errors on their way from the worker to the window', () => {
  it('keep class, remedy, words and details', () => {
    const arrived = fromWire(structuredClone(toWire(new PersonError('Full.', { contextFull: true }))));
    expect(arrived).toBeInstanceOf(PersonError);
    expect(arrived).toMatchObject({ name: 'PersonError', remedy: 'ask-person', message: 'Full.' });
    expect(arrived.details).toEqual({ contextFull: true });
  });

  it('do not depend on the name of a class, which a minifier shortens', () => {
    const minified = RetryError;
    Object.defineProperty(minified, 'name', { value: 'a' });
    expect(toWire(new minified('Later.')).name).toBe('RetryError');
  });

  it('become a stop or a fault of ours when they are of another kind', () => {
    expect(toWire(new DOMException('x', 'AbortError')).name).toBe('CancelledError');
    expect(toWire('text')).toEqual({ name: 'InternalError', message: 'text', details: {} });
    expect(fromWire(toWire(new Error('x')))).toBeInstanceOf(ShoalError);
  });
});
