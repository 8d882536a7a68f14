import fc from 'fast-check';
import { expect, test } from 'vitest';
import { digestsOf, speaksOf } from './digest.ts';
import { MESSAGE_BYTES, PLACEMENTS_A_MESSAGE, split } from './limits.ts';

const ids = fc.uniqueArray(
  fc.record({
    model: fc.nat(40).map((n) => `model ${'x'.repeat(n * 20)} ${n}`),
    epoch: fc.nat(3),
    proposer: fc.constantFrom('a', 'b'),
  }),
  { selector: ({ model, epoch, proposer }) => `${model} ${epoch} ${proposer}`, maxLength: 250 },
);

test('digests name every placement once, each between its models, and each fits a message', () => {
  fc.assert(
    fc.property(ids, (all) => {
      const digests = digestsOf([['a', 1, 1]], all);
      expect(digests.flatMap(({ placements }) => placements)).toHaveLength(all.length);
      expect(digests.map(({ states }) => states.length)).toEqual(digests.map((_, i) => (i === 0 ? 1 : 0)));
      for (const id of all) {
        // who lacks it hears of it from one digest, and nobody takes it for lacking because of another
        const speaking = digests.filter((digest) => speaksOf(digest, id.model));
        expect(speaking).toHaveLength(1);
        expect(speaking[0]?.placements).toContain(id);
      }
      for (const digest of digests) {
        expect(digest.placements.length).toBeLessThanOrEqual(PLACEMENTS_A_MESSAGE);
        expect(JSON.stringify(digest).length).toBeLessThan(64 * 1024);
      }
    }),
  );
});

test('few placements are one digest of all models', () => {
  const placements = [{ model: 'm', epoch: 256, proposer: 'a' }];
  expect(digestsOf([['a', 1, 1]], placements)).toEqual([{ kind: 'digest', states: [['a', 1, 1]], placements }]);
});

test('records are split by their number and by their bytes, in order', () => {
  const record = fc.record({ text: fc.nat(9000).map((n) => 'ü'.repeat(n)) });
  fc.assert(
    fc.property(fc.array(record, { maxLength: 60 }), fc.integer({ min: 1, max: 20 }), (records, most) => {
      const pieces = split(records, most);
      expect(pieces.flat()).toEqual(records);
      for (const piece of pieces) {
        expect(piece.length).toBeLessThanOrEqual(most);
        expect(new TextEncoder().encode(JSON.stringify(piece)).length).toBeLessThanOrEqual(MESSAGE_BYTES + 1);
      }
    }),
  );
});
