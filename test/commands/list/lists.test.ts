import { describe, expect, it } from 'vitest'
import { parseNotificationClasses } from '../../../src/base/notification-classes.js'
import { EngineHarness } from '../../support/engine-harness.js'
import { ReceivingSession } from '../../support/ticking-clock.js'

const WRONG_TYPE = '-WRONGTYPE Operation against a key holding the wrong kind of value\r\n'
const SYNTAX = '-ERR syntax error\r\n'
const NOT_INTEGER = '-ERR value is not an integer or out of range\r\n'

function filled(...items: string[]): EngineHarness {
  const h = new EngineHarness()
  if (items.length > 0) h.run('RPUSH', 'k', ...items)
  h.run('SET', 'text', 'v')
  return h
}

function list(h: EngineHarness, key = 'k'): unknown {
  return h.run('LRANGE', key, '0', '-1')
}

describe('pushes', () => {
  it('put one element after the other at their end', () => {
    const h = new EngineHarness()
    expect([h.run('LPUSH', 'k', 'a', 'b'), h.run('RPUSH', 'k', 'c', 'd')]).toEqual([2, 4])
    expect(list(h)).toEqual(['b', 'a', 'c', 'd'])
    expect([h.run('LPUSHX', 'none', 'a'), h.run('RPUSHX', 'none', 'a'), h.run('EXISTS', 'none')]).toEqual([0, 0, 0])
    expect([h.run('LPUSHX', 'k', 'x', 'y'), h.run('RPUSHX', 'k', 'z')]).toEqual([6, 7])
    expect(list(h)).toEqual(['y', 'x', 'b', 'a', 'c', 'd', 'z'])
  })
})

describe('pops', () => {
  it('answer null without a list, an array when a count was given', () => {
    const h = filled('a', 'b', 'c', 'd')
    expect([h.raw(['LPOP', 'none']), h.raw(['RPOP', 'none', '0'])]).toEqual(['$-1\r\n', '*-1\r\n'])
    expect([h.run('LPOP', 'k'), h.run('RPOP', 'k'), h.run('LPOP', 'k', '0'), h.run('RPOP', 'k', '9')]).toEqual([
      'a',
      'd',
      [],
      ['c', 'b'],
    ])
    expect(h.run('EXISTS', 'k')).toBe(0)
  })

  it('refuse counts that are none', () => {
    const h = filled('a')
    for (const count of ['-1', 'x', '1.5'])
      expect(h.raw(['LPOP', 'k', count])).toBe('-ERR value is out of range, must be positive\r\n')
    expect(h.raw(['LPOP', 'k', '1', '1'])).toBe("-ERR wrong number of arguments for 'lpop' command\r\n")
    expect(h.raw(['LPOP', 'text'])).toBe(WRONG_TYPE)
  })

  it('LMPOP takes the first list that is there', () => {
    const h = filled('a', 'b', 'c')
    expect(h.raw(['LMPOP', '1', 'none', 'LEFT'])).toBe('*-1\r\n')
    expect(h.run('LMPOP', '2', 'none', 'k', 'RIGHT', 'COUNT', '2')).toEqual(['k', ['c', 'b']])
    expect(h.raw(['LMPOP', '0', 'k', 'LEFT'])).toBe('-ERR numkeys should be greater than 0\r\n')
    expect(h.raw(['LMPOP', '2', 'k', 'LEFT'])).toBe(SYNTAX)
    expect(h.raw(['LMPOP', '1', 'k', 'UP'])).toBe(SYNTAX)
    expect(h.raw(['LMPOP', '1', 'k', 'LEFT', 'COUNT', '0'])).toBe('-ERR count should be greater than 0\r\n')
    expect(h.raw(['LMPOP', '1', 'k', 'LEFT', 'COUNT', '1', 'COUNT', '1'])).toBe(SYNTAX)
    expect(h.raw(['LMPOP', '2', 'text', 'k', 'LEFT'])).toBe(WRONG_TYPE)
    expect(list(h)).toEqual(['a'])
  })
})

describe('reads', () => {
  it('count indexes from either end', () => {
    const h = filled('a', 'b', 'c', 'd')
    expect(h.run('LRANGE', 'k', '1', '-2')).toEqual(['b', 'c'])
    expect(h.run('LRANGE', 'k', '-100', '100')).toEqual(['a', 'b', 'c', 'd'])
    expect(h.run('LRANGE', 'k', '3', '2')).toEqual([])
    expect(h.run('LRANGE', 'none', '0', '-1')).toEqual([])
    expect([h.run('LINDEX', 'k', '0'), h.run('LINDEX', 'k', '-1'), h.run('LINDEX', 'k', '4')]).toEqual(['a', 'd', null])
    expect([h.run('LLEN', 'k'), h.run('LLEN', 'none'), h.raw(['LLEN', 'text'])]).toEqual([4, 0, WRONG_TYPE])
    // Redis looks for the key first here, for the range first there.
    expect([h.raw(['LINDEX', 'none', 'x']), h.raw(['LRANGE', 'none', 'x', '1'])]).toEqual(['$-1\r\n', NOT_INTEGER])
  })

  it('LPOS looks from either end, for several matches, among the first elements only', () => {
    const h = filled('a', 'b', 'c', 'b', 'b')
    expect([h.run('LPOS', 'k', 'b'), h.run('LPOS', 'k', 'x'), h.run('LPOS', 'none', 'b')]).toEqual([1, null, null])
    expect([h.run('LPOS', 'k', 'b', 'RANK', '2'), h.run('LPOS', 'k', 'b', 'RANK', '-1')]).toEqual([3, 4])
    expect(h.run('LPOS', 'k', 'b', 'COUNT', '0')).toEqual([1, 3, 4])
    expect(h.run('LPOS', 'k', 'b', 'RANK', '-1', 'COUNT', '2')).toEqual([4, 3])
    expect(h.run('LPOS', 'k', 'b', 'COUNT', '0', 'MAXLEN', '4')).toEqual([1, 3])
    expect(h.run('LPOS', 'none', 'b', 'COUNT', '1')).toEqual([])
    expect(h.raw(['LPOS', 'k', 'b', 'RANK', '0'])).toMatch(/^-ERR RANK can't be zero: /)
    expect(h.raw(['LPOS', 'k', 'b', 'RANK', '-9223372036854775808'])).toBe(
      '-ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807\r\n',
    )
    expect(h.raw(['LPOS', 'k', 'b', 'COUNT', '-1'])).toBe("-ERR COUNT can't be negative\r\n")
    expect(h.raw(['LPOS', 'k', 'b', 'MAXLEN', 'x'])).toBe("-ERR MAXLEN can't be negative\r\n")
    expect(h.raw(['LPOS', 'k', 'b', 'MAXLEN'])).toBe(SYNTAX)
  })
})

describe('changes inside', () => {
  it('LSET, LINSERT', () => {
    const h = filled('a', 'b', 'c')
    expect([
      h.run('LSET', 'k', '-1', 'z'),
      h.run('LINSERT', 'k', 'BEFORE', 'b', 'x'),
      h.run('LINSERT', 'k', 'after', 'z', 'y'),
    ]).toEqual(['OK', 4, 5])
    expect(list(h)).toEqual(['a', 'x', 'b', 'z', 'y'])
    expect(h.raw(['LSET', 'none', 'x', 'v'])).toBe('-ERR no such key\r\n')
    expect(h.raw(['LSET', 'k', 'x', 'v'])).toBe(NOT_INTEGER)
    expect(h.raw(['LSET', 'k', '5', 'v'])).toBe('-ERR index out of range\r\n')
    expect([h.run('LINSERT', 'k', 'AFTER', 'none', 'v'), h.run('LINSERT', 'none', 'AFTER', 'a', 'v')]).toEqual([-1, 0])
    expect(h.raw(['LINSERT', 'k', 'AT', 'a', 'v'])).toBe(SYNTAX)
  })

  it('LREM removes from the beginning, from the end, or all', () => {
    const h = filled('x', 'a', 'x', 'x', 'b', 'x')
    expect(h.run('LREM', 'k', '-1', 'x')).toBe(1)
    expect(list(h)).toEqual(['x', 'a', 'x', 'x', 'b'])
    expect(h.run('LREM', 'k', '2', 'x')).toBe(2)
    expect(list(h)).toEqual(['a', 'x', 'b'])
    expect([h.run('LREM', 'k', '0', 'none'), h.run('LREM', 'none', '0', 'x')]).toEqual([0, 0])
  })

  it('LTRIM', () => {
    const h = filled('a', 'b', 'c', 'd')
    expect(h.run('LTRIM', 'k', '1', '-2')).toBe('OK')
    expect(list(h)).toEqual(['b', 'c'])
    expect([h.run('LTRIM', 'k', '5', '9'), h.run('EXISTS', 'k'), h.run('LTRIM', 'none', '0', '0')]).toEqual(['OK', 0, 'OK'])
  })

  it('go on when one gap is halved without end, and then keep expiry and order', () => {
    const h = filled('first', 'last')
    h.run('PEXPIRE', 'k', '1000')
    const model = ['first', 'last']
    // Always between the two elements that were put in last: every second one goes a level deeper.
    let at = 1
    for (let i = 0; i < 400; i++) {
      h.run('LINSERT', 'k', 'BEFORE', model[at], `${i}`)
      model.splice(at, 0, `${i}`)
      if (i % 2 === 0) at++
    }
    expect(list(h)).toEqual(model)
    expect(h.run('PTTL', 'k')).toBe(1000)
    const other = new EngineHarness({ self: 2, solo: false })
    other.receive(h)
    expect(list(other)).toEqual(model)
  })
})

describe('moves', () => {
  it('take an element from one end to another', () => {
    const h = filled('a', 'b', 'c')
    expect([h.run('RPOPLPUSH', 'k', 'to'), h.run('LMOVE', 'k', 'to', 'LEFT', 'RIGHT')]).toEqual(['c', 'a'])
    expect([list(h), list(h, 'to')]).toEqual([['b'], ['c', 'a']])
    expect(h.run('LMOVE', 'to', 'to', 'LEFT', 'RIGHT')).toBe('c')
    expect(list(h, 'to')).toEqual(['a', 'c'])
    expect(h.raw(['LMOVE', 'none', 'text', 'LEFT', 'RIGHT'])).toBe('$-1\r\n')
    expect(h.raw(['LMOVE', 'k', 'text', 'LEFT', 'RIGHT'])).toBe(WRONG_TYPE)
    expect(h.raw(['LMOVE', 'k', 'to', 'LEFT', 'DOWN'])).toBe(SYNTAX)
    expect(list(h)).toEqual(['b'])
  })

  it('keep the expiry of a list that is rotated', () => {
    const h = filled('a')
    h.run('PEXPIRE', 'k', '1000')
    for (const [from, to] of [
      ['LEFT', 'RIGHT'],
      ['LEFT', 'LEFT'],
      ['RIGHT', 'LEFT'],
    ])
      expect(h.run('LMOVE', 'k', 'k', from, to)).toBe('a')
    expect([list(h), h.run('PTTL', 'k')]).toEqual([['a'], 1000])
  })
})

describe('LMOVEM', () => {
  const ENDS = ['LEFT', 'RIGHT'] as const

  it('moves what one element is moved to by LMOVE when it is not said how many', () => {
    const h = filled('a', 'b', 'c')
    expect(h.raw(['LMOVEM', 'k', 'to', 'RIGHT', 'LEFT'])).toBe('*1\r\n$1\r\nc\r\n')
    expect([list(h), list(h, 'to')]).toEqual([['a', 'b'], ['c']])
  })

  it.each([
    ['LEFT', 'LEFT', 'OBO', ['b', 'a'], ['b', 'a', 'x', 'y']],
    ['LEFT', 'LEFT', 'BULK', ['a', 'b'], ['a', 'b', 'x', 'y']],
    ['LEFT', 'RIGHT', 'OBO', ['a', 'b'], ['x', 'y', 'a', 'b']],
    ['LEFT', 'RIGHT', 'BULK', ['a', 'b'], ['x', 'y', 'a', 'b']],
    ['RIGHT', 'LEFT', 'OBO', ['c', 'd'], ['c', 'd', 'x', 'y']],
    ['RIGHT', 'LEFT', 'BULK', ['c', 'd'], ['c', 'd', 'x', 'y']],
    ['RIGHT', 'RIGHT', 'OBO', ['d', 'c'], ['x', 'y', 'd', 'c']],
    ['RIGHT', 'RIGHT', 'BULK', ['c', 'd'], ['x', 'y', 'c', 'd']],
  ])('from %s to %s %s replies in the order of the destination', (from, to, order, reply, after) => {
    for (const how of ['COUNT', 'EXACTLY']) {
      const h = filled('a', 'b', 'c', 'd')
      h.run('RPUSH', 'to', 'x', 'y')
      expect(h.run('LMOVEM', 'k', 'to', from, to, how, '2', order)).toEqual(reply)
      expect(list(h)).toEqual(from === 'LEFT' ? ['c', 'd'] : ['a', 'b'])
      expect(list(h, 'to')).toEqual(after)
    }
  })

  it('moves what there is with COUNT, and nothing with EXACTLY where there is less', () => {
    const h = filled('a', 'b', 'c')
    for (const protocol of [2, 3] as const) {
      h.session.protocol = protocol
      const none = protocol === 2 ? '*-1\r\n' : '_\r\n'
      expect(h.raw(['LMOVEM', 'k', 'to', 'LEFT', 'LEFT', 'EXACTLY', '4', 'BULK'])).toBe(none)
      // It does not even look at the destination.
      expect(h.raw(['LMOVEM', 'k', 'text', 'LEFT', 'LEFT', 'EXACTLY', '4', 'BULK'])).toBe(none)
      expect(h.raw(['LMOVEM', 'none', 'to', 'LEFT', 'LEFT'])).toBe(none)
      expect(h.raw(['LMOVEM', 'none', 'to', 'LEFT', 'LEFT', 'COUNT', '9', 'OBO'])).toBe(none)
    }
    expect([list(h), h.run('EXISTS', 'to')]).toEqual([['a', 'b', 'c'], 0])
    expect(h.run('LMOVEM', 'k', 'to', 'LEFT', 'LEFT', 'COUNT', '9', 'OBO')).toEqual(['c', 'b', 'a'])
    expect([h.run('EXISTS', 'k'), list(h, 'to')]).toEqual([0, ['c', 'b', 'a']])
    expect(h.run('LMOVEM', 'to', 'k', 'LEFT', 'LEFT', 'EXACTLY', '3', 'BULK')).toEqual(['c', 'b', 'a'])
    expect([list(h), h.run('EXISTS', 'to')]).toEqual([['c', 'b', 'a'], 0])
  })

  it.each([
    ['LEFT', 'LEFT', 'OBO', 2, ['b', 'a', 'c', 'd']],
    ['RIGHT', 'RIGHT', 'OBO', 2, ['a', 'b', 'd', 'c']],
    ['LEFT', 'LEFT', 'BULK', 2, ['a', 'b', 'c', 'd']],
    ['RIGHT', 'RIGHT', 'BULK', 2, ['a', 'b', 'c', 'd']],
    ['LEFT', 'RIGHT', 'OBO', 3, ['d', 'a', 'b', 'c']],
    ['RIGHT', 'LEFT', 'BULK', 3, ['b', 'c', 'd', 'a']],
    ['LEFT', 'LEFT', 'OBO', 9, ['d', 'c', 'b', 'a']],
    ['RIGHT', 'RIGHT', 'OBO', 9, ['d', 'c', 'b', 'a']],
    ['LEFT', 'RIGHT', 'OBO', 9, ['a', 'b', 'c', 'd']],
    ['RIGHT', 'LEFT', 'BULK', 9, ['a', 'b', 'c', 'd']],
  ])('from %s to %s %s of %i within a list keeps its expiry, and is a change', (from, to, order, count, after) => {
    for (const solo of [true, false]) {
      const h = new EngineHarness({ solo })
      h.run('RPUSH', 'k', 'a', 'b', 'c', 'd')
      h.run('PEXPIRE', 'k', '1000')
      const watcher = h.newSession()
      h.raw(['WATCH', 'k'], watcher)
      const reply = h.run('LMOVEM', 'k', 'k', from, to, 'COUNT', String(count), order) as string[]
      expect(list(h)).toEqual(after)
      expect(reply).toEqual(to === 'LEFT' ? after.slice(0, count) : after.slice(-count))
      expect(h.run('PTTL', 'k')).toBe(1000)
      h.raw(['MULTI'], watcher)
      expect(h.raw(['EXEC'], watcher)).toBe('*-1\r\n')
      const other = new EngineHarness({ solo, self: 2 })
      other.receive(h)
      expect(list(other)).toEqual(after)
    }
  })

  it('moves in one op', () => {
    const h = filled('a', 'b', 'c')
    const before = h.log.frames.length
    h.run('LMOVEM', 'k', 'to', 'LEFT', 'RIGHT', 'COUNT', '2', 'BULK')
    expect(h.log.frames.slice(before).map(({ opCount }) => opCount)).toEqual([1])
  })

  it('moves long elements and short ones', () => {
    const items = Array.from({ length: 60 }, (_, i) => `${i}:${'x'.repeat((i * 379) % 5000)}`)
    const h = filled(...items)
    expect(h.run('LMOVEM', 'k', 'to', 'LEFT', 'LEFT', 'COUNT', '50', 'OBO')).toEqual(items.slice(0, 50).reverse())
    expect([list(h), list(h, 'to')]).toEqual([items.slice(50), items.slice(0, 50).reverse()])
  })

  it('checks its arguments as Redis does', () => {
    const h = filled('a', 'b', 'c')
    const count = '-ERR count should be greater than 0\r\n'
    for (const how of ['COUNT', 'EXACTLY'])
      for (const wrong of ['0', '-1', 'a', '9223372036854775808'])
        expect(h.raw(['LMOVEM', 'k', 'to', 'LEFT', 'RIGHT', how, wrong, 'BULK'])).toBe(count)
    expect(h.raw(['LMOVEM', 'k', 'to', 'LEFT'])).toBe("-ERR wrong number of arguments for 'lmovem' command\r\n")
    for (const args of [
      ['LEFT', 'RIGHT', 'COUNT'],
      ['LEFT', 'RIGHT', 'COUNT', '2'],
      ['LEFT', 'RIGHT', 'COUNT', '2', 'OBO', 'more'],
      ['LEFT', 'RIGHT', 'SOME', '2', 'OBO'],
      ['LEFT', 'RIGHT', 'COUNT', '2', 'ANYHOW'],
      ['UP', 'RIGHT', 'COUNT', '2', 'OBO'],
      ['LEFT', 'DOWN', 'COUNT', '2', 'OBO'],
    ])
      expect(h.raw(['LMOVEM', 'k', 'to', ...args])).toBe(SYNTAX)
    for (const keys of [
      ['text', 'to'],
      ['k', 'text'],
    ])
      expect(h.raw(['LMOVEM', ...keys, 'LEFT', 'RIGHT', 'COUNT', '2', 'BULK'])).toBe(WRONG_TYPE)
    expect(list(h)).toEqual(['a', 'b', 'c'])
  })

  it('tells of the push, then of the pop, and of a source that has gone', () => {
    const h = filled('a', 'b', 'c')
    h.engine.notifications.classes = parseNotificationClasses('Elg') ?? 0
    const listener = new ReceivingSession(300)
    h.raw(['PSUBSCRIBE', '*'], listener)
    const told = (...args: string[]): string[] => {
      listener.received = ''
      h.run('LMOVEM', ...args)
      return [...listener.received.matchAll(/:(\w+)\r\n\$\d+\r\n(\w+)\r\n/g)].map(([, event, key]) => `${event} ${key}`)
    }
    expect(told('k', 'to', 'LEFT', 'RIGHT', 'COUNT', '2', 'OBO')).toEqual(['rpush to', 'lpop k'])
    expect(told('k', 'to', 'RIGHT', 'LEFT', 'COUNT', '2', 'OBO')).toEqual(['lpush to', 'rpop k', 'del k'])
    expect(told('to', 'to', 'LEFT', 'LEFT', 'COUNT', '3', 'BULK')).toEqual(['lpush to', 'lpop to'])
    expect(told('to', 'to', 'RIGHT', 'RIGHT', 'COUNT', '3', 'OBO')).toEqual(['rpush to', 'rpop to'])
    expect(told('to', 'k', 'LEFT', 'LEFT', 'EXACTLY', '4', 'OBO')).toEqual([])
  })

  it('of the same elements in two members leaves each in both places or more, and loses none', () => {
    for (const [from, to] of ENDS.flatMap((a) => ENDS.map((b) => [a, b] as const)))
      for (const target of ['k', 'to']) {
        const one = new EngineHarness({ self: 1, solo: false })
        const two = new EngineHarness({ self: 2, solo: false })
        one.run('RPUSH', 'k', 'a', 'b', 'c', 'd')
        two.receive(one)
        one.run('LMOVEM', 'k', target, from, to, 'COUNT', '2', 'OBO')
        two.run('LMOVEM', 'k', target, from, to, 'COUNT', '3', 'OBO')
        one.receive(two)
        two.receive(one)
        const lists = [one, two].map((h) => [list(h), list(h, 'to')])
        expect(lists[0]).toEqual(lists[1])
        expect([...new Set(lists[0].flat())].sort()).toEqual(['a', 'b', 'c', 'd'])
      }
  })

  it('says what its arguments and keys are', () => {
    const h = new EngineHarness()
    for (const [name, arity, flags, rest] of [
      ['lmovem', -5, ['write', 'denyoom'], []],
      ['blmovem', -6, ['write', 'denyoom', 'blocking'], ['0']],
    ] as const) {
      const [info] = h.run('COMMAND', 'INFO', name) as unknown[][]
      expect(info.slice(0, 6)).toEqual([name, arity, flags, 1, 2, 1])
      expect(h.run('COMMAND', 'GETKEYSANDFLAGS', name, 'a', 'b', 'LEFT', 'LEFT', ...rest)).toEqual([
        ['a', ['RW', 'access', 'delete']],
        ['b', ['RW', 'insert']],
      ])
      const docs = JSON.stringify(h.run('COMMAND', 'DOCS', name))
      for (const part of ['how-many', '"optional"', 'selector', '"EXACTLY"', 'ordering', '"OBO"', '8.10.0'])
        expect(docs).toContain(part)
    }
  })
})

describe('lists as values', () => {
  it('are listpacks up to 8 KiB', () => {
    const h = filled('a', 'b')
    expect(h.run('OBJECT', 'ENCODING', 'k')).toBe('listpack')
    h.run('RPUSH', 'k', 'x'.repeat(8200))
    expect(h.run('OBJECT', 'ENCODING', 'k')).toBe('quicklist')
  })

  it('are copied, renamed, dumped and restored', () => {
    const items = Array.from({ length: 3000 }, (_, i) => `element ${i}`)
    const h = filled(...items)
    h.run('COPY', 'k', 'copy')
    h.run('RENAME', 'copy', 'new')
    expect(list(h, 'new')).toEqual(items)
    const payload = Buffer.from(h.run('DUMP', 'k') as string, 'latin1')
    expect(h.run('RESTORE', 'again', '0', payload)).toBe('OK')
    expect([list(h, 'again'), h.run('TYPE', 'again')]).toEqual([items, 'list'])
  })

  it('of five short elements take less than 120 bytes', () => {
    const h = new EngineHarness()
    for (const item of ['one', 'two', 'three', 'four', 'five']) h.run('RPUSH', 'k', item)
    const { arena } = h.engine.keyspace.database(0)
    const { lists } = h.engine.collections
    const db = h.engine.keyspace.database(0)
    expect(lists.bytes(db.arena, db.root(db.lookup(Buffer.from('k'), 0, 1)), 0)).toBeLessThan(120)
    expect(arena.usedBytes).toBeLessThan(400)
  })

  it('are removed in large parts by small effects', () => {
    const h = new EngineHarness({ solo: false })
    for (let i = 0; i < 20; i++) h.run('RPUSH', 'k', ...Array.from({ length: 1000 }, (_, n) => `${i * 1000 + n}`))
    const bytes = h.log.appendedBytes
    h.run('LTRIM', 'k', '5000', '5009')
    expect(h.log.appendedBytes - bytes).toBeLessThan(200)
    expect(list(h)).toEqual(Array.from({ length: 10 }, (_, n) => `${5000 + n}`))
  })
})
