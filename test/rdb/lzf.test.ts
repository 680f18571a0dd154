import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { writeCrc64 } from '../../src/rdb/crc64.js'
import { compressLzf, decompressLzf } from '../../src/rdb/lzf.js'

describe('CRC-64', () => {
  it('gives the check value of its polynomial', () => {
    const sum = Buffer.alloc(8)
    writeCrc64(Buffer.from('123456789'), 0, 9, sum, 0)
    expect(sum.readBigUInt64LE()).toBe(0xe9c6d914c4b8d9can)
  })
})

describe('LZF', () => {
  /** Text that repeats itself at many distances. */
  const repetitive = fc
    .array(fc.tuple(fc.uint8Array({ minLength: 1, maxLength: 40 }), fc.integer({ min: 1, max: 60 })), { maxLength: 30 })
    .map((parts) => Buffer.concat(parts.flatMap(([bytes, times]) => Array.from({ length: times }, () => Buffer.from(bytes)))))

  it('gives back what was compressed', () => {
    fc.assert(
      fc.property(fc.oneof(repetitive, fc.uint8Array({ maxLength: 3000 })), (bytes) => {
        const packed = compressLzf(bytes)
        if (packed === null) return
        expect(packed.length).toBeLessThanOrEqual(bytes.length - 4)
        expect(Buffer.compare(decompressLzf(packed, 0, packed.length, bytes.length) ?? Buffer.alloc(0), bytes)).toBe(0)
      }),
      { numRuns: 500 },
    )
  })

  it('compresses what repeats, near and as far back as the format reaches', () => {
    const random = Buffer.from(Array.from({ length: 8192 }, (_, i) => (Math.imul(i + 1, 0x9e3779b1) >>> 13) & 255))
    for (const [bytes, most] of [
      [Buffer.alloc(100_000, 'a'), 1400],
      [Buffer.from('abc'.repeat(1000)), 60],
      [Buffer.concat([random, random]), 8192 + 300 + 120],
    ] as const) {
      const packed = compressLzf(bytes)
      expect(packed?.length).toBeLessThan(most)
      if (packed !== null) expect(Buffer.compare(decompressLzf(packed, 0, packed.length, bytes.length) ?? random, bytes)).toBe(0)
    }
  })

  it('gives the same whatever it has compressed before', () => {
    const strings = [
      'abcabcabcabcabcabcabcabc',
      'x'.repeat(9000),
      'abcabcabcabcabcabcabcabc',
      'abcdefabcdefghijghijklmklm'.repeat(3),
    ].map((text) => Buffer.from(text))
    const first = strings.map((bytes) => compressLzf(bytes))
    for (let round = 0; round < 300; round++) {
      for (const [i, bytes] of strings.entries()) expect(compressLzf(bytes)).toEqual(first[i])
    }
    for (const [i, bytes] of strings.entries()) {
      const packed = first[i] ?? new Uint8Array(0)
      expect(Buffer.from(decompressLzf(packed, 0, packed.length, bytes.length) ?? []).equals(bytes)).toBe(true)
    }
  })

  it('leaves alone what does not get shorter', () => {
    for (const text of ['', 'a', 'abcd', 'abcdefghijklmnopqrstuvwxyz']) expect(compressLzf(Buffer.from(text))).toBeNull()
  })

  it('refuses references before the start, runs beyond the end and another length', () => {
    const run = (bytes: number[], length: number) => decompressLzf(Buffer.from(bytes), 0, bytes.length, length)
    expect(run([0, 97, 0x20, 0], 4)).toEqual(new Uint8Array(Buffer.from('aaaa')))
    expect(run([0, 97, 0x20, 1], 4)).toBeNull()
    expect(run([0, 97, 0x20, 0], 3)).toBeNull()
    expect(run([0, 97, 0x20, 0], 5)).toBeNull()
    expect(run([0, 97, 0x20], 4)).toBeNull()
    expect(run([0, 97, 0xe0, 1], 4)).toBeNull()
    expect(run([0, 97, 0xe0], 4)).toBeNull()
    expect(run([5, 97], 6)).toBeNull()
  })

  it('makes no room for a length that the bytes cannot have', () => {
    expect(decompressLzf(Buffer.alloc(20), 0, 20, 2 ** 40)).toBeNull()
    expect(decompressLzf(Buffer.alloc(20), 0, 20, 2000)).toBeNull()
  })
})
