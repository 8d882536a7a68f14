/** Two pages meet through a server that is not the one they came from, and talk through its relay alone. */
import type { Page } from '@playwright/test';
import type { RunningServer } from '../../signaling/server.ts';
import { startApp } from '../setup/app-server.ts';
import { expect, test } from './fixtures/test.ts';

const ROOM = 'a-room_of-these-tests_';

let app: RunningServer;
let meeting: RunningServer;

test.beforeAll(async () => {
  app = await startApp();
  meeting = await startApp({ listedOrigins: [app.origin], stunPort: 0, relayOnLoopback: true });
});
test.afterAll(async () => {
  await app.close();
  await meeting.close();
});

/** Opens a page of the app and connects it to the other server under `id`, as PeerJS does; returns who is there. */
async function join(page: Page, id: string): Promise<readonly string[]> {
  await page.goto(`${app.origin}/`);
  return page.evaluate(
    async ({ origin, room, peer }) => {
      const token = `token-${peer}`;
      const socket = new WebSocket(
        `${origin.replace('http', 'ws')}/signaling/peerjs?key=peerjs&id=${peer}&token=${token}`,
      );
      await new Promise((resolve, reject) => {
        socket.onmessage = resolve;
        socket.onerror = () => reject(new Error('no connection'));
      });
      const post = async (what: string, body: object) => {
        const answer = await fetch(`${origin}/signaling/${what}`, { method: 'POST', body: JSON.stringify(body) });
        return answer.json();
      };
      const { peers } = await post(`rooms/${room}`, { peer, token });
      const { iceServers } = await post('ice', { room, peer, token });
      const connection = new RTCPeerConnection({ iceServers, iceTransportPolicy: 'relay' });
      const channel = connection.createDataChannel('data', { negotiated: true, id: 0 });
      const heard = new Promise<string>((resolve) => {
        channel.onmessage = ({ data }) => resolve(data);
      });
      const send = (type: string, to: string, payload: unknown) =>
        socket.send(JSON.stringify({ type, dst: to, payload }));
      let other = '';
      connection.onicecandidate = ({ candidate }) => {
        if (candidate) send('CANDIDATE', other, candidate.toJSON());
      };
      socket.onmessage = async ({ data }) => {
        const { type, src, payload } = JSON.parse(data);
        other = src;
        if (type === 'CANDIDATE') await connection.addIceCandidate(payload);
        else await connection.setRemoteDescription(payload);
        if (type !== 'OFFER') return;
        await connection.setLocalDescription();
        send('ANSWER', src, connection.localDescription);
      };
      const call = async (to: string) => {
        other = to;
        await connection.setLocalDescription();
        send('OFFER', to, connection.localDescription);
      };
      Object.assign(globalThis, { meeting: { connection, channel, heard, call } });
      return peers;
    },
    { origin: meeting.origin, room: ROOM, peer: id },
  );
}

interface Meeting {
  readonly connection: RTCPeerConnection;
  readonly channel: RTCDataChannel;
  readonly heard: Promise<string>;
  call(to: string): Promise<void>;
}

test('pages from one origin meet by signaling of another, and its relay is way enough', async ({ context }) => {
  const [ann, bob] = [await context.newPage(), await context.newPage()];
  expect(await join(ann, 'ann')).toEqual([]);
  expect(await join(bob, 'bob')).toEqual(['ann']);
  const heard = ann.evaluate(() => (globalThis as unknown as { meeting: Meeting }).meeting.heard);
  const pair = await bob.evaluate(async () => {
    const { connection, channel, call } = (globalThis as unknown as { meeting: Meeting }).meeting;
    await call('ann');
    await new Promise((resolve) => {
      channel.onopen = resolve;
    });
    channel.send('hello over the relay');
    const types: string[] = [];
    for (const stats of (await connection.getStats()).values()) {
      if (stats.type === 'local-candidate' || stats.type === 'remote-candidate') types.push(stats.candidateType);
    }
    return [...new Set(types)];
  });
  expect(await heard).toBe('hello over the relay');
  expect(pair).toEqual(['relay']);
});

test('a page of an origin that is not listed meets nobody', async ({ page }) => {
  const stranger = await startApp();
  await page.goto(`${stranger.origin}/`);
  const outcome = await page.evaluate(async (origin) => {
    const asked = await fetch(`${origin}/signaling/rooms/a-room_of-these-tests_`).then(
      () => 'answered',
      () => 'refused',
    );
    const socket = new WebSocket(`${origin.replace('http', 'ws')}/signaling/peerjs?key=peerjs&id=eve&token=t`);
    const opened = await new Promise((resolve) => {
      socket.onopen = () => resolve('opened');
      socket.onerror = () => resolve('refused');
    });
    return [asked, opened];
  }, meeting.origin);
  expect(outcome).toEqual(['refused', 'refused']);
  await stranger.close();
});
