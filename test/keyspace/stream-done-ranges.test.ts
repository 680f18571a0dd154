import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { StreamId } from '../../src/crdt/stream-id.js'
import { DoneRanges } from '../../src/keyspace/stream-done-ranges.js'

const LAST = 30
const id = (n: number): StreamId => StreamId.of(0n, BigInt(n))

/** IDs 0 to LAST of one member, as ranges of which the first may be a cursor. */
function rangesOf(set: ReadonlySet<number>): DoneRanges {
  const done = new DoneRanges({ cursors: [], intervals: [...set].map((n) => ({ member: 1, first: id(n), last: id(n) })) })
  return new DoneRanges(done.toState())
}

function setOf(done: DoneRanges): number[] {
  return Array.from({ length: LAST + 1 }, (_, n) => n).filter((n) => done.covers(1, id(n)))
}

const sets = fc.uniqueArray(fc.integer({ min: 0, max: LAST })).map((ns) => new Set(ns))

describe('ranges of what is done', () => {
  it('are the set that was put in, joined where they touch', () => {
    fc.assert(
      fc.property(sets, (set) => {
        const done = rangesOf(set)
        expect(setOf(done)).toEqual([...set].sort((a, b) => a - b))
        const { cursors, intervals } = done.toState()
        expect(cursors.length).toBe(set.has(0) ? 1 : 0)
        for (const { first } of intervals) expect(set.has(Number(first.toString().slice(2)) - 1)).toBe(false)
      }),
    )
  })

  it('lose what is removed and get what is added, and no more', () => {
    fc.assert(
      fc.property(sets, sets, (a, b) => {
        const less = rangesOf(a)
        const ids = [...b].sort((x, y) => x - y).map(id)
        less.remove(1, ids)
        expect(setOf(less)).toEqual([...a].filter((n) => !b.has(n)).sort((x, y) => x - y))
        const more = rangesOf(a)
        more.add(rangesOf(b))
        expect(setOf(more)).toEqual([...new Set([...a, ...b])].sort((x, y) => x - y))
      }),
    )
  })

  it('forget what lies up to an ID', () => {
    fc.assert(
      fc.property(sets, fc.integer({ min: 0, max: LAST }), (set, upTo) => {
        const done = rangesOf(set)
        done.removeUpTo(id(upTo))
        expect(setOf(done)).toEqual([...set].filter((n) => n > upTo).sort((x, y) => x - y))
      }),
    )
  })

  it('go to the end of all IDs', () => {
    const end = new StreamId().setMax()
    const done = new DoneRanges({ cursors: [{ member: 1, id: end }], intervals: [] })
    done.remove(1, [end])
    expect([done.covers(1, id(5)), done.covers(1, end), done.covers(2, id(5))]).toEqual([true, false, false])
    done.add(new DoneRanges({ cursors: [], intervals: [{ member: 1, first: end, last: end }] }))
    expect(done.toState()).toEqual({ cursors: [{ member: 1, id: end }], intervals: [] })
    done.removeUpTo(end)
    expect(done.toState()).toEqual({ cursors: [], intervals: [] })
  })
})
