import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { MemberId } from '../../src/base/ids.js'
import type { Stability } from '../../src/crdt/apply-context.js'
import type { FrameView } from '../../src/crdt/frame.js'
import { KeyType, SHARD_COUNT } from '../../src/keyspace/database.js'
import { EngineHarness } from '../support/engine-harness.js'

type Command =
  | { readonly name: 'PFADD'; readonly key: string; readonly elements: readonly string[] }
  | { readonly name: 'PFMERGE'; readonly key: string; readonly source: string }
  | { readonly name: 'DEL'; readonly key: string }
  | { readonly name: 'SET'; readonly key: string }
  | { readonly name: 'FLUSHDB' }
  | { readonly name: 'DUE'; readonly key: string }

type Step =
  | { readonly kind: 'command'; readonly member: number; readonly command: Command }
  | { readonly kind: 'deliver'; readonly from: number; readonly to: number }
  | { readonly kind: 'settle'; readonly member: number }

/** One thing that happened, as the oracle sees it: what it did to a key, having seen what. */
interface Happening {
  readonly member: number
  readonly key: string
  /** Elements that were added, null for a removal. */
  readonly elements: readonly string[] | null
  readonly seen: ReadonlySet<Happening>
}

const KEYS = ['a', 'b']
const MANY = Array.from({ length: 1500 }, (_, i) => `many ${i}`)

/** The elements that survive, null when the key is not there: an add counts if it had seen every removal. */
function survivors(happened: Iterable<Happening>, key: string): Set<string> | null {
  const ofKey = [...happened].filter((happening) => happening.key === key)
  const removals = ofKey.filter(({ elements }) => elements === null)
  const adds = ofKey.filter(({ elements, seen }) => elements !== null && removals.every((removal) => seen.has(removal)))
  return adds.length === 0 ? null : new Set(adds.flatMap(({ elements }) => elements ?? []))
}

class Member {
  readonly harness: EngineHarness
  readonly seen = new Set<Happening>()
  readonly frames: { readonly frame: FrameView; readonly happenings: readonly Happening[] }[] = []
  /** Per member: its vector when it made its last frame that was applied here. */
  readonly reports: Map<number, number>[]

  constructor(
    readonly id: number,
    size: number,
  ) {
    this.harness = new EngineHarness({ self: id, solo: false })
    this.reports = Array.from({ length: size }, () => new Map<number, number>())
    const reported = (member: number) => {
      return Math.min(
        ...this.reports.map((report, i) =>
          i + 1 === this.id ? this.harness.engine.applied.get(member as MemberId) : (report.get(member) ?? 0),
        ),
      )
    }
    const stability: Stability = {
      covers: (member, stamp) => reported(member) >= stamp,
      coversAllUpTo: () => false,
    }
    this.harness.engine.keyspace.stability = stability
  }

  run(command: Command): void {
    const { harness } = this
    const before = harness.log.frames.length
    const happenings: Happening[] = []
    const happens = (key: string, elements: readonly string[] | null) => {
      happenings.push({ member: this.id, key, elements, seen: new Set(this.seen) })
    }
    const there = (key: string) => survivors(this.seen, key)
    switch (command.name) {
      case 'PFADD': {
        const raised = harness.run('PFADD', command.key, ...command.elements)
        if (raised === 1) happens(command.key, command.elements)
        break
      }
      case 'PFMERGE':
        harness.run('PFMERGE', command.key, command.source)
        happens(command.key, [...(there(command.source) ?? [])])
        break
      case 'DEL':
        expect(harness.run('DEL', command.key)).toBe(there(command.key) === null ? 0 : 1)
        if (there(command.key) !== null) happens(command.key, null)
        break
      case 'SET':
        // Over a HyperLogLog, and away again in the same op: only the HyperLogLog is looked at here.
        harness.run('MULTI')
        harness.run('SET', command.key, 'x')
        harness.run('DEL', command.key)
        harness.run('EXEC')
        if (there(command.key) !== null) happens(command.key, null)
        break
      case 'FLUSHDB':
        harness.run('FLUSHDB')
        for (const key of KEYS) if (there(key) !== null) happens(key, null)
        break
      case 'DUE':
        if (there(command.key) !== null) happens(command.key, null)
        harness.run('PEXPIRE', command.key, '-1')
        break
    }
    for (const happening of happenings) this.seen.add(happening)
    const made = harness.log.frames.slice(before)
    made.forEach((frame, i) => this.frames.push({ frame, happenings: i === made.length - 1 ? happenings : [] }))
    expect(made.length > 0 || happenings.length === 0).toBe(true)
  }

  /** Applies another's next frame, if what it had seen is here. */
  receive(from: Member): boolean {
    const { engine } = this.harness
    const next = from.frames.find(({ frame }) => frame.last > engine.applied.get(frame.origin))
    if (next === undefined) return false
    const { frame, happenings } = next
    const report = new Map<number, number>([[frame.origin, frame.last]])
    for (let i = 0; i < frame.contextCount; i++) {
      const member = frame.contextMember(i)
      if (member !== frame.origin) report.set(member, frame.contextStamp(i))
      if (member !== frame.origin && engine.applied.get(member) < frame.contextStamp(i)) return false
    }
    engine.remote.apply(frame)
    for (const happening of happenings) this.seen.add(happening)
    for (const [member, stamp] of report) this.reports[from.id - 1].set(member, stamp)
    return true
  }

  settle(): void {
    const { keyspace, keys } = this.harness.engine
    const db = keyspace.peek(0)
    for (let table = 0; db !== undefined && table < db.unsettled.length; table++) keys.settleTable(db, table)
  }

  /** Holds what is there against the oracle. */
  check(expected: Iterable<Happening>): void {
    for (const key of KEYS) {
      const elements = survivors(expected, key)
      const { harness } = this
      expect(harness.run('EXISTS', key)).toBe(elements === null ? 0 : 1)
      if (elements === null) continue
      const fresh = new EngineHarness()
      fresh.run('PFADD', 'k', ...elements)
      expect(harness.run('PFDEBUG', 'GETREG', key)).toEqual(fresh.run('PFDEBUG', 'GETREG', 'k'))
    }
  }
}

function digest(harness: EngineHarness): unknown {
  return (harness.run('CRDT.DIGEST') as unknown[])[1]
}

const key = fc.constantFrom(...KEYS)
const elements = fc.oneof(
  { weight: 12, arbitrary: fc.array(fc.constantFrom('p', 'q', 'r', 's', 't'), { maxLength: 3 }) },
  { weight: 1, arbitrary: fc.constant(MANY) },
)
const command: fc.Arbitrary<Command> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ name: fc.constant('PFADD' as const), key, elements }) },
  { weight: 2, arbitrary: fc.record({ name: fc.constant('PFMERGE' as const), key, source: key }) },
  { weight: 3, arbitrary: fc.record({ name: fc.constant('DEL' as const), key }) },
  { weight: 1, arbitrary: fc.record({ name: fc.constant('SET' as const), key }) },
  { weight: 1, arbitrary: fc.record({ name: fc.constant('DUE' as const), key }) },
  { weight: 1, arbitrary: fc.record({ name: fc.constant('FLUSHDB' as const) }) },
)

function stepsFor(size: number): fc.Arbitrary<Step[]> {
  const member = fc.nat(size - 1)
  return fc.array(
    fc.oneof(
      { weight: 4, arbitrary: fc.record({ kind: fc.constant('command' as const), member, command }) },
      { weight: 4, arbitrary: fc.record({ kind: fc.constant('deliver' as const), from: member, to: member }) },
      { weight: 1, arbitrary: fc.record({ kind: fc.constant('settle' as const), member }) },
    ),
    { minLength: 4, maxLength: 40 },
  )
}

function run(size: number, steps: readonly Step[]): Member[] {
  const members = Array.from({ length: size }, (_, i) => new Member(i + 1, size))
  for (const step of steps) {
    if (step.kind === 'command') members[step.member].run(step.command)
    else if (step.kind === 'settle') members[step.member].settle()
    else if (step.from !== step.to) members[step.to].receive(members[step.from])
  }
  for (let moved = true; moved;) {
    moved = false
    for (const to of members) for (const from of members) if (to !== from && to.receive(from)) moved = true
  }
  return members
}

describe.each([2, 3])('HyperLogLogs of %i members', (size) => {
  it('have the registers of the adds that had seen every removal, everywhere', () => {
    fc.assert(
      fc.property(stepsFor(size), (steps) => {
        const members = run(size, steps)
        for (const member of members) member.check(members[0].seen)
        const digests = members.map(({ harness }) => digest(harness))
        expect(new Set(digests).size).toBe(1)
      }),
      { numRuns: 50 },
    )
  })

  it('end the same when any run of a log up to its end is applied again', () => {
    fc.assert(
      fc.property(stepsFor(size), fc.nat(30), (steps, from) => {
        const members = run(size, steps)
        for (const { harness } of members) {
          const again = new EngineHarness({ self: 9, solo: false })
          for (const frame of harness.log.frames) again.engine.remote.apply(frame)
          for (const frame of harness.log.frames.slice(from)) again.engine.remote.apply(frame)
          expect(digest(again)).toBe(digest(harness))
        }
      }),
      { numRuns: 40 },
    )
  })

  it('forget the removals once everyone has said that they have them', () => {
    fc.assert(
      fc.property(stepsFor(size), (steps) => {
        const members = run(size, steps)
        // Two rounds: each says what it has, and hears that of the others.
        for (const round of ['x', 'y', 'z']) {
          for (const member of members) member.run({ name: 'PFADD', key: 'a', elements: [round, String(member.id)] })
          for (let moved = true; moved;) {
            moved = false
            for (const to of members) for (const from of members) if (to !== from && to.receive(from)) moved = true
          }
          for (const member of members) member.settle()
        }
        for (const member of members) {
          const db = member.harness.engine.keyspace.peek(0)
          expect(db?.shardCount(SHARD_COUNT + KeyType.hll) ?? 0).toBe(0)
          member.check(members[0].seen)
        }
      }),
      { numRuns: 15 },
    )
  })
})
