import { describe, expect, it } from 'vitest'
import { EngineHarness } from '../../support/engine-harness.js'

const SYNTAX = '-ERR syntax error\r\n'

function value(h: EngineHarness, key: string): unknown {
  return h.run('GET', key)
}

/** Ms until the key in database 0 is due; Infinity without an expiry. */
function ttl(h: EngineHarness, key: string): number {
  const db = h.engine.keyspace.database(0)
  const bytes = Buffer.from(key)
  return db.expiresAt(h.engine.keyspace.find(db, bytes, 0, bytes.length)) - h.clock.now
}

describe('SET', () => {
  it('writes only if its condition allows it', () => {
    const h = new EngineHarness()
    expect(h.raw(['SET', 'k', '1', 'XX'])).toBe('$-1\r\n')
    expect(h.raw(['SET', 'k', '1', 'NX'])).toBe('+OK\r\n')
    expect(h.raw(['SET', 'k', '2', 'NX'])).toBe('$-1\r\n')
    expect(h.raw(['SET', 'k', '3', 'XX'])).toBe('+OK\r\n')
    expect(value(h, 'k')).toBe('3')
  })

  it('replies with the old value for GET, whether it wrote or not', () => {
    const h = new EngineHarness()
    expect(h.raw(['SET', 'k', '1', 'GET', 'NX'])).toBe('$-1\r\n')
    expect(h.raw(['SET', 'k', '2', 'GET', 'NX'])).toBe('$1\r\n1\r\n')
    expect(h.raw(['SET', 'k', '2', 'GET'])).toBe('$1\r\n1\r\n')
    expect(value(h, 'k')).toBe('2')
  })

  it('compares with IFEQ and IFNE', () => {
    const h = new EngineHarness()
    expect(h.raw(['SET', 'k', 'new', 'IFEQ', 'old'])).toBe('$-1\r\n')
    expect(value(h, 'k')).toBe(null)
    expect(h.raw(['SET', 'k', 'old', 'IFNE', 'x'])).toBe('+OK\r\n')
    expect(h.raw(['SET', 'k', 'new', 'IFEQ', 'other'])).toBe('$-1\r\n')
    expect(h.raw(['SET', 'k', 'new', 'IFEQ', 'old', 'GET'])).toBe('$3\r\nold\r\n')
    expect(h.raw(['SET', 'k', 'newer', 'IFNE', 'new', 'GET'])).toBe('$3\r\nnew\r\n')
    expect(value(h, 'k')).toBe('new')
  })

  it('compares digests with IFDEQ and IFDNE, in either case', () => {
    const h = new EngineHarness()
    h.run('SET', 'k', 'Hello world')
    expect(h.run('DIGEST', 'k')).toBe('b6acb9d84a38ff74')
    expect(h.raw(['SET', 'k', 'x', 'IFDNE', 'b6acb9d84a38ff74'])).toBe('$-1\r\n')
    expect(h.raw(['SET', 'k', 'x', 'IFDEQ', 'B6ACB9D84A38FF74'])).toBe('+OK\r\n')
    expect(h.raw(['SET', 'k', 'y', 'IFDEQ', 'b6'])).toBe('-ERR must be exactly 16 hexadecimal characters\r\n')
    expect(h.raw(['DIGEST', 'none'])).toBe('$-1\r\n')
  })

  it('sets, keeps and clears the expiry', () => {
    const h = new EngineHarness()
    h.run('SET', 'k', '1', 'EX', '10')
    expect(ttl(h, 'k')).toBe(10_000)
    h.run('SET', 'k', '2', 'KEEPTTL')
    expect(ttl(h, 'k')).toBe(10_000)
    h.run('SET', 'k', '3', 'PXAT', String(h.clock.now + 77))
    expect(ttl(h, 'k')).toBe(77)
    h.run('SET', 'k', '4')
    expect(ttl(h, 'k')).toBe(Infinity)
    h.run('PSETEX', 'k', '5', 'x')
    expect(ttl(h, 'k')).toBe(5)
    h.clock.now += 5
    expect(value(h, 'k')).toBe(null)
    expect(h.raw(['SET', 'k', 'again', 'NX', 'KEEPTTL'])).toBe('+OK\r\n')
    expect(ttl(h, 'k')).toBe(Infinity)
  })

  it.each([
    [['NX', 'XX']],
    [['EX', '1', 'PX', '1']],
    [['EX', '1', 'KEEPTTL']],
    [['EX']],
    [['PERSIST']],
    [['IFEQ', 'a', 'NX']],
    [['NX', 'IFEQ', 'a']],
    [['IFEQ', 'a', 'IFNE', 'b']],
    [['IFEQ']],
    [['NOPE']],
  ])('refuses %j', (options) => {
    const h = new EngineHarness()
    expect(h.raw(['SET', 'k', 'v', ...options])).toBe(SYNTAX)
    expect(value(h, 'k')).toBe(null)
  })

  it.each(['0', '-1', '9223372036854775807', '10000000000000000'])('refuses EX %s', (seconds) => {
    const h = new EngineHarness()
    expect(h.raw(['SET', 'k', 'v', 'EX', seconds])).toBe("-ERR invalid expire time in 'set' command\r\n")
    expect(h.raw(['SETEX', 'k', seconds, 'v'])).toBe("-ERR invalid expire time in 'setex' command\r\n")
  })

  it('takes times beyond 2^53', () => {
    const h = new EngineHarness()
    expect(h.raw(['SET', 'k', 'v', 'PX', '9100000000000000000'])).toBe('+OK\r\n')
    expect(h.raw(['SET', 'k', 'v', 'PX', '9223372036854775807'])).toBe("-ERR invalid expire time in 'set' command\r\n")
    expect(value(h, 'k')).toBe('v')
  })

  it('holds a value of a megabyte and any bytes', () => {
    const h = new EngineHarness()
    const big = Buffer.alloc(1_500_000, 'abcd')
    h.run('SET', 'k', big)
    expect(value(h, 'k')).toBe(big.toString('latin1'))
    const bytes = Buffer.from(Array.from({ length: 256 }, (_, i) => i))
    h.run('SET', bytes, bytes)
    expect(h.run('GET', bytes)).toBe(bytes.toString('latin1'))
  })
})

describe('GETEX, GETDEL, GETSET, SETNX, DELEX', () => {
  it('GETEX changes the expiry', () => {
    const h = new EngineHarness()
    h.run('SET', 'k', 'v')
    expect(h.run('GETEX', 'k', 'EX', '10')).toBe('v')
    expect(ttl(h, 'k')).toBe(10_000)
    expect(h.run('GETEX', 'k')).toBe('v')
    expect(ttl(h, 'k')).toBe(10_000)
    expect(h.run('GETEX', 'k', 'PERSIST')).toBe('v')
    expect(ttl(h, 'k')).toBe(Infinity)
    expect(h.raw(['GETEX', 'k', 'KEEPTTL'])).toBe(SYNTAX)
    expect(h.raw(['GETEX', 'k', 'EX', '0'])).toBe("-ERR invalid expire time in 'getex' command\r\n")
    expect(h.run('GETEX', 'k', 'PXAT', '1')).toBe('v')
    expect(value(h, 'k')).toBe(null)
  })

  it('GETEX without effect writes nothing', () => {
    const h = new EngineHarness()
    h.run('SET', 'k', 'v')
    const frames = h.log.frames.length
    h.run('GETEX', 'k')
    h.run('GETEX', 'k', 'PERSIST')
    h.run('GETEX', 'none', 'EX', '5')
    expect(h.log.frames.length).toBe(frames)
  })

  it('GETDEL and GETSET reply with the old value', () => {
    const h = new EngineHarness()
    h.run('SET', 'k', 'v', 'EX', '5')
    expect(h.run('GETSET', 'k', 'w')).toBe('v')
    expect(ttl(h, 'k')).toBe(Infinity)
    expect(h.run('GETDEL', 'k')).toBe('w')
    expect(h.run('GETDEL', 'k')).toBe(null)
    expect([h.run('SETNX', 'k', '1'), h.run('SETNX', 'k', '2')]).toEqual([1, 0])
  })

  it('DELEX removes on a condition', () => {
    const h = new EngineHarness()
    h.run('SET', 'k', 'v')
    expect(h.run('DELEX', 'k', 'IFEQ', 'w')).toBe(0)
    expect(h.run('DELEX', 'k', 'IFNE', 'v')).toBe(0)
    expect(h.raw(['DELEX', 'k', 'FOO', 'v'])).toBe('-ERR Invalid condition. Use IFEQ, IFNE, IFDEQ, or IFDNE\r\n')
    expect(h.raw(['DELEX', 'k', 'IFEQ'])).toBe("-ERR wrong number of arguments for 'delex' command\r\n")
    expect(h.run('DELEX', 'k', 'IFEQ', 'v')).toBe(1)
    expect(h.run('DELEX', 'k')).toBe(0)
  })
})

describe('many keys', () => {
  it('MSET, MGET, MSETNX', () => {
    const h = new EngineHarness()
    expect(h.raw(['MSET', 'a', '1', 'b', '2', 'a', '3'])).toBe('+OK\r\n')
    expect(h.run('MGET', 'a', 'none', 'b')).toEqual(['3', null, '2'])
    expect(h.run('MSETNX', 'c', '1', 'a', '9')).toBe(0)
    expect(h.run('MSETNX', 'c', '1', 'd', '1', 'c', '2')).toBe(1)
    expect(h.run('MGET', 'a', 'c', 'd')).toEqual(['3', '2', '1'])
    expect(h.raw(['MSET', 'a', '1', 'b'])).toBe("-ERR wrong number of arguments for 'mset' command\r\n")
    expect(h.raw(['MSETNX', 'a', '1', 'b'])).toBe("-ERR wrong number of arguments for 'msetnx' command\r\n")
  })

  it('MSET is one op', () => {
    const h = new EngineHarness()
    h.run('MSET', 'a', '1', 'b', '2')
    expect(h.log.frames.map((frame) => frame.opCount)).toEqual([1])
  })

  it('MSETEX', () => {
    const h = new EngineHarness()
    expect(h.run('MSETEX', '2', 'a', '1', 'b', '2', 'EX', '10')).toBe(1)
    expect([ttl(h, 'a'), ttl(h, 'b')]).toEqual([10_000, 10_000])
    expect(h.run('MSETEX', '2', 'a', '1', 'c', '2', 'XX')).toBe(0)
    expect(h.run('MSETEX', '2', 'a', '1', 'c', '2', 'NX')).toBe(0)
    expect(h.run('MSETEX', '2', 'a', '7', 'b', '8', 'XX', 'KEEPTTL')).toBe(1)
    expect(ttl(h, 'a')).toBe(10_000)
    expect(h.raw(['MSETEX', '0', 'a', '1'])).toBe('-ERR invalid numkeys value\r\n')
    expect(h.raw(['MSETEX', '2', 'a', '1'])).toBe('-ERR wrong number of key-value pairs\r\n')
    expect(h.raw(['MSETEX', '1', 'a', '1', 'GET'])).toBe(SYNTAX)
  })
})
