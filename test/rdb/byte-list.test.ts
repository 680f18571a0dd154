import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ByteList } from '../../src/rdb/byte-list.js'

const MiB = 1024 * 1024

function texts(list: ByteList): string[] {
  return [...list].map((item) => Buffer.from(item).toString('latin1'))
}

describe('a list of byte strings', () => {
  it('holds elements of any lengths, in the order in which they were pushed', () => {
    const lengths = fc.oneof(fc.integer({ min: 0, max: 40 }), fc.constantFrom(1000, 300_000, 512 * 1024, 512 * 1024 + 1, MiB))
    fc.assert(
      fc.property(fc.array(lengths, { maxLength: 30 }), (sizes) => {
        const items = sizes.map((size, i) => Buffer.alloc(size, i + 1))
        const list = ByteList.of(items)
        expect(list.count).toBe(items.length)
        items.forEach((item, i) => {
          expect(item.equals(list.at(i))).toBe(true)
          expect(item.equals(list.bytesOf(i).subarray(list.start(i), list.end(i)))).toBe(true)
        })
      }),
      { numRuns: 50 },
    )
  })

  it('holds more elements than the places of one piece, and empty ones', () => {
    const wanted = Array.from({ length: 50_000 }, (_, i) => (i % 3 === 0 ? '' : `element:${i}`))
    expect(texts(ByteList.of(wanted.map((text) => Buffer.from(text))))).toEqual(wanted)
  })

  it('pushes all of another one', () => {
    const list = ByteList.of([Buffer.from('a'), Buffer.from('')])
    list.pushAll(ByteList.of([Buffer.from('b'), Buffer.alloc(MiB, 'c'), Buffer.from('d')]))
    expect(texts(list)).toEqual(['a', '', 'b', 'c'.repeat(MiB), 'd'])
  })

  it('compares elements that lie in different pieces', () => {
    const list = ByteList.of([Buffer.from('b'), Buffer.alloc(MiB, 'b'), Buffer.from('a')])
    expect(Math.sign(list.compare(0, 1))).toBe(-1)
    expect(Math.sign(list.compare(1, 2))).toBe(1)
    expect(list.compare(1, 1)).toBe(0)
  })
})
