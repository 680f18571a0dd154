import 'reflect-metadata'
import * as x509 from '@peculiar/x509'
import { webcrypto } from 'node:crypto'
import type { TLSSocket } from 'node:tls'
import { beforeAll, describe, expect, it } from 'vitest'
import { MeridianError } from '../../src/base/errors.js'
import type { TlsSettings } from '../../src/server/tls-clients.js'
import { TestClient } from './test-client.js'
import { remember, startServer, type TestServer } from './test-server.js'

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' }

interface Issued {
  readonly pem: string
  readonly key: string
}

async function pemOf(key: webcrypto.CryptoKey): Promise<string> {
  return x509.PemConverter.encode(await webcrypto.subtle.exportKey('pkcs8', key), 'PRIVATE KEY')
}

class Authority {
  private constructor(
    private readonly certificate: x509.X509Certificate,
    private readonly signingKey: webcrypto.CryptoKey,
  ) {}

  get pem(): string {
    return this.certificate.toString('pem')
  }

  static async create(name: string): Promise<Authority> {
    const keys = await webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify'])
    const certificate = await x509.X509CertificateGenerator.createSelfSigned({
      name: `CN=${name}`,
      keys,
      signingAlgorithm: ALGORITHM,
      notAfter: new Date(Date.now() + 3_600_000),
      extensions: [new x509.BasicConstraintsExtension(true, undefined, true)],
    })
    return new Authority(certificate, keys.privateKey)
  }

  async issue(name: string): Promise<Issued> {
    const keys = await webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify'])
    const certificate = await x509.X509CertificateGenerator.create({
      subject: `CN=${name}`,
      issuer: this.certificate.subject,
      publicKey: keys.publicKey,
      signingKey: this.signingKey,
      signingAlgorithm: ALGORITHM,
      notAfter: new Date(Date.now() + 3_600_000),
      extensions: [
        new x509.SubjectAlternativeNameExtension([
          { type: 'dns', value: 'localhost' },
          { type: 'ip', value: '127.0.0.1' },
        ]),
      ],
    })
    return { pem: certificate.toString('pem'), key: await pemOf(keys.privateKey) }
  }
}

let authority: Authority
let stranger: Authority
let serverCertificate: Issued
let clientCertificate: Issued
let strangeCertificate: Issued

beforeAll(async () => {
  x509.cryptoProvider.set(webcrypto as unknown as Parameters<typeof x509.cryptoProvider.set>[0])
  authority = await Authority.create('cluster')
  stranger = await Authority.create('stranger')
  serverCertificate = await authority.issue('server')
  clientCertificate = await authority.issue('client')
  strangeCertificate = await stranger.issue('client')
})

async function startTls(clientCertificates: TlsSettings['clientCertificates']): Promise<TestServer & { tlsPort: number }> {
  const started = await startServer({
    port: null,
    tls: {
      port: 0,
      certificate: serverCertificate.pem,
      privateKey: serverCertificate.key,
      clientAuthorities: authority.pem,
      clientCertificates,
    },
  })
  return { ...started, tlsPort: started.server.tlsAddresses[0].port }
}

async function connect(port: number, own?: Issued): Promise<TestClient> {
  return remember(
    await TestClient.tls(port, { ca: authority.pem, ...(own === undefined ? {} : { cert: own.pem, key: own.key }) }),
  )
}

/** TLS 1.3 tells the client of a refusal only after it believes itself connected. */
async function isServed(port: number, own?: Issued): Promise<boolean> {
  try {
    const client = await connect(port, own)
    client.send('PING\r\n')
    await client.until((c) => c.ended || c.closed || c.length > 0)
    return client.text === '+PONG\r\n'
  } catch {
    return false
  }
}

describe('client certificates', () => {
  it('are not asked for with no', async () => {
    const { tlsPort } = await startTls('no')
    expect(await isServed(tlsPort)).toBe(true)
    expect(await isServed(tlsPort, strangeCertificate)).toBe(true)
  })

  it('must be valid if shown with optional', async () => {
    const { tlsPort } = await startTls('optional')
    expect(await isServed(tlsPort)).toBe(true)
    expect(await isServed(tlsPort, clientCertificate)).toBe(true)
    expect(await isServed(tlsPort, strangeCertificate)).toBe(false)
  })

  it('must be shown with required', async () => {
    const { tlsPort, logger, server } = await startTls('required')
    expect(await isServed(tlsPort)).toBe(false)
    expect(await isServed(tlsPort, clientCertificate)).toBe(true)
    expect(await isServed(tlsPort, strangeCertificate)).toBe(false)
    expect(logger.warnings).toEqual([])
    expect(server.registry.statistics.totalConnections).toBe(1)
  })
})

describe('TLS connections', () => {
  it('carry pipelines, big values and a half-close', async () => {
    const { tlsPort } = await startTls('no')
    const c = await connect(tlsPort)
    c.send('PING\r\n'.repeat(10_000))
    await c.expectText('+PONG\r\n'.repeat(10_000))
    const value = 'v'.repeat(3_000_000)
    c.command('SET', 'k', value)
    c.command('GET', 'k')
    await c.expectText(`+OK\r\n$${value.length}\r\n${value}\r\n`)
    c.send('PING\r\nQUIT\r\n')
    await c.expectText('+PONG\r\n+OK\r\n')
    await c.expectEnd()
  })

  it('answer what was sent before the client closed its side', async () => {
    const { tlsPort, server } = await startTls('no')
    const c = await connect(tlsPort)
    c.send('PING\r\n'.repeat(20_000))
    c.socket.end()
    await c.expectText('+PONG\r\n'.repeat(20_000))
    await c.until(() => server.registry.count === 0)
  })

  it('bound a client that does not read', async () => {
    const { tlsPort, engine, server } = await startTls('no')
    engine.values.set('k', Buffer.alloc(100_000))
    const c = await connect(tlsPort)
    c.socket.pause()
    c.send('GET k\r\n'.repeat(1000))
    await new Promise((resolve) => setTimeout(resolve, 300))
    expect(engine.commands).toBeLessThan(1000)
    expect(server.registry.find(1)?.outputBytes).toBeLessThan(3_000_000)
    c.socket.resume()
    await c.until(() => c.length === 1000 * 100_011, 'all replies')
  })

  it('tell a client beyond maxclients why it is refused', async () => {
    const { tlsPort, settings } = await startTls('no')
    settings.maxClients = 0
    const c = await connect(tlsPort)
    await c.expectText('-ERR max number of clients reached\r\n')
    await c.expectEnd()
  })

  it('do not count what never finishes its handshake as a client', async () => {
    const { tlsPort, server } = await startTls('no')
    const plain = remember(await TestClient.plain(tlsPort))
    plain.send('PING\r\n')
    await plain.expectEnd()
    expect(server.registry.statistics.totalConnections).toBe(0)
  })
})

describe('certificates', () => {
  const serial = (client: TestClient): string => (client.socket as TLSSocket).getPeerCertificate().serialNumber

  it('are replaced for new connections while present ones go on', async () => {
    const { tlsPort, server } = await startTls('no')
    const before = await connect(tlsPort)
    const next = await authority.issue('server')
    server.replaceCertificate({ certificate: next.pem, privateKey: next.key, clientAuthorities: authority.pem })
    const after = await connect(tlsPort)
    expect(serial(after)).not.toBe(serial(before))
    before.send('PING\r\n')
    await before.expectText('+PONG\r\n')
    expect(() => server.replaceCertificate({ certificate: 'nonsense', privateKey: next.key })).toThrow(MeridianError)
    expect(serial(await connect(tlsPort))).toBe(serial(after))
  })

  it('that do not fit their key are refused at the start', async () => {
    const failed = startServer({
      port: null,
      tls: { port: 0, certificate: serverCertificate.pem, privateKey: clientCertificate.key, clientCertificates: 'no' },
    })
    await expect(failed).rejects.toMatchObject({ code: 'MRD_CERTIFICATE' })
  })

  it('of clients cannot be checked without an authority', async () => {
    const failed = startServer({
      port: null,
      tls: { port: 0, certificate: serverCertificate.pem, privateKey: serverCertificate.key, clientCertificates: 'required' },
    })
    await expect(failed).rejects.toMatchObject({ code: 'MRD_CERTIFICATE' })
  })
})
