import { X509Certificate } from 'node:crypto';
import { EventEmitter, once } from 'node:events';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { type IncomingHttpHeaders, type IncomingMessage, request as requestHttp } from 'node:http';
import { Agent, request as requestHttps } from 'node:https';
import os from 'node:os';
import path from 'node:path';
import { checkServerIdentity } from 'node:tls';
import decodeQR from 'qr/decode.js';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { type LanRequest, lanLines, type RunningServer, startServer } from '../server.ts';
import { createAuthority, issueLeaf } from './authority.ts';
import { ipv4 } from './interfaces.testing.ts';
import type { Mdns } from './local-name.ts';

const ROOM = 'abcdefghijklmnopqrst-_';
let folder: string;
let interfaces: ReturnType<NonNullable<LanRequest['computer']>['interfaces']>;
const running: RunningServer[] = [];

beforeEach(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), 'shoal-lan-'));
  interfaces = { en0: ipv4('192.168.77.5/24'), utun3: ipv4('10.8.0.2/24') };
});
afterEach(async () => {
  await Promise.all(running.splice(0).map((server) => server.close()));
  await rm(folder, { recursive: true, force: true });
});

/** Nobody answers on this network. */
function quietMdns(): Mdns {
  return Object.assign(new EventEmitter(), {
    query: () => {},
    respond: () => {},
    destroy: () => {},
  }) as unknown as Mdns;
}

/** A server for a computer called Laptop on 192.168.77.5, which in truth listens on loopback. */
async function start(lan: Partial<LanRequest> = {}): Promise<RunningServer> {
  const server = await startServer({
    port: 0,
    stunPort: 0,
    cacheFolder: folder,
    lan: {
      port: 0,
      configFolder: folder,
      computer: {
        hostname: 'Laptop',
        interfaces: () => interfaces,
        routedAddress: async () => '192.168.77.5',
        openMdns: quietMdns,
      },
      bindAddress: () => '127.0.0.1',
      mdnsAnswerMs: 6,
      ...lan,
    },
  });
  running.push(server);
  return server;
}

interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

/** Asks for an address of the pretended network; the name is looked up to where the server listens. */
async function ask(url: string, headers: Record<string, string> = {}, question?: string): Promise<Answer> {
  const { protocol, host, hostname, port, pathname, search } = new URL(url);
  const method = question === undefined ? 'GET' : 'POST';
  const options = { host: '127.0.0.1', port, path: pathname + search, method, headers: { Host: host, ...headers } };
  const trust = {
    ...(protocol === 'https:' ? { ca: await readFile(path.join(folder, 'lan/root.pem')) } : {}),
    servername: '',
    checkServerIdentity: (_host: string, certificate: Parameters<typeof checkServerIdentity>[1]) =>
      checkServerIdentity(hostname, certificate),
  };
  return new Promise((resolve, reject) => {
    const answered = (response: IncomingMessage) => {
      const parts: Buffer[] = [];
      response.on('data', (part: Buffer) => parts.push(part));
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(parts) }),
      );
    };
    const asked =
      protocol === 'https:' ? requestHttps({ ...options, ...trust }, answered) : requestHttp(options, answered);
    asked.on('error', reject);
    asked.end(question);
  });
}

/** What a phone reads from a code drawn with half blocks, light on dark. */
function scan(lines: readonly string[]): string {
  const rows = lines.flatMap((line) =>
    ['█▀', '█▄'].map((light) => [...line].map((mark) => (light.includes(mark) ? 255 : 0))),
  );
  const [scale, margin] = [6, 24];
  const size = rows.length * scale + 2 * margin;
  const data = new Uint8Array(size * size * 4).fill(255);
  rows.forEach((row, y) => {
    row.forEach((value, x) => {
      for (let dy = 0; dy < scale; dy++) {
        for (let dx = 0; dx < scale; dx++) {
          data.fill(
            value,
            ((margin + y * scale + dy) * size + margin + x * scale + dx) * 4,
            ((margin + y * scale + dy) * size + margin + x * scale + dx) * 4 + 3,
          );
        }
      }
    });
  });
  return decodeQR({ width: size, height: size, data });
}

describe('a server for the local network', () => {
  it('answers over HTTPS under its .local name, by a certificate of its own authority', async () => {
    const server = await start();
    const { origins = [], chosen, unused } = server.lan?.() ?? {};
    expect(origins[0]).toMatch(/^https:\/\/laptop\.local:\d+$/);
    expect(origins[1]).toMatch(/^https:\/\/192\.168\.77\.5:\d+$/);
    expect(chosen?.map(({ address }) => address)).toEqual(['192.168.77.5']);
    expect(unused).toEqual(['utun3 10.8.0.2 (VPN)']);
    // a client that checks chain and name
    const answer = await ask(`${origins[0]}/signaling/server`);
    expect(JSON.parse(answer.body.toString())).toEqual({ origins, steps: server.lan?.().steps });
    expect((await ask(`http://localhost:${server.port}/signaling/server`)).body.equals(answer.body)).toBe(true);
  });

  it('knows its own page, and refuses other names and other pages', async () => {
    const server = await start();
    const [origin = ''] = server.lan?.().origins ?? [];
    const own = await ask(`${origin}/signaling/rooms/${ROOM}`, { Origin: origin });
    expect([own.status, own.headers['access-control-allow-origin']]).toEqual([200, undefined]);
    expect((await ask(`${origin}/models/index.json`, { Host: 'evil.example' })).status).toBe(421);
    expect((await ask(`${origin}/models/index.json`, { Host: '10.8.0.2' })).status).toBe(421);
    const insecure = origin.replace('https', 'http');
    expect((await ask(`${origin}/signaling/rooms/${ROOM}`, { Origin: insecure })).status).toBe(403);
    const ca = await readFile(path.join(folder, 'lan/root.pem'));
    const { port, host } = new URL(origin);
    const socket = new WebSocket(`wss://127.0.0.1:${port}/signaling/peerjs?key=peerjs&id=a&token=t`, {
      agent: new Agent({ ca, servername: 'laptop.local' }),
      headers: { Host: host, Origin: origin },
    });
    const first = await new Promise((resolve) => socket.once('message', (data) => resolve(String(data))));
    expect(first).toBe('{"type":"OPEN"}');
    socket.close();
  });

  it('offers a relay under the address by which devices reach it', async () => {
    const server = await start();
    const [origin = ''] = server.lan?.().origins ?? [];
    const who = { peer: 'phone', token: 't' };
    const local = `127.0.0.1:${server.port}/signaling`;
    const socket = new WebSocket(`ws://${local}/peerjs?key=peerjs&id=${who.peer}&token=${who.token}`);
    await once(socket, 'message');
    await fetch(`http://${local}/rooms/${ROOM}`, { method: 'POST', body: JSON.stringify(who) });
    const question = JSON.stringify({ room: ROOM, ...who });
    for (const from of [origin, server.lan?.().origins[1], `http://localhost:${server.port}`]) {
      const answer = JSON.parse((await ask(`${from}/signaling/ice`, {}, question)).body.toString());
      expect(answer.iceServers[0].urls).toEqual([`stun:192.168.77.5:${server.stunPort}`]);
      expect(answer.iceServers[1].urls[0]).toBe(`turn:192.168.77.5:${server.stunPort}?transport=udp`);
      expect(answer.iceServers[1].credential).toMatch(/^[\w-]{43}$/);
    }
    socket.close();
  });

  it('keeps its name when its address changes, with a certificate for the new one', async () => {
    const server = await start();
    const before = server.lan?.().origins ?? [];
    interfaces = { en0: ipv4('192.168.77.123/24') };
    await server.updateLan?.();
    const after = server.lan?.().origins ?? [];
    expect(after[1]).toContain('192.168.77.123');
    expect(after[0]).toBe(before[0]);
    expect((await ask(`${after[1]}/signaling/server`)).status).toBe(200);
    expect((await ask(`${after[0]}/signaling/server`, { Host: '192.168.77.5' })).status).toBe(421);
    interfaces = {};
    await server.updateLan?.();
    interfaces = { en0: ipv4('192.168.77.123/24') };
    await server.updateLan?.();
    expect((await ask(`${after[0]}/signaling/server`)).status).toBe(200);
  });

  it('has the address as its name where multicast DNS fails, and says what that means', async () => {
    const server = await start({
      computer: {
        hostname: 'Laptop',
        interfaces: () => interfaces,
        routedAddress: async () => undefined,
        openMdns: () => {
          throw new Error('no multicast here');
        },
      },
    });
    const { origins = [], warnings = [] } = server.lan?.() ?? {};
    expect(origins).toHaveLength(1);
    expect(origins[0]).toContain('192.168.77.5');
    expect(warnings[0]).toContain('no multicast here');
    expect((await ask(`${origins[0]}/signaling/server`)).status).toBe(200);
  });

  it('takes a certificate of one’s own, and then needs no steps', async () => {
    const authority = await createAuthority('My own', Date.now());
    await rm(path.join(folder, 'lan'), { recursive: true, force: true });
    const server = await start({
      certificate: await issueLeaf(authority, ['shoal.home.local', '*.home.local'], Date.now()),
    });
    const state = server.lan?.();
    expect(state?.origins).toEqual([expect.stringMatching(/^https:\/\/shoal\.home\.local:\d+$/)]);
    expect(state?.steps).toBeUndefined();
    const probe = path.join(folder, 'lan');
    await expect(readFile(path.join(probe, 'root.pem'))).rejects.toMatchObject({ code: 'ENOENT' });
  });

  it('says what to do where there is no network', async () => {
    interfaces = { utun3: ipv4('10.8.0.2/24') };
    await expect(start()).rejects.toThrow('in no local network. It has: utun3 10.8.0.2 (VPN). To use one');
    await expect(start({ wantedInterface: 'en9' })).rejects.toThrow('--interface en9');
    const server = await start({ wantedInterface: 'utun3' });
    expect(server.lan?.().origins[1]).toContain('10.8.0.2');
  });

  it.each(['192.0.2.2/24', '100.101.1.1/32'])(
    'on %s, which its authority cannot vouch for, is trusted under its name alone, and says so',
    async (cidr) => {
      const address = cidr.split('/')[0] ?? '';
      interfaces = { eth0: ipv4(cidr) };
      const server = await start({ wantedInterface: 'eth0' });
      const { origins = [], steps = '', warnings = [] } = server.lan?.() ?? {};
      expect(origins).toEqual([expect.stringMatching(/^https:\/\/laptop\.local:\d+$/)]);
      expect(warnings).toEqual([expect.stringContaining(`${address} is not a private address`)]);
      expect(warnings[0]).toContain(`${origins[0]}/`);
      // a client that checks the chain, the authority's limits and the name
      expect((await ask(`${origins[0]}/signaling/server`)).status).toBe(200);
      expect(new URL(steps).hostname).toBe(address);
      expect((await ask(steps)).status).toBe(200);
    },
  );

  it('does not open where neither a name nor the address can be in its certificate', async () => {
    interfaces = { eth0: ipv4('192.0.2.2/24') };
    const computer = {
      hostname: 'Laptop',
      interfaces: () => interfaces,
      routedAddress: async () => undefined,
      openMdns: () => {
        throw new Error('no multicast here');
      },
    };
    await expect(start({ wantedInterface: 'eth0', computer })).rejects.toThrow(
      /192\.0\.2\.2 is not a private address.*no multicast here.*--cert/,
    );
  });

  it('is called under any name that a certificate for many names is for', async () => {
    const authority = await createAuthority('My own', Date.now());
    await mkdir(path.join(folder, 'lan'), { recursive: true });
    await writeFile(path.join(folder, 'lan/root.pem'), authority.root);
    const server = await start({ certificate: await issueLeaf(authority, ['*.home.local'], Date.now()) });
    const state = server.lan?.();
    const port = new URL(state?.origins[0] ?? '').port;
    expect(state?.origins).toEqual([`https://laptop.home.local:${port}`]);
    expect(state?.warnings.join()).toContain('laptop.home.local');
    for (const [name, status] of [
      ['laptop.home.local', 200],
      ['tower.home.local', 200],
    ] as const)
      expect((await ask(`https://${name}:${port}/signaling/server`)).status).toBe(status);
    const plain = `http://127.0.0.1:${server.port}/signaling/server`;
    for (const host of ['home.local', 'a.b.home.local', '.home.local', '*.home.local', 'evilhome.local'])
      expect((await ask(plain, { Host: host })).status).toBe(421);
  });

  it('tells the terminal where to go, with a code for a phone', async () => {
    const server = await start();
    const state = server.lan?.();
    if (!state) throw new Error('no state');
    const lines = lanLines(state, { columns: 80, platform: 'darwin' }, server.stunPort);
    const text = lines.join('\n');
    for (const said of [state.origins[0], state.steps, state.fingerprint, 'macOS', 'utun3 10.8.0.2 (VPN)']) {
      expect(text).toContain(said);
    }
    expect(scan(text.split('\n').filter((line) => /^[█▀▄ ]{20,}$/.test(line)))).toBe(state.steps);
    const linux = { columns: 20, platform: 'linux' };
    const narrow = lanLines(state, linux, 40_123).join('\n');
    expect(narrow).not.toContain('█');
    const ports = [state.origins[0], state.steps].map((url) => new URL(url ?? '').port);
    expect(narrow).toContain(`TCP ${ports.join(', ')}, 40123 and UDP 40123, 5353, 49152-50175.`);
    expect(lanLines(state, linux, undefined).join('\n')).toContain(`TCP ${ports.join(', ')} and UDP 5353.`);
  });
});

describe('the pages on certificates', () => {
  it('are found without trust, one for each platform, the own first', async () => {
    const server = await start();
    const { steps = '', origins = [] } = server.lan?.() ?? {};
    expect(steps).toMatch(/^http:\/\/192\.168\.77\.5:\d+\/$/);
    const browsers = {
      'iPhone, iPad': 'Mozilla/5.0 (iPhone; CPU iPhone OS 26_0 like Mac OS X)',
      Android: 'Mozilla/5.0 (Linux; Android 16; Pixel 9)',
      Mac: 'Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7)',
      Windows: 'Mozilla/5.0 (Windows NT 10.0; Win64; x64)',
    };
    for (const [title, browser] of Object.entries(browsers)) {
      const { body, headers } = await ask(steps, { 'User-Agent': browser });
      expect(body.toString()).toContain(`<title>Open Shoal on this device: ${title}</title>`);
      expect(body.toString()).toContain(`data-origins="${origins.join(' ')}"`);
      expect(body.toString().replaceAll('<br>', '')).toContain(server.lan?.().fingerprint);
      expect(headers['content-security-policy']).toContain(`connect-src ${origins.join(' ')};`);
      expect(headers['content-security-policy']).toContain("default-src 'none'");
    }
    expect((await ask(`${steps}ios`)).body.toString()).toContain('Certificate Trust Settings');
  });

  it('bring the certificate in the types by which devices know it', async () => {
    const server = await start();
    const { steps = '', fingerprint } = server.lan?.() ?? {};
    const crt = await ask(`${steps}shoal.crt`);
    expect(crt.headers['content-type']).toBe('application/x-x509-ca-cert');
    expect(new X509Certificate(crt.body).fingerprint256).toBe(fingerprint);
    const profile = await ask(`${steps}shoal.mobileconfig`);
    expect(profile.headers['content-type']).toBe('application/x-apple-aspen-config');
    const data = /<data>([^<]+)<\/data>/.exec(profile.body.toString())?.[1] ?? '';
    expect(Buffer.from(data, 'base64').equals(crt.body)).toBe(true);
    expect(profile.body.toString()).toContain('<string>Shoal on laptop</string>');
    expect((await ask(`${steps}shoal.mobileconfig`)).body.equals(profile.body)).toBe(true);
  });

  it('serve nothing else', async () => {
    const server = await start();
    const { steps = '' } = server.lan?.() ?? {};
    await writeFile(path.join(folder, 'secret'), 'secret');
    for (const pathname of ['models/index.json', 'signaling/server', 'lan/issuer.key', '..%2fsecret', '__proto__']) {
      expect((await ask(steps + pathname)).status).toBe(404);
    }
    expect((await ask(steps, { Host: 'evil.example' })).status).toBe(421);
  });

  it('can ask over HTTPS whether it works, from where no other page may ask', async () => {
    const server = await start();
    const { origins = [], steps = '' } = server.lan?.() ?? {};
    const headers = { Origin: steps.slice(0, -1), 'Sec-Fetch-Site': 'cross-site', 'Sec-Fetch-Mode': 'no-cors' };
    const probe = await ask(`${origins[0]}/certificate-probe`, headers);
    expect([probe.status, probe.headers['cross-origin-resource-policy']]).toEqual([204, 'cross-origin']);
    expect((await ask(`${origins[0]}/signaling/server`, headers)).status).toBe(403);
  });
});
