/** What a restart changes: the number of the description, and the ways between the devices. */
const WAY = /^(?:o=|c=|a=(?:candidate|ice-ufrag|ice-pwd|ice-options|remote-candidates|end-of-candidates)\b)/i;
/** Port 0 would take the line, and with it the channels, out of the session. */
const OPEN_PORT = /^(m=\S+ )[1-9]\d*(?= )/i;

/**
 * Whether a description may follow an earlier one of the same side: it is of the same connection, by other ways. Signaling
 * carries both, and may neither put another device in nor end the channels (RFC 8829, section 5; RFC 8445, section 9).
 */
export function isRestartOf(later: string, earlier: string): boolean {
  return sessionOf(later) === sessionOf(earlier);
}

function sessionOf(sdp: string): string {
  return sdp
    .split(/\r?\n/)
    .map((line) => line.trim())
    .filter((line) => line !== '' && !WAY.test(line))
    .map((line) => line.replace(OPEN_PORT, '$1PORT'))
    .join('\n');
}
