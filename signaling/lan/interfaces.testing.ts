import type { addressesOf } from './interfaces.ts';

type Info = NonNullable<Parameters<typeof addressesOf>[0][string]>[number];

/** An interface with one IPv4 address, as Node lists it. */
export function ipv4(cidr: string, internal = false): Info[] {
  const address = cidr.split('/')[0] ?? '';
  return [{ address, netmask: '', family: 'IPv4', mac: '00:00:00:00:00:00', internal, cidr }];
}
