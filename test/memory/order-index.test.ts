import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Arena, type Ref } from '../../src/memory/arena.js'
import { INDEX_WORDS, IndexCursor, OrderIndex, type Ordering } from '../../src/memory/order-index.js'

const AT = 1

/** Items are numbers in their natural order. */
class ByNumber implements Ordering {
  sought = 0
  /** Several items have the same. */
  get hint(): number {
    return Math.floor(this.sought / 7)
  }
  compare(item: Ref): number {
    return this.sought - item
  }
}

class Fixture {
  readonly arena = new Arena()
  readonly index: OrderIndex
  readonly words = new Uint32Array(AT + INDEX_WORDS)
  readonly cursor = new IndexCursor()
  readonly ordering = new ByNumber()

  constructor(
    weighted = false,
    private readonly hinted = false,
  ) {
    this.index = new OrderIndex(this.arena, weighted, hinted)
  }

  insert(item: number): boolean {
    this.ordering.sought = item
    const word = this.hinted ? this.ordering.hint : 1
    return this.index.insert(this.words, AT, this.ordering, item, word, this.cursor)
  }

  find(item: number): boolean {
    this.ordering.sought = item
    return this.index.find(this.words, AT, this.ordering, this.cursor)
  }

  items(): number[] {
    const { index, cursor, words } = this
    const items: number[] = []
    for (let item = index.first(words, AT, cursor); item !== 0; item = index.next(cursor)) items.push(item)
    const backwards: number[] = []
    for (let item = index.last(words, AT, cursor); item !== 0; item = index.previous(cursor)) backwards.push(item)
    expect(backwards.reverse()).toEqual(items)
    expect(index.count(words, AT)).toBe(items.length)
    return items
  }

  free(): void {
    let freed = 0
    const count = this.index.count(this.words, AT)
    for (let n = this.index.dropLastLeaf(this.words, AT); n > 0; n = this.index.dropLastLeaf(this.words, AT)) freed += n
    expect(freed).toBe(count)
    expect(this.arena.usedBytes).toBe(0)
    expect([...this.words]).toEqual(new Array(AT + INDEX_WORDS).fill(0))
  }
}

function shuffled(count: number, seed: number): number[] {
  const numbers = Array.from({ length: count }, (_, i) => i + 1)
  let state = seed
  for (let i = count - 1; i > 0; i--) {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0
    const j = state % (i + 1)
    ;[numbers[i], numbers[j]] = [numbers[j], numbers[i]]
  }
  return numbers
}

describe('order index', () => {
  it.each([false, true])('keeps items in order, through insertions and removals in any order (hints: %s)', (hinted) => {
    const f = new Fixture(false, hinted)
    const count = 12_000
    for (const item of shuffled(count, 1)) expect(f.insert(item)).toBe(true)
    expect(f.insert(17)).toBe(false)
    expect(f.index.item(f.cursor)).toBe(17)
    expect(f.items()).toEqual(Array.from({ length: count }, (_, i) => i + 1))
    for (let i = 1; i <= count; i += 37) {
      expect(f.find(i)).toBe(true)
      expect(f.index.item(f.cursor)).toBe(i)
      expect(f.index.rank(f.words, AT, f.cursor)).toBe(i - 1)
      expect(f.index.seekRank(f.words, AT, i - 1, f.cursor)).toBe(0)
      expect(f.index.item(f.cursor)).toBe(i)
    }
    const removal = shuffled(count, 2)
    for (const item of removal.slice(0, count - 100)) {
      expect(f.find(item)).toBe(true)
      f.index.remove(f.words, AT, f.cursor)
      expect(f.index.item(f.cursor)).not.toBe(item)
    }
    const rest = removal.slice(count - 100).sort((a, b) => a - b)
    expect(f.items()).toEqual(rest)
    rest.forEach((item, i) => {
      expect(f.find(item)).toBe(true)
      expect(f.index.rank(f.words, AT, f.cursor)).toBe(i)
    })
    expect(f.arena.usedBytes).toBeLessThan(hinted ? 16_384 : 8192)
    f.free()
  })

  it('fills nodes when items come in order, at the end or at the beginning', () => {
    for (const descending of [false, true]) {
      const f = new Fixture()
      const count = 60 * 400
      for (let i = 1; i <= count; i++) f.insert(descending ? count + 1 - i : i)
      expect(f.items().length).toBe(count)
      expect(f.arena.usedBytes).toBeLessThan(count * 4 * 1.15)
      f.free()
    }
    const f = new Fixture(true)
    f.index.end(f.words, AT, f.cursor)
    for (let i = 1; i <= 6000; i++) {
      f.index.insertBefore(f.words, AT, f.cursor, i, 10)
      f.index.end(f.words, AT, f.cursor)
    }
    expect(f.index.weight(f.words, AT)).toBe(60_000)
    expect(f.arena.usedBytes).toBeLessThan(6000 * 8 * 1.15)
    f.free()
  })

  it('takes little room for a few items', () => {
    const f = new Fixture()
    for (let i = 1; i <= 12; i++) f.insert(i)
    expect(f.arena.usedBytes).toBe(64)
    f.insert(13)
    expect(f.arena.usedBytes).toBe(128)
    f.free()
  })

  it('is what an array of items with weights is', () => {
    const step = fc.record({
      kind: fc.constantFrom('before', 'after', 'end', 'remove', 'weight', 'replace', 'many', 'removeMany'),
      place: fc.nat(),
      weight: fc.nat({ max: 3 }),
    })
    fc.assert(
      fc.property(fc.boolean(), fc.array(step, { maxLength: 80 }), (weighted, steps) => {
        const f = new Fixture(weighted)
        const { index, words, cursor } = f
        const model: { item: number; weight: number }[] = []
        let next = 1
        const goTo = (slot: number) => {
          index.first(words, AT, cursor)
          for (let i = 0; i < slot; i++) index.next(cursor)
        }
        for (const { kind, place, weight: asked } of steps) {
          const weight = weighted ? asked : 1
          const slot = model.length === 0 ? 0 : place % model.length
          goTo(slot)
          if (kind === 'many' || kind === 'end' || model.length === 0) {
            const count = kind === 'many' ? 150 : 1
            for (let i = 0; i < count; i++) {
              const at = kind === 'many' ? slot : model.length
              goTo(at)
              if (at === model.length) index.end(words, AT, cursor)
              index.insertBefore(words, AT, cursor, next, weight)
              model.splice(at, 0, { item: next++, weight })
              expect(index.item(cursor)).toBe(next - 1)
            }
          } else if (kind === 'before') {
            index.insertBefore(words, AT, cursor, next, weight)
            model.splice(slot, 0, { item: next++, weight })
            expect(index.item(cursor)).toBe(next - 1)
          } else if (kind === 'after') {
            index.insertAfter(words, AT, cursor, next, weight)
            model.splice(slot + 1, 0, { item: next++, weight })
            expect(index.item(cursor)).toBe(next - 1)
          } else if (kind === 'remove' || kind === 'removeMany') {
            for (let i = kind === 'remove' ? 1 : 140; i > 0 && slot < model.length; i--) {
              index.remove(words, AT, cursor)
              model.splice(slot, 1)
              expect(index.item(cursor)).toBe(model.at(slot)?.item ?? 0)
            }
          } else if (kind === 'weight' && weighted) {
            index.setWeight(words, AT, cursor, weight)
            model[slot].weight = weight
          } else if (kind === 'replace') {
            index.replace(cursor, next)
            model[slot].item = next++
          }
        }
        expect(f.items()).toEqual(model.map(({ item }) => item))
        const total = model.reduce((sum, each) => sum + each.weight, 0)
        expect(index.weight(words, AT)).toBe(total)
        let before = 0
        index.first(words, AT, cursor)
        const found = new IndexCursor()
        for (const { item, weight } of model) {
          expect(index.weightOf(cursor)).toBe(weight)
          expect(index.rank(words, AT, cursor)).toBe(before)
          for (let offset = 0; offset < weight; offset++) {
            expect(index.seekRank(words, AT, before + offset, found)).toBe(offset)
            expect(index.item(found)).toBe(item)
          }
          before += weight
          index.next(cursor)
        }
        expect(index.item(cursor)).toBe(0)
        f.free()
      }),
      { numRuns: 60 },
    )
  })

  it('finds the first item at or after what is looked for', () => {
    const f = new Fixture()
    expect(f.find(5)).toBe(false)
    expect(f.index.item(f.cursor)).toBe(0)
    for (let i = 1; i <= 1000; i++) f.insert(i * 10)
    for (let sought = 1; sought <= 10_005; sought += 3) {
      const found = f.find(sought)
      const expected = Math.ceil(sought / 10) * 10
      expect(found).toBe(sought % 10 === 0)
      expect(f.index.item(f.cursor)).toBe(expected > 10_000 ? 0 : expected)
    }
    // An ordering that is never equal, as for an exclusive bound.
    const exclusive: Ordering = { compare: (item) => (item <= 500 ? 1 : -1) }
    expect(f.index.find(f.words, AT, exclusive, f.cursor)).toBe(false)
    expect(f.index.item(f.cursor)).toBe(510)
    expect(f.index.previous(f.cursor)).toBe(500)
    f.free()
  })
})
