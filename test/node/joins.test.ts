import { describe, expect, it } from 'vitest'
import { SimulatedMesh } from '../support/simulated-mesh.js'

describe('a new member that asks one for the list which was removed itself', () => {
  it.each([
    ['is being drained or has left', []],
    ['was removed by force, and knows it only because it was refused', ['FORCE']],
  ])('is told that it was not refused, and whom to ask: that one %s', (_, how) => {
    const mesh = new SimulatedMesh(3).start()
    const [a, b, c] = mesh.nodes
    expect(a.run('CRDT.TOPOLOGY', 'ADD', 'n4', 'n4', 'z', 'n4:1')).not.toContain('ERR')
    mesh.untilEqual(a, b, c)
    expect(b.run('CRDT.TOPOLOGY', 'REMOVE', 'm1', ...how)).not.toContain('ERR')
    mesh.until('it knows', () => a.run('SET', 'k', '1').includes('READONLY '))
    const answer = mesh.askToJoin('n4', a)
    expect(answer).toMatchObject({ code: 'MRD_JOIN_TARGET' })
    expect(String(answer)).toMatch(
      /n4 could not join: Refused by m1:1: m1, which was asked for the list of members, was itself removed .*m2 at m2:1, m3 at m3:1.*n4 itself was not refused/,
    )
    expect(mesh.askToJoin('n4', b)).toBeInstanceOf(Uint8Array)
  })
})

it('a new member that was removed before it came is told that its name is never used again', () => {
  const mesh = new SimulatedMesh(2).start()
  const [a, b] = mesh.nodes
  expect(a.run('CRDT.TOPOLOGY', 'ADD', 'n3', 'n3', 'z', 'n3:1')).not.toContain('ERR')
  mesh.advance(50)
  expect(a.run('CRDT.TOPOLOGY', 'REMOVE', 'n3', 'FORCE')).not.toContain('ERR')
  mesh.untilEqual(a, b)
  const answer = mesh.askToJoin('n3', a)
  expect(answer).toMatchObject({ code: 'MRD_PEER_REMOVED' })
  expect(String(answer)).toMatch(/n3 \(member \d+\) was removed from this cluster .*The name n3 is never used again/)
})
