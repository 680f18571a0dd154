import { describe, expect, it } from 'vitest'
import { SimulatedMesh } from '../support/simulated-mesh.js'

describe('a removal whose maker is removed by force before the others have its op', () => {
  it('is made again by those who remain, so that what is stable moves on', () => {
    const mesh = new SimulatedMesh(4).start()
    const [a, b, c, d] = mesh.nodes
    a.run('SET', 'shared', '1')
    mesh.untilEqual(a, b, c, d)
    // d's last write reaches b only, so b's removal of d, which has seen it, cannot be applied by a and c until a relay brings the write.
    for (const other of [a, c]) {
      mesh.network.setCut(d.name, other.name, true)
      mesh.network.breakLinks(d.name, other.name)
    }
    d.run('SET', 'last', '1')
    mesh.until('b has the last write', () => b.run('GET', 'last') === '1')
    d.crash()
    expect(b.run('CRDT.TOPOLOGY', 'REMOVE', 'm4', 'FORCE')).not.toContain('ERR')
    mesh.until('a knows of the removal', () =>
      a.lines.some((line) => line.includes('m4 (member 4) was removed') || line.includes('list of members has changed')),
    )
    expect(a.run('GET', 'last')).toBe('null')
    b.crash()
    expect(a.run('CRDT.TOPOLOGY', 'REMOVE', 'm2', 'FORCE')).not.toContain('ERR')
    mesh.untilEqual(a, c)
    a.run('SET', 'shared', '2')
    c.run('SET', 'other', '2')
    mesh.untilEqual(a, c)
    mesh.untilStable(a, c)
    expect([...a.lines, ...c.lines].join('\n')).toContain('is made again')
    expect(a.digest()).toBe(c.digest())
  })
})

it('a removal that was in the log and not in the list of members beside it when its maker was killed holds after the restart', () => {
  const mesh = new SimulatedMesh(3).start()
  const [a, b, c] = mesh.nodes
  a.run('SET', 'k', '1')
  mesh.untilEqual(a, b, c)
  c.crash()
  expect(a.run('CRDT.TOPOLOGY', 'REMOVE', 'm3', 'FORCE')).not.toContain('ERR')
  mesh.advance(0)
  a.crash()
  a.start()
  expect(a.member.topology.members[2].removal?.forced).toHaveLength(1)
  b.run('SET', 'k', '2')
  mesh.untilEqual(a, b)
  mesh.untilStable(a, b)
})

it('two new members that were told of an op which nobody has any more do not wait for each other', () => {
  const mesh = new SimulatedMesh(3).start()
  const [a, b, c] = mesh.nodes
  a.run('SET', 'k', '1')
  mesh.untilEqual(a, b, c)
  mesh.cut(c, true)
  expect(c.run('SET', 'lost', 'x'.repeat(300_000))).toBe('OK')
  mesh.advance(100)
  for (const name of ['n4', 'n5']) mesh.network.route('m3', name).bandwidth = 50
  const joiners = [mesh.join('n4', a), mesh.join('n5', b)]
  for (const { lines } of joiners)
    mesh.until('it is linked', () => lines.some((line) => line.includes('peer link is up {"peer":"m3"')))
  mesh.advance(1000)
  for (const joiner of joiners) expect(joiner.run('SET', 'k', '2')).toContain('LOADING')
  c.crash()
  expect(a.run('CRDT.TOPOLOGY', 'REMOVE', 'm3', 'FORCE')).not.toContain('ERR')
  for (const joiner of joiners) mesh.until('it takes writes', () => joiner.run('SET', 'k', '2') === 'OK')
  mesh.untilEqual(a, b, ...joiners)
  expect(joiners[0].run('EXISTS', 'lost')).toBe('0')
})
