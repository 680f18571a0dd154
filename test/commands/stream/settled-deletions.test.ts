import { expect, it } from 'vitest'
import { digestOf } from '../../../src/keyspace/digest.js'
import { Mesh } from '../../support/mesh.js'

it('what was deleted of a stream outlives its removal until everybody has observed that', () => {
  const mesh = new Mesh()
  const [adds, deletes, removes] = mesh.members
  adds.run('XADD', 's', '5-1', 'f', 'v')
  adds.run('XADD', 's', '6-1', 'f', 'v')
  mesh.deliverAll()
  deletes.run('XDEL', 's', '5-1')
  removes.run('DEL', 's')
  // All have observed the deletion and say so to who deleted; the one that adds has not observed the removal.
  mesh.deliver(1, 0)
  mesh.deliver(1, 2)
  adds.run('SET', 'a', '1')
  removes.run('SET', 'b', '1')
  mesh.deliver(0, 1)
  mesh.deliver(2, 1)
  expect(deletes.run('EXISTS', 's')).toBe(0)
  mesh.wait(12_000)
  adds.run('XADD', 's', '7-1', 'f', 'v')
  mesh.settle()
  const digests = mesh.members.map(({ engine }) => digestOf(engine.keyspace, engine))
  expect(new Set(digests).size).toBe(1)
  for (const member of mesh.members) {
    const info = member.run('XINFO', 'STREAM', 's') as unknown[]
    expect(info[info.indexOf('max-deleted-entry-id') + 1]).toBe('5-1')
  }
})
