import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { MeridianError } from '../../src/base/errors.js'
import { loadConfig, type ConfigOverride } from '../../src/config/load.js'

const folder = mkdtempSync(join(tmpdir(), 'meridian-config-'))
afterAll(() => rmSync(folder, { recursive: true }))

function file(text: string): string {
  const path = join(folder, 'member.yaml')
  writeFileSync(path, text)
  return path
}

function problemOf(text: string, overrides: ConfigOverride[] = []): MeridianError {
  try {
    loadConfig(file(text), overrides)
  } catch (error) {
    if (error instanceof MeridianError) return error
    throw error
  }
  throw new Error('the configuration was accepted')
}

const PEERS = `
peers:
  port: 7101
  tls-cert-file: certs/us.crt
  tls-key-file: certs/us.key
  tls-ca-cert-file: certs/ca.crt
  members:
    - { id: 2, name: eu, region: eu-west, zone: eu-west-1a, host: eu.example.net, port: 7102, client-port: 6380 }
    - { id: 1, name: us, region: us-east, host: us.example.net, port: 7101 }
`

describe('a member that was added later', () => {
  it('has the address of another one in place of the list', () => {
    const { peers } = loadConfig(file(PEERS.replace(/  members:[^]*/, "  join: '[::1]:7101'\n  start-wait: 500ms\n")))
    expect(peers).toMatchObject({ members: [], join: { host: '::1', port: 7101 }, startWaitMs: 500 })
  })

  it('waits three seconds for another one, unless told otherwise', () => {
    expect(loadConfig(file('member: { id: 1, name: us }\n' + PEERS)).peers).toMatchObject({ join: null, startWaitMs: 3000 })
  })
})

describe('without a file', () => {
  it('is a one-region database on the loopback address', () => {
    const config = loadConfig(null)
    expect(config.file).toBeNull()
    expect(config.peers).toBeNull()
    expect(config.clients).toMatchObject({ bind: ['127.0.0.1'], port: 6379, tls: null, requirepass: '' })
    expect(config.member).toEqual({ id: 1, name: 'local', region: 'local', zone: 'local' })
  })

  it('takes port and folder from flags', () => {
    const config = loadConfig(null, [
      { path: ['clients', 'port'], value: '7009', flag: '--port' },
      { path: ['storage', 'dir'], value: 'here', flag: '--dir' },
    ])
    expect(config.clients.port).toBe(7009)
    expect(config.storage.dir).toBe(resolve('here'))
  })

  it('blames the flag', () => {
    const overrides = [{ path: ['clients', 'port'], value: '70000', flag: '--port' }]
    expect(() => loadConfig(null, overrides)).toThrow(
      /^--port \(clients\.port\): found "70000"; allowed: a whole number from 0 to 65535 \(0 is off\) \(MRD_ARGUMENT\)\./,
    )
  })
})

describe('a file', () => {
  it('converts units, sorts the members and fills in what they say of this one', () => {
    const config = loadConfig(
      file(`
cluster: { id: shop }
member: { id: 1, name: us }
storage: { dir: data }
clients:
  bind: 10.0.0.1 -::1
  timeout: 5m
  proto-max-bulk-len: 64mb
  client-output-buffer-limit: normal 2gb 1mb 10s
memory: { maxmemory: 2gb, maxmemory-clients: 5%, maxmemory-policy: allkeys-lfu, lfu-decay-time: 0 }
${PEERS}`),
    )
    expect(config.member).toEqual({ id: 1, name: 'us', region: 'us-east', zone: 'us-east' })
    expect(config.storage.dir).toBe(join(folder, 'data'))
    expect(config.clients).toMatchObject({
      bind: ['10.0.0.1', '-::1'],
      timeoutMs: 300_000,
      protoMaxBulkLen: 64 * 1024 * 1024,
      outputBufferLimit: { hardBytes: 2 * 1024 ** 3, softBytes: 1024 ** 2, softMs: 10_000 },
    })
    expect(config.memory).toEqual({
      maxmemory: 2 * 1024 ** 3,
      maxmemoryClients: -5,
      evictionPolicy: 'allkeys-lfu',
      evictionSamples: 5,
      evictionTenacity: 10,
      lfuLogFactor: 10,
      lfuDecayMinutes: 0,
    })
    expect(config.peers?.certFile).toBe(join(folder, 'certs/us.crt'))
    expect(config.peers?.members.map((member) => [member.id, member.clientPort])).toEqual([
      [1, null],
      [2, 6380],
    ])
  })

  it('may be empty', () => {
    expect(loadConfig(file('# nothing yet\n')).clients.port).toBe(6379)
  })

  it.each([
    ['clients:\n  prot: 7001\n', ':2:3: clients.prot: is not a known key; did you mean port?'],
    ['clients:\n  tlsPort: 7001\n', ':2:3: clients.tlsPort: is not a known key; did you mean tls-port?'],
    ['client:\n  port: 7001\n', ':1:1: client: is not a known key; did you mean clients?'],
    ['storage:\n  zzzzzzz: 1\n', 'is not a known key; allowed: dir, databases, appendfsync, auto-aof-rewrite-percentage'],
    ['clients:\n  timeout: 300\n', ':2:3: clients.timeout: found 300; allowed: whole seconds with their unit'],
    ['memory:\n  maxmemory: much\n', 'memory.maxmemory: found "much"; allowed: a size from 0'],
    ['memory:\n  maxmemory-policy: lru\n', 'found "lru"; allowed: volatile-lru, volatile-lfu'],
    ['memory:\n  maxmemory-clients: 101%\n', 'found "101%"; allowed: a size such as 256mb, or a percentage of maxmemory'],
    ['memory:\n  maxmemory-samples: 65\n', 'found 65; allowed: a whole number from 1 to 64'],
    ['clients:\n  timeout: 1500ms\n', 'clients.timeout: found "1500ms"; allowed: whole seconds'],
    ['clients:\n  port:\n', 'clients.port: found no value; allowed: a whole number'],
    ['clients: 7\n', ':1:1: clients: found 7; allowed: a section with bind, port'],
    ['storage:\n  appendfsync: sometimes\n', 'found "sometimes"; allowed: always, everysec, no'],
    ['clients:\n  port: 0\n', 'port and tls-port are both 0'],
    ['clients:\n  tls-port: 6380\n', 'clients.tls-cert-file: is missing; allowed: a path, because tls-port needs it'],
    ['clients:\n  port: 7101\nmember: { id: 1, name: us }\n' + PEERS, 'peers.port: found 7101, which is a client port already'],
    ['member: { id: 3, name: us }\n' + PEERS, ':1:11: member.id: found 3, which peers.members does not list; allowed: 2, 1'],
    ['member: { id: 1, name: ap }\n' + PEERS, 'member.name: found ap, but peers.members[1] calls member 1 us'],
    [
      'member: { id: 1, name: us }\n' + PEERS.replace('id: 2', 'id: 1'),
      ':10:9: peers.members[1].id: found 1, which peers.members[0] has already',
    ],
    [
      'member: { id: 1, name: us }\n' + PEERS.replace('port: 7102', 'prot: 7102'),
      'peers.members[0].prot: is not a known key; did you mean port?',
    ],
    ['member: { id: 300 }\n', 'member.id: found 300; allowed: a whole number from 1 to 255'],
    ['peers: { members: [] }\n', 'peers.members: too few entries; allowed: at least 1'],
    ['peers:\n  port: 7101\n', ':1:1: peers.tls-cert-file: is missing; allowed: a path'],
    [
      PEERS.replace(/  members:[^]*/, ''),
      'peers.members: is missing; allowed: a list, or join for a member that was added later',
    ],
    [
      PEERS + '  join: us.example.net:7101\nmember: { id: 1, name: us }\n',
      'peers.join: found beside members; allowed: one of the two',
    ],
    [PEERS.replace(/  members:[^]*/, '  join: nowhere\n'), 'peers.join: found "nowhere"; allowed: host:port'],
    ['clients:\n\tport: 1\n', 'not valid YAML'],
    ['clients:\n  port: 1\n  port: 2\n', ':3:3: not valid YAML: Map keys must be unique'],
    ['- a\n', ':1:1: the file is not a mapping of sections'],
  ])('is refused where it is wrong: %j', (text, expected) => {
    const error = problemOf(text)
    expect(error.code).toBe('MRD_CONFIG')
    expect(error.message).toContain('member.yaml:')
    expect(error.message).toContain(expected)
  })

  it('lists every problem at once', () => {
    const error = problemOf('clients:\n  port: x\n  timeout: y\n')
    expect(error.message).toMatch(/^2 problems in the configuration:\n {2}\S+:2:3: .*\n {2}\S+:3:3: /)
  })

  it('never repeats a password', () => {
    expect(problemOf('clients:\n  requirepass: 123456\n').message).toContain('found a number; allowed: text; put it in quotes')
    expect(problemOf('clients:\n  requirepass: 123456\n').message).not.toContain('123456')
  })

  it('gives way to flags, and blames them', () => {
    const override = { path: ['clients', 'port'], value: 'x', flag: '--port' }
    const error = problemOf('clients:\n  port: 7001\n', [override])
    expect(error.code).toBe('MRD_ARGUMENT')
    expect(loadConfig(file('clients:\n  port: 1\n'), [{ ...override, value: 7001 }]).clients.port).toBe(7001)
  })

  it('that cannot be read is named', () => {
    expect(() => loadConfig(join(folder, 'none.yaml'))).toThrow(/none\.yaml: cannot be read: ENOENT.*\(MRD_CONFIG\)/)
  })
})
