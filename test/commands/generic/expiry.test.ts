import { describe, expect, it } from 'vitest'
import { KeysHarness } from './keys-harness.js'

const CONDITIONS_NX = '-ERR NX and XX, GT or LT options at the same time are not compatible\r\n'

describe('EXPIRE and its kin', () => {
  it('set the time in seconds or milliseconds, from now or absolute', () => {
    const h = new KeysHarness()
    const now = h.clock.now
    h.run('SET', 'k', 'v')
    const cases: [string, number, number][] = [
      ['EXPIRE', 100, now + 100_000],
      ['PEXPIRE', 1500, now + 1500],
      ['EXPIREAT', now / 1000 + 7, now + 7000],
      ['PEXPIREAT', now + 77, now + 77],
    ]
    for (const [command, amount, at] of cases) {
      expect(h.run(command, 'k', String(amount))).toBe(1)
      expect(h.run('PEXPIRETIME', 'k')).toBe(at)
      expect(h.run('PTTL', 'k')).toBe(at - now)
      expect(h.run('TTL', 'k')).toBe(Math.floor((at - now + 500) / 1000))
      expect(h.run('EXPIRETIME', 'k')).toBe(Math.floor((at + 500) / 1000))
    }
  })

  it('answer 0 for no key, TTL -2, and TTL -1 for a key without an expiry', () => {
    const h = new KeysHarness()
    expect(h.run('EXPIRE', 'k', '10')).toBe(0)
    expect(['TTL', 'PTTL', 'EXPIRETIME', 'PEXPIRETIME'].map((command) => h.run(command, 'k'))).toEqual([-2, -2, -2, -2])
    h.run('SET', 'k', 'v')
    expect(['TTL', 'PTTL', 'EXPIRETIME', 'PEXPIRETIME'].map((command) => h.run(command, 'k'))).toEqual([-1, -1, -1, -1])
  })

  it('remove the key at once when the time is past, and count 1', () => {
    const h = new KeysHarness()
    for (const amount of ['0', '-1', '-9223372036854775']) {
      h.run('SET', 'k', 'v')
      expect(h.run('EXPIRE', 'k', amount)).toBe(1)
      expect(h.run('DBSIZE')).toBe(0)
    }
    h.run('SET', 'k', 'v')
    expect(h.run('PEXPIREAT', 'k', '-9223372036854770000')).toBe(1)
    expect(h.run('TTL', 'k')).toBe(-2)
  })

  it('obey NX, XX, GT and LT; no expiry is later than any', () => {
    const h = new KeysHarness()
    h.run('SET', 'k', 'v')
    expect(h.run('EXPIRE', 'k', '10', 'XX')).toBe(0)
    expect(h.run('EXPIRE', 'k', '10', 'GT')).toBe(0)
    expect(h.run('EXPIRE', 'k', '100', 'LT')).toBe(1)
    expect(h.run('EXPIRE', 'k', '200', 'nx')).toBe(0)
    expect(h.run('EXPIRE', 'k', '100', 'GT')).toBe(0)
    expect(h.run('EXPIRE', 'k', '100', 'LT')).toBe(0)
    expect(h.run('EXPIRE', 'k', '200', 'XX', 'GT')).toBe(1)
    expect(h.run('EXPIRE', 'k', '50', 'LT', 'XX')).toBe(1)
    expect(h.run('TTL', 'k')).toBe(50)
    expect(h.run('EXPIRE', 'k', '-5', 'GT')).toBe(0)
    expect(h.run('EXPIRE', 'k', '-5', 'LT')).toBe(1)
    expect(h.run('EXISTS', 'k')).toBe(0)
  })

  it('refuse conditions that exclude one another, before looking at the time', () => {
    const h = new KeysHarness()
    expect(h.raw(['EXPIRE', 'k', 'x', 'NX', 'XX'])).toBe(CONDITIONS_NX)
    expect(h.raw(['EXPIRE', 'k', '1', 'GT', 'NX'])).toBe(CONDITIONS_NX)
    expect(h.raw(['EXPIRE', 'k', '1', 'GT', 'LT'])).toBe('-ERR GT and LT options at the same time are not compatible\r\n')
    expect(h.raw(['EXPIRE', 'k', '1', 'AB'])).toBe('-ERR Unsupported option AB\r\n')
    expect(h.raw(['EXPIRE', 'k', '1', 'NX', 'AB'])).toBe('-ERR Unsupported option AB\r\n')
  })

  it('refuse what is no integer and what overflows', () => {
    const h = new KeysHarness()
    h.run('SET', 'k', 'v')
    const notInteger = '-ERR value is not an integer or out of range\r\n'
    expect(h.raw(['EXPIRE', 'k', ''])).toBe(notInteger)
    expect(h.raw(['EXPIRE', 'k', '1.5'])).toBe(notInteger)
    expect(h.raw(['EXPIRE', 'k', '9223372036854775808'])).toBe(notInteger)
    for (const amount of [
      '9223370399119966',
      '9223372036854776',
      '10000000000000000',
      '-9223372036854776',
      '-9999999999999999',
    ]) {
      expect(h.raw(['EXPIRE', 'k', amount])).toBe("-ERR invalid expire time in 'expire' command\r\n")
    }
    expect(h.raw(['PEXPIRE', 'k', '9223372036854770000'])).toBe("-ERR invalid expire time in 'pexpire' command\r\n")
    expect(h.raw(['EXPIREAT', 'k', '9223372036854776'])).toBe("-ERR invalid expire time in 'expireat' command\r\n")
    expect(h.run('TTL', 'k')).toBe(-1)
  })

  it('keep a time beyond the last safe integer as that one', () => {
    const h = new KeysHarness()
    h.run('SET', 'k', 'v')
    expect(h.run('PEXPIREAT', 'k', '9223372036854770000')).toBe(1)
    expect(h.run('PEXPIRETIME', 'k')).toBe(Number.MAX_SAFE_INTEGER)
    const other = new KeysHarness({ self: 2, solo: false })
    other.receive(h)
    expect(other.run('PEXPIRETIME', 'k')).toBe(Number.MAX_SAFE_INTEGER)
  })
})

describe('PERSIST', () => {
  it('takes the expiry away, once', () => {
    const h = new KeysHarness()
    h.run('SET', 'k', 'v', 'PX', '5000')
    expect(h.run('PERSIST', 'k')).toBe(1)
    expect(h.run('PERSIST', 'k')).toBe(0)
    expect(h.run('PERSIST', 'none')).toBe(0)
    h.clock.advance(10_000)
    expect(h.run('GET', 'k')).toBe('v')
  })
})

describe('expiry in two regions', () => {
  function pair() {
    const a = new KeysHarness({ self: 1, solo: false })
    const b = new KeysHarness({ self: 2, solo: false }, a.clock)
    a.run('SET', 'k', 'v')
    b.receive(a)
    return { a, b }
  }

  it('the later of two concurrent times is visible in both', () => {
    const { a, b } = pair()
    a.run('EXPIRE', 'k', '10')
    b.run('EXPIRE', 'k', '50')
    a.receive(b)
    b.receive(a)
    expect([a.run('TTL', 'k'), b.run('TTL', 'k')]).toEqual([50, 50])
  })

  it('PERSIST beats a concurrent time', () => {
    const { a, b } = pair()
    a.run('EXPIRE', 'k', '10')
    b.receive(a)
    a.run('EXPIRE', 'k', '20')
    b.run('PERSIST', 'k')
    a.receive(b)
    b.receive(a)
    expect([a.run('TTL', 'k'), b.run('TTL', 'k')]).toEqual([-1, -1])
    expect(a.run('PERSIST', 'k')).toBe(0)
  })

  it('a time in the past removes only what was seen', () => {
    const { a, b } = pair()
    a.run('EXPIRE', 'k', '-1')
    b.run('SET', 'k', 'new')
    a.receive(b)
    b.receive(a)
    expect([a.run('GET', 'k'), b.run('GET', 'k')]).toEqual(['new', 'new'])
  })
})
