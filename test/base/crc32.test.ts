import { describe, expect, test } from 'vitest'
import { combineCrc32, crc32, crc32FromTable, extendCrc32 } from '../../src/base/crc32.js'

describe('crc32', () => {
  test('is the same from the table', () => {
    for (const length of [0, 1, 9, 1000]) {
      const bytes = new Uint8Array(length).map((_, i) => (i * 31 + length) & 0xff)
      expect(crc32FromTable(bytes)).toBe(crc32(bytes))
    }
    expect(crc32(new Uint8Array(Buffer.from('123456789')))).toBe(0xcbf43926)
  })

  test('of two byte strings comes from that of each', () => {
    const bytes = new Uint8Array(100_003).map((_, i) => (i * 7919) >>> 3)
    for (const at of [0, 1, 2, 7, 8, 255, 65_536, 100_002, 100_003]) {
      const first = bytes.subarray(0, at)
      const second = bytes.subarray(at)
      expect(combineCrc32(crc32(first), crc32(second), second.length)).toBe(crc32(bytes))
      expect(extendCrc32(extendCrc32(0, first), second)).toBe(crc32(bytes))
    }
  })
})
