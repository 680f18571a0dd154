import { describe, expect, it } from 'vitest'
import { EngineHarness } from '../../support/engine-harness.js'

function pairs(count: number, prefix = 'f'): string[] {
  return Array.from({ length: count }, (_, i) => [`${prefix}${i}`, `v${i}`]).flat()
}

describe('hash fields', () => {
  it('are written, read and removed as in Redis, the hash with the last of them', () => {
    const { run } = new Shell()
    expect(run('HSET', 'h', 'a', '1', 'b', '2')).toBe(2)
    expect(run('HSET', 'h', 'a', '3', 'c', '4')).toBe(1)
    expect(run('HGET', 'h', 'a')).toBe('3')
    expect(run('HMGET', 'h', 'a', 'x', 'c')).toEqual(['3', null, '4'])
    expect(run('HGETALL', 'h')).toEqual(['a', '3', 'b', '2', 'c', '4'])
    expect(run('HKEYS', 'h')).toEqual(['a', 'b', 'c'])
    expect(run('HVALS', 'h')).toEqual(['3', '2', '4'])
    expect(run('HLEN', 'h')).toBe(3)
    expect(run('HSTRLEN', 'h', 'b')).toBe(1)
    expect(run('HEXISTS', 'h', 'x')).toBe(0)
    expect(run('HSETNX', 'h', 'a', 'no')).toBe(0)
    expect(run('HSETNX', 'h', 'd', '')).toBe(1)
    expect(run('TYPE', 'h')).toBe('hash')
    expect(run('HDEL', 'h', 'a', 'a', 'x', 'b')).toBe(2)
    expect(run('HDEL', 'h', 'c', 'd')).toBe(2)
    expect(run('EXISTS', 'h')).toBe(0)
  })

  it('that a command names twice have the last value, in small and in large hashes', () => {
    const { run } = new Shell()
    expect(run('HSET', 'h', 'a', '1', 'b', '1', 'a', '2')).toBe(2)
    expect(run('HGETALL', 'h')).toEqual(['b', '1', 'a', '2'])
    expect(run('HSET', 'big', ...pairs(600), ...pairs(20))).toBe(600)
    expect(run('HLEN', 'big')).toBe(600)
  })

  it('survive growth into the large form and shrinking of it', () => {
    const { run } = new Shell()
    for (let i = 0; i < 1000; i++) run('HSET', 'h', `field:${i}`, `value:${i}`)
    expect(run('HLEN', 'h')).toBe(1000)
    expect(run('OBJECT', 'ENCODING', 'h')).toBe('hashtable')
    for (let i = 0; i < 1000; i++) expect(run('HGET', 'h', `field:${i}`)).toBe(`value:${i}`)
    for (let i = 0; i < 999; i++) expect(run('HDEL', 'h', `field:${i}`)).toBe(1)
    expect(run('HGETALL', 'h')).toEqual(['field:999', 'value:999'])
    expect(run('HDEL', 'h', 'field:999')).toBe(1)
    expect(run('TYPE', 'h')).toBe('none')
  })

  it('are listed as a map in RESP3', () => {
    const { harness, run } = new Shell()
    run('HSET', 'h', 'a', '1')
    harness.session.protocol = 3
    expect(harness.raw(['HGETALL', 'h'])).toBe('%1\r\n$1\r\na\r\n$1\r\n1\r\n')
    expect(harness.raw(['HRANDFIELD', 'h', '1', 'WITHVALUES'])).toBe('*1\r\n*2\r\n$1\r\na\r\n$1\r\n1\r\n')
  })

  it('have the encodings that Redis would use', () => {
    const { run } = new Shell()
    run('HSET', 'small', 'a', '1')
    run('HSET', 'long', 'a', 'x'.repeat(65))
    run('HSET', 'timed', 'a', '1')
    run('HEXPIRE', 'timed', '100', 'FIELDS', '1', 'a')
    expect(run('OBJECT', 'ENCODING', 'small')).toBe('listpack')
    expect(run('OBJECT', 'ENCODING', 'long')).toBe('hashtable')
    expect(run('OBJECT', 'ENCODING', 'timed')).toBe('listpackex')
  })

  it('refuse what Redis refuses', () => {
    const { run } = new Shell()
    run('SET', 's', 'x')
    const wrongType = 'WRONGTYPE Operation against a key holding the wrong kind of value'
    for (const args of [
      ['HGET', 's', 'a'],
      ['HSET', 's', 'a', '1'],
      ['HLEN', 's'],
      ['HINCRBY', 's', 'a', '1'],
      ['HSCAN', 's', '0'],
    ]) {
      expect((run(...args) as Error).message).toBe(wrongType)
    }
    expect((run('HSET', 'h', 'a') as Error).message).toBe("ERR wrong number of arguments for 'hset' command")
    expect((run('HMSET', 'h', 'a', '1', 'b') as Error).message).toBe("ERR wrong number of arguments for 'hmset' command")
    expect((run('HSCAN', 'h', 'x') as Error).message).toBe('ERR invalid cursor')
    run('HSET', 'h', 'a', 'text', 'n', '9223372036854775807')
    expect((run('HINCRBY', 'h', 'a', '1') as Error).message).toBe('ERR hash value is not an integer')
    expect((run('HINCRBY', 'h', 'n', '1') as Error).message).toBe('ERR increment or decrement would overflow')
    expect((run('HINCRBY', 'h', 'n', 'x') as Error).message).toBe('ERR value is not an integer or out of range')
    expect((run('HINCRBYFLOAT', 'h', 'a', '1') as Error).message).toBe('ERR hash value is not a float')
    expect((run('HINCRBYFLOAT', 'h', 'n', 'x') as Error).message).toBe('ERR value is not a valid float')
    expect((run('HINCRBYFLOAT', 'h', 'n', 'inf') as Error).message).toBe('ERR value is NaN or Infinity')
  })

  it('count exactly, in one region and in several', () => {
    for (const solo of [true, false]) {
      const { run } = new Shell(solo)
      expect(run('HINCRBY', 'h', 'a', '5')).toBe(5)
      expect(run('HINCRBY', 'h', 'a', '-7')).toBe(-2)
      expect(run('HINCRBYFLOAT', 'h', 'f', '0.1')).toBe('0.1')
      expect(run('HINCRBYFLOAT', 'h', 'f', '0.2')).toBe('0.3')
      expect(run('HSET', 'h', 'a', '9007199254740993')).toBe(0)
      expect(run('HINCRBY', 'h', 'a', '2')).toBe(9007199254740995)
      expect(run('HGET', 'h', 'a')).toBe('9007199254740995')
      expect(run('HDEL', 'h', 'a')).toBe(1)
      expect(run('HINCRBY', 'h', 'a', '1')).toBe(1)
      expect(run('DEL', 'h')).toBe(1)
      expect(run('HINCRBY', 'h', 'a', '1')).toBe(1)
      expect(run('HGETALL', 'h')).toEqual(['a', '1'])
    }
  })

  it('are all come to by a walk with HSCAN, whatever is written meanwhile', () => {
    const { run } = new Shell()
    run('HSET', 'h', ...pairs(1000))
    const seen = new Set<string>()
    let cursor = '0'
    let round = 0
    do {
      const [next, found] = run('HSCAN', 'h', cursor, 'COUNT', '100', 'NOVALUES') as [string, string[]]
      for (const field of found) seen.add(field)
      cursor = next
      run('HSET', 'h', ...pairs(30, `extra${round++}:`))
    } while (cursor !== '0')
    for (let i = 0; i < 1000; i++) expect(seen.has(`f${i}`)).toBe(true)
    expect(run('HSCAN', 'none', '0')).toEqual(['0', []])
    run('HSET', 'few', 'a', '1', 'b', '2')
    expect(run('HSCAN', 'few', '0', 'MATCH', 'a*', 'COUNT', '1')).toEqual(['0', ['a', '1']])
  })

  it('are chosen at random without repetition for a count, with it for a negative one', () => {
    const { run } = new Shell()
    run('HSET', 'h', ...pairs(20))
    expect(new Set(run('HRANDFIELD', 'h', '7') as string[]).size).toBe(7)
    expect((run('HRANDFIELD', 'h', '50') as string[]).length).toBe(20)
    expect((run('HRANDFIELD', 'h', '-50') as string[]).length).toBe(50)
    expect((run('HRANDFIELD', 'h', '3', 'WITHVALUES') as string[]).length).toBe(6)
    expect(run('HRANDFIELD', 'none')).toBeNull()
    expect(run('HRANDFIELD', 'none', '5')).toEqual([])
    expect((run('HRANDFIELD', 'h', '1', 'WITHX') as Error).message).toBe('ERR syntax error')
  })

  it.each(['HRANDFIELD', 'SRANDMEMBER', 'ZRANDMEMBER'])('%s names its bounds for the one count that has no negative', (name) => {
    const { run } = new Shell()
    const message = 'ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807'
    expect((run(name, 'none', '-9223372036854775808') as Error).message).toBe(message)
    expect(run(name, 'none', '-9223372036854775807')).toEqual([])
  })

  it('are copied, renamed, dumped and restored with their hash', () => {
    for (const count of [3, 700]) {
      const { run, harness } = new Shell()
      run('HSET', 'h', ...pairs(count))
      run('HPEXPIRE', 'h', '5000', 'FIELDS', '1', 'f1')
      const all = (key: string) => [...new Map(chunk(run('HGETALL', key) as string[]))].sort().flat()
      const wanted = all('h')
      expect(run('COPY', 'h', 'copy')).toBe(1)
      expect(all('copy')).toEqual(wanted)
      const payload = Buffer.from(run('DUMP', 'h') as string, 'latin1')
      expect(run('RESTORE', 'restored', '0', payload)).toBe('OK')
      expect(all('restored')).toEqual(wanted)
      expect(run('HPTTL', 'restored', 'FIELDS', '2', 'f1', 'f2')).toEqual([5000, -1])
      expect(run('RENAME', 'copy', 'renamed')).toBe('OK')
      expect(all('renamed')).toEqual(wanted)
      expect(run('HPTTL', 'renamed', 'FIELDS', '1', 'f1')).toEqual([5000])
      harness.clock.advance(6000)
      for (const key of ['h', 'restored', 'renamed']) expect(run('HLEN', key)).toBe(count - 1)
    }
  })
})

function chunk(list: readonly string[]): [string, string][] {
  return Array.from({ length: list.length / 2 }, (_, i) => [list[i * 2], list[i * 2 + 1]])
}

class Shell {
  readonly harness: EngineHarness
  constructor(solo = true) {
    this.harness = new EngineHarness({ solo })
  }
  readonly run = (...args: (string | Uint8Array)[]): unknown => this.harness.run(...args)
}
