// tsyringe, inside @peculiar/x509, looks for the Reflect API as it loads: this import must come first.
import 'reflect-metadata'
import { createPrivateKey, randomBytes, webcrypto, X509Certificate as NodeCertificate } from 'node:crypto'
import { isIP } from 'node:net'
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  PemConverter,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509Certificate,
  X509CertificateGenerator,
  type Extension,
  type JsonGeneralName,
} from '@peculiar/x509'
import { MeridianError } from '../base/errors.js'

/**
 * Certificates of a cluster: one authority, one certificate a member. A member's certificate says who it is twice, as DNS name
 * `<member>.<cluster id>.meridian.internal` (which TLS stacks check) and as URI `meridian://<cluster id>/<member>` (which no
 * public authority would ever issue). ECDSA on P-256. RFC 5280 for the extensions.
 */

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const
const DAY_MS = 86_400_000
/** Clocks of two regions differ: a certificate is valid a little before it was made. */
const BACKDATE_MS = 3_600_000

export interface PemPair {
  readonly certificate: string
  readonly key: string
}

export interface MemberCertificateRequest {
  readonly member: string
  /** Further names or addresses under which clients reach the member by TLS. */
  readonly hosts: readonly string[]
  readonly days: number
}

export interface CertificateSummary {
  readonly subject: string
  readonly issuer: string
  readonly alternativeNames: string
  readonly validFrom: Date
  readonly validTo: Date
  /** Whole days until it expires; negative when it has. */
  readonly daysLeft: number
  readonly fingerprint: string
  readonly isAuthority: boolean
}

export function memberDnsName(clusterId: string, member: string): string {
  return `${member}.${clusterId}.meridian.internal`
}

/** A new cluster authority, self-signed, for member certificates only. */
export async function createAuthority(clusterId: string, days: number): Promise<PemPair> {
  const keys = await generateKeys()
  const certificate = await X509CertificateGenerator.createSelfSigned({
    serialNumber: newSerialNumber(),
    name: [{ O: [clusterId] }, { CN: [`Meridian CA of ${clusterId}`] }],
    ...validity(days),
    signingAlgorithm: ALGORITHM,
    keys,
    extensions: [
      new BasicConstraintsExtension(true, 0, true),
      new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
      await SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  })
  return toPem(certificate, keys.privateKey)
}

/** The cluster that an authority signs for. @throws MeridianError MRD_CERTIFICATE when it is not a Meridian authority. */
export function clusterOfAuthority(authorityPem: string): string {
  const certificate = parseCertificate(authorityPem, 'the authority')
  const organisation = /^O=(.+)$/m.exec(certificate.subject)?.[1]
  if (organisation && certificate.ca) return organisation
  throw new MeridianError(
    'MRD_CERTIFICATE',
    `${certificate.subject.replaceAll('\n', ', ')} is not an authority of a cluster`,
    'Make one with `meridian certs init`.',
  )
}

/** A new key and a certificate for one member, signed by the authority. */
export async function issueMemberCertificate(authority: PemPair, request: MemberCertificateRequest): Promise<PemPair> {
  const clusterId = clusterOfAuthority(authority.certificate)
  const issuer = new X509Certificate(authority.certificate)
  const signingKey = await importSigningKey(authority)
  const keys = await generateKeys()
  const extensions: Extension[] = [
    new BasicConstraintsExtension(false, undefined, true),
    new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
    new ExtendedKeyUsageExtension([ExtendedKeyUsage.serverAuth, ExtendedKeyUsage.clientAuth]),
    new SubjectAlternativeNameExtension([
      { type: 'dns', value: memberDnsName(clusterId, request.member) },
      { type: 'url', value: `meridian://${clusterId}/${request.member}` },
      ...request.hosts.map((host): JsonGeneralName => ({ type: isIP(host) ? 'ip' : 'dns', value: host })),
    ]),
    await SubjectKeyIdentifierExtension.create(keys.publicKey),
    await AuthorityKeyIdentifierExtension.create(issuer),
  ]
  const dates = validity(request.days)
  const certificate = await X509CertificateGenerator.create({
    serialNumber: newSerialNumber(),
    subject: [{ O: [clusterId] }, { CN: [request.member] }],
    issuer: issuer.subjectName,
    notBefore: dates.notBefore,
    notAfter: issuer.notAfter < dates.notAfter ? issuer.notAfter : dates.notAfter,
    publicKey: keys.publicKey,
    signingKey,
    signingAlgorithm: ALGORITHM,
    extensions,
  })
  return toPem(certificate, keys.privateKey)
}

/** @throws MeridianError MRD_CERTIFICATE when the text holds no certificate. */
export function summariseCertificate(pem: string, source: string, nowMs: number): CertificateSummary {
  const certificate = parseCertificate(pem, source)
  const validTo = new Date(certificate.validTo)
  return {
    subject: certificate.subject.replaceAll('\n', ', '),
    issuer: certificate.issuer.replaceAll('\n', ', '),
    alternativeNames: certificate.subjectAltName ?? '',
    validFrom: new Date(certificate.validFrom),
    validTo,
    daysLeft: Math.floor((validTo.getTime() - nowMs) / DAY_MS),
    fingerprint: certificate.fingerprint256,
    isAuthority: certificate.ca,
  }
}

/** True when the authority's key signed the certificate. */
export function isSignedBy(certificatePem: string, authorityPem: string): boolean {
  const authority = parseCertificate(authorityPem, 'the authority')
  const certificate = parseCertificate(certificatePem, 'the certificate')
  return certificate.checkIssued(authority) && certificate.verify(authority.publicKey)
}

function parseCertificate(pem: string, source: string): NodeCertificate {
  try {
    return new NodeCertificate(pem)
  } catch (error) {
    throw new MeridianError('MRD_CERTIFICATE', `${source} is not a PEM certificate`, 'Name a .crt file, not a key.', {
      cause: error,
    })
  }
}

async function importSigningKey(authority: PemPair): Promise<webcrypto.CryptoKey> {
  try {
    const key = createPrivateKey(authority.key)
    if (!new NodeCertificate(authority.certificate).checkPrivateKey(key)) throw new Error('it belongs to another certificate')
    const der = key.export({ format: 'der', type: 'pkcs8' })
    return await webcrypto.subtle.importKey('pkcs8', der, ALGORITHM, false, ['sign'])
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw new MeridianError(
      'MRD_CERTIFICATE',
      `The authority's key cannot be used: ${reason}`,
      'Restore ca.key from where it is kept.',
      {
        cause: error,
      },
    )
  }
}

function generateKeys(): Promise<webcrypto.CryptoKeyPair> {
  return webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify'])
}

/** 16 random bytes, positive as RFC 5280 wants them. */
function newSerialNumber(): string {
  const bytes = randomBytes(16)
  bytes[0] = (bytes[0] & 0x7f) | 0x40
  return bytes.toString('hex')
}

/** X.509 counts in seconds. */
function validity(days: number): { notBefore: Date; notAfter: Date } {
  const nowMs = Math.floor(Date.now() / 1000) * 1000
  return { notBefore: new Date(nowMs - BACKDATE_MS), notAfter: new Date(nowMs + days * DAY_MS) }
}

async function toPem(certificate: X509Certificate, privateKey: webcrypto.CryptoKey): Promise<PemPair> {
  const key = await webcrypto.subtle.exportKey('pkcs8', privateKey)
  return { certificate: `${certificate.toString('pem')}\n`, key: `${PemConverter.encode(key, 'PRIVATE KEY')}\n` }
}
