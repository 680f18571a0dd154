import { describe, expect, it } from 'vitest'
import { NOTHING_STABLE } from '../../crdt/string-history.js'
import { EngineHarness } from '../../support/engine-harness.js'

const NOT_INTEGER = '-ERR value is not an integer or out of range\r\n'
const OVERFLOW = '-ERR increment or decrement would overflow\r\n'

function pair(): [EngineHarness, EngineHarness] {
  const a = new EngineHarness({ self: 1, solo: false })
  const b = new EngineHarness({ self: 2, solo: false }, a.clock)
  for (const { engine } of [a, b]) engine.keyspace.stability = NOTHING_STABLE
  return [a, b]
}

function exchange(a: EngineHarness, b: EngineHarness): void {
  a.receive(b)
  b.receive(a)
  a.clock.now++
}

describe.each([true, false])('counters (solo: %s)', (solo) => {
  it('count from nothing, in both directions', () => {
    const h = new EngineHarness({ solo })
    expect([h.run('INCR', 'k'), h.run('INCRBY', 'k', '10'), h.run('DECR', 'k'), h.run('DECRBY', 'k', '-5')]).toEqual([
      1, 11, 10, 15,
    ])
    expect(h.run('GET', 'k')).toBe('15')
    expect(h.run('INCRBY', 'k', '-15')).toBe(0)
    expect(h.run('DECRBY', 'k', '0')).toBe(0)
    expect(h.run('GET', 'k')).toBe('0')
  })

  it('are exact to 64 bits and stop there', () => {
    const h = new EngineHarness({ solo })
    h.run('SET', 'k', '9223372036854775800')
    expect(h.raw(['INCRBY', 'k', '7'])).toBe(':9223372036854775807\r\n')
    expect(h.raw(['INCR', 'k'])).toBe(OVERFLOW)
    expect(h.run('GET', 'k')).toBe('9223372036854775807')
    expect(h.raw(['DECRBY', 'k', '9223372036854775807'])).toBe(':0\r\n')
    expect(h.raw(['INCRBY', 'k', '-9223372036854775808'])).toBe(':-9223372036854775808\r\n')
    expect(h.raw(['DECR', 'k'])).toBe(OVERFLOW)
    expect(h.raw(['DECRBY', 'k', '-9223372036854775808'])).toBe('-ERR decrement would overflow\r\n')
    h.run('SET', 'k', '9007199254740991')
    expect(h.raw(['INCR', 'k'])).toBe(':9007199254740992\r\n')
    expect(h.raw(['INCR', 'k'])).toBe(':9007199254740993\r\n')
    expect(h.raw(['DECRBY', 'k', '9007199254740992'])).toBe(':1\r\n')
    expect(h.run('GET', 'k')).toBe('1')
  })

  it.each(['x', '', ' 1', '1 ', '01', '1.0', '+1', '-0', '9223372036854775808'])('refuse %j', (text) => {
    const h = new EngineHarness({ solo })
    h.run('SET', 'k', text)
    expect(h.raw(['INCR', 'k'])).toBe(NOT_INTEGER)
    expect(h.raw(['INCRBY', 'other', text])).toBe(NOT_INTEGER)
    expect(h.run('GET', 'k')).toBe(text)
  })

  it('keep the expiry', () => {
    const h = new EngineHarness({ solo })
    h.run('SET', 'k', '1', 'PX', '100')
    h.run('INCR', 'k')
    h.run('INCRBYFLOAT', 'k', '1.5')
    expect(h.run('GET', 'k')).toBe('3.5')
    h.clock.now += 100
    expect(h.run('GET', 'k')).toBe(null)
    expect(h.run('INCR', 'k')).toBe(1)
    h.clock.now += 1000
    expect(h.run('GET', 'k')).toBe('1')
  })

  it.each([
    ['1', '0.25', '1.25'],
    ['1.5', '1.5', '3'],
    ['0.1', '0.2', '0.3'],
    ['5.0e3', '2.0e2', '5200'],
    ['3', '1.1', '4.1'],
    ['1', '-1', '0'],
    ['0', '1e-10', '0.0000000001'],
    ['0', '0x10', '16'],
  ])('%s + %s = %s as floats', (value, by, result) => {
    const h = new EngineHarness({ solo })
    h.run('SET', 'k', value)
    expect(h.run('INCRBYFLOAT', 'k', by)).toBe(result)
    expect(h.run('GET', 'k')).toBe(result)
  })

  it('refuse what is no float, and infinity', () => {
    const h = new EngineHarness({ solo })
    h.run('MSET', 'k', 'abc', 'ok', '1')
    expect(h.raw(['INCRBYFLOAT', 'k', '1'])).toBe('-ERR value is not a valid float\r\n')
    for (const text of ['abc', '', ' 1', '1 ', 'nan', '1e5000']) {
      expect(h.raw(['INCRBYFLOAT', 'ok', text])).toBe('-ERR value is not a valid float\r\n')
    }
    for (const text of ['inf', '-inf', '+Infinity']) {
      expect(h.raw(['INCRBYFLOAT', 'ok', text])).toBe('-ERR increment would produce NaN or Infinity\r\n')
    }
    h.run('SET', 'ok', '1e4932')
    expect(h.raw(['INCRBYFLOAT', 'ok', '1.189e4932'])).toBe('-ERR increment would produce NaN or Infinity\r\n')
    expect(h.run('GET', 'ok')).toBe('1e4932')
  })
})

describe('counters of two members', () => {
  it('add up', () => {
    const [a, b] = pair()
    a.run('SET', 'k', '10')
    exchange(a, b)
    a.run('INCRBY', 'k', '5')
    b.run('DECRBY', 'k', '3')
    b.run('INCRBYFLOAT', 'f', '0.1')
    a.run('INCRBYFLOAT', 'f', '0.2')
    exchange(a, b)
    for (const h of [a, b]) expect(h.run('MGET', 'k', 'f')).toEqual(['12', '0.3'])
    expect(a.run('INCR', 'k')).toBe(13)
  })

  it('SET removes only what it has seen', () => {
    const [a, b] = pair()
    a.run('INCRBY', 'k', '10')
    exchange(a, b)
    a.run('SET', 'k', '0')
    b.run('INCRBY', 'k', '3')
    exchange(a, b)
    for (const h of [a, b]) expect(h.run('GET', 'k')).toBe('3')
  })

  it('a text beside increments is visible and cannot be incremented', () => {
    const [a, b] = pair()
    a.run('SET', 'k', 'x')
    b.run('INCR', 'k')
    exchange(a, b)
    for (const h of [a, b]) {
      expect(h.run('GET', 'k')).toBe('x')
      expect(h.raw(['INCR', 'k'])).toBe(NOT_INTEGER)
    }
  })

  it('increments and edits made at once both count', () => {
    const [a, b] = pair()
    a.run('APPEND', 'k', '1')
    exchange(a, b)
    a.run('APPEND', 'k', '5')
    b.run('INCRBY', 'k', '3')
    exchange(a, b)
    for (const h of [a, b]) expect(h.run('GET', 'k')).toBe('18')
    expect(a.run('APPEND', 'k', '0')).toBe(3)
    expect(b.run('INCR', 'k')).toBe(19)
    exchange(a, b)
    for (const h of [a, b]) expect(h.run('GET', 'k')).toBe('181')
  })

  it('a sum beyond 64 bits reads as the nearest bound', () => {
    const [a, b] = pair()
    a.run('SET', 'k', '9223372036854775800')
    exchange(a, b)
    a.run('INCRBY', 'k', '7')
    b.run('INCRBY', 'k', '7')
    exchange(a, b)
    for (const h of [a, b]) expect(h.run('GET', 'k')).toBe('9223372036854775807')
    expect(a.raw(['INCR', 'k'])).toBe(OVERFLOW)
  })
})

describe.each([true, false])('INCREX (solo: %s)', (solo) => {
  const TTL_SECONDS = 100

  it('answers with the result and what was added, one by default', () => {
    const h = new EngineHarness({ solo })
    expect(h.run('INCREX', 'k')).toEqual([1, 1])
    expect(h.run('INCREX', 'k', 'BYINT', '-11')).toEqual([-10, -11])
    expect(h.run('INCREX', 'k', 'BYFLOAT', '0.25')).toEqual(['-9.75', '0.25'])
    expect(h.raw(['INCREX', 'k'])).toBe(NOT_INTEGER)
    h.run('LPUSH', 'l', 'x')
    expect(h.raw(['INCREX', 'l'])).toMatch(/^-WRONGTYPE/)
    h.run('HELLO', '3')
    expect(h.raw(['INCREX', 'k', 'BYFLOAT', '1.5'])).toBe('*2\r\n,-8.25\r\n,1.5\r\n')
  })

  it('leaves value and expiry alone when the result would be out of bounds', () => {
    const h = new EngineHarness({ solo })
    expect(h.run('INCREX', 'k', 'BYINT', '5', 'UBOUND', '4', 'EX', '9')).toEqual([0, 0])
    expect(h.run('EXISTS', 'k')).toBe(0)
    h.run('SET', 'k', '10')
    expect(h.run('INCREX', 'k', 'BYINT', '-1', 'LBOUND', '10', 'EX', '9')).toEqual([10, 0])
    expect(h.run('INCREX', 'k', 'BYFLOAT', '+inf', 'EX', '9')).toEqual(['10', '0'])
    expect(h.run('TTL', 'k')).toBe(-1)
    h.run('SET', 'k', '9223372036854775807')
    expect(h.raw(['INCREX', 'k'])).toBe('*2\r\n:9223372036854775807\r\n:0\r\n')
  })

  it('stops at the bound with SATURATE', () => {
    const h = new EngineHarness({ solo })
    h.run('SET', 'k', '99')
    expect(h.run('INCREX', 'k', 'SATURATE', 'UBOUND', '100', 'BYINT', '5')).toEqual([100, 1])
    expect(h.run('INCREX', 'k', 'BYFLOAT', '-1e10', 'LBOUND', '-2.5', 'SATURATE')).toEqual(['-2.5', '-102.5'])
    expect(h.run('INCREX', 'k', 'BYFLOAT', 'inf', 'UBOUND', '3', 'SATURATE')).toEqual(['3', '5.5'])
    expect(h.run('INCREX', 'new', 'BYINT', '7', 'UBOUND', '0', 'SATURATE', 'EX', '9')).toEqual([0, 0])
    expect(h.run('TTL', 'new')).toBe(9)
    h.run('SET', 'k', '-9223372036854775808')
    expect(h.raw(['INCREX', 'k', 'LBOUND', '9223372036854775807', 'SATURATE'])).toBe(OVERFLOW)
    expect(h.run('GET', 'k')).toBe('-9223372036854775808')
  })

  it('sets, keeps and removes the expiry', () => {
    const h = new EngineHarness({ solo })
    h.run('INCREX', 'k', 'EX', String(TTL_SECONDS), 'ENX')
    expect(h.run('TTL', 'k')).toBe(TTL_SECONDS)
    h.run('INCREX', 'k', 'PXAT', '1', 'ENX')
    h.run('INCREX', 'k')
    expect(h.run('TTL', 'k')).toBe(TTL_SECONDS)
    h.run('INCREX', 'k', 'PERSIST')
    expect(h.run('TTL', 'k')).toBe(-1)
    expect(h.run('INCREX', 'k', 'EXAT', '1')).toEqual([5, 1])
    expect(h.run('EXISTS', 'k')).toBe(0)
  })

  it.each([
    ['syntax error', 'FOO'],
    ['syntax error', 'BYINT'],
    ['syntax error', 'BYINT 1 BYFLOAT 1'],
    ['syntax error', 'EX 1 PX 1'],
    ['syntax error', 'EX 1 PERSIST'],
    ['syntax error', 'ENX'],
    ['syntax error', 'PERSIST ENX'],
    ['value is not an integer or out of range', 'BYINT 1.5'],
    ['value is not an integer or out of range', 'LBOUND 1.5'],
    ['value is not a valid float', 'BYFLOAT x'],
    ['value is not a valid float', 'BYFLOAT 1 UBOUND nan'],
    ["LBOUND can't be greater than UBOUND", 'LBOUND 2 UBOUND 1'],
    ["LBOUND can't be greater than UBOUND", 'BYFLOAT 1 LBOUND 2.5 UBOUND 1'],
    ["invalid expire time in 'increx' command", 'EX 0'],
  ])('refuses: %s: %s', (error, words) => {
    const h = new EngineHarness({ solo })
    expect(h.raw(['INCREX', 'k', ...words.split(' ')])).toBe(`-ERR ${error}\r\n`)
    expect(h.run('EXISTS', 'k')).toBe(0)
  })
})

it('INCREX adds up what two regions applied within their bounds', () => {
  const [a, b] = pair()
  a.run('SET', 'k', '8')
  exchange(a, b)
  expect(a.run('INCREX', 'k', 'BYINT', '5', 'UBOUND', '10', 'SATURATE')).toEqual([10, 2])
  expect(b.run('INCREX', 'k', 'BYINT', '1', 'UBOUND', '10')).toEqual([9, 1])
  exchange(a, b)
  expect([a.run('GET', 'k'), b.run('GET', 'k')]).toEqual(['11', '11'])
})
