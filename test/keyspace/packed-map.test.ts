import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { PackedMap } from '../../src/keyspace/packed-map.js'
import { Arena, CHUNK_SHIFT, type Ref } from '../../src/memory/arena.js'

const operation = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('set' as const),
      key: fc.nat(12),
      size: fc.nat(64),
      dot: fc.integer({ min: 1, max: 4 }),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('remove' as const), key: fc.nat(12) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('rebase' as const) }) },
)

/** Keys of different lengths, one of them empty and one as long as may be. */
function keyOf(n: number): Buffer {
  return Buffer.from('k'.repeat(n === 12 ? 64 : n))
}

describe('a packed map', () => {
  for (const hasValues of [true, false]) {
    it(`holds what was put in ${hasValues ? 'with' : 'without'} values, and gives its memory back`, () => {
      fc.assert(
        fc.property(fc.array(operation, { maxLength: 60 }), (operations) => {
          const arena = new Arena()
          const packed = new PackedMap(hasValues)
          const model = new Map<string, { value: string; dot: number }>()
          const before = arena.usedBytes
          let root: Ref = 0
          for (const each of operations) {
            if (each.kind === 'rebase') {
              if (root !== 0) packed.rebase(arena, root)
            } else {
              const key = keyOf(each.key)
              const place = root === 0 ? -1 : packed.find(arena, root, key, 0, key.length)
              expect(place >= 0).toBe(model.has(key.toString()))
              if (each.kind === 'remove') {
                if (place >= 0) root = packed.remove(arena, root, place)
                model.delete(key.toString())
              } else {
                const value = Buffer.from('v'.repeat(hasValues ? each.size : 0))
                if (root === 0) root = packed.create(arena, 0, key.length, value.length)
                root =
                  place < 0
                    ? packed.append(arena, root, key, 0, key.length, value, 0, value.length, each.dot, each.dot * 7)
                    : packed.replace(arena, root, place, value, 0, value.length, each.dot, each.dot * 7)
                model.set(key.toString(), { value: value.toString(), dot: each.dot })
              }
            }
            expect(contents(arena, packed, root)).toEqual([...model].sort(([a], [b]) => (a < b ? -1 : 1)))
          }
          for (const key of model.keys()) {
            root = packed.remove(arena, root, packed.find(arena, root, Buffer.from(key), 0, key.length))
          }
          expect(root).toBe(0)
          expect(arena.usedBytes).toBe(before)
        }),
        { numRuns: 200 },
      )
    })
  }

  it('has a dot that several entries share once', () => {
    const arena = new Arena()
    const packed = new PackedMap(true)
    const put = (root: Ref, i: number, dot: number): Ref => {
      const key = Buffer.from(`field${i}`)
      const value = Buffer.from('value-00')
      const place = packed.find(arena, root, key, 0, key.length)
      return place < 0
        ? packed.append(arena, root, key, 0, key.length, value, 0, value.length, dot, dot)
        : packed.replace(arena, root, place, value, 0, value.length, dot, dot)
    }
    let root = packed.create(arena, 0, 6, 8)
    for (let i = 0; i < 5; i++) root = put(root, i, 1)
    expect(packed.end(arena, root) - packed.first(root)).toBe(5 * 16)
    for (let i = 0; i < 5; i++) root = put(root, i, 2)
    packed.rebase(arena, root)
    expect(packed.end(arena, root) - packed.first(root)).toBe(5 * 16)
  })
})

function contents(arena: Arena, packed: PackedMap, root: Ref): [string, { value: string; dot: number }][] {
  const found: [string, { value: string; dot: number }][] = []
  if (root === 0) return found
  for (let place = packed.first(root); place < packed.end(arena, root); place = packed.next) {
    packed.read(arena, root, place)
    const bytes = Buffer.from(arena.u8[root >>> CHUNK_SHIFT].buffer)
    const key = bytes.subarray(packed.keyOff, packed.keyOff + packed.keyLen).toString()
    const value = bytes.subarray(packed.valueOff, packed.valueOff + packed.valueLen).toString()
    expect(packed.dotLow).toBe(packed.dotHigh * 7)
    found.push([key, { value, dot: packed.dotHigh }])
  }
  expect(packed.count(arena, root)).toBe(found.length)
  return found.sort(([a], [b]) => (a < b ? -1 : 1))
}
