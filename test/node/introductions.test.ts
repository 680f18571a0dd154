import { expect, it } from 'vitest'
import { SimulatedMesh } from '../support/simulated-mesh.js'

it('a member whose copy of the disk knows nobody who is left takes the list from one that was added since, and heals', () => {
  const mesh = new SimulatedMesh(2, 1, { startWaitMs: 600_000 }).start()
  const [a, b] = mesh.nodes
  b.run('SET', 'k', 'old')
  mesh.untilEqual(a, b)
  const image = b.disk.image()
  const c = mesh.join('n3', a)
  mesh.until('the new one takes writes', () => c.run('SET', 'k', 'new') === 'OK')
  b.run('INCR', 'count')
  mesh.untilEqual(a, b, c)
  a.crash()
  expect(c.run('CRDT.TOPOLOGY', 'REMOVE', 'm1', 'FORCE')).not.toContain('ERR')
  mesh.untilEqual(b, c)
  b.crash()
  b.disk.restore(image)
  b.start()
  expect(b.member.engine.topology.named('n3')).toBeUndefined()
  mesh.until('it takes writes', () => b.run('SET', 'x', '1') === 'OK')
  expect(b.run('GET', 'k')).toBe('new')
  expect(b.run('INCR', 'count')).toBe('2')
  expect(b.run('CRDT.TOPOLOGY', 'LIST')).toMatch(/m1.*removed/)
  mesh.untilEqual(b, c)
})

it('one that was added by a removed member which has not heard of it stays a stranger, and is told why', () => {
  const mesh = new SimulatedMesh(3).start()
  const [a, b, c] = mesh.nodes
  a.run('SET', 'k', '1')
  mesh.untilEqual(a, b, c)
  mesh.cut(c, true)
  expect(a.run('CRDT.TOPOLOGY', 'REMOVE', 'm3', 'FORCE')).not.toContain('ERR')
  mesh.untilEqual(a, b)
  const d = mesh.join('n4', c)
  mesh.until('its friend takes writes', () => d.run('SET', 'theirs', '1') === 'OK')
  mesh.until('it is told', () => d.lines.some((line) => line.includes('it does not know that m3 was removed')))
  mesh.advance(10_000)
  for (const { member } of [a, b]) expect(member.engine.topology.named('n4')).toBeUndefined()
  expect(a.run('GET', 'theirs')).toBe('null')
  mesh.untilStable(a, b)
})
