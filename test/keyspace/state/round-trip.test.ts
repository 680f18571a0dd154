import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { EVERYTHING_STABLE } from '../../../src/crdt/apply-context.js'
import { EngineHarness } from '../../support/engine-harness.js'
import { randomMesh } from './random-mesh.js'
import { emptyTwin, everythingOf, frozen, hashesOf, loadAll, settleAll, writeAll } from './state-rig.js'

/** Gives a member the frames that another has and it has not. */
function catchUp(member: EngineHarness, from: EngineHarness): void {
  const { applied } = member.engine
  for (const frame of from.log.frames) {
    if (frame.last <= applied.get(frame.origin)) continue
    member.engine.remote.apply(frame)
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
        expect(hashesOf(twin.engine, writeAll(twin.engine))).toEqual(hashesOf(member.engine, writeAll(member.engine)))
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
      { numRuns: 12 },
    )
  })

  it('has still pending what was deleted before its stream was renamed', () => {
    const member = new EngineHarness({ self: 1, solo: true })
    member.run('XADD', 's', '5-5', 'f', 'v')
    member.run('XGROUP', 'CREATE', 's', 'g', '0')
    member.run('XREADGROUP', 'GROUP', 'g', 'c', 'STREAMS', 's', '>')
    member.run('XDEL', 's', '5-5')
    member.run('RENAME', 's', 't')
    const twin = emptyTwin(member)
    loadAll(twin.engine, writeAll(member.engine))
    expect(twin.run('XPENDING', 't', 'g')).toEqual([1, '5-5', '5-5', [['c', '1']]])
    expect(everythingOf(twin)).toEqual(everythingOf(member))
  })
})
