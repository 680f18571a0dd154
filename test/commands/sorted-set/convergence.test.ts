import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { EVERYTHING_STABLE } from '../../../src/crdt/apply-context.js'
import { FrameApplier } from '../../../src/keyspace/frame-applier.js'
import { digestOf } from '../../../src/keyspace/digest.js'
import { EngineHarness } from '../../support/engine-harness.js'

/**
 * Several members write to one sorted set and hear of each other in any causal order. What each must show then is reckoned from the history alone: a
 * score counts unless a later write or removal had observed it, and so does each increment.
 */
type Step =
  | { readonly kind: 'add'; readonly at: number; readonly name: string; readonly score: number }
  | { readonly kind: 'increment'; readonly at: number; readonly name: string; readonly n: number }
  | { readonly kind: 'remove'; readonly at: number; readonly name: string }
  | { readonly kind: 'pop'; readonly at: number }
  | { readonly kind: 'delete'; readonly at: number }
  | { readonly kind: 'rename'; readonly at: number }
  | { readonly kind: 'receive'; readonly at: number; readonly from: number; readonly count: number }

interface Write {
  readonly id: number
  readonly kind: 'add' | 'increment' | 'remove'
  readonly name: string
  readonly value: number
  readonly observed: ReadonlySet<number>
  readonly stamp: number
  readonly origin: number
}

class Mesh {
  readonly members: EngineHarness[]
  private readonly writes: Write[] = []
  /** Writes of each frame, by origin and last stamp. */
  private readonly ofFrame = new Map<string, Write[]>()
  private readonly known: Set<number>[]

  constructor(size: number) {
    this.members = Array.from({ length: size }, (_, i) => new EngineHarness({ self: i + 1, solo: false }))
    this.known = this.members.map(() => new Set<number>())
  }

  run(step: Step): void {
    const at = step.at % this.members.length
    const member = this.members[at]
    member.clock.advance(1)
    switch (step.kind) {
      case 'add':
        this.write(at, ['ZADD', 'k', String(step.score), step.name], [{ kind: 'add', name: step.name, value: step.score }])
        break
      case 'increment':
        this.write(at, ['ZINCRBY', 'k', String(step.n), step.name], [{ kind: 'increment', name: step.name, value: step.n }])
        break
      case 'remove':
        this.write(at, ['ZREM', 'k', step.name], [{ kind: 'remove', name: step.name, value: 0 }])
        break
      case 'pop': {
        const [lowest] = member.run('ZRANGE', 'k', '0', '0') as string[]
        if (lowest !== undefined) this.write(at, ['ZPOPMIN', 'k'], [{ kind: 'remove', name: lowest, value: 0 }])
        break
      }
      case 'delete': {
        const names = member.run('ZRANGE', 'k', '0', '-1') as string[]
        this.write(
          at,
          ['DEL', 'k'],
          names.map((name) => ({ kind: 'remove', name, value: 0 })),
        )
        break
      }
      case 'rename': {
        // Away and back in one op: what was seen is written anew.
        const flat = member.run('ZRANGE', 'k', '0', '-1', 'WITHSCORES') as string[]
        if (flat.length === 0) break
        member.run('MULTI')
        member.run('RENAME', 'k', 'l')
        member.run('RENAME', 'l', 'k')
        const adds = flat.flatMap((name, i) => (i % 2 === 0 ? [{ name, score: Number(flat[i + 1]) }] : []))
        this.write(
          at,
          ['EXEC'],
          adds.map(({ name, score }) => ({ kind: 'add', name, value: score })),
        )
        break
      }
      case 'receive':
        this.receive(step.from % this.members.length, at, step.count)
    }
  }

  private write(at: number, command: string[], effects: { kind: Write['kind']; name: string; value: number }[]): void {
    const member = this.members[at]
    const before = member.log.frames.length
    member.run(...command)
    if (member.log.frames.length === before) return
    const frame = member.log.frames[member.log.frames.length - 1]
    const observed = new Set(this.known[at])
    const made: Write[] = []
    for (const effect of effects) {
      // A later change of the same member in one op has seen the earlier ones.
      made.push({ ...effect, id: this.writes.length, observed: new Set(observed), stamp: frame.last, origin: at + 1 })
      this.writes.push(made[made.length - 1])
      this.known[at].add(this.writes.length - 1)
    }
    this.ofFrame.set(`${frame.origin}:${frame.last}`, made)
  }

  private receive(from: number, to: number, count: number): void {
    if (from === to) return
    let left = count
    for (const frame of this.members[from].log.frames) {
      if (left === 0) return
      if (frame.last <= this.members[to].engine.applied.get(frame.origin)) continue
      this.members[to].clock.now = Math.max(this.members[to].clock.now, this.members[from].clock.now)
      this.members[to].engine.remote.apply(frame)
      for (const { id } of this.ofFrame.get(`${frame.origin}:${frame.last}`) ?? []) this.known[to].add(id)
      left--
    }
  }

  finish(): void {
    for (let round = 0; round < 2; round++) {
      for (let from = 0; from < this.members.length; from++) {
        for (let to = 0; to < this.members.length; to++) this.receive(from, to, Infinity)
      }
    }
  }

  /** Members and scores by the rules, from the history alone. */
  expected(): Map<string, number> {
    const result = new Map<string, number>()
    for (const name of new Set(this.writes.map((write) => write.name))) {
      const mine = this.writes.filter((write) => write.name === name)
      const clearing = mine.filter(({ kind }) => kind !== 'increment')
      const alive = mine.filter((write) => !clearing.some((other) => other.observed.has(write.id)))
      const registers = alive.filter(({ kind }) => kind === 'add').sort((a, b) => a.stamp - b.stamp || a.origin - b.origin)
      const increments = alive.filter(({ kind }) => kind === 'increment')
      if (registers.length + increments.length === 0) continue
      const base = registers.at(-1)?.value ?? 0
      result.set(
        name,
        increments.reduce((sum, { value }) => sum + value, base),
      )
    }
    return result
  }

  shown(member: EngineHarness): Map<string, number> {
    const flat = member.run('ZRANGE', 'k', '0', '-1', 'WITHSCORES') as string[]
    const shown = new Map<string, number>()
    for (let i = 0; i < flat.length; i += 2) shown.set(flat[i], Number(flat[i + 1]))
    const order = [...shown].sort(([a, x], [b, y]) => x - y || (a < b ? -1 : 1)).map(([name]) => name)
    expect([...shown.keys()]).toEqual(order)
    expect(member.run('ZCARD', 'k')).toBe(shown.size)
    expect(member.run('EXISTS', 'k')).toBe(shown.size > 0 ? 1 : 0)
    return shown
  }
}

function digest({ engine }: EngineHarness): string {
  return digestOf(engine.keyspace, { strings: engine.strings, keys: engine.keys })
}

const at = fc.nat(2)
const name = fc.constantFrom('a', 'b', 'c', 'a name of more than sixty-four bytes that only the large form has room for')
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('add' as const), at, name, score: fc.integer({ min: -3, max: 3 }) }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('increment' as const), at, name, n: fc.integer({ min: -3, max: 3 }) }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('remove' as const), at, name }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('pop' as const), at }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('delete' as const), at }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('rename' as const), at }) },
  {
    weight: 6,
    arbitrary: fc.record({ kind: fc.constant('receive' as const), at, from: at, count: fc.integer({ min: 1, max: 4 }) }),
  },
)

describe.each([2, 3])('a sorted set in %i members', (size) => {
  it('shows everywhere what its history says', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30 }), fc.nat(30), (steps, replayFrom) => {
        const mesh = new Mesh(size)
        for (const each of steps) mesh.run(each)
        mesh.finish()
        const expected = mesh.expected()
        const [first] = mesh.members
        for (const member of mesh.members) {
          expect(mesh.shown(member)).toEqual(expected)
          expect(digest(member)).toBe(digest(first))
        }
        // A run of the log again, over a state that contains it.
        for (const member of mesh.members) {
          const { keyspace, strings, keys, collections } = member.engine
          const applier = new FrameApplier(keyspace, strings, keys, collections.environment.context)
          for (const frame of member.log.frames.slice(replayFrom)) applier.apply(frame, frame.last)
          expect(mesh.shown(member)).toEqual(expected)
        }
        // What is stable is dropped, and nothing changes for clients.
        for (const member of mesh.members) {
          const { keyspace, keys } = member.engine
          const db = keyspace.database(0)
          keyspace.stability = EVERYTHING_STABLE
          for (let table = 0; table < db.unsettled.length; table++) keys.settleTable(db, table)
          expect(mesh.shown(member)).toEqual(expected)
        }
      }),
      { numRuns: 150 },
    )
  })
})

describe('concurrent writes to a sorted set', () => {
  function pair(): [EngineHarness, EngineHarness, () => void] {
    const a = new EngineHarness({ self: 1, solo: false })
    const b = new EngineHarness({ self: 2, solo: false }, a.clock)
    const sync = () => {
      a.receive(b)
      b.receive(a)
      a.clock.advance(1)
    }
    return [a, b, sync]
  }

  it('keep an increment that a removal had not seen, and nothing of what it had', () => {
    const [a, b, sync] = pair()
    a.run('ZADD', 'z', '4.1', 'm')
    sync()
    a.run('ZREM', 'z', 'm')
    b.run('ZINCRBY', 'z', '2', 'm')
    sync()
    for (const each of [a, b]) expect(each.run('ZRANGE', 'z', '0', '-1', 'WITHSCORES')).toEqual(['m', '2'])
  })

  it('add increments up, and a score takes away the ones it had seen', () => {
    const [a, b, sync] = pair()
    a.run('ZINCRBY', 'z', '3', 'm')
    b.run('ZINCRBY', 'z', '4', 'm')
    sync()
    expect(a.run('ZSCORE', 'z', 'm')).toBe('7')
    a.run('ZADD', 'z', '10', 'm')
    b.run('ZINCRBY', 'z', '5', 'm')
    sync()
    for (const each of [a, b]) expect(each.run('ZSCORE', 'z', 'm')).toBe('15')
  })

  it('read a sum that is no number as 0', () => {
    const [a, b, sync] = pair()
    a.run('ZADD', 'z', 'inf', 'm')
    sync()
    a.run('ZINCRBY', 'z', '1e308', 'm')
    b.run('ZADD', 'z', '-inf', 'n')
    sync()
    expect(a.run('ZSCORE', 'z', 'm')).toBe('inf')
    expect(String(a.run('ZINCRBY', 'z', '-inf', 'm'))).toContain('ERR resulting score is not a number (NaN)')
    for (const each of [a, b]) each.run('ZINCRBY', 'z', '1e308', 'x')
    for (const each of [a, b]) each.run('ZINCRBY', 'z', '1e308', 'x')
    sync()
    expect(a.run('ZSCORE', 'z', 'x')).toBe(b.run('ZSCORE', 'z', 'x'))
  })

  it('agree on increments that are rounded, whatever comes in between', () => {
    const [a, b, sync] = pair()
    a.run('ZINCRBY', 'z', '0.1', 'm')
    sync()
    b.run('ZREM', 'z', 'm')
    a.run('ZINCRBY', 'z', '1e-17', 'm')
    a.run('ZINCRBY', 'z', '0.7', 'm')
    sync()
    expect(a.run('ZSCORE', 'z', 'm')).toBe(b.run('ZSCORE', 'z', 'm'))
  })

  it('let the same score win over a removal', () => {
    const [a, b, sync] = pair()
    a.run('ZADD', 'z', '1', 'm', '2', 'n')
    sync()
    a.run('DEL', 'z')
    expect(b.run('ZADD', 'z', '1', 'm')).toBe(0)
    sync()
    for (const each of [a, b]) expect(each.run('ZRANGE', 'z', '0', '-1')).toEqual(['m'])
  })

  it('converge for many members, removed in whole while some are written', () => {
    const [a, b, sync] = pair()
    const pairs = Array.from({ length: 3000 }, (_, i) => [String(i), `m${i}`]).flat()
    a.run('ZADD', 'z', ...pairs)
    sync()
    b.run('ZADD', 'z', '-1', 'm7')
    b.run('ZINCRBY', 'z', '5', 'm8')
    a.run('DEL', 'z')
    expect(a.run('EXISTS', 'z')).toBe(0)
    sync()
    for (const each of [a, b]) expect(each.run('ZRANGE', 'z', '0', '-1', 'WITHSCORES')).toEqual(['m7', '-1', 'm8', '5'])
  })
})
