import { setTimeout as delay } from 'node:timers/promises'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { checkFolder } from '../../src/node/check-folder.js'
import { RecordedLoad, requireAcknowledged, totals } from './support/recorded-load.js'
import { SoloRig } from './support/solo-member.js'
import { TestCluster } from './support/test-cluster.js'
import type { MemberProcess } from './support/member-process.js'

/** Snapshots without a pause, until told to stop or the member is gone. */
class SnapshotLoop {
  started = 0
  private stopping = false
  private readonly work: Promise<void>

  constructor(member: MemberProcess) {
    this.work = this.run(member)
  }

  async stop(): Promise<void> {
    this.stopping = true
    await this.work
  }

  private async run(member: MemberProcess): Promise<void> {
    while (!this.stopping) {
      const reply = await member.command('BGSAVE').catch(() => null)
      if (reply === 'Background saving started') this.started++
      await delay(5)
    }
  }
}

describe('a member alone', () => {
  const rig = new SoloRig()
  afterAll(() => rig.dispose())

  it('has lost nothing after kill -9 under load with snapshots all the time', async () => {
    const member = await rig.member()
    await member.start()
    const loads: RecordedLoad[] = []
    let snapshots = 0
    for (let round = 0; round < 4; round++) {
      const load = new RecordedLoad(member, `snap:${round}`, 'snap:counter')
      const loop = new SnapshotLoop(member)
      loads.push(load)
      await delay(500)
      await member.kill()
      await Promise.all([load.stop(), loop.stop()])
      snapshots += loop.started
      await member.start()
      await requireAcknowledged(member, loads)
    }
    expect(snapshots).toBeGreaterThan(8)
    const { acknowledged, attempted } = totals(loads)
    const counter = Number(await member.command('GET', 'snap:counter'))
    expect(counter).toBeGreaterThanOrEqual(acknowledged)
    expect(counter).toBeLessThanOrEqual(attempted)
    const before = await member.command('CRDT.DIGEST')
    expect(await member.command('SAVE')).toBe('OK')
    expect(() => checkFolder(member.plan.dataFolder, false)).toThrow(/MRD_DATA_FOLDER_LOCKED/)
    await member.stop()
    expect(checkFolder(member.plan.dataFolder, false).isDamaged).toBe(false)
    expect(readdirSync(join(member.plan.dataFolder, 'snapshot')).length).toBeLessThanOrEqual(2)
    await member.start()
    expect(await member.command('CRDT.DIGEST')).toEqual(before)
  }, 60_000)
})

describe('three regions that are killed in turn, and all at once,', () => {
  let cluster: TestCluster
  beforeAll(async () => {
    cluster = await TestCluster.create()
    // What is in a snapshot and in the others goes from the log at once.
    for (const member of cluster.members)
      member.editConfig((yaml) => yaml.replace('appendfsync: everysec', 'appendfsync: everysec, repl-backlog-size: 1mb'))
    await Promise.all(cluster.members.map((member) => member.start()))
    await cluster.linked()
  })
  afterAll(() => cluster?.dispose())

  it('lose nothing acknowledged under load, while all write snapshots and let their logs go', async () => {
    const { members } = cluster
    const loads: RecordedLoad[] = []
    const value = 'x'.repeat(200_000)
    for (let round = 0; round < 3; round++) {
      const killed = round < 2 ? [members[round]] : members
      const present = members.map((member) => new RecordedLoad(member, `turn:${round}:${member.name}`, 'turn:counter', 2))
      const loops = members.map((member) => new SnapshotLoop(member))
      loads.push(...present)
      for (const [n, member] of members.entries())
        for (let i = 0; i < 4; i++) await member.command('SET', `turn:large:${n}:${i}`, value)
      await delay(200)
      await Promise.all(killed.map((member) => member.kill()))
      await Promise.all([...present, ...loops].map((each) => each.stop()))
      await Promise.all(killed.map((member) => member.start()))
      // Before others could have given it back: what a region acknowledged is on its own disk.
      for (const member of killed) await requireAcknowledged(member, [present[members.indexOf(member)]])
    }
    await cluster.converged(30_000)
    for (const member of members) await requireAcknowledged(member, loads)
    const { acknowledged, attempted } = totals(loads)
    const counter = Number(await members[0].command('GET', 'turn:counter'))
    expect(counter).toBeGreaterThanOrEqual(acknowledged)
    expect(counter).toBeLessThanOrEqual(attempted)
    for (const member of members) {
      expect(member.output).toContain('removed a log segment')
      expect(member.output).toContain('the snapshot is complete')
    }
  }, 120_000)
})

describe('a region of three', () => {
  let cluster: TestCluster
  beforeAll(async () => {
    cluster = await TestCluster.started()
  })
  afterAll(() => cluster?.dispose())

  it('that is killed while it writes snapshots comes back from one, and all converge', async () => {
    const loads = cluster.members.map((member) => new RecordedLoad(member, `mesh:${member.name}`, 'mesh:counter', 2))
    const eu = cluster.member('eu')
    for (let round = 0; round < 2; round++) {
      const loop = new SnapshotLoop(eu)
      await delay(500)
      await eu.kill()
      await loop.stop()
      await eu.start()
    }
    for (const load of loads) await load.stop()
    await cluster.converged(30_000)
    for (const member of cluster.members) await requireAcknowledged(member, loads)
    expect(String(await eu.command('INFO', 'persistence'))).toContain('rdb_last_bgsave_status:ok')
  }, 60_000)
})
