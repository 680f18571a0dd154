import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { EVERYTHING_STABLE } from '../../../src/crdt/apply-context.js'
import { EngineHarness } from '../../support/engine-harness.js'
import { randomMesh } from './random-mesh.js'
import { hashesOf, settleAll, writeAll } from './state-rig.js'

const hashes = ({ engine }: EngineHarness) => hashesOf(engine, writeAll(engine))

describe('hashes of states', () => {
  it('are equal in members that have heard of the same, in whatever order', () => {
    fc.assert(
      fc.property(fc.integer(), fc.integer({ min: 20, max: 200 }), (seed, steps) => {
        const { mesh } = randomMesh(seed, steps)
        mesh.deliverAll()
        for (const member of mesh.members) {
          member.engine.keyspace.stability = EVERYTHING_STABLE
          settleAll(member)
        }
        const [a, b, c] = mesh.members.map(hashes)
        expect(b).toEqual(a)
        expect(c).toEqual(a)
      }),
      { numRuns: 20 },
    )
  })

  it('do not depend on the form of a collection, nor on how it was cut into records', () => {
    const member = new EngineHarness({ self: 1, solo: true })
    for (let i = 0; i < 700; i++) {
      member.run('HSET', 'h', `f${i}`, `${i}`)
      member.run('SADD', 's', `m${i}`)
      member.run('ZADD', 'z', `${i}`, `m${i}`)
      member.run('LPUSH', 'l', `${i}`)
    }
    expect(hashesOf(member.engine, writeAll(member.engine, 50))).toEqual(hashes(member))
    const small = new EngineHarness({ self: 1, solo: true, hashSeed: 3 })
    for (const frame of member.log.frames) small.engine.replay.apply(frame)
    expect(hashes(small)).toEqual(hashes(member))
    // Large once, and what is left is not packed again.
    for (const each of [member, small]) {
      each.run('ZREMRANGEBYRANK', 'z', '3', '-1')
      each.run('LTRIM', 'l', '0', '2')
    }
    const packed = new EngineHarness({ self: 1, solo: true })
    packed.engine.states.loader().load(0, ...whole(member))
    expect(packed.run('OBJECT', 'ENCODING', 'z')).toBe('listpack')
    expect(member.run('OBJECT', 'ENCODING', 'z')).toBe('skiplist')
    expect(hashes(packed)).toEqual(hashes(member))
  })

  it('differ where one value, dot or hidden part differs', () => {
    const [a, b] = [1, 2].map(() => new EngineHarness({ self: 1, solo: false }))
    for (const each of [a, b]) {
      each.run('SET', 'k', 'x')
      each.run('HSET', 'h', 'f', 'x')
    }
    expect(hashes(b)).toEqual(hashes(a))
    b.run('HSET', 'h', 'f', 'x')
    expect(hashes(b).get('0 k')).toBe(hashes(a).get('0 k'))
    expect(hashes(b).get('0 h')).not.toBe(hashes(a).get('0 h'))
    b.run('PEXPIRE', 'k', '100000')
    expect(hashes(b).get('0 k')).not.toBe(hashes(a).get('0 k'))
  })
})

/** All records of database 0 behind one another. */
function whole({ engine }: EngineHarness): [Uint8Array, number, number] {
  const bytes = Buffer.concat(writeAll(engine).sections.map((section) => section.bytes))
  return [bytes, 0, bytes.length]
}
