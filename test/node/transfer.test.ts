import { describe, expect, it } from 'vitest'
import { SimulatedMesh, type SimulatedNode } from '../support/simulated-mesh.js'

/** Writes of every type to keys of its own, and to some that all share. */
function write(node: SimulatedNode, round: number, count = 40): void {
  for (let i = 0; i < count; i++) {
    node.run('SET', `s${node.id}:${i}`, `${round}-${'v'.repeat(30)}`)
    node.run('INCRBY', `n${i % 7}`, '3')
    node.run('HSET', `h${i % 5}`, `f${node.id}:${i}`, String(round))
    node.run('SADD', `set${i % 3}`, `m${node.id}:${round}:${i}`)
    node.run('ZADD', `z${i % 3}`, String(i), `m${i}`)
    node.run('RPUSH', `l${i % 3}`, `e${round}:${i}`)
    node.run('XADD', 'stream', '*', 'f', String(i))
  }
  node.run('DEL', `s${node.id}:${round}`)
  node.run('SPOP', 'set1', '5')
}

function expectEqual(nodes: readonly SimulatedNode[]): void {
  const [first, ...others] = nodes
  for (const other of others) expect(other.digest()).toBe(first.digest())
}

describe('a member that lacks frames which are in no log any more', () => {
  it('takes the state of another one and goes on', () => {
    const mesh = new SimulatedMesh(3).start()
    const [a, b, c] = mesh.nodes
    write(a, 1)
    write(c, 1)
    mesh.untilEqual(a, b, c)
    c.crash()
    for (let round = 2; round < 6; round++) {
      write(a, round)
      write(b, round)
      mesh.advance(200)
    }
    a.trim()
    b.trim()
    expect(a.member.log.firstByte).toBeGreaterThan(0)
    c.start()
    mesh.untilEqual(a, b, c)
    expectEqual([a, b, c])
    expect(c.lines.join('\n')).toContain('the state of another member is here')
    for (const node of mesh.nodes) expect(node.run('SET', `after${node.id}`, '1')).toBe('OK')
    write(c, 9)
    mesh.untilEqual(a, b, c)
    expectEqual([a, b, c])
    c.crash(true)
    c.start()
    mesh.untilEqual(a, b, c)
    expectEqual([a, b, c])
    expect(c.member.log.segments[0].vector.get(1 as never)).toBeGreaterThan(0)
  })
})
