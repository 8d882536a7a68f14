import { describe, expect, it } from 'vitest';
import { dtlsFingerprint } from './fingerprint.ts';

const HEX = Array.from({ length: 32 }, (_, at) => (at * 7).toString(16).padStart(2, '0').toUpperCase());
const A = `a=fingerprint:sha-256 ${HEX.join(':')}`;
const B = `a=fingerprint:sha-256 ${[...HEX].reverse().join(':')}`;
const SHA1 = `a=fingerprint:sha-1 ${HEX.slice(0, 20).join(':')}`;
const DATA = 'm=application 9 UDP/DTLS/SCTP webrtc-datachannel';
const AUDIO = 'm=audio 9 UDP/TLS/RTP/SAVPF 111';
const bytes = new Uint8Array(HEX.map((pair) => Number.parseInt(pair, 16)));
const sdp = (...lines: string[]) => ['v=0', 's=-', ...lines, ''].join('\r\n');

describe('the fingerprint of a description', () => {
  it('is read where browsers write it', () => {
    expect(dtlsFingerprint(sdp(DATA, 'c=IN IP4 0.0.0.0', A, 'a=setup:actpass'))).toEqual(bytes);
    expect(dtlsFingerprint(sdp(A, DATA, 'c=IN IP4 0.0.0.0'))).toEqual(bytes);
    expect(dtlsFingerprint(sdp(DATA, A, AUDIO, A))).toEqual(bytes);
    expect(dtlsFingerprint(sdp(DATA, A.replace('sha-256', 'SHA-256').toLowerCase()).replaceAll('\r', ''))).toEqual(
      bytes,
    );
  });

  it('is refused when there is not exactly one, or it is not sha-256', () => {
    const refused = [
      sdp(DATA),
      '',
      sdp(DATA, A, B),
      sdp(DATA, A, A),
      sdp(DATA, A, SHA1),
      sdp(DATA, SHA1),
      sdp(A, DATA, B),
      sdp(DATA, A, AUDIO, B),
      sdp(DATA, A, AUDIO),
      sdp(DATA, A.slice(0, -3)),
      sdp(DATA, `${A}:00`),
      sdp(DATA, A.replace(':07', ':7')),
      sdp(DATA, `${A} ${HEX[0]}`),
      sdp(DATA, A, 'A=FINGERPRINT:sha-256 00'),
      sdp(DATA, `${A}\r${B}`),
    ];
    for (const description of refused) expect(dtlsFingerprint(description), description).toBeUndefined();
  });
});
