import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { EVERYTHING_STABLE } from '../../src/crdt/apply-context.js'
import { TABLE_COUNT } from '../../src/keyspace/database.js'
import { digestOf } from '../../src/keyspace/digest.js'
import { EngineHarness, ManualClock } from '../support/engine-harness.js'

function members(count: number): EngineHarness[] {
  const clock = new ManualClock()
  return Array.from({ length: count }, (_, i) => new EngineHarness({ self: i + 1, solo: false }, clock))
}

/** Everyone hears everything, in an order that respects who had seen what. */
function exchange(all: readonly EngineHarness[]): void {
  for (let round = 0; round < 2; round++) for (const to of all) for (const from of all) if (from !== to) to.receive(from)
}

function digest(h: EngineHarness): string {
  return digestOf(h.engine.keyspace, h.engine)
}

/** Everything has arrived everywhere: what only waits for that may go. */
function settle(h: EngineHarness): void {
  h.engine.keyspace.stability = EVERYTHING_STABLE
  const db = h.engine.keyspace.database(0)
  for (let table = 0; table < TABLE_COUNT; table++) {
    db.unsettled[table] = 1
    h.engine.keys.settleTable(db, table)
  }
}

describe('one key written as two types at the same time', () => {
  function conflict(): EngineHarness[] {
    const all = members(3)
    const [a, b] = all
    a.run('SET', 'k', 'text')
    a.clock.advance(5)
    b.run('SADD', 'k', 'member')
    exchange(all)
    return all
  }

  it('shows the type with the newest write everywhere', () => {
    for (const h of conflict()) {
      expect(h.run('TYPE', 'k')).toBe('set')
      expect(h.raw(['GET', 'k'])).toMatch(/^-WRONGTYPE /)
      expect(h.run('DBSIZE')).toBe(1)
    }
  })

  it('costs only keys of its own shard', () => {
    for (const h of conflict()) {
      const db = h.engine.keyspace.database(0)
      const hides = (name: string) => db.mayHide(Buffer.from(name), 0, name.length)
      expect([hides('k'), hides('other'), hides('another')]).toEqual([true, false, false])
      h.run('SET', 'k', 'of one type')
      settle(h)
      expect(hides('k')).toBe(false)
    }
  })

  it('has one digest', () => {
    const [a, b, c] = conflict()
    expect(digest(b)).toBe(digest(a))
    expect(digest(c)).toBe(digest(a))
  })

  it('is flushed as a whole, also counters that stand behind another type', () => {
    const all = members(2)
    const [a, b] = all
    b.run('INCR', 'k')
    a.clock.advance(5)
    a.run('HINCRBY', 'k', 'field', '2')
    exchange(all)
    expect(a.run('TYPE', 'k')).toBe('hash')
    // With something that the flush has not seen the database cannot simply be emptied.
    b.run('SET', 'other', 'x')
    a.run('FLUSHDB')
    exchange(all)
    for (const h of all) {
      expect(h.run('TYPE', 'k')).toBe('none')
      expect(h.run('DBSIZE')).toBe(1)
    }
    expect(digest(b)).toBe(digest(a))
  })

  it('loses the other type by the next local write', () => {
    const all = conflict()
    const [a, b] = all
    a.run('SADD', 'k', 'second')
    b.receive(a)
    a.run('SREM', 'k', 'member', 'second')
    exchange(all)
    for (const h of all) expect(h.run('EXISTS', 'k')).toBe(0)
  })

  it('loses both by DEL', () => {
    const all = conflict()
    all[2].run('DEL', 'k')
    exchange(all)
    for (const h of all) {
      expect(h.run('EXISTS', 'k')).toBe(0)
      settle(h)
      expect(h.engine.keyspace.database(0).hiddenCount).toBe(0)
    }
  })

  it('shows the older type again when the newer is removed by someone who had not seen the older', () => {
    const all = members(3)
    const [a, b, c] = all
    a.run('SET', 'k', 'text')
    a.clock.advance(5)
    b.run('SADD', 'k', 'member')
    c.receive(b)
    c.run('DEL', 'k')
    b.receive(a)
    expect(b.run('TYPE', 'k')).toBe('set')
    exchange(all)
    for (const h of all) expect(h.run('GET', 'k')).toBe('text')
  })

  it('keeps one expiry for the key, whatever is visible', () => {
    const all = members(2)
    const [a, b] = all
    a.run('SET', 'k', 'text', 'PX', '5000')
    a.clock.advance(5)
    b.run('SADD', 'k', 'member')
    exchange(all)
    for (const h of all) expect([h.run('TYPE', 'k'), h.run('PTTL', 'k')]).toEqual(['set', 4995])
    a.clock.advance(6000)
    for (const h of all) expect(h.run('EXISTS', 'k')).toBe(0)
  })

  it('is settled by a SET that sees both', () => {
    const all = conflict()
    all[1].run('SET', 'k', 'new')
    exchange(all)
    for (const h of all) {
      expect(h.run('GET', 'k')).toBe('new')
      expect(h.engine.keyspace.database(0).hiddenCount).toBe(0)
    }
  })

  it('goes with its database', () => {
    const all = conflict()
    all[0].run('FLUSHDB')
    exchange(all)
    for (const h of all) expect(h.run('DBSIZE')).toBe(0)
  })
})

const key = fc.constantFrom('a', 'b')
const member = fc.constantFrom('x', 'y', 'z')
const command = fc.oneof(
  fc.tuple(fc.constant('SET'), key, fc.constantFrom('1', 'text')),
  fc.tuple(fc.constant('SET'), key, fc.constant('2'), fc.constant('KEEPTTL')),
  fc.tuple(fc.constant('INCR'), key),
  fc.tuple(fc.constant('APPEND'), key, fc.constant('+')),
  fc.tuple(fc.constant('SADD'), key, member),
  fc.tuple(fc.constant('SADD'), key, member),
  fc.tuple(fc.constant('SREM'), key, member),
  fc.tuple(fc.constant('PFADD'), key, member),
  fc.tuple(fc.constant('HSET'), key, member, fc.constant('v')),
  fc.tuple(fc.constant('HINCRBY'), key, member, fc.constant('3')),
  fc.tuple(fc.constant('HDEL'), key, member),
  fc.tuple(fc.constant('HPEXPIRE'), key, fc.constant('30'), fc.constant('FIELDS'), fc.constant('1'), member),
  fc.tuple(fc.constant('ZADD'), key, fc.constant('1'), member),
  fc.tuple(fc.constant('ZINCRBY'), key, fc.constant('2'), member),
  fc.tuple(fc.constant('ZREM'), key, member),
  fc.tuple(fc.constant('RPUSH'), key, member),
  fc.tuple(fc.constant('LPOP'), key),
  fc.tuple(fc.constant('XADD'), key, fc.constant('*'), member, fc.constant('v')),
  fc.tuple(fc.constant('XTRIM'), key, fc.constant('MAXLEN'), fc.constant('1')),
  fc.tuple(fc.constant('DEL'), key),
  fc.tuple(fc.constant('PEXPIRE'), key, fc.constantFrom('20', '5000')),
  fc.tuple(fc.constant('PERSIST'), key),
  fc.tuple(fc.constant('RENAME'), key, key),
  fc.tuple(fc.constant('FLUSHDB')),
)
const step = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('run' as const), at: fc.nat(2), args: command, ms: fc.nat(15) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('hear' as const), at: fc.nat(2), from: fc.nat(2) }) },
)

describe('types in conflict, at random', () => {
  it('look the same everywhere in the end, also to one who applies everything again', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const all = members(3)
        for (const each of steps) {
          const h = all[each.at]
          if (each.kind === 'hear') {
            if (each.from !== each.at) h.receive(all[each.from])
            continue
          }
          h.clock.advance(each.ms)
          h.run(...each.args)
        }
        exchange(all)
        // Replays over the newer state, as recovery from a snapshot does.
        const again = new EngineHarness({ self: 9, solo: false }, all[0].clock)
        again.receive(all[0])
        for (const frame of all[0].log.frames) again.engine.remote.apply(frame)
        const seen = (h: EngineHarness): unknown => [digest(h), h.run('DBSIZE'), h.run('TYPE', 'a'), h.run('TYPE', 'b')]
        const expected = seen(all[0])
        for (const h of [...all.slice(1), again]) expect(seen(h)).toEqual(expected)
        // What is due is removed by whoever owns it; after that only what is visible may be left.
        all[0].clock.advance(30_000)
        exchange(all)
        for (const h of all) settle(h)
        const settled = seen(all[0])
        for (const h of all.slice(1)) expect(seen(h)).toEqual(settled)
        expect(all.map((h) => h.engine.keyspace.database(0).hiddenCount === 0 || h.run('DBSIZE') !== 0)).not.toContain(false)
      }),
      { numRuns: 60 },
    )
  })
})
