import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { EngineHarness } from '../../support/engine-harness.js'
import { Mesh } from '../../support/mesh.js'

const HASHES = ['h', '{t}i']
const SETS = ['s', '{t}t']
const FIELDS = ['a', 'b', 'c', 'd', 'a field that is too long for the small form of a hash, by some bytes at least']

const hash = fc.constantFrom(...HASHES)
const set = fc.constantFrom(...SETS)
const field = fc.constantFrom(...FIELDS)
const value = fc.constantFrom('', '5', '-3', 'text', '1.5', '9223372036854775807')
const command = fc.oneof(
  { weight: 4, arbitrary: fc.tuple(fc.constant('HSET'), hash, field, value) },
  { weight: 2, arbitrary: fc.tuple(fc.constant('HSET'), hash, field, value, field, value) },
  { weight: 3, arbitrary: fc.tuple(fc.constant('HDEL'), hash, field) },
  { weight: 3, arbitrary: fc.tuple(fc.constant('HINCRBY'), hash, field, fc.constantFrom('7', '-2', '9007199254740993')) },
  { weight: 1, arbitrary: fc.tuple(fc.constant('HINCRBYFLOAT'), hash, field, fc.constantFrom('0.1', '-2.5')) },
  {
    weight: 3,
    arbitrary: fc.tuple(
      fc.constant('HPEXPIRE'),
      hash,
      fc.constantFrom('5', '300', '9000'),
      fc.constant('FIELDS'),
      fc.constant('1'),
      field,
    ),
  },
  { weight: 1, arbitrary: fc.tuple(fc.constant('HPERSIST'), hash, fc.constant('FIELDS'), fc.constant('1'), field) },
  {
    weight: 1,
    arbitrary: fc.tuple(
      fc.constant('HSETEX'),
      hash,
      fc.constant('PX'),
      fc.constantFrom('5', '300'),
      fc.constant('FIELDS'),
      fc.constant('2'),
      field,
      value,
      field,
      value,
    ),
  },
  {
    weight: 1,
    arbitrary: fc.tuple(
      fc.constant('HSETEX'),
      hash,
      fc.constant('KEEPTTL'),
      fc.constant('FIELDS'),
      fc.constant('2'),
      field,
      value,
      field,
      value,
    ),
  },
  { weight: 4, arbitrary: fc.tuple(fc.constantFrom('SADD', 'SREM'), set, field) },
  { weight: 1, arbitrary: fc.tuple(fc.constantFrom('SADD', 'SREM'), set, field, field, field) },
  { weight: 1, arbitrary: fc.tuple(fc.constant('SPOP'), set) },
  { weight: 1, arbitrary: fc.tuple(fc.constant('SMOVE'), set, set, field) },
  { weight: 1, arbitrary: fc.tuple(fc.constantFrom('SUNIONSTORE', 'SDIFFSTORE', 'SINTERSTORE'), set, set, set) },
  { weight: 1, arbitrary: fc.tuple(fc.constant('DEL'), fc.oneof(hash, set)) },
  { weight: 1, arbitrary: fc.tuple(fc.constant('PEXPIRE'), fc.oneof(hash, set), fc.constantFrom('5', '1000')) },
  { weight: 1, arbitrary: fc.tuple(fc.constant('RENAME'), hash, hash) },
)
const step = fc.oneof(
  { weight: 6, arbitrary: fc.record({ member: fc.nat(2), command }) },
  { weight: 2, arbitrary: fc.record({ from: fc.nat(2), to: fc.nat(2) }) },
  { weight: 1, arbitrary: fc.record({ wait: fc.constantFrom(1, 6, 150, 1100) }) },
)

/** Everything that clients see of the keys. */
function shown({ run }: { run: EngineHarness['run'] }): unknown[] {
  const hashes = HASHES.map((key) => {
    const all = run('HGETALL', key) as string[]
    const fields = Array.from({ length: all.length / 2 }, (_, i) => [all[i * 2], all[i * 2 + 1]]).sort()
    const times = fields.map(([name]) => run('HPEXPIRETIME', key, 'FIELDS', '1', name))
    return [fields, times, run('HLEN', key), run('TYPE', key)]
  })
  const sets = SETS.map((key) => [(run('SMEMBERS', key) as string[]).sort(), run('SCARD', key), run('TYPE', key)])
  return [hashes, sets, run('CRDT.DIGEST')]
}

describe('hashes and sets in three members', () => {
  it('end alike everywhere, and so does a member that recovers from its log', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const mesh = new Mesh()
        for (const each of steps) {
          if ('command' in each) mesh.members[each.member].run(...each.command)
          else if ('wait' in each) mesh.wait(each.wait)
          else mesh.deliver(each.from, each.to)
        }
        mesh.settle()
        const wanted = shown(bound(mesh.members[0]))
        expect(shown(bound(mesh.members[1]))).toEqual(wanted)
        expect(shown(bound(mesh.members[2]))).toEqual(wanted)
        for (let member = 0; member < 3; member++) {
          expect(shown(bound(mesh.recovered(member))).slice(0, 2)).toEqual(wanted.slice(0, 2))
        }
      }),
      { numRuns: 60 },
    )
  })

  it('lose nothing and keep nothing too long: an add and an update win over a concurrent removal', () => {
    const mesh = new Mesh()
    const [a, b, c] = mesh.members
    a.run('SADD', 's', 'x', 'y')
    a.run('HSET', 'h', 'f', '1', 'g', '1')
    mesh.deliverAll()
    a.run('SREM', 's', 'x', 'y')
    b.run('SADD', 's', 'x')
    a.run('HDEL', 'h', 'f', 'g')
    b.run('HSET', 'h', 'f', '2')
    c.run('DEL', 'h', 's')
    mesh.settle()
    for (const { run } of mesh.members.map(bound)) {
      expect(run('SMEMBERS', 's')).toEqual(['x'])
      expect(run('HGETALL', 'h')).toEqual(['f', '2'])
    }
  })

  it('add up increments, also those that a write had not seen', () => {
    fc.assert(
      fc.property(fc.array(fc.record({ member: fc.nat(2), by: fc.integer({ min: -9, max: 9 }), hear: fc.nat(2) })), (steps) => {
        const mesh = new Mesh()
        let sum = 0
        for (const { member, by, hear } of steps) {
          mesh.members[member].run('HINCRBY', 'h', 'n', String(by))
          mesh.deliver(member, hear)
          sum += by
        }
        mesh.members[0].run('HINCRBY', 'h', 'n', '0')
        mesh.settle()
        for (const { run } of mesh.members.map(bound)) expect(run('HGET', 'h', 'n')).toBe(String(sum))
      }),
      { numRuns: 30 },
    )
    const mesh = new Mesh()
    const [a, b] = mesh.members
    a.run('HINCRBY', 'h', 'n', '10')
    mesh.deliverAll()
    a.run('HSET', 'h', 'n', '0')
    b.run('HINCRBY', 'h', 'n', '3')
    mesh.settle()
    for (const { run } of mesh.members.map(bound)) expect(run('HGET', 'h', 'n')).toBe('3')
    a.run('DEL', 'h')
    b.run('HINCRBY', 'h', 'n', '4')
    mesh.settle()
    for (const { run } of mesh.members.map(bound)) expect(run('HGET', 'h', 'n')).toBe('4')
  })

  it('show the latest of concurrent times of a field', () => {
    const mesh = new Mesh()
    const [a, b, c] = mesh.members
    a.run('HSET', 'h', 'f', '1', 'g', '1')
    mesh.deliverAll()
    a.run('HEXPIRE', 'h', '100', 'FIELDS', '2', 'f', 'g')
    b.run('HEXPIRE', 'h', '500', 'FIELDS', '2', 'f', 'g')
    mesh.deliver(0, 2)
    c.run('HPERSIST', 'h', 'FIELDS', '1', 'g')
    mesh.deliverAll()
    for (const { run } of mesh.members.map(bound)) expect(run('HTTL', 'h', 'FIELDS', '2', 'f', 'g')).toEqual([500, -1])
    mesh.wait(600_000)
    mesh.settle()
    for (const { run } of mesh.members.map(bound)) expect(run('HGETALL', 'h')).toEqual(['g', '1'])
  })

  it('keep no field for ever that survived its time by a concurrent increment', () => {
    const mesh = new Mesh()
    const [a, b] = mesh.members
    a.run('HSET', 'h', 'n', '1')
    a.run('HPEXPIRE', 'h', '1000', 'FIELDS', '1', 'n')
    mesh.deliverAll()
    mesh.wait(900)
    b.run('HINCRBY', 'h', 'n', '5')
    mesh.wait(300)
    mesh.settle()
    for (const { run } of mesh.members.map(bound)) expect(run('EXISTS', 'h')).toBe(0)
  })

  it('are removed by another member when the owner of the time cannot be reached', () => {
    const mesh = new Mesh()
    const [a, b] = mesh.members
    a.run('HSET', 'h', 'f', '1', 'g', '2')
    a.run('HPEXPIRE', 'h', '1000', 'FIELDS', '1', 'f')
    mesh.deliver(0, 1)
    b.clock.advance(2000)
    expect(b.run('HGETALL', 'h')).toEqual(['g', '2'])
    expect(b.engine.statistics.expiredFields).toBe(0)
    b.clock.advance(10_000)
    expect(b.engine.statistics.expiredFields).toBe(1)
  })

  it('leave nothing behind once everything is stable', () => {
    const mesh = new Mesh()
    const [a, b] = mesh.members
    for (let i = 0; i < 50; i++) {
      a.run('HSET', 'h', `f${i}`, '1')
      a.run('HPEXPIRE', 'h', '500', 'FIELDS', '1', `f${i}`)
      b.run('SADD', 's', `m${i}`)
    }
    mesh.deliverAll()
    b.run('DEL', 's')
    mesh.wait(1000)
    for (const member of mesh.members) member.run('SET', 'heard', 'x')
    mesh.settle()
    for (const member of mesh.members) member.run('SET', 'heard', 'y')
    mesh.settle()
    for (const { engine } of mesh.members) {
      let records = 0
      for (let shard = 0; shard < 1024; shard++) records += engine.keyspace.database(0).shardCount(shard)
      expect(records).toBe(1)
      expect(engine.keyspace.database(0).fieldExpiries.count).toBe(0)
    }
  })
})

function bound(harness: EngineHarness): { run: EngineHarness['run'] } {
  return { run: (...args) => harness.run(...args) }
}
