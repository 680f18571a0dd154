import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { LIMITS } from '../../src/base/limits.js'
import { BrokenDisk } from './support/broken-disk.js'
import { eventually } from './support/eventually.js'
import { RecordedLoad, requireAcknowledged, totals } from './support/recorded-load.js'
import { TestCluster } from './support/test-cluster.js'
import type { Weather } from './support/tcp-proxy.js'

let cluster: TestCluster
let disk: BrokenDisk

beforeAll(async () => {
  cluster = await TestCluster.started({
    proxied: true,
    spawn: (name, folder) => {
      if (name !== 'eu') return {}
      disk = new BrokenDisk(folder)
      return disk.spawn
    },
  })
})

afterAll(() => cluster?.dispose())

function far(weather: Weather): void {
  for (const other of ['us', 'eu']) for (const proxy of cluster.between(other, 'ap')) proxy.become(weather)
}

/** Writes of all members, for a while; then everything is everywhere, and the counter is between what was acknowledged and what was tried. */
async function underLoad(label: string, during: (loads: readonly RecordedLoad[]) => Promise<void>): Promise<void> {
  const loads = cluster.members.map((member) => new RecordedLoad(member, `${label}:${member.name}`, `${label}:counter`, 2))
  await during(loads)
  for (const load of loads) await load.stop()
  await cluster.converged(30_000)
  for (const member of cluster.members) await requireAcknowledged(member, loads)
  const { acknowledged, attempted } = totals(loads)
  const counter = Number(await cluster.members[0].command('GET', `${label}:counter`))
  expect(counter).toBeGreaterThanOrEqual(acknowledged)
  expect(counter).toBeLessThanOrEqual(attempted)
}

describe('a region behind a link of 300 ms with loss', () => {
  it('gets everything, gives everything, and is not taken for dead', async () => {
    const ap = cluster.member('ap')
    const printed = cluster.members.map(({ output }) => output.length)
    far({ delayMs: 150, lossPercent: 2, stallMs: 600 })
    await underLoad('far', async (loads) => {
      await delay(1500)
      cluster.proxy('us', 'ap').reset()
      cluster.proxy('ap', 'eu').reset()
      await delay(1500)
      // Clients of the far region write at its own speed.
      expect(loads[2].acknowledged.size).toBeGreaterThan(100)
      expect(await ap.info('peer0')).toMatch(/rtt_ms=(29[5-9]|[3-9]\d\d|\d{4})/)
    })
    far({})
    cluster.members.forEach(({ output }, i) => expect(output.slice(printed[i])).not.toContain('MRD_PEER_SILENT'))
  }, 60_000)
})

describe('a region at half the speed', () => {
  it('holds up nobody else, costs nobody memory, and catches up by itself', async () => {
    const [us, , ap] = cluster.members
    let most = 0
    await underLoad('half', async (loads) => {
      for (let round = 0; round < 15; round++) {
        ap.running.signal('SIGSTOP')
        await delay(100)
        ap.running.signal('SIGCONT')
        await delay(100)
        most = Math.max(most, Number(await us.info('mem_peer_links')))
      }
      expect(loads[0].acknowledged.size).toBeGreaterThan(loads[2].acknowledged.size)
    })
    expect(most).toBeLessThan(3 * LIMITS.linkBufferedBytes)
  }, 60_000)
})

describe('a region that does not read', () => {
  it('costs the others a bounded buffer; what it lacks comes from the log when it reads again', async () => {
    const [us, eu, ap] = cluster.members
    const client = await us.client()
    const value = 'x'.repeat(100_000)
    await client.command('SET', 'stalled:warm', value)
    ap.running.signal('SIGSTOP')
    let most = 0
    for (let n = 0; n < 40; n++) {
      await Promise.all(Array.from({ length: 10 }, (_, i) => client.command('SET', `stalled:${n % 4}:${i}`, value)))
      most = Math.max(most, Number(await us.info('mem_peer_links')))
    }
    await cluster.everywhere(['EXISTS', 'stalled:3:9'], 1, 15_000, [us, eu])
    expect(most).toBeLessThan(2 * LIMITS.linkBufferedBytes + 1024 * 1024)
    ap.running.signal('SIGCONT')
    await cluster.converged(30_000)
  }, 60_000)
})

describe.runIf(process.platform === 'linux')('a region whose disk fails', () => {
  it('does not say that it has what it has not; the others go on, and it gives what survived when it is started again', async () => {
    const [us, eu, ap] = cluster.members
    const before = new RecordedLoad(eu, 'broken:eu', 'broken:counter', 2)
    await delay(300)
    disk.set({ call: 'sync', path: '/log/', error: 'EIO', times: 1 })
    await eventually(async () => expect(await eu.info('aof_last_write_status')).toBe('err'))
    await before.stop()
    const client = await us.client()
    await client.command('SET', 'broken:later', 'x')
    // Of two others one has it on its disk, and goes on saying so; eu neither applies it nor reports it.
    expect(await client.command('WAITAOF', '1', '2', '1000')).toEqual([1, 1])
    expect(await client.command('WAIT', '2', '200')).toBe(1)
    await cluster.everywhere(['GET', 'broken:later'], 'x', 15_000, [us, ap])
    expect(await eu.command('GET', 'broken:later')).toBe(null)
    expect(await eu.replyOrError('SET', 'small', 'x')).toMatch(/^MISCONF.*MRD_DISK_IO/)
    expect(disk.syncedAgain).toEqual([])
    await eu.kill()
    disk.set()
    await eu.start()
    await cluster.converged(30_000)
    for (const member of cluster.members) await requireAcknowledged(member, [before])
  }, 60_000)

  it('tells nobody of a change of members that it cannot write down, until it can', async () => {
    const [us, eu] = cluster.members
    disk.set({ call: 'sync', path: 'topology', error: 'EIO' })
    const printed = eu.running.output.length
    await us.command('CRDT.TOPOLOGY', 'SET', 'ap', 'zone', 'elsewhere')
    await eu.running.printed(
      /The list of members is not on the disk yet, and is tried again: .*EIO.*MRD_DISK_IO/,
      15_000,
      printed,
    )
    expect(await eu.replyOrError('SET', 'topology:meanwhile', 'x')).toBe('OK')
    disk.set()
    await eventually(async () => {
      await eu.command('SET', 'topology:later', 'x')
      expect(eu.running.output.slice(printed)).toContain('the list of members is on the disk')
    })
    await cluster.converged()
  }, 60_000)
})
