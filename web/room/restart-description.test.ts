import { expect, test } from 'vitest';
import { isRestartOf } from './restart-description.ts';

/** As Chromium 134 writes them; Firefox has other lines in the same places. */
const FIRST = [
  'v=0',
  'o=- 4611731400430051336 2 IN IP4 127.0.0.1',
  's=-',
  't=0 0',
  'a=group:BUNDLE 0',
  'a=extmap-allow-mixed',
  'a=msid-semantic: WMS',
  'm=application 9 UDP/DTLS/SCTP webrtc-datachannel',
  'c=IN IP4 0.0.0.0',
  'a=ice-ufrag:4ZcD',
  'a=ice-pwd:2/1muCWoOi3uLifh0NuRHlZb',
  'a=ice-options:trickle',
  'a=fingerprint:sha-256 19:E2:1C:3B',
  'a=setup:actpass',
  'a=mid:0',
  'a=sctp-port:5000',
  'a=max-message-size:262144',
  '',
].join('\r\n');

const RESTART = FIRST.replace('336 2 IN', '336 3 IN')
  .replace('m=application 9', 'm=application 51000')
  .replace('IP4 0.0.0.0', 'IP4 192.0.2.7')
  .replace('ufrag:4ZcD', 'ufrag:sW+1')
  .replace('pwd:2/1mu', 'pwd:9zQmu')
  .replace(
    'a=ice-ufrag',
    'a=candidate:1 1 udp 2113937151 192.0.2.7 51000 typ host generation 0 network-cost 999\r\na=ice-ufrag',
  )
  .replace('a=ice-options:trickle', 'a=end-of-candidates\r\na=ice-options:trickle renomination');

test('a restart names other ways', () => {
  expect(isRestartOf(FIRST, FIRST)).toBe(true);
  expect(isRestartOf(RESTART, FIRST)).toBe(true);
  expect(isRestartOf(FIRST, RESTART)).toBe(true);
});

test.each([
  ['takes the channels out of the session', 'm=application 51000', 'm=application 0'],
  ['writes that differently', 'm=application 51000', 'm=application 00'],
  ['is of another device', '19:E2', '20:E2'],
  ['has one fingerprint more', 'a=setup', 'a=fingerprint:sha-256 20:E2:1C:3B\r\na=setup'],
  ['has none', 'a=fingerprint:sha-256 19:E2:1C:3B\r\n', ''],
  ['asks for other DTLS roles', 'actpass', 'passive'],
  ['moves SCTP to another port', 'sctp-port:5000', 'sctp-port:5001'],
  ['takes shorter messages', 'size:262144', 'size:1'],
  ['names the line anew', 'a=mid:0', 'a=mid:1'],
  ['bundles nothing', 'a=group:BUNDLE 0', 'a=group:BUNDLE'],
  ['speaks another protocol', 'UDP/DTLS/SCTP', 'TCP/DTLS/SCTP'],
  ['has a second line of media', 'a=mid:0', 'm=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:0'],
  ['has a line that only looks like a way', 'a=mid:0', 'a=ice-lite\r\na=mid:0'],
])('what %s is no restart', (_, line, forged) => {
  expect(RESTART).toContain(line);
  expect(isRestartOf(RESTART.replace(line, forged), FIRST)).toBe(false);
});
