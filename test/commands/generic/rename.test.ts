import { describe, expect, it } from 'vitest'
import { KeysHarness } from './keys-harness.js'

const SAME = '-ERR source and destination objects are the same\r\n'
const RANGE = '-ERR DB index is out of range\r\n'

describe('RENAME and RENAMENX', () => {
  it('carry value and expiry, and leave nothing behind', () => {
    const h = new KeysHarness()
    h.run('SET', 'a', 'v', 'PX', '5000')
    h.run('SET', 'b', 'old')
    expect(h.raw(['RENAME', 'a', 'b'])).toBe('+OK\r\n')
    expect([h.run('GET', 'b'), h.run('PTTL', 'b'), h.run('EXISTS', 'a')]).toEqual(['v', 5000, 0])
  })

  it('do not hand on the expiry of the key that is overwritten', () => {
    const h = new KeysHarness()
    h.run('SET', 'a', 'v')
    h.run('SET', 'b', 'old', 'PX', '5000')
    h.run('RENAME', 'a', 'b')
    expect(h.run('PTTL', 'b')).toBe(-1)
  })

  it('answer as Redis for equal names, a missing source and a taken target', () => {
    const h = new KeysHarness()
    expect(h.raw(['RENAME', 'a', 'a'])).toBe('-ERR no such key\r\n')
    expect(h.raw(['RENAMENX', 'a', 'b'])).toBe('-ERR no such key\r\n')
    h.run('SET', 'a', '1')
    h.run('SET', 'b', '2')
    expect(h.raw(['RENAME', 'a', 'a'])).toBe('+OK\r\n')
    expect(h.run('RENAMENX', 'a', 'a')).toBe(0)
    expect(h.run('RENAMENX', 'a', 'b')).toBe(0)
    expect(h.run('RENAMENX', 'a', 'c')).toBe(1)
    expect([h.run('GET', 'b'), h.run('GET', 'c')]).toEqual(['2', '1'])
  })

  it('take a target that is due as free', () => {
    const h = new KeysHarness()
    h.run('SET', 'a', '1')
    h.run('SET', 'b', '2', 'PX', '10')
    h.clock.now += 11
    expect(h.run('RENAMENX', 'a', 'b')).toBe(1)
    expect([h.run('GET', 'b'), h.run('TTL', 'b')]).toEqual(['1', -1])
  })

  it('are one op: removal and write arrive together', () => {
    const a = new KeysHarness({ self: 1, solo: false })
    a.run('SET', 'x', 'v')
    const before = a.log.frames.length
    a.run('RENAME', 'x', 'y')
    expect(a.log.frames.slice(before).map((frame) => frame.opCount)).toEqual([1])
  })

  it('leave a concurrent write to the old name where it is', () => {
    const a = new KeysHarness({ self: 1, solo: false })
    const b = new KeysHarness({ self: 2, solo: false }, a.clock)
    a.run('SET', 'x', 'v')
    b.receive(a)
    a.run('RENAME', 'x', 'y')
    b.run('SET', 'x', 'w')
    a.receive(b)
    b.receive(a)
    for (const h of [a, b]) expect([h.run('GET', 'x'), h.run('GET', 'y')]).toEqual(['w', 'v'])
  })

  it('carry a counter as its visible text', () => {
    const a = new KeysHarness({ self: 1, solo: false })
    const b = new KeysHarness({ self: 2, solo: false }, a.clock)
    a.run('INCRBY', 'x', '5')
    b.run('INCRBY', 'x', '7')
    a.receive(b)
    b.receive(a)
    a.run('RENAME', 'x', 'y')
    b.run('INCRBY', 'x', '100')
    a.receive(b)
    b.receive(a)
    for (const h of [a, b]) expect([h.run('GET', 'x'), h.run('GET', 'y')]).toEqual(['100', '12'])
  })

  it('carry values of every size', () => {
    const h = new KeysHarness()
    for (const size of [0, 1, 100, 20_000, 3_000_000]) {
      h.run('SET', 'a', 'x'.repeat(size))
      h.run('RENAME', 'a', 'b')
      expect(h.run('GET', 'b')).toBe('x'.repeat(size))
    }
  })
})

describe('COPY', () => {
  it('copies value and expiry, to another key or database, and stays independent', () => {
    const h = new KeysHarness()
    h.run('SET', 'a', 'v', 'PX', '5000')
    expect(h.run('COPY', 'a', 'b')).toBe(1)
    expect(h.run('COPY', 'a', 'a', 'DB', '3')).toBe(1)
    h.run('SET', 'a', 'changed')
    expect([h.run('GET', 'b'), h.run('PTTL', 'b')]).toEqual(['v', 5000])
    h.run('SELECT', '3')
    expect(h.run('GET', 'a')).toBe('v')
  })

  it('replaces only when told', () => {
    const h = new KeysHarness()
    h.run('SET', 'a', '1')
    h.run('SET', 'b', '2')
    expect(h.run('COPY', 'a', 'b')).toBe(0)
    expect(h.run('COPY', 'a', 'b', 'replace', 'DB', '0')).toBe(1)
    expect(h.run('GET', 'b')).toBe('1')
    expect(h.run('COPY', 'none', 'b', 'REPLACE')).toBe(0)
    expect(h.run('GET', 'b')).toBe('1')
  })

  it('refuses what Redis refuses', () => {
    const h = new KeysHarness()
    expect(h.raw(['COPY', 'a', 'a'])).toBe(SAME)
    expect(h.raw(['COPY', 'a', 'b', 'DB', '16'])).toBe(RANGE)
    expect(h.raw(['COPY', 'a', 'b', 'DB', 'x'])).toBe('-ERR value is not an integer or out of range\r\n')
    expect(h.raw(['COPY', 'a', 'b', 'DB', '4294967296'])).toBe(
      '-ERR value is out of range, value must between -2147483648 and 2147483647\r\n',
    )
    expect(h.raw(['COPY', 'a', 'b', 'DB'])).toBe('-ERR syntax error\r\n')
  })
})

describe('MOVE', () => {
  it('moves value and expiry unless the target has the key', () => {
    const h = new KeysHarness()
    h.run('SET', 'a', 'v', 'PX', '5000')
    expect(h.run('MOVE', 'a', '2')).toBe(1)
    expect(h.run('DBSIZE')).toBe(0)
    h.run('SET', 'a', 'other')
    expect(h.run('MOVE', 'a', '2')).toBe(0)
    expect(h.run('MOVE', 'none', '2')).toBe(0)
    h.run('SELECT', '2')
    expect([h.run('GET', 'a'), h.run('PTTL', 'a')]).toEqual(['v', 5000])
  })

  it('refuses what Redis refuses', () => {
    const h = new KeysHarness()
    expect(h.raw(['MOVE', 'a', '0'])).toBe(SAME)
    expect(h.raw(['MOVE', 'a', '-1'])).toBe(RANGE)
    expect(h.raw(['MOVE', 'a', 'x'])).toBe('-ERR value is not an integer or out of range\r\n')
  })
})
