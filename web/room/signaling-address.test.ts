import { describe, expect, test } from 'vitest';
import { signalingElsewhere } from './signaling-address.ts';

const naming = (content: string | undefined) => ({
  querySelector: ((selector: string) =>
    selector === 'meta[name="shoal-signaling"]' && content !== undefined
      ? { content }
      : null) as Document['querySelector'],
});

describe('where devices are introduced', () => {
  test.each([
    ['https://meet.example', 'https://meet.example'],
    [' https://meet.example:8443/any/path ', 'https://meet.example:8443'],
    ['http://localhost:8420', 'http://localhost:8420'],
    ['', undefined],
    ['meet.example', undefined],
    ['javascript:alert(1)', undefined],
    [undefined, undefined],
  ])('%s means %s', (content, origin) => {
    expect(signalingElsewhere(naming(content))).toBe(origin);
  });
});
