import { beforeEach, describe, expect, it } from 'vitest'
import { SeededRandom } from '../../differential/seeded-random.js'
import { EngineHarness } from '../../support/engine-harness.js'
import { describeWithRedisServer } from '../../support/with-redis-server.js'

const SYNTAX = '-ERR syntax error\r\n'
const NOT_INTEGER = '-ERR value is not an integer or out of range\r\n'
const NOT_NUMBERS = "-ERR One or more scores can't be converted into double\r\n"
const WRONG_TYPE = '-WRONGTYPE Operation against a key holding the wrong kind of value\r\n'

function words(text: string): string[] {
  return text.split(' ')
}

describe('SORT', () => {
  it('orders the elements of a list, a set and a sorted set by number', () => {
    for (const make of [
      ['RPUSH', 'k', '10', '-1', '2.5', '3', '+7', '1e1'],
      ['SADD', 'k', '10', '-1', '2.5', '3', '+7', '1e1'],
      ['ZADD', 'k', '5', '10', '4', '-1', '3', '2.5', '2', '3', '1', '+7', '0', '1e1'],
    ]) {
      const h = new EngineHarness()
      h.run(...make)
      expect(h.run('SORT', 'k')).toEqual(words('-1 2.5 3 +7 10 1e1'))
      expect(h.run('SORT_RO', 'k', 'DESC')).toEqual(words('1e1 10 +7 3 2.5 -1'))
      expect(h.run('SORT', 'k', 'LIMIT', '1', '2')).toEqual(words('2.5 3'))
      expect(h.run('SORT', 'k', 'DESC', 'LIMIT', '4', '100')).toEqual(words('2.5 -1'))
      expect(h.run('SORT', 'k', 'LIMIT', '-5', '1')).toEqual(['-1'])
      expect(h.run('SORT', 'k', 'LIMIT', '4', '-1')).toEqual(['10', '1e1'])
      expect(h.run('SORT', 'k', 'LIMIT', '0', '0')).toEqual([])
      expect(h.run('SORT', 'k', 'LIMIT', '100', '1')).toEqual([])
    }
    expect(new EngineHarness().run('SORT', 'none', 'BY', 'x*', 'GET', 'y*')).toEqual([])
  })

  it('orders by bytes with ALPHA', () => {
    const h = new EngineHarness()
    h.run('RPUSH', 'k', 'b', 'a', 'B', 'ab', '', 'a\xff', 'a')
    expect(h.run('SORT', 'k', 'ALPHA')).toEqual(['', 'B', 'a', 'a', 'ab', 'a\u00c3\u00bf', 'b'])
    expect(h.run('SORT', 'k', 'ALPHA', 'DESC', 'ASC', 'LIMIT', '0', '2')).toEqual(['', 'B'])
    expect(h.raw(['SORT', 'k'])).toBe(NOT_NUMBERS)
  })

  it('orders by what patterns lead to: string keys and fields of hashes', () => {
    const h = new EngineHarness()
    h.run('RPUSH', 'k', '1', '2', '3', '4')
    h.run('MSET', 'w_1', '30', 'w_2', '10', 'w_3', '20')
    for (const [id, weight, name] of [
      ['1', '5', 'c'],
      ['2', '7', 'a'],
      ['3', '-6', 'b'],
    ]) {
      h.run('HSET', `h_${id}`, 'weight', weight, 'name', name)
    }
    h.run('SADD', 'h_4', 'x')
    expect(h.run('SORT', 'k', 'BY', 'w_*')).toEqual(words('4 2 3 1'))
    expect(h.run('SORT', 'k', 'BY', 'w_*', 'DESC', 'GET', '#', 'GET', 'w_*', 'GET', 'h_*->name')).toEqual([
      '1',
      '30',
      'c',
      '3',
      '20',
      'b',
      '2',
      '10',
      'a',
      '4',
      null,
      null,
    ])
    expect(h.run('SORT', 'k', 'BY', 'h_*->weight')).toEqual(words('3 4 1 2'))
    expect(h.run('SORT', 'k', 'BY', 'h_*->name', 'ALPHA')).toEqual(words('4 2 3 1'))
    expect(h.run('SORT', 'k', 'BY', 'h_*->name', 'ALPHA', 'DESC')).toEqual(words('1 3 2 4'))
    expect(h.run('SORT', 'k', 'BY', 'h_*->none')).toEqual(words('1 2 3 4'))
    expect(h.run('SORT', 'k', 'GET', 'w_1', 'GET', 'h_*->', 'GET', '*->x')).toEqual(new Array(12).fill(null))
    expect(h.raw(['SORT', 'k', 'BY', 'h_*->name'])).toBe(NOT_NUMBERS)
  })

  it('leaves the order of a list or sorted set when BY has no *, and reads only what LIMIT asks for', () => {
    const h = new EngineHarness()
    h.run('RPUSH', 'l', 'c', 'a', 'b', 'd')
    h.run('ZADD', 'z', '1', 'c', '2', 'a', '3', 'b', '4', 'd')
    for (const key of ['l', 'z']) {
      expect(h.run('SORT', key, 'BY', 'nosort')).toEqual(words('c a b d'))
      expect(h.run('SORT', key, 'BY', 'nosort', 'DESC')).toEqual(words('d b a c'))
      expect(h.run('SORT', key, 'BY', 'nosort', 'LIMIT', '1', '2')).toEqual(words('a b'))
      expect(h.run('SORT', key, 'BY', 'nosort', 'DESC', 'LIMIT', '1', '2')).toEqual(words('b a'))
      expect(h.run('SORT', key, 'BY', 'nosort', 'LIMIT', '4', '2')).toEqual([])
      expect(h.run('SORT', key, 'BY', 'nosort', 'GET', '#', 'LIMIT', '3', '5')).toEqual(['d'])
    }
    h.run('SADD', 's', 'c', 'a', 'b')
    expect((h.run('SORT', 's', 'BY', 'nosort') as string[]).sort()).toEqual(words('a b c'))
    expect(h.run('SORT', 's', 'BY', 'nosort', 'STORE', 'to')).toBe(3)
    expect(h.run('LRANGE', 'to', '0', '-1')).toEqual(words('a b c'))
  })

  it('stores the result as a list in place of whatever was there, in one op', () => {
    const h = new EngineHarness({ solo: false })
    const other = new EngineHarness({ self: 2, solo: false }, h.clock)
    h.run('RPUSH', 'k', '3', '1', '2')
    h.run('SET', 'to', 'x', 'PX', '5000')
    const frames = h.log.frames.length
    expect(h.run('SORT', 'k', 'STORE', 'to')).toBe(3)
    expect(h.log.frames.slice(frames).map((frame) => frame.opCount)).toEqual([1])
    expect([h.run('LRANGE', 'to', '0', '-1'), h.run('PTTL', 'to')]).toEqual([words('1 2 3'), -1])
    expect(h.run('SORT', 'k', 'DESC', 'GET', 'none*', 'GET', '#', 'STORE', 'k')).toBe(6)
    expect(h.run('LRANGE', 'k', '0', '-1')).toEqual(['', '3', '', '2', '', '1'])
    expect(h.run('SORT', 'none', 'STORE', 'to')).toBe(0)
    expect([h.run('EXISTS', 'to'), h.run('SORT', 'none', 'STORE', 'to')]).toEqual([0, 0])
    other.receive(h)
    expect([other.run('LRANGE', 'k', '0', '-1'), other.run('EXISTS', 'to')]).toEqual([['', '3', '', '2', '', '1'], 0])
  })

  it('answers what is wrong as Redis, and changes nothing', () => {
    const h = new EngineHarness()
    h.run('RPUSH', 'k', 'a')
    h.run('SET', 'text', 'x')
    h.run('PFADD', 'hll', 'x')
    h.run('HSET', 'hash', 'f', 'v')
    for (const args of [['BY'], ['GET'], ['LIMIT', '1'], ['STORE'], ['what'], ['ALPHA', 'NO']]) {
      expect(h.raw(['SORT', 'text', ...args])).toBe(SYNTAX)
    }
    expect(h.raw(['SORT_RO', 'k', 'STORE', 'to'])).toBe(SYNTAX)
    expect(h.raw(['SORT', 'k', 'LIMIT', 'a', '1'])).toBe(NOT_INTEGER)
    expect(h.raw(['SORT', 'k', 'LIMIT', '1', '1.5'])).toBe(NOT_INTEGER)
    for (const key of ['text', 'hll', 'hash']) expect(h.raw(['SORT', key])).toBe(WRONG_TYPE)
    expect(h.raw(['SORT', 'k', 'STORE', 'text'])).toBe(NOT_NUMBERS)
    expect(h.run('GET', 'text')).toBe('x')
  })

  it('says where its keys are', () => {
    const h = new EngineHarness()
    expect(h.run('COMMAND', 'GETKEYS', 'SORT', 'abc', 'STORE', 'def')).toEqual(['abc', 'def'])
    expect(h.run('COMMAND', 'GETKEYS', 'SORT', 'abc', 'STORE', 'a', 'STORE', 'b', 'STORE', 'def')).toEqual(['abc', 'def'])
    expect(h.run('COMMAND', 'GETKEYS', 'SORT_RO', 'abc', 'BY', 'def')).toEqual(['abc'])
  })
})

describeWithRedisServer('SORT here and in redis-server', (suite) => {
  beforeEach(async () => {
    await suite.redis.flushall()
  })

  it('gives the same for random elements, weights and options', async () => {
    const { redis } = suite
    const random = new SeededRandom(2024)
    const h = new EngineHarness()
    const both = async (...args: string[]) => {
      const [command, ...rest] = args
      const theirs: unknown = await redis.call(command, ...rest).catch((error: unknown) => error)
      const ours = h.run(...args)
      if (theirs instanceof Error) expect(String(ours)).toContain(theirs.message)
      else expect([args, ours]).toEqual([args, theirs])
    }
    const element = () => String(random.pick([random.below(50), random.below(1e9), random.fraction(), `e${random.below(40)}`]))
    const number = () => String(random.pick([random.below(50), -random.below(50), random.below(1e9) / 64]))
    for (const [key, make] of [
      ['numbers', number],
      ['mixed', element],
    ] as const) {
      const items = [...new Set(Array.from({ length: 150 }, make))]
      await both('RPUSH', `list ${key}`, ...items)
      await both('SADD', `set ${key}`, ...items)
      await both('ZADD', `zset ${key}`, ...items.flatMap((item) => [String(random.below(30)), item]))
      for (const item of items) {
        if (random.chance(0.8)) await both('SET', `weight ${item}`, String(random.below(20)))
        if (random.chance(0.8)) await both('HSET', `hash ${item}`, 'number', String(random.below(1000)), 'text', element())
      }
    }
    for (let i = 0; i < 250; i++) {
      const kind = random.pick(['list', 'set', 'zset'])
      const alpha = random.chance(0.5)
      const by = random.pick([[], [], ['BY', 'weight *'], ['BY', 'hash *->number'], ['BY', 'nosort']])
      // Which of equal texts comes first is left open there.
      const open = alpha && by.length > 0
      if (kind === 'set' && by[1] === 'nosort') continue
      const options = random.pick([[], ['DESC'], ['ASC']])
      const limit = random.chance(0.5) && !open ? ['LIMIT', String(random.between(-2, 160)), String(random.between(-2, 40))] : []
      const gets = random.times(0, 2, () => ['GET', random.pick(['#', 'weight *', 'hash *->text', 'none *'])]).flat()
      const store = random.chance(0.2) ? ['STORE', 'to'] : []
      const key = `${kind} ${random.pick(['numbers', 'mixed'])}`
      if (open && by[1] !== 'nosort') continue
      await both('SORT', key, ...(alpha ? ['ALPHA'] : []), ...by, ...options, ...limit, ...gets, ...store)
      if (store.length > 0) await both('LRANGE', 'to', '0', '-1')
    }
  })
})
