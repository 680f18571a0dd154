import { describe, expect, it } from 'vitest'
import { NOTHING_STABLE } from '../../crdt/string-history.js'
import { EngineHarness } from '../../support/engine-harness.js'

describe('parts of a string', () => {
  it('APPEND makes and extends', () => {
    const h = new EngineHarness()
    expect(h.run('APPEND', 'k', 'ab')).toBe(2)
    expect(h.run('APPEND', 'k', 'cd')).toBe(4)
    expect(h.run('APPEND', 'empty', '')).toBe(0)
    expect(h.run('MGET', 'k', 'empty')).toEqual(['abcd', ''])
    expect(h.run('STRLEN', 'k')).toBe(4)
    expect(h.run('STRLEN', 'none')).toBe(0)
  })

  it('APPEND a thousand times in place', () => {
    const h = new EngineHarness()
    let expected = ''
    for (let i = 0; i < 1000; i++) {
      expected += `part ${i};`
      expect(h.run('APPEND', 'k', `part ${i};`)).toBe(expected.length)
    }
    expect(h.run('GET', 'k')).toBe(expected)
  })

  it.each([
    ['0', '3', 'Hell'],
    ['0', '-1', 'Hello World'],
    ['-4', '-1', 'orld'],
    ['5', '3', ''],
    ['5', '5000', ' World'],
    ['-5000', '10000', 'Hello World'],
    ['-1', '-5000', ''],
    ['0', '-9223372036854775808', ''],
    ['9223372036854775807', '1', ''],
  ])('GETRANGE %s %s', (start, end, part) => {
    const h = new EngineHarness()
    h.run('SET', 'k', 'Hello World')
    expect(h.run('GETRANGE', 'k', start, end)).toBe(part)
    expect(h.run('SUBSTR', 'k', start, end)).toBe(part)
    expect(h.run('GETRANGE', 'none', start, end)).toBe('')
  })

  it('SETRANGE pads with zero bytes and refuses what is too long', () => {
    const h = new EngineHarness()
    expect(h.run('SETRANGE', 'k', '3', '')).toBe(0)
    expect(h.run('GET', 'k')).toBe(null)
    expect(h.run('SETRANGE', 'k', '3', 'foo')).toBe(6)
    expect(h.run('GET', 'k')).toBe('\0\0\0foo')
    expect(h.run('SETRANGE', 'k', '1', 'x')).toBe(6)
    expect(h.run('GET', 'k')).toBe('\0x\0foo')
    expect(h.run('SETRANGE', 'k', '1', '')).toBe(6)
    expect(h.raw(['SETRANGE', 'k', '-1', 'x'])).toBe('-ERR offset is out of range\r\n')
    const tooLong = '-ERR string exceeds maximum allowed size (proto-max-bulk-len)\r\n'
    expect(h.raw(['SETRANGE', 'k', String(512 * 1024 * 1024 - 4), 'world'])).toBe(tooLong)
    expect(h.raw(['SETRANGE', 'k', '9223372036854775807', 'x'])).toBe(tooLong)
  })

  it('keeps edits of two members', () => {
    const a = new EngineHarness({ self: 1, solo: false })
    const b = new EngineHarness({ self: 2, solo: false }, a.clock)
    for (const { engine } of [a, b]) engine.keyspace.stability = NOTHING_STABLE
    a.run('SET', 'k', 'hello')
    b.receive(a)
    a.clock.now++
    a.run('APPEND', 'k', ' A')
    b.run('SETRANGE', 'k', '0', 'J')
    a.receive(b)
    b.receive(a)
    expect(a.run('GET', 'k')).toBe('Jello A')
    expect(b.run('GET', 'k')).toBe('Jello A')
    expect(a.run('STRLEN', 'k')).toBe(7)
  })
})

describe('LCS', () => {
  const h = new EngineHarness()
  h.run('MSET', 'a', 'ohmytext', 'b', 'mynewtext')

  it('gives the text, its length or the matches', () => {
    expect(h.run('LCS', 'a', 'b')).toBe('mytext')
    expect(h.run('LCS', 'a', 'b', 'LEN')).toBe(6)
    const all = [
      [
        [4, 7],
        [5, 8],
      ],
      [
        [2, 3],
        [0, 1],
      ],
    ]
    expect(h.run('LCS', 'a', 'b', 'IDX')).toEqual(['matches', all, 'len', 6])
    expect(h.run('LCS', 'a', 'b', 'IDX', 'MINMATCHLEN', '4')).toEqual(['matches', [all[0]], 'len', 6])
    expect(h.run('LCS', 'a', 'b', 'IDX', 'MINMATCHLEN', '4', 'WITHMATCHLEN')).toEqual(['matches', [[...all[0], 4]], 'len', 6])
    expect(h.run('LCS', 'a', 'none')).toBe('')
  })

  it('is a map in RESP3', () => {
    const session = h.newSession()
    session.protocol = 3
    expect(h.raw(['LCS', 'a', 'none', 'IDX'], session)).toBe('%2\r\n$7\r\nmatches\r\n*0\r\n$3\r\nlen\r\n:0\r\n')
  })

  it('refuses LEN with IDX, and tables beyond the longest string', () => {
    expect(h.raw(['LCS', 'a', 'b', 'LEN', 'IDX'])).toBe('-ERR If you want both the length and indexes, please just use IDX.\r\n')
    expect(h.raw(['LCS', 'a', 'b', 'MINMATCHLEN'])).toBe('-ERR syntax error\r\n')
    h.run('MSET', 'x', Buffer.alloc(20_000), 'y', Buffer.alloc(20_000))
    expect(h.raw(['LCS', 'x', 'y'])).toBe('-ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len\r\n')
  })
})
