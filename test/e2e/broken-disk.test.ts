import { setTimeout as delay } from 'node:timers/promises'
import { afterEach, describe, expect, it } from 'vitest'
import { BrokenDisk } from './support/broken-disk.js'
import { eventually } from './support/eventually.js'
import type { MemberProcess } from './support/member-process.js'
import { RecordedLoad, requireAcknowledged } from './support/recorded-load.js'
import { SoloRig } from './support/solo-member.js'

let rig: SoloRig
let disk: BrokenDisk

afterEach(() => rig.dispose())

async function start(appendfsync: string): Promise<MemberProcess> {
  rig = new SoloRig()
  disk = new BrokenDisk(rig.folder)
  const member = await rig.member({ spawn: disk.spawn, appendfsync })
  await member.start()
  return member
}

/** Kills the process, mends the disk and looks whether everything that was acknowledged is there. */
async function restartAndFind(member: MemberProcess, load: RecordedLoad): Promise<void> {
  await member.kill()
  disk.set()
  await member.start()
  await requireAcknowledged(member, [load])
  expect(await member.replyOrError('SET', 'after', 'x')).toBe('OK')
}

describe.runIf(process.platform === 'linux')('a failed sync of the log', () => {
  it.each(['always', 'everysec', 'no'])(
    'is final: writes are refused, reads go on, it is said, and nothing acknowledged is lost (appendfsync %s)',
    async (appendfsync) => {
      const member = await start(appendfsync)
      const load = new RecordedLoad(member, 'sync', 'counter', 2)
      await delay(200)
      // Once: asked again the disk would say that all is well, as kernels do that have forgotten what they could not write.
      disk.set({ call: 'sync', path: '/log/', error: 'EIO', times: 1 })
      // Left to the operating system the log is synced by nobody else: a snapshot is complete when the log is durable.
      if (appendfsync === 'no') await member.command('BGSAVE')
      await eventually(async () => expect(await member.info('aof_last_write_status')).toBe('err'))
      await load.stop()
      expect(load.acknowledged.size).toBeGreaterThan(10)
      const refused = await member.replyOrError('SET', 'small', 'x')
      expect(refused).toMatch(/^MISCONF Writes are refused: Sync of .*\.mlog failed: .*EIO.*\(MRD_DISK_IO\)/)
      expect(await member.info('log_last_error')).toContain('MRD_DISK_IO')
      expect(member.output).toMatch(/"level":"error".*"code":"MRD_DISK_IO".*Sync of .*\.mlog failed/)
      const [key, value] = [...load.acknowledged][0]
      expect(await member.command('GET', key)).toBe(value)
      // Neither time nor a snapshot heals it: only a start does, which reads what is really there.
      await member.replyOrError('BGSAVE')
      await delay(1200)
      expect(await member.replyOrError('SET', 'small', 'x')).toBe(refused)
      expect(await member.info('rdb_last_bgsave_status')).toBe('err')
      expect(disk.syncedAgain).toEqual([])
      await restartAndFind(member, load)
    },
    30_000,
  )
})

describe.runIf(process.platform === 'linux')('a disk that refuses to write', () => {
  it('stops writes until it takes them again; no reply is sent for what it has not taken', async () => {
    const member = await start('everysec')
    const load = new RecordedLoad(member, 'write', 'counter', 2)
    await delay(200)
    disk.set({ call: 'write', path: '/log/', error: 'EIO' }, { call: 'cut', path: '/log/', error: 'EIO' })
    await eventually(async () => expect(await member.info('aof_last_write_status')).toBe('err'))
    expect(await member.replyOrError('SET', 'small', 'x')).toMatch(/^MISCONF.*append to .*EIO.*MRD_DISK_IO/)
    const atError = load.acknowledged.size
    await delay(300)
    expect(load.acknowledged.size - atError).toBeLessThanOrEqual(2)
    disk.set()
    await eventually(async () => expect(await member.replyOrError('SET', 'small', 'x')).toBe('OK'))
    expect(await member.info('aof_last_write_status')).toBe('ok')
    await load.stop()
    await restartAndFind(member, load)
  }, 30_000)
})

describe.runIf(process.platform === 'linux')('a snapshot', () => {
  it('that fails is given up and told, writes go on, and the next one is another file', async () => {
    const member = await start('everysec')
    const load = new RecordedLoad(member, 'snap', 'counter', 2)
    await delay(100)
    for (const call of ['write', 'sync'] as const) {
      disk.set({ call, path: '/snapshot/', error: 'EIO', times: 1 })
      await member.command('BGSAVE')
      await eventually(async () => expect(await member.info('rdb_last_bgsave_status')).toBe('err'))
      expect(await member.info('snapshot_last_error')).toContain('EIO')
      expect(await member.replyOrError('SET', 'small', 'x')).toBe('OK')
      disk.set()
      await member.command('BGSAVE')
      await eventually(async () => expect(await member.info('rdb_last_bgsave_status')).toBe('ok'))
    }
    await load.stop()
    await restartAndFind(member, load)
  }, 30_000)
})

describe.runIf(process.platform === 'linux')('a slow disk', () => {
  it('is said and counted; with everysec nobody waits for it', async () => {
    const member = await start('everysec')
    disk.set({ call: 'sync', path: '/log/', delayMs: 1600 })
    const load = new RecordedLoad(member, 'slow', 'counter', 2)
    // All of one moment: a sync ends, and another one begins, while a busy machine keeps this process waiting.
    await eventually(async () => {
      const info = String(await member.command('INFO', 'persistence'))
      const field = (name: string): number => Number(new RegExp(`^${name}:(\\d+)`, 'm').exec(info)?.[1])
      expect(field('aof_current_fsync_ms')).toBeGreaterThan(900)
      expect(field('aof_delayed_fsync')).toBeGreaterThan(0)
      expect(field('aof_pending_bio_fsync')).toBe(1)
    })
    const before = load.acknowledged.size
    await delay(300)
    expect(load.acknowledged.size).toBeGreaterThan(before + 50)
    expect(Number(await member.info('mem_aof_buffer'))).toBe(0)
    await member.running.printed(/"level":"warn".*the disk is slow/)
    await load.stop()
    await restartAndFind(member, load)
  }, 30_000)

  it('holds every reply with appendfsync always, and answers reads at once', async () => {
    const member = await start('always')
    disk.set({ call: 'sync', path: '/log/', delayMs: 300 })
    const [writer, reader] = [await member.client(), await member.client()]
    const started = performance.now()
    const writing = writer.command('SET', 'key', 'x').then(() => performance.now() - started)
    await delay(50)
    expect(await reader.command('GET', 'key')).toBe('x')
    expect(performance.now() - started).toBeLessThan(290)
    expect(await writing).toBeGreaterThan(280)
  }, 30_000)
})
