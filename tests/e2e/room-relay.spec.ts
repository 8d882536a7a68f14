/** A room whose devices have no way to one another but the server's relay. */
import type { RoomDevice } from '../setup/room-device.mjs';
import { RoomSetting } from './fixtures/room-fixture.ts';
import { STORIES, storyModel } from './fixtures/story-model.ts';
import { expect, MAX_TOKENS, NO_STORIES, noStories, PROMPT, test } from './fixtures/story-room.ts';

test.skip(noStories, NO_STORIES);

const LAYERS = [3, 2];
/** Remembers the connections that the page makes. */
const REMEMBER = `{
  const Native = RTCPeerConnection;
  globalThis.made = [];
  globalThis.RTCPeerConnection = class extends Native {
    constructor(configuration) {
      super(configuration);
      globalThis.made.push(this);
    }
  };
}`;

/** Kinds of the candidates that a device's open connections go over. */
async function ways({ page }: RoomDevice): Promise<string[]> {
  return page.evaluate(async () => {
    const { made } = globalThis as unknown as { made: RTCPeerConnection[] };
    const kinds: string[] = [];
    for (const connection of made.filter(({ connectionState }) => connectionState === 'connected')) {
      const stats = new Map<string, Record<string, unknown>>(await connection.getStats());
      for (const report of stats.values()) {
        if (report.type !== 'transport') continue;
        const pair = stats.get(String(report.selectedCandidatePairId));
        const local = stats.get(String(pair?.localCandidateId));
        kinds.push(String(local?.candidateType));
      }
    }
    return kinds;
  });
}

test('with mDNS off and every direct way blocked the room forms over the relay, and answers', async ({ story }) => {
  const setting = await RoomSetting.start(
    { [STORIES]: await storyModel(story.contextTokens) },
    { stunPort: 0, relayOnLoopback: true },
  );
  try {
    const options = {
      query: 'ice=relay',
      args: ['--disable-features=WebRtcHideLocalIpsWithMdns'],
      pagePrelude: REMEMBER,
    };
    const devices = [await setting.open('one', options), await setting.open('two', options)] as const;
    const [one, two] = devices;
    await one.makeRoom();
    await two.join(await one.invite());
    for (const device of devices) {
      await device.sees(2);
      expect(await ways(device)).toEqual(['relay']);
    }
    const ids = await Promise.all(devices.map((device) => device.id()));
    const byHand = ids.map((device, i) => ({ device, layers: LAYERS[i] ?? 0 }));
    await two.place(story.source, story.contextTokens, byHand);
    await two.ask('relayed', PROMPT, { maxTokens: MAX_TOKENS });
    expect((await two.finished('relayed')).text).toBe(story.whole);
  } finally {
    await setting.close();
  }
});
