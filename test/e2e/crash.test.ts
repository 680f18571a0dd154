import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { eventually } from './support/eventually.js'
import { RecordedLoad, requireAcknowledged, totals } from './support/recorded-load.js'
import { TestCluster } from './support/test-cluster.js'

let cluster: TestCluster

beforeAll(async () => {
  cluster = await TestCluster.started()
})

afterAll(() => cluster?.dispose())

describe('a region that dies', () => {
  it('has lost nothing acknowledged after kill -9 under load in all regions, and catches up by itself', async () => {
    const loads = cluster.members.map((member) => new RecordedLoad(member, `crash:${member.name}`, 'crash:counter'))
    await delay(800)
    const eu = cluster.member('eu')
    await eu.kill()
    await delay(400)
    await eu.serves(eu.launch())
    // At once, before the others could have sent it back what they had got: its own disk has it.
    await requireAcknowledged(eu, [loads[1]])
    await eu.takesWrites()
    const second = new RecordedLoad(eu, 'crash:eu-again', 'crash:counter')
    await delay(400)
    for (const load of [...loads, second]) await load.stop()
    const all = [...loads, second]
    expect(loads[1].acknowledged.size).toBeGreaterThan(100)
    await cluster.converged(30_000)
    for (const member of cluster.members) await requireAcknowledged(member, all)
    const { acknowledged, attempted } = totals(all)
    const counter = Number(await eu.command('GET', 'crash:counter'))
    expect(counter).toBeGreaterThanOrEqual(acknowledged)
    expect(counter).toBeLessThanOrEqual(attempted)
  }, 60_000)

  it('survives being killed again and again', async () => {
    const ap = cluster.member('ap')
    const steady = new RecordedLoad(cluster.member('us'), 'loop:us', 'loop:counter', 2)
    const loads: RecordedLoad[] = []
    for (let round = 0; round < 3; round++) {
      const load = new RecordedLoad(ap, `loop:ap:${round}`, 'loop:counter')
      loads.push(load)
      await delay(200)
      await ap.kill()
      await load.stop()
      await ap.start()
    }
    await steady.stop()
    await cluster.converged(30_000)
    for (const member of cluster.members) await requireAcknowledged(member, [steady, ...loads])
    const { acknowledged, attempted } = totals([steady, ...loads])
    const counter = Number(await ap.command('GET', 'loop:counter'))
    expect(counter).toBeGreaterThanOrEqual(acknowledged)
    expect(counter).toBeLessThanOrEqual(attempted)
  }, 60_000)

  it('keeps the time to live that was acknowledged', async () => {
    const us = cluster.member('us')
    await us.command('SET', 'ttl:long', 'x', 'EX', '1000')
    await us.command('SET', 'ttl:short', 'x', 'PX', '300')
    await us.kill()
    await us.start()
    expect(Number(await us.command('TTL', 'ttl:long'))).toBeGreaterThan(900)
    await cluster.everywhere(['GET', 'ttl:short'], null)
    await cluster.everywhere(['GET', 'ttl:long'], 'x')
  }, 30_000)
})

describe('a region that is stopped', () => {
  it('keeps its data, and gets what it missed when it comes back', async () => {
    const [us, eu, ap] = cluster.members
    await ap.command('SET', 'stop:before', 'written in ap')
    expect(await ap.stop()).toEqual({ code: 0, signal: null })
    expect(ap.output).toContain('"msg":"stopped"')
    for (let n = 0; n < 300; n++) await us.command('SET', `stop:missed:${n}`, String(n))
    await eu.command('INCRBY', 'stop:counter', '7')
    await ap.start()
    expect(await ap.command('GET', 'stop:before')).toBe('written in ap')
    await cluster.everywhere(['GET', 'stop:missed:299'], '299')
    await cluster.everywhere(['GET', 'stop:counter'], '7')
    await cluster.converged()
  }, 60_000)

  it('finds everything when the whole cluster was stopped', async () => {
    const before = await cluster.member('us').command('DBSIZE')
    await cluster.converged()
    for (const member of cluster.members) expect((await member.stop()).code).toBe(0)
    await Promise.all(cluster.members.map((member) => member.start()))
    for (const member of cluster.members) expect(await member.command('DBSIZE')).toBe(before)
    await cluster.member('eu').command('SET', 'stop:after', 'x')
    await cluster.everywhere(['GET', 'stop:after'], 'x')
    await eventually(() => cluster.converged())
  }, 60_000)
})
