import { cpSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { connect } from 'node:tls'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { PeerCredentials } from '../../src/platform/peer-credentials.js'
import { issue, makeAuthority, type TestAuthority } from '../platform/test-certificates.js'
import { freePorts } from './support/free-ports.js'
import { MemberProcess } from './support/member-process.js'
import { linkUp, TestCluster } from './support/test-cluster.js'

/** `us` runs and expects `eu` and `ap`; who comes instead is somebody else each time. */
let cluster: TestCluster
let authority: TestAuthority
let us: MemberProcess
const impostors: MemberProcess[] = []
/** Length of what us had printed when the test began. */
let from = 0

beforeAll(async () => {
  cluster = await TestCluster.create({ clusterId: 'shop' })
  // One authority of our own making, which also issues what the command line never would.
  authority = await makeAuthority('CA of shop')
  for (const name of ['us', 'eu', 'ap']) writeCredentials(name, await issue(authority, { name, clusterId: 'shop' }))
  // Nobody can ask another one.
  for (const member of cluster.members) member.editConfig((yaml) => yaml.replace('peers:', 'peers:\n  start-wait: 0s'))
  us = cluster.member('us')
  await us.start()
})

beforeEach(() => {
  from = us.running.output.length
})

afterEach(async () => {
  for (const impostor of impostors.splice(0)) await impostor.dispose()
  // Whatever came by: it serves.
  expect(await us.command('GET', 'anything')).toBe(null)
})

afterAll(() => cluster?.dispose())

function writeCredentials(file: string, credentials: PeerCredentials): void {
  writeFileSync(join(cluster.folder, 'certs', `${file}.crt`), credentials.cert)
  writeFileSync(join(cluster.folder, 'certs', `${file}.key`), credentials.key)
  writeFileSync(join(cluster.folder, 'certs', `${file}-ca.crt`), credentials.ca)
  writeFileSync(join(cluster.folder, 'certs', 'ca.crt'), authority.certificate.toString('pem'))
}

/** A member with the configuration of `of`, changed, in a data folder of its own. */
async function impostor(of: string, edit: (yaml: string) => string): Promise<MemberProcess> {
  const model = cluster.member(of).plan
  const [port] = await freePorts(1)
  const file = `impostor-${port}`
  const plan = { ...model, port, configFile: join(cluster.folder, `${file}.yaml`), dataFolder: join(cluster.folder, file) }
  cpSync(model.configFile, plan.configFile)
  const member = new MemberProcess(plan)
  member.editConfig((yaml) =>
    edit(
      yaml
        .replace(`clients: { port: ${model.port} }`, `clients: { port: ${port} }`)
        .replace(`dir: ${model.name},`, `dir: ${file},`),
    ),
  )
  impostors.push(member)
  return member
}

function certificateOf(name: string, file: string): (yaml: string) => string {
  return (yaml) =>
    yaml
      .replace(`certs/${name}.crt`, `certs/${file}.crt`)
      .replace(`certs/${name}.key`, `certs/${file}.key`)
      .replace('certs/ca.crt', `certs/${file}-ca.crt`)
}

/** The log line of us that has the code and the text, since the call. */
function usSays(code: string, text: RegExp): Promise<string> {
  return us.running.printed(new RegExp(`^(?=.*"code":"${code}").*${text.source}.*$`, 'm'), 15_000, from)
}

describe('a peer that is not who it should be is refused, and the log says what to do', () => {
  it('with a certificate of another authority', async () => {
    writeCredentials('foreign', await issue(await makeAuthority('CA of somebody'), { name: 'eu', clusterId: 'shop' }))
    await (await impostor('eu', certificateOf('eu', 'foreign'))).start()
    await usSays(
      'MRD_CERTIFICATE',
      /its certificate was issued by another authority.*Renew its certificate with the authority of this cluster/,
    )
    await usSays(
      'MRD_CERTIFICATE',
      /A peer connection was turned away: its certificate is not accepted|A peer connection failed in the TLS handshake/,
    )
  }, 30_000)

  it('with a certificate that has expired', async () => {
    const expired = await issue(authority, { name: 'eu', clusterId: 'shop', expired: true })
    const socket = connect({ port: us.plan.peerPort, host: '127.0.0.1', ...expired, rejectUnauthorized: false })
    socket.on('error', () => undefined)
    await usSays(
      'MRD_CERTIFICATE',
      /A peer connection was turned away: its certificate is not accepted \(CERT_HAS_EXPIRED\)\. .*meridian certs issue/,
    )
    socket.destroy()
  }, 30_000)

  it('with no certificate at all', async () => {
    const socket = connect({ port: us.plan.peerPort, host: '127.0.0.1', rejectUnauthorized: false })
    socket.on('error', () => undefined)
    await usSays('MRD_CERTIFICATE', /A peer connection was turned away: its certificate is not accepted .*meridian certs issue/)
    socket.destroy()
  }, 30_000)

  it('from another cluster', async () => {
    writeCredentials('other', await issue(authority, { name: 'eu', clusterId: 'other-shop' }))
    const member = await impostor('eu', (yaml) => certificateOf('eu', 'other')(yaml).replace('id: shop', 'id: other-shop'))
    await member.start()
    await usSays('MRD_PEER_CLUSTER', /other-shop.*Correct the (address|cluster id)/)
  }, 30_000)

  it('under the name of another region', async () => {
    // ap listens where the topology says that eu is.
    const eu = cluster.member('eu').plan
    const ap = cluster.member('ap').plan
    const member = await impostor('ap', (yaml) =>
      yaml
        .replaceAll(`port: ${ap.peerPort}`, `port: ${eu.peerPort + 1_000_000}`)
        .replaceAll(`port: ${eu.peerPort},`, `port: ${ap.peerPort},`)
        .replaceAll(`port: ${eu.peerPort + 1_000_000}`, `port: ${eu.peerPort}`),
    )
    await member.start()
    await usSays(
      'MRD_PEER_IDENTITY',
      /names ap of cluster shop; expected eu of cluster shop.*Correct the address in the topology/,
    )
  }, 30_000)

  it('with the id of another member', async () => {
    const member = await impostor('ap', (yaml) =>
      yaml
        .replaceAll('{ id: 3, name: ap', '{ id: 9, name: ap')
        .replaceAll('{ id: 2, name: eu', '{ id: 3, name: eu')
        .replaceAll('{ id: 9, name: ap', '{ id: 2, name: ap'),
    )
    await member.start()
    await usSays('MRD_PEER_DUPLICATE_ID', /ap says that it is member 2, which the topology gives to eu.*stop the wrong one/)
  }, 30_000)

  it('that the topology does not have', async () => {
    writeCredentials('xx', await issue(authority, { name: 'xx', clusterId: 'shop' }))
    const member = await impostor('ap', (yaml) =>
      certificateOf('ap', 'xx')(yaml).replaceAll('{ id: 3, name: ap', '{ id: 7, name: xx'),
    )
    await member.start()
    await usSays('MRD_PEER_UNKNOWN', /xx is not in the list of members of us yet.*meridian region add xx/)
  }, 30_000)

  it('that runs twice', async () => {
    const first = await impostor('eu', (yaml) => yaml)
    await first.start()
    await us.running.printed(linkUp('eu'), 15_000, from)
    const [peerPort] = await freePorts(1)
    const twin = await impostor('eu', (yaml) =>
      yaml.replaceAll(`port: ${cluster.member('eu').plan.peerPort}`, `port: ${peerPort}`),
    )
    await twin.start()
    await usSays('MRD_PEER_FORKED', /eu \(member 2\) runs more than once.*Stop the wrong one/)
  }, 30_000)
})

describe('a member does not start with credentials that the others would refuse', () => {
  it.each([
    ['of another member', 'ap', {}, /\bap\b.*\beu\b|\beu\b.*\bap\b/],
    ['that has expired', 'eu', { expired: true }, /expired on/],
    ['of another cluster', 'eu', { clusterId: 'other-shop' }, /other-shop/],
    ['that names no member', 'eu', { noNames: true }, /names no member/],
  ])(
    'a certificate %s',
    async (_, name, options, message) => {
      writeCredentials('wrong', await issue(authority, { name, clusterId: 'shop', ...options }))
      const process = (await impostor('eu', certificateOf('eu', 'wrong'))).launch()
      expect(await process.ends()).toEqual({ code: 1, signal: null })
      expect(process.output).toMatch(message)
      expect(process.output).toMatch(/\(MRD_\w+\)\. .*certificate/)
    },
    20_000,
  )
})
