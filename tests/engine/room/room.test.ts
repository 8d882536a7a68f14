import { afterEach, describe, expect, it } from 'vitest';
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

  it.each(['first', 'middle', 'last'])(
    'goes on with the same text when the device of the %s stage is killed',
    async (which) => {
      const [a, b, c, , phone] = (await gather(true, true, true, true, false)) as [...Four, TestDevice];
      const stages = [b, c, a];
      phone.place(...stages);
      await untilReady(phone, 3);
      const victim = stages[['first', 'middle', 'last'].indexOf(which)] as TestDevice;
      const lines: string[] = [];
      const { said, done } = phone.ask({
        ...request,
        onRoom: ({ kind }) => lines.push(kind),
        onToken: () => {
          if (said.length === 10) victim.kill();
          return false;
        },
      });
      await done;
      expect(said).toEqual(await saidAlone(request));
      expect(lines.at(-1)).toBe('resumed');
    },
  );
});
