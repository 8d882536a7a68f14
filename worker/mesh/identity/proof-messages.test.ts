import fc from 'fast-check';
import { expect, it } from 'vitest';
import { type Bytes, toBase64url } from './bytes.ts';
import { type SideFacts, statementOf, transcriptOf } from './proof-messages.ts';

const bytes = (length: number) =>
  fc.uint8Array({ minLength: length, maxLength: length }).map((array): Bytes => new Uint8Array(array));
const text = (length: number) => bytes(length).map(toBase64url);
const facts: fc.Arbitrary<SideFacts> = fc.record({
  fingerprint: bytes(32),
  nonce: text(32),
  device: text(16),
  publicKey: text(91),
  role: fc.constantFrom('member', 'newcomer'),
  versions: fc.tuple(fc.nat(3), fc.nat(3)),
});

it('what is signed changes with every field of either side, the room, the side that speaks and the purpose', () => {
  fc.assert(
    fc.property(facts, facts, facts, bytes(16), bytes(16), (called, answered, other, room, otherRoom) => {
      const statements = [statementOf(transcriptOf(room, called, answered), 'called', 'proof')];
      const transcript = transcriptOf(room, called, answered);
      statements.push(statementOf(transcript, 'answered', 'proof'));
      statements.push(statementOf(transcript, 'called', 'removed'));
      statements.push(statementOf(transcript, 'called', 'old-invite'));
      const transcripts = [transcriptOf(otherRoom, called, answered), transcriptOf(room, answered, called)];
      for (const field of Object.keys(other) as (keyof SideFacts)[]) {
        if (JSON.stringify(other[field]) !== JSON.stringify(called[field])) {
          transcripts.push(transcriptOf(room, { ...called, [field]: other[field] }, answered));
        }
        if (JSON.stringify(other[field]) !== JSON.stringify(answered[field])) {
          transcripts.push(transcriptOf(room, called, { ...answered, [field]: other[field] }));
        }
      }
      statements.push(...transcripts.map((each) => statementOf(each, 'called', 'proof')));
      expect(new Set(statements.slice(1).map(toBase64url))).not.toContain(toBase64url(statements[0] as Bytes));
    }),
  );
});
