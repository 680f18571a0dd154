import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { EVERYTHING_STABLE } from '../../src/crdt/apply-context.js'
import { settle } from '../../src/crdt/string-state.js'
import { applyOp, History, NOTHING_STABLE, seen, stepsFor } from './string-history.js'

describe.each([2, 3])('string states of %i members', (size) => {
  it('show the same once everything has arrived, and settle to the same', () => {
    fc.assert(
      fc.property(stepsFor(size), (steps) => {
        const history = new History(size)
        history.run(steps)
        history.finish()
        const [first, ...others] = history.members
        for (const member of others) expect(seen(member.state)).toEqual(seen(first.state))
        const before = seen(first.state)
        for (const member of history.members) {
          settle(member.state, member.stability)
          expect(seen(member.state)).toEqual(before)
          expect(member.state.registers.length).toBeLessThanOrEqual(1)
          expect(member.state.edits).toEqual([])
          expect(member.state.expiries.length).toBeLessThanOrEqual(1)
        }
      }),
      { numRuns: 1500 },
    )
  })

  it('do not change when any run of a log up to its end is applied again', () => {
    fc.assert(
      fc.property(stepsFor(size), fc.nat(40), fc.boolean(), (steps, from, settles) => {
        const history = new History(size)
        history.run(steps)
        history.finish()
        for (const { state, log, clock } of history.members) {
          const before = seen(state)
          // Folding what became stable only later would mix edits with others that a removal in between has taken away.
          for (const { op, stability } of log.slice(from)) {
            applyOp(state, op, clock, false)
            settle(state, settles ? stability : NOTHING_STABLE)
          }
          expect(seen(state)).toEqual(before)
          settle(state, EVERYTHING_STABLE)
          expect(seen(state)).toEqual(before)
        }
      }),
      { numRuns: 1000 },
    )
  })

  it('show what is visible without settling, whenever they settle', () => {
    fc.assert(
      fc.property(stepsFor(size), (steps) => {
        const history = new History(size)
        const plain = new History(size)
        for (const member of plain.members) Object.assign(member.stability, NOTHING_STABLE)
        history.run(steps)
        plain.run(steps)
        history.members.forEach((member, i) => expect(seen(member.state)).toEqual(seen(plain.members[i].state)))
      }),
      { numRuns: 1000 },
    )
  })
})
