import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { EVERYTHING_STABLE } from '../../../src/crdt/apply-context.js'
import { SeededRandom } from '../../differential/seeded-random.js'
import type { EngineHarness } from '../../support/engine-harness.js'
import { Mesh } from '../../support/mesh.js'
import { RandomCommands } from './random-commands.js'
import { emptyTwin, everythingOf, frozen, loadAll, runRandom, settleAll, writeAll } from './state-rig.js'

/** Three members that have written and heard of each other in some order. */
export function randomMesh(seed: number, steps: number): { mesh: Mesh; play: (steps: number) => void } {
  const random = new SeededRandom(seed)
  const mesh = new Mesh()
  const commands = new RandomCommands(random, () => mesh.members[0].clock.now)
  const play = (count: number) => {
    for (let i = 0; i < count; i++) {
      const roll = random.below(20)
      if (roll < 12) runRandom(random.pick(mesh.members), commands.next())
      else if (roll < 17) mesh.deliver(random.below(3), random.below(3))
      else if (roll === 17) mesh.wait(random.pick([1, 30, 100]))
      else if (roll === 18) settleAll(random.pick(mesh.members))
      else if (random.chance(0.2)) mesh.deliverAll()
    }
  }
  play(steps)
  return { mesh, play }
}

/** Gives a member the frames that another has and it has not. */
function catchUp(member: EngineHarness, from: EngineHarness): void {
  const { applied } = member.engine
  for (const frame of from.log.frames) {
    if (frame.last <= applied.get(frame.origin)) continue
    member.engine.applyRemote(frame)
  }
}

describe('a member that was written and read back', () => {
  it('is the same, and does the same with what comes later', () => {
    fc.assert(
      fc.property(fc.integer(), fc.integer({ min: 20, max: 160 }), fc.integer({ min: 1, max: 3 }), (seed, steps, kind) => {
        const { mesh, play } = randomMesh(seed, steps)
        const member = mesh.members[seed & 1]
        // What others have made is stable as far as it was: a twin cannot hear of it apart.
        member.engine.keyspace.stability = frozen(member)
        const twin = emptyTwin(member)
        loadAll(twin.engine, writeAll(member.engine, [1, 300, 1 << 20][kind - 1]))
        expect(everythingOf(twin)).toEqual(everythingOf(member))
        twin.engine.applied.copyFrom(member.engine.applied)
        play(steps)
        mesh.deliverAll()
        // What the member itself has written comes to its copy as it does from the log.
        catchUp(twin, member)
        settleAll(member)
        settleAll(twin)
        expect(everythingOf(twin)).toEqual(everythingOf(member))
        member.engine.keyspace.stability = EVERYTHING_STABLE
        twin.engine.keyspace.stability = EVERYTHING_STABLE
        settleAll(member)
        settleAll(twin)
        expect(everythingOf(twin)).toEqual(everythingOf(member))
      }),
      { numRuns: 20 },
    )
  })
})
