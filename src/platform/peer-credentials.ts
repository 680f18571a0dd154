import { constants, createPrivateKey, X509Certificate } from 'node:crypto'
import { createSecureContext, type SecureContext, type SecureContextOptions } from 'node:tls'
import { MeridianError } from '../base/errors.js'
import type { PeerIdentity } from '../ports/network.js'

/** A member's certificate, its key and the cluster's authority, as PEM. */
export interface PeerCredentials {
  readonly cert: Buffer
  readonly key: Buffer
  readonly ca: Buffer
}

/** Credentials that were checked, in the forms that TLS needs. */
export interface OpenCredentials {
  readonly identity: PeerIdentity
  /** For a server and its setSecureContext. */
  readonly tls: SecureContextOptions
  /** The same, for dialling. */
  readonly context: SecureContext
}

const MEMBER_URI = /^meridian:\/\/([A-Za-z0-9._-]+)\/([A-Za-z0-9._-]+)$/
const PEM_CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g
/** One entry of a subject alternative name as Node prints it; a value with special characters is a JSON string. */
const SAN_ENTRY = /(?:^|, )([^:,]+):("(?:[^"\\]|\\.)*"|[^,]*)/g

/**
 * Checks credentials before anything uses them, so that a mistake is a clear error at start or reload and not a mystery at
 * the first handshake.
 * @throws MeridianError MRD_CERTIFICATE
 */
export function openCredentials(credentials: PeerCredentials): OpenCredentials {
  const [certificate, ...chain] = attempt("this member's certificate is not readable", () => readCertificates(credentials.cert))
  const authorities = attempt("the cluster authority's certificate is not readable", () => readCertificates(credentials.ca))
  const key = attempt("this member's key is not readable (it must be an unencrypted PEM key)", () =>
    createPrivateKey(credentials.key),
  )
  if (!certificate.checkPrivateKey(key)) throw invalid("this member's key does not belong to its certificate")
  if (![...chain, ...authorities].some((issuer) => certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey))) {
    throw invalid("this member's certificate was not issued by the cluster authority that is configured beside it")
  }
  const now = Date.now()
  if (now > Date.parse(certificate.validTo)) throw invalid(`this member's certificate expired on ${certificate.validTo}`)
  if (now < Date.parse(certificate.validFrom))
    throw invalid(`this member's certificate is not valid before ${certificate.validFrom}`)
  const identity = identityOf(certificate.subjectAltName)
  if (identity === null) {
    throw invalid(
      `this member's certificate names no member; its subject alternative names are: ${certificate.subjectAltName ?? 'none'}`,
    )
  }
  const tls: SecureContextOptions = {
    cert: credentials.cert,
    key: credentials.key,
    ca: authorities.map((one) => one.toString()),
    minVersion: 'TLSv1.3',
    // No resumption: every link shows its certificate, so that a replaced authority counts from then on.
    secureOptions: constants.SSL_OP_NO_TICKET,
  }
  return {
    identity,
    tls,
    context: attempt('the certificate, key and authority cannot be used together', () => createSecureContext(tls)),
  }
}

/** The member that a certificate names by `URI:meridian://<cluster>/<member>`; null unless it names exactly one. */
export function identityOf(subjectAltName: string | undefined): PeerIdentity | null {
  let identity: PeerIdentity | null = null
  for (const [, kind, value] of (subjectAltName ?? '').matchAll(SAN_ENTRY)) {
    const match = kind === 'URI' ? MEMBER_URI.exec(value) : null
    if (match === null) continue
    if (identity !== null) return null
    identity = { clusterId: match[1], name: match[2] }
  }
  return identity
}

/** The host name that a member's certificate carries beside the URI. */
export function serverNameOf(identity: PeerIdentity): string {
  return `${identity.name}.${identity.clusterId}.meridian.internal`
}

/** All certificates of a PEM file, at least one: a chain, or two authorities while one replaces the other. */
function readCertificates(pem: Buffer): [X509Certificate, ...X509Certificate[]] {
  const [first, ...others] = pem.toString('latin1').match(PEM_CERTIFICATE) ?? []
  if (first === undefined) throw new Error('no certificate in PEM form')
  return [new X509Certificate(first), ...others.map((block) => new X509Certificate(block))]
}

function attempt<T>(what: string, action: () => T): T {
  try {
    return action()
  } catch (error) {
    throw invalid(`${what}: ${error instanceof Error ? error.message : String(error)}`, error)
  }
}

function invalid(what: string, cause?: unknown): MeridianError {
  return new MeridianError(
    'MRD_CERTIFICATE',
    `Peer links cannot be secured: ${what}`,
    'Issue a certificate for this member with the cluster authority, and name the right files in the configuration.',
    { cause },
  )
}
