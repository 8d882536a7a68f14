import { afterEach, describe, expect, it } from 'vitest';
import type { RoomLine } from '../../../worker/api.ts';
import { PLAIN } from '../../kernels/sampling.ts';
import { noGpuReason } from '../model.ts';
import { saidAlone, type TestDevice, TestNetwork, until } from './test-room.ts';

const reason = await noGpuReason();

const PROMPT = [1, 403, 407, 261, 378];
const TOKENS = 40;
const request = { conversation: 'it', tokens: PROMPT, sampler: { ...PLAIN, temperature: 0 }, maxTokens: TOKENS };

type Four = [TestDevice, TestDevice, TestDevice, TestDevice];

describe.skipIf(reason !== '')(`a room of devices${reason}`, () => {
  let network: TestNetwork;
  afterEach(() => network.close());

  /** The first makes the room, the others join with its invite, and all know one another. */
  const gather = async (...computes: readonly boolean[]): Promise<TestDevice[]> => {
    network = new TestNetwork();
    const devices = await Promise.all(computes.map((can, i) => network.device(`device ${i}`, can)));
    const [maker, ...others] = devices as [TestDevice, ...TestDevice[]];
    const invite = await maker.make();
    for (const device of others) await device.join(invite);
    await until('all are members and linked', () =>
      devices.every(
        ({ room }) =>
          room?.members?.membership.members.length === devices.length &&
          [...(room.host?.node.records.live() ?? [])].length === devices.length &&
          [...(room.host?.node.links.up() ?? [])].length === devices.length - 1,
      ),
    );
    return devices;
  };
  const untilReady = (device: TestDevice, count: number) =>
    until('all stages are ready', () => {
      const states = [...(device.room?.host?.node.records.devices() ?? [])].flatMap(
        (id) => device.room?.host?.node.records.of(id)?.stages ?? [],
      );
      return states.filter(({ phase }) => phase === 'ready').length >= count;
    });

  it('answers as one device does, also to one that computes nothing', async () => {
    const [a, b, c, phone] = (await gather(true, true, true, false)) as Four;
    a.place(c, a, b);
    await untilReady(phone, 3);
    const { said, done } = phone.ask(request);
    const { finish } = await done;
    expect(finish).toBe('max-tokens');
    expect(said).toEqual(await saidAlone(request));
    expect(network.devices.flatMap(({ troubles }) => troubles)).toEqual([]);
  });

  it('knows of each device whether its page shows and keeps the screen on', async () => {
    const [a, , phone] = (await gather(true, false, false)) as [TestDevice, TestDevice, TestDevice];
    const seen = (by: TestDevice, of: TestDevice) => {
      const state = by.room?.host?.node.records.of(of.id);
      return [state?.visible, state?.wakeLock];
    };
    expect(seen(a, phone)).toEqual([true, false]);
    phone.room?.links.receive({ kind: 'wake-lock', held: true });
    await until('the lock is known', () => seen(a, phone)[1] === true);
    phone.room?.links.receive({ kind: 'visibility', hidden: true });
    phone.room?.links.receive({ kind: 'wake-lock', held: false });
    await until('that it hid is known', () => seen(a, phone)[0] === false && seen(a, phone)[1] === false);
    // what a window says before its device is let in is not forgotten
    const late = await network.device('late', false);
    await late.join(a.invite());
    late.room?.links.receive({ kind: 'wake-lock', held: true });
    await until('the newcomer is known', () => seen(phone, late)[1] === true);
  });

  it('asks before a device joins as the room says, not as each member says', async () => {
    const [a, b, c] = (await gather(false, false, false)) as [TestDevice, TestDevice, TestDevice];
    const asks = () => network.devices.map(({ room }) => room?.members?.askFirst.askFirst);
    await b.room?.members?.setAskFirst(true);
    await until('all ask', () => asks().every((ask) => ask === true));
    await c.room?.members?.setAskFirst(false);
    await until('nobody asks', () => asks().every((ask) => ask === false));
    const late = await network.device('late', false);
    await late.join(a.invite());
    await until('it is let in unasked and knows the rule', () => late.room?.members?.askFirst.askFirstChange === 2);
    expect(late.room?.members?.askFirst.askFirst).toBe(false);
  });

  it.each(['first', 'middle', 'last'])(
    'goes on with the same text when the device of the %s stage is killed',
    async (which) => {
      const [a, b, c, , phone] = (await gather(true, true, true, true, false)) as [...Four, TestDevice];
      const stages = [b, c, a];
      phone.place(...stages);
      await untilReady(phone, 3);
      const victim = stages[['first', 'middle', 'last'].indexOf(which)] as TestDevice;
      const lines: RoomLine[] = [];
      const { said, done } = phone.ask({
        ...request,
        onRoom: (line) => lines.push(line),
        onToken: () => {
          if (said.length === 10) victim.kill();
          return false;
        },
      });
      await done;
      expect(said).toEqual(await saidAlone(request));
      expect(lines.at(-1)?.kind).toBe('resumed');
      const moved = lines.filter((line) => line.kind === 'moved').at(-1);
      expect(moved?.gone).toEqual([victim.id]);
      expect(moved?.devices).not.toContain(victim.id);
    },
  );
});
