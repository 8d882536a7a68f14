import { encodeQR } from 'qr';
import type { LanState } from './lan-server.ts';

/** What `npm start -- --lan` says: where to go, what a phone does, what is odd. */
export function lanLines(state: LanState, terminal: { readonly columns: number; readonly platform: string }): string[] {
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
      [first, state.steps ?? ''].map((url) => /:(\d+)\/?$/.exec(url)?.[1] ?? ''),
    ),
  );
  if (state.unused.length > 0) lines.push(`Not used: ${state.unused.join(', ')}. Another choice: --interface NAME`);
  return [...lines, ...state.warnings];
}

function firewallHint(platform: string, ports: readonly string[]): string {
  if (platform === 'darwin') return 'If macOS asks whether node may accept incoming connections: Allow.';
  if (platform === 'win32') return 'If Windows Defender asks about Node.js: allow it on private networks.';
  const tcp = ports.filter((port) => port !== '').join(', ');
  return `If a phone finds nothing, open the firewall for TCP ${tcp}, 3478 and UDP 3478, 5353, 49152-50175.`;
}
