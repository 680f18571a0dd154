import fc from 'fast-check'
import { decimalOf, addDecimals, type Decimal } from '../../src/base/decimal.js'
import { ApplyContext, type Stability } from '../../src/crdt/apply-context.js'
import {
  applyEdit,
  applyExpire,
  applyIncrement,
  applyRemove,
  applySet,
  editText,
  emptyStringState,
  hasValue,
  resetsOf,
  settle,
  visibleExpiry,
  visibleText,
  type Edit,
  type ExpiryChange,
  type Reset,
  type StringState,
} from '../../src/crdt/string-state.js'

/**
 * Random histories of one string key in several members: who writes what, and in which causal order each member hears of it. Members tell
 * what they have applied in their streams, so that stability moves as it does in a mesh.
 */
export type Effect =
  | { readonly type: 'set'; readonly value: Uint8Array; readonly expiry: ExpiryChange; readonly resets: readonly Reset[] }
  | { readonly type: 'remove'; readonly due: boolean; readonly resets: readonly Reset[] }
  | { readonly type: 'increment'; readonly epoch: number; readonly total: Decimal; readonly n: Decimal }
  | { readonly type: 'edit'; readonly edit: Edit }
  | { readonly type: 'expire'; readonly at: number }

export interface Op {
  readonly origin: number
  readonly stamp: number
  /** The origin's vector, without itself. */
  readonly context: readonly number[]
  readonly effect: Effect
}

/** What a member is told to do next. */
export type Step =
  | { readonly kind: 'write'; readonly member: number; readonly intent: Intent; readonly jump: number }
  | { readonly kind: 'deliver'; readonly from: number; readonly to: number; readonly count: number }
  | { readonly kind: 'ack'; readonly member: number }

export type Intent =
  | { readonly kind: 'set'; readonly text: string; readonly expiry: ExpiryChange }
  | { readonly kind: 'remove'; readonly due: boolean }
  | { readonly kind: 'add'; readonly n: Decimal }
  | { readonly kind: 'edit'; readonly edit: Edit }
  | { readonly kind: 'expire'; readonly at: number }

type Item = { readonly op: Op } | { readonly ack: readonly number[]; readonly upTo: number }

export const NOTHING_STABLE: Stability = { covers: () => false, coversAllUpTo: () => false }

export class HistoryMember {
  readonly state: StringState = emptyStringState()
  readonly vector: number[]
  /** What each member, by index, is known to have applied. */
  readonly known: number[][]
  readonly stream: Item[] = []
  /** Ops in the order of application, with what was stable then: the member's log. */
  readonly log: { readonly op: Op; readonly stability: Stability }[] = []
  clock = 0

  constructor(
    readonly id: number,
    members: number,
  ) {
    this.vector = new Array<number>(members + 1).fill(0)
    this.known = Array.from({ length: members + 1 }, () => new Array<number>(members + 1).fill(0))
  }

  readonly stability: Stability = {
    covers: (member, stamp) => this.stable(member) >= stamp,
    coversAllUpTo: (stamp) =>
      this.vector.every((applied, member) => member === 0 || this.stable(member) >= Math.min(stamp, applied)),
  }

  /** What is stable now, for good. */
  private stabilityNow(): Stability {
    const stable = this.vector.map((_, member) => this.stable(member))
    const applied = [...this.vector]
    return {
      covers: (member, stamp) => stable[member] >= stamp,
      coversAllUpTo: (stamp) => applied.every((last, member) => member === 0 || stable[member] >= Math.min(stamp, last)),
    }
  }

  private stable(member: number): number {
    let lowest = this.vector[member]
    for (let other = 1; other < this.known.length; other++) {
      if (other !== this.id) lowest = Math.min(lowest, this.known[other][member])
    }
    return lowest
  }

  /** The op that a member makes of an intent, by its own state; null when a command would do nothing. */
  decide(intent: Intent): Effect | null {
    const { state } = this
    switch (intent.kind) {
      case 'set': {
        // A key without a value does not hand on what it had for an expiry.
        const expiry: ExpiryChange = intent.expiry.kind === 'keep' && !hasValue(state) ? { kind: 'clear' } : intent.expiry
        return { type: 'set', value: Buffer.from(intent.text, 'latin1'), expiry, resets: resetsOf(state) }
      }
      case 'remove':
        if (!hasValue(state) && state.expiries.length === 0) return null
        return { type: 'remove', due: intent.due, resets: resetsOf(state) }
      case 'add': {
        const own = state.contributions.find(({ member }) => member === this.id)
        return {
          type: 'increment',
          epoch: own?.epoch ?? this.clock,
          total: own === undefined ? intent.n : addDecimals(own.total, intent.n),
          n: intent.n,
        }
      }
      case 'edit':
        if (state.contributions.length > 0) {
          const value = editText(visibleText(state) ?? new Uint8Array(0), intent.edit)
          return { type: 'set', value, expiry: { kind: 'keep' }, resets: resetsOf(state) }
        }
        return { type: 'edit', edit: intent.edit }
      case 'expire':
        return hasValue(state) ? { type: 'expire', at: intent.at } : null
    }
  }

  apply(op: Op, contextNow: number): void {
    applyOp(this.state, op, contextNow, op.origin === this.id)
    this.vector[op.origin] = op.stamp
    settle(this.state, this.stability)
    this.clock = Math.max(this.clock, op.stamp)
    this.log.push({ op, stability: this.stabilityNow() })
  }
}

export function contextOf(op: Op, now: number, local: boolean): ApplyContext {
  const context = new ApplyContext()
  context.origin = op.origin
  context.stamp = op.stamp
  context.now = now
  context.local = local
  op.context.forEach((stamp, member) => {
    if (member !== op.origin) context.vector[member] = stamp
  })
  return context
}

export function applyOp(state: StringState, op: Op, now: number, local: boolean): void {
  const context = contextOf(op, now, local)
  const { effect } = op
  switch (effect.type) {
    case 'set':
      applySet(state, context, effect.value, effect.expiry, effect.resets)
      break
    case 'remove':
      applyRemove(state, context, effect.due, effect.resets)
      break
    case 'increment':
      applyIncrement(state, context, effect.epoch, effect.total, effect.n)
      break
    case 'edit':
      applyEdit(state, context, effect.edit)
      break
    case 'expire':
      applyExpire(state, context, effect.at)
      break
  }
}

export class History {
  readonly members: HistoryMember[]
  /** positions[to][from]: items of from's stream that to has taken. */
  private readonly positions: number[][]

  constructor(
    readonly size: number,
    /** Called after each op that a member applied; for what runs beside the states. */
    private readonly onApplied: (member: HistoryMember, op: Op, now: number) => void = () => undefined,
  ) {
    this.members = Array.from({ length: size }, (_, i) => new HistoryMember(i + 1, size))
    this.positions = Array.from({ length: size + 1 }, () => new Array<number>(size + 1).fill(0))
  }

  member(id: number): HistoryMember {
    return this.members[id - 1]
  }

  run(steps: readonly Step[]): void {
    for (const step of steps) this.step(step)
  }

  step(step: Step): void {
    switch (step.kind) {
      case 'write':
        this.write(step.member, step.intent, step.jump)
        break
      case 'ack':
        this.ack(step.member)
        break
      case 'deliver':
        for (let i = 0; i < step.count && this.deliverOne(step.from, step.to); i++);
    }
  }

  write(id: number, intent: Intent, jump = 0): Op | null {
    const member = this.member(id)
    // A write that builds on a key without value, but with expiries that wait, removes those first.
    const builds = intent.kind === 'add' || intent.kind === 'edit'
    if (builds && !hasValue(member.state) && member.state.expiries.length > 0) this.write(id, { kind: 'remove', due: false })
    member.clock += 1 + jump
    const effect = member.decide(intent)
    if (effect === null) return null
    const op = { origin: id, stamp: member.clock, context: [...member.vector], effect }
    member.apply(op, op.stamp)
    member.stream.push({ op })
    this.onApplied(member, op, op.stamp)
    return op
  }

  private ack(id: number): void {
    const member = this.member(id)
    member.stream.push({ ack: [...member.vector], upTo: member.vector[id] })
  }

  /** One item of a stream; false when there is none or it has to wait for its context. */
  private deliverOne(from: number, to: number): boolean {
    if (from === to) return false
    const source = this.member(from)
    const target = this.member(to)
    const position = this.positions[to][from]
    if (position === source.stream.length) return false
    const item = source.stream[position]
    if ('op' in item) {
      const { op } = item
      if (op.context.some((stamp, member) => member !== from && stamp > target.vector[member])) return false
      const now = Math.max(target.clock, op.stamp)
      target.apply(op, now)
      target.known[from] = op.context.map((stamp, member) => (member === from ? op.stamp : stamp))
      this.onApplied(target, op, now)
    } else {
      target.known[from] = [...item.ack]
    }
    this.positions[to][from]++
    return true
  }

  /** Delivers everything, and lets everyone hear that everyone has it. */
  finish(): void {
    for (let round = 0; round < 2; round++) {
      for (let moved = true; moved;) {
        moved = false
        for (let from = 1; from <= this.size; from++) {
          for (let to = 1; to <= this.size; to++) while (this.deliverOne(from, to)) moved = true
        }
      }
      for (const { id } of this.members) this.ack(id)
    }
    for (let from = 1; from <= this.size; from++) {
      for (let to = 1; to <= this.size; to++) while (this.deliverOne(from, to));
    }
  }
}

/** What a client sees. */
export function seen(state: StringState): { text: string | null; expiresAt: number | null } {
  const text = visibleText(state)
  const expiry = visibleExpiry(state)
  return {
    text: text === null ? null : Buffer.from(text).toString('latin1'),
    expiresAt: text === null || expiry === null || expiry.at === Infinity ? null : expiry.at,
  }
}

const text = fc.constantFrom('', 'a', 'xyz', '5', '-12', '0.25', '9007199254740991', '9223372036854775807', 'hello world')
const at = fc.constantFrom(100, 200, 300, Infinity)
const expiryChange: fc.Arbitrary<ExpiryChange> = fc.oneof(
  fc.constant({ kind: 'clear' } as const),
  fc.constant({ kind: 'keep' } as const),
  fc.constantFrom(100, 200, 300).map((time) => ({ kind: 'set', at: time }) as const),
)
const bytes = fc.constantFrom('', 'b', '7', '42', 'long text').map((value) => Buffer.from(value))
const edit: fc.Arbitrary<Edit> = fc.oneof(
  bytes.map((value) => ({ kind: 'append', bytes: value }) as const),
  fc.record({ kind: fc.constant('set-range' as const), offset: fc.nat(6), bytes }),
  fc.record({
    kind: fc.constant('set-bits' as const),
    offset: fc.nat(40),
    width: fc.constantFrom(1, 8, 64),
    value: fc.bigInt(0n, 255n),
  }),
)
const amount: fc.Arbitrary<Decimal> = fc.oneof(
  { weight: 6, arbitrary: fc.integer({ min: -5, max: 5 }).map(decimalOf) },
  { weight: 1, arbitrary: fc.constant({ digits: 5n, scale: 1 }) },
  { weight: 1, arbitrary: fc.constantFrom(9007199254740991n, -9007199254740991n, 9223372036854775807n).map(decimalOf) },
)
const intent: fc.Arbitrary<Intent> = fc.oneof(
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('set' as const), text, expiry: expiryChange }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('remove' as const), due: fc.boolean() }) },
  { weight: 4, arbitrary: amount.map((n) => ({ kind: 'add', n }) as const) },
  { weight: 4, arbitrary: edit.map((value) => ({ kind: 'edit', edit: value }) as const) },
  { weight: 2, arbitrary: at.map((time) => ({ kind: 'expire', at: time }) as const) },
)

export function stepsFor(members: number, maxLength = 40): fc.Arbitrary<Step[]> {
  const id = fc.integer({ min: 1, max: members })
  return fc.array(
    fc.oneof(
      { weight: 4, arbitrary: fc.record({ kind: fc.constant('write' as const), member: id, intent, jump: fc.nat(3) }) },
      {
        weight: 3,
        arbitrary: fc.record({ kind: fc.constant('deliver' as const), from: id, to: id, count: fc.integer({ min: 1, max: 4 }) }),
      },
      { weight: 1, arbitrary: fc.record({ kind: fc.constant('ack' as const), member: id }) },
    ),
    { maxLength },
  )
}
