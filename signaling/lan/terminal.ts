import { encodeQR } from 'qr';
import { DEFAULT_RELAY_LIMITS } from '../relay/relay.ts';
import type { LanState } from './lan-server.ts';

/**
 * What `npm start -- --lan` says: where to go, what a phone does, what is odd.
 * @param stunPort of STUN and the relay; absent where there are none
 */
export function lanLines(
  state: LanState,
  terminal: { readonly columns: number; readonly platform: string },
  stunPort: number | undefined,
): string[] {
  const [first = '', ...others] = state.origins;
  const lines = [
    `On the network: ${first}/${others.length > 0 ? `  (also ${others.map((each) => `${each}/`).join(' ')})` : ''}`,
  ];
  const scanned = state.steps ?? `${first}/`;
  if (state.steps) {
    lines.push(
      '',
      `A phone or another computer must trust this one first, once. It opens ${state.steps} and follows the steps.`,
      `The certificate it is asked to trust has the SHA-256 fingerprint`,
      `  ${state.fingerprint}`,
    );
  }
  const code = encodeQR(scanned, 'ascii', { ecc: 'low', border: 2 }).trimEnd();
  if (Math.max(...code.split('\n').map((line) => line.length)) <= terminal.columns) lines.push('', code);
  lines.push(
    '',
    firewallHint(
      terminal.platform,
      [first, state.steps ?? ''].map((url) => /:(\d+)\/?$/.exec(url)?.[1] ?? '').filter((port) => port !== ''),
      stunPort,
    ),
  );
  if (state.unused.length > 0) lines.push(`Not used: ${state.unused.join(', ')}. Another choice: --interface NAME`);
  return [...lines, ...state.warnings];
}

function firewallHint(platform: string, appPorts: readonly string[], stunPort: number | undefined): string {
  if (platform === 'darwin') return 'If macOS asks whether node may accept incoming connections: Allow.';
  if (platform === 'win32') return 'If Windows Defender asks about Node.js: allow it on private networks.';
  const relay = stunPort === undefined ? [] : [stunPort];
  const tcp = [...appPorts, ...relay];
  const udp = [...relay, 5353, ...(stunPort === undefined ? [] : [DEFAULT_RELAY_LIMITS.ports.join('-')])];
  return `If a phone finds nothing, open the firewall for TCP ${tcp.join(', ')} and UDP ${udp.join(', ')}.`;
}
