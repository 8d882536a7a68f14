import { beforeAll, describe, expect, it } from 'vitest';
import type { Roster } from '../types.ts';
import { ASKING_MS, AskingDesk, type AskingEffect, MAX_QUESTIONS } from './asking.ts';
import type { Newcomer } from './members.ts';
import { membershipOf } from './roster.ts';
import { add, plainEntry, plainRoster, plainTombstone } from './test-room.ts';

/** Members in a row: each is linked to the next, so that a question has to be passed on. */
class Row {
  readonly names = ['a', 'b', 'c'];
  roster: Roster = plainRoster(plainEntry('b', 1, 'a'), plainEntry('c', 2, 'a'));
  askFirst = true;
  nowMs = 1000;
  readonly told: string[] = [];
  readonly spread: string[] = [];
  readonly desks = new Map(
    this.names.map((name) => [
      name,
      new AskingDesk(
        name,
        () => membershipOf(this.roster),
        () => this.askFirst,
      ),
    ]),
  );

  desk(name: string): AskingDesk {
    return this.desks.get(name) as AskingDesk;
  }

  do(name: string, effects: readonly AskingEffect[]): void {
    for (const effect of effects) {
      if (effect.kind === 'tell') {
        this.told.push(
          `${name} tells ${effect.device} ${'reason' in effect.message ? effect.message.reason : 'asking'}`,
        );
      } else if (effect.kind === 'welcome') this.told.push(`${name} welcomes ${effect.device}`);
      else if (effect.kind === 'admit') {
        const rank = this.roster.entries.length;
        this.roster = add(this.roster, {
          ...plainEntry(effect.newcomer.device, rank, name),
          name: effect.newcomer.name,
        });
        for (const each of this.names) this.do(each, this.desk(each).rosterChanged());
      } else {
        const at = this.names.indexOf(name);
        for (const to of [this.names[at - 1], this.names[at + 1]]) {
          if (to === undefined || to === effect.except) continue;
          this.spread.push(`${name} to ${to}: ${effect.message.kind}`);
          const { message } = effect;
          this.do(
            to,
            message.kind === 'question'
              ? this.desk(to).heardQuestion(message, name, this.nowMs)
              : this.desk(to).heardDenial(message, name, this.nowMs),
          );
        }
      }
    }
  }

  ask(host: string, device = 'n'): void {
    this.do(host, this.desk(host).asked(newcomer(device), this.nowMs));
  }

  answer(member: string, allow: boolean): void {
    this.do(member, this.desk(member).answer('n', allow, this.nowMs));
  }

  open(member: string): string[] {
    return this.desk(member)
      .questions(this.nowMs)
      .map((question) => `${question.newcomer.device} at ${question.hosts}`);
  }
}

function newcomer(device: string): Newcomer {
  return { device, publicKey: `key of ${device}`, name: `Name of ${device}` };
}

describe('a newcomer', () => {
  let row: Row;
  beforeAll(() => {
    row = new Row();
  });

  it('waits, every member sees the question, and any of them lets it in', () => {
    row = new Row();
    row.ask('a');
    expect(row.told).toEqual(['a tells n asking']);
    expect(row.names.map((name) => row.open(name))).toEqual([['n at a'], ['n at a'], ['n at a']]);
    expect(row.spread).toEqual(['a to b: question', 'b to c: question']);
    row.answer('c', true);
    expect(row.told).toEqual(['a tells n asking', 'a welcomes n']);
    expect(membershipOf(row.roster).member('n')?.by).toBe('c');
    expect(row.names.flatMap((name) => row.open(name))).toEqual([]);
    row.answer('b', false);
    expect(row.told).toHaveLength(2);
  });

  it('that is denied anywhere is told so, and is not asked about again for two minutes', () => {
    row = new Row();
    row.ask('a');
    row.answer('c', false);
    expect(row.told).toEqual(['a tells n asking', 'a tells n denied']);
    expect(row.names.flatMap((name) => row.open(name))).toEqual([]);
    row.ask('b');
    expect(row.told.at(-1)).toBe('b tells n denied');
    row.nowMs += ASKING_MS;
    row.ask('b');
    expect(row.told.at(-1)).toBe('b tells n asking');
    expect(row.open('c')).toEqual(['n at b']);
  });

  it('is told when nobody answered in two minutes', () => {
    row = new Row();
    row.ask('a');
    row.nowMs += ASKING_MS - 1;
    for (const name of row.names) row.do(name, row.desk(name).tick(row.nowMs));
    expect(row.told).toHaveLength(1);
    row.nowMs += 1;
    for (const name of row.names) row.do(name, row.desk(name).tick(row.nowMs));
    expect(row.told).toEqual(['a tells n asking', 'a tells n expired']);
    row.answer('b', true);
    expect(membershipOf(row.roster).standing('n')).toBe('unknown');
  });

  it('that goes away leaves no question, unless it waits at another member too', () => {
    row = new Row();
    row.ask('a');
    row.ask('c');
    expect(row.open('b')).toEqual(['n at a,c']);
    row.do('a', row.desk('a').linkLost('n'));
    expect(row.names.map((name) => row.open(name))).toEqual([['n at c'], ['n at c'], ['n at c']]);
    row.do('c', row.desk('c').linkLost('n'));
    expect(row.names.flatMap((name) => row.open(name))).toEqual([]);
  });

  it('that is in already is welcomed, one that was removed is not, and neither bothers anybody', () => {
    row = new Row();
    row.roster = add(row.roster, plainTombstone('a', 'c'));
    row.ask('a', 'b');
    row.ask('a', 'c');
    expect(row.told).toEqual(['a welcomes b', 'a tells c removed']);
    expect(row.spread).toEqual([]);
  });

  it('is let in at once where nobody wants to be asked', () => {
    row = new Row();
    row.askFirst = false;
    row.ask('b');
    expect(row.told).toEqual(['b welcomes n']);
  });

  it('is let in as what it proved, whatever a member said of it before', () => {
    row = new Row();
    const forged = {
      kind: 'question',
      ...newcomer('n'),
      publicKey: 'of another',
      host: 'b',
      leftMs: ASKING_MS,
    } as const;
    const desk = row.desk('a');
    desk.heardQuestion(forged, 'b', row.nowMs);
    desk.asked(newcomer('n'), row.nowMs);
    expect(desk.answer('n', true, row.nowMs)).toEqual([{ kind: 'admit', newcomer: newcomer('n') }]);
  });

  it('cannot flood the room with questions, also not through a member that passes on anything', () => {
    row = new Row();
    for (let at = 0; at < 2 * MAX_QUESTIONS; at++) row.ask('a', `n${at}`);
    for (const name of row.names) expect(row.open(name)).toHaveLength(MAX_QUESTIONS);
    expect(row.told.at(-1)).toBe(`a tells n${2 * MAX_QUESTIONS - 1} busy`);
    const question = { kind: 'question', ...newcomer('x'), host: 'b', leftMs: 1 } as const;
    for (let at = 0; at < 5; at++) {
      expect(row.desk('a').heardQuestion({ ...question, device: `x${at}` }, 'b', row.nowMs)).toEqual([]);
    }
  });

  it('of which a device hears that links late is shown there too', () => {
    row = new Row();
    row.ask('a');
    const [question] = row.desk('a').forNewLink(row.nowMs + 5000);
    expect(question).toMatchObject({ device: 'n', host: 'a', leftMs: ASKING_MS - 5000 });
  });

  it('is not asked about on the word of who is no member', () => {
    row = new Row();
    const question = { kind: 'question', ...newcomer('x'), host: 'stranger', leftMs: 1000 } as const;
    expect(row.desk('a').heardQuestion(question, 'b', row.nowMs)).toEqual([]);
    row.ask('a');
    const denial = { kind: 'denial', device: 'n', by: 'stranger', reason: 'denied' } as const;
    expect(row.desk('a').heardDenial(denial, 'b', row.nowMs)).toEqual([]);
    expect(row.open('a')).toEqual(['n at a']);
  });
});
