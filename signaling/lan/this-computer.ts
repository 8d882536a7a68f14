import os from 'node:os';
import openMulticastDns from 'multicast-dns';
import { routedAddress } from './interfaces.ts';
import type { LanOptions } from './lan-server.ts';
import { computerName, type Mdns } from './local-name.ts';

/** What a server for the local network needs to know of this computer. */
export type ThisComputer = Pick<LanOptions, 'hostname' | 'interfaces' | 'routedAddress' | 'openMdns'>;

/** This computer as it is; tests pass another. */
export async function thisComputer(): Promise<ThisComputer> {
  return {
    hostname: await computerName(os.hostname(), process.platform),
    interfaces: os.networkInterfaces,
    routedAddress,
    // bound to the address itself it would hear no multicast on Linux
    openMdns: (address) => openMulticastDns({ interface: address, bind: '0.0.0.0' }) as unknown as Mdns,
  };
}
