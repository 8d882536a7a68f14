import { type Bytes, concatenate } from './bytes.ts';

const SHA256_BYTES = 32;
const LINE = /^a=fingerprint:(\S+)[ \t]+(\S+)[ \t]*$/i;
const HEX_PAIRS = /^[0-9A-F]{2}(?::[0-9A-F]{2})*$/i;

/**
 * The DTLS certificate's SHA-256 that a session description promises, or undefined unless it promises exactly one: every
 * line the same, of sha-256, one before the media or one in each section. With two, the browser would take either
 * (RFC 8122), and a man in the middle could add his own.
 */
export function dtlsFingerprint(sdp: string): Bytes | undefined {
  const sections = sdp.split(/^(?=m=)/m).map(fingerprintsOf);
  const found = sections.flat();
  const [first] = found;
  if (first === undefined || sections.some((lines) => lines.length > 1)) return undefined;
  const [session = [], ...media] = sections;
  if (session.length === 0 && media.some((lines) => lines.length === 0)) return undefined;
  const values = found.map(sha256Of);
  const [value] = values;
  if (value === undefined || values.some((other) => other === undefined || other.join() !== value.join()))
    return undefined;
  return value;
}

function fingerprintsOf(section: string): readonly string[] {
  return section.split(/\r\n|\r|\n/).filter((line) => /^a=fingerprint/i.test(line));
}

function sha256Of(line: string): Bytes | undefined {
  const [, hash = '', value = ''] = LINE.exec(line) ?? [];
  if (hash.toLowerCase() !== 'sha-256' || !HEX_PAIRS.test(value)) return undefined;
  const bytes = value.split(':').map((pair) => Number.parseInt(pair, 16));
  return bytes.length === SHA256_BYTES ? concatenate(new Uint8Array(bytes)) : undefined;
}
