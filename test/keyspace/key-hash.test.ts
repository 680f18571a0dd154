import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { KeyHasher, SLOT_COUNT, slotOf } from '../../src/keyspace/key-hash.js'

/** CRC-16/XMODEM, bit by bit. */
function crc16(bytes: Uint8Array): number {
  let crc = 0
  for (const byte of bytes) {
    crc ^= byte << 8
    for (let bit = 0; bit < 8; bit++) crc = (crc & 0x8000) !== 0 ? ((crc << 1) ^ 0x1021) & 0xffff : (crc << 1) & 0xffff
  }
  return crc
}

/** Redis Cluster's rule: what stands between the first { and the next }, unless that is nothing. */
function hashed(key: Buffer): Buffer {
  const open = key.indexOf('{')
  const close = open < 0 ? -1 : key.indexOf('}', open + 1)
  return close > open + 1 ? key.subarray(open + 1, close) : key
}

const key = fc.oneof(
  fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes)),
  fc.string({ unit: fc.constantFrom('a', 'b', '{', '}'), maxLength: 16 }).map((text) => Buffer.from(text)),
)

describe('hash slots', () => {
  it('are those of Redis Cluster', () => {
    fc.assert(
      fc.property(key, (bytes) => {
        expect(slotOf(bytes)).toBe(crc16(hashed(bytes)) % SLOT_COUNT)
      }),
      { numRuns: 500 },
    )
    expect([slotOf(Buffer.from('123456789')), slotOf(Buffer.from('foo'))]).toEqual([0x31c3, 12182])
    expect(slotOf(Buffer.from('{user1000}.following'))).toBe(slotOf(Buffer.from('{user1000}.followers')))
  })
})

describe('table hashes', () => {
  it('depend on the bytes only, wherever they lie, and on the seed', () => {
    fc.assert(
      fc.property(key, fc.nat(9), (bytes, shift) => {
        const hasher = new KeyHasher(5)
        const moved = Buffer.concat([Buffer.alloc(shift, 1), bytes, Buffer.from('tail')])
        hasher.compute(bytes, 0, bytes.length)
        const { hash, slot } = hasher
        hasher.computeArgument(moved, shift, bytes.length)
        expect([hasher.hash, hasher.slot]).toEqual([hash, slot])
      }),
    )
    const one = new KeyHasher(1)
    const two = new KeyHasher(2)
    for (const hasher of [one, two]) hasher.compute(Buffer.from('key'), 0, 3)
    expect(one.hash).not.toBe(two.hash)
  })

  it('are computed anew for a buffer that has changed, once it is forgotten', () => {
    const hasher = new KeyHasher(5)
    const buffer = Buffer.from('one')
    hasher.computeArgument(buffer, 0, 3)
    const before = hasher.hash
    buffer.write('two')
    hasher.forget()
    hasher.computeArgument(buffer, 0, 3)
    expect(hasher.hash).not.toBe(before)
    hasher.compute(Buffer.from('other'), 0, 5)
    hasher.computeArgument(buffer, 0, 3)
    const after = hasher.hash
    hasher.compute(buffer, 0, 3)
    expect(hasher.hash).toBe(after)
  })

  it('spread keys evenly, also over their high bits', () => {
    const hasher = new KeyHasher(5)
    const low = new Uint32Array(64)
    const high = new Uint32Array(64)
    for (let i = 0; i < 64_000; i++) {
      const name = Buffer.from(`key:${i}`)
      hasher.compute(name, 0, name.length)
      low[hasher.hash & 63]++
      high[hasher.hash >>> 26]++
    }
    // 1,000 a bucket with a standard deviation of 31.
    for (const counts of [low, high]) for (const count of counts) expect(Math.abs(count - 1000)).toBeLessThan(200)
  })
})
