import { describe, expect, it } from 'vitest'
import { xxh3, xxh3Text } from '../../src/base/xxh3.js'

/** From the reference implementation (xxHash 0.8), of the bytes (i * 7 + 3) % 256. */
const VECTORS: readonly (readonly [number, string])[] = [
  [0, '2d06800538d394c2'],
  [1, '13e608bc156defed'],
  [3, 'a9088dda485b481c'],
  [4, '6d9253b16c8b1ed3'],
  [8, '60539db630471163'],
  [9, 'feff668361d723a8'],
  [16, 'b8c859b0f030b585'],
  [17, '714a04408e79b80f'],
  [128, '67425a03650261bf'],
  [129, 'c664bf3311c6abc4'],
  [240, '64556dc6b462a6cf'],
  [241, '8beadd3a8874fe17'],
  [1024, '9b81661c641c72b1'],
  [1025, '806c2072ed713576'],
  [2000, '71f8268c6d856c4a'],
]

describe('xxh3', () => {
  it.each(VECTORS)('gives the reference digest of %i bytes', (length, digest) => {
    expect(xxh3Text(xxh3(Uint8Array.from({ length }, (_, i) => (i * 7 + 3) % 256)))).toBe(digest)
  })
})
