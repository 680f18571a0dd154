import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Engine } from '../../../src/engine/engine.js'
import { NOTHING_STABLE } from '../../crdt/string-history.js'
import { EngineHarness } from '../../support/engine-harness.js'

/** A write of a value to an element. */
interface Dot {
  readonly element: number
  readonly stamp: number
  readonly member: number
  readonly value: string
}

/** What an op did, as its origin saw the list: dots that it added, and the ones it took away. */
interface Op {
  readonly added: readonly Dot[]
  readonly removed: ReadonlySet<Dot>
}

/** A member with what an oracle says of its list: which elements there are and what their values are. The order is the members' own. */
class ListMember {
  readonly harness: EngineHarness
  readonly dots = new Set<Dot>()

  constructor(
    readonly id: number,
    private readonly history: History,
  ) {
    this.harness = new EngineHarness({ self: id, solo: false })
    this.harness.engine.keyspace.stability = NOTHING_STABLE
  }

  shown(): string[] {
    return this.harness.run('LRANGE', 'k', '0', '-1') as string[]
  }

  /** Element of each value that is shown, in order. */
  elements(): number[] {
    return this.shown().map((value) => this.history.elementOf(value))
  }

  apply(op: Op): void {
    for (const dot of op.removed) this.dots.delete(dot)
    for (const dot of op.added) this.dots.add(dot)
  }

  /** The visible value of each element, by the rules. */
  expected(): string[] {
    const winners = new Map<number, Dot>()
    for (const dot of this.dots) {
      const other = winners.get(dot.element)
      const wins = other === undefined || dot.stamp > other.stamp || (dot.stamp === other.stamp && dot.member > other.member)
      if (wins) winners.set(dot.element, dot)
    }
    return [...winners.values()].map(({ value }) => value).sort()
  }
}

type Action =
  | { readonly kind: 'push'; readonly left: boolean; readonly count: number }
  | { readonly kind: 'pop'; readonly left: boolean; readonly count: number }
  | { readonly kind: 'set' | 'insert' | 'rem'; readonly at: number }
  | { readonly kind: 'trim'; readonly from: number; readonly to: number }
  | { readonly kind: 'del' }

/** Three members whose ops go to each other in any causal order; every value is unique, so a value says which element it is of. */
class History {
  readonly members: ListMember[]
  /** By origin and the last stamp of the op's frame. */
  private readonly ops = new Map<string, Op>()
  private readonly valueElements = new Map<string, number>()
  /** Elements of each push, in the order in which they must stay. */
  readonly pushes: number[][] = []
  readonly inserted = new Set<number>()
  /** Orders of elements that somebody has seen. */
  readonly orders: number[][] = []
  private elementCount = 0

  constructor(private readonly padding: number) {
    this.members = [1, 2, 3].map((id) => new ListMember(id, this))
  }

  elementOf(value: string): number {
    const element = this.valueElements.get(value)
    if (element === undefined) throw new Error(`nobody wrote ${value.slice(0, 40)}`)
    return element
  }

  private newValue(element: number): string {
    const value = `${this.valueElements.size}.${'x'.repeat(this.padding === 0 ? 0 : (this.valueElements.size * 97) % this.padding)}`
    this.valueElements.set(value, element)
    return value
  }

  /** Runs an action at a member and notes what it did by the rules. */
  act(member: ListMember, action: Action): void {
    const { harness } = member
    const before = member.shown()
    this.orders.push(before.map((value) => this.elementOf(value)))
    const frames = harness.log.frames.length
    const added: { element: number; value: string }[] = []
    const gone: string[] = []
    const add = (): string => {
      const element = this.elementCount++
      const value = this.newValue(element)
      added.push({ element, value })
      return value
    }
    switch (action.kind) {
      case 'push': {
        const values = Array.from({ length: action.count }, add)
        harness.run(action.left ? 'LPUSH' : 'RPUSH', 'k', ...values)
        const elements = added.map(({ element }) => element)
        this.pushes.push(action.left ? elements.reverse() : elements)
        break
      }
      case 'pop':
        harness.run(action.left ? 'LPOP' : 'RPOP', 'k', String(action.count))
        gone.push(...(action.left ? before.slice(0, action.count) : before.slice(Math.max(0, before.length - action.count))))
        break
      case 'set': {
        if (before.length === 0) return
        const at = action.at % before.length
        const element = this.elementOf(before[at])
        const value = this.newValue(element)
        harness.run('LSET', 'k', String(at), value)
        added.push({ element, value })
        gone.push(before[at])
        break
      }
      case 'insert': {
        if (before.length === 0) return
        harness.run('LINSERT', 'k', action.at % 2 === 0 ? 'BEFORE' : 'AFTER', before[(action.at >> 1) % before.length], add())
        this.inserted.add(added[0].element)
        break
      }
      case 'rem': {
        if (before.length === 0) return
        harness.run('LREM', 'k', '0', before[action.at % before.length])
        gone.push(before[action.at % before.length])
        break
      }
      case 'trim': {
        const from = action.from % (before.length + 1)
        const to = Math.max(0, before.length - 1 - action.to)
        harness.run('LTRIM', 'k', String(from), String(to))
        gone.push(...before.filter((_, i) => i < from || i > to))
        break
      }
      case 'del':
        harness.run('DEL', 'k')
        gone.push(...before)
        break
    }
    if (harness.log.frames.length === frames) return
    const frame = harness.log.frames[frames]
    const goneElements = new Set(gone.map((value) => this.elementOf(value)))
    // What an element has here is observed, hidden values too.
    const removed = new Set([...member.dots].filter(({ element }) => goneElements.has(element)))
    const op: Op = { added: added.map((each) => ({ ...each, stamp: frame.last, member: member.id })), removed }
    this.ops.set(`${member.id}:${frame.last}`, op)
    member.apply(op)
    expect(member.shown().sort()).toEqual(member.expected())
  }

  /** Delivers what can be delivered, at most `most` frames. */
  deliver(from: ListMember, to: ListMember, most = Infinity): boolean {
    let left = most
    const { applied } = to.harness.engine
    for (const frame of from.harness.log.frames) {
      if (left === 0) break
      if (frame.last <= applied.get(frame.origin)) continue
      if (frame.previous !== applied.get(frame.origin) || !frame.contextCoveredBy(applied)) continue
      to.harness.engine.remote.apply(frame)
      const op = this.ops.get(`${frame.origin}:${frame.last}`)
      if (op === undefined) throw new Error('a frame of no op')
      to.apply(op)
      left--
    }
    return left < most
  }

  deliverAll(): void {
    for (let moved = true; moved;) {
      moved = false
      for (const from of this.members) for (const to of this.members) if (from !== to && this.deliver(from, to)) moved = true
    }
  }
}

/** A new engine that has read a member's log, and then a part of it again, as recovery does from a snapshot that is newer than where the log begins. */
function recovered({ harness }: ListMember, again: number): { list: string[]; engine: Engine } {
  const { services, clock, log } = harness
  const self = services.replication.memberId
  const engine = new Engine({ self, databases: 16, solo: false, hashSeed: 11 }, clock, services)
  engine.keyspace.stability = NOTHING_STABLE
  for (const frame of log.frames) engine.replay.recover(frame)
  for (const frame of log.frames.slice(again % (log.frames.length + 1))) engine.replay.recover(frame)
  const db = engine.keyspace.database(0)
  engine.keyspace.beginCommand()
  const ref = engine.keyspace.find(db, KEY, 0, 1)
  const list: string[] = []
  if (ref !== 0) {
    const { lists } = engine.collections
    const root = db.root(ref)
    lists.read(db, root, 0, lists.size(db, root), false, {
      bulk: (from, off, len) => list.push(Buffer.from(from.subarray(off, off + len)).toString('latin1')),
    })
  }
  return { list, engine }
}

function digestOf({ harness }: ListMember): unknown {
  return (harness.run('CRDT.DIGEST') as unknown[])[1]
}

const KEY = Buffer.from('k')
const action: fc.Arbitrary<Action> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({ kind: fc.constant('push' as const), left: fc.boolean(), count: fc.integer({ min: 1, max: 12 }) }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant('pop' as const), left: fc.boolean(), count: fc.integer({ min: 1, max: 4 }) }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('set' as const), at: fc.nat(999) }) },
  { weight: 5, arbitrary: fc.record({ kind: fc.constant('insert' as const), at: fc.nat(999) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('rem' as const), at: fc.nat(999) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('trim' as const), from: fc.nat(3), to: fc.nat(3) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('del' as const) }) },
)
const step = fc.oneof(
  { weight: 5, arbitrary: fc.record({ member: fc.nat(2), action }) },
  { weight: 3, arbitrary: fc.record({ from: fc.nat(2), to: fc.nat(2), most: fc.integer({ min: 1, max: 5 }) }) },
  { weight: 1, arbitrary: fc.record({ wait: fc.nat(3) }) },
)

describe.each([
  ['short elements', 0, 50],
  ['long elements, so that chunks are divided', 700, 50],
])('lists in three members, %s', (_, padding, numRuns) => {
  it('are the same everywhere, with all that nobody removed and nothing else, in the order that everyone saw', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60, size: 'max' }), fc.nat(), (steps, again) => {
        const history = new History(padding)
        const { members } = history
        for (const each of steps) {
          if ('action' in each) history.act(members[each.member], each.action)
          else if ('wait' in each) for (const { harness } of members) harness.clock.now += each.wait
          else if (each.from !== each.to) history.deliver(members[each.from], members[each.to], each.most)
        }
        history.deliverAll()
        const final = members[0].shown()
        expect([...final].sort()).toEqual(members[0].expected())
        for (const member of members) {
          expect(member.shown()).toEqual(final)
          expect(digestOf(member)).toBe(digestOf(members[0]))
        }
        const place = new Map(members[0].elements().map((element, i) => [element, i]))
        for (const order of history.orders) {
          const places = order.map((element) => place.get(element) ?? -1).filter((i) => i >= 0)
          expect(places).toEqual([...places].sort((a, b) => a - b))
        }
        // Between the elements of one push stands nothing but what was inserted there.
        const ends = members[0].elements()
        for (const push of history.pushes) {
          const places = push.map((element) => place.get(element) ?? -1).filter((i) => i >= 0)
          if (places.length < 2) continue
          const between = ends.slice(places[0], places[places.length - 1] + 1)
          expect(between.filter((element) => !push.includes(element) && !history.inserted.has(element))).toEqual([])
        }
        for (const member of members) {
          expect(recovered(member, 0).list).toEqual(final)
          expect(recovered(member, again).list).toEqual(final)
        }
        // Hidden values go once everything is stable; and then, with the key, all memory.
        for (const { harness } of members) {
          harness.engine.keyspace.stability = { covers: () => true, coversAllUpTo: () => true }
          harness.clock.advance(2000)
          expect(harness.run('LRANGE', 'k', '0', '-1')).toEqual(final)
          harness.run('DEL', 'k')
          expect(harness.engine.keyspace.database(0).arena.usedBytes).toBe(0)
        }
      }),
      { numRuns },
    )
  })
})
