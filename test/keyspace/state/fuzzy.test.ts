import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { EVERYTHING_STABLE, type Stability } from '../../../src/crdt/apply-context.js'
import { SeededRandom } from '../../differential/seeded-random.js'
import { EngineHarness } from '../../support/engine-harness.js'
import { FAMILIES, RandomCommands, type Family } from './random-commands.js'
import { randomMesh } from './random-mesh.js'
import { emptyTwin, everythingOf, frozen, loadAll, runRandom, settleAll, writeAll, type Written } from './state-rig.js'

/**
 * A member that starts from what was written and reads the log from where that began. Until it has passed where the writing ended, no more is stable than was
 * while it was written: the snapshot says so.
 */
function restarted(member: EngineHarness, written: Written, from: number, end: number, held: Stability): EngineHarness {
  const twin = emptyTwin(member)
  twin.engine.keyspace.stability = held
  loadAll(twin.engine, written)
  for (const frame of member.log.frames.slice(0, from)) twin.engine.applied.raise(frame.origin, frame.last)
  for (const frame of member.log.frames.slice(from, end)) twin.engine.replay.apply(frame)
  twin.engine.keyspace.stability = member.engine.keyspace.stability
  for (const frame of member.log.frames.slice(end)) twin.engine.replay.apply(frame)
  return twin
}

/** Commands of every family, or of one: then there is more of each. */
function someFamilies(random: SeededRandom): readonly Family[] {
  return random.chance(0.5) ? FAMILIES : [random.pick(FAMILIES)]
}

function expectSame(twin: EngineHarness, member: EngineHarness): void {
  settleAll(twin)
  settleAll(member)
  expect(everythingOf(twin)).toEqual(everythingOf(member))
}

describe('a member that is written while it changes', () => {
  it('is what it was after the log from the beginning of that has been read, among others', () => {
    fc.assert(
      fc.property(fc.integer(), fc.integer({ min: 20, max: 200 }), fc.integer({ min: 0, max: 2 }), (seed, steps, pace) => {
        const random = new SeededRandom(seed ^ 0x55)
        const { mesh, play } = randomMesh(seed, steps, someFamilies(random))
        const member = mesh.members[seed & 1]
        member.engine.keyspace.stability = frozen(member)
        const from = member.log.frames.length
        const written = writeAll(member.engine, random.pick([1, 100, 2000]), () => play(random.below([2, 4, 12][pace])))
        const end = member.log.frames.length
        play(random.below(20))
        const twin = restarted(member, written, from, end, member.engine.keyspace.stability)
        expectSame(twin, member)
        member.engine.keyspace.stability = EVERYTHING_STABLE
        twin.engine.keyspace.stability = EVERYTHING_STABLE
        expectSame(twin, member)
      }),
      { numRuns: 12 },
    )
  })

  it('is what it was after the log from the beginning of that has been read, alone', () => {
    fc.assert(
      fc.property(fc.integer(), fc.integer({ min: 20, max: 200 }), fc.boolean(), (seed, steps, isFrozen) => {
        const random = new SeededRandom(seed)
        const member = new EngineHarness({ self: 1, solo: true })
        const commands = new RandomCommands(random, () => member.clock.now, someFamilies(random))
        const play = (count: number) => {
          for (let i = 0; i < count; i++) {
            if (random.below(10) === 0) member.clock.advance(random.pick([1, 30, 100]))
            else runRandom(member, commands.next())
          }
        }
        play(steps)
        const from = member.log.frames.length
        // What comes later is not stable before the snapshot is complete; it must not matter where nobody else is.
        if (isFrozen) member.engine.keyspace.stability = frozen(member)
        const written = writeAll(member.engine, random.pick([1, 100, 2000]), () => play(random.below(4)))
        const end = member.log.frames.length
        const held = member.engine.keyspace.stability
        if (random.below(2) === 0) member.engine.keyspace.stability = EVERYTHING_STABLE
        play(random.below(20))
        const twin = restarted(member, written, from, end, held)
        member.engine.keyspace.stability = EVERYTHING_STABLE
        twin.engine.keyspace.stability = EVERYTHING_STABLE
        expectSame(twin, member)
      }),
      // A stream was renamed that had a deleted entry pending.
      { numRuns: 15, examples: [[1423047232, 164, false]] },
    )
  })

  it('has of a group that was made anew nothing of the one before', () => {
    const member = new EngineHarness({ self: 1, solo: true })
    member.run('XADD', 's', '5-5', 'f', 'v')
    const from = member.log.frames.length
    member.run('XGROUP', 'CREATE', 's', 'g', '0')
    member.run('XREADGROUP', 'GROUP', 'g', 'c', 'STREAMS', 's', '>')
    member.run('XGROUP', 'DESTROY', 's', 'g')
    member.run('XGROUP', 'CREATE', 's', 'g', '$')
    const end = member.log.frames.length
    const twin = restarted(member, writeAll(member.engine), from, end, member.engine.keyspace.stability)
    expectSame(twin, member)
  })
})
