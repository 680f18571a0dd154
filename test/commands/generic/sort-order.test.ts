import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { DoubleList } from '../../../src/base/double-list.js'
import { sortNumber } from '../../../src/commands/generic/sort-number.js'
import { orderByBytes, orderByNumber } from '../../../src/commands/generic/sort-order.js'
import { ByteList } from '../../../src/rdb/byte-list.js'
import { SeededRandom } from '../../differential/seeded-random.js'

const text = fc.oneof(
  fc.uint8Array({ maxLength: 4 }),
  fc.uint8Array({ maxLength: 20 }),
  // Long common beginnings, and ends that differ in zero bytes only.
  fc.tuple(fc.constantFrom('a', 'element:', 'element:0000000'), fc.constantFrom('', '\0', '\0\0', 'x', 'xy')).map(([a, b]) => {
    return new Uint8Array(Buffer.from(a + b))
  }),
)
const many = fc.array(text, { minLength: 0, maxLength: 400 })

function atOnce(steps: Generator<undefined, Uint32Array>): Uint32Array {
  for (;;) {
    const { done, value } = steps.next()
    if (done === true) return value
  }
}

function compared(items: readonly Uint8Array[], descending: boolean): number[] {
  const sign = descending ? -1 : 1
  return items.map((_, i) => i).sort((a, b) => sign * Buffer.compare(items[a], items[b]) || a - b)
}

/** Counts how often two of its elements are compared. */
class CountingList extends ByteList {
  comparisons = 0

  override compare(i: number, j: number): number {
    this.comparisons++
    return super.compare(i, j)
  }
}

describe('the order of byte strings', () => {
  it('is that of their bytes, with equal ones as they were', () => {
    fc.assert(
      fc.property(many, fc.boolean(), (items, descending) => {
        expect([...atOnce(orderByBytes(ByteList.of(items), descending))]).toEqual(compared(items, descending))
      }),
      { numRuns: 300 },
    )
  })

  it('does not depend on how many or how long they are', () => {
    const random = new SeededRandom(4)
    const long = 'common beginning '.repeat(4000)
    const cases = [
      Array.from({ length: 70_000 }, () => Buffer.from(`element:${random.below(1e9)}`)),
      Array.from({ length: 300 }, (_, i) => Buffer.from(long + String(i % 150))),
      Array.from({ length: 3000 }, (_, i) => Buffer.alloc((i * 7919) % 3000)),
    ]
    for (const items of cases) {
      for (const descending of [false, true]) {
        const order = atOnce(orderByBytes(ByteList.of(items), descending))
        const sign = descending ? -1 : 1
        for (let i = 1; i < order.length; i++) {
          const difference = sign * Buffer.compare(items[order[i - 1]], items[order[i]]) || order[i - 1] - order[i]
          if (difference >= 0) throw new Error(`places ${i - 1} and ${i}`)
        }
      }
    }
  })
})

describe('the order of numbers', () => {
  const numbers = fc.oneof(
    fc.double({ noNaN: true }),
    fc.integer({ min: -5, max: 5 }),
    fc.constantFrom(0, -0, Infinity, -Infinity, 5e-324, -5e-324, Number.MAX_VALUE),
  )

  it('goes in short steps where many have the same number in groups', () => {
    const count = 20_000
    const scores = new DoubleList()
    const elements = new CountingList()
    for (let i = 0; i < count; i++) {
      scores.push((i * 7919) % (count / 8))
      const member = Buffer.from(`place:${i}`)
      elements.push(member, 0, member.length)
    }
    const steps = orderByNumber(scores, elements, false)
    let most = 0
    do {
      most = Math.max(most, elements.comparisons)
      elements.comparisons = 0
    } while (steps.next().done !== true)
    expect(most).toBeGreaterThan(0)
    expect(most).toBeLessThan(2000)
  })

  it('is that of the numbers, then of the bytes', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(numbers, text), { maxLength: 400 }), fc.boolean(), (pairs, descending) => {
        const sign = descending ? -1 : 1
        const scores = new DoubleList()
        for (const [score] of pairs) scores.push(score)
        const order = atOnce(orderByNumber(scores, ByteList.of(pairs.map(([, item]) => item)), descending))
        const wanted = pairs
          .map((_, i) => i)
          .sort((a, b) => {
            const [x, y] = [pairs[a][0], pairs[b][0]]
            return sign * (x < y ? -1 : x > y ? 1 : Buffer.compare(pairs[a][1], pairs[b][1])) || a - b
          })
        expect([...order]).toEqual(wanted)
      }),
      { numRuns: 300 },
    )
  })
})

describe('a number for SORT', () => {
  const read = (value: string) => sortNumber(Buffer.from(`(${value})`, 'latin1'), 1, value.length)

  it('is what strtod makes of all of the text', () => {
    const numbers: readonly (readonly [string, number])[] = [
      ['0', 0],
      ['-0', -0],
      ['7', 7],
      ['-7', -7],
      ['+7', 7],
      ['007', 7],
      ['1.5', 1.5],
      ['-1.', -1],
      ['.5', 0.5],
      ['0.1', 0.1],
      ['123456789012.345', 123456789012.345],
      ['12345678901234567890', 12345678901234567890],
      ['1e3', 1000],
      ['1E-2', 0.01],
      ['  5', 5],
      ['inf', Infinity],
      ['-Infinity', -Infinity],
      ['0x1F', 31],
      ['-0x.8p1', -1],
      ['', 0],
      ['5\0x', 5],
    ]
    for (const [value, number] of numbers) expect([value, read(value)]).toEqual([value, number])
  })

  it('is nothing else', () => {
    for (const value of ['a', '1a', '1 ', ' ', '-', '+', '.', '1.2.3', '1e', 'nan', '1e999', '-1e999', '1e-320', '0x', '--1']) {
      expect([value, read(value)]).toEqual([value, NaN])
    }
  })
})
