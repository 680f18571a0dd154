import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ApplyContext } from '../../src/crdt/apply-context.js'
import { hasValue, settle, type StringState } from '../../src/crdt/string-state.js'
import { Keys } from '../../src/keyspace/keys.js'
import { Keyspace } from '../../src/keyspace/keyspace.js'
import { ExpiryMode, StringStore } from '../../src/keyspace/string-store.js'
import { contextOf, History, seen, stepsFor, type HistoryMember, type Op } from '../crdt/string-history.js'

const KEY = Buffer.from('key')

/** The keyspace of one member, given the same ops as its StringState. */
class StoredMember {
  readonly keyspace = new Keyspace(1, 7)
  private readonly context = new ApplyContext()
  readonly strings = new StringStore(this.keyspace, this.context)
  readonly db = this.keyspace.database(0)
  readonly keys = new Keys(this.keyspace, this.strings, this.context)

  constructor(member: HistoryMember) {
    this.keyspace.stability = member.stability
    this.keyspace.setTime(50)
  }

  get ref(): number {
    return this.db.lookup(KEY, 0, KEY.length)
  }

  apply(op: Op, now: number, local: boolean): void {
    Object.assign(this.context, contextOf(op, now, local))
    const { strings, db, ref } = this
    const { effect } = op
    switch (effect.type) {
      case 'set': {
        const mode = ExpiryMode[effect.expiry.kind]
        const at = effect.expiry.kind === 'set' ? effect.expiry.at : 0
        strings.set(db, ref, KEY, 0, KEY.length, effect.value, 0, effect.value.length, mode, at, effect.resets)
        break
      }
      case 'remove':
        strings.remove(db, ref, effect.due, effect.resets)
        break
      case 'increment': {
        const { epoch, total, n } = effect
        const isSmall = [total, n].every(({ digits, scale }) => scale === 0 && Number.isSafeInteger(Number(digits)))
        if (isSmall) strings.increment(db, ref, KEY, 0, KEY.length, epoch, Number(total.digits), Number(n.digits))
        else strings.incrementExact(db, ref, KEY, 0, KEY.length, epoch, total, n)
        break
      }
      case 'edit':
        strings.edit(db, ref, KEY, 0, KEY.length, effect.edit)
        break
      case 'expire':
        strings.expire(db, ref, KEY, 0, KEY.length, effect.at)
        break
    }
  }

  visible(): string | null {
    const { ref, db, strings } = this
    if (ref === 0 || db.type(ref) === 0) return null
    strings.read(db, ref)
    return Buffer.from(strings.buf.subarray(strings.off, strings.off + strings.len)).toString('latin1')
  }

  load(): StringState {
    return this.strings.load(this.db, this.ref)
  }
}

/** A copy with plain arrays, so that two states can be compared. */
function plain(state: StringState): unknown {
  return {
    registers: state.registers.map(({ member, stamp, value }) => [member, stamp, Buffer.from(value).toString('latin1')]),
    edits: state.edits.map(({ member, stamp, edit }) => [member, stamp, edit.kind]),
    contributions: state.contributions.map((contribution) => ({ ...contribution })),
    expiries: state.expiries.map(({ member, stamp, at }) => [member, stamp, at]),
    orphanedAt: hasValue(state) || state.expiries.length === 0 ? 0 : state.orphanedAt,
  }
}

function copyOf(state: StringState): StringState {
  return { ...state, contributions: state.contributions.map((contribution) => ({ ...contribution })) }
}

/**
 * A stable PERSIST says what no entry says, so a store may have dropped it while there was a value. The general form beside it, which is never settled in
 * between, still has it when the value is gone.
 */
function forgetIdlePersist(state: StringState): void {
  if (hasValue(state)) return
  state.expiries = state.expiries.filter(({ at }) => at !== Infinity)
  if (state.expiries.length === 0) state.orphanedAt = 0
}

describe.each([1, 2, 3])('string store with %i members', (size) => {
  it('keeps in records what the general form keeps on the heap', () => {
    fc.assert(
      fc.property(stepsFor(size), fc.integer({ min: 0, max: 10 }), (steps, settleEvery) => {
        const stored = new Map<number, StoredMember>()
        let count = 0
        const history = new History(size, (member, op, now) => {
          const store = stored.get(member.id)
          if (store === undefined) throw new Error('no such member')
          store.apply(op, now, op.origin === member.id)
          if (settleEvery > 0 && ++count % settleEvery === 0) {
            for (let shard = 0; shard < 1024; shard++) store.keys.settleTable(store.db, shard)
          }
          const general = copyOf(member.state)
          const loaded = store.load()
          expect(store.visible()).toBe(seen(general).text)
          expect(seen(loaded)).toEqual(seen(general))
          settle(general, member.stability)
          settle(loaded, member.stability)
          for (const state of [loaded, general]) forgetIdlePersist(state)
          expect(plain(loaded)).toEqual(plain(general))
          expect(store.db.keyCount).toBe(hasValue(general) ? 1 : 0)
        })
        for (const member of history.members) stored.set(member.id, new StoredMember(member))
        history.run(steps)
        history.finish()
        // Everything is stable now and removed: not a byte stays.
        history.write(1, { kind: 'remove', due: false })
        history.finish()
        for (const { keys, db } of stored.values()) {
          for (let shard = 0; shard < 1024; shard++) keys.settleTable(db, shard)
          expect([db.lookup(KEY, 0, KEY.length), db.keyCount, db.expiringCount, db.arena.usedBytes]).toEqual([0, 0, 0, 0])
        }
      }),
      { numRuns: 120 },
    )
  })
})

describe('small counters', () => {
  it('are summed exactly when partial sums are not safe integers', () => {
    const history = new History(3)
    const member = history.member(1)
    const store = new StoredMember(member)
    const max = Number.MAX_SAFE_INTEGER
    const increment = (origin: number, stamp: number, total: number, n: number) =>
      store.apply(
        {
          origin,
          stamp,
          context: [],
          effect: {
            type: 'increment',
            epoch: stamp,
            total: { digits: BigInt(total), scale: 0 },
            n: { digits: BigInt(n), scale: 0 },
          },
        },
        stamp,
        false,
      )
    increment(1, 1, max, max)
    increment(2, 2, max - 1, max - 1)
    increment(3, 3, -max, -max)
    expect(store.visible()).toBe(String(max - 1))
  })
})
