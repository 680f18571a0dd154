import { describe, expect, it } from 'vitest'
import { EngineHarness } from '../../support/engine-harness.js'

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
