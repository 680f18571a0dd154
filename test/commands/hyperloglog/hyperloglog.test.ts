import { beforeEach, describe, expect, it } from 'vitest'
import { DENSE_BYTES, writeDense } from '../../../src/crdt/hyperloglog.js'
import { SeededRandom } from '../../differential/seeded-random.js'
import { EngineHarness } from '../../support/engine-harness.js'
import { describeWithRedisServer } from '../../support/with-redis-server.js'

const NOT_A_SKETCH = '-WRONGTYPE Key is not a valid HyperLogLog string value.\r\n'
const BROKEN = '-INVALIDOBJ Corrupted HLL object detected\r\n'
const WRONG_TYPE = '-WRONGTYPE Operation against a key holding the wrong kind of value\r\n'

function bytes(h: EngineHarness, key: string): Buffer {
  return Buffer.from(h.run('GET', key) as string, 'latin1')
}

function elements(prefix: string, count: number): string[] {
  return Array.from({ length: count }, (_, i) => `${prefix}${i}`)
}

describe('PFADD and PFCOUNT', () => {
  it('say whether a register rose, and estimate', () => {
    const h = new EngineHarness()
    expect(h.run('PFADD', 'k')).toBe(1)
    expect(h.run('PFADD', 'k')).toBe(0)
    expect(h.run('PFCOUNT', 'k')).toBe(0)
    expect(h.run('PFADD', 'k', 'a', 'b', 'c')).toBe(1)
    expect(h.run('PFADD', 'k', 'a', 'c')).toBe(0)
    expect(h.run('PFCOUNT', 'k')).toBe(3)
    expect(h.run('PFADD', 'other', 'c', 'd', 'e')).toBe(1)
    expect(h.run('PFCOUNT', 'k', 'none', 'other')).toBe(5)
    expect(h.run('PFCOUNT', 'none')).toBe(0)
  })

  it('write nothing when no register rises', () => {
    const h = new EngineHarness()
    h.run('PFADD', 'k', 'a')
    const before = h.log.frames.length
    h.run('PFADD', 'k', 'a')
    h.run('PFCOUNT', 'k')
    expect(h.log.frames.length).toBe(before)
  })

  it('is a string to clients', () => {
    const h = new EngineHarness()
    h.run('PFADD', 'k', 'a')
    expect(h.run('TYPE', 'k')).toBe('string')
    expect(h.run('OBJECT', 'ENCODING', 'k')).toBe('raw')
    expect(h.run('STRLEN', 'k')).toBe(bytes(h, 'k').length)
    expect(h.run('GETRANGE', 'k', '0', '3')).toBe('HYLL')
    expect(h.run('SCAN', '0', 'TYPE', 'string')).toEqual(['0', ['k']])
    expect(h.raw(['INCR', 'k'])).toBe('-ERR value is not an integer or out of range\r\n')
    expect(h.raw(['LCS', 'k', 'k', 'LEN'])).toBe(`:${bytes(h, 'k').length}\r\n`)
    expect(h.run('MGET', 'k', 'none')).toEqual([h.run('GET', 'k'), null])
    expect(h.run('MEMORY', 'USAGE', 'k')).toBeGreaterThan(60)
    expect(h.run('GETDEL', 'k')).toMatch(/^HYLL/)
    expect(h.run('EXISTS', 'k')).toBe(0)
  })

  it('refuse what is no HyperLogLog, and leave it', () => {
    const h = new EngineHarness()
    h.run('SET', 'text', 'foo')
    h.run('SET', 'number', '5')
    const dense = Buffer.alloc(DENSE_BYTES)
    writeDense(new Uint8Array(16384), dense, 0)
    h.run('SET', 'short', dense.subarray(1))
    h.run('SET', 'cut', Buffer.concat([dense.subarray(0, 4), Buffer.from([0]), dense.subarray(5, -1)]))
    h.run('SET', 'unknown', Buffer.concat([dense.subarray(0, 4), Buffer.from([2]), dense.subarray(5)]))
    for (const key of ['text', 'number', 'short', 'cut', 'unknown']) {
      const before = h.run('GET', key)
      for (const args of [
        ['PFADD', key, 'a'],
        ['PFCOUNT', key],
        ['PFCOUNT', 'none', key],
        ['PFMERGE', 'to', key],
        ['PFMERGE', key],
        ['PFDEBUG', 'ENCODING', key],
      ]) {
        expect(h.raw(args)).toBe(NOT_A_SKETCH)
      }
      expect(h.run('GET', key)).toBe(before)
    }
    expect(h.run('EXISTS', 'to')).toBe(0)
  })

  it('notice a broken sparse one', () => {
    const h = new EngineHarness()
    h.run('PFADD', 'k', 'a', 'b', 'c')
    h.run('APPEND', 'k', 'hello')
    for (const args of [
      ['PFCOUNT', 'k'],
      ['PFCOUNT', 'k', 'k'],
      ['PFADD', 'k', 'd'],
      ['PFMERGE', 'to', 'k'],
      ['PFDEBUG', 'GETREG', 'k'],
      ['PFDEBUG', 'TODENSE', 'k'],
    ]) {
      expect(h.raw(args)).toBe(BROKEN)
    }
  })
})

describe('a HyperLogLog and strings', () => {
  it('becomes a string by a string write, with its expiry, in the same op', () => {
    const h = new EngineHarness({ solo: false })
    const writes: [string[], (text: Buffer) => Buffer][] = [
      [['APPEND', 'k', 'xy'], (text) => Buffer.concat([text, Buffer.from('xy')])],
      [['SETRANGE', 'k', '1', 'Z'], (text) => Buffer.concat([text.subarray(0, 1), Buffer.from('Z'), text.subarray(2)])],
      [['SETBIT', 'k', '7', '1'], (text) => Buffer.concat([Buffer.from([text[0] | 1]), text.subarray(1)])],
      [['BITFIELD', 'k', 'SET', 'u8', '0', '65'], (text) => Buffer.concat([Buffer.from('A'), text.subarray(1)])],
    ]
    for (const [write, after] of writes) {
      h.run('DEL', 'k')
      h.run('PFADD', 'k', 'a', 'b')
      h.run('PEXPIRE', 'k', '5000')
      const before = bytes(h, 'k')
      const frames = h.log.frames.length
      h.run(...write)
      expect(h.log.frames.slice(frames).map((frame) => frame.opCount)).toEqual([1])
      expect(Buffer.compare(bytes(h, 'k'), after(before))).toBe(0)
      expect(h.run('PTTL', 'k')).toBe(5000)
    }
  })

  it('is one again by PFADD or PFMERGE to its bytes, with its expiry, in the same op', () => {
    const h = new EngineHarness({ solo: false })
    h.run('PFADD', 'from', 'a', 'b')
    for (const write of [
      ['PFADD', 'k', 'c'],
      ['PFMERGE', 'k', 'more'],
    ]) {
      h.run('PFADD', 'more', 'c')
      h.run('SET', 'k', bytes(h, 'from'), 'PX', '5000')
      expect(h.run('PFCOUNT', 'k')).toBe(2)
      expect(h.run('PFADD', 'k', 'a')).toBe(0)
      const frames = h.log.frames.length
      h.run(...write)
      expect(h.log.frames.slice(frames).map((frame) => frame.opCount)).toEqual([1])
      expect([h.run('PFCOUNT', 'k'), h.run('PTTL', 'k'), h.run('TYPE', 'k')]).toEqual([3, 5000, 'string'])
      expect(h.raw(['CRDT.DEBUG', 'k'])).toContain('newest add')
    }
  })

  it('goes with SET, GETSET and DEL like a string, and travels with RENAME, COPY, MOVE, DUMP and SWAPDB', () => {
    const h = new EngineHarness()
    h.run('PFADD', 'k', ...elements('e', 1500))
    h.run('PEXPIRE', 'k', '9000')
    h.run('PFCOUNT', 'k')
    const before = bytes(h, 'k')
    const here = (key: string) => [Buffer.compare(bytes(h, key), before), h.run('PTTL', key)]
    h.run('RENAME', 'k', 'renamed')
    expect(here('renamed')).toEqual([0, 9000])
    h.run('COPY', 'renamed', 'copied')
    expect(here('copied')).toEqual([0, 9000])
    expect(h.run('MOVE', 'copied', '1')).toBe(1)
    h.run('SELECT', '1')
    expect(here('copied')).toEqual([0, 9000])
    h.run('RESTORE', 'back', '9000', Buffer.from(h.run('DUMP', 'copied') as string, 'latin1'))
    expect(here('back')).toEqual([0, 9000])
    h.run('SWAPDB', '0', '1')
    expect(here('renamed')).toEqual([0, 9000])
    expect(h.run('PFADD', 'renamed', 'new')).toBe(1)
    expect(h.run('GETSET', 'renamed', 'text')).toMatch(/^HYLL/)
    expect(h.run('GET', 'renamed')).toBe('text')
    expect(h.run('DEL', 'renamed')).toBe(1)
  })

  it('of another type is refused', () => {
    const h = new EngineHarness()
    h.run('PFADD', 'k', 'a')
    for (const args of [
      ['LPUSH', 'k', 'a'],
      ['SADD', 'k', 'a'],
      ['HSET', 'k', 'a', 'b'],
    ]) {
      expect(h.raw(args)).toBe(WRONG_TYPE)
    }
    expect(h.run('PFCOUNT', 'k')).toBe(1)
  })
})

describe('PFMERGE', () => {
  it('merges into a new key and into one that is there', () => {
    const h = new EngineHarness()
    h.run('PFADD', 'a', '1', '2', '3')
    h.run('PFADD', 'b', '3', '4')
    expect(h.run('PFMERGE', 'to', 'a', 'b', 'none')).toBe('OK')
    expect(h.run('PFCOUNT', 'to')).toBe(4)
    h.run('PFADD', 'to', '5')
    expect(h.run('PFMERGE', 'to', 'a')).toBe('OK')
    expect(h.run('PFCOUNT', 'to')).toBe(5)
    expect(h.run('PFMERGE', 'empty')).toBe('OK')
    expect([h.run('EXISTS', 'empty'), h.run('PFCOUNT', 'empty')]).toEqual([1, 0])
  })

  it('sends registers while they are few and the whole when they are many, which other members make the same of', () => {
    const a = new EngineHarness({ self: 1, solo: false })
    const b = new EngineHarness({ self: 2, solo: false }, a.clock)
    for (const [key, count] of [
      ['few', 10],
      ['some', 1200],
      ['many', 30_000],
    ] as const) {
      a.run('PFADD', key, ...elements('x', count))
      const before = a.log.appendedBytes
      a.run('PFMERGE', `to ${key}`, key)
      expect(a.log.appendedBytes - before).toBeLessThan(count * 3 + 200)
      expect(a.log.appendedBytes - before).toBeLessThan(DENSE_BYTES + 200)
    }
    b.receive(a)
    expect(b.run('CRDT.DIGEST')).toEqual([
      ...(a.run('CRDT.DIGEST') as unknown[]).slice(0, 2),
      ...(b.run('CRDT.DIGEST') as unknown[]).slice(2),
    ])
    expect(b.run('PFCOUNT', 'to many')).toBe(a.run('PFCOUNT', 'many'))
  })
})

describe('HyperLogLogs of two members', () => {
  it('merge, and a removal wins over an add that had not seen it', () => {
    const a = new EngineHarness({ self: 1, solo: false })
    const b = new EngineHarness({ self: 2, solo: false }, a.clock)
    a.run('PFADD', 'k', '1', '2')
    b.run('PFADD', 'k', '2', '3')
    a.receive(b)
    b.receive(a)
    for (const h of [a, b]) expect(h.run('PFCOUNT', 'k')).toBe(3)
    a.run('DEL', 'k')
    b.run('PFADD', 'k', '4')
    a.receive(b)
    b.receive(a)
    for (const h of [a, b]) expect(h.run('EXISTS', 'k')).toBe(0)
    b.run('PFADD', 'k', '5')
    a.receive(b)
    for (const h of [a, b]) expect(h.run('PFCOUNT', 'k')).toBe(1)
  })

  it('leave a concurrent HyperLogLog alone when something else of the key was removed', () => {
    const a = new EngineHarness({ self: 1, solo: false })
    const b = new EngineHarness({ self: 2, solo: false }, a.clock)
    a.run('SET', 'k', 'text')
    a.run('DEL', 'k')
    b.run('PFADD', 'k', '1')
    a.receive(b)
    b.receive(a)
    for (const h of [a, b]) expect(h.run('PFCOUNT', 'k')).toBe(1)
  })

  it('lose to the newer of a string and an add, until one is written', () => {
    const a = new EngineHarness({ self: 1, solo: false })
    const b = new EngineHarness({ self: 2, solo: false }, a.clock)
    a.run('PFADD', 'k', '1')
    a.clock.now += 5
    b.run('SET', 'k', 'text')
    a.receive(b)
    b.receive(a)
    for (const h of [a, b]) expect(h.run('GET', 'k')).toBe('text')
    a.run('DEL', 'k')
    b.receive(a)
    for (const h of [a, b]) expect(h.run('EXISTS', 'k')).toBe(0)
  })

  it('keep the memory of a removal through a flush', () => {
    const a = new EngineHarness({ self: 1, solo: false })
    const b = new EngineHarness({ self: 2, solo: false }, a.clock)
    a.run('PFADD', 'k', '1')
    b.receive(a)
    b.run('PFADD', 'k', '2')
    a.run('FLUSHALL')
    a.run('PFADD', 'k', '3')
    a.receive(b)
    b.receive(a)
    for (const h of [a, b]) expect(h.run('PFCOUNT', 'k')).toBe(1)
  })
})

describe('PFDEBUG and PFSELFTEST', () => {
  it('show what is inside', () => {
    const h = new EngineHarness()
    h.run('PFADD', 'k', 'a', 'b')
    expect(h.run('PFDEBUG', 'encoding', 'k')).toBe('sparse')
    expect(h.run('PFDEBUG', 'DECODE', 'k')).toMatch(/^Z:\d+ v:\d+,1 Z:\d+ v:\d+,1 Z:\d+$/)
    expect(h.run('PFDEBUG', 'TODENSE', 'k')).toBe(1)
    expect(h.run('PFDEBUG', 'TODENSE', 'k')).toBe(0)
    expect(h.run('PFDEBUG', 'ENCODING', 'k')).toBe('dense')
    expect(h.raw(['PFDEBUG', 'DECODE', 'k'])).toBe('-ERR HLL encoding is not sparse\r\n')
    const registers = h.run('PFDEBUG', 'GETREG', 'k') as number[]
    expect([registers.length, registers.filter((rank) => rank > 0).length]).toEqual([16384, 2])
    expect(h.run('PFCOUNT', 'k')).toBe(2)
    expect(h.run('PFADD', 'k', 'c')).toBe(1)
    expect(h.run('PFCOUNT', 'k')).toBe(3)
  })

  it('refuse what they do not know', () => {
    const h = new EngineHarness()
    h.run('PFADD', 'k', 'a')
    expect(h.raw(['PFDEBUG', 'GETREG', 'none'])).toBe('-ERR The specified key does not exist\r\n')
    expect(h.raw(['PFDEBUG', 'what', 'k'])).toBe("-ERR Unknown PFDEBUG subcommand 'what'\r\n")
    expect(h.raw(['PFDEBUG', 'SIMD', 'ON'])).toMatch(/^-ERR PFDEBUG SIMD is not supported/)
  })

  it('find nothing wrong', () => {
    expect(new EngineHarness().run('PFSELFTEST')).toBe('OK')
  })
})

describeWithRedisServer('HyperLogLog commands here and in redis-server', (suite) => {
  beforeEach(async () => {
    await suite.redis.flushall()
  })

  it('make the same bytes, the same counts and the same replies of random adds and merges', async () => {
    const random = new SeededRandom(77)
    const h = new EngineHarness()
    for (let i = 0; i < 400; i++) {
      const key = `k${random.below(4)}`
      const [command, ...args] =
        random.below(8) === 0
          ? ['PFMERGE', key, `k${random.below(4)}`]
          : random.below(5) === 0
            ? ['PFCOUNT', ...random.times(1, 3, () => `k${random.below(4)}`)]
            : ['PFADD', key, ...random.times(0, random.below(20) === 0 ? 400 : 5, () => `e${random.below(4000)}`)]
      const theirs = await suite.redis.callBuffer(command, ...args)
      expect(h.run(command, ...args)).toEqual(Buffer.isBuffer(theirs) ? theirs.toString() : theirs)
    }
    for (const key of ['k0', 'k1', 'k2', 'k3']) {
      expect(await suite.redis.pfcount(key)).toBe(h.run('PFCOUNT', key))
      const theirs = (await suite.redis.getBuffer(key)) as Buffer
      // A merge of many registers into a sparse one is written anew here, in no more runs than there.
      if (Buffer.compare(bytes(h, key), theirs) !== 0) expect(bytes(h, key).length).toBeLessThanOrEqual(theirs.length)
      await suite.redis.set('ours', bytes(h, key))
      await suite.redis.pfadd('ours')
      expect(await suite.redis.callBuffer('PFCOUNT', 'ours', key)).toBe(h.run('PFCOUNT', key))
    }
  })
})
