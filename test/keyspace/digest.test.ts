import { describe, expect, it } from 'vitest'
import { digestOf, KeyspaceDigest } from '../../src/keyspace/digest.js'
import { EngineHarness } from '../support/engine-harness.js'

function digest(h: EngineHarness): string {
  return digestOf(h.engine.keyspace, h.engine)
}

function filled(...commands: string[][]): EngineHarness {
  const h = new EngineHarness()
  for (const command of commands) h.run(...command)
  return h
}

describe('digest', () => {
  it('of nothing is zero', () => {
    expect(digest(new EngineHarness())).toBe('0000000000000000')
  })

  it('does not depend on the order in which keys came, nor on keys that went', () => {
    const a = new EngineHarness()
    const b = new EngineHarness()
    for (let i = 0; i < 500; i++) a.run('SET', `k${i}`, `v${i}`)
    for (let i = 499; i >= 0; i--) {
      b.run('SET', `gone${i}`, 'x')
      b.run('SET', `k${i}`, `v${i}`)
    }
    for (let i = 0; i < 500; i++) b.run('GETDEL', `gone${i}`)
    expect(digest(a)).toBe(digest(b))
  })

  it('tells apart what differs in one place only', () => {
    const variants = [
      [['SET', 'a', 'b']],
      [['SET', 'b', 'a']],
      [['SET', 'a', 'c']],
      [['SET', 'ab', '']],
      [['SET', '', 'ab']],
      [['SET', 'a', 'b\0']],
      [['SET', 'a', 'b', 'PXAT', '1900000000000']],
      [['SET', 'a', 'b', 'PXAT', '1900000000001']],
      [
        ['SELECT', '1'],
        ['SET', 'a', 'b'],
      ],
      [
        ['SET', 'a', 'b'],
        ['SET', 'a2', 'b'],
      ],
    ]
    expect(new Set(variants.map((commands) => digest(filled(...commands)))).size).toBe(variants.length)
  })

  it('takes values as they are seen: a counter as its number, an edited text as the text', () => {
    const plain = filled(['SET', 'n', '7'], ['SET', 't', 'hello'])
    const h = new EngineHarness({ solo: false })
    h.engine.keyspace.stability = { covers: () => false, coversAllUpTo: () => false }
    for (const command of [
      ['INCRBY', 'n', '3'],
      ['INCRBY', 'n', '4'],
      ['SET', 't', 'hel'],
      ['APPEND', 't', 'lo'],
    ]) {
      h.run(...command)
    }
    expect(digest(h)).toBe(digest(plain))
  })

  it('counts a key that is due until it is removed, whatever the time', () => {
    const h = filled(['SET', 'a', 'b', 'PX', '100'])
    h.engine.activeExpiry = false
    const before = digest(h)
    h.clock.advance(1000)
    expect(digest(h)).toBe(before)
    h.engine.activeExpiry = true
    h.clock.advance(1000)
    expect(digest(h)).toBe('0000000000000000')
  })

  it('is the same in slices of any size', () => {
    const h = new EngineHarness()
    for (let i = 0; i < 300; i++) h.run('SET', `k${i}`, 'x'.repeat(i))
    for (const bytes of [1, 100, 5000]) {
      const sliced = new KeyspaceDigest(h.engine.keyspace, h.engine)
      let slices = 1
      while (!sliced.step(bytes)) slices++
      expect(slices).toBeGreaterThan(5)
      expect(sliced.hex).toBe(digest(h))
    }
  })

  it('of ranges of slots adds up to the whole', () => {
    const h = new EngineHarness()
    for (let i = 0; i < 300; i++) h.run('SET', `k${i}`, String(i))
    const { keyspace } = h.engine
    const parts = [
      [0, 7],
      [8, 8],
      [9, 5000],
      [5001, 16383],
    ].map(([first, last]) => BigInt(`0x${digestOf(keyspace, h.engine, first, last)}`))
    expect(
      BigInt.asUintN(
        64,
        parts.reduce((sum, part) => sum + part),
      ),
    ).toBe(BigInt(`0x${digest(h)}`))
  })
})

describe('a digest in steps', () => {
  it('is the same when a large collection takes many of them', () => {
    const h = new EngineHarness()
    const numbers = Array.from({ length: 12_000 }, (_, i) => i)
    h.run('SADD', 'set', ...numbers.map((i) => `m${i}`))
    h.run('HSET', 'hash', ...numbers.flatMap((i) => [`f${i}`, `v${i}`]))
    h.run('ZADD', 'zset', ...numbers.flatMap((i) => [String(i), `m${i}`]))
    for (const i of numbers) h.run('XADD', 'stream', `${i + 1}-1`, 'n', `v${i}`)
    h.run('XGROUP', 'CREATE', 'stream', 'group', '5')
    h.run('RPUSH', 'list', ...numbers.map((i) => `e${i}`))
    h.run('SET', 'string', 'x')
    const steps = new KeyspaceDigest(h.engine.keyspace, h.engine)
    let count = 1
    while (!steps.step(10_000)) count++
    expect(count).toBeGreaterThan(100)
    expect(steps.hex).toBe(digest(h))
  })

  it.each([
    ['SADD', (i: number) => [`member ${i}`]],
    ['HSET', (i: number) => [`field ${i}`, 'value']],
    ['ZADD', (i: number) => [`${i}`, `member ${i}`]],
    ['RPUSH', (i: number) => [`element ${i}`]],
  ] as const)('looks at few elements in each (%s)', (command, element) => {
    const elements = 2000
    const h = filled([command, 'key', ...Array.from({ length: elements }, (_, i) => element(i)).flat()])
    const steps = new KeyspaceDigest(h.engine.keyspace, h.engine)
    let count = 0
    while (!steps.step(1)) count++
    // Without those that look for the key.
    const nothing = new KeyspaceDigest(new EngineHarness().engine.keyspace, h.engine)
    while (!nothing.step(1)) count--
    expect(count).toBeGreaterThan(elements / 50)
    expect(steps.hex).toBe(digest(h))
  })
})
