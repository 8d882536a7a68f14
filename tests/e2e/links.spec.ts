import { type BrowserContext, test as base, expect, type Page } from '@playwright/test';
import { type RunningServer, startServer } from '../../signaling/server.ts';
import { buildLinksPage } from '../links-page/build.ts';
import type { LinksPage } from '../links-page/page.ts';

const FRAMES = 1000;
const PUBLIC_SERVERS = /google|peerjs\.com/;

interface Invite {
  readonly secret: string;
  readonly key: string;
  readonly directory: string;
}

type EnterOptions = NonNullable<Parameters<LinksPage['enter']>[1]>;

/** A page of its own browser context: another device as far as a browser can tell. */
class Device {
  readonly page: Page;
  constructor(page: Page) {
    this.page = page;
  }

  async make(options: EnterOptions = {}): Promise<Invite> {
    return this.page.evaluate(async (given) => {
      const { links } = globalThis as unknown as { links: LinksPage };
      const invite = await links.worker.make();
      links.enter(invite.directory, given);
      return invite;
    }, options);
  }

  async join(invite: Invite, options: EnterOptions = {}): Promise<void> {
    await this.page.evaluate(
      async ([{ secret, key, directory }, given]) => {
        const { links } = globalThis as unknown as { links: LinksPage };
        await links.worker.join(secret, key);
        links.enter(directory, given);
      },
      [invite, options] as const,
    );
  }

  state() {
    return this.page.evaluate(async () => {
      const { links } = globalThis as unknown as { links: LinksPage };
      return { ...(await links.worker.state()), view: links.view() };
    });
  }

  call<T>(what: (links: LinksPage) => Promise<T> | T): Promise<T> {
    return this.page.evaluate(`(${what})(globalThis.links)`) as Promise<T>;
  }

  async isLinked(count = 1, timeout?: number): Promise<void> {
    const options = { message: 'links', ...(timeout !== undefined && { timeout }) };
    await expect.poll(async () => (await this.state()).links.length, options).toBe(count);
  }
}

const test = base.extend<{ server: RunningServer; open: () => Promise<Device> }, { folder: string }>({
  folder: [
    // biome-ignore lint/correctness/noEmptyPattern: Playwright reads from the pattern what a fixture needs
    async ({}, use) => {
      const { folder, remove } = await buildLinksPage();
      await use(folder);
      await remove();
    },
    { scope: 'worker' },
  ],
  server: async ({ folder }, use) => {
    const server = await startServer({ port: 0, appFolder: folder });
    await use(server);
    await server.close();
  },
  open: async ({ browser, server }, use) => {
    const contexts: BrowserContext[] = [];
    await use(async () => {
      const context = await browser.newContext();
      contexts.push(context);
      const page = await context.newPage();
      page.on('pageerror', (error) => console.error(error));
      await page.addInitScript(() => {
        const Native = RTCPeerConnection;
        const asked: string[] = [];
        (globalThis as { iceAsked?: string[] }).iceAsked = asked;
        const made: RTCPeerConnection[] = [];
        (globalThis as { made?: RTCPeerConnection[] }).made = made;
        globalThis.RTCPeerConnection = class extends Native {
          constructor(configuration?: RTCConfiguration) {
            super(configuration);
            asked.push(JSON.stringify(configuration ?? {}));
            made.push(this);
          }
        };
      });
      await page.goto(server.origin);
      await page.waitForFunction('globalThis.links');
      return new Device(page);
    });
    for (const context of contexts) await context.close();
  },
});

async function linkedPair(open: () => Promise<Device>): Promise<readonly [Device, Device]> {
  const [one, two] = [await open(), await open()];
  await two.join(await one.make());
  await one.isLinked();
  await two.isLinked();
  return [one, two];
}

test('two pages link, prove themselves, and exchange frames of 4 B to 256 KiB both ways, none dropped', async ({
  open,
}) => {
  const [one, two] = [await open(), await open()];
  const invite = await one.make();
  await two.join(invite);
  await one.isLinked();
  await two.isLinked();
  const bytes = await Promise.all([
    one.page.evaluate((count) => (globalThis as unknown as { links: LinksPage }).links.worker.send(count, 1), FRAMES),
    two.page.evaluate((count) => (globalThis as unknown as { links: LinksPage }).links.worker.send(count, 2), FRAMES),
  ]);
  for (const [device, sent] of [
    [one, bytes[1]],
    [two, bytes[0]],
  ] as const) {
    await expect.poll(async () => (await device.state()).received.frames).toBe(FRAMES);
    const { received, links, view } = await device.state();
    expect(received).toEqual({ frames: FRAMES, bytes: sent, broken: 0, outOfOrder: 0 });
    expect(links[0]?.drops).toEqual({});
    expect(view.connections).toMatchObject([{ state: 'linked', channels: 'transferred' }]);
    expect(view.failures).toEqual([]);
  }
  await expect.poll(async () => (await one.state()).links[0]?.rttMs).toBeGreaterThan(0);

  // PeerJS brings servers of its own choice; none of them was ever asked
  for (const { page } of [one, two]) {
    const asked = await page.evaluate(() => (globalThis as unknown as { iceAsked: string[] }).iceAsked);
    expect(asked.length).toBeGreaterThanOrEqual(1);
    expect(asked.filter((configuration) => PUBLIC_SERVERS.test(configuration))).toEqual([]);
  }

  // a page that is closed says so: without a word it would be 6 s before ICE found it gone
  await two.page.close({ runBeforeUnload: false });
  await expect.poll(async () => (await one.state()).heard, { timeout: 4000, intervals: [50] }).toContain('goodbye');
});

test('where channels cannot be transferred they are relayed, and nothing is lost', async ({ open }) => {
  const [one, two] = [await open(), await open()];
  await two.call((links) => links.forbidTransfer());
  await two.join(await one.make());
  await two.isLinked();
  await Promise.all([one.call((links) => links.worker.send(100, 1)), two.call((links) => links.worker.send(100, 2))]);
  for (const [device, channels] of [
    [one, 'transferred'],
    [two, 'relayed'],
  ] as const) {
    await expect.poll(async () => (await device.state()).received.frames).toBe(100);
    const { received, view, links } = await device.state();
    expect(received).toMatchObject({ broken: 0, outOfOrder: 0 });
    expect(links[0]?.drops).toEqual({});
    expect(view.connections).toMatchObject([{ state: 'linked', channels }]);
  }
});

test('a wrong invite opens nothing, and both sides can say at which stage it failed', async ({ open }) => {
  const [one, two] = [await open(), await open()];
  const invite = await one.make();
  await two.join({ ...invite, key: 'A'.repeat(22) });
  await expect.poll(async () => (await two.state()).view.failures.map(({ stage }) => stage)).toContain('proof');
  for (const device of [one, two]) {
    const { links, heard, failures } = await device.state();
    expect(links).toEqual([]);
    expect(heard).toEqual([]);
    expect(failures.length).toBeGreaterThanOrEqual(1);
  }
});

test('two that call one another at once end with one link, and a goodbye ends it', async ({ open }) => {
  const devices = [await open(), await open()] as const;
  const [one, two] = devices;
  for (const device of devices) await device.call((links) => links.worker.callNobody());
  await two.join(await one.make());
  for (const device of devices) await expect.poll(async () => (await device.state()).view.signaling).toBe('connected');
  const addresses = await Promise.all(devices.map(async (device) => (await device.state()).view.address));
  const call = (device: Device, address = '') =>
    device.page.evaluate((to) => (globalThis as unknown as { links: LinksPage }).links.worker.call(to), address);
  await Promise.all([call(one, addresses[1]), call(two, addresses[0])]);
  for (const device of devices) await device.isLinked();
  for (const device of devices)
    await expect.poll(async () => (await device.state()).view.connections).toMatchObject([{ state: 'linked' }]);
  const sides = await Promise.all(devices.map(async (device) => (await device.state()).links.map(({ side }) => side)));
  expect(sides.flat().sort()).toEqual(['answered', 'called']);

  await one.call((links) => links.leave());
  await expect.poll(async () => (await two.state()).heard).toEqual(['goodbye', 'closed theirs']);
  await expect.poll(async () => (await two.state()).view.connections).toEqual([]);
});

test('callers that prove nothing do not keep out one that can', async ({ open, server }) => {
  const [one, two, rogue] = [await open(), await open(), await open()];
  await one.call((links) => links.worker.callNobody());
  const invite = await one.make();
  await expect.poll(async () => (await one.state()).view.signaling).toBe('connected');
  const { address } = (await one.state()).view;
  // ICE and DTLS come up, and SCTP never does: each side sends to a port where the other does not listen
  await rogue.page.evaluate(
    async ([origin, dst]) => {
      const elsewhere = ({ type, sdp = '' }: RTCSessionDescriptionInit) => ({
        type,
        sdp: sdp.replace('a=sctp-port:5000', 'a=sctp-port:5001'),
      });
      for (let i = 0; i < 8; i++) {
        const connection = new RTCPeerConnection();
        connection.createDataChannel('control', { negotiated: true, id: 0 });
        const socket = new WebSocket(
          `${origin.replace('http', 'ws')}/signaling/peerjs?key=peerjs&id=rogue${i}&token=t`,
        );
        const say = (type: string, payload: object) =>
          socket.send(JSON.stringify({ type, payload: { ...payload, type: 'data', connectionId: `c${i}` }, dst }));
        await new Promise((resolve) => {
          socket.onopen = resolve;
        });
        socket.onmessage = async ({ data }) => {
          const { type, payload } = JSON.parse(data);
          if (type === 'ANSWER') await connection.setRemoteDescription(elsewhere(payload.sdp));
          if (type === 'CANDIDATE') await connection.addIceCandidate(payload.candidate);
        };
        connection.onicecandidate = ({ candidate }) => candidate && say('CANDIDATE', { candidate });
        const offer = await connection.createOffer();
        await connection.setLocalDescription(offer);
        say('OFFER', { sdp: elsewhere(offer), serialization: 'raw' });
      }
    },
    [server.origin, address] as const,
  );
  const states = async () => (await one.state()).view.connections.map(({ state }) => state);
  await expect.poll(states).toEqual(Array(8).fill('proving'));
  await two.join(invite);
  // Chromium gives SCTP up after some 20 s, and the next eight could have come by then
  await two.isLinked(1, 12_000);
});

test('a flood of calls under thirty names does not keep out one that can prove itself', async ({ open, server }) => {
  const [one, two, rogue] = [await open(), await open(), await open()];
  const invite = await one.make();
  await expect.poll(async () => (await one.state()).view.signaling).toBe('connected');
  const { address } = (await one.state()).view;
  await rogue.page.evaluate(
    async ([origin, dst]) => {
      const connection = new RTCPeerConnection();
      connection.createDataChannel('control', { negotiated: true, id: 0 });
      const { sdp } = await connection.createOffer();
      connection.close();
      for (let i = 0; i < 30; i++) {
        const socket = new WebSocket(
          `${origin.replace('http', 'ws')}/signaling/peerjs?key=peerjs&id=flood${i}&token=t`,
        );
        await new Promise((resolve) => {
          socket.onopen = resolve;
        });
        let calls = 0;
        setInterval(() => {
          const payload = { type: 'data', connectionId: `${i}-${calls++}`, sdp: { type: 'offer', sdp } };
          if (socket.readyState === WebSocket.OPEN) socket.send(JSON.stringify({ type: 'OFFER', dst, payload }));
        }, 1000 / 18);
      }
    },
    [server.origin, address] as const,
  );
  await expect.poll(async () => (await one.state()).view.connections.length).toBe(8);
  await two.join(invite);
  await two.isLinked(1, 40_000);
});

test('a page that the browser kept says that it is here again', async ({ open }) => {
  const [one, two] = await linkedPair(open);
  const pass = (type: string) =>
    two.page.evaluate((named) => dispatchEvent(new PageTransitionEvent(named, { persisted: true })), type);
  await pass('pagehide');
  await expect.poll(async () => (await one.state()).heard).toEqual(['goodbye']);
  await pass('pageshow');
  await expect.poll(async () => (await one.state()).notes).toEqual(['here again']);
});

test('on another network the connection looks for another way, and the link stays', async ({ open }) => {
  const [one, two] = await linkedPair(open);
  const fragments = (device: Device) =>
    device.page.evaluate(() =>
      (globalThis as unknown as { made: RTCPeerConnection[] }).made.flatMap(
        ({ localDescription }) => localDescription?.sdp.match(/ice-ufrag:(\S+)/)?.[1] ?? [],
      ),
    );
  // whichever side notices: only the one that called makes offers, the other asks for one
  for (const device of [one, two]) {
    const before = await Promise.all([one, two].map(fragments));
    await device.page.evaluate(() => dispatchEvent(new Event('online')));
    await expect.poll(() => fragments(one)).not.toEqual(before[0]);
    await expect.poll(() => fragments(two)).not.toEqual(before[1]);
  }
  await one.call((links) => links.worker.note('by another way'));
  await expect.poll(async () => (await two.state()).notes).toEqual(['by another way']);
  expect((await two.state()).heard).toEqual(['note']);
});

test('an offer of another way that is lost is made again', async ({ open }) => {
  const [one, two] = await linkedPair(open);
  const fragments = (device: Device) =>
    device.page.evaluate(() =>
      (globalThis as unknown as { made: RTCPeerConnection[] }).made.flatMap(({ localDescription, connectionState }) =>
        connectionState === 'connected' ? (localDescription?.sdp.match(/ice-ufrag:(\S+)/)?.[1] ?? []) : [],
      ),
    );
  const before = await Promise.all([one, two].map(fragments));
  // the server gets nothing of what the pages say for a while
  for (const { page } of [one, two])
    await page.evaluate(() => {
      const send = WebSocket.prototype.send;
      WebSocket.prototype.send = () => {};
      setTimeout(() => {
        WebSocket.prototype.send = send;
      }, 3000);
      dispatchEvent(new Event('online'));
    });
  // that of who answers is a new one once an offer has come
  await expect.poll(() => fragments(one)).not.toEqual(before[0]);
  await expect.poll(() => fragments(two)).not.toEqual(before[1]);
  await one.call((links) => links.worker.note('by another way'));
  await expect.poll(async () => (await two.state()).notes).toEqual(['by another way']);
  expect((await two.state()).heard).toEqual(['note']);
});

test('a join that fails names its stage and what to do', async ({ open }) => {
  const [one, two, three] = [await open(), await open(), await open()];
  const invite = await one.make();
  // a server that is not there
  await three.join(invite, { server: 'http://localhost:9' });
  // a device that may only go over a relay, where there is none
  await two.join(invite, { rtc: { iceTransportPolicy: 'relay' } });
  for (const [device, stage, words] of [
    [three, 'signaling', 'Check that this device is on the network'],
    [two, 'candidates', 'Connect both to the same network'],
  ] as const) {
    await expect.poll(async () => (await device.state()).view.failures[0]?.stage, { timeout: 60_000 }).toBe(stage);
    expect((await device.state()).view.failures[0]?.message).toContain(words);
  }
});

test('the app may come from one origin and signaling from another', async ({ server, open }) => {
  const other = await startServer({ port: 0, listedOrigins: [server.origin] });
  try {
    const [one, two] = [await open(), await open()];
    await two.join(await one.make({ server: other.origin }), { server: other.origin });
    await one.isLinked();
    await two.isLinked();
    expect((await two.state()).view.failures).toEqual([]);
  } finally {
    await other.close();
  }
});

test('a link over the relay outlives the credentials that it was made with', async ({ server, open }) => {
  const credentialsMs = 6000;
  const other = await startServer({
    port: 0,
    listedOrigins: [server.origin],
    stunPort: 0,
    relayOnLoopback: true,
    relayLimits: { credentialsMs },
  });
  try {
    const options: EnterOptions = { server: other.origin, rtc: { iceTransportPolicy: 'relay' } };
    const [one, two] = [await open(), await open()];
    await two.join(await one.make(options), options);
    await one.isLinked();
    await two.isLinked();
    // three times as long as the first relays last
    await one.page.waitForTimeout(3 * credentialsMs);
    await one.call((links) => links.worker.note('over another relay'));
    await expect.poll(async () => (await two.state()).notes).toEqual(['over another relay']);
    const { heard, view } = await two.state();
    expect(heard).toEqual(['note']);
    expect(view.connections).toHaveLength(1);
  } finally {
    await other.close();
  }
});

test('after a restart of the server devices find together over its relay, and links over it come back', async ({
  server,
  open,
}) => {
  const relayed = { listedOrigins: [server.origin], stunPort: 0, relayOnLoopback: true };
  const before = await startServer({ port: 0, ...relayed });
  const options: EnterOptions = { server: before.origin, rtc: { iceTransportPolicy: 'relay' } };
  const [one, two, three] = [await open(), await open(), await open()];
  const invite = await one.make(options);
  await two.join(invite, options);
  await one.isLinked();
  await two.isLinked();
  const { port, stunPort = 0 } = before;
  await before.close();
  await expect.poll(async () => (await one.state()).view.signaling).toBe('lost');
  const after = await startServer({ ...relayed, port, stunPort });
  try {
    await three.join(invite, options);
    // the newcomers do not let one another in
    await one.isLinked(2, 30_000);
    await three.isLinked();
    await one.call((links) => links.worker.note('over the new relay'));
    for (const device of [two, three])
      await expect.poll(async () => (await device.state()).notes).toEqual(['over the new relay']);
    expect((await two.state()).heard).toEqual(['note']);
  } finally {
    await after.close();
  }
});

test('links outlive the signaling server, and it finds them again when it is back', async ({
  folder,
  server,
  open,
}) => {
  const [one, two] = await linkedPair(open);
  await server.close();
  await expect.poll(async () => (await one.state()).view.signaling).toBe('lost');
  await one.call((links) => links.worker.note('still here'));
  await expect.poll(async () => (await two.state()).notes).toEqual(['still here']);
  const again = await startServer({ port: server.port, appFolder: folder });
  try {
    await expect.poll(async () => (await one.state()).view.signaling).toBe('connected');
    const { heard, view } = await two.state();
    expect(heard).toEqual(['note']);
    expect(view.connections).toHaveLength(1);
  } finally {
    await again.close();
  }
});

test('without Float16Array halves are rounded as with it', async ({ open }) => {
  const device = await open();
  expect(await device.call((links) => links.worker.compareHalves())).toEqual({ native: true, differences: 0 });
});
