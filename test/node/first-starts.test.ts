import { describe, expect, it } from 'vitest'
import { SimulatedMesh, type SimulatedNode } from '../support/simulated-mesh.js'

describe('a configured member that has no data', () => {
  it('takes no writes before it has heard of another one, and says how to begin all the same', () => {
    const mesh = new SimulatedMesh(2)
    const [a, b] = mesh.nodes
    a.start()
    mesh.advance(2900)
    expect(a.run('SET', 'k', '1')).toMatch(/LOADING This member has just started/)
    mesh.advance(60_000)
    expect(a.run('SET', 'k', '1')).toMatch(/LOADING This member has no data .*start-wait 0s/)
    expect(a.lines.filter((line) => line.includes('no other one could be asked'))).toHaveLength(1)
    b.start()
    mesh.until('both take writes', () => [a, b].every((each) => each.run('SET', 'k', '1') === 'OK'))
  })

  it('begins at once when it is told not to wait', () => {
    const mesh = new SimulatedMesh(2, 1, { startWaitMs: 0 })
    const [a] = mesh.nodes
    a.start()
    expect(a.run('SET', 'k', '1')).toBe('OK')
  })

  it('begins without one that cannot be reached when the wait is over', () => {
    const mesh = new SimulatedMesh(3)
    const [a, b] = mesh.nodes
    a.start()
    b.start()
    mesh.advance(2900)
    expect(a.run('SET', 'k', '1')).toContain('LOADING')
    mesh.until('they take writes', () => [a, b].every((each) => each.run('SET', 'k', '1') === 'OK'), 500)
  })

  it('waits for what a restored one brings that starts last', () => {
    const mesh = new SimulatedMesh(3).start()
    const [a, b, c] = mesh.nodes
    for (let i = 0; i < 3; i++) expect(b.run('INCR', 'n')).toBe(String(i + 1))
    mesh.untilEqual(a, b, c)
    mesh.advance(100)
    a.crash()
    for (const empty of [b, c]) {
      empty.loseDisk()
      empty.start()
    }
    mesh.advance(1500)
    for (const empty of [b, c]) expect(empty.run('INCR', 'n')).toContain('LOADING')
    a.start()
    mesh.until('they take writes', () => [b, c].every((each) => each.run('SET', each.name, '1') === 'OK'))
    expect(b.run('INCR', 'n')).toBe('4')
    mesh.untilEqual(a, b, c)
  })
})

/** c is removed by force, and has a write that nobody else has. */
function withWriteOfRemoved(): { mesh: SimulatedMesh; a: SimulatedNode; b: SimulatedNode; c: SimulatedNode } {
  const mesh = new SimulatedMesh(3).start()
  const [a, b, c] = mesh.nodes
  a.run('SET', 'k', '1')
  mesh.untilEqual(a, b, c)
  mesh.cut(c, true)
  expect(c.run('SET', 'theirs', '1')).toBe('OK')
  expect(a.run('CRDT.TOPOLOGY', 'REMOVE', 'm3', 'FORCE')).not.toContain('ERR')
  for (const { member } of [a, b]) mesh.until('it has departed', () => member.sync?.hasDeparted(3) === true)
  return { mesh, a, b, c }
}

it('a member with an empty disk takes nothing of a removed one, though that one is the first to link', () => {
  const { mesh, a, b, c } = withWriteOfRemoved()
  b.loseDisk()
  mesh.cut(c, false)
  for (const [from, to] of [
    ['m1', 'm2'],
    ['m2', 'm1'],
  ])
    mesh.network.route(from, to).meanLatencyMs = 300
  b.start()
  mesh.until('it takes writes', () => b.run('SET', 'k', '2') === 'OK')
  expect(b.run('GET', 'theirs')).toBe('null')
  mesh.untilEqual(a, b)
  mesh.untilStable(a, b)
})

it.each([false, true])(
  'what a member with an empty disk took of a removed one, the only one it could reach, nobody else takes, though the others were restarted: %s',
  (isRestarted) => {
    const { mesh, a, b } = withWriteOfRemoved()
    for (const { member } of [a, b]) mesh.until('it is stable', () => member.stable.dominates(member.applied))
    mesh.advance(2000)
    b.loseDisk()
    mesh.cut(a, true)
    mesh.network.setCut('m2', 'm3', false)
    b.start()
    mesh.until('it takes what there is', () => b.run('GET', 'theirs') === '1')
    if (isRestarted) {
      a.crash()
      a.start()
    }
    mesh.network.setCut('m1', 'm2', false)
    mesh.until('it is told', () => b.lines.some((line) => /has writes of m3, which was removed .*MRD_PEER_STRAY/.test(line)))
    expect(b.run('SET', 'k', '2')).toContain('READONLY This member has taken writes of a removed one')
    mesh.advance(5000)
    expect(a.run('GET', 'theirs')).toBe('null')
    expect(b.run('GET', 'theirs')).toBe('1')
    b.loseDisk()
    b.start()
    mesh.until('it is back', () => b.run('SET', 'k', '2') === 'OK')
    mesh.untilEqual(a, b)
    expect(b.run('GET', 'theirs')).toBe('null')
  },
)
