import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, describe, expect, it } from 'vitest'
import { createAuthority, issueMemberCertificate } from '../../src/cli/certificates.js'
import { fakeInfo, fakePeer, startFakeMember, type FakeMember, type FakeMemberOptions } from './fake-member.js'
import { cli } from './run.js'

const folder = mkdtempSync(join(tmpdir(), 'meridian-status-'))
afterAll(() => rmSync(folder, { recursive: true }))

const running: FakeMember[] = []
afterEach(async () => {
  await Promise.all(running.splice(0).map((member) => member.close()))
})

async function member(options: FakeMemberOptions): Promise<string> {
  const fake = await startFakeMember(options)
  running.push(fake)
  return `127.0.0.1:${fake.port}`
}

const us = { info: fakeInfo({ id: 1, name: 'us' }, [fakePeer({ id: 2, name: 'eu' })]) }
const eu = { info: fakeInfo({ id: 2, name: 'eu' }, [fakePeer({ id: 1, name: 'us' })]) }
/** Nothing listens on a port that was just closed. */
async function deadAddress(): Promise<string> {
  const fake = await startFakeMember({})
  await fake.close()
  return `127.0.0.1:${fake.port}`
}

/** A configuration file of the member us, with these others in its list. */
function configOfUs(clients: string, others: readonly string[]): string {
  const file = join(folder, 'us.yaml')
  writeFileSync(
    file,
    `member: { id: 1, name: us }
clients: { ${clients} }
peers:
  port: 7101
  tls-cert-file: us.crt
  tls-key-file: us.key
  tls-ca-cert-file: ca.crt
  members:
    - { id: 1, name: us, region: us, host: 127.0.0.1, port: 7101 }
${others.map((other) => `    - ${other}\n`).join('')}`,
  )
  return file
}

describe('status', () => {
  it('is 0 and a table when all is well', async () => {
    const { code, stdout } = await cli('status', await member(us), await member(eu))
    expect(code).toBe(0)
    expect(stdout).toMatch(/us\s+│ us-region .* ok .* 3 .* 250 .* 7 .* 2\.0 MiB .* eu .* up .* 3 ms/)
  })

  it('is 1 and says why when a link is down, late or relayed', async () => {
    const peers = [
      fakePeer({ link: 'down', error: 'connect ECONNREFUSED 10.0.0.1:7102, retrying' }),
      fakePeer({ id: 3, name: 'ap', behind_ms: 20_000, relay: 'eu' }),
    ]
    const { code, stdout } = await cli('status', await member({ info: fakeInfo({ id: 1, name: 'us' }, peers) }))
    expect(code).toBe(1)
    expect(stdout).toContain('us: link to eu is down: connect ECONNREFUSED 10.0.0.1:7102, retrying')
    expect(stdout).toContain('us: writes of ap come through eu')
    expect(stdout).toContain('us: writes of ap are 20000 ms behind')
  })

  it('is 1 when one member does not answer and 2 when none does', async () => {
    const [alive, dead] = [await member(us), await deadAddress()]
    expect((await cli('status', alive, dead)).code).toBe(1)
    expect((await cli('status', dead)).code).toBe(2)
  })

  it('is 1 when members belong to different clusters or share an id', async () => {
    const stranger = await member({ info: fakeInfo({ id: 1, name: 'eu', clusterId: 'other' }, []) })
    const { code, stdout } = await cli('status', await member(us), stranger)
    expect(code).toBe(1)
    expect(stdout).toContain('eu: belongs to cluster other, the first one to test')
    expect(stdout).toContain('eu: has the member id 1 of 127.0.0.1:')
  })

  it('does not wait for ever', async () => {
    const { code, stdout } = await cli('status', '--timeout', '50ms', await member({ silent: true }))
    expect(code).toBe(2)
    expect(stdout).toContain('no reply within 50 ms')
  })

  it('is 1 and says how far it is when a member takes the state of another one, and who sends it', async () => {
    const taking = [
      'sync_state:fetching',
      'sync_source:us',
      'sync_source_perc:0.00',
      'sync_perc:41.70',
      'sync_bytes_received:3145728',
    ]
    const taker = await member({
      info: fakeInfo({ id: 2, name: 'eu' }, [], [...taking, 'sync_snapshot_bytes:104857600', 'sync_eta_seconds:12']),
    })
    const giving = ['sync_receivers:2', `sync_receiver0:name=eu,state=sending,perc=41.70,bytes_sent=3145728,eta_seconds=13`]
    const giver = await member({
      info: fakeInfo({ id: 1, name: 'us' }, [], [...giving, 'sync_receiver1:name=ap,state=writing,perc=7.00,eta_seconds=-1']),
    })
    const { code, stdout } = await cli('status', giver, taker)
    expect(code).toBe(1)
    expect(stdout).toMatch(/eu .* taking 41 % /)
    expect(stdout).toContain(
      'eu: takes no writes: it takes the state of us: 41 %, 3.0 MiB of what differs in 100.0 MiB, about 12 s to go\n',
    )
    expect(stdout).toContain('us: sends its state to eu: 41 %, 3.0 MiB, about 13 s to go\n')
    expect(stdout).toContain('us: writes a snapshot for ap: 7 %\n')
    const { members } = JSON.parse((await cli('status', '--json', giver, taker)).stdout) as { members: { details: object }[] }
    expect(members[0].details).toMatchObject({ transfer: null, receivers: [{ name: 'eu', percent: 41.7 }, { etaSeconds: null }] })
    expect(members[1].details).toMatchObject({ transfer: { source: 'us', percent: 41.7, etaSeconds: 12 }, receivers: [] })
  })

  it('says what a member waits for that takes the state of another one', async () => {
    const said = async (...replication: string[]): Promise<string> =>
      (await cli('status', await member({ info: fakeInfo({ id: 2, name: 'eu' }, [], replication) }))).stdout
    expect(await said('sync_state:seeking', 'sync_source:', 'sync_eta_seconds:-1')).toContain(
      'it seeks a member whose state it can take',
    )
    expect(await said('sync_state:asked', 'sync_source:us', 'sync_source_perc:63.00')).toContain(
      'it takes the state of us, which writes a snapshot first: 63 %',
    )
    expect(await said('sync_state:finishing', 'sync_source:us', 'sync_bytes_received:2048')).toContain(
      'it has taken the state of us, 2 KiB, and makes it durable',
    )
  })

  it('says nothing of removed members while one that is new cannot know yet that they have departed', async () => {
    const peers = [fakePeer({}), fakePeer({ id: 3, name: 'ap', link: 'down', inbound: 'down' })]
    const said = async (membership: string): Promise<string> =>
      (
        await cli(
          'status',
          await member({ info: fakeInfo({ id: 4, name: 'sa' }, peers, [], [`membership:${membership}`, 'draining:ap']) }),
        )
      ).stdout
    expect(await said('active')).toMatch(/sa: ap was removed and has not departed yet\nsa: link to ap is down/)
    const joining = await said('joining')
    expect(joining).toContain('sa: takes no writes yet: it is new and has not caught up')
    expect(joining).not.toMatch(/departed|link to ap/)
  })

  it('is 1 and says why when a member takes no writes because of its disk or its memory', async () => {
    const error = 'The disk of /data has 5 bytes left, the reserve is 10 (MRD_DISK_FULL). Free some room.'
    const info = fakeInfo({ id: 1, name: 'us' }, [], [], [`log_last_error:${error}`, 'snapshot_last_error:EIO'])
    const { code, stdout } = await cli('status', await member({ info }))
    expect(code).toBe(1)
    expect(stdout).toContain(`us: takes no writes: ${error}\nus: the last snapshot failed: EIO`)
    expect((await cli('status', await member({ info: us.info.replace('allkeys-lru', 'noeviction') }))).stdout).toContain(
      'us: takes no writes that need memory: it has 1 KiB more than maxmemory, 2.0 MiB',
    )
  })

  it('says when writes come over the link that their member has opened', async () => {
    const peers = [fakePeer({ link: 'connecting', relay: 'eu' })]
    const { stdout } = await cli('status', await member({ info: fakeInfo({ id: 1, name: 'us' }, peers) }))
    expect(stdout).toContain('us: writes of eu come over the link that it has opened itself')
  })

  it('prints JSON', async () => {
    const { code, stdout } = await cli('status', '--json', await member(us))
    expect(code).toBe(0)
    const { members } = JSON.parse(stdout) as { members: { state: string; details: Record<string, unknown> }[] }
    expect(members[0]).toMatchObject({
      state: 'ok',
      details: { id: 1, name: 'us', clients: 3, keys: 7, versionVector: '1:100,2:90' },
    })
  })

  it('takes addresses and password from a configuration file', async () => {
    const password = 'secret'
    const own = await startFakeMember({ ...us, password })
    const other = await startFakeMember({ ...eu, password })
    running.push(own, other)
    const file = configOfUs(`port: ${own.port}, requirepass: ${password}`, [
      `{ id: 2, name: eu, region: eu, host: 127.0.0.1, port: 7102, client-port: ${other.port} }`,
      '{ id: 3, name: ap, region: ap, host: 127.0.0.1, port: 7103 }',
    ])
    const { code, stdout } = await cli('status', '--config', file)
    expect(stdout).toContain('eu-region')
    expect(code).toBe(0)
    expect((await cli('ping', '--config', file)).stdout).toBe('PONG\n')
  })

  it('asks the running members who there is, as some come and go without the file', async () => {
    const sa = await member({ info: fakeInfo({ id: 4, name: 'sa' }, []) })
    const list = [
      { id: 1, name: 'us', client: '', state: 'active' },
      { id: 2, name: 'eu', client: await deadAddress(), state: 'removed' },
      { id: 4, name: 'sa', client: sa, state: 'active' },
      { id: 5, name: 'af', client: '', state: 'draining' },
    ]
    const own = await startFakeMember({ ...us, list })
    const other = await startFakeMember({ ...eu, list: list.slice(0, 2) })
    running.push(own, other)
    const file = configOfUs(`port: ${own.port}`, [
      `{ id: 2, name: eu, region: eu, host: 127.0.0.1, port: 7102, client-port: ${other.port} }`,
    ])
    const { code, stdout } = await cli('status', '--config', file)
    expect(code).toBe(0)
    expect(stdout).toMatch(/us-region[^]*sa-region/)
    expect(stdout).not.toContain('eu-region')
    expect(stdout).toContain('af was not asked: its address for clients is not known (meridian region set af --client-address')
    const json = JSON.parse((await cli('status', '--json', '--config', file)).stdout) as {
      members: object[]
      withoutAddress: string[]
    }
    expect([json.members.length, json.withoutAddress]).toEqual([2, ['af']])
  })

  it('speaks TLS with a client certificate when the file has only a tls-port', async () => {
    const authority = await createAuthority('test', 10)
    const { certificate, key } = await issueMemberCertificate(authority, { member: 'us', hosts: ['127.0.0.1'], days: 5 })
    const fake = await startFakeMember({ ...us, tls: { cert: certificate, key, ca: authority.certificate } })
    running.push(fake)
    writeFileSync(join(folder, 'ca.crt'), authority.certificate)
    writeFileSync(join(folder, 'us.crt'), certificate)
    writeFileSync(join(folder, 'us.key'), key)
    const file = join(folder, 'tls.yaml')
    const tls = `tls-port: ${fake.port}, tls-cert-file: us.crt, tls-key-file: us.key, tls-ca-cert-file: ca.crt`
    writeFileSync(file, `clients: { port: 0, ${tls} }\n`)
    expect((await cli('status', '--config', file)).code).toBe(0)
    const files = ['--ca-cert', join(folder, 'ca.crt'), '--cert', join(folder, 'us.crt'), '--key', join(folder, 'us.key')]
    expect((await cli('ping', `127.0.0.1:${fake.port}`, ...files)).stdout).toBe('PONG\n')
    expect((await cli('ping', `127.0.0.1:${fake.port}`, '--tls')).code).toBe(2)
  })
})

describe('ping', () => {
  it('tells serving, refusing and silent members apart', async () => {
    expect((await cli('ping', await member({}))).code).toBe(0)
    const loading = await cli('ping', await member({ error: 'LOADING Redis is loading the dataset in memory' }))
    expect(loading).toMatchObject({ code: 1, stderr: 'LOADING Redis is loading the dataset in memory\n' })
    expect((await cli('ping', await member({ password: 'x' }))).code).toBe(1)
    expect((await cli('ping', await deadAddress())).code).toBe(2)
  })
})
