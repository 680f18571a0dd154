import type { MemorySettings } from '../../src/engine/eviction/memory-bound.js'
import { SeededRandom } from '../simulation/random.js'
import { EngineHarness, type HarnessOptions } from './engine-harness.js'

/** A harness whose engine draws from a seed; the bound is set by `bound`. */
export function seededHarness(seed: number, options: HarnessOptions = {}, clock?: EngineHarness['clock']): EngineHarness {
  const harness = new EngineHarness(options, clock)
  const random = new SeededRandom(seed)
  Object.assign(harness.services.server, { random: () => random.uint32() })
  return harness
}

export function bound(harness: EngineHarness, settings: Partial<MemorySettings>): void {
  harness.engine.memory.configure({
    maxmemory: 0,
    evictionPolicy: 'noeviction',
    evictionSamples: 5,
    evictionTenacity: 10,
    lfuLogFactor: 10,
    lfuDecayMinutes: 1,
    ...settings,
  })
}

/** Sets maxmemory so that so many bytes more may be used. */
export function boundWithRoom(harness: EngineHarness, bytes: number, settings: Partial<MemorySettings> = {}): number {
  const maxmemory = harness.engine.memory.countedBytes + bytes
  bound(harness, { ...settings, maxmemory })
  return maxmemory
}
