import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { MeridianError } from '../../src/base/errors.js'
import { Arena, CHUNK_SHIFT, UNIT_MASK } from '../../src/memory/arena.js'

const CHUNK_BYTES = 4 * 1024 * 1024

const size = fc.oneof(
  { weight: 6, arbitrary: fc.integer({ min: 0, max: 300 }) },
  { weight: 3, arbitrary: fc.integer({ min: 300, max: 16 * 1024 }) },
  { weight: 2, arbitrary: fc.integer({ min: 16 * 1024, max: 1024 * 1024 }) },
  { weight: 1, arbitrary: fc.integer({ min: 1024 * 1024, max: 5 * 1024 * 1024 }) },
)
const step = fc.oneof(
  { weight: 3, arbitrary: fc.record({ alloc: size }) },
  { weight: 2, arbitrary: fc.record({ free: fc.nat() }) },
)

describe('arena', () => {
  it('gives out blocks that do not overlap, and counts them exactly', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
        const arena = new Arena()
        const live: { ref: number; bytes: number; mark: number }[] = []
        let mark = 0
        for (const each of steps) {
          if ('alloc' in each) {
            const ref = arena.alloc(each.alloc)
            expect(ref).toBeGreaterThan(0)
            expect(arena.sizeOf(ref)).toBe(Arena.sizeFor(each.alloc))
            expect(arena.sizeOf(ref)).toBeGreaterThanOrEqual(each.alloc)
            live.push({ ref, bytes: arena.sizeOf(ref), mark: (mark = (mark % 255) + 1) })
            ends(arena, ref, arena.sizeOf(ref), (bytes, from, to) => bytes.fill(mark, from, to))
          } else if (live.length > 0) {
            const [block] = live.splice(each.free % live.length, 1)
            arena.free(block.ref)
          }
          expect(arena.usedBytes).toBe(live.reduce((sum, block) => sum + block.bytes, 0))
        }
        const ranges = live
          .map(({ ref, bytes }) => ({
            chunk: ref >>> CHUNK_SHIFT,
            from: (ref & UNIT_MASK) * 8,
            to: (ref & UNIT_MASK) * 8 + bytes,
          }))
          .sort((a, b) => a.chunk - b.chunk || a.from - b.from)
        ranges.forEach((range, i) => {
          expect(range.to).toBeLessThanOrEqual(arena.u8[range.chunk].length)
          const next = ranges[i + 1]
          if (next?.chunk === range.chunk) expect(range.to).toBeLessThanOrEqual(next.from)
        })
        for (const { ref, bytes, mark: written } of live) {
          ends(arena, ref, bytes, (view, from, to) =>
            expect(view.subarray(from, to).every((byte) => byte === written)).toBe(true),
          )
        }
        expect(arena.reservedBytes).toBe(arena.u8.reduce((sum, chunk) => sum + chunk.length, 0))
        for (const { ref } of live) arena.free(ref)
        expect(arena.usedBytes).toBe(0)
        // The first chunk, and at most one more that waits for the next run.
        expect(arena.reservedBytes).toBeLessThanOrEqual(2 * CHUNK_BYTES)
      }),
      { numRuns: 60 },
    )
  })

  it('wastes at most an eighth of a small block, beyond the smallest', () => {
    for (let bytes = 65; bytes <= 16 * 1024; bytes++)
      expect(Arena.sizeFor(bytes)).toBeLessThanOrEqual(Math.ceil((bytes * 9) / 8) + 8)
  })

  it('gives memory back, and uses it again for other sizes', () => {
    const arena = new Arena()
    for (const bytes of [24, 100, 1000, 10_000, 100_000]) {
      const refs = Array.from({ length: Math.floor((24 * 1024 * 1024) / bytes) }, () => arena.alloc(bytes))
      expect(arena.reservedBytes).toBeGreaterThan(20 * 1024 * 1024)
      for (const ref of refs) arena.free(ref)
      expect(arena.usedBytes).toBe(0)
      expect(arena.reservedBytes).toBeLessThanOrEqual(2 * CHUNK_BYTES)
    }
  })

  it('keeps one empty chunk for what comes next, until it is told to let go of that', () => {
    const arena = new Arena()
    const first = arena.alloc(1000)
    const refs = Array.from({ length: 12 }, () => arena.alloc(1024 * 1024))
    arena.dropSpare()
    for (const ref of refs) arena.free(ref)
    const kept = arena.reservedBytes
    arena.dropSpare()
    expect(arena.reservedBytes).toBe(kept - CHUNK_BYTES)
    arena.dropSpare()
    expect(arena.reservedBytes).toBe(kept - CHUNK_BYTES)
    const again = Array.from({ length: 12 }, () => arena.alloc(1024 * 1024))
    expect(new Set([first, ...again]).size).toBe(13)
  })

  it('refers to no memory once it is abandoned, whoever still has it', () => {
    const arena = new Arena()
    for (let i = 0; i < 10; i++) arena.alloc(1024 * 1024)
    arena.abandon()
    expect([arena.u8.length, arena.u32.length, arena.f64.length, arena.reservedBytes, arena.usedBytes]).toEqual([0, 0, 0, 0, 0])
  })

  it('reuses the references of large blocks for chunks, and the other way round', () => {
    const arena = new Arena()
    const large = arena.alloc(3 * 1024 * 1024)
    arena.free(large)
    const small = Array.from({ length: 12 }, () => arena.alloc(1024 * 1024))
    for (const ref of small) arena.u8[ref >>> CHUNK_SHIFT].fill(7, (ref & UNIT_MASK) * 8, (ref & UNIT_MASK) * 8 + 1024 * 1024)
    expect(arena.usedBytes).toBe(12 * 1024 * 1024)
    for (const ref of small) arena.free(ref)
    expect(arena.sizeOf(arena.alloc(5 * 1024 * 1024))).toBe(5 * 1024 * 1024)
  })

  it('says so when it is full, and goes on when something is freed', () => {
    const arena = new Arena(5 * 1024 * 1024)
    const block = arena.alloc(3 * 1024 * 1024)
    expect(() => arena.alloc(3 * 1024 * 1024)).toThrow(MeridianError)
    arena.free(block)
    arena.alloc(3 * 1024 * 1024)
  })

  it('refuses to free what is not there', () => {
    const arena = new Arena()
    expect(() => arena.free(0)).toThrow()
    const large = arena.alloc(2 * 1024 * 1024)
    arena.free(large)
    expect(() => arena.free(large)).toThrow()
    const medium = arena.alloc(100_000)
    arena.free(medium)
    expect(() => arena.free(medium)).toThrow()
  })
})

/** The first and last bytes of a block: enough to see an overlap. */
function ends(arena: Arena, ref: number, bytes: number, visit: (view: Uint8Array, from: number, to: number) => void): void {
  const start = (ref & UNIT_MASK) * 8
  const view = arena.u8[ref >>> CHUNK_SHIFT]
  const edge = Math.min(bytes, 64)
  visit(view, start, start + edge)
  visit(view, start + bytes - edge, start + bytes)
}
