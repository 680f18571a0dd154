import { describe, expect, it } from 'vitest'
import { KeysHarness } from './keys-harness.js'

function populated(count: number): KeysHarness {
  const h = new KeysHarness()
  for (let i = 0; i < count; i++) h.run('SET', `key:${i}`, String(i))
  return h
}

/** A small generator with a seed, so that a failure repeats. */
function seeded(seed: number): (bound: number) => number {
  let state = seed
  return (bound) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return Math.floor((state / 2 ** 32) * bound)
  }
}

describe('SCAN', () => {
  it('shows every key once when nothing changes, whatever the COUNT', () => {
    const h = populated(2000)
    for (const count of ['1', '7', '10', '500', '100000']) {
      const seen = h.scanAll('COUNT', count)
      expect(seen.size).toBe(2000)
      expect([...seen.values()].every((times) => times === 1)).toBe(true)
    }
  })

  it('answers about COUNT keys a call and ends with the last key, not with an empty call', () => {
    const h = populated(100)
    const [cursor, keys] = h.run('SCAN', '0', 'COUNT', '30') as [string, string[]]
    expect(cursor).not.toBe('0')
    expect(keys).toHaveLength(30)
    expect((h.run('SCAN', '0', 'COUNT', '100') as [string, string[]])[0]).toBe('0')
  })

  it('misses no key that is there throughout, while others come and go and tables are rebuilt', () => {
    for (let seed = 1; seed <= 5; seed++) {
      const random = seeded(seed)
      // One hash tag puts all keys into one shard, the hardest case.
      const name = (i: number) => (seed % 2 === 0 ? `key:${i}` : `{t}${i}`)
      const h = new KeysHarness()
      for (let i = 0; i < 400; i++) h.run('SET', name(i), 'v')
      const seen = new Set<string>()
      let cursor = '0'
      do {
        const [next, keys] = h.run('SCAN', cursor, 'COUNT', '10') as [string, string[]]
        for (const key of keys) seen.add(key)
        cursor = next
        // Even keys stay; odd ones and new ones change at random.
        for (let i = 0; i < 30; i++) {
          const victim = name(random(1000) * 2 + 1)
          if (random(2) === 0) h.run('DEL', victim)
          else h.run('SET', victim, 'x'.repeat(random(200)))
        }
        h.run('SET', name(random(200) * 2), 'y'.repeat(random(200)))
      } while (cursor !== '0')
      for (let i = 0; i < 400; i += 2) expect(seen.has(name(i))).toBe(true)
    }
  })

  it('filters by MATCH and TYPE', () => {
    const h = populated(300)
    expect(h.scanAll('MATCH', 'key:1??').size).toBe(100)
    expect(h.scanAll('MATCH', '*').size).toBe(300)
    expect(h.scanAll('TYPE', 'STRING', 'MATCH', 'key:[12]').size).toBe(2)
    expect(h.scanAll('TYPE', 'hash').size).toBe(0)
  })

  it('takes any number for a cursor and refuses what is none', () => {
    const h = populated(10)
    for (const cursor of ['18446744073709551615', '1023', '00', '999999999']) {
      expect(Array.isArray(h.run('SCAN', cursor))).toBe(true)
    }
    for (const cursor of ['', '-1', 'x', '1.5', '18446744073709551616', '1x']) {
      expect(h.raw(['SCAN', cursor])).toBe('-ERR invalid cursor\r\n')
    }
  })

  it('refuses bad options in the words of Redis', () => {
    const h = populated(1)
    const syntax = '-ERR syntax error\r\n'
    expect(h.raw(['SCAN', '0', 'COUNT', '0'])).toBe(syntax)
    expect(h.raw(['SCAN', '0', 'COUNT'])).toBe(syntax)
    expect(h.raw(['SCAN', '0', 'MATCH'])).toBe(syntax)
    expect(h.raw(['SCAN', '0', 'NOPE', 'x'])).toBe(syntax)
    expect(h.raw(['SCAN', '0', 'COUNT', 'x'])).toBe('-ERR value is not an integer or out of range\r\n')
    expect(h.raw(['SCAN', '0', 'TYPE', 'string1'])).toBe("-ERR unknown type name 'string1'\r\n")
    expect(h.raw(['SCAN', '0', 'TYPE', 'none'])).toBe("-ERR unknown type name 'none'\r\n")
    expect(h.raw(['SCAN', '0', 'NOVALUES'])).toBe('-ERR NOVALUES option can only be used in HSCAN\r\n')
  })

  it('does not show keys that are due', () => {
    const h = populated(50)
    for (let i = 0; i < 25; i++) h.run('PEXPIRE', `key:${i}`, '10')
    h.clock.now += 11
    expect(h.scanAll().size).toBe(25)
  })
})

describe('KEYS', () => {
  it('lists what matches, also names that are no text', () => {
    const h = new KeysHarness()
    for (const key of ['foo_a', 'foo_b', 'bar', '\xff\x00']) h.run('SET', Buffer.from(key, 'latin1'), 'v')
    h.run('SET', '', 'empty')
    expect((h.run('KEYS', 'foo*') as string[]).sort()).toEqual(['foo_a', 'foo_b'])
    expect(h.run('KEYS', Buffer.from('\xff?', 'latin1'))).toEqual(['\xff\x00'])
    expect(h.run('KEYS', '*')).toHaveLength(5)
    expect(h.run('KEYS', 'none*')).toEqual([])
  })

  it('does not list keys that are due', () => {
    const h = new KeysHarness()
    h.run('SET', 'a', 'v', 'PX', '10')
    h.run('SET', 'b', 'v')
    h.clock.now += 11
    expect(h.run('KEYS', '*')).toEqual(['b'])
  })
})

describe('RANDOMKEY', () => {
  function withRandom(next: () => number): KeysHarness {
    const h = new KeysHarness()
    Object.assign(h.services.server, { random: next })
    return h
  }

  it('answers nil for an empty database', () => {
    expect(new KeysHarness().raw(['RANDOMKEY'])).toBe('$-1\r\n')
  })

  it('gives each key the same chance, however they are spread over shards', () => {
    let state = 1
    const h = withRandom(() => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0))
    for (let i = 0; i < 9; i++) h.run('SET', `{same}${i}`, 'v')
    h.run('SET', 'alone', 'v')
    const times = new Map<unknown, number>()
    for (let i = 0; i < 10_000; i++) {
      const key = h.run('RANDOMKEY')
      times.set(key, (times.get(key) ?? 0) + 1)
    }
    expect(times.size).toBe(10)
    for (const count of times.values()) {
      expect(count).toBeGreaterThan(800)
      expect(count).toBeLessThan(1200)
    }
  })

  it('finds the one visible key among many that are due, and nothing when all are', () => {
    // Another member owns these expiries, so that nothing here removes them.
    const owner = new KeysHarness({ self: 2, solo: false })
    const h = new KeysHarness({ self: 1, solo: false }, owner.clock)
    for (let i = 0; i < 2000; i++) owner.run('SET', `key:${i}`, 'v', 'PX', '10')
    h.receive(owner)
    owner.clock.now += 11
    expect(h.run('DBSIZE')).toBe(2000)
    expect(h.run('RANDOMKEY')).toBe(null)
    h.run('SET', 'visible', 'v')
    for (let i = 0; i < 5; i++) expect(h.run('RANDOMKEY')).toBe('visible')
  })
})
