import { describe, expect, it } from 'vitest';
import { ipv4 } from './interfaces.testing.ts';
import { addressesOf, chooseAddresses, explainUnused, isNeighbour } from './interfaces.ts';

describe('the interfaces of a computer', () => {
  it.each([
    ['en0', '192.168.1.5/24', 'network'],
    ['Wi-Fi', '10.1.2.3/8', 'network'],
    ['eth0', '172.20.0.7/16', 'network'],
    ['enp3s0', '131.159.0.1/24', 'public'],
    ['utun4', '10.8.0.2/24', 'vpn'],
    ['tailscale0', '100.101.1.1/32', 'vpn'],
    ['Tailscale', '100.101.1.1/32', 'vpn'],
    ['en5', '100.90.1.1/10', 'vpn'],
    ['wg0', '10.0.0.2/32', 'vpn'],
    ['docker0', '172.17.0.1/16', 'virtual'],
    ['br-3f2a', '172.18.0.1/16', 'virtual'],
    ['bridge100', '192.168.64.1/24', 'virtual'],
    ['vEthernet (WSL (Hyper-V firewall))', '172.25.0.1/20', 'virtual'],
    ['VMware Network Adapter VMnet8', '192.168.80.1/24', 'virtual'],
    ['en0', '169.254.3.4/16', 'self-assigned'],
  ])('%s with %s is of the kind %s', (name, cidr, kind) => {
    expect(addressesOf({ [name]: ipv4(cidr) })).toMatchObject([{ interfaceName: name, kind }]);
  });

  it('are chosen by what phones reach, the one that leads to the internet first', () => {
    const all = addressesOf({
      lo: ipv4('127.0.0.1/8', true),
      utun4: ipv4('10.8.0.2/24'),
      en0: ipv4('192.168.1.5/24'),
      en7: ipv4('192.168.2.9/24'),
      docker0: ipv4('172.17.0.1/16'),
    });
    const chosen = chooseAddresses(all, undefined, '192.168.2.9');
    expect(chosen.map(({ address }) => address)).toEqual(['192.168.2.9', '192.168.1.5']);
    expect(explainUnused(all, chosen)).toEqual([
      'utun4 10.8.0.2 (VPN)',
      'docker0 172.17.0.1 (containers or virtual machines)',
    ]);
    expect(chooseAddresses(all, 'utun4', undefined).map(({ address }) => address)).toEqual(['10.8.0.2']);
    expect(chooseAddresses(all, 'en9', undefined)).toEqual([]);
  });

  it('have neighbours: the other computers of their own network, and no others', () => {
    const [wifi, cable] = addressesOf({ en0: ipv4('192.168.1.5/24'), en7: ipv4('192.168.2.9/24') });
    if (!wifi || !cable) throw new Error('two addresses were given');
    expect(isNeighbour('192.168.1.200', wifi)).toBe(true);
    for (const ip of ['192.168.1.0', '192.168.1.255', '192.168.1.5', '192.168.2.1', '127.0.0.1', '8.8.8.8', '::1', ''])
      expect(isNeighbour(ip, wifi)).toBe(false);
    expect(isNeighbour('192.168.2.200', cable)).toBe(true);
    expect(isNeighbour('192.168.1.200', cable)).toBe(false);
  });
});
