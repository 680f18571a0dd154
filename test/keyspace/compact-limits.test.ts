import { describe, expect, it } from 'vitest'
import { LIMITS } from '../../src/base/limits.js'
import { DEFAULT_COMPACT_LIMITS, type CompactLimits } from '../../src/keyspace/compact-limits.js'
import { EngineHarness } from '../support/engine-harness.js'

function shell(limits: Partial<CompactLimits>, solo = true) {
  const harness = new EngineHarness({ solo })
  const { collections } = harness.engine
  collections.limit({ ...DEFAULT_COMPACT_LIMITS, ...limits })
  const run = (...args: string[]) => harness.run(...args)
  /** What OBJECT ENCODING says, and whether the collection lies in one block. */
  const form = (key: string): string => {
    const db = harness.engine.keyspace.database(0)
    const name = Buffer.from(key)
    const root = db.root(db.lookup(name, 0, name.length))
    const type = run('TYPE', key)
    const packed =
      type === 'zset'
        ? collections.zsets.isPacked(db, root)
        : (type === 'hash' ? collections.hashes : collections.sets).isPacked(db.arena, root)
    return `${String(run('OBJECT', 'ENCODING', key))} ${packed ? 'packed' : 'large'}`
  }
  return { run, form, limit: (more: Partial<CompactLimits>) => collections.limit({ ...DEFAULT_COMPACT_LIMITS, ...more }) }
}

function numbered(count: number, prefix: string): string[] {
  return Array.from({ length: count }, (_, i) => `${prefix}${i}`)
}

describe('settings of small forms', () => {
  it('decide where a packed hash ends', () => {
    const { run, form } = shell({ hashMaxListpackEntries: 3, hashMaxListpackValue: 10 })
    run('HSET', 'h', 'a', '1', 'b', '2', 'c', '3')
    expect(form('h')).toBe('listpack packed')
    run('HSET', 'h', 'd', '4')
    expect(form('h')).toBe('hashtable large')
    run('HSET', 'value', 'a', '12345678901')
    run('HSET', 'field', '12345678901', 'a')
    expect([form('value'), form('field')]).toEqual(['hashtable large', 'hashtable large'])
    expect(run('HGETALL', 'value')).toEqual(['a', '12345678901'])
  })

  it('decide where a packed set ends, of integers and of others', () => {
    const { run, form } = shell({ setMaxIntsetEntries: 4, setMaxListpackEntries: 2, setMaxListpackValue: 5 })
    run('SADD', 'ints', '1', '2', '3', '1234567')
    expect(form('ints')).toBe('intset packed')
    run('SADD', 'ints', '5')
    expect(form('ints')).toBe('hashtable large')
    run('SADD', 'words', 'a', 'b')
    expect(form('words')).toBe('listpack packed')
    run('SADD', 'words', 'c')
    expect(form('words')).toBe('hashtable large')
    run('SADD', 'long', 'abcdef')
    expect(form('long')).toBe('hashtable large')
  })

  it('make a set that begins with too many integers for an intset a listpack', () => {
    const { run, form } = shell({ setMaxIntsetEntries: 0 })
    run('SADD', 'ints', '1')
    expect(form('ints')).toBe('listpack packed')
    const none = shell({ setMaxIntsetEntries: 0, setMaxListpackEntries: 0 })
    none.run('SADD', 'ints', '1')
    expect(none.form('ints')).toBe('hashtable large')
  })

  it('decide where a packed sorted set ends', () => {
    const { run, form, limit } = shell({ zsetMaxListpackEntries: 2, zsetMaxListpackValue: 5 })
    run('ZADD', 'z', '1', 'a', '2', 'b')
    expect(form('z')).toBe('listpack packed')
    run('ZADD', 'z', '3', 'c')
    expect(form('z')).toBe('skiplist large')
    run('ZADD', 'long', '1', 'abcdef')
    expect(form('long')).toBe('skiplist large')
    limit({ zsetMaxListpackEntries: 0 })
    run('ZADD', 'one', '1', 'a')
    expect(form('one')).toBe('skiplist large')
    expect(run('ZRANGE', 'z', '0', '-1')).toEqual(['a', 'b', 'c'])
  })

  it('change what is there when it is added to next', () => {
    const { run, form, limit } = shell({})
    run('HSET', 'h', 'a', '1', 'b', '2')
    run('SADD', 's', 'a', 'b')
    run('ZADD', 'z', '1', 'a', '2', 'b')
    limit({ hashMaxListpackEntries: 1, setMaxListpackEntries: 1, zsetMaxListpackEntries: 1 })
    run('HSET', 'h', 'a', '2')
    run('ZADD', 'z', '3', 'a')
    expect(['h', 's', 'z'].map(form)).toEqual(['listpack packed', 'listpack packed', 'listpack packed'])
    run('HSET', 'h', 'c', '3')
    run('SADD', 's', 'c')
    run('ZADD', 'z', '3', 'c')
    expect(['h', 's', 'z'].map(form)).toEqual(['hashtable large', 'hashtable large', 'skiplist large'])
    expect(run('ZRANGE', 'z', '0', '-1', 'WITHSCORES')).toEqual(['b', '2', 'a', '3', 'c', '3'])
  })

  it('leave it at the bounds of the packed form, whatever they allow', () => {
    const much = 1e9
    const { run, form } = shell({
      hashMaxListpackEntries: much,
      hashMaxListpackValue: much,
      setMaxListpackEntries: much,
      setMaxListpackValue: much,
      setMaxIntsetEntries: much,
      zsetMaxListpackEntries: much,
      zsetMaxListpackValue: much,
    })
    const { packedElements, packedElementBytes } = LIMITS
    const members = numbered(packedElements, 'm')
    run('HSET', 'h', ...members.flatMap((member) => [member, 'v'.repeat(packedElementBytes)]))
    run('SADD', 's', ...members)
    run('SADD', 'ints', ...numbered(packedElements, ''))
    run('ZADD', 'z', ...members.flatMap((member, i) => [String(i), member]))
    run('HSET', 'long', 'f'.repeat(packedElementBytes), 'v')
    run('ZADD', 'longz', '1', 'm'.repeat(packedElementBytes))
    const keys = ['h', 's', 'ints', 'z', 'long', 'longz']
    expect(keys.map(form)).toEqual(keys.map((key) => `${key === 'ints' ? 'intset' : 'listpack'} packed`))
    run('HSET', 'h', 'one more', 'v')
    run('SADD', 's', 'one more')
    run('SADD', 'ints', String(packedElements))
    run('ZADD', 'z', '1', 'one more')
    run('HSET', 'long', 'f'.repeat(packedElementBytes + 1), 'v')
    run('ZADD', 'longz', '1', 'm'.repeat(packedElementBytes + 1))
    expect(keys.map(form)).toEqual(keys.map((key) => `${key === 'ints' ? 'intset' : 'listpack'} large`))
    expect([run('HLEN', 'h'), run('SCARD', 's'), run('SCARD', 'ints'), run('ZCARD', 'z')]).toEqual(
      Array(4).fill(packedElements + 1),
    )
    expect(run('HGET', 'long', 'f'.repeat(packedElementBytes))).toBe('v')
    expect(run('ZRANGE', 'longz', '0', '0')).toEqual(['m'.repeat(packedElementBytes)])
  })

  it('keep calling a sorted set with counter contributions a listpack while it is small', () => {
    const { run, form } = shell({}, false)
    run('ZINCRBY', 'z', '1', 'a')
    expect(form('z')).toBe('listpack large')
    run('ZINCRBY', 'z', '1', 'a'.repeat(65))
    expect(form('z')).toBe('skiplist large')
  })

  it('say what Redis would keep a list as', () => {
    const { run, limit } = shell({ listMaxListpackSize: 2 })
    const encoding = () => run('OBJECT', 'ENCODING', 'l')
    run('RPUSH', 'l', 'a', 'b')
    expect(encoding()).toBe('listpack')
    run('RPUSH', 'l', 'c')
    expect(encoding()).toBe('quicklist')
    limit({ listMaxListpackSize: 3 })
    expect(encoding()).toBe('listpack')
    run('RPUSH', 'l', 'x'.repeat(5000))
    limit({ listMaxListpackSize: -1 })
    expect(encoding()).toBe('quicklist')
    limit({ listMaxListpackSize: -2 })
    expect(encoding()).toBe('listpack')
    limit({ listMaxListpackSize: 0 })
    expect(encoding()).toBe('quicklist')
    run('RPUSH', 'l', 'x'.repeat(59_000))
    limit({ listMaxListpackSize: -5 })
    expect(encoding()).toBe('listpack')
    limit({ listMaxListpackSize: -100 })
    expect(encoding()).toBe('listpack')
    run('RPUSH', 'l', 'x'.repeat(2000))
    expect(encoding()).toBe('quicklist')
  })
})
