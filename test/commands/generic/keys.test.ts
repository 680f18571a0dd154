import { describe, expect, it } from 'vitest'
import { Session } from '../../../src/commands/session.js'
import { KeysHarness } from './keys-harness.js'

describe('DEL and UNLINK', () => {
  it('remove keys and count those that were there, each once', () => {
    const h = new KeysHarness()
    h.run('SET', 'a', '1')
    h.run('SET', 'b', '2')
    expect(h.run('DEL', 'a', 'a', 'b', 'none')).toBe(2)
    expect(h.run('EXISTS', 'a', 'b')).toBe(0)
    h.run('SET', 'a', '1')
    expect(h.run('UNLINK', 'a')).toBe(1)
    expect(h.run('DBSIZE')).toBe(0)
  })

  it('work on names that are empty or not text', () => {
    const h = new KeysHarness()
    const name = Buffer.from([0, 255, 13, 10])
    h.run('SET', '', 'empty')
    h.run('SET', name, 'bytes')
    expect(h.run('EXISTS', '', name)).toBe(2)
    expect(h.run('DEL', name, '')).toBe(2)
  })

  it('do not count a key that is due', () => {
    const h = new KeysHarness()
    h.run('SET', 'k', 'v', 'PX', '50')
    h.clock.now += 51
    expect(h.run('DEL', 'k')).toBe(0)
  })
})

describe('EXISTS, TYPE, TOUCH', () => {
  it('EXISTS counts a key as often as it is named', () => {
    const h = new KeysHarness()
    h.run('SET', 'k', 'v')
    expect(h.run('EXISTS', 'k', 'k', 'none')).toBe(2)
  })

  it('TYPE answers a simple string', () => {
    const h = new KeysHarness()
    h.run('SET', 'k', 'v')
    expect(h.raw(['TYPE', 'k'])).toBe('+string\r\n')
    expect(h.raw(['TYPE', 'none'])).toBe('+none\r\n')
  })

  it('counts hits and misses, and only TOUCH moves the access clock', () => {
    const h = new KeysHarness()
    h.run('SET', 'k', 'v')
    h.clock.now += 7000
    const { hits, misses } = h.engine.keyspace
    h.run('EXISTS', 'k', 'none')
    h.run('TYPE', 'k')
    h.run('TTL', 'k')
    expect(h.engine.keyspace.hits - hits).toBe(3)
    expect(h.engine.keyspace.misses - misses).toBe(1)
    expect(h.run('OBJECT', 'IDLETIME', 'k')).toBe(7)
    expect(h.run('TOUCH', 'k', 'none')).toBe(1)
    expect(h.run('OBJECT', 'IDLETIME', 'k')).toBe(0)
  })

  it('TOUCH moves the access clock for a client that asked for NO-TOUCH, GET does not', () => {
    const h = new KeysHarness()
    const session = new Session(99)
    session.noTouch = true
    h.run('SET', 'k', 'v')
    h.clock.now += 7000
    const hits = h.engine.keyspace.hits
    h.runIn(session, 'GET', 'k')
    expect(h.engine.keyspace.hits).toBe(hits + 1)
    expect(h.run('OBJECT', 'IDLETIME', 'k')).toBe(7)
    h.runIn(session, 'TOUCH', 'k')
    expect(h.run('OBJECT', 'IDLETIME', 'k')).toBe(0)
  })
})

describe('OBJECT', () => {
  it('names the encodings of Redis', () => {
    const h = new KeysHarness()
    h.run('SET', 'int', '9223372036854775807')
    h.run('SET', 'beyond', '9223372036854775808')
    h.run('SET', 'short', 'x'.repeat(44))
    h.run('SET', 'long', 'x'.repeat(45))
    h.run('SET', 'edited', 'a')
    h.run('APPEND', 'edited', 'b')
    h.run('APPEND', 'appended', '12')
    const encoding = (key: string) => h.run('OBJECT', 'ENCODING', key)
    expect(['int', 'beyond', 'short', 'long'].map(encoding)).toEqual(['int', 'embstr', 'embstr', 'raw'])
    expect(['edited', 'appended'].map(encoding)).toEqual(['raw', 'int'])
    expect(h.raw(['OBJECT', 'encoding', 'none'])).toBe('$-1\r\n')
  })

  it('answers REFCOUNT, FREQ, HELP and what it does not know', () => {
    const h = new KeysHarness()
    h.run('SET', 'k', 'v')
    expect(h.run('OBJECT', 'REFCOUNT', 'k')).toBe(1)
    expect(h.raw(['OBJECT', 'FREQ', 'k'])).toMatch(/^-ERR An LFU maxmemory policy is not selected/)
    expect(h.raw(['OBJECT', 'FREQ', 'none'])).toBe('$-1\r\n')
    expect(h.run('OBJECT', 'HELP')).toContain('ENCODING <key>')
    expect(h.raw(['OBJECT', 'NOPE', 'k'])).toBe("-ERR unknown subcommand 'NOPE'. Try OBJECT HELP.\r\n")
    expect(h.raw(['OBJECT', 'FREQ'])).toBe("-ERR wrong number of arguments for 'object|freq' command\r\n")
    expect(h.raw(['OBJECT'])).toBe("-ERR wrong number of arguments for 'object' command\r\n")
  })
})
