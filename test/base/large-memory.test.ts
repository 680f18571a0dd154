import { constants, PerformanceObserver } from 'node:perf_hooks'
import { setTimeout as delay } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { allocateBuffer, allocateBytes } from '../../src/base/bytes.js'
import {
  allocateLazily,
  allocateMemory,
  beginCollection,
  isAlone,
  releasedMemory,
  useYoungCollection,
} from '../../src/base/large-memory.js'
import { exposeYoungCollection } from '../../src/platform/young-collection.js'

const MIB = 1024 * 1024

describe('large memory', () => {
  it('is not in the account that makes V8 collect garbage', () => {
    const before = process.memoryUsage().external
    const data = allocateMemory(200 * MIB)
    const bytes = allocateBytes(4 * MIB)
    const buffer = allocateBuffer(4 * MIB)
    expect(process.memoryUsage().external - before).toBeLessThan(MIB)
    expect([data.byteLength, bytes.length, buffer.length]).toEqual([200 * MIB, 4 * MIB, 4 * MIB])
  })

  it('of a small buffer is ordinary memory', () => {
    expect(allocateBytes(1000).buffer).toBeInstanceOf(ArrayBuffer)
    expect(allocateBuffer(1000)).toHaveLength(1000)
  })

  it('of tens of megabytes is not cleared before it is touched', () => {
    const bytes = allocateLazily(20 * MIB)
    expect(bytes).toHaveLength(20 * MIB)
    expect(bytes.buffer.byteLength).toBeGreaterThan(32 * MIB)
    expect(allocateLazily(40 * MIB).buffer.byteLength).toBe(40 * MIB)
  })

  it('knows what was allocated for nothing else', () => {
    for (const size of [1000, MIB, 20 * MIB, 40 * MIB]) {
      expect(isAlone(allocateLazily(size))).toBe(true)
      expect(isAlone(allocateLazily(size).subarray(1))).toBe(false)
      expect(isAlone(allocateLazily(size).subarray(0, size / 2))).toBe(false)
    }
    expect(isAlone(allocateBytes(1000))).toBe(true)
  })

  it('that is dropped makes V8 begin a collection when it is much, and not before', async () => {
    const first = await collectionsBegunBy(() => releasedMemory(30 * MIB))
    const second = await collectionsBegunBy(() => releasedMemory(30 * MIB))
    const third = await collectionsBegunBy(() => releasedMemory(30 * MIB))
    expect([first, second, third].filter((begun) => begun > 0)).toHaveLength(1)
  })

  it('in buffers makes V8 begin one without anybody saying that they were dropped', async () => {
    expect(await collectionsBegunBy(() => Array.from({ length: 64 }, () => allocateBytes(MIB).length))).toBeGreaterThan(0)
  })

  it('makes V8 begin one when it is asked to', async () => {
    expect(await collectionsBegunBy(beginCollection)).toBeGreaterThan(0)
  })

  it('keeps nothing of what it shows to V8 for that', async () => {
    useYoungCollection(exposeYoungCollection())
    const before = process.memoryUsage().arrayBuffers
    await collectionsBegunBy(beginCollection)
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(MIB)
  })
})

async function collectionsBegunBy(action: () => unknown): Promise<number> {
  let begun = 0
  const observer = new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) {
      const { kind } = (entry as { detail?: { kind?: number } }).detail ?? {}
      if (kind === constants.NODE_PERFORMANCE_GC_INCREMENTAL) begun++
    }
  })
  observer.observe({ entryTypes: ['gc'] })
  action()
  await delay(100)
  observer.disconnect()
  return begun
}
