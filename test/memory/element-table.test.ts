import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Arena, CHUNK_SHIFT, type Ref } from '../../src/memory/arena.js'
import { hashElement } from '../../src/memory/element-hash.js'
import { ELEMENT_TABLE_WORDS, ElementTable } from '../../src/memory/element-table.js'
import { byteOf, HASH_WORD, headerBytes, KEY_LENGTH_WORD, wordOf } from '../../src/memory/record.js'

const SEED = 7
const AT = 2

/** A table in an array of its own, with keys as strings. */
class Fixture {
  readonly arena = new Arena()
  readonly table = new ElementTable(this.arena)
  readonly words = new Uint32Array(AT + ELEMENT_TABLE_WORDS)

  find(key: string): Ref {
    const bytes = Buffer.from(key)
    return this.table.find(this.words, AT, hashElement(SEED, bytes, 0, bytes.length), bytes, 0, bytes.length)
  }

  record(key: string): Ref {
    const bytes = Buffer.from(key)
    const ref = this.arena.alloc(headerBytes(0) + bytes.length)
    const words = this.arena.u32[ref >>> CHUNK_SHIFT]
    words[wordOf(ref)] = 0
    words[wordOf(ref) + HASH_WORD] = hashElement(SEED, bytes, 0, bytes.length)
    words[wordOf(ref) + KEY_LENGTH_WORD] = bytes.length
    this.arena.u8[ref >>> CHUNK_SHIFT].set(bytes, byteOf(ref) + headerBytes(0))
    return ref
  }

  key(ref: Ref): string {
    const start = byteOf(ref) + headerBytes(0)
    const length = this.arena.u32[ref >>> CHUNK_SHIFT][wordOf(ref) + KEY_LENGTH_WORD]
    return Buffer.from(this.arena.u8[ref >>> CHUNK_SHIFT].subarray(start, start + length)).toString()
  }

  insert(key: string): void {
    this.table.insert(this.words, AT, this.record(key))
  }

  remove(key: string): void {
    const ref = this.find(key)
    this.table.remove(this.words, AT, ref)
    this.arena.free(ref)
  }

  drainAll(): number {
    let drained = 0
    for (let ref = this.table.drain(this.words, AT); ref !== 0; ref = this.table.drain(this.words, AT)) {
      this.arena.free(ref)
      drained++
    }
    return drained
  }
}

describe('element table', () => {
  it('finds what was inserted and nothing else, and frees everything', () => {
    fc.assert(
      fc.property(fc.array(fc.record({ key: fc.nat({ max: 60 }), add: fc.boolean() }), { maxLength: 200 }), (steps) => {
        const f = new Fixture()
        const model = new Set<string>()
        for (const { key: number, add } of steps) {
          const key = `element ${number}`
          if (add && !model.has(key)) {
            f.insert(key)
            model.add(key)
          } else if (!add && model.has(key)) {
            f.remove(key)
            model.delete(key)
          }
          expect(f.table.count(f.words, AT)).toBe(model.size)
        }
        for (let i = 0; i <= 60; i++) expect(f.find(`element ${i}`) !== 0).toBe(model.has(`element ${i}`))
        const all = Array.from({ length: model.size }, (_, i) => f.key(f.table.at(f.words, AT, i)))
        expect(new Set(all)).toEqual(model)
        expect(f.drainAll()).toBe(model.size)
        expect(f.arena.usedBytes).toBe(0)
      }),
      { numRuns: 50 },
    )
  })

  it('chooses each element with the same chance, also after it has grown and most have gone', () => {
    const f = new Fixture()
    let state = 1
    const below = (n: number) => {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0
      return Math.floor((state / 2 ** 32) * n)
    }
    const draws = 20_000
    /** Chi square of draws counted in tenths of what is there, by number. */
    const unevenness = (from: number, to: number): number => {
      const tenths = new Array<number>(10).fill(0)
      for (let i = 0; i < draws; i++) {
        const number = Number(f.key(f.table.random(f.words, AT, below)).slice(2))
        expect(number >= from && number < to).toBe(true)
        tenths[Math.floor(((number - from) / (to - from)) * 10)]++
      }
      return tenths.reduce((sum, n) => sum + (n - draws / 10) ** 2 / (draws / 10), 0)
    }
    // 9 degrees of freedom: above 27.9 once in a thousand.
    for (let i = 0; i < 30_000; i++) f.insert(`m:${i}`)
    expect(unevenness(0, 30_000)).toBeLessThan(27.9)
    for (let i = 30_000; i < 60_000; i++) f.insert(`m:${i}`)
    expect(unevenness(0, 60_000)).toBeLessThan(27.9)
    for (let i = 0; i < 59_000; i++) f.remove(`m:${i}`)
    expect(unevenness(59_000, 60_000)).toBeLessThan(27.9)
    for (let i = 59_001; i < 60_000; i++) f.remove(`m:${i}`)
    expect(f.key(f.table.random(f.words, AT, below))).toBe('m:59000')
  })

  it('holds many elements in several tables of bounded size', () => {
    const f = new Fixture()
    const count = 30_000
    for (let i = 0; i < count; i++) f.insert(`m:${i}`)
    for (let i = 0; i < count; i++) expect(f.find(`m:${i}`)).not.toBe(0)
    expect(f.find('m:-1')).toBe(0)
    const seen = new Set<string>()
    for (let i = 0; i < count; i += 7) seen.add(f.key(f.table.at(f.words, AT, i)))
    expect(seen.size).toBe(Math.ceil(count / 7))
    // Replacement, and removal of most: what is left is still found.
    const old = f.find('m:5')
    const moved = f.record('m:5')
    f.table.replace(f.words, AT, old, moved)
    f.arena.free(old)
    expect(f.find('m:5')).toBe(moved)
    for (let i = 0; i < count; i++) if (i % 100 !== 5) f.remove(`m:${i}`)
    for (let i = 0; i < count; i++) expect(f.find(`m:${i}`) !== 0).toBe(i % 100 === 5)
    expect(f.table.tableBytes(f.words, AT)).toBeLessThan(count)
    expect(f.drainAll()).toBe(count / 100)
    expect(f.arena.usedBytes).toBe(0)
    expect(f.table.drain(f.words, AT)).toBe(0)
  })

  it('scans whatever is there throughout, while the table grows and shrinks', () => {
    const f = new Fixture()
    for (let i = 0; i < 6000; i++) f.insert(`stays ${i}`)
    for (let i = 0; i < 2000; i++) f.insert(`goes ${i}`)
    const seen = new Set<string>()
    let cursor = 0
    let steps = 0
    do {
      cursor = f.table.scan(f.words, AT, cursor)
      expect(Number.isSafeInteger(cursor)).toBe(true)
      if (f.table.scanned !== 0) seen.add(f.key(f.table.scanned))
      for (let i = 0; i < 4 && steps < 4000; i++) f.insert(`new ${steps}.${i}`)
      if (steps < 2000) f.remove(`goes ${steps}`)
      steps++
    } while (cursor !== 0)
    for (let i = 0; i < 6000; i++) expect(seen.has(`stays ${i}`)).toBe(true)
    expect(f.table.count(f.words, AT)).toBe(6000 + 4 * Math.min(steps, 4000))
  })

  it('ends a scan with any cursor, and of nothing', () => {
    const f = new Fixture()
    expect(f.table.scan(f.words, AT, 0)).toBe(0)
    expect(f.table.scanned).toBe(0)
    f.insert('a')
    expect(f.table.scan(f.words, AT, 1234567)).toBe(0)
    expect(f.table.scan(f.words, AT, Number.MAX_SAFE_INTEGER)).toBe(0)
    expect(f.table.scan(f.words, AT, 0)).toBe(0)
    expect(f.key(f.table.scanned)).toBe('a')
  })
})
