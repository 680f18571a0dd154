import { describe, expect, it } from 'vitest'
import { EngineHarness } from '../../support/engine-harness.js'

function range(count: number, prefix = ''): string[] {
  return Array.from({ length: count }, (_, i) => `${prefix}${i}`)
}

function shell(solo = true): (...args: (string | Uint8Array)[]) => unknown {
  const harness = new EngineHarness({ solo })
  return (...args) => harness.run(...args)
}

describe('sets', () => {
  it('take, tell and lose members as in Redis', () => {
    for (const solo of [true, false]) {
      const run = shell(solo)
      expect(run('SADD', 's', 'a', 'b', 'a')).toBe(2)
      expect(run('SADD', 's', 'b', 'c')).toBe(1)
      expect(run('SADD', 's', 'b')).toBe(0)
      expect(run('SCARD', 's')).toBe(3)
      expect(run('SISMEMBER', 's', 'a')).toBe(1)
      expect(run('SMISMEMBER', 's', 'a', 'x', 'c')).toEqual([1, 0, 1])
      expect((run('SMEMBERS', 's') as string[]).sort()).toEqual(['a', 'b', 'c'])
      expect(run('SREM', 's', 'a', 'a', 'x')).toBe(1)
      expect(run('SMOVE', 's', 't', 'b')).toBe(1)
      expect(run('SMOVE', 's', 't', 'b')).toBe(0)
      expect(run('SMOVE', 'none', 't', 'b')).toBe(0)
      expect(run('SMEMBERS', 't')).toEqual(['b'])
      expect(run('SMOVE', 't', 't', 'b')).toBe(1)
      expect(run('SREM', 's', 'c')).toBe(1)
      expect(run('EXISTS', 's')).toBe(0)
    }
  })

  it('have the encodings that Redis would use', () => {
    const run = shell()
    const encoding = (key: string) => run('OBJECT', 'ENCODING', key)
    run('SADD', 'ints', ...range(512))
    expect(encoding('ints')).toBe('intset')
    run('SADD', 'ints', '512')
    expect(encoding('ints')).toBe('hashtable')
    run('SADD', 'words', ...range(128, 'w'))
    expect(encoding('words')).toBe('listpack')
    run('SADD', 'words', 'one more')
    expect(encoding('words')).toBe('hashtable')
    run('SADD', 'mixed', ...range(200))
    run('SADD', 'mixed', 'x')
    expect(encoding('mixed')).toBe('hashtable')
    run('SADD', 'few', '1', '2')
    run('SADD', 'few', 'x')
    expect(encoding('few')).toBe('listpack')
    run('SADD', 'long', 'x'.repeat(65))
    expect(encoding('long')).toBe('hashtable')
  })

  it('are intersected, united and subtracted, small and large', () => {
    for (const size of [10, 1000]) {
      const run = shell()
      run('SADD', 'a', ...range(size))
      run('SADD', 'b', ...range(size * 2).filter((_, i) => i % 2 === 0))
      run('SADD', 'c', '4', 'x')
      const even = range(size).filter((_, i) => i % 2 === 0)
      expect((run('SINTER', 'a', 'b') as string[]).sort()).toEqual(even.sort())
      expect(run('SINTER', 'a', 'b', 'c')).toEqual(['4'])
      expect(run('SINTER', 'a', 'none')).toEqual([])
      expect(run('SINTERCARD', '2', 'a', 'b')).toBe(size / 2)
      expect(run('SINTERCARD', '2', 'a', 'b', 'LIMIT', '3')).toBe(3)
      expect(run('SUNIONCARD', '3', 'a', 'c', 'none')).toBe(size + 1)
      expect(run('SUNIONCARD', '3', 'b', 'a', 'b', 'LIMIT', '0')).toBe(size * 1.5)
      expect(run('SUNIONCARD', '2', 'a', 'c', 'APPROX')).toBe(size + 1)
      expect(run('SUNIONCARD', '2', 'a', 'c', 'LIMIT', '3', 'APPROX')).toBe(3)
      expect(run('SUNIONCARD', '1', 'none')).toBe(0)
      expect(run('SDIFFCARD', '3', 'a', 'b', 'c')).toBe(size / 2)
      expect(run('SDIFFCARD', '2', 'a', 'b', 'LIMIT', '3')).toBe(3)
      expect(run('SDIFFCARD', '1', 'a')).toBe(size)
      expect(run('SDIFFCARD', '2', 'none', 'a')).toBe(0)
      expect((run('SUNION', 'a', 'c', 'none') as string[]).length).toBe(size + 1)
      expect((run('SDIFF', 'a', 'b', 'c') as string[]).length).toBe(size / 2)
      expect(run('SDIFF', 'c', 'a')).toEqual(['x'])
      expect(run('SUNIONSTORE', 'a', 'a', 'b', 'c')).toBe(size * 1.5 + 1)
      expect(run('SCARD', 'a')).toBe(size * 1.5 + 1)
      expect(run('SDIFFSTORE', 'b', 'b', 'b')).toBe(0)
      expect(run('EXISTS', 'b')).toBe(0)
      run('SET', 'text', 'x')
      expect(run('SINTERSTORE', 'text', 'c')).toBe(2)
      expect(run('TYPE', 'text')).toBe('set')
    }
  })

  it('give members away at random', () => {
    const run = shell()
    run('SADD', 's', ...range(300, 'm'))
    expect(run('SPOP', 's')).toMatch(/^m\d+$/)
    expect(new Set(run('SPOP', 's', '99') as string[]).size).toBe(99)
    expect(run('SCARD', 's')).toBe(200)
    expect(new Set(run('SRANDMEMBER', 's', '30') as string[]).size).toBe(30)
    expect(new Set(run('SRANDMEMBER', 's', '150') as string[]).size).toBe(150)
    expect((run('SRANDMEMBER', 's', '-500') as string[]).length).toBe(500)
    expect((run('SPOP', 's', '1000') as string[]).length).toBe(200)
    expect(run('EXISTS', 's')).toBe(0)
    expect(run('SPOP', 's')).toBeNull()
    expect(run('SPOP', 's', '3')).toEqual([])
  })

  it('are replied as sets in RESP3', () => {
    const harness = new EngineHarness()
    harness.run('SADD', 's', 'a')
    harness.session.protocol = 3
    expect(harness.raw(['SMEMBERS', 's'])).toBe('~1\r\n$1\r\na\r\n')
    expect(harness.raw(['SINTER', 's', 's'])).toBe('~1\r\n$1\r\na\r\n')
    expect(harness.raw(['SPOP', 's', '1'])).toBe('~1\r\n$1\r\na\r\n')
  })

  it('refuse what Redis refuses', () => {
    const run = shell()
    const message = (...args: string[]) => (run(...args) as Error).message
    run('SET', 'text', 'x')
    expect(message('SADD', 'text', 'a')).toMatch(/^WRONGTYPE/)
    run('SADD', 's', 'a')
    expect(message('SINTER', 's', 'text')).toMatch(/^WRONGTYPE/)
    expect(message('SMOVE', 's', 'text', 'a')).toMatch(/^WRONGTYPE/)
    expect(message('SPOP', 's', '-1')).toBe('ERR value is out of range, must be positive')
    expect(message('SPOP', 's', '1', '2')).toBe('ERR syntax error')
    expect(message('SINTERCARD', '0', 's')).toBe('ERR numkeys should be greater than 0')
    expect(message('SINTERCARD', '3', 's')).toBe("ERR Number of keys can't be greater than number of args")
    for (const name of ['SINTERCARD', 'SUNIONCARD', 'SDIFFCARD']) {
      expect(message(name, '1', 's', 'LIMIT', '-1')).toBe("ERR LIMIT can't be negative")
      expect(message(name, '1', 's', 'LIMIT')).toBe('ERR syntax error')
      expect(message(name, '2', 's')).toBe("ERR Number of keys can't be greater than number of args")
      expect(message(name, '2', 's', 'text')).toMatch(/^WRONGTYPE/)
    }
    for (const name of ['SINTERCARD', 'SDIFFCARD']) expect(message(name, '1', 's', 'APPROX')).toBe('ERR syntax error')
    expect(message('SSCAN', 's', '0', 'NOVALUES')).toBe('ERR NOVALUES option can only be used in HSCAN')
  })

  it('are copied, dumped and restored', () => {
    for (const count of [5, 700]) {
      const run = shell()
      run('SADD', 's', ...range(count, 'm'))
      expect(run('COPY', 's', 'copy')).toBe(1)
      expect(run('RESTORE', 'restored', '0', Buffer.from(run('DUMP', 's') as string, 'latin1'))).toBe('OK')
      for (const key of ['copy', 'restored']) expect(run('SINTERCARD', '2', 's', key)).toBe(count)
    }
  })
})
