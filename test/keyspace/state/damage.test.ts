import { describe, expect, it } from 'vitest'
import { MeridianError } from '../../../src/base/errors.js'
import { SeededRandom } from '../../differential/seeded-random.js'
import type { EngineHarness } from '../../support/engine-harness.js'
import { randomMesh } from './random-mesh.js'
import { emptyTwin, everythingOf, settleAll, writeAll, type Section } from './state-rig.js'

/** Reads damaged bytes: true when they passed for a state, which then must be one that can be looked at, settled, flushed. */
function passes(member: EngineHarness, section: Section, bytes: Uint8Array): boolean {
  const twin = emptyTwin(member)
  const loader = twin.engine.states.loader()
  try {
    loader.load(section.database, bytes, 0, bytes.length)
    loader.end()
  } catch (error) {
    if (!(error instanceof MeridianError)) throw error
    expect(error.code).toBe('MRD_SNAPSHOT_DAMAGED')
    expect(error.message).toMatch(/at byte \d+/)
    return false
  } finally {
    settleAll(twin)
    everythingOf(twin)
    twin.run('SELECT', String(section.database))
    twin.run('FLUSHDB')
  }
  return true
}

describe('states that are damaged', () => {
  // One member for all: to make one takes longer than to read it.
  const { mesh } = randomMesh(20, 400)
  mesh.deliverAll()
  const [member] = mesh.members
  const { sections } = writeAll(member.engine, 500)

  it('are refused when they are cut off anywhere', () => {
    const random = new SeededRandom(5)
    for (let i = 0; i < 80; i++) {
      const section = random.pick(sections)
      const cut = random.below(section.bytes.length - 1) + 1
      // Between two records of different keys nothing is missed.
      const whole = member.engine.states.loader().wholeRecords(section.bytes, 0, cut)
      const passed = passes(member, section, section.bytes.slice(0, cut))
      if (passed) expect(whole).toBe(cut)
    }
  })

  it('are refused, or pass for other ones, when bytes of them are others', () => {
    const random = new SeededRandom(6)
    let refused = 0
    for (let i = 0; i < 200; i++) {
      const section = random.pick(sections)
      const bytes = section.bytes.slice()
      for (let left = random.between(1, 3); left > 0; left--) {
        const at = random.below(Math.min(bytes.length, 400))
        bytes[at] = random.chance(0.5) ? bytes[at] ^ (1 << random.below(8)) : random.below(256)
      }
      if (!passes(member, section, bytes)) refused++
    }
    expect(refused).toBeGreaterThan(30)
  })
})
