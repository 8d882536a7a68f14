import { createSocket } from 'node:dgram';
import { BlockList, isIPv4 } from 'node:net';
import type { NetworkInterfaceInfo } from 'node:os';

/** What an interface leads to; `network` is the one where phones are. */
export type InterfaceKind = 'network' | 'vpn' | 'virtual' | 'self-assigned' | 'public';

/** An IPv4 address of this computer. */
export interface LanAddress {
  readonly interfaceName: string;
  readonly address: string;
  readonly cidr: string;
  readonly kind: InterfaceKind;
}

const VPN =
  /^(utun|tun|tap|wg|ppp|ipsec|gpd|cscotun|zt|nordlynx|proton|ham)\d*|tailscale|wireguard|zerotier|vpn|hamachi/i;
const VIRTUAL =
  /^(docker|br-|veth|virbr|vmnet|vboxnet|lxc|lxd|podman|cni|flannel|cali|kube|bridge\d+|anbox|waydroid|dummy)|vethernet|hyper-v|virtualbox|vmware|wsl/i;

/** RFC 1918: what the certificate authority may speak for, besides link-local addresses. */
const PRIVATE = new BlockList();
PRIVATE.addSubnet('10.0.0.0', 8);
PRIVATE.addSubnet('172.16.0.0', 12);
PRIVATE.addSubnet('192.168.0.0', 16);
/** RFC 6598, where Tailscale and others put their devices. */
const SHARED = new BlockList();
SHARED.addSubnet('100.64.0.0', 10);

/** The IPv4 addresses of this computer, the loopback interface left out. */
export function addressesOf(interfaces: NodeJS.Dict<readonly NetworkInterfaceInfo[]>): readonly LanAddress[] {
  return Object.entries(interfaces).flatMap(([interfaceName, infos = []]) =>
    infos
      .filter((info) => info.family === 'IPv4' && !info.internal)
      .map(({ address, cidr }) => ({
        interfaceName,
        address,
        cidr: cidr ?? `${address}/32`,
        kind: kindOf(interfaceName, address),
      })),
  );
}

/**
 * Those under which other devices of the network reach this computer, best first.
 * @param wanted the name of the interface that a person chose
 * @param routed the address from which packets to the internet leave
 */
export function chooseAddresses(
  addresses: readonly LanAddress[],
  wanted: string | undefined,
  routed: string | undefined,
): readonly LanAddress[] {
  const chosen = addresses.filter(({ interfaceName, kind }) =>
    wanted === undefined ? kind === 'network' : interfaceName === wanted,
  );
  const rank = ({ address }: LanAddress) => (address === routed ? 0 : 1);
  return [...chosen].sort((a, b) => rank(a) - rank(b));
}

const KIND_WORDS: Readonly<Record<InterfaceKind, string>> = {
  network: 'network',
  vpn: 'VPN',
  virtual: 'containers or virtual machines',
  'self-assigned': 'no address was given out',
  public: 'reachable from the internet',
};

/** A line for each interface that is not used, with the reason. */
export function explainUnused(addresses: readonly LanAddress[], chosen: readonly LanAddress[]): readonly string[] {
  return addresses
    .filter((address) => !chosen.includes(address))
    .map(({ interfaceName, address, kind }) => `${interfaceName} ${address} (${KIND_WORDS[kind]})`);
}

/** Whether an address is that of another computer in the network of this one. */
export function isNeighbour(ip: string, { address, cidr }: LanAddress): boolean {
  if (!isIPv4(ip) || ip === address) return false;
  const size = 2 ** (32 - Number(cidr.split('/')[1]));
  const first = Math.floor(numberOf(address) / size) * size;
  const host = numberOf(ip) - first;
  if (host < 0 || host >= size) return false;
  // the network itself, and everybody in it at once
  return size <= 2 || (host > 0 && host < size - 1);
}

function numberOf(ip: string): number {
  return ip.split('.').reduce((number, byte) => number * 256 + Number(byte), 0);
}

/** The address from which packets to the internet would leave; nothing is sent to find it. */
export function routedAddress(): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = createSocket('udp4');
    const end = (address: string | undefined) => {
      socket.close();
      resolve(address);
    };
    socket.once('error', () => end(undefined));
    // RFC 5737: an address that belongs to nobody
    socket.connect(9, '192.0.2.1', () => end(socket.address().address));
  });
}

function kindOf(interfaceName: string, address: string): InterfaceKind {
  if (address.startsWith('169.254.')) return 'self-assigned';
  if (VPN.test(interfaceName) || SHARED.check(address)) return 'vpn';
  if (VIRTUAL.test(interfaceName)) return 'virtual';
  return PRIVATE.check(address) ? 'network' : 'public';
}
