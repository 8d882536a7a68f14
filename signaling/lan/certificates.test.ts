import { execFileSync, spawnSync } from 'node:child_process';
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { connect, createServer, type TLSSocket } from 'node:tls';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { canVouchFor, createAuthority, fingerprintOf, issueLeaf, namesOf } from './authority.ts';
import { CertificateStore } from './certificates.ts';

const hasOpenssl = spawnSync('openssl', ['version']).status === 0;
const DAY_MS = 24 * 60 * 60_000;
let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), 'shoal-certificates-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** What a client that trusts `root` makes of the chain when it calls the server `name`. */
async function verdictOf(leaf: { chain: string; key: string }, root: string, name: string): Promise<string> {
  const server = createServer({ cert: leaf.chain, key: leaf.key });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  const verdict = await new Promise<string>((resolve) => {
    const socket: TLSSocket = connect({
      port,
      host: '127.0.0.1',
      servername: '',
      ca: root,
      checkServerIdentity: () => undefined,
    });
    socket.on('secureConnect', () => {
      const certificate = socket.getPeerX509Certificate();
      const matches = /^[\d.]+$|:/.test(name) ? certificate?.checkIP(name) : certificate?.checkHost(name);
      resolve(matches === undefined ? 'another name' : 'trusted');
      socket.destroy();
    });
    socket.on('error', (error: NodeJS.ErrnoException) =>
      resolve(error.code === 'UNSPECIFIED' ? error.message : (error.code ?? '')),
    );
  });
  server.close();
  return verdict;
}

describe('a certificate of the own authority', () => {
  it('is trusted for its names by who trusts the root, and by nobody else', async () => {
    const authority = await createAuthority('Shoal on laptop', Date.now());
    const leaf = await issueLeaf(authority, ['laptop.local', '192.168.1.5', 'fd00::5'], Date.now());
    expect(await verdictOf(leaf, authority.root, 'laptop.local')).toBe('trusted');
    expect(await verdictOf(leaf, authority.root, '192.168.1.5')).toBe('trusted');
    expect(await verdictOf(leaf, authority.root, 'fd00::5')).toBe('trusted');
    expect(namesOf(leaf.chain).every(canVouchFor)).toBe(true);
    expect(await verdictOf(leaf, authority.root, 'other.local')).toBe('another name');
    const stranger = await createAuthority('Shoal on laptop', Date.now());
    expect(await verdictOf(leaf, stranger.root, 'laptop.local')).toMatch(/SELF_SIGNED|UNABLE_TO_(GET|VERIFY)/);
  });

  it.each(['bank.example', 'local.example', '8.8.8.8', '172.32.0.1', '127.0.0.1', '2001:db8::1'])(
    'for %s is refused, even signed with its key',
    async (name) => {
      const authority = await createAuthority('Shoal on laptop', Date.now());
      const leaf = await issueLeaf(authority, ['laptop.local', name], Date.now());
      expect(await verdictOf(leaf, authority.root, name)).toBe('permitted subtree violation');
      expect(canVouchFor(name)).toBe(false);
    },
  );

  it('holds what Apple asks for', async () => {
    const authority = await createAuthority('Shoal on laptop', Date.now());
    const leaf = new X509Certificate((await issueLeaf(authority, ['laptop.local'], Date.now())).chain);
    expect(Date.parse(leaf.validTo) - Date.parse(leaf.validFrom)).toBeLessThanOrEqual(398 * DAY_MS);
    expect(Date.parse(leaf.validFrom)).toBeLessThan(Date.now());
    expect(leaf.keyUsage).toEqual(['1.3.6.1.5.5.7.3.1']);
    expect(leaf.ca).toBe(false);
    const root = new X509Certificate(authority.root);
    expect([root.ca, root.subject, root.issuer]).toEqual([true, 'CN=Shoal on laptop', 'CN=Shoal on laptop']);
  });

  it.skipIf(!hasOpenssl)('is limited at both steps, and neither step can go further', async () => {
    const authority = await createAuthority('Shoal on laptop', Date.now());
    for (const [pem, pathLength] of [
      [authority.root, 1],
      [authority.issuer, 0],
    ] as const) {
      const file = path.join(folder, 'certificate.pem');
      await writeFile(file, pem);
      const text = execFileSync('openssl', ['x509', '-in', file, '-noout', '-text'], { encoding: 'utf8' });
      expect(text).toMatch(/Name Constraints: critical\s+Permitted:\s+DNS:local\s+IP:10\.0\.0\.0\/255\.0\.0\.0\s/);
      expect(text).toContain('IP:FC00:0:0:0:0:0:0:0/FE00:0:0:0:0:0:0:0');
      expect(text).not.toContain('Excluded');
      expect(text).toContain(`CA:TRUE, pathlen:${pathLength}`);
    }
  });
});

describe('what is kept', () => {
  it('is made once, and readable by the owner alone', async () => {
    const store = new CertificateStore(path.join(folder, 'lan'));
    const first = await store.certificateFor(['laptop.local', '192.168.1.5'], 'laptop');
    expect(
      await new CertificateStore(path.join(folder, 'lan')).certificateFor(['laptop.local', '192.168.1.5'], 'x'),
    ).toEqual(first);
    if (process.platform !== 'win32') {
      expect((await stat(path.join(folder, 'lan'))).mode & 0o777).toBe(0o700);
      for (const name of await readdir(path.join(folder, 'lan'))) {
        expect((await stat(path.join(folder, 'lan', name))).mode & 0o077).toBe(0);
      }
    }
  });

  it('holds no key of the root', async () => {
    const store = new CertificateStore(folder);
    const { root } = await store.certificateFor(['laptop.local'], 'laptop');
    for (const name of (await readdir(folder)).filter((each) => each.endsWith('.key'))) {
      const key = await readFile(path.join(folder, name), 'utf8');
      expect(new X509Certificate(root).checkPrivateKey(createPrivateKey(key))).toBe(false);
    }
  });

  it('follows the addresses under the same root', async () => {
    const store = new CertificateStore(folder);
    const before = await store.certificateFor(['laptop.local', '192.168.1.5'], 'laptop');
    const after = await store.certificateFor(['laptop.local', '192.168.1.77'], 'laptop');
    expect(namesOf(after.chain)).toEqual(['laptop.local', '192.168.1.77']);
    expect(fingerprintOf(after.root)).toBe(fingerprintOf(before.root));
  });

  it('is issued again before it ends, and the authority too, years later', async () => {
    let now = Date.now();
    const store = new CertificateStore(folder, () => now);
    const first = await store.certificateFor(['laptop.local'], 'laptop');
    now += 300 * DAY_MS;
    expect(await store.certificateFor(['laptop.local'], 'laptop')).toEqual(first);
    now += 67 * DAY_MS;
    const second = await store.certificateFor(['laptop.local'], 'laptop');
    expect(second.chain).not.toBe(first.chain);
    expect(second.root).toBe(first.root);
    now += 9 * 365 * DAY_MS;
    expect((await store.certificateFor(['laptop.local'], 'laptop')).root).not.toBe(first.root);
  });

  it('is not a leaf of another authority', async () => {
    const store = new CertificateStore(folder);
    const first = await store.certificateFor(['laptop.local'], 'laptop');
    for (const name of ['root.pem', 'issuer.pem', 'issuer.key']) await rm(path.join(folder, name));
    const second = await store.certificateFor(['laptop.local'], 'laptop');
    expect(second.chain).not.toBe(first.chain);
    expect(await verdictOf(second, second.root, 'laptop.local')).toBe('trusted');
  });
});
