import { rmSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { afterEach, describe, expect, it } from 'vitest'
import { eventually } from './support/eventually.js'
import type { MemberProcess } from './support/member-process.js'
import { RecordedLoad, requireAcknowledged } from './support/recorded-load.js'
import { addRegion } from './support/regions.js'
import { meridian, TestCluster } from './support/test-cluster.js'

const KEYS = 8000
/** Keys that are written again, and others that go, while a region is away. */
const CHANGED = 80
const TRANSFER_MS = 60_000

let cluster: TestCluster
const added: MemberProcess[] = []

afterEach(async () => {
  await Promise.all(added.splice(0).map((member) => member.dispose()))
  await cluster.dispose()
})

/** Sends commands all together. */
async function run(member: MemberProcess, commands: readonly (readonly string[])[]): Promise<unknown[]> {
  const client = await member.client()
  const replies: unknown[] = []
  for (let i = 0; i < commands.length; i += 1000)
    replies.push(...(await Promise.all(commands.slice(i, i + 1000).map((command) => client.command(...command)))))
  client.close()
  return replies
}

function times(count: number, command: (i: number) => readonly string[]): (readonly string[])[] {
  return Array.from({ length: count }, (_, i) => command(i))
}

async function numberOf(member: MemberProcess, field: string): Promise<number> {
  return Number(await member.info(field))
}

async function snapshotWritten(member: MemberProcess): Promise<void> {
  await member.command('BGSAVE')
  await eventually(async () => expect(String(await member.command('INFO', 'persistence'))).toContain('rdb_bgsave_in_progress:0'))
}

/** Makes a member let go of everything that its log has now. */
async function trimLog(member: MemberProcess): Promise<void> {
  const end = await numberOf(member, 'master_repl_offset')
  await member.command('CONFIG', 'SET', 'repl-backlog-size', '0')
  await eventually(
    async () => {
      await run(member, [['SET', `trim:${member.name}`, String(performance.now())]])
      await snapshotWritten(member)
      expect(await numberOf(member, 'repl_backlog_first_byte_offset')).toBeGreaterThan(end)
    },
    20_000,
    100,
  )
}

/** Three regions with data of every type, of which the third is down. */
async function withoutAp(): Promise<readonly [us: MemberProcess, eu: MemberProcess, ap: MemberProcess]> {
  cluster = await TestCluster.started()
  const [us, eu, ap] = cluster.members
  const value = 'v'.repeat(120)
  await run(us, [
    ...times(KEYS, (i) => ['SET', `key:${i}`, value]),
    ...times(CHANGED, (i) => ['SET', `due:${i}`, value, 'PX', '3000']),
    ...times(50, (i) => ['HSET', `hash:${i}`, 'a', '1', 'b', '2']),
    ...times(300, (i) => ['SADD', 'set', `member:${i}`]),
    ...times(300, (i) => ['ZADD', 'zset', String(i), `member:${i}`]),
    ...times(300, (i) => ['RPUSH', 'list', `element:${i}`]),
    ...times(300, (i) => ['XADD', 'stream', '*', 'field', String(i)]),
    ['INCRBY', 'counter', '10'],
  ])
  await run(ap, [
    ['INCRBY', 'counter', '5'],
    ['PFADD', 'hll', 'a', 'b', 'c'],
    ['SET', 'from', 'ap'],
  ])
  await cluster.converged()
  await ap.stop()
  return [us, eu, ap]
}

/** What two regions change while the third is away; then their logs do not reach back to where it was. */
async function goOn(us: MemberProcess, eu: MemberProcess): Promise<void> {
  await run(us, [
    ...times(CHANGED, (i) => ['SET', `key:${i}`, `changed ${i}`]),
    ...times(CHANGED, (i) => ['DEL', `key:${1000 + i}`]),
    ['HDEL', 'hash:3', 'a'],
    ['DEL', 'hash:4', 'list'],
    ['INCRBY', 'counter', '100'],
  ])
  await run(eu, [
    ...times(CHANGED, (i) => ['SET', `new:${i}`, `made ${i}`]),
    ['SREM', 'set', 'member:7'],
    ['ZADD', 'zset', '-1', 'member:7'],
    ['SET', 'set2', 'x', 'EX', '1000'],
    ['INCRBY', 'counter', '1000'],
  ])
  await cluster.everywhere(['EXISTS', 'due:0'], 0, 15_000, [us, eu])
  await cluster.converged(20_000, [us, eu])
  await trimLog(us)
  await trimLog(eu)
}

describe('a region that was away until the logs of the others did not reach back', () => {
  it('takes only what differs from one of them, while they go on, and nothing that was deleted comes back', async () => {
    const [us, eu, ap] = await withoutAp()
    await goOn(us, eu)
    const loads = [new RecordedLoad(us, 'load:us', 'counted', 2), new RecordedLoad(eu, 'load:eu', 'counted', 2)]
    await ap.start(TRANSFER_MS)
    loads.push(new RecordedLoad(ap, 'load:ap', 'counted', 2))
    await delay(300)
    for (const load of loads) await load.stop()
    await cluster.converged(TRANSFER_MS)

    expect(await ap.info('sync_state')).toBe('none')
    expect(await ap.info('sync_completed')).toBe('1')
    const received = await numberOf(ap, 'sync_last_bytes_received')
    const data = await numberOf(ap, 'sync_last_snapshot_bytes')
    expect(data).toBeGreaterThan(KEYS * 120)
    // What the load has written by then differs too; but no value that is the same is sent.
    expect(received).toBeLessThan(data - (KEYS - 2 * CHANGED) * 120)
    const sent = (await numberOf(us, 'sync_bytes_sent')) + (await numberOf(eu, 'sync_bytes_sent'))
    expect(sent).toBe(received)

    expect(
      await run(ap, [
        ['GET', 'key:7'],
        ['GET', 'new:7'],
        ['EXISTS', 'key:1007', 'due:7', 'hash:4', 'list'],
      ]),
    ).toEqual(['changed 7', 'made 7', 0])
    expect(
      await run(ap, [
        ['HGETALL', 'hash:3'],
        ['ZSCORE', 'zset', 'member:7'],
        ['SISMEMBER', 'set', 'member:7'],
      ]),
    ).toEqual([['b', '2'], '-1', 0])
    expect(await ap.command('GET', 'counter')).toBe('1115')
    for (const member of cluster.members) await requireAcknowledged(member, loads)
    // Its own writes reach the others as ever, and a start finds what it took.
    await ap.command('INCRBY', 'counter', '1')
    await cluster.everywhere(['GET', 'counter'], '1116')
    await ap.kill()
    await ap.start()
    expect(await ap.command('GET', 'key:7')).toBe('changed 7')
    await cluster.converged()
  }, 120_000)

  it('gets there when it is killed in the middle, and then its source; reads are answered meanwhile, writes refused', async () => {
    const [us, eu, ap] = await withoutAp()
    await run(
      us,
      times(KEYS, (i) => ['SET', `key:${i}`, `again ${i} ${'w'.repeat(100)}`]),
    )
    await goOn(us, eu)
    for (const member of [us, eu]) await member.command('CONFIG', 'SET', 'sync-max-rate', '150kb')
    const reaches = (percent: number): Promise<void> =>
      eventually(
        async () => {
          expect(await ap.info('sync_state')).toBe('fetching')
          expect(await numberOf(ap, 'sync_perc')).toBeGreaterThan(percent)
        },
        TRANSFER_MS,
        20,
      )
    await ap.serves(ap.launch())
    await reaches(15)
    expect(await ap.replyOrError('SET', 'x', '1')).toMatch(
      /^LOADING This member takes the state of another one, because what it lacks is in no log any more/,
    )
    expect(['v'.repeat(120), `again 5000 ${'w'.repeat(100)}`]).toContain(await ap.command('GET', 'key:5000'))
    await ap.kill()

    await ap.serves(ap.launch())
    await reaches(10)
    await ap.command('CONFIG', 'SET', 'replica-serve-stale-data', 'no')
    expect(await ap.replyOrError('GET', 'key:5000')).toMatch(
      /^MASTERDOWN This member takes the state of another one.*replica-serve-stale-data is set to 'no'$/,
    )
    expect(await ap.command('PING')).toBe('PONG')
    await ap.command('CONFIG', 'SET', 'replica-serve-stale-data', 'yes')
    const status = await meridian('status', ...cluster.members.map(({ port }) => `127.0.0.1:${port}`))
    expect(status.code).toBe(1)
    expect(status.output).toMatch(
      /ap: takes no writes: it takes the state of (us|eu): \d+ %, .* of what differs in .*, about \d+ s to go/,
    )
    expect(status.output).toMatch(/(us|eu): sends its state to ap: \d+ %, .*, about \d+ s to go/)

    const sourceName = await ap.info('sync_source')
    const source = cluster.member(sourceName)
    const other = source === us ? eu : us
    await source.kill()
    await eventually(async () => expect(await ap.info('sync_source')).toBe(other.name), TRANSFER_MS, 20)
    await reaches(10)
    await source.start()
    await source.command('INCRBY', 'counter', '10000')
    for (const member of [us, eu]) await member.command('CONFIG', 'SET', 'sync-max-rate', '0')
    await ap.takesWrites(TRANSFER_MS)
    await cluster.converged(TRANSFER_MS)
    expect(
      await run(ap, [
        ['GET', 'counter'],
        ['EXISTS', 'key:1007', 'list', 'due:1'],
        ['GET', 'new:3'],
      ]),
    ).toEqual(['11115', 0, 'made 3'])
    expect(ap.output).toContain('the transfer of a snapshot was cut')
  }, 150_000)

  it('and one that is new, and one whose disk was lost, take the state of the others at the same time', async () => {
    const [us, eu, ap] = await withoutAp()
    await goOn(us, eu)
    rmSync(ap.plan.dataFolder, { recursive: true })
    for (const member of [us, eu]) await member.command('CONFIG', 'SET', 'sync-max-rate', '300kb')
    const sa = await addRegion(cluster, 'sa', eu)
    added.push(sa)
    await Promise.all([ap, sa].map((member) => member.serves(member.launch())))
    let most = 0
    await eventually(
      async () => {
        const [fromUs, fromEu] = [await numberOf(us, 'sync_receivers'), await numberOf(eu, 'sync_receivers')]
        most = Math.max(most, fromUs + fromEu)
        expect(most).toBe(2)
      },
      TRANSFER_MS,
      10,
    )
    expect(await sa.replyOrError('SET', 'x', '1')).toMatch(/^LOADING /)
    await run(us, [
      ['SET', 'while', 'two are served'],
      ['DEL', 'key:2000'],
    ])
    for (const member of [us, eu]) await member.command('CONFIG', 'SET', 'sync-max-rate', '0')
    for (const member of [ap, sa]) await member.takesWrites(TRANSFER_MS)
    await sa.command('INCRBY', 'counter', '1')
    await ap.command('INCRBY', 'counter', '1')
    const all = [us, eu, ap, sa]
    await cluster.converged(TRANSFER_MS, all)
    await cluster.everywhere(['GET', 'counter'], '1117', 15_000, all)
    await cluster.everywhere(['GET', 'while'], 'two are served', 15_000, all)
    await cluster.everywhere(['EXISTS', 'key:2000', 'key:1001', 'due:2'], 0, 15_000, all)
    await cluster.everywhere(['GET', 'from'], 'ap', 15_000, all)
  }, 120_000)
})
