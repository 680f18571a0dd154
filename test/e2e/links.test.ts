import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { eventually } from './support/eventually.js'
import { linkUp, TestCluster } from './support/test-cluster.js'
import type { ProxyMode } from './support/tcp-proxy.js'

let cluster: TestCluster

beforeAll(async () => {
  cluster = await TestCluster.started({ proxied: true })
})

afterAll(() => cluster?.dispose())

function set(mode: ProxyMode, ...pairs: (readonly [string, string])[]): void {
  for (const [a, b] of pairs) for (const proxy of cluster.between(a, b)) proxy.set(mode)
}

/** Cuts one member off from both others. */
const AP_LINKS = [
  ['us', 'ap'],
  ['eu', 'ap'],
] as const

async function heal(): Promise<void> {
  set('pass', ['us', 'eu'], ...AP_LINKS)
  await cluster.converged(30_000)
  // Members converge through others too: the next case begins with every link up.
  await eventually(async () => {
    for (const member of cluster.members) {
      const links = String(await member.command('INFO', 'peers')).match(/link=[a-z-]+/g)
      expect([member.name, links]).toEqual([member.name, ['link=up', 'link=up']])
    }
  }, 30_000)
}

describe('links between regions', () => {
  it('are relayed around when one is broken, both ways, and used again when it heals', async () => {
    const [us, eu] = cluster.members
    set('cut', ['us', 'eu'])
    await us.command('SET', 'relay:us', 'from us')
    await eu.command('SET', 'relay:eu', 'from eu')
    await cluster.everywhere(['GET', 'relay:us'], 'from us')
    await cluster.everywhere(['GET', 'relay:eu'], 'from eu')
    const printed = us.running.output.length
    await heal()
    await us.running.printed(linkUp('eu'), 20_000, printed)
    // Without the relay there is only the healed link.
    set('cut', ...AP_LINKS)
    await us.command('SET', 'relay:direct', 'x')
    await cluster.everywhere(['GET', 'relay:direct'], 'x', 15_000, [us, eu])
    await heal()
  }, 60_000)

  it('are relayed around when only one direction can be dialled', async () => {
    const [us, eu] = cluster.members
    cluster.proxy('us', 'eu').set('cut')
    await eu.command('SET', 'oneway:eu', 'x')
    await us.command('SET', 'oneway:us', 'x')
    await cluster.everywhere(['GET', 'oneway:eu'], 'x')
    await cluster.everywhere(['GET', 'oneway:us'], 'x')
    await heal()
  }, 60_000)

  it('let a region that was cut off go on taking writes, and merge both sides afterwards', async () => {
    const [us, eu, ap] = cluster.members
    await us.command('SET', 'split:counter', '10')
    await us.command('SET', 'split:value', 'before')
    await cluster.everywhere(['GET', 'split:value'], 'before')
    set('cut', ...AP_LINKS)
    await ap.command('INCRBY', 'split:counter', '5')
    await us.command('INCRBY', 'split:counter', '3')
    await eu.command('INCRBY', 'split:counter', '2')
    await ap.command('SET', 'split:ap', 'written alone')
    await eu.command('DEL', 'split:value')
    await cluster.everywhere(['GET', 'split:counter'], '15', 15_000, [us, eu])
    expect(await ap.command('GET', 'split:counter')).toBe('15')
    expect(await ap.command('GET', 'split:value')).toBe('before')
    expect(await us.command('GET', 'split:ap')).toBe(null)
    // What it wrote alone also outlives its death before anybody got it.
    await ap.kill()
    await ap.start()
    await heal()
    await cluster.everywhere(['GET', 'split:counter'], '20')
    await cluster.everywhere(['GET', 'split:ap'], 'written alone')
    await cluster.everywhere(['GET', 'split:value'], null)
  }, 60_000)

  it('that have gone silent without being closed are noticed, and heal', async () => {
    const [us, , ap] = cluster.members
    set('silent', ...AP_LINKS)
    await us.command('SET', 'silent:us', 'x')
    await ap.command('SET', 'silent:ap', 'x')
    await us.running.printed(/MRD_PEER_SILENT.*Nothing from ap for \d+ ms/, 15_000)
    expect(await ap.command('GET', 'silent:us')).toBe(null)
    await heal()
    await cluster.everywhere(['GET', 'silent:us'], 'x')
    await cluster.everywhere(['GET', 'silent:ap'], 'x')
  }, 60_000)

  it('may be slow', async () => {
    const [us, , ap] = cluster.members
    const slowMs = 150
    for (const [a, b] of AP_LINKS) for (const proxy of cluster.between(a, b)) proxy.become({ delayMs: slowMs })
    const client = await us.client()
    await Promise.all(Array.from({ length: 500 }, (_, n) => client.command('SET', `slow:${n}`, 'x'.repeat(1000))))
    await client.command('SET', 'slow:last', 'x')
    const startMs = performance.now()
    await cluster.everywhere(['GET', 'slow:last'], 'x', 15_000, [ap])
    expect(performance.now() - startMs).toBeGreaterThan(slowMs / 2)
    for (const [a, b] of AP_LINKS) for (const proxy of cluster.between(a, b)) proxy.become({})
    await cluster.converged()
  }, 60_000)

  it('may break again and again under load', async () => {
    const [us, eu, ap] = cluster.members
    const clients = await Promise.all([us, eu, ap].map((member) => member.client()))
    let stop = false
    const written = [0, 0, 0]
    const writing = clients.map(async (client, i) => {
      while (!stop) {
        await client.command('INCR', 'flap:counter')
        written[i]++
      }
    })
    for (let round = 0; round < 4; round++) {
      set('cut', ['us', 'eu'])
      await delay(100)
      set('pass', ['us', 'eu'])
      set('cut', ['eu', 'ap'])
      await delay(100)
      set('pass', ['eu', 'ap'])
    }
    stop = true
    await Promise.all(writing)
    await cluster.everywhere(['GET', 'flap:counter'], String(written[0] + written[1] + written[2]), 30_000)
    await cluster.converged()
  }, 60_000)
})
