import { X509Certificate } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect, createServer, type TLSSocket } from 'node:tls'
import { afterAll, describe, expect, it } from 'vitest'
import { createAuthority, isSignedBy, issueMemberCertificate, summariseCertificate } from '../../src/cli/certificates.js'
import { cli } from './run.js'

const root = mkdtempSync(join(tmpdir(), 'meridian-certs-'))
afterAll(() => rmSync(root, { recursive: true }))
let folders = 0
const newFolder = (): string => join(root, String(++folders))

describe('certs', () => {
  it('makes an authority and member certificates that name member and cluster', async () => {
    const dir = newFolder()
    expect((await cli('certs', 'init', '--cluster-id', 'shop', '--dir', dir)).code).toBe(0)
    expect((await cli('certs', 'issue', 'us', 'eu', '--dir', dir, '--host', 'us.example.net', '--host', '10.1.0.5')).code).toBe(0)
    const certificate = new X509Certificate(readFileSync(join(dir, 'us.crt')))
    expect(certificate.subjectAltName?.split(', ')).toEqual([
      'DNS:us.shop.meridian.internal',
      'URI:meridian://shop/us',
      'DNS:us.example.net',
      'IP Address:10.1.0.5',
    ])
    expect(certificate.ca).toBe(false)
    for (const name of ['ca', 'us', 'eu']) expect(statSync(join(dir, `${name}.key`)).mode & 0o777).toBe(0o600)
  })

  it('never overwrites without --force', async () => {
    const dir = newFolder()
    await cli('certs', 'init', '--cluster-id', 'shop', '--dir', dir)
    const before = readFileSync(join(dir, 'ca.crt'), 'utf8')
    const again = await cli('certs', 'init', '--cluster-id', 'shop', '--dir', dir)
    expect(again).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('ca.crt exists (MRD_FILE_EXISTS). Use --force') as string,
    })
    await cli('certs', 'issue', 'us', '--dir', dir)
    expect((await cli('certs', 'issue', 'us', '--dir', dir)).code).toBe(1)
    expect((await cli('certs', 'issue', 'us', '--dir', dir, '--if-missing')).stdout).toContain('Kept')
    expect(readFileSync(join(dir, 'ca.crt'), 'utf8')).toBe(before)
    expect((await cli('certs', 'issue', 'us', '--dir', dir, '--force')).code).toBe(0)
  })

  it('keeps an authority only for its own cluster', async () => {
    const dir = newFolder()
    await cli('certs', 'init', '--cluster-id', 'shop', '--dir', dir)
    expect((await cli('certs', 'init', '--cluster-id', 'shop', '--dir', dir, '--if-missing')).code).toBe(0)
    const other = await cli('certs', 'init', '--cluster-id', 'bank', '--dir', dir, '--if-missing')
    expect(other.stderr).toContain('holds the authority of cluster shop (MRD_CERTIFICATE)')
  })

  it('shows names, validity and days left', async () => {
    const dir = newFolder()
    await cli('certs', 'init', '--cluster-id', 'shop', '--dir', dir)
    await cli('certs', 'issue', 'us', '--dir', dir, '--days', '30')
    const { stdout } = await cli('certs', 'show', '--dir', dir)
    expect(stdout).toMatch(
      /us\.crt\n {2}subject {6}O=shop, CN=us\n.*\n {2}names {8}DNS:us\.shop.*\n.*\((29|30) days left\)\n.*SHA-256 ([0-9A-F]{2}:){31}/,
    )
    expect(stdout.indexOf('ca.crt')).toBeLessThan(stdout.indexOf('us.crt'))
  })

  it.each([
    [['issue', 'US'], 'member "US" is not valid'],
    [['issue', 'ca'], 'No member can be called ca'],
    [['issue', 'us', '--host', 'a b'], '--host "a b" is no host name or address'],
    [['issue', 'us', '--days', '0'], 'Allowed: a whole number from 1 to 36500.'],
    [['issue', 'us'], 'ca.crt cannot be read'],
    [['show'], 'holds no certificates (MRD_CERTIFICATE)'],
    [['init', '--cluster-id', 'No Good'], '--cluster-id "No Good" is not valid'],
  ])('refuses %j', async (args, message) => {
    const { code, stderr } = await cli('certs', ...args, '--dir', join(root, 'empty'))
    expect(code).not.toBe(0)
    expect(stderr).toContain(message)
  })

  it("refuses a file that is no certificate, and another authority's key", async () => {
    const dir = newFolder()
    await cli('certs', 'init', '--cluster-id', 'shop', '--dir', dir)
    expect((await cli('certs', 'show', join(dir, 'ca.key'))).stderr).toContain('is not a PEM certificate (MRD_CERTIFICATE)')
    writeFileSync(join(dir, 'ca.key'), (await createAuthority('shop', 1)).key)
    expect((await cli('certs', 'issue', 'us', '--dir', dir)).stderr).toContain("The authority's key cannot be used")
  })
})

describe('issued certificates', () => {
  it('never outlive their authority', async () => {
    const authority = await createAuthority('shop', 5)
    const { certificate } = await issueMemberCertificate(authority, { member: 'us', hosts: [], days: 100 })
    expect(summariseCertificate(certificate, 'us', Date.now()).daysLeft).toBeLessThanOrEqual(5)
    expect(isSignedBy(certificate, authority.certificate)).toBe(true)
    expect(isSignedBy(certificate, (await createAuthority('shop', 5)).certificate)).toBe(false)
  })

  it('serve both sides of mutual TLS 1.3', async () => {
    const authority = await createAuthority('shop', 5)
    const issue = (member: string) => issueMemberCertificate(authority, { member, hosts: [], days: 5 })
    const [us, eu] = [await issue('us'), await issue('eu')]
    const trust = { ca: authority.certificate, minVersion: 'TLSv1.3' } as const
    const server = createServer({ ...trust, cert: us.certificate, key: us.key, requestCert: true, rejectUnauthorized: true })
    const accepted = new Promise<TLSSocket>((resolve) => server.once('secureConnection', resolve))
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const address = server.address()
    const port = typeof address === 'object' && address ? address.port : 0
    const client = connect({
      ...trust,
      port,
      host: '127.0.0.1',
      servername: 'us.shop.meridian.internal',
      cert: eu.certificate,
      key: eu.key,
    })
    await new Promise<void>((resolve, reject) => client.once('secureConnect', resolve).once('error', reject))
    expect((await accepted).getPeerCertificate().subjectaltname).toContain('URI:meridian://shop/eu')
    client.destroy()
    server.close()
  })
})
