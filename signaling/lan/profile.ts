import { createHash } from 'node:crypto';

/** A certificate that is offered for download. */
export interface OfferedCertificate {
  /** DER */
  readonly der: Buffer;
  /** Shown on the device that is asked to trust it. */
  readonly name: string;
}

/**
 * A configuration profile for iOS, iPadOS and macOS that brings a root certificate; its identifiers follow from the
 * certificate, so that a second installation replaces the first.
 * https://developer.apple.com/documentation/devicemanagement/certificateroot
 */
export function mobileConfig({ der, name }: OfferedCertificate): string {
  const [outer, inner] = [uuidFrom(der, 'profile'), uuidFrom(der, 'certificate')];
  const entry = (key: string, value: string) => `<key>${key}</key><string>${escapeXml(value)}</string>`;
  return `<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<plist version="1.0"><dict>
${entry('PayloadType', 'Configuration')}
<key>PayloadVersion</key><integer>1</integer>
${entry('PayloadIdentifier', `shoal.${outer}`)}
${entry('PayloadUUID', outer)}
${entry('PayloadDisplayName', name)}
${entry('PayloadDescription', 'Lets this device open Shoal on your own network. It vouches for names ending in .local and for private addresses, and for no site of the internet.')}
<key>PayloadContent</key><array><dict>
${entry('PayloadType', 'com.apple.security.root')}
<key>PayloadVersion</key><integer>1</integer>
${entry('PayloadIdentifier', `shoal.${inner}`)}
${entry('PayloadUUID', inner)}
${entry('PayloadDisplayName', name)}
${entry('PayloadCertificateFileName', 'shoal.cer')}
<key>PayloadContent</key><data>${der.toString('base64')}</data>
</dict></array>
</dict></plist>
`;
}

export function escapeXml(text: string): string {
  const entities: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };
  return text.replace(/[&<>"']/g, (character) => entities[character] ?? character);
}

/** RFC 9562, section 5.8: a UUID of version 8 from a hash. */
function uuidFrom(der: Buffer, purpose: string): string {
  const bytes = createHash('sha256').update(der).update(purpose).digest().subarray(0, 16);
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x80;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  const hex = bytes.toString('hex').toUpperCase();
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
}
