import { describe, expect, it } from 'vitest'
import { allocateDoubles, allocateWords } from '../../src/base/bytes.js'
import { GrowingRows } from '../../src/base/growing-rows.js'

const ROWS = 100_000

describe('rows that grow', () => {
  it.each([
    ['two words', () => new GrowingRows(allocateWords, 2), 2],
    ['five words', () => new GrowingRows(allocateWords, 5), 5],
    ['a number', () => new GrowingRows(allocateDoubles, 1), 1],
  ] as const)('keep what is in them, and take memory that V8 counts for few of them only: %s', (_, make, width) => {
    const rows = make()
    let counted = 0
    let last: ArrayBufferLike | null = null
    for (let i = 0; i < ROWS; i++) {
      const piece = rows.makeRoom(i)
      if (piece.buffer !== last && piece.buffer instanceof ArrayBuffer) counted++
      last = piece.buffer
      for (let j = 0; j < width; j++) piece[rows.placeOf(i) + j] = i * width + j
    }
    // While the first piece is small.
    expect(counted).toBeLessThan(18)
    expect(rows.pieceOf(ROWS - 1).buffer).toBeInstanceOf(SharedArrayBuffer)
    for (let i = 0; i < ROWS; i++) {
      for (let j = 0; j < width; j++) if (rows.pieceOf(i)[rows.placeOf(i) + j] !== i * width + j) throw new Error(`row ${i}`)
    }
  })
})
