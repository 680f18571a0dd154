import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { loadConfig } from '../../src/config/load.js'
import { eventually } from './support/eventually.js'
import { MemberProcess } from './support/member-process.js'
import { RecordedLoad, requireAcknowledged, totals } from './support/recorded-load.js'
import { makeCertificates, meridian, TestCluster } from './support/test-cluster.js'
import { freePorts } from './support/free-ports.js'

let cluster: TestCluster
const started: MemberProcess[] = []

afterEach(async () => {
  await Promise.all(started.splice(0).map((member) => member.dispose()))
  await cluster.dispose()
})

/** The configuration of a member of a cluster that has only it so far, or of one that joins it. */
async function plan(name: string, id: number, clusterId: string, peer: string | null = null): Promise<MemberProcess> {
  const { folder } = cluster
  const [port, peerPort] = await freePorts(2)
  const certs = `certs-${clusterId}`
  const others =
    peer === null
      ? `members: [{ id: ${id}, name: ${name}, region: ${name}, host: 127.0.0.1, port: ${peerPort} }]`
      : `join: ${peer}`
  const yaml = `cluster: { id: ${clusterId} }
member: { ${peer === null ? `id: ${id}, ` : ''}name: ${name} }
storage: { dir: ${clusterId}-${name}, appendfsync: everysec }
clients: { port: ${port} }
peers:
  bind: 127.0.0.1
  port: ${peerPort}
  tls-cert-file: ${certs}/${name}.crt
  tls-key-file: ${certs}/${name}.key
  tls-ca-cert-file: ${certs}/ca.crt
  ${others}
logging: { level: info, format: json }
`
  const configFile = join(folder, `${clusterId}-${name}.yaml`)
  writeFileSync(configFile, yaml)
  const member = new MemberProcess({ name, id, port, peerPort, configFile, dataFolder: join(folder, `${clusterId}-${name}`) })
  started.push(member)
  return member
}

const at = (member: MemberProcess): string => `127.0.0.1:${member.port}`

describe('a backup', () => {
  it('of three regions under load brings everything back when all of them are gone, and a new cluster grows from it', async () => {
    cluster = await TestCluster.started({ clusterId: 'old' })
    const [us, eu, ap] = cluster.members
    for (const member of cluster.members)
      await eventually(async () => expect(await member.replyOrError('SET', `probe-${member.name}`, '1')).toBe('OK'))
    await us.command('HSET', 'hash', 'a', '1', 'b', '2')
    await eu.command('ZADD', 'zset', '1', 'one', '2', 'two')
    await ap.command('RPUSH', 'list', 'x', 'y')
    await us.command('SADD', 'set', 'gone', 'stays')
    await cluster.everywhere(['SCARD', 'set'], 2)
    await eu.command('SREM', 'set', 'gone')
    // All that is acknowledged before the backup is asked for, and has come over, is in it.
    const before = [us, eu, ap].map((member) => new RecordedLoad(member, `before-${member.name}`, 'before', 2))
    await new Promise((resume) => setTimeout(resume, 400))
    await Promise.all(before.map((load) => load.stop()))
    await cluster.converged()
    const during = [us, eu, ap].map((member) => new RecordedLoad(member, `during-${member.name}`, 'during', 2))
    const file = join(cluster.folder, 'old.mbackup')
    const taken = await meridian('backup', file, '--from', at(eu))
    expect(taken.output).toMatch(
      /backup of everything that eu had is in .*\n.*read again and whole\n {2}SHA-256 [0-9a-f]{64} {2}old\.mbackup/,
    )
    expect(taken.code).toBe(0)
    expect((await meridian('backup', file, '--from', at(eu))).output).toMatch(/MRD_FILE_EXISTS/)
    const total = totals(during)
    await Promise.all(cluster.members.map((member) => member.kill()))
    await Promise.all(during.map((load) => load.stop()))
    expect((await meridian('check', file)).output).toMatch(/member eu \(id 2\) of cluster old[^]*everything is whole/)

    await makeCertificates(join(cluster.folder, 'certs-new'), 'new', ['west', 'us', 'late'])
    const west = await plan('west', 2, 'new')
    const refused = await meridian('restore', file, '--config', eu.plan.configFile)
    expect(refused.output).toMatch(/MRD_RESTORE.*region remove NAME --force.*region add.*--all-regions-lost/)
    const restored = await meridian('restore', file, '--config', west.plan.configFile)
    expect(restored.output).toMatch(/restored [0-9,]+ keys in .*member eu of cluster old/)
    expect((await meridian('restore', file, '--config', west.plan.configFile)).output).toMatch(/not empty.*MRD_RESTORE/)
    await west.start()
    await eventually(async () => expect(await west.replyOrError('SET', 'probe', '1')).toBe('OK'))
    await requireAcknowledged(west, before)
    const sum = totals(before)
    expect(Number(await west.command('GET', 'before'))).toBe(sum.acknowledged)
    expect(Number((await west.command('GET', 'during')) ?? 0)).toBeLessThanOrEqual(total.attempted)
    expect(await west.command('HGETALL', 'hash')).toEqual(['a', '1', 'b', '2'])
    expect(await west.command('ZRANGE', 'zset', '0', '-1', 'WITHSCORES')).toEqual(['one', '1', 'two', '2'])
    expect(await west.command('LRANGE', 'list', '0', '-1')).toEqual(['x', 'y'])
    expect(await west.command('SMEMBERS', 'set')).toEqual(['stays'])
    expect(await west.command('INCRBY', 'before', '5')).toBe(sum.acknowledged + 5)

    // A name that the old cluster had, but none of its ids.
    for (const name of ['us', 'late']) {
      const late = await plan(name, 0, 'new', `127.0.0.1:${west.plan.peerPort}`)
      const added = await meridian('region', 'add', name, '--peer-address', `127.0.0.1:${late.plan.peerPort}`, '--via', at(west))
      expect(added.code).toBe(0)
      await late.start()
      await eventually(async () => expect(await late.replyOrError('SET', `hello-${name}`, '1')).toBe('OK'), 20_000)
    }
    const list = JSON.parse((await meridian('region', 'list', '--json', '--via', at(west))).output) as {
      members: { id: number }[]
    }
    expect(list.members.map(({ id }) => id)).toEqual([2, 4, 5])
    const members = started
    await cluster.converged(20_000, members)
    for (const member of members) expect(await member.command('GET', 'hello-late')).toBe('1')
    await requireAcknowledged(members[2], before)
    await west.stop()
    await west.start()
    await cluster.converged(20_000, members)
  }, 120_000)

  it('that is cut short or changed is refused, by restore and by check', async () => {
    cluster = await TestCluster.create({ names: ['us'], clusterId: 'old' })
    const [us] = cluster.members
    await us.start()
    await eventually(async () => expect(await us.replyOrError('SET', 'k', 'v')).toBe('OK'))
    const file = join(cluster.folder, 'b.mbackup')
    expect((await meridian('backup', file, '--config', us.plan.configFile)).code).toBe(0)
    // Not faster than the rate, and the same in the end.
    await us.command('SET', 'large', 'x'.repeat(1_000_000))
    const slowly = join(cluster.folder, 'slowly.mbackup')
    const startMs = performance.now()
    expect((await meridian('backup', slowly, '--config', us.plan.configFile, '--max-rate', '256kb')).code).toBe(0)
    expect(performance.now() - startMs).toBeGreaterThan(1500)
    expect((await meridian('check', slowly)).output).toMatch(/everything is whole/)
    expect((await meridian('backup', slowly, '--force', '--max-rate', '1kb')).output).toMatch(/max-rate.*65536 bytes or more/)
    const bytes = readFileSync(file)
    bytes[bytes.length >> 1] ^= 1
    const bad = join(cluster.folder, 'bad.mbackup')
    writeFileSync(bad, bytes)
    const flags = ['--dir', join(cluster.folder, 'r'), '--cluster-id', 'n', '--member-id', '1', '--member-name', 'a']
    expect((await meridian('restore', `${bad}x`, ...flags)).output).toMatch(/There is no file .*bad.mbackupx \(MRD_RESTORE\)/)
    expect((await meridian('restore', bad, ...flags)).output).toMatch(/MRD_BACKUP_DAMAGED/)
    writeFileSync(bad, readFileSync(file).subarray(0, 100))
    expect((await meridian('check', bad)).output).toMatch(/MRD_BACKUP_DAMAGED/)
    expect((await meridian('restore', file, ...flags)).code).toBe(0)
    await us.kill()
    // Disaster recovery of the same cluster, into an empty folder.
    const again = ['--config', us.plan.configFile, '--dir', join(cluster.folder, 'us2')]
    expect((await meridian('restore', file, ...again)).code).toBe(1)
    const alone = await meridian('restore', file, ...again, '--all-regions-lost')
    expect(alone.code).toBe(0)
    expect(alone.output).not.toContain('warning')
    us.editConfig((yaml) => yaml.replace('dir: us,', 'dir: us2,'))
    const { peers } = loadConfig(us.plan.configFile)
    expect(peers?.members.map(({ name }) => name)).toEqual(['us'])
    const others = join(cluster.folder, 'others.yaml')
    const more = '  - { id: 7, name: sa, region: sa, zone: sa, host: 127.0.0.1, port: 1 }'
    writeFileSync(others, readFileSync(us.plan.configFile, 'utf8').replace(/^( *)members:\n/m, `$&$1${more}\n`))
    const elsewhere = ['--dir', join(cluster.folder, 'us3'), '--all-regions-lost']
    const warned = await meridian('restore', file, '--config', others, ...elsewhere)
    expect(warned.output).toMatch(
      /warning: peers.members is not the list[^]*\n {2}sa \(id 7\) is in peers.members, and was no member then/,
    )
    await us.start()
    expect(await us.command('GET', 'k')).toBe('v')
    await eventually(async () => expect(await us.replyOrError('INCR', 'n')).toBe(1))
  }, 60_000)
})
