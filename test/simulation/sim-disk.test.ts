import { describe, expect, test } from 'vitest'
import { SeededRandom } from './random.js'
import { Scheduler } from './scheduler.js'
import { Life } from './sim-clock.js'
import { SimDisk } from './sim-disk.js'

const bytes = (text: string): Uint8Array => new Uint8Array(Buffer.from(text))
const text = (data: Uint8Array): string => Buffer.from(data).toString('latin1')

function rig(seed = 1): { scheduler: Scheduler; disk: SimDisk; open: () => ReturnType<SimDisk['port']> } {
  const scheduler = new Scheduler()
  const disk = new SimDisk(scheduler, new SeededRandom(seed))
  return { scheduler, disk, open: () => disk.port(new Life()) }
}

describe('simulated disk', () => {
  test('a power cut keeps what was synced, and of the rest at most a prefix with a torn end', () => {
    const endings = new Set<string>()
    for (let seed = 1; seed <= 60; seed++) {
      const { scheduler, disk, open } = rig(seed)
      const file = open().openAppend('/d/log')
      open().syncFolder('/d')
      file.append(bytes('safe'))
      file.sync(() => {})
      scheduler.runUntil(1000)
      file.append(bytes('unsure'))
      disk.powerCut()
      const left = text(open().readWhole('/d/log'))
      expect(left.startsWith('safe')).toBe(true)
      expect(left.length).toBeLessThanOrEqual(10)
      endings.add(left === 'safe' ? 'lost' : 'safeunsure'.startsWith(left) ? 'prefix' : 'torn')
    }
    expect([...endings].sort()).toEqual(['lost', 'prefix', 'torn'])
  })

  test('a killed process loses nothing that it wrote', () => {
    const { open } = rig()
    open().openAppend('/d/log').append(bytes('cached'))
    expect(text(open().readWhole('/d/log'))).toBe('cached')
  })

  test('a sync covers only what was appended before it was asked for', () => {
    const { scheduler, disk, open } = rig()
    const file = open().openAppend('/d/log')
    open().syncFolder('/d')
    file.append(bytes('one'))
    file.sync(() => {})
    file.append(bytes('two'))
    expect(() => file.sync(() => {})).toThrow(/second sync/)
    scheduler.runUntil(1000)
    expect(disk.find('/d/log')!.synced).toBe(3)
  })

  test('names that were not synced may vanish in a power cut, in order', () => {
    const seen = new Set<string>()
    for (let seed = 1; seed <= 40; seed++) {
      const { disk, open } = rig(seed)
      open().openAppend('/d/a')
      open().openAppend('/d/b')
      disk.powerCut()
      seen.add(open().list('/d').join())
    }
    expect([...seen].sort()).toEqual(['', 'a', 'a,b'])
  })

  test('refuses when it is full or broken, and leaves the file as it was', () => {
    const { disk, open } = rig()
    const file = open().openAppend('/d/log')
    disk.full = true
    expect(() => file.append(bytes('x'))).toThrow(/MRD_DISK_FULL/)
    expect(open().freeBytes('/d')).toBe(0)
    disk.full = false
    disk.failAppends = 1
    expect(() => file.append(bytes('x'))).toThrow(/MRD_DISK_IO/)
    disk.failSyncs = 1
    expect(() => file.syncNow()).toThrow(/MRD_DISK_IO/)
    file.append(bytes('x'))
    expect(file.size).toBe(1)
  })

  test('a dead process neither writes nor hears of its syncs', () => {
    const { scheduler, disk } = rig()
    const life = new Life()
    const file = disk.port(life).openAppend('/d/log')
    let heard = false
    file.append(bytes('x'))
    file.sync(() => (heard = true))
    life.alive = false
    scheduler.runUntil(1000)
    expect(heard).toBe(false)
    expect(() => file.append(bytes('y'))).toThrow(/dead process/)
  })
})
