import 'reflect-metadata'
import { webcrypto } from 'node:crypto'
import * as x509 from '@peculiar/x509'
import type { PeerCredentials } from '../../src/platform/peer-credentials.js'

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' }
const DAY_MS = 86_400_000

export interface TestAuthority {
  readonly certificate: x509.X509Certificate
  readonly keys: webcrypto.CryptoKeyPair
}

export async function makeAuthority(name = 'test CA'): Promise<TestAuthority> {
  const keys = await webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify'])
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    name: `CN=${name}`,
    keys,
    signingAlgorithm: ALGORITHM,
    notBefore: new Date(Date.now() - DAY_MS),
    notAfter: new Date(Date.now() + DAY_MS),
    extensions: [new x509.BasicConstraintsExtension(true, undefined, true)],
  })
  return { certificate, keys }
}

export async function issue(
  authority: TestAuthority,
  options: { name: string; clusterId?: string; expired?: boolean; noNames?: boolean },
): Promise<PeerCredentials> {
  const { name, clusterId = 'test', expired = false, noNames = false } = options
  const keys = await webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify'])
  const certificate = await x509.X509CertificateGenerator.create({
    subject: `CN=${name}`,
    issuer: authority.certificate.subject,
    publicKey: keys.publicKey,
    signingKey: authority.keys.privateKey,
    signingAlgorithm: ALGORITHM,
    notBefore: new Date(Date.now() - DAY_MS),
    notAfter: new Date(Date.now() + (expired ? -1000 : DAY_MS)),
    extensions: noNames
      ? []
      : [
          new x509.SubjectAlternativeNameExtension([
            { type: 'dns', value: `${name}.${clusterId}.meridian.internal` },
            { type: 'url', value: `meridian://${clusterId}/${name}` },
          ]),
        ],
  })
  const pkcs8 = await webcrypto.subtle.exportKey('pkcs8', keys.privateKey)
  return {
    cert: Buffer.from(certificate.toString('pem')),
    key: Buffer.from(x509.PemConverter.encode(pkcs8, 'PRIVATE KEY')),
    ca: Buffer.from(authority.certificate.toString('pem')),
  }
}
