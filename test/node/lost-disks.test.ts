import { describe, expect, it } from 'vitest'
import type { MemberId } from '../../src/base/ids.js'
import { SimulatedMesh, type SimulatedNode } from '../support/simulated-mesh.js'

const BIG = 'x'.repeat(300_000)

/** From one to another so little goes through that the list of members comes, and nothing that is large. */
function slowDown(mesh: SimulatedMesh, from: SimulatedNode, ...to: readonly SimulatedNode[]): void {
  for (const each of to) mesh.network.route(from.name, each.name).bandwidth = 1
}

function speedUp(mesh: SimulatedMesh, from: SimulatedNode, ...to: readonly SimulatedNode[]): void {
  for (const each of to) mesh.network.route(from.name, each.name).bandwidth = 100_000
}

describe('changes of the list of members of which a lost disk had the only op', () => {
  /** c is removed at a, of which the others hear by the list; the op is behind what is too large to have come. */
  function withLostRemoval(forced: boolean): {
    mesh: SimulatedMesh
    a: SimulatedNode
    b: SimulatedNode
    c: SimulatedNode
    d: SimulatedNode
  } {
    const mesh = new SimulatedMesh(4).start()
    const [a, b, c, d] = mesh.nodes
    a.run('SET', 'k', '1')
    mesh.untilEqual(a, b, c, d)
    if (forced) c.crash()
    slowDown(mesh, a, b, c, d)
    expect(a.run('SET', 'large', BIG)).toBe('OK')
    mesh.advance(20)
    expect(a.run('CRDT.TOPOLOGY', 'REMOVE', 'm3', ...(forced ? ['FORCE'] : []))).not.toContain('ERR')
    mesh.advance(3000)
    return { mesh, a, b, c, d }
  }

  it.each([true, false])('are said again by who made them, when it is back: a removal, by force: %s', (forced) => {
    const { mesh, a, b, c, d } = withLostRemoval(forced)
    for (const { member } of [b, d]) expect(member.topology.members[2].removal).toBeDefined()
    a.loseDisk()
    speedUp(mesh, a, b, c, d)
    a.start()
    mesh.until('it takes writes', () => a.member.membership.writeRefusal === null)
    mesh.until('c has departed', () => [a, b, d].every(({ member }) => member.sync?.hasDeparted(3) === true))
    mesh.untilStable(a, b, d)
    expect(a.run('CRDT.TOPOLOGY', 'LIST')).toContain(forced ? 'removed' : 'left')
    expect(b.run('EXISTS', 'large')).toBe('0')
    expect(a.lines.join('\n')).toContain('they are given up')
    expect(a.run('SET', 'k', '2')).toBe('OK')
    mesh.untilEqual(a, b, d)
    expect(new Set([a, b, d].map((each) => each.digest())).size).toBe(1)
  })

  it('are said again though the maker waits for what the removed one had: seed 730052 of transfer-members', () => {
    const mesh = new SimulatedMesh(3).start()
    const [a, b, c] = mesh.nodes
    a.run('SET', 'k', '1')
    mesh.untilEqual(a, b, c)
    for (const other of [a, c]) {
      mesh.network.setCut(b.name, other.name, true)
      mesh.network.breakLinks(b.name, other.name)
    }
    c.run('SET', 'last', '1')
    mesh.untilEqual(a, c)
    c.crash()
    expect(a.run('CRDT.TOPOLOGY', 'REMOVE', 'm3', 'FORCE')).not.toContain('ERR')
    mesh.advance(100)
    slowDown(mesh, a, b)
    mesh.network.setCut(b.name, a.name, false)
    mesh.until('b has heard', () => b.member.topology.members[2].removal !== undefined)
    mesh.advance(100)
    expect(b.run('EXISTS', 'last')).toBe('0')
    a.loseDisk()
    speedUp(mesh, a, b)
    a.start()
    mesh.until('it takes writes', () => a.run('SET', 'k', '2') === 'OK')
    mesh.untilEqual(a, b)
    mesh.untilStable(a, b)
    expect(a.digest()).toBe(b.digest())
  })

  it('are said again also to who has heard nothing of them: the addition of a member', () => {
    const mesh = new SimulatedMesh(3).start()
    const [a, b, c] = mesh.nodes
    a.run('SET', 'k', '1')
    mesh.untilEqual(a, b, c)
    slowDown(mesh, a, b)
    mesh.network.setCut('m1', 'm3', true)
    mesh.network.setCut('m2', 'm3', true)
    expect(a.run('SET', 'large', BIG)).toBe('OK')
    mesh.advance(20)
    const joiner = mesh.join('n4', a)
    slowDown(mesh, a, joiner)
    mesh.until('b knows of it', () => b.member.topology.members.length === 4)
    expect(joiner.run('SET', 'k', '2')).toContain('LOADING')
    a.loseDisk()
    speedUp(mesh, a, b, c, joiner)
    mesh.network.setCut('m1', 'm3', false)
    mesh.network.setCut('m2', 'm3', false)
    a.start()
    mesh.until('the new one takes writes', () => joiner.run('SET', 'k', '2') === 'OK')
    mesh.untilEqual(a, b, c, joiner)
    mesh.untilStable(a, b, c, joiner)
  })
})

it('what a lost disk had told of and nobody has is not waited for, though nothing is written', () => {
  const mesh = new SimulatedMesh(3).start()
  const [a, b, c] = mesh.nodes
  a.run('SET', 'k', '1')
  mesh.untilEqual(a, b, c)
  slowDown(mesh, a, b, c)
  expect(a.run('SET', 'large', BIG)).toBe('OK')
  const { self } = a.member.topology
  mesh.until('it is told', () => (b.member.sync?.durableBy(self)?.get(self) ?? 0) > b.member.applied.get(self))
  a.loseDisk()
  speedUp(mesh, a, b, c)
  a.start()
  mesh.until('it takes writes', () => a.member.membership.writeRefusal === null)
  mesh.untilEqual(a, b, c)
  mesh.untilStable(a, b, c)
  expect(a.member.topologyBytes).toBeNull()
  expect(a.lines.join('\n')).toContain('they are given up')
  expect(a.run('GET', 'k')).toBe('1')
})

it('two members with empty disks do not wait for what a third one says they had before', () => {
  const mesh = new SimulatedMesh(3).start()
  const [a, b, c] = mesh.nodes
  a.run('SET', 'k', '1')
  mesh.untilEqual(a, b, c)
  // Everybody has heard that everybody has it.
  mesh.advance(1000)
  for (const each of [a, b]) {
    each.loseDisk()
    each.start()
  }
  for (const each of [a, b]) mesh.until('it takes writes', () => each.run('SET', each.name, '1') === 'OK')
  mesh.untilEqual(a, b, c)
  expect(a.run('GET', 'k')).toBe('1')
})

it('two members with empty disks do not wait for what only those two disks had, and a third one was told of', () => {
  const mesh = new SimulatedMesh(3, 1, { startWaitMs: 600_000 }).start()
  const [a, b, c] = mesh.nodes
  mesh.until('they take writes', () => [a, b].every((each) => each.run('SET', 'k', each.name) === 'OK'))
  mesh.untilEqual(a, b, c)
  c.disk.full = true
  a.run('SET', 'k', 'the last that c takes')
  mesh.until('its log takes nothing more', () => c.member.log.refusal !== null)
  a.run('SET', 'of a', '1')
  b.run('SET', 'of b', '1')
  mesh.untilEqual(a, b)
  const newest = a.member.applied.clone()
  const knows = ({ member }: SimulatedNode): boolean => {
    const durable = c.member.sync?.durableBy(member.topology.self)
    return durable?.dominates(newest) === true
  }
  mesh.until('c is told that both have it', () => knows(a) && knows(b))
  for (const each of [a, b]) each.loseDisk()
  mesh.advance(500)
  c.disk.full = false
  mesh.until('its log takes writes', () => c.member.log.refusal === null)
  for (const each of [a, b]) each.start()
  for (const each of [a, b]) mesh.until('it takes writes', () => each.member.membership.writeRefusal === null)
  for (const each of [a, b]) {
    expect(each.run('GET', 'k')).toBe('the last that c takes')
    expect(each.run('EXISTS', 'of a', 'of b')).toBe('0')
    expect(each.run('SET', each.name, '1')).toBe('OK')
  }
  mesh.untilEqual(a, b, c)
  mesh.untilStable(a, b, c)
  expect(new Set([a, b, c].map((each) => each.digest())).size).toBe(1)
})

describe('two members with empty disks that were told of an op which went with a removed one', () => {
  /** d's last write is told of to b and c, which have lost their disks, and has come to nobody. */
  function withLostWrite(): { mesh: SimulatedMesh; a: SimulatedNode; b: SimulatedNode; c: SimulatedNode; d: SimulatedNode } {
    const mesh = new SimulatedMesh(4).start()
    const [a, b, c, d] = mesh.nodes
    a.run('SET', 'k', '1')
    mesh.untilEqual(a, b, c, d)
    mesh.cut(d, true)
    expect(d.run('SET', 'large', BIG)).toBe('OK')
    mesh.advance(100)
    for (const each of [b, c]) each.loseDisk()
    slowDown(mesh, d, a, b, c)
    for (const each of [b, c]) {
      mesh.network.setCut(d.name, each.name, false)
      each.start()
    }
    for (const { lines } of [b, c])
      mesh.until('it is linked', () => lines.some((line) => line.includes('peer link is up {"peer":"m4"')))
    mesh.advance(3500)
    for (const each of [b, c]) expect(each.run('SET', 'k', '2')).toContain('LOADING')
    d.crash()
    return { mesh, a, b, c, d }
  }

  it('do not wait for each other once it is removed', () => {
    const { mesh, a, b, c } = withLostWrite()
    expect(a.run('CRDT.TOPOLOGY', 'REMOVE', 'm4', 'FORCE')).not.toContain('ERR')
    for (const each of [b, c]) mesh.until('it takes writes', () => each.run('SET', each.name, '1') === 'OK')
    mesh.untilEqual(a, b, c)
    mesh.untilStable(a, b, c)
    expect(a.run('EXISTS', 'large')).toBe('0')
  })

  it('say whom they wait for, and take its removal when nobody else is left', () => {
    const { mesh, a, b, c } = withLostWrite()
    mesh.advance(15_000)
    for (const each of [b, c]) {
      expect(each.run('SET', 'k', '2')).toMatch(/LOADING .* only m4 has; if that is gone for good, remove it by force here/)
      expect(each.lines.filter((line) => line.includes('waits for writes of m4 that nobody has'))).toHaveLength(1)
    }
    mesh.cut(a, true)
    mesh.advance(100)
    expect(b.run('CRDT.TOPOLOGY', 'REMOVE', 'm4', 'FORCE')).toContain('LOADING')
    expect(b.run('CRDT.TOPOLOGY', 'REMOVE', 'm1', 'FORCE')).toContain('LOADING')
    mesh.cut(a, false)
    mesh.until('a has said what it has', () => b.member.sync?.isMissingOther(4 as MemberId) === false)
    expect(b.run('CRDT.TOPOLOGY', 'REMOVE', 'm4')).toContain('LOADING')
    expect(b.run('CRDT.TOPOLOGY', 'REMOVE', 'm4', 'FORCE')).not.toContain('LOADING')
    expect(b.run('SET', 'k', '2')).toBe('OK')
    mesh.until('c takes writes', () => c.run('SET', 'c', '1') === 'OK')
    mesh.untilEqual(a, b, c)
    mesh.untilStable(a, b, c)
    expect(new Set([a, b, c].map((each) => each.digest())).size).toBe(1)
  })
})

describe('one that has lost its disk, while another that has the last of its writes is starting too', () => {
  /** b is cut off when a writes its last, which c has; a loses its disk, and c is down. */
  function withLastWriteDown(): { mesh: SimulatedMesh; a: SimulatedNode; b: SimulatedNode; c: SimulatedNode } {
    const mesh = new SimulatedMesh(3).start()
    const [a, b, c] = mesh.nodes
    a.run('SET', 'k', '1')
    b.run('SET', 'b', '1')
    mesh.untilEqual(a, b, c)
    mesh.cut(b, true)
    a.run('SET', 'last', '1')
    mesh.untilEqual(a, c)
    c.crash()
    a.loseDisk()
    mesh.cut(b, false)
    a.start()
    mesh.until('a has what b has', () => a.run('GET', 'k') === '1')
    return { mesh, a, b, c }
  }

  it('waits for that one too: seed 820146 of transfer-members', () => {
    const { mesh, a, b, c } = withLastWriteDown()
    mesh.advance(1000)
    expect(a.run('SET', 'k', '2')).toContain('LOADING')
    c.start()
    mesh.until('it takes writes', () => a.run('SET', 'k', '2') === 'OK')
    expect(a.run('GET', 'last')).toBe('1')
    mesh.untilEqual(a, b, c)
    expect(new Set([a, b, c].map((each) => each.digest())).size).toBe(1)
  })

  it('waits no longer than others wait at a start', () => {
    const { mesh, a } = withLastWriteDown()
    mesh.until('it takes writes', () => a.run('SET', 'k', '2') === 'OK', 6000)
  })

  it('does not wait for that one when it was removed by force', () => {
    const { mesh, a, b } = withLastWriteDown()
    a.crash()
    expect(b.run('CRDT.TOPOLOGY', 'REMOVE', 'm3', 'FORCE')).not.toContain('ERR')
    mesh.advance(100)
    a.loseDisk()
    a.start()
    mesh.until('it takes writes', () => a.run('SET', 'k', '2') === 'OK', 2000)
  })
})
