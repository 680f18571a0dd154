import { expect, it } from 'vitest'
import { SimulatedMesh, type SimulatedNode } from '../support/simulated-mesh.js'

function write(node: SimulatedNode, round: number): void {
  for (let i = 0; i < 15; i++) node.run('SET', `s${node.id}:${i}`, `${round}-${'v'.repeat(300)}`)
}

/** Some are cut off from others; or they can reach each other again. */
function part(mesh: SimulatedMesh, some: readonly SimulatedNode[], others: readonly SimulatedNode[], isCut: boolean): void {
  for (const one of some) {
    for (const other of others) {
      mesh.network.setCut(one.name, other.name, isCut)
      if (isCut) mesh.network.breakLinks(one.name, other.name)
    }
  }
}

it('of two sides neither of which has all any more one comes back from the other, once the smaller one has been emptied: what 0034 does not cover', () => {
  const mesh = new SimulatedMesh(5).start()
  const [giver, taker, ...most] = mesh.nodes
  const others = [giver, ...most]
  giver.run('SET', 'k', '1')
  mesh.untilEqual(...mesh.nodes)
  // The taker is away for long, so that it needs a state.
  mesh.cut(taker, true)
  for (let round = 1; round < 4; round++) {
    write(giver, round)
    write(most[0], round)
    mesh.advance(200)
  }
  mesh.untilEqual(...others)
  mesh.advance(3000)
  for (const node of others) node.trim()
  // It takes the giver's, which has what most lack, while most let go of what these two lack.
  part(mesh, [giver], most, true)
  giver.run('SET', 'only', 'theirs')
  giver.trim()
  mesh.network.setCut(giver.name, taker.name, false)
  for (const node of most) write(node, 9)
  mesh.untilEqual(...most)
  mesh.advance(3000)
  for (const node of most) node.trim()
  mesh.untilEqual(giver, taker)
  expect(taker.run('GET', 'only')).toBe('theirs')
  giver.loseDisk()
  part(mesh, [giver, taker], most, false)
  giver.start()
  mesh.advance(60_000)

  // Those who are more go on. The others wait, and the one that still has what only they had says what to do.
  expect(new Set(most.map((node) => node.run('SET', 'k', '2')))).toEqual(new Set(['OK']))
  for (const node of [giver, taker]) expect(node.member.intake?.isOpen).toBe(true)
  expect(taker.lines.join('\n')).toContain('start it with an empty data folder')
  for (const node of [giver, ...most]) expect(node.lines.join('\n')).not.toContain('start it with an empty data folder')
  expect(taker.run('GET', 'only')).toBe('theirs')

  taker.loseDisk()
  taker.start()
  // It was told by the taker that there is more of its own.
  giver.crash()
  giver.start()
  mesh.until('all take writes', () =>
    mesh.nodes.every(({ member: { membership, intake } }) => membership.writeRefusal === null && intake?.isOpen !== true),
  )
  for (const node of mesh.nodes) expect(node.run('SET', `after${node.id}`, '1')).toBe('OK')
  mesh.untilEqual(...mesh.nodes)
  expect(new Set(mesh.nodes.map((node) => node.digest())).size).toBe(1)
  expect(most[0].run('EXISTS', 'only')).toBe('0')
})
