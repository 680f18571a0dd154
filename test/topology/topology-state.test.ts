import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { decodeTopology, encodeTopology } from '../../src/topology/topology-codec.js'
import type { MemberDescription, TopologyChange } from '../../src/topology/topology-change.js'
import { TopologyState } from '../../src/topology/topology-state.js'

function description(id: number, name = `m${id}`): MemberDescription {
  return { id, name, region: name, zone: 'a', address: { host: name, port: 7000 + id }, client: null }
}

const SEEDS = [1, 2, 3].map((id) => description(id))

function seeded(members = SEEDS): TopologyState {
  const state = new TopologyState()
  state.seed(members)
  return state
}

/** A replica that makes changes and takes those of others in causal order, some of them twice. */
class Replica {
  readonly state = seeded()
  readonly log: { change: TopologyChange; dot: { stamp: number; origin: number } }[] = []
  readonly seen = new Map<number, number>()
  clock = 0

  constructor(readonly id: number) {}

  make(build: (number: number) => TopologyChange | null): void {
    if (this.state.isPristine) this.write((number) => ({ kind: 'seeds', number, members: SEEDS }))
    this.write(build)
  }

  private write(build: (number: number) => TopologyChange | null): void {
    const change = build(this.state.nextNumber(this.id))
    if (change === null) return
    const dot = { origin: this.id, stamp: ++this.clock }
    this.log.push({ change, dot })
    this.state.apply(change, dot)
  }

  take(from: Replica): void {
    for (const { change, dot } of from.log) {
      this.clock = Math.max(this.clock, dot.stamp)
      const isNew = change.number === this.state.nextNumber(dot.origin)
      this.state.apply(change, dot)
      if (isNew) this.log.push({ change, dot })
    }
  }
}

/** What an operator does at a replica, as the service checks it. */
function act(replica: Replica, what: number, draw: number): void {
  const { state, id } = replica
  const own = state.member(id)
  if (own === undefined || state.stateOf(own) !== 'active') {
    if (own !== undefined && own.left === null && state.stateOf(own) === 'draining') {
      replica.make((number) => ({ kind: 'leave', number, heir: own.removals[0].origin, pool: state.poolOf(id) }))
    }
    return
  }
  const members = state.members()
  const chosen = members[draw % members.length]
  switch (what % 5) {
    case 0:
    case 1: {
      const [free, ...rest] = state.poolOf(id)
      if (free === undefined) return
      const pool = rest.slice(rest.length - Math.floor(rest.length / 4))
      return replica.make((number) => ({ kind: 'add', number, member: description(free, `n${draw % 4}`), pool }))
    }
    case 2:
      return replica.make((number) => ({ kind: 'remove', number, id: chosen.id, forced: draw % 2 === 0 }))
    case 3:
      return replica.make((number) => ({
        kind: 'set',
        number,
        id: chosen.id,
        attribute: { field: 'zone', value: `z${draw % 5}` },
      }))
    case 4:
      return replica.make((number) => ({
        kind: 'set',
        number,
        id: chosen.id,
        attribute: { field: 'address', value: { host: 'h', port: 1 + (draw % 9) } },
      }))
  }
}

const steps = fc.array(fc.tuple(fc.nat({ max: 2 }), fc.nat({ max: 7 }), fc.nat({ max: 1000 }), fc.nat({ max: 2 })), {
  maxLength: 60,
})

describe('a topology', () => {
  it('ends alike wherever its changes were made, in whatever order they came, and gives no id twice', () => {
    fc.assert(
      fc.property(steps, (plan) => {
        const replicas = [1, 2, 3].map((id) => new Replica(id))
        const given = new Map<number, string>()
        for (const [at, what, draw, other] of plan) {
          const replica = replicas[at]
          if (what >= 5) replica.take(replicas[other])
          else {
            const before = replica.log.length
            act(replica, what, draw)
            for (const { change } of replica.log.slice(before)) {
              if (change.kind !== 'add') continue
              expect(given.has(change.member.id), `id ${change.member.id} is given twice`).toBe(false)
              given.set(change.member.id, change.member.name)
            }
          }
        }
        const removed = replicas.flatMap(({ state }) =>
          state.members().flatMap((entry) => (state.stateOf(entry) === 'active' ? [] : [entry.id])),
        )
        for (let round = 0; round < 3; round++) for (const to of replicas) for (const from of replicas) to.take(from)
        const [first, ...others] = replicas.map(({ state }) => Buffer.from(encodeTopology(state)).toString('hex'))
        for (const bytes of others) expect(bytes).toBe(first)
        const { state } = replicas[0]
        for (const id of removed) expect(state.stateOf(state.member(id)!)).not.toBe('active')
      }),
      { numRuns: 300 },
    )
  })

  it('comes to the same by merging states, and by changes that come again over a newer state', () => {
    fc.assert(
      fc.property(steps, (plan) => {
        const replicas = [1, 2, 3].map((id) => new Replica(id))
        for (const [at, what, draw, other] of plan) {
          if (what >= 5) replicas[at].take(replicas[other])
          else act(replicas[at], what, draw)
        }
        const byState = seeded()
        for (const { state } of replicas) byState.merge(decodeTopology(encodeTopology(state), 'a test'))
        for (const { log } of replicas) for (const { change, dot } of log) byState.apply(change, dot)
        for (let round = 0; round < 3; round++) for (const to of replicas) for (const from of replicas) to.take(from)
        expect(encodeTopology(byState)).toEqual(encodeTopology(replicas[0].state))
        expect(byState.merge(replicas[1].state)).toBe(false)
      }),
      { numRuns: 200 },
    )
  })

  it('deals the free ids out to the members that it begins with', () => {
    const state = seeded()
    expect(state.poolOf(1).slice(0, 2)).toEqual([4, 7])
    expect([1, 2, 3].map((id) => state.poolOf(id).length)).toEqual([84, 84, 84])
    expect(state.version).toBe(1)
    expect(state.isPristine).toBe(true)
  })

  it('has a name once: of two that were added at the same time under one, the later counts as removed', () => {
    const a = new Replica(1)
    const b = new Replica(2)
    a.make((number) => ({ kind: 'add', number, member: description(4, 'new'), pool: [] }))
    b.clock = 10
    b.make((number) => ({ kind: 'add', number, member: description(5, 'new'), pool: [] }))
    a.take(b)
    b.take(a)
    for (const { state } of [a, b]) {
      expect(state.named('new')?.id).toBe(4)
      expect(state.stateOf(state.member(4)!)).toBe('active')
      expect(state.stateOf(state.member(5)!)).toBe('removed')
      expect(state.removalsOf(state.member(5)!)).toEqual([{ origin: 1, stamp: 2, forced: true }])
    }
  })

  it('gives the free ids of one that leaves to its heir', () => {
    const a = new Replica(1)
    const b = new Replica(2)
    a.make((number) => ({ kind: 'remove', number, id: 2, forced: false }))
    b.take(a)
    expect(b.state.stateOf(b.state.member(2)!)).toBe('draining')
    b.make((number) => ({ kind: 'leave', number, heir: 1, pool: b.state.poolOf(2) }))
    a.take(b)
    expect(a.state.stateOf(a.state.member(2)!)).toBe('left')
    expect(a.state.poolOf(1)).toHaveLength(168)
    expect(a.state.poolOf(2)).toEqual([])
  })

  it('knows from a whole list what the ops said which a lost disk had, and passes those over that come after all', () => {
    const [a, b, c] = [1, 2, 3].map((id) => new Replica(id))
    a.make((number) => ({ kind: 'set', number, id: 1, attribute: { field: 'zone', value: 'before' } }))
    c.take(a)
    const [, ...lost] = a.log
    a.make((number) => ({ kind: 'remove', number, id: 3, forced: true }))
    b.state.merge(a.state)
    const back = new Replica(1)
    back.state.merge(b.state)
    expect(back.state.newestOf(1)).toBe(a.clock)
    back.clock = a.clock
    back.make((number) => ({ kind: 'list', number, list: back.state.snapshot() }))
    c.take(back)
    b.take(back)
    for (const { change, dot } of lost) c.state.apply(change, dot)
    expect(c.state.stateOf(c.state.member(3)!)).toBe('removed')
    for (const { state } of [b, c]) expect(encodeTopology(state)).toEqual(encodeTopology(back.state))
  })

  it('is not changed by a list of one that has nothing to say', () => {
    const state = seeded()
    state.apply({ kind: 'list', number: 1, list: null }, { origin: 2, stamp: 5 })
    expect(state.isPristine).toBe(true)
  })

  it('takes the list over with which a changed cluster began, while it was never changed itself', () => {
    const a = new Replica(1)
    a.make((number) => ({ kind: 'set', number, id: 1, attribute: { field: 'region', value: 'north' } }))
    const other = seeded([description(1), description(2)])
    other.merge(a.state)
    expect(encodeTopology(other)).toEqual(encodeTopology(a.state))
  })
})

describe('the bytes of a topology', () => {
  it('read back as they were written, and are refused with the place that they came from when they are not whole', () => {
    const a = new Replica(1)
    for (let i = 0; i < 30; i++) act(a, i, i * 7)
    const bytes = encodeTopology(a.state)
    expect(encodeTopology(decodeTopology(bytes, 'a test'))).toEqual(bytes)
    for (let at = 0; at < bytes.length; at += 3) {
      const changed = Uint8Array.from(bytes)
      changed[at] ^= 0x10
      expect(() => decodeTopology(changed, '/data/topology')).toThrow(/\/data\/topology cannot be read as a topology/)
      expect(() => decodeTopology(bytes.subarray(0, at), '/data/topology')).toThrow(/MRD_TOPOLOGY/)
    }
  })
})
