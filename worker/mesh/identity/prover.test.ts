import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import type { RoomKey, Roster } from '../types.ts';
import { type Bytes, randomBytes, toBase64url } from './bytes.ts';
import type { DeviceKey } from './device-key.ts';
import { admit, type NewRoom, remove } from './members.ts';
import { MAX_PROOF_MESSAGE_BYTES } from './proof-messages.ts';
import { type OwnPart, PROOF_TIMEOUT_MS, type ProofOutcome, Prover, type ProverOptions } from './prover.ts';
import { uniteKeys } from './room-keys.ts';
import { membershipOf, unite } from './roster.ts';
import { makeKeyText } from './secrets.ts';
import { Verifier } from './signed.ts';
import { add, newKey, newKeys, roomOf } from './test-room.ts';

let a: DeviceKey;
let b: DeviceKey;
let c: DeviceKey;
let n: DeviceKey;
let room: NewRoom;
/** C was removed by B; the key that C knew is retired. */
let without: { roster: Roster; keys: readonly RoomKey[] };

beforeAll(async () => {
  [a, b, c, n] = (await newKeys(4)) as [DeviceKey, DeviceKey, DeviceKey, DeviceKey];
  room = await roomOf(a, b, c);
  const removal = await remove(b, room.names, membershipOf(room.roster), room.keys, c.device);
  const roster = add(room.roster, ...removal.tombstones);
  without = { roster, keys: uniteKeys(room.keys, [removal.key as RoomKey], membershipOf(roster)) };
});

function member(roster = room.roster, keys = room.keys): OwnPart {
  const verifier = new Verifier(room.names.id);
  const membership = membershipOf(roster);
  return { role: 'member', membership: () => membership, keys: () => keys, verifier };
}

function newcomer(inviteKey = room.keys[0]?.key ?? ''): OwnPart {
  return { role: 'newcomer', inviteKey };
}

const [ONE, TWO] = [randomBytes(32), randomBytes(32)];

/** Both ends of one connection, the first called. */
function ends(
  one: Pick<ProverOptions, 'key' | 'part'> & Partial<ProverOptions>,
  two: Pick<ProverOptions, 'key' | 'part'> & Partial<ProverOptions>,
): [Prover, Prover] {
  const { names } = room;
  return [
    new Prover({ room: names, side: 'called', localFingerprint: ONE, remoteFingerprint: TWO, ...one }),
    new Prover({ room: names, side: 'answered', localFingerprint: TWO, remoteFingerprint: ONE, ...two }),
  ];
}

type End = () => Pick<ProverOptions, 'key' | 'part'>;
type Wire = (message: string, from: 0 | 1) => readonly string[];

interface Run {
  readonly outcomes: readonly [ProofOutcome | undefined, ProofOutcome | undefined];
  readonly said: readonly string[];
}

/** Carries messages until both are silent; then, if someone waits, lets 5 s pass. */
async function run(provers: readonly [Prover, Prover], wire: Wire = (message) => [message]): Promise<Run> {
  const outcomes: [ProofOutcome | undefined, ProofOutcome | undefined] = [undefined, undefined];
  const said: string[] = [];
  const queue: { to: 0 | 1; message: string }[] = [];
  const take = (from: 0 | 1, step: { send: readonly string[]; outcome?: ProofOutcome }) => {
    outcomes[from] = step.outcome;
    for (const message of step.send) {
      said.push(`${from} ${JSON.parse(message).kind}`);
      expect(new TextEncoder().encode(message).length).toBeLessThanOrEqual(MAX_PROOF_MESSAGE_BYTES);
      for (const carried of wire(message, from)) queue.push({ to: from === 0 ? 1 : 0, message: carried });
    }
  };
  for (const side of [0, 1] as const) take(side, await provers[side].start(0));
  for (let next = queue.shift(); next; next = queue.shift())
    take(next.to, await provers[next.to].receive(next.message, 10));
  for (const side of [0, 1] as const) take(side, await provers[side].tick(PROOF_TIMEOUT_MS));
  return { outcomes, said };
}

function reasonsOf({ outcomes }: Run): string[] {
  return outcomes.map((outcome) =>
    outcome === undefined ? 'none' : outcome.kind === 'accepted' ? 'accepted' : `${outcome.by}: ${outcome.reason}`,
  );
}

function changed(change: (message: Record<string, unknown>, from: 0 | 1) => Record<string, unknown> | undefined): Wire {
  return (message, from) => {
    const after = change(JSON.parse(message), from);
    return after ? [JSON.stringify(after)] : [];
  };
}

describe('a proof succeeds', () => {
  it('between members, each by its device key', async () => {
    const { outcomes, said } = await run(ends({ key: a, part: member() }, { key: b, part: member() }));
    expect(outcomes[0]).toEqual({
      kind: 'accepted',
      peer: { device: b.device, publicKey: b.publicKey, role: 'member', name: 'Device 1' },
      version: 3,
      learned: [],
    });
    expect(outcomes[1]).toMatchObject({ kind: 'accepted', peer: { device: a.device, name: 'Device 0' } });
    expect(said).toHaveLength(6);
  });

  it('between a newcomer and a member, whoever called', async () => {
    for (const swap of [false, true]) {
      const two = [
        { key: n, part: newcomer() },
        { key: b, part: member() },
      ] as const;
      const { outcomes } = await run(swap ? ends(two[1], two[0]) : ends(two[0], two[1]));
      const [atNewcomer, atMember] = swap ? [outcomes[1], outcomes[0]] : outcomes;
      expect(atMember).toMatchObject({ kind: 'accepted', peer: { device: n.device, role: 'newcomer' } });
      expect(atNewcomer).toMatchObject({ kind: 'accepted', peer: { device: b.device, role: 'member' } });
    }
  });

  it('with members that know different keys and removals', async () => {
    const slept = { key: a, part: member() };
    expect(reasonsOf(await run(ends(slept, { key: b, part: member(without.roster, without.keys) })))).toEqual([
      'accepted',
      'accepted',
    ]);
  });

  it('for a member that lost the room and has an old invite', async () => {
    const back = { key: a, part: newcomer(room.keys[0]?.key) };
    const { outcomes } = await run(ends(back, { key: b, part: member(without.roster, without.keys) }));
    expect(outcomes.map((outcome) => outcome?.kind)).toEqual(['accepted', 'accepted']);
  });

  it('at the highest version that both speak', async () => {
    const { outcomes } = await run(
      ends({ key: a, part: member(), versions: [1, 4] }, { key: b, part: member(), versions: [2, 3] }),
    );
    expect(outcomes.map((outcome) => outcome?.kind === 'accepted' && outcome.version)).toEqual([3, 3]);
  });

  it('with a hello that says more than this version knows', async () => {
    const more = changed((message, from) =>
      message.kind === 'hello' && from === 1 ? { ...message, more: 1 } : message,
    );
    const { outcomes } = await run(ends({ key: a, part: member() }, { key: b, part: member() }), more);
    expect(outcomes.map((outcome) => outcome?.kind)).toEqual(['accepted', 'accepted']);
  });
});

describe('a member that the other does not know yet', () => {
  let later: Roster;
  beforeAll(async () => {
    const { device, publicKey } = n;
    const name = '"\\'.repeat(20);
    later = add(room.roster, await admit(c, room.names, membershipOf(room.roster), { device, publicKey, name }));
  });

  it('shows the entries by which it was let in, and is accepted', async () => {
    const { outcomes, said } = await run(ends({ key: n, part: member(later) }, { key: a, part: member() }));
    expect(said.filter((line) => line.endsWith('entry'))).toEqual(['0 entry', '0 entry', '0 entry']);
    expect(outcomes[1]).toMatchObject({ kind: 'accepted', peer: { device: n.device, name: '"\\'.repeat(20) } });
    const learned = outcomes[1]?.kind === 'accepted' ? outcomes[1].learned : [];
    expect(learned.map(({ device }) => device)).toEqual([n.device]);
    expect(outcomes[0]?.kind).toBe('accepted');
  });

  it('is not, when a removed device let it in', async () => {
    const at = member(without.roster, without.keys);
    const refused = await run(ends({ key: n, part: member(later) }, { key: a, part: at }));
    expect(refused.said.filter((line) => line.endsWith('entry'))).toHaveLength(3);
    expect(reasonsOf(refused)).toEqual(['us: timeout', 'us: timeout']);
  });

  it('is accepted as soon as gossip brings its entry', async () => {
    let roster = room.roster;
    const at: OwnPart = { ...member(), role: 'member', membership: () => membershipOf(roster) } as OwnPart;
    const [one, two] = ends({ key: n, part: member(later) }, { key: a, part: at });
    const [hello, answer] = [await one.start(0), await two.start(0)];
    const proof = await one.receive(answer.send[0] ?? '', 1);
    const vouch = await Promise.all([...hello.send, ...proof.send].map((message) => two.receive(message, 1)));
    expect(vouch.flatMap(({ send }) => send).map((message) => JSON.parse(message).kind)).toEqual(['proof', 'vouch']);
    expect((await two.tick(2)).send).toEqual([]);
    roster = later;
    expect((await two.tick(3)).send).toEqual(['{"kind":"accepted"}']);
  });

  it('shows nothing to a device that it does not know itself', async () => {
    const stranger = await newKey();
    const { said, outcomes } = await run(ends({ key: n, part: member(later) }, { key: stranger, part: member() }));
    expect(said.filter((line) => line.endsWith('entry'))).toEqual([]);
    expect(outcomes.every((outcome) => outcome?.kind === 'refused')).toBe(true);
  });
});

describe('who is told what', () => {
  it('a removed device that it was removed, and it believes only a member of the room', async () => {
    const removed = { key: c, part: member() };
    const by = { key: b, part: member(without.roster, without.keys) };
    expect(reasonsOf(await run(ends(removed, by)))).toEqual(['peer: removed', 'us: removed']);
    for (const lost of ['tombstone', 'entry']) {
      // C knows the entries, so that the tombstone alone convinces it
      const bare = changed((message) => (lost in message ? undefined : message));
      const told = lost === 'entry' ? 'peer: removed' : 'peer: unknown';
      expect(reasonsOf(await run(ends(removed, by), bare))).toEqual([told, 'us: removed']);
    }
  });

  it('a removed device, also by one that came after it fell asleep', async () => {
    const { device, publicKey } = n;
    const newcomerIn = await admit(b, room.names, membershipOf(room.roster), { device, publicKey, name: 'N' });
    const later = add(room.roster, newcomerIn);
    const gone = await remove(n, room.names, membershipOf(later), room.keys, c.device);
    const by = { key: n, part: member(add(later, ...gone.tombstones)) };
    const heard: unknown[] = [];
    const part = { ...member(), hear: (news: unknown) => heard.push(news) } as OwnPart;
    expect(reasonsOf(await run(ends({ key: c, part }, by)))).toEqual(['peer: removed', 'us: removed']);
    expect(heard).toEqual([{ entries: [newcomerIn], tombstones: gone.tombstones }]);
  });

  it('a device that another one removed which was removed itself: that it does not count, and why', async () => {
    // B removed C; C, which had not heard of it, removed A, and told D
    const d = await newKey();
    const { device, publicKey } = d;
    const whole = add(
      room.roster,
      await admit(a, room.names, membershipOf(room.roster), { device, publicKey, name: 'D' }),
    );
    const byB = await remove(b, room.names, membershipOf(whole), room.keys, c.device);
    const byC = await remove(c, room.names, membershipOf(whole), room.keys, a.device);
    const rosters = [add(whole, ...byB.tombstones), add(whole, ...byC.tombstones)];
    const parts = rosters.map(
      (_, at): OwnPart =>
        ({
          ...member(),
          membership: () => membershipOf(rosters[at] as Roster),
          hear: (news: Roster) => {
            rosters[at] = unite(rosters[at] as Roster, news);
          },
        }) as OwnPart,
    ) as [OwnPart, OwnPart];
    const meet = () => run(ends({ key: a, part: parts[0] }, { key: d, part: parts[1] }));
    expect(reasonsOf(await meet())).toEqual(['peer: unknown', 'us: unknown']);
    expect(membershipOf(rosters[1] as Roster).standing(a.device)).toBe('member');
    expect(reasonsOf(await meet())).toEqual(['accepted', 'accepted']);
  });

  it('two members that removed each other: the later one that it is out, whoever called', async () => {
    const before = membershipOf(room.roster);
    const byA = await remove(a, room.names, before, room.keys, b.device);
    const byB = await remove(b, room.names, before, room.keys, a.device);
    const atA = { key: a, part: member(add(room.roster, ...byA.tombstones)) };
    const heard: Roster[] = [];
    const part = { ...member(add(room.roster, ...byB.tombstones)), hear: (news: Roster) => heard.push(news) };
    const atB = { key: b, part: part as OwnPart };
    expect(reasonsOf(await run(ends(atA, atB)))).toEqual(['us: removed', 'peer: removed']);
    expect(reasonsOf(await run(ends(atB, atA)))).toEqual(['peer: removed', 'us: removed']);
    expect(heard[0]?.tombstones).toEqual(byA.tombstones);
    expect(heard).toHaveLength(2);
  });

  it('nothing by a removed device: it throws out nobody, with a refusal alone or with what it signed afterwards', async () => {
    const late = await remove(c, room.names, membershipOf(room.roster), room.keys, a.device);
    const rogue = { key: c, part: member(add(room.roster, ...late.tombstones)) };
    const victim = { key: a, part: member(without.roster, without.keys) };
    expect(reasonsOf(await run(ends(victim, rogue)))).toEqual(['us: removed', 'peer: removed']);
    const filler = await admit(c, room.names, membershipOf(room.roster), { ...(await newKey()), name: 'Filler' });
    const heard: unknown[] = [];
    const listens = { key: a, part: { ...victim.part, hear: (news: unknown) => heard.push(news) } as OwnPart };
    const fills = { key: c, part: member(add(room.roster, filler, ...late.tombstones)) };
    expect(reasonsOf(await run(ends(listens, fills)))).toEqual(['us: removed', 'peer: removed']);
    expect(heard).toEqual([]);
    const noProof = changed((message, from) => (from === 1 && message.kind === 'proof' ? undefined : message));
    expect(reasonsOf(await run(ends(victim, rogue), noProof))[0]).toMatch(/unknown/);
    // of version 1 nothing is shown: whose word it is decides
    const old = { versions: [1, 1] as const };
    for (const withheld of [noProof, undefined]) {
      const told = reasonsOf(await run(ends(victim, { ...rogue, ...old }), withheld));
      expect(told[0]).toBe(withheld ? 'peer: unknown' : 'us: removed');
    }
  });

  it('of version 1 a removed device by a member that it was removed, and nobody else', async () => {
    const old = { versions: [1, 1] as const };
    const removed = { key: c, part: member() };
    const by = { key: b, part: member(without.roster, without.keys) };
    for (const both of [ends({ ...removed, ...old }, by), ends(removed, { ...by, ...old })]) {
      const { said, ...rest } = await run(both);
      expect(reasonsOf({ said, ...rest })).toEqual(['peer: removed', 'us: removed']);
      expect(said.some((line) => line.endsWith('evidence'))).toBe(false);
    }
    const bare = changed((message, from) =>
      from === 1 && message.kind === 'refused' ? { kind: 'refused', reason: 'removed' } : message,
    );
    expect(reasonsOf(await run(ends({ ...removed, ...old }, by), bare))).toEqual(['peer: unknown', 'us: removed']);
  });

  it('a removed device that comes as a newcomer, too, whatever key it has', async () => {
    const by = { key: b, part: member(without.roster, without.keys) };
    for (const { key } of without.keys) {
      expect(reasonsOf(await run(ends({ key: c, part: newcomer(key) }, by)))).toEqual(['peer: removed', 'us: removed']);
    }
  });

  it('an old invite that it is old, and only who proves it', async () => {
    const by = { key: b, part: member(without.roster, without.keys) };
    const old = { key: n, part: newcomer(room.keys[0]?.key) };
    expect(reasonsOf(await run(ends(old, by)))).toEqual(['peer: old-invite', 'us: old-invite']);
    const moved = changed((message, from) =>
      from === 1 && message.kind === 'refused' ? { ...message, reason: 'removed' } : message,
    );
    expect(reasonsOf(await run(ends(old, by), moved))).toEqual(['peer: unknown', 'us: old-invite']);
    const wrong = { key: n, part: newcomer(makeKeyText()) };
    expect(reasonsOf(await run(ends(wrong, by)))).toEqual(['peer: unknown', 'us: unknown']);
  });

  it('which side has to be renewed', async () => {
    const { outcomes } = await run(
      ends({ key: a, part: member(), versions: [1, 1] }, { key: b, part: member(), versions: [2, 3] }),
    );
    expect(outcomes).toEqual([
      { kind: 'refused', by: 'us', reason: 'version', behind: 'us' },
      { kind: 'refused', by: 'us', reason: 'version', behind: 'peer' },
    ]);
    const later = changed((message, from) =>
      from === 1 ? { kind: 'hello', versions: [7, 9], shape: 'other' } : message,
    );
    const run2 = await run(ends({ key: a, part: member() }, { key: b, part: member() }), later);
    expect(run2.outcomes[0]).toMatchObject({ reason: 'version', behind: 'us' });
  });

  it('a stranger nothing but that it is unknown: neither a mac, nor an entry, nor a reason', async () => {
    const stranger = await newKey();
    for (const part of [newcomer(makeKeyText()), member()]) {
      const heard: Record<string, unknown>[] = [];
      const { outcomes } = await run(ends({ key: stranger, part }, { key: b, part: member() }), (message, from) => {
        if (from === 1) heard.push(JSON.parse(message));
        return [message];
      });
      expect(outcomes[1]?.kind).toBe('refused');
      expect(heard.at(-1)).toEqual({ kind: 'refused', reason: 'unknown' });
      expect(heard.some((message) => 'mac' in message || message.kind === 'entry' || message.kind === 'accepted')).toBe(
        false,
      );
    }
  });

  it('two newcomers refuse one another', async () => {
    const two = ends({ key: n, part: newcomer() }, { key: await newKey(), part: newcomer() });
    expect((await run(two)).outcomes.map((outcome) => outcome?.kind === 'refused' && outcome.reason)).toEqual([
      'two-newcomers',
      'two-newcomers',
    ]);
  });
});

describe('a server in the middle', () => {
  const memberB: End = () => ({ key: b, part: member() });
  const cases: Record<string, readonly [End, End]> = {
    members: [() => ({ key: a, part: member() }), memberB],
    'a newcomer and a member': [() => ({ key: n, part: newcomer() }), memberB],
  };

  for (const [who, both] of Object.entries(cases)) {
    const make = () => [both[0](), both[1]()] as const;

    it(`that holds a connection to each of ${who} is found out by its certificate`, async () => {
      const [one, two] = make();
      const own: Bytes = randomBytes(32);
      const { outcomes } = await run(ends({ ...one, remoteFingerprint: own }, { ...two, remoteFingerprint: own }));
      expect(outcomes.map((outcome) => outcome?.kind)).toEqual(['refused', 'refused']);
    });

    it(`changes no field that ${who} say`, async () => {
      const other = await newKey();
      const changes: Record<string, unknown>[] = [
        { versions: [0, 1] },
        { versions: [1, 1] },
        { versions: [1, 2] },
        { nonce: toBase64url(randomBytes(32)) },
        { device: other.device, publicKey: other.publicKey },
        { device: other.device },
        { publicKey: other.publicKey },
        { role: 'member' },
        { role: 'newcomer' },
      ];
      for (const change of changes) {
        for (const side of [0, 1]) {
          const [one, two] = make();
          let isSame = false;
          const wire = changed((message, from) => {
            if (message.kind !== 'hello' || from !== side) return message;
            isSame = JSON.stringify({ ...message, ...change }) === JSON.stringify(message);
            return { ...message, ...change };
          });
          const { outcomes } = await run(ends(one, two), wire);
          const kinds = outcomes.map((outcome) => outcome?.kind);
          expect(kinds, JSON.stringify(change)).toEqual(isSame ? ['accepted', 'accepted'] : ['refused', 'refused']);
        }
      }
    });

    it(`can change, drop, cut off or double no message between ${who} so that they go on`, async () => {
      const harms: Record<string, (message: string) => readonly string[]> = {
        drop: () => [],
        cut: (message) => [message.slice(0, -1)],
        change: (message) => [
          message.replace(/"(signature|nonce)":"(.)/, (_, field, first) => `"${field}":"${first === 'A' ? 'B' : 'A'}`),
        ],
        double: (message) => [message, message],
      };
      for (const [how, harm] of Object.entries(harms)) {
        // two hellos and two proofs
        for (let at = 0; at < 4; at++) {
          const [one, two] = make();
          let count = 0;
          const reasons = reasonsOf(
            await run(ends(one, two), (message) => (count++ === at ? harm(message) : [message])),
          );
          const accepted = reasons.filter((reason) => reason === 'accepted').length;
          // a second proof comes after the first one held: one side may be done before it hears of it
          expect(accepted, `${how} ${at}: ${reasons}`).toBeLessThanOrEqual(how === 'double' && at > 1 ? 1 : 0);
        }
      }
    });
  }

  it('gains nothing by sending a side its own messages', async () => {
    for (const part of [member(), newcomer()]) {
      const [only] = ends({ key: a, part }, { key: b, part });
      const { send } = await only.start(0);
      const step = await only.receive(send[0] ?? '', 1);
      expect(step.outcome).toMatchObject({ kind: 'refused', reason: 'self' });
      expect(step.send).toEqual(['{"kind":"refused","reason":"unknown"}']);
    }
  });

  it('cannot answer a proof with that proof, under a hello of its own', async () => {
    // the hello is that of B, which the middle saw elsewhere; the proof is what A has just sent
    const hellos: string[] = [];
    await run(ends({ key: a, part: member() }, { key: b, part: member() }), (message) => {
      hellos.push(message);
      return [message];
    });
    const [only] = ends({ key: a, part: member() }, { key: b, part: member() });
    await only.start(0);
    const { send } = await only.receive(hellos[1] ?? '', 1);
    expect(JSON.parse(send[0] ?? '').kind).toBe('proof');
    expect((await only.receive(send[0] ?? '', 2)).outcome).toMatchObject({ kind: 'refused', reason: 'unknown' });
  });

  it('cannot replay a whole connection', async () => {
    const heard: string[] = [];
    await run(ends({ key: a, part: member() }, { key: b, part: member() }), (message, from) => {
      if (from === 1) heard.push(message);
      return [message];
    });
    const [again] = ends({ key: a, part: member() }, { key: b, part: member() });
    await again.start(0);
    let outcome: ProofOutcome | undefined;
    for (const message of heard) outcome = (await again.receive(message, 1)).outcome ?? outcome;
    expect(outcome).toMatchObject({ kind: 'refused', by: 'us', reason: 'unknown' });
  });

  it('cannot carry the proof of one connection to another between the same devices', async () => {
    const first = ends({ key: a, part: member() }, { key: b, part: member() });
    const elsewhere = randomBytes(32);
    const second = ends(
      { key: a, part: member(), localFingerprint: elsewhere },
      { key: b, part: member(), remoteFingerprint: randomBytes(32) },
    );
    const { outcomes } = await run([first[0], second[1]]);
    expect(outcomes.map((outcome) => outcome?.kind)).toEqual(['refused', 'refused']);
  });
});

describe('a device that lies', () => {
  it('about its id cannot sign for it', async () => {
    for (const part of [member(), newcomer()]) {
      const liar: DeviceKey = { device: b.device, publicKey: b.publicKey, sign: (bytes) => n.sign(bytes) };
      const { outcomes } = await run(ends({ key: liar, part }, { key: a, part: member() }));
      expect(outcomes[1]).toMatchObject({ kind: 'refused', reason: 'unknown' });
    }
  });

  it('about its id is not taken for that device because its own key signs', async () => {
    for (const part of [member(), newcomer()]) {
      const liar: DeviceKey = { device: b.device, publicKey: n.publicKey, sign: (bytes) => n.sign(bytes) };
      const { outcomes } = await run(ends({ key: liar, part }, { key: a, part: member() }));
      expect(outcomes[1]).toMatchObject({ kind: 'refused', reason: 'unknown' });
    }
  });

  it('to a newcomer about knowing the invite has no mac to show, not even the newcomer’s own', async () => {
    let heard = '';
    const macs = [() => heard, () => toBase64url(randomBytes(32)), () => undefined];
    for (const mac of macs) {
      const wire = changed((message, from) => {
        if (message.kind !== 'proof') return message;
        if (from === 0) heard = String(message.mac);
        return from === 0 ? message : { ...message, mac: mac() };
      });
      const { outcomes } = await run(ends({ key: n, part: newcomer() }, { key: b, part: member() }), wire);
      expect(outcomes[0]).toMatchObject({ kind: 'refused', by: 'us', reason: 'unknown' });
    }
  });

  it('about a removal is not believed without a tombstone', async () => {
    const membership = { ...membershipOf(room.roster), standing: () => 'removed' as const };
    const saysRemoved = { ...member(), membership: () => membership } as OwnPart;
    const stranger = await newKey();
    for (const key of [stranger, b]) {
      const told = await run(ends({ key: a, part: member() }, { key, part: saysRemoved }));
      expect(reasonsOf(told)[0]).toBe('peer: unknown');
      expect(told.said.includes('0 evidence')).toBe(key === b);
    }
  });

  it('about having accepted, before it proved anything, is refused', async () => {
    const [one, two] = ends({ key: a, part: member() }, { key: b, part: member() });
    await one.start(0);
    await one.receive((await two.start(0)).send[0] ?? '', 1);
    expect((await one.receive('{"kind":"accepted"}', 1)).outcome).toMatchObject({ kind: 'refused', reason: 'unknown' });
  });

  it('about being a member does not get in with the invite, nor poses as one without it', async () => {
    const posing = await run(
      ends({ key: n, part: newcomer() }, { key: await newKey(), part: member(room.roster, []) }),
    );
    expect(posing.outcomes.map((outcome) => outcome?.kind)).toEqual(['refused', 'refused']);
    const stranger = await newKey();
    const claimed = changed((message, from) =>
      from === 0 && message.kind === 'hello' ? { ...message, role: 'member' } : message,
    );
    const claiming = await run(ends({ key: stranger, part: newcomer() }, { key: a, part: member() }), claimed);
    expect(claiming.outcomes[1]?.kind).toBe('refused');
  });

  it('is not let in with the key of another room', async () => {
    const other = await roomOf(a, b);
    const { outcomes } = await run(ends({ key: a, part: member() }, { key: b, part: member(), room: other.names }));
    expect(outcomes.map((outcome) => outcome?.kind)).toEqual(['refused', 'refused']);
  });

  it('a device does not prove itself to itself', async () => {
    const { outcomes } = await run(ends({ key: a, part: member() }, { key: a, part: member() }));
    expect(outcomes.map((outcome) => outcome?.kind === 'refused' && outcome.reason)).toEqual(['self', 'self']);
  });
});

describe('the proof ends', () => {
  it('after 5 s, and with a description that has not one fingerprint', async () => {
    const [only] = ends({ key: a, part: member() }, { key: b, part: member() });
    await only.start(100);
    expect((await only.tick(100 + PROOF_TIMEOUT_MS - 1)).outcome).toBeUndefined();
    expect((await only.tick(100 + PROOF_TIMEOUT_MS)).outcome).toMatchObject({ reason: 'timeout' });
    const [bad] = ends({ key: a, part: member(), remoteFingerprint: undefined }, { key: b, part: member() });
    const step = await bad.start(0);
    expect(step.outcome).toMatchObject({ reason: 'fingerprint' });
    expect(step.send.map((message) => JSON.parse(message).kind)).toEqual(['refused']);
  });

  it('once: what comes later changes and sends nothing', async () => {
    const provers = ends({ key: a, part: member() }, { key: b, part: member() });
    await run(provers);
    const late = await provers[0].receive('{"kind":"refused","reason":"unknown"}', 20);
    expect(late).toMatchObject({ send: [], outcome: { kind: 'accepted' } });
    const [only] = ends({ key: a, part: member() }, { key: b, part: member() });
    await only.start(0);
    await expect(only.start(0)).rejects.toThrow('once');
  });

  it('at anything that is not the protocol, at any point of it', async () => {
    const junk = fc.oneof(
      fc.string(),
      fc.json(),
      fc.constantFrom('x'.repeat(2049), '"\u00e9"'.padEnd(2048, '\u00e9'), '{"kind":"accepted"}', '{"kind":"vouch"}'),
      fc.constantFrom('hello', 'proof', 'accepted', 'vouch', 'entry').map((kind) => JSON.stringify({ kind, extra: 1 })),
    );
    await fc.assert(
      fc.asyncProperty(junk, fc.nat(2), async (text, at) => {
        const provers = ends({ key: n, part: newcomer() }, { key: b, part: member() });
        let count = 0;
        const { outcomes } = await run(provers, (message, from) => (from === 0 && count++ === at ? [text] : [message]));
        expect(outcomes[1]?.kind === 'refused' || text === '{"kind":"accepted"}').toBe(true);
        if (at < 2) expect(outcomes[1]?.kind).toBe('refused');
      }),
    );
  });
});
