import { describe, expect, it } from 'vitest'
import { Mesh } from './mesh.js'
import { SeededRandom } from './fake-time.js'

/**
 * Random writes, partitions in one direction or both, broken and silent links, crashes that lose what was not durable. The fake host throws when a frame
 * comes twice, out of order or before its context. A failing seed is named in the test's title.
 */
function run(seed: number, members: number): void {
  const mesh = new Mesh(members, seed, { relayStallMs: 1500 }).start()
  const random = new SeededRandom(seed + 77)
  const name = () => `m${1 + random.below(members)}`
  for (let step = 0; step < 250; step++) {
    const action = random.below(100)
    if (action < 60) mesh.members[random.below(members)].host.write(random.below(20) === 0 ? 300_000 : random.below(500))
    else if (action < 68) mesh.hub.block(name(), name())
    else if (action < 74) mesh.hub.blockBoth(name(), name())
    else if (action < 80) mesh.hub.unblockAll()
    else if (action < 90) [...mesh.hub.ends][random.below(Math.max(1, mesh.hub.ends.size))]?.break()
    else if (action < 94) for (const end of [...mesh.hub.ends].slice(0, 2)) end.silent = true
    else if (action < 97) mesh.members[random.below(members)].crash()
    if (random.below(10) === 0) mesh.members[random.below(members)].host.syncDelayMs = random.below(3) === 0 ? 400 : 3
    mesh.advance(random.below(8) === 0 ? random.below(3000) : random.below(40))
    checkStability(mesh)
  }
  mesh.hub.unblockAll()
  mesh.advance(20_000)
  expect(mesh.converged()).toBe(true)
  const counts = mesh.members.map((member) => member.host.log.length)
  expect(new Set(counts).size).toBe(1)
  for (const member of mesh.members) {
    expect(member.sync.stable().equals(member.host.applied)).toBe(true)
    expect(member.sync.peers().every((peer) => peer.lagMs === 0 && peer.behindMs === 0 && peer.relay === null)).toBe(true)
  }
  mesh.stop()
}

/** A dot that is stable somewhere is durable everywhere, and every frame still to come there has observed it. */
function checkStability(mesh: Mesh): void {
  for (const member of mesh.members) {
    const stable = member.sync.stable()
    for (const other of mesh.members) {
      if (other === member) continue
      expect(other.host.durable.dominates(stable)).toBe(true)
      for (const frame of other.host.log) {
        if (member.host.applied.covers(frame.origin, frame.last)) continue
        for (const [origin, stamp] of stable.entries()) {
          if (origin === frame.origin) continue
          let seen = 0
          for (let i = 0; i < frame.contextCount; i++) if (frame.contextMember(i) === origin) seen = frame.contextStamp(i)
          expect(seen).toBeGreaterThanOrEqual(stamp)
        }
      }
    }
  }
}

describe('under random faults all members converge, each frame applied once, in order, after its context', () => {
  for (let seed = 1; seed <= 12; seed++) {
    const members = 2 + (seed % 4)
    it(`seed ${seed}, ${members} members`, () => run(seed, members))
  }
})
