import { describe, expect, it } from 'vitest'
import { KeyType } from '../../../src/keyspace/database.js'
import { EVERYTHING_STABLE } from '../../../src/crdt/apply-context.js'
import { EngineHarness } from '../../support/engine-harness.js'

function mesh(count = 2): EngineHarness[] {
  return Array.from({ length: count }, (_, i) => new EngineHarness({ self: i + 1, solo: false }))
}

function sync(...members: EngineHarness[]): void {
  for (const from of members) for (const to of members) if (from !== to) to.receive(from)
}

const ids = (reply: unknown): unknown => (Array.isArray(reply) ? (reply as [string, unknown][]).map(([id]) => id) : reply)
const read = (member: EngineHarness, group = 'g', ...options: string[]): unknown => {
  const reply = member.run('XREADGROUP', 'GROUP', group, 'c', ...options, 'STREAMS', 's', '>')
  return Array.isArray(reply) ? ids((reply as [string, unknown][])[0][1]) : reply
}

it('what was delivered here, and elsewhere acknowledged and removed, is not pending when a lost disk is filled in another order', () => {
  const [one, two] = mesh()
  for (const id of ['1', '2']) one.run('XADD', 's', id, 'f', 'v')
  one.run('XGROUP', 'CREATE', 's', 'g', '0')
  sync(one, two)
  expect(read(one)).toEqual(['1-1', '2-1'])
  two.run('XACK', 's', 'g', '1-1')
  two.run('XDEL', 's', '1-1')
  const again = mesh()[0]
  again.receive(two)
  again.receive(one)
  one.receive(two)
  for (const member of [one, again]) expect(ids(member.run('XPENDING', 's', 'g', '-', '+', '10'))).toEqual(['2-1'])
})

it('what was claimed by force and then delivered here, and acknowledged elsewhere, is not pending when a lost disk is filled in another order', () => {
  const [one, two] = mesh()
  one.run('XADD', 's', '1', 'f', 'v')
  one.run('XGROUP', 'CREATE', 's', 'g', '0')
  sync(one, two)
  one.run('XCLAIM', 's', 'g', 'c', '0', '1-1', 'FORCE')
  expect(read(one)).toEqual(['1-1'])
  two.run('XACK', 's', 'g', '1-1')
  const again = mesh()[0]
  again.receive(two)
  again.receive(one)
  one.receive(two)
  for (const member of [one, again]) expect(ids(member.run('XPENDING', 's', 'g', '-', '+', '10'))).toEqual([])
})

it('what was delivered here before SETID of another region came is delivered again, also when a lost disk is filled in another order', () => {
  const [one, two] = mesh()
  for (const id of ['1', '2']) one.run('XADD', 's', id, 'f', 'v')
  one.run('XGROUP', 'CREATE', 's', 'g', '0')
  sync(one, two)
  expect(read(one, 'g', 'COUNT', '1')).toEqual(['1-1'])
  expect(read(one, 'g', 'COUNT', '1', 'NOACK')).toEqual(['2-1'])
  two.run('XGROUP', 'SETID', 's', 'g', '0')
  const again = mesh()[0]
  again.receive(two)
  again.receive(one)
  one.receive(two)
  for (const member of [one, again]) expect(read(member)).toEqual(['1-1', '2-1'])
})

describe('IDs in several regions', () => {
  it('end in the region that made them', () => {
    const [, two] = mesh()
    expect(two.run('XADD', 's', '110', 'f', 'v')).toBe('110-2')
    expect(two.run('XADD', 's', '110-*', 'f', 'v')).toBe('110-258')
    const now = two.clock.now
    expect(two.run('XADD', 's', '*', 'f', 'v')).toBe(`${now}-2`)
    expect(two.run('XADD', 's', '*', 'f', 'v')).toBe(`${now}-258`)
    two.clock.now++
    expect(two.run('XADD', 's', '*', 'f', 'v')).toBe(`${now + 1}-2`)
  })

  it('rise above what came from other regions, also with a clock that is behind', () => {
    const [one, two] = mesh()
    one.clock.now += 5000
    expect(one.run('XADD', 's', '*', 'f', 'v')).toBe(`${one.clock.now}-1`)
    sync(one, two)
    expect(two.run('XADD', 's', '*', 'f', 'v')).toBe(`${one.clock.now}-2`)
    sync(one, two)
    expect(one.run('XADD', 's', '*', 'f', 'v')).toBe(`${one.clock.now}-257`)
    expect(one.run('XADD', 's', `${one.clock.now}-256`, 'f', 'v')).toEqual(expect.any(Error))
  })

  it('may be given whole, unless the mode is strict; liberal numbers as Redis does', () => {
    const [one] = mesh()
    const { streams } = one.engine.collections
    expect(one.run('XADD', 's', '5-7', 'f', 'v')).toBe('5-7')
    streams.configure({ ...streams.settings, idMode: 'strict' })
    expect(one.run('XADD', 's', '6-7', 'f', 'v')).toMatchObject({ message: expect.stringContaining('stream-id-mode is strict') })
    expect(one.run('XADD', 's', '6-*', 'f', 'v')).toBe('6-1')
    streams.configure({ ...streams.settings, idMode: 'liberal' })
    expect(one.run('XADD', 's', '7', 'f', 'v')).toBe('7-0')
    expect(one.run('XADD', 's', '7-*', 'f', 'v')).toBe('7-1')
    expect(one.run('XADD', 's', '*', 'f', 'v')).toBe(`${one.clock.now}-0`)
  })

  it('that two regions give alike stand for two entries', () => {
    const [one, two] = mesh()
    one.run('XADD', 's', '5-5', 'f', 'one')
    two.run('XADD', 's', '5-5', 'f', 'two')
    sync(one, two)
    const both = [
      ['5-5', ['f', 'one']],
      ['5-5', ['f', 'two']],
    ]
    for (const member of [one, two]) expect(member.run('XRANGE', 's', '5-5', '5-5')).toEqual(both)
    expect(one.run('XREVRANGE', 's', '+', '-')).toEqual([...both].reverse())
    expect(one.run('XDEL', 's', '5-5')).toBe(1)
    expect(one.run('XLEN', 's')).toBe(0)
  })
})

describe('an ID of two regions', () => {
  it('is referenced as long as one of its entries is', () => {
    const [one, two] = mesh()
    one.run('XADD', 's', '5-5', 'f', 'one')
    one.run('XGROUP', 'CREATE', 's', 'g', '0')
    two.run('XADD', 's', '5-5', 'f', 'two')
    read(one)
    one.run('XACK', 's', 'g', '5-5')
    sync(one, two)
    expect(one.run('XDELEX', 's', 'ACKED', 'IDS', '1', '5-5')).toEqual([2])
    expect(one.run('XLEN', 's')).toBe(2)
    expect(read(one)).toEqual(['5-5'])
    expect(one.run('XACKDEL', 's', 'g', 'ACKED', 'IDS', '1', '5-5')).toEqual([1])
    expect(one.run('XLEN', 's')).toBe(0)
  })

  it('goes out of what is pending with all its entries', () => {
    const [one, two] = mesh()
    one.run('XADD', 's', '5-5', 'f', 'one')
    two.run('XADD', 's', '5-5', 'f', 'two')
    one.run('XGROUP', 'CREATE', 's', 'g', '0')
    sync(one, two)
    expect(read(one)).toEqual(['5-5', '5-5'])
    expect(one.run('XDELEX', 's', 'DELREF', 'IDS', '1', '5-5')).toEqual([1])
    expect(one.run('XPENDING', 's', 'g')).toEqual([0, null, null, null])
  })
})

describe('XCLAIM with LASTID', () => {
  it('comes past what is here of every region, and not past what arrives later', () => {
    const [one, two] = mesh()
    one.run('XADD', 's', '1-1', 'f', 'v')
    one.run('XGROUP', 'CREATE', 's', 'g', '0')
    sync(one, two)
    two.run('XADD', 's', '2-2', 'f', 'v')
    sync(one, two)
    two.run('XADD', 's', '3-2', 'f', 'late')
    expect(one.run('XCLAIM', 's', 'g', 'c', '0', '1-1', 'LASTID', '4-0')).toEqual([])
    expect(one.run('XINFO', 'GROUPS', 's')).toMatchObject([expect.arrayContaining(['last-delivered-id', '4-0', 'lag', 0])])
    sync(one, two)
    expect(read(one)).toEqual(['3-2'])
    expect(read(two)).toEqual(['1-1', '2-2', '3-2'])
    one.run('XADD', 's', '3-3', 'f', 'behind')
    one.run('XADD', 's', '3-4', 'f', 'behind')
    expect(read(one)).toBeNull()
  })
})

describe('removals in several regions', () => {
  it('leave what they had not seen', () => {
    const [one, two] = mesh()
    one.run('XADD', 's', '1-1', 'f', 'v')
    sync(one, two)
    one.run('DEL', 's')
    two.run('XADD', 's', '2-2', 'f', 'v')
    sync(one, two)
    for (const member of [one, two]) {
      expect(ids(member.run('XRANGE', 's', '-', '+'))).toEqual(['2-2'])
      expect(member.run('TYPE', 's')).toBe('stream')
    }
  })

  it('of a stream take its groups along, also one that is made at the same time', () => {
    const [one, two] = mesh()
    one.run('XADD', 's', '1-1', 'f', 'v')
    sync(one, two)
    one.run('DEL', 's')
    two.run('XGROUP', 'CREATE', 's', 'g', '0')
    sync(one, two)
    for (const member of [one, two]) expect(member.run('EXISTS', 's')).toBe(0)
    expect(two.run('XGROUP', 'CREATE', 's', 'g', '0', 'MKSTREAM')).toBe('OK')
    sync(one, two)
    for (const member of [one, two]) expect(member.run('EXISTS', 's')).toBe(1)
  })

  it('of single groups are remembered beyond a removal of the whole database that had seen them', () => {
    const [one, two, three] = mesh(3)
    one.run('XADD', 's', '1-1', 'f', 'v')
    one.run('XGROUP', 'CREATE', 's', 'g', '0')
    sync(one, two, three)
    one.run('DEL', 's')
    three.receive(one)
    two.run('XGROUP', 'DESTROY', 's', 'g')
    one.receive(two)
    // It knows that the stream went, but not that the group was destroyed.
    expect(three.run('XGROUP', 'CREATE', 's', 'g', '0', 'MKSTREAM')).toBe('OK')
    one.run('FLUSHDB')
    sync(one, two, three)
    sync(one, two, three)
    for (const member of [one, two, three]) expect(member.run('EXISTS', 's')).toBe(0)
    expect(one.run('XGROUP', 'CREATE', 's', 'g', '0', 'MKSTREAM')).toBe('OK')
    sync(one, two, three)
    for (const member of [one, two, three]) expect(member.run('XINFO', 'GROUPS', 's')).toHaveLength(1)
  })

  it('of single groups are remembered beyond such a removal behind another type', () => {
    const [one, two, three] = mesh(3)
    one.run('XADD', 's', '1-1', 'f', 'v')
    one.run('XGROUP', 'CREATE', 's', 'g', '0')
    sync(one, two, three)
    one.run('SET', 's', 'v')
    three.receive(one)
    two.run('XGROUP', 'DESTROY', 's', 'g')
    one.receive(two)
    three.run('DEL', 's')
    expect(three.run('XGROUP', 'CREATE', 's', 'g', '0', 'MKSTREAM')).toBe('OK')
    one.run('FLUSHDB')
    sync(one, two, three)
    sync(one, two, three)
    for (const member of [one, two, three]) expect(member.run('EXISTS', 's')).toBe(0)
  })

  it('leave nothing behind once they are stable', () => {
    const [one] = mesh(1)
    const db = one.engine.keyspace.database(0)
    one.run('SET', 'other', 'v')
    const before = db.arena.usedBytes
    for (let i = 1; i <= 300; i++) one.run('XADD', 's', `${i}-1`, 'field', 'x'.repeat(50))
    one.run('XGROUP', 'CREATE', 's', 'g', '0')
    read(one)
    one.run('XGROUP', 'DESTROY', 's', 'g')
    one.run('XGROUP', 'CREATE', 's', 'h', '0')
    read(one, 'h')
    one.run('DEL', 's')
    expect(one.run('TYPE', 's')).toBe('none')
    one.engine.keyspace.stability = EVERYTHING_STABLE
    one.engine.keyspace.unsettledCount = 1
    for (let table = 0; table < db.unsettled.length; table++) one.engine.keys.settleTable(db, table)
    while (one.engine.keyspace.reclaimer.step());
    expect(db.arena.usedBytes).toBe(before)
    expect(db.hiddenCount).toBe(0)
  })
})

describe('a group in several regions', () => {
  it('is one when two make it at the same time, from the lower start, and what was read is not read again', () => {
    const [one, two] = mesh()
    for (const id of ['1-1', '2-1', '3-1']) one.run('XADD', 's', id, 'f', 'v')
    sync(one, two)
    one.run('XGROUP', 'CREATE', 's', 'g', '2')
    expect(read(one)).toEqual(['2-1', '3-1'])
    two.run('XGROUP', 'CREATE', 's', 'g', '0')
    sync(one, two)
    expect(read(one)).toEqual(['1-1'])
    expect(read(one)).toBeNull()
    expect(read(two)).toEqual(['1-1', '2-1', '3-1'])
  })

  it('reads an entry that arrives late from another region', () => {
    const [one, two] = mesh()
    one.run('XGROUP', 'CREATE', 's', 'g', '0', 'MKSTREAM')
    sync(one, two)
    two.run('XADD', 's', '5-2', 'f', 'v')
    one.run('XADD', 's', '9-1', 'f', 'v')
    expect(read(one)).toEqual(['9-1'])
    sync(one, two)
    expect(read(one)).toEqual(['5-2'])
    expect(read(two)).toEqual(['5-2', '9-1'])
    expect(read(one)).toBeNull()
  })

  it('does not read again what was acknowledged elsewhere, in whatever order', () => {
    const [one, two] = mesh()
    one.run('XGROUP', 'CREATE', 's', 'g', '0', 'MKSTREAM')
    for (let i = 1; i <= 20; i++) one.run('XADD', 's', `${i}-1`, 'f', 'v')
    expect(read(one)).toHaveLength(20)
    for (const i of [3, 2, 7, 1, 20, 5, 6]) expect(one.run('XACK', 's', 'g', `${i}-1`)).toBe(1)
    sync(one, two)
    expect(read(two, 'g', 'COUNT', '3')).toEqual(['4-1', '8-1', '9-1'])
    expect(read(two)).toEqual([10, 11, 12, 13, 14, 15, 16, 17, 18, 19].map((i) => `${i}-1`))
    expect(read(two)).toBeNull()
  })

  it('lets one region acknowledge what another has delivered', () => {
    const [one, two] = mesh()
    one.run('XGROUP', 'CREATE', 's', 'g', '0', 'MKSTREAM')
    one.run('XADD', 's', '1-1', 'f', 'v')
    one.run('XADD', 's', '2-1', 'f', 'v')
    expect(read(one)).toEqual(['1-1', '2-1'])
    sync(one, two)
    expect(two.run('XACK', 's', 'g', '1-1')).toBe(1)
    expect(two.run('XACK', 's', 'g', '1-1')).toBe(0)
    sync(one, two)
    expect(one.run('XPENDING', 's', 'g')).toEqual([1, '2-1', '2-1', [['c', '1']]])
    expect(read(two)).toEqual(['2-1'])
  })

  it('counts what is read without acknowledgement as done everywhere', () => {
    const [one, two] = mesh()
    one.run('XGROUP', 'CREATE', 's', 'g', '0', 'MKSTREAM')
    one.run('XADD', 's', '1-1', 'f', 'v')
    expect(read(one, 'g', 'NOACK')).toEqual(['1-1'])
    sync(one, two)
    expect(read(two)).toBeNull()
  })

  it('goes on for all where SETID says, whatever was acknowledged before or at the same time', () => {
    const [one, two] = mesh()
    one.run('XGROUP', 'CREATE', 's', 'g', '0', 'MKSTREAM')
    for (const i of [1, 2, 3]) one.run('XADD', 's', `${i}-1`, 'f', 'v')
    expect(read(one)).toHaveLength(3)
    one.run('XACK', 's', 'g', '1-1')
    sync(one, two)
    two.run('XGROUP', 'SETID', 's', 'g', '0')
    one.run('XACK', 's', 'g', '2-1')
    sync(one, two)
    expect(read(one)).toEqual(['1-1', '2-1', '3-1'])
    expect(read(two)).toEqual(['1-1', '2-1', '3-1'])
    expect(one.run('XINFO', 'GROUPS', 's')).toMatchObject([expect.arrayContaining(['last-delivered-id', '3-1', 'lag', 0])])
  })

  it('is destroyed for all, whatever is done with it at the same time', () => {
    const [one, two] = mesh()
    one.run('XGROUP', 'CREATE', 's', 'g', '0', 'MKSTREAM')
    one.run('XADD', 's', '1-1', 'f', 'v')
    sync(one, two)
    one.run('XGROUP', 'DESTROY', 's', 'g')
    expect(read(two)).toEqual(['1-1'])
    two.run('XGROUP', 'SETID', 's', 'g', '0')
    sync(one, two)
    for (const member of [one, two]) expect(member.run('XINFO', 'GROUPS', 's')).toEqual([])
    two.run('XGROUP', 'CREATE', 's', 'g', '0')
    sync(one, two)
    expect(read(one)).toEqual(['1-1'])
  })

  it('keeps consumers and what they have pending at home', () => {
    const [one, two] = mesh()
    one.run('XGROUP', 'CREATE', 's', 'g', '0', 'MKSTREAM')
    one.run('XADD', 's', '1-1', 'f', 'v')
    read(one)
    one.run('XGROUP', 'CREATECONSUMER', 's', 'g', 'idle')
    sync(one, two)
    expect(one.run('XINFO', 'CONSUMERS', 's', 'g')).toHaveLength(2)
    expect(two.run('XINFO', 'CONSUMERS', 's', 'g')).toEqual([])
    expect(two.run('XPENDING', 's', 'g')).toEqual([0, null, null, null])
  })

  it('wakes a reader that waits when an entry arrives from another region', () => {
    const [one, two] = mesh()
    one.run('XGROUP', 'CREATE', 's', 'g', '0', 'MKSTREAM')
    const waiting = one.newSession()
    expect(one.raw(['XREADGROUP', 'GROUP', 'g', 'c', 'BLOCK', '0', 'STREAMS', 's', '>'], waiting)).toBe('')
    two.run('XADD', 's', '1-2', 'f', 'v')
    sync(one, two)
    one.clock.advance(1)
    expect(one.run('XPENDING', 's', 'g')).toEqual([1, '1-2', '1-2', [['c', '1']]])
  })

  it('moves with its stream', () => {
    const [one, two] = mesh()
    one.run('XGROUP', 'CREATE', 's', 'g', '0', 'MKSTREAM')
    two.run('XADD', 's', '5-5', 'f', 'two')
    one.run('XADD', 's', '5-5', 'f', 'one')
    sync(one, two)
    expect(read(one, 'g', 'COUNT', '1')).toEqual(['5-5'])
    expect(one.run('RENAME', 's', 't')).toBe('OK')
    one.run('RENAME', 't', 's')
    sync(one, two)
    for (const member of [one, two]) {
      expect(member.run('XRANGE', 's', '-', '+')).toEqual([
        ['5-5', ['f', 'one']],
        ['5-6', ['f', 'two']],
      ])
    }
    expect(one.run('XPENDING', 's', 'g')).toEqual([1, '5-5', '5-5', [['c', '1']]])
    expect(one.engine.keyspace.database(0).type(one.engine.keyspace.database(0).lookup(Buffer.from('s'), 0, 1))).toBe(
      KeyType.stream,
    )
  })

  it('moves with its stream what is pending and has been deleted', () => {
    const [one, two] = mesh()
    one.run('XGROUP', 'CREATE', 's', 'g', '0', 'MKSTREAM')
    two.run('XADD', 's', '5-5', 'f', 'two')
    one.run('XADD', 's', '5-5', 'f', 'one')
    sync(one, two)
    expect(read(one)).toEqual(['5-5', '5-5'])
    one.run('XDEL', 's', '5-5')
    expect(one.run('RENAME', 's', 't')).toBe('OK')
    expect(one.run('COPY', 't', 's')).toBe(1)
    // What two entries have in common is one ID.
    const pending = [1, '5-5', '5-5', [['c', '1']]]
    for (const key of ['s', 't']) expect(one.run('XPENDING', key, 'g')).toEqual(pending)
    sync(one, two)
    for (const key of ['s', 't']) expect(two.run('XINFO', 'GROUPS', key)).toHaveLength(1)
    const restarted = new EngineHarness({ self: 1, solo: false })
    for (const frame of one.log.frames) restarted.engine.replay.apply(frame)
    for (const key of ['s', 't']) expect(restarted.run('XPENDING', key, 'g')).toEqual(pending)
  })

  it('moves with its stream what entries of one ID are: each has an ID of its own then, pending under it, and what was read is not new', () => {
    const [one, two] = mesh()
    one.run('XGROUP', 'CREATE', 's', 'g', '0', 'MKSTREAM')
    two.run('XADD', 's', '5-5', 'f', 'two')
    one.run('XADD', 's', '5-5', 'f', 'one')
    one.run('XADD', 's', '5-6', 'f', 'next')
    sync(one, two)
    expect(read(one)).toEqual(['5-5', '5-5', '5-6'])
    one.run('XACK', 's', 'g', '5-6')
    one.run('RENAME', 's', 't')
    sync(one, two)
    for (const member of [one, two]) expect(ids(member.run('XRANGE', 't', '-', '+'))).toEqual(['5-5', '5-6', '5-7'])
    expect(one.run('XPENDING', 't', 'g')).toEqual([2, '5-5', '5-7', [['c', '2']]])
    expect(one.run('XREADGROUP', 'GROUP', 'g', 'c', 'STREAMS', 't', '>')).toBeNull()
    expect(one.run('XADD', 't', '5-7', 'f', 'v')).toEqual(expect.any(Error))
  })

  it('is the same everywhere after two have copied entries of one ID to one key at the same time', () => {
    const [one, two] = mesh()
    two.run('XADD', 's', '5-5', 'f', 'two')
    one.run('XADD', 's', '5-5', 'f', 'one')
    sync(one, two)
    one.run('COPY', 's', 't')
    two.run('COPY', 's', 't')
    sync(one, two)
    const entries = [
      ['5-5', ['f', 'one']],
      ['5-5', ['f', 'one']],
      ['5-6', ['f', 'two']],
      ['5-6', ['f', 'two']],
    ]
    for (const member of [one, two]) expect(member.run('XRANGE', 't', '-', '+')).toEqual(entries)
  })

  it('moves with its stream when its consumers were seen and got something, also for a restart', () => {
    const one = new EngineHarness({ self: 1 })
    one.run('XGROUP', 'CREATE', 's', 'g', '0', 'MKSTREAM')
    one.run('XGROUP', 'CREATECONSUMER', 's', 'g', 'never')
    one.run('XADD', 's', '5-5', 'f', 'v')
    read(one)
    one.clock.now += 1000
    read(one)
    one.clock.now += 500
    one.run('RENAME', 's', 't')
    one.run('COPY', 't', 'u')
    one.run('RESTORE', 'v', '0', Buffer.from(String(one.run('DUMP', 't')), 'latin1'))
    const restarted = new EngineHarness({ self: 1 })
    for (const frame of one.log.frames) restarted.engine.replay.apply(frame)
    for (const member of [one, restarted]) {
      member.clock.now = one.clock.now
      for (const key of ['t', 'u', 'v']) {
        expect(member.run('XINFO', 'CONSUMERS', key, 'g')).toEqual([
          ['name', 'c', 'pending', 1, 'idle', 500, 'inactive', 1500],
          ['name', 'never', 'pending', 0, 'idle', 1500, 'inactive', -1],
        ])
      }
    }
  })
})

describe('a message of a producer', () => {
  const send = (member: EngineHarness, name: string): unknown => member.run('XADD', 's', 'IDMP', 'p', name, '*', 'f', 'v')
  const digest = (member: EngineHarness): unknown => member.run('CRDT.DIGEST')

  it('is known in another region as soon as its entry is there', () => {
    const [one, two] = mesh()
    const first = send(one, '1')
    sync(one, two)
    two.clock.advance(5)
    expect(send(two, '1')).toBe(first)
    expect(two.run('XLEN', 's')).toBe(1)
    expect(digest(two)).toEqual(digest(one))
  })

  it('that two regions take at the same time is two entries, and the lower ID everywhere from then on', () => {
    const [one, two] = mesh()
    two.clock.advance(5)
    const first = send(one, '1')
    expect(send(two, '1')).not.toBe(first)
    sync(one, two)
    for (const member of [one, two]) {
      expect(send(member, '1')).toBe(first)
      expect(member.run('XLEN', 's')).toBe(2)
    }
    expect(digest(two)).toEqual(digest(one))
  })

  it('is forgotten with the stream where the removal had seen it, and only there', () => {
    const [one, two] = mesh()
    const first = send(one, '1')
    sync(one, two)
    one.run('DEL', 's')
    two.clock.advance(5)
    const second = send(two, '2')
    sync(one, two)
    for (const member of [one, two]) expect(send(member, '2')).toBe(second)
    one.clock.advance(50)
    expect(send(one, '1')).not.toBe(first)
    sync(one, two)
    expect(digest(two)).toEqual(digest(one))
  })

  it('is known as the newest settings say, whatever order they come in and whatever is removed', () => {
    const [one, two] = mesh()
    send(one, '1')
    sync(one, two)
    two.run('XCFGSET', 's', 'IDMP-MAXSIZE', '7')
    one.clock.advance(5)
    one.run('XCFGSET', 's', 'IDMP-MAXSIZE', '9')
    one.run('DEL', 's')
    send(two, '2')
    sync(one, two)
    for (const member of [one, two]) {
      const info = member.run('XINFO', 'STREAM', 's') as unknown[]
      expect(info[info.indexOf('idmp-maxsize') + 1]).toBe(7)
    }
    expect(digest(two)).toEqual(digest(one))
  })

  it('is bounded by what is live, and dropped once it is stable', () => {
    const [one, two] = mesh()
    one.run('XADD', 's', '*', 'f', 'v')
    one.run('XCFGSET', 's', 'IDMP-MAXSIZE', '2')
    for (let n = 0; n < 50; n++) send(one, `${n}`)
    sync(one, two)
    for (const member of [one, two]) {
      const info = member.run('XINFO', 'STREAM', 's') as unknown[]
      expect(info[info.indexOf('iids-tracked') + 1]).toBe(2)
    }
    const before = Number(one.run('MEMORY', 'USAGE', 's'))
    one.engine.keyspace.stability = EVERYTHING_STABLE
    send(one, 'more')
    send(one, 'and more')
    send(one, 'most')
    send(one, 'the last')
    sync(one, two)
    expect(Number(one.run('MEMORY', 'USAGE', 's'))).toBeLessThan(before)
    expect(digest(two)).toEqual(digest(one))
  })
})
