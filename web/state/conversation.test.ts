import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  addMessage,
  branchPlace,
  type Conversation,
  changeMessage,
  chooseBranch,
  emptyConversation,
  type Message,
  merge,
  removedMark,
  reopenMessage,
  shownPath,
  turnsFor,
} from './conversation.ts';

let clock = 1;
function say(role: Message['role'], text: string, parent?: Message): Message {
  clock += 1;
  const base = { id: `m${clock}`, role, text, version: 0, createdAt: clock };
  return parent ? { ...base, parent: parent.id } : base;
}

function twoTurns() {
  const question = say('user', 'Why two tides?');
  const answer = say('assistant', 'The moon pulls.', question);
  const conversation = addMessage(addMessage(emptyConversation('c', 0), question), answer);
  return { conversation, question, answer };
}

describe('branches', () => {
  it('shows the newest answer and keeps the one before it', () => {
    const { conversation, question, answer } = twoTurns();
    const second = say('assistant', 'Because of the moon.', question);
    const grown = addMessage(conversation, second);
    expect(shownPath(grown).map((m) => m.id)).toEqual([question.id, second.id]);
    expect(branchPlace(grown, second)).toMatchObject({ place: 2, of: 2, previous: answer });
    const back = chooseBranch(grown, answer, clock);
    expect(shownPath(back).map((m) => m.id)).toEqual([question.id, answer.id]);
  });

  it('keeps the turns below an edited question on their own branch', () => {
    const { conversation, question, answer } = twoTurns();
    const more = say('user', 'And the sun?', answer);
    const edited = say('user', 'Why one tide?');
    const grown = addMessage(addMessage(conversation, more), edited);
    expect(shownPath(grown).map((m) => m.id)).toEqual([edited.id]);
    expect(shownPath(chooseBranch(grown, question, clock)).map((m) => m.id)).toEqual([question.id, answer.id, more.id]);
  });

  it('asks with the turns of its own branch, and what is there of the answer last', () => {
    const { conversation, answer } = twoTurns();
    expect(turnsFor(conversation, answer)).toEqual([
      { role: 'user', content: 'Why two tides?' },
      { role: 'assistant', content: 'The moon pulls.' },
    ]);
    const fresh = say('assistant', '', answer);
    expect(turnsFor(addMessage(conversation, fresh), { ...fresh, parent: 'missing' })).toEqual([]);
  });

  it('names itself after the first question, cut at a word', () => {
    const { conversation } = twoTurns();
    expect(conversation.title).toBe('Why two tides?');
    const long = addMessage(emptyConversation('d', 0), say('user', 'word '.repeat(40)));
    expect(long.title.endsWith('word…')).toBe(true);
    expect(long.title.length).toBeLessThanOrEqual(61);
  });

  it('forgets a failure when the answer is written again', () => {
    const { conversation, answer } = twoTurns();
    const failed = changeMessage(conversation, answer.id, {
      finish: 'failed',
      failure: { remedy: 'retry', message: 'x', contextFull: false },
    });
    const open = reopenMessage(failed, answer.id).messages[answer.id];
    expect(open).not.toHaveProperty('failure');
    expect(open).not.toHaveProperty('finish');
    expect(open?.version).toBe(2);
  });
});

describe('two windows', () => {
  const message = fc.record({
    id: fc.constantFrom('a', 'b', 'c', 'd'),
    role: fc.constantFrom('user' as const, 'assistant' as const),
    text: fc.string({ maxLength: 4 }),
    version: fc.nat({ max: 3 }),
    createdAt: fc.nat({ max: 9 }),
  });
  const conversation: fc.Arbitrary<Conversation> = fc
    .record({
      title: fc.constantFrom('', 'x', 'y'),
      createdAt: fc.nat({ max: 9 }),
      changedAt: fc.nat({ max: 9 }),
      list: fc.array(message, { maxLength: 4 }),
      chosen: fc.dictionary(fc.constantFrom('root', 'a'), fc.constantFrom('a', 'b')),
      removed: fc.boolean(),
    })
    .map(({ list, removed, ...rest }) => {
      const whole = { ...rest, id: 'c', messages: Object.fromEntries(list.map((m) => [m.id, m])) };
      return removed && list.length === 0 ? removedMark(whole) : whole;
    });

  it('merging in either order gives the same, and twice the same', () => {
    fc.assert(
      fc.property(conversation, conversation, (a, b) => {
        const ab = merge(a, b);
        const visible = ({ id, title, messages, removed }: Conversation) => ({ id, title, messages, removed });
        expect(visible(merge(b, a))).toEqual(visible(ab));
        expect(merge(ab, ab)).toEqual(ab);
      }),
    );
  });

  it('loses no message that either window has, unless the conversation was removed', () => {
    fc.assert(
      fc.property(conversation, conversation, (a, b) => {
        const both = merge(a, b);
        const expected = a.removed || b.removed ? [] : [...Object.keys(a.messages), ...Object.keys(b.messages)];
        expect(Object.keys(both.messages).sort()).toEqual([...new Set(expected)].sort());
      }),
    );
  });

  it('a window that still writes cannot bring a removed conversation back', () => {
    const { conversation: open } = twoTurns();
    expect(merge(removedMark(open), open).removed).toBe(true);
  });
});
