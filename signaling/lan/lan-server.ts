import type { IncomingMessage } from 'node:http';
import { createServer as createHttpServer, type RequestListener } from 'node:http';
import { createServer as createHttpsServer, type Server as HttpsServer } from 'node:https';
import { type AddressInfo, isIP, type Server } from 'node:net';
import type { NetworkInterfaceInfo } from 'node:os';
import type { Duplex } from 'node:stream';
import { canVouchFor, commonNameOf, fingerprintOf, namesOf } from './authority.ts';
import type { CertificateStore } from './certificates.ts';
import { addressesOf, chooseAddresses, explainUnused, isNeighbour, type LanAddress } from './interfaces.ts';
import { findLocalName, type LocalName, labelOf, type OpenMdns } from './local-name.ts';
import { stepsListener } from './steps-server.ts';

/** A certificate of one's own, PEM. */
export interface OwnCertificate {
  readonly chain: string;
  readonly key: string;
}

/** What serving a local network needs; everything of this computer is passed in. */
export interface LanOptions {
  /** Ports of HTTPS and of the pages on certificates; 0 takes any free one. */
  readonly port: number;
  readonly stepsPort: number;
  readonly hostname: string;
  readonly interfaces: () => NodeJS.Dict<readonly NetworkInterfaceInfo[]>;
  readonly routedAddress: () => Promise<string | undefined>;
  /** The name of the interface that a person chose. */
  readonly wantedInterface?: string;
  readonly openMdns: OpenMdns;
  /** Where a server for one of this computer's addresses listens: there, but in tests. */
  readonly bindAddress?: (address: string) => string;
  readonly certificates: CertificateStore | OwnCertificate;
  readonly listener: RequestListener;
  readonly upgrade: (request: IncomingMessage, socket: Duplex, head: Buffer) => void;
  /** The addresses have changed. */
  readonly onAddresses?: (addresses: readonly string[]) => Promise<void>;
  readonly mdnsAnswerMs?: number;
}

/** What a person needs to know about it. */
export interface LanState {
  readonly origins: readonly string[];
  readonly steps?: string;
  readonly fingerprint?: string;
  readonly chosen: readonly LanAddress[];
  readonly unused: readonly string[];
  readonly warnings: readonly string[];
}

const WATCH_MS = 5_000;
const DAY_MS = 24 * 60 * 60_000;

interface OpenAddress {
  readonly https: HttpsServer;
  readonly steps?: Server;
}

/** Serves other devices of the local network over HTTPS, and follows this computer when its address changes. */
export class LanServer {
  readonly #options: LanOptions;
  readonly #open = new Map<string, OpenAddress>();
  #addresses: readonly LanAddress[] = [];
  #own: ReadonlySet<string> = new Set();
  #unused: readonly string[] = [];
  /** The addresses that everything was last set up for; an attempt that failed is made again. */
  #served = '';
  #name: LocalName = { kind: 'none', reason: 'not looked for yet' };
  #certificate: (OwnCertificate & { readonly root?: string }) | undefined;
  #certificateAtMs = 0;
  #port: number;
  #stepsPort: number;
  #timer: NodeJS.Timeout | undefined;
  #updating: Promise<void> = Promise.resolve();

  private constructor(options: LanOptions) {
    this.#options = options;
    this.#port = options.port;
    this.#stepsPort = options.stepsPort;
  }

  /**
   * @throws Error in plain words where this computer is in no network, or in one where no certificate can be made for
   * it; with code EADDRINUSE where a port is taken
   */
  static async start(options: LanOptions): Promise<LanServer> {
    const server = new LanServer(options);
    try {
      await server.update();
      if (server.#addresses.length === 0) throw new Error(noNetwork(options.wantedInterface, server.#unused));
    } catch (error) {
      await server.close();
      throw error;
    }
    let said = '';
    server.#timer = setInterval(() => {
      server.update().catch((error: unknown) => {
        const words = error instanceof Error ? error.message : String(error);
        if (words !== said) console.error(words);
        said = words;
      });
    }, WATCH_MS);
    server.#timer.unref();
    return server;
  }

  get state(): LanState {
    const root = this.#certificate?.root;
    const primary = this.#addresses[0]?.address;
    return {
      origins: this.#hosts().map((host) => `https://${host}:${this.#port}`),
      ...(root === undefined || primary === undefined
        ? {}
        : { steps: `http://${primary}:${this.#stepsPort}/`, fingerprint: fingerprintOf(root) }),
      chosen: this.#addresses,
      unused: this.#unused,
      warnings: this.#warnings(),
    };
  }

  get port(): number {
    return this.#port;
  }

  get stepsPort(): number {
    return this.#stepsPort;
  }

  /** Whether a request may call this server so. */
  readonly isOwnName = (hostname: string): boolean =>
    this.#hosts().includes(hostname) || this.#wildcardOf(hostname) !== undefined;

  /** Whether the address is another computer's in the network that this computer has the address `own` in. */
  isNeighbour(ip: string, own: string): boolean {
    return this.#addresses.some((each) => each.address === own && isNeighbour(ip, each));
  }

  /** Whether the address is this computer's, on whatever interface. */
  isOwn(ip: string): boolean {
    return this.#own.has(ip);
  }

  /** Looks at the addresses of this computer again. */
  update(): Promise<void> {
    this.#updating = this.#updating.catch(() => {}).then(() => this.#update());
    return this.#updating;
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.#updating.catch(() => {});
    if (this.#name.kind === 'own') this.#name.close();
    const open = [...this.#open.values()];
    this.#open.clear();
    await Promise.all(open.map(closeAddress));
  }

  async #update(): Promise<void> {
    const { interfaces, wantedInterface, routedAddress } = this.#options;
    const all = addressesOf(interfaces());
    const chosen = chooseAddresses(all, wantedInterface, await routedAddress());
    const stamp = JSON.stringify(chosen);
    const same = stamp === this.#served;
    this.#addresses = chosen;
    this.#own = new Set(all.map(({ address }) => address));
    this.#unused = explainUnused(all, chosen);
    const isCertificateOld = Date.now() - this.#certificateAtMs > DAY_MS;
    if (chosen.length === 0 || (same && !isCertificateOld)) return;
    if (!same) await this.#moveName(chosen.map(({ address }) => address));
    if (this.#hosts().length === 0) throw new Error(this.#nothingToVouchFor());
    await this.#renewCertificate();
    if (!same) await this.#listen(chosen.map(({ address }) => address));
    this.#served = stamp;
  }

  async #moveName(addresses: readonly string[]): Promise<void> {
    if ('chain' in this.#options.certificates) return;
    if (this.#name.kind === 'own') this.#name.moveTo(addresses);
    if (this.#name.kind !== 'none') return;
    const { hostname, openMdns, mdnsAnswerMs } = this.#options;
    this.#name = await findLocalName(labelOf(hostname), addresses, openMdns, mdnsAnswerMs);
  }

  async #renewCertificate(): Promise<void> {
    const { certificates, hostname } = this.#options;
    this.#certificate =
      'chain' in certificates ? certificates : await certificates.certificateFor(this.#hosts(), labelOf(hostname));
    this.#certificateAtMs = Date.now();
    const { chain, key } = this.#certificate;
    for (const { https } of this.#open.values()) https.setSecureContext({ cert: chain, key });
  }

  async #listen(addresses: readonly string[]): Promise<void> {
    const { bindAddress = (address) => address } = this.#options;
    for (const [address, open] of this.#open) {
      if (addresses.includes(address)) continue;
      this.#open.delete(address);
      await closeAddress(open);
    }
    for (const address of addresses) {
      if (!this.#open.has(address)) await this.#listenOn(address, bindAddress(address));
    }
    await this.#options.onAddresses?.(addresses.map(bindAddress));
  }

  async #listenOn(address: string, bound: string): Promise<void> {
    const { listener, upgrade } = this.#options;
    const { chain = '', key = '', root } = this.#certificate ?? {};
    const https = createHttpsServer({ cert: chain, key, minVersion: 'TLSv1.2' }, listener);
    https.on('upgrade', upgrade);
    this.#port = await listenOn(https, bound, this.#port);
    if (root === undefined) {
      this.#open.set(address, { https });
      return;
    }
    const steps = createHttpServer(
      stepsListener(() => ({
        origins: this.state.origins,
        root,
        authority: commonNameOf(root),
        // these pages are found by the address, also where the app is not
        isOwnName: (hostname) => this.isOwnName(hostname) || this.#addresses.some((each) => each.address === hostname),
      })),
    );
    try {
      this.#stepsPort = await listenOnAny(steps, bound, this.#stepsPort);
    } catch (error) {
      https.close();
      throw error;
    }
    this.#open.set(address, { https, steps });
  }

  /** Names and addresses of this server, best first. */
  #hosts(): readonly string[] {
    const { certificates } = this.#options;
    if ('chain' in certificates) {
      const all = namesOf(certificates.chain);
      const names = all.filter((name) => isIP(name) === 0 && !name.includes('*'));
      const own = labelOf(this.#options.hostname);
      // one that is for many computers is called under this one's name; others may be given to it, too
      const called = names.length > 0 ? names : this.#wildcards().map((name) => name.replace('*', own));
      return [...called, ...all.filter((name) => isIP(name) === 4)];
    }
    const addresses = this.#addresses.map(({ address }) => address).filter(canVouchFor);
    return this.#name.kind === 'none' ? addresses : [this.#name.name, ...addresses];
  }

  /** Names for many computers, `*.home.example`, in a certificate of one's own. */
  #wildcards(): readonly string[] {
    const { certificates } = this.#options;
    return 'chain' in certificates ? namesOf(certificates.chain).filter((name) => /^\*\.[^*]+$/.test(name)) : [];
  }

  #wildcardOf(hostname: string): string | undefined {
    const [, domain] = /^[a-z0-9-]+(\..+)$/.exec(hostname) ?? [];
    return this.#wildcards().find((name) => name === `*${domain}`);
  }

  /** Addresses that are served and that no certificate of the own authority can be for. */
  #unvouched(): readonly string[] {
    if ('chain' in this.#options.certificates) return [];
    return this.#addresses.map(({ address }) => address).filter((address) => !canVouchFor(address));
  }

  #nothingToVouchFor(): string {
    if ('chain' in this.#options.certificates) return 'The certificate of --cert names no host that can be called.';
    const reason = this.#name.kind === 'none' ? this.#name.reason : '';
    return `${this.#unvouched().join(', ')} is not a private address, so Shoal cannot make a certificate for it, and there is no .local name (${reason}). Choose another network with --interface NAME, or bring a certificate of your own: --cert FILE --key FILE`;
  }

  #wildcardWarnings(): readonly string[] {
    const [host = ''] = this.#hosts();
    const wildcard = this.#wildcardOf(host);
    const [address] = this.#addresses;
    if (wildcard === undefined || address === undefined) return [];
    return [
      `The certificate is for ${wildcard}: your DNS has to lead ${host}, or another such name, to ${address.address}.`,
    ];
  }

  #warnings(): readonly string[] {
    if ('chain' in this.#options.certificates) return this.#wildcardWarnings();
    if (this.#name.kind === 'none') {
      return [
        `No .local name (${this.#name.reason}), so devices use the address. When it changes, browsers forget the models that they kept.`,
      ];
    }
    const { name } = this.#name;
    return this.#unvouched().map(
      (address) =>
        `${address} is not a private address, so the certificate is not for it: only https://${name}:${this.#port}/ works there. Where devices do not find that name, as over most VPNs, bring a certificate of your own: --cert FILE --key FILE`,
    );
  }
}

function noNetwork(wanted: string | undefined, unused: readonly string[]): string {
  const seen = unused.length === 0 ? 'It has no address but its own.' : `It has: ${unused.join(', ')}.`;
  if (wanted !== undefined)
    return `--interface ${wanted}: this computer has no such interface with an IPv4 address. ${seen}`;
  const without = 'Without --lan it is served on this computer alone.';
  if (unused.length === 0) return `This computer is in no local network. ${seen} ${without}`;
  return `This computer is in no local network. ${seen} To use one of these all the same: --interface NAME. ${without}`;
}

function listenOn(server: Server, address: string, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, address, () => {
      server.off('error', reject);
      resolve((server.address() as AddressInfo).port);
    });
  });
}

/** The page on certificates is found by its address as it is printed: any other port will do. */
async function listenOnAny(server: Server, address: string, port: number): Promise<number> {
  try {
    return await listenOn(server, address, port);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error;
    return listenOn(server, address, 0);
  }
}

async function closeAddress({ https, steps }: OpenAddress): Promise<void> {
  await Promise.all(
    [https, ...(steps ? [steps] : [])].map(
      (server) =>
        new Promise<void>((resolve) => {
          server.close(() => resolve());
          if ('closeAllConnections' in server) (server as HttpsServer).closeAllConnections();
        }),
    ),
  );
}
