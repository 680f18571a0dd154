import { spawnSync } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { eventually } from './support/eventually.js'
import { SoloRig } from './support/solo-member.js'

const rig = new SoloRig()
const disk = join(rig.folder, 'disk')

/** A small disk of its own; null with the reason when this user may not mount. */
function mountSmallDisk(): string | null {
  mkdirSync(disk)
  const mount = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=80m', 'tmpfs', disk], { encoding: 'utf8' })
  return mount.status === 0 ? null : (mount.error?.message ?? mount.stderr.trim())
}

const cannotMount = mountSmallDisk()
if (cannotMount !== null) console.warn(`SKIPPED: the test of a full disk needs the right to mount a tmpfs (${cannotMount})`)

afterAll(async () => {
  // Lazily: a process that is about to be killed may still have files open there.
  if (cannotMount === null) spawnSync('umount', ['-l', disk])
  await rig.dispose()
})

describe('a full disk', () => {
  it.skipIf(cannotMount !== null)(
    'refuses writes with a clear error, serves reads, loses nothing acknowledged, and takes writes again when there is room',
    async () => {
      const member = await rig.member({ dataFolder: join(disk, 'data') })
      await member.start()
      const client = await member.client()
      const value = 'x'.repeat(1024 * 1024)
      let acknowledged = 0
      let refusal = ''
      while (refusal === '' && acknowledged < 200) {
        const reply = await client.command('SET', `big:${acknowledged}`, value).catch((error: unknown) => error)
        if (reply === 'OK') acknowledged++
        else refusal = String(reply)
      }
      expect(acknowledged).toBeGreaterThan(3)
      expect(acknowledged).toBeLessThan(80)
      expect(refusal).toMatch(/MISCONF.*(disk|room).*/i)
      expect(await client.command('STRLEN', 'big:0')).toBe(value.length)
      expect(await member.replyOrError('SET', 'small', 'x')).toMatch(/MISCONF/)

      await member.kill()
      await member.start()
      expect(await member.command('DBSIZE')).toBe(acknowledged)
      expect(await member.command('STRLEN', `big:${acknowledged - 1}`)).toBe(value.length)
      expect(await member.replyOrError('SET', 'small', 'x')).toMatch(/MISCONF/)

      expect(spawnSync('mount', ['-o', 'remount,size=400m', disk]).status).toBe(0)
      await eventually(async () => expect(await member.replyOrError('SET', 'small', 'x')).toBe('OK'))
      await member.kill()
      await member.start()
      expect(await member.command('GET', 'small')).toBe('x')
    },
    60_000,
  )
})
