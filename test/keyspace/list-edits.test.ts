import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ApplyContext } from '../../src/crdt/apply-context.js'
import { ListPosition } from '../../src/crdt/list-position.js'
import { ListEdits } from '../../src/keyspace/list-edits.js'
import { ListSequence } from '../../src/keyspace/list-sequence.js'
import { ListWalk } from '../../src/keyspace/list-walk.js'
import { Arena } from '../../src/memory/arena.js'

interface Level {
  readonly anchor: number
  readonly member: number
  readonly stamp: number
  readonly index: number
}

interface Register {
  readonly member: number
  readonly stamp: number
  readonly value: string
}

interface Element {
  readonly position: ListPosition
  registers: Register[]
}

/** The rules on a sorted array. */
class PlainList {
  elements: Element[] = []

  private find(position: ListPosition): Element | undefined {
    return this.elements.find((element) => element.position.compare(position) === 0)
  }

  insert(position: ListPosition, register: Register): void {
    if (this.find(position) !== undefined) return
    this.elements.push({ position, registers: [register] })
    this.elements.sort((a, b) => a.position.compare(b.position))
  }

  set(position: ListPosition, context: ApplyContext, register: Register): void {
    const element = this.find(position)
    if (element === undefined) {
      this.insert(position, register)
      return
    }
    element.registers = element.registers.filter(({ member, stamp }) => !context.covers(member, stamp))
    const isThere = element.registers.some(({ member, stamp }) => member === register.member && stamp === register.stamp)
    if (!isThere) element.registers.push(register)
    element.registers.sort((a, b) => b.stamp - a.stamp || b.member - a.member)
  }

  removeRange(first: ListPosition, last: ListPosition, context: ApplyContext): void {
    for (const element of this.elements) {
      if (element.position.compare(first) < 0 || element.position.compare(last) > 0) continue
      element.registers = element.registers.filter(({ member, stamp }) => !context.covers(member, stamp))
    }
    this.elements = this.elements.filter(({ registers }) => registers.length > 0)
  }
}

const level = fc.record({
  anchor: fc.integer({ min: -1, max: 1 }),
  member: fc.integer({ min: 1, max: 2 }),
  stamp: fc.integer({ min: 1, max: 2 }),
  index: fc.integer({ min: -40, max: 40 }),
})
const path = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.tuple(
      fc.record({
        anchor: fc.constant(0),
        member: fc.constant(1),
        stamp: fc.constant(1),
        index: fc.integer({ min: -200, max: 200 }),
      }),
    ),
  },
  { weight: 3, arbitrary: fc.array(level, { minLength: 1, maxLength: 3 }) },
)
const seen = fc.tuple(fc.nat(400), fc.nat(400), fc.nat(400))
const edit = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constant('insert' as const),
      path,
      count: fc.integer({ min: 1, max: 20 }),
      size: fc.nat(700),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('set' as const),
      path,
      member: fc.integer({ min: 1, max: 3 }),
      seen,
      size: fc.nat(700),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('remove' as const), path, to: path, seen }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('remove-one' as const), path, seen }) },
)

function positionOf(levels: readonly Level[]): ListPosition {
  const position = new ListPosition()
  for (const { anchor, member, stamp, index } of levels) position.push(anchor, member, stamp, index)
  return position
}

/** A remote context: what its origin had seen of members 1 to 3. */
function contextOf(origin: number, stamp: number, [a, b, c]: readonly number[]): ApplyContext {
  const context = new ApplyContext()
  context.local = false
  context.origin = origin
  context.stamp = stamp
  context.vector.set([0, a, b, c])
  return context
}

describe('list edits', () => {
  it('do to chunks what the rules do to a sorted array', () => {
    fc.assert(
      fc.property(fc.array(edit, { maxLength: 120, size: 'max' }), (steps) => {
        const arena = new Arena()
        const sequence = new ListSequence().open(arena, 0)
        const edits = new ListEdits(sequence)
        const walk = new ListWalk(sequence)
        const plain = new PlainList()
        let stamp = 10
        for (const step of steps) {
          sequence.open(arena, sequence.root)
          stamp += 3
          const position = positionOf(step.path)
          if (step.kind === 'insert') {
            const { member } = step.path[step.path.length - 1]
            for (let i = 0; i < step.count; i++) {
              const at = positionOf(step.path)
              at.index += i
              const value = `${stamp}:${i}:${'x'.repeat(step.size)}`
              const bytes = Buffer.from(value)
              edits.insert(at, member, stamp, bytes, 0, bytes.length)
              plain.insert(at, { member, stamp, value })
            }
          } else if (step.kind === 'set') {
            const context = contextOf(step.member, stamp, step.seen)
            const value = `set ${stamp}:${'y'.repeat(step.size)}`
            const bytes = Buffer.from(value)
            edits.set(position, context, bytes, 0, bytes.length)
            plain.set(position, context, { member: step.member, stamp, value })
          } else {
            const to = step.kind === 'remove' ? positionOf(step.to) : position
            const [first, last] = position.compare(to) <= 0 ? [position, to] : [to, position]
            const context = contextOf(3, stamp, step.seen)
            edits.removeRange(first, last, context)
            plain.removeRange(first, last, context)
          }
          expect(sequence.length).toBe(plain.elements.length)
        }
        const { chunks } = sequence
        const shown: unknown[] = []
        if (plain.elements.length > 0) {
          walk.seek(0)
          do {
            const position = chunks.position(sequence.chunk, walk.index, new ListPosition()).toString()
            const registers = edits.registers(sequence.chunk, walk.at)
            shown.push([position, registers.map(({ member, stamp: at, value }) => [member, at, Buffer.from(value).toString()])])
          } while (walk.next())
        }
        const expected = plain.elements.map(({ position, registers }) => [
          position.toString(),
          registers.map(({ member, stamp: at, value }) => [member, at, value]),
        ])
        expect(shown).toEqual(expected)
        // Backwards, and to any place.
        for (let rank = 0; rank < expected.length; rank += 5) {
          walk.seek(rank)
          expect(chunks.position(sequence.chunk, walk.index, new ListPosition()).toString()).toBe(expected[rank][0])
          if (rank > 0) {
            expect(walk.previous()).toBe(true)
            expect(chunks.position(sequence.chunk, walk.index, new ListPosition()).toString()).toBe(expected[rank - 1][0])
          }
        }
        expect(sequence.free(Infinity)).toBe(0)
        expect(arena.usedBytes).toBe(0)
      }),
      { numRuns: 80 },
    )
  })

  it('take elements at the ends of runs without moving others', () => {
    const arena = new Arena()
    const sequence = new ListSequence().open(arena, 0)
    const edits = new ListEdits(sequence)
    const bytes = Buffer.from('0123456789')
    for (let index = 0; index < 10_000; index++) {
      sequence.open(arena, sequence.root)
      edits.insert(positionOf([{ anchor: 0, member: 1, stamp: 1, index }]), 1, 100 + index, bytes, 0, bytes.length)
    }
    expect(sequence.length).toBe(10_000)
    // A value of ten bytes costs a redis-server twelve.
    expect(arena.usedBytes / 10_000).toBeLessThan(12 * 1.3)
    const everything = contextOf(2, 1e9, [1e9, 1e9, 1e9])
    const first = positionOf([{ anchor: 0, member: 1, stamp: 1, index: 10 }])
    const last = positionOf([{ anchor: 0, member: 1, stamp: 1, index: 9_989 }])
    edits.removeRange(first, last, everything)
    expect(sequence.length).toBe(20)
    expect(arena.usedBytes).toBeLessThan(3000)
  })
})
