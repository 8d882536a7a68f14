import { randomBytes, webcrypto, X509Certificate } from 'node:crypto';
import { BlockList, isIP } from 'node:net';
import { AsnConvert } from '@peculiar/asn1-schema';
import {
  GeneralName,
  GeneralSubtree,
  GeneralSubtrees,
  id_ce_nameConstraints,
  NameConstraints,
} from '@peculiar/asn1-x509';
// @peculiar/x509 wants this loaded before it
import 'reflect-metadata';
import * as x509 from '@peculiar/x509';

/** A certificate authority: PEM. The key is the issuer's; the root's was thrown away once it had signed the issuer. */
export interface Authority {
  readonly root: string;
  readonly issuer: string;
  readonly issuerKey: string;
}

/** A server's certificate with its chain, without the root: PEM. */
export interface Leaf {
  readonly chain: string;
  readonly key: string;
}

const DAY_MS = 24 * 60 * 60_000;
const AUTHORITY_DAYS = 10 * 365;
/** Apple refuses leaves of more than 398 days. */
const LEAF_DAYS = 397;
const RENEW_DAYS = 30;
/** For phones whose clock is behind. */
const BACKDATED_DAYS = 1;

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;
const PERMITTED_DNS = ['local'];
const PERMITTED_IPS = ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', '169.254.0.0/16', 'fc00::/7', 'fe80::/10'];
const PERMITTED = new BlockList();
for (const subnet of PERMITTED_IPS) {
  const [address = '', bits] = subnet.split('/');
  PERMITTED.addSubnet(address, Number(bits), isIP(address) === 6 ? 'ipv6' : 'ipv4');
}

/** Whether an authority can vouch for this name or address; with one other in it, no name of a certificate is trusted. */
export function canVouchFor(name: string): boolean {
  const version = isIP(name);
  if (version !== 0) return PERMITTED.check(name, version === 6 ? 'ipv6' : 'ipv4');
  return PERMITTED_DNS.some((suffix) => name === suffix || name.endsWith(`.${suffix}`));
}

/**
 * Makes an authority that can speak for names under .local and for private addresses, and for nothing else. It has two
 * steps because some devices do not apply the limits of a root that a person installed; those of the certificate below
 * it they all apply. The root's key is gone, so no other certificate can ever follow from that root.
 * @param name shown on devices that are asked to trust it
 */
export async function createAuthority(name: string, nowMs: number): Promise<Authority> {
  const notBefore = new Date(nowMs - BACKDATED_DAYS * DAY_MS);
  const notAfter = new Date(nowMs + AUTHORITY_DAYS * DAY_MS);
  const rootKeys = await makeKeys();
  const root = await x509.X509CertificateGenerator.createSelfSigned(
    {
      serialNumber: serialNumber(),
      name: commonName(name),
      notBefore,
      notAfter,
      signingAlgorithm: ALGORITHM,
      keys: rootKeys,
      extensions: [
        new x509.BasicConstraintsExtension(true, 1, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
        await x509.SubjectKeyIdentifierExtension.create(rootKeys.publicKey, false, webcrypto as Crypto),
        nameConstraints(),
      ],
    },
    webcrypto as Crypto,
  );
  const issuerKeys = await makeKeys();
  const issuer = await x509.X509CertificateGenerator.create(
    {
      serialNumber: serialNumber(),
      subject: commonName(`${name}, issuer`),
      issuer: root.subject,
      notBefore,
      notAfter,
      signingAlgorithm: ALGORITHM,
      publicKey: issuerKeys.publicKey,
      signingKey: rootKeys.privateKey,
      extensions: [
        new x509.BasicConstraintsExtension(true, 0, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
        new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth], false),
        await x509.SubjectKeyIdentifierExtension.create(issuerKeys.publicKey, false, webcrypto as Crypto),
        await x509.AuthorityKeyIdentifierExtension.create(rootKeys.publicKey, false, webcrypto as Crypto),
        nameConstraints(),
      ],
    },
    webcrypto as Crypto,
  );
  return { root: root.toString('pem'), issuer: issuer.toString('pem'), issuerKey: await privatePem(issuerKeys) };
}

/** Issues a certificate for these names and addresses. */
export async function issueLeaf(authority: Authority, names: readonly string[], nowMs: number): Promise<Leaf> {
  const issuer = new x509.X509Certificate(authority.issuer);
  const signingKey = await webcrypto.subtle.importKey(
    'pkcs8',
    x509.PemConverter.decodeFirst(authority.issuerKey),
    ALGORITHM,
    false,
    ['sign'],
  );
  const keys = await makeKeys();
  const notBefore = nowMs - BACKDATED_DAYS * DAY_MS;
  const leaf = await x509.X509CertificateGenerator.create(
    {
      serialNumber: serialNumber(),
      // no host name: where there is no other, OpenSSL takes this one for it, and 192.168.1.5 is not under .local
      subject: commonName('Shoal server'),
      issuer: issuer.subject,
      notBefore: new Date(notBefore),
      notAfter: new Date(notBefore + LEAF_DAYS * DAY_MS),
      signingAlgorithm: ALGORITHM,
      publicKey: keys.publicKey,
      signingKey: signingKey as CryptoKey,
      extensions: [
        new x509.BasicConstraintsExtension(false, undefined, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
        new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth], false),
        new x509.SubjectAlternativeNameExtension(
          names.map((name) => ({ type: isIP(name) ? ('ip' as const) : ('dns' as const), value: name })),
        ),
        await x509.SubjectKeyIdentifierExtension.create(keys.publicKey, false, webcrypto as Crypto),
        await x509.AuthorityKeyIdentifierExtension.create(
          await issuer.publicKey.export(webcrypto as Crypto),
          false,
          webcrypto as Crypto,
        ),
      ],
    },
    webcrypto as Crypto,
  );
  return { chain: `${leaf.toString('pem')}\n${authority.issuer}`, key: await privatePem(keys) };
}

/** Whether leaves can still be issued that outlive none of its certificates. */
export function isAuthorityFresh(authority: Authority, nowMs: number): boolean {
  return Date.parse(new X509Certificate(authority.issuer).validTo) - nowMs > LEAF_DAYS * DAY_MS;
}

/** Whether a leaf is of this authority, for exactly these names, and lasts. */
export function isLeafFresh(leaf: Leaf, authority: Authority, names: readonly string[], nowMs: number): boolean {
  const certificate = new X509Certificate(leaf.chain);
  if (!certificate.verify(new X509Certificate(authority.issuer).publicKey)) return false;
  if (Date.parse(certificate.validTo) - nowMs < RENEW_DAYS * DAY_MS) return false;
  return JSON.stringify([...namesOf(leaf.chain)].sort()) === JSON.stringify([...names].sort());
}

/** The names and addresses that a certificate is for. */
export function namesOf(pem: string): readonly string[] {
  const listed = new X509Certificate(pem).subjectAltName ?? '';
  return listed
    .split(', ')
    .map((entry) => /^(?:DNS|IP Address):(.+)$/.exec(entry)?.[1])
    .filter((name) => name !== undefined);
}

/** The name under which a certificate shows itself. */
export function commonNameOf(pem: string): string {
  const [{ CN: [name = ''] = [] } = {}] = new x509.X509Certificate(pem).subjectName.toJSON();
  return name;
}

/** SHA-256 of a certificate, as devices show it: pairs of hexadecimal digits with colons. */
export function fingerprintOf(pem: string): string {
  return new X509Certificate(pem).fingerprint256;
}

/** A certificate's bytes (DER). */
export function derOf(pem: string): Buffer {
  return new X509Certificate(pem).raw;
}

async function makeKeys(): Promise<CryptoKeyPair> {
  return (await webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify'])) as CryptoKeyPair;
}

async function privatePem(keys: CryptoKeyPair): Promise<string> {
  return x509.PemConverter.encode(await webcrypto.subtle.exportKey('pkcs8', keys.privateKey), 'PRIVATE KEY');
}

/** RFC 5280, section 4.1.2.2: positive, at most 20 bytes. */
function serialNumber(): string {
  const bytes = randomBytes(16);
  bytes[0] = ((bytes[0] ?? 0) & 0x7f) | 0x40;
  return bytes.toString('hex');
}

function commonName(name: string): x509.JsonName {
  return [{ CN: [name] }];
}

/** RFC 5280, section 4.2.1.10. */
function nameConstraints(): x509.Extension {
  const subtree = (base: GeneralName) => new GeneralSubtree({ base });
  const permittedSubtrees = new GeneralSubtrees([
    ...PERMITTED_DNS.map((dNSName) => subtree(new GeneralName({ dNSName }))),
    ...PERMITTED_IPS.map((iPAddress) => subtree(new GeneralName({ iPAddress }))),
  ]);
  return new x509.Extension(
    id_ce_nameConstraints,
    true,
    AsnConvert.serialize(new NameConstraints({ permittedSubtrees })),
  );
}
