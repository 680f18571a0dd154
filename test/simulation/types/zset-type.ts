import { Cleared, byDot } from '../cleared.js'
import type { Effect, EffectBody, ZsetBody } from '../effects.js'
import type { ModelStore } from '../model-store.js'
import { has } from '../options.js'
import type { Reply } from '../reply.js'
import { ELEMENTS, someElements } from '../samples.js'
import type { Value } from '../values.js'
import type { ValueType } from './value-type.js'

type Scores = ReadonlyMap<string, number>

/**
 * Sums of these are exact in any order, so that the oracle need not know in which order a member adds. Doubles that are not exact are the business of
 * the type's own tests.
 */
const SCORES = ['0', '1', '2', '-3', '2.5', '0.25', '10', '100', '-0.5']

const NIL = '_'

function scoresOf(store: ModelStore, db: number, key: string): Scores {
  return store.typed(db, key, 'zset')?.scores ?? new Map<string, number>()
}

function put(store: ModelStore, db: number, key: string, scores: Scores, ...bodies: ZsetBody[]): void {
  store.write(db, key, 'zset', scores.size === 0 ? null : { type: 'zset', scores }, ...bodies)
}

const show = (score: number): string => String(score)

/** By score, then by bytes. */
function inOrder(scores: Scores): (readonly [string, number])[] {
  return [...scores].sort(([a, x], [b, y]) => x - y || (a < b ? -1 : 1))
}

function add(store: ModelStore, db: number, args: readonly string[]): Reply {
  const key = args[1]
  let first = 2
  while (['NX', 'XX', 'GT', 'LT', 'CH', 'INCR'].includes(args[first])) first++
  const option = (name: string): boolean => has(args.slice(0, first), name, 2)
  const before = scoresOf(store, db, key)
  const after = new Map(before)
  let changed = 0
  let result: number | null = null
  for (let i = first; i < args.length; i += 2) {
    const member = args[i + 1]
    const old = after.get(member)
    const score = Number(args[i]) + (option('INCR') ? (old ?? 0) : 0)
    if (old === undefined ? option('XX') : option('NX')) continue
    if (old !== undefined && ((option('GT') && score <= old) || (option('LT') && score >= old))) continue
    if (score !== old) changed++
    after.set(member, score)
    result = score
  }
  const written = [...after].filter(([member, score]) => before.get(member) !== score)
  if (written.length > 0) {
    const [[member, score]] = written
    if (option('INCR')) put(store, db, key, after, { kind: 'zset-increment', member, n: score - (before.get(member) ?? 0) })
    else put(store, db, key, after, { kind: 'zset-add', scores: written })
  }
  if (option('INCR')) return result === null ? NIL : `$${show(result)}`
  return `:${option('CH') ? changed : after.size - before.size}`
}

function increment(store: ModelStore, db: number, key: string, member: string, n: number): number {
  const before = scoresOf(store, db, key)
  const score = (before.get(member) ?? 0) + n
  put(store, db, key, new Map(before).set(member, score), { kind: 'zset-increment', member, n })
  return score
}

function remove(store: ModelStore, db: number, key: string, members: readonly string[]): number {
  const before = scoresOf(store, db, key)
  const gone = [...new Set(members)].filter((member) => before.has(member))
  if (gone.length > 0) {
    const after = new Map([...before].filter(([member]) => !gone.includes(member)))
    put(store, db, key, after, { kind: 'zset-remove', members: gone })
  }
  return gone.length
}

function pop(store: ModelStore, db: number, key: string, count: number, highest: boolean): Reply {
  const order = inOrder(scoresOf(store, db, key))
  if (highest) order.reverse()
  const taken = order.slice(0, count)
  remove(
    store,
    db,
    key,
    taken.map(([member]) => member),
  )
  return taken.flatMap(([member, score]) => [`$${member}`, `$${show(score)}`])
}

function range<T>(items: readonly T[], start: number, end: number): readonly T[] {
  const from = start < 0 ? Math.max(0, items.length + start) : start
  const to = end < 0 ? items.length + end : end
  return items.slice(from, Math.max(from, to + 1))
}

function between(scores: Scores, low: number, high: number): (readonly [string, number])[] {
  return inOrder(scores).filter(([, score]) => score >= low && score <= high)
}

/** A sorted set, or a set, whose members count as 1. */
function operand(store: ModelStore, db: number, key: string): Scores {
  const value = store.read(db, key)?.value
  return value?.type === 'set' ? new Map([...value.members].map((member) => [member, 1])) : scoresOf(store, db, key)
}

function unionStore(store: ModelStore, db: number, [name, to, , ...keys]: readonly string[]): Reply {
  const operands = keys.map((key) => operand(store, db, key))
  const scores = new Map<string, number>()
  for (const scored of operands) for (const [member, score] of scored) scores.set(member, (scores.get(member) ?? 0) + score)
  if (name === 'ZINTERSTORE') {
    for (const member of [...scores.keys()]) if (!operands.every((scored) => scored.has(member))) scores.delete(member)
  }
  if (store.read(db, to) !== null) store.remove(db, to)
  if (scores.size > 0) put(store, db, to, scores, { kind: 'zset-add', scores: [...scores] })
  return `:${scores.size}`
}

interface Entry {
  readonly cleared: Cleared
  readonly writes: { readonly effect: Effect; readonly score: number; readonly counts: boolean }[]
}

export const ZSET_TYPE: ValueType = {
  name: 'zset',
  keyType: 4,
  prefix: 'z',
  kinds: { 'zset-add': 32, 'zset-remove': 33, 'zset-increment': 34 },

  decode(type, reader): EffectBody | null {
    const resets = (flags: number): void => {
      if (flags & 4) reader.resets(() => reader.f64())
    }
    switch (type) {
      case 32: {
        const flags = reader.u8()
        const scores = reader.list(() => {
          const pair = [reader.block(), reader.f64()] as const
          resets(flags)
          return pair
        })
        return { kind: 'zset-add', scores }
      }
      case 33: {
        const flags = reader.u8()
        const members = reader.list(() => {
          const member = reader.block()
          resets(flags)
          return member
        })
        return { kind: 'zset-remove', members }
      }
      case 34: {
        const member = reader.block()
        reader.f64()
        const total = reader.f64()
        return { kind: 'zset-increment', member, n: total - reader.f64() }
      }
      default:
        return null
    }
  },

  plain: {
    encode(body, writer, stamp) {
      switch (body.kind) {
        case 'zset-add':
          writer.u8(0)
          writer.list(body.scores, ([member, score]) => {
            writer.block(member)
            writer.f64(score)
          })
          return
        case 'zset-remove':
          writer.u8(0)
          writer.list(body.members, (member) => writer.block(member))
          return
        case 'zset-increment':
          writer.block(body.member)
          writer.f64(stamp)
          writer.f64(body.n)
          writer.f64(0)
          return
        default:
      }
    },
    copy: (value: Value) => (value.type === 'zset' ? [{ kind: 'zset-add', scores: [...value.scores] }] : []),
  },

  visible(effects, cleared) {
    const entries = new Map<string, Entry>()
    const entryOf = (member: string): Entry => {
      let entry = entries.get(member)
      if (entry === undefined) entries.set(member, (entry = { cleared: new Cleared(cleared), writes: [] }))
      return entry
    }
    for (const effect of effects) {
      const body = effect.body as ZsetBody
      if (body.kind === 'zset-increment') {
        entryOf(body.member).writes.push({ effect, score: body.n, counts: true })
        continue
      }
      for (const member of body.kind === 'zset-add' ? body.scores.map(([each]) => each) : body.members)
        entryOf(member).cleared.by(effect)
      if (body.kind === 'zset-add') {
        for (const [member, score] of body.scores) entryOf(member).writes.push({ effect, score, counts: false })
      }
    }
    const scores = new Map<string, number>()
    const writes: Effect[] = []
    for (const [member, entry] of entries) {
      const here = entry.writes.filter(({ effect }) => !entry.cleared.has(effect)).sort((a, b) => byDot(a.effect, b.effect))
      if (here.length === 0) continue
      const base = here.filter(({ counts }) => !counts).at(-1)?.score ?? 0
      scores.set(
        member,
        here.reduce((sum, { counts, score }) => sum + (counts ? score : 0), base),
      )
      writes.push(...here.map(({ effect }) => effect))
    }
    return scores.size === 0 ? null : { value: { type: 'zset', scores }, writes }
  },

  commands: {
    ZADD: add,
    ZINCRBY: (store, db, [, key, n, member]) => `$${show(increment(store, db, key, member, Number(n)))}`,
    ZREM: (store, db, [, key, ...members]) => `:${remove(store, db, key, members)}`,
    ZCARD: (store, db, [, key]) => `:${scoresOf(store, db, key).size}`,
    ZSCORE: (store, db, [, key, member]) => {
      const score = scoresOf(store, db, key).get(member)
      return score === undefined ? NIL : `$${show(score)}`
    },
    ZRANK: (store, db, [, key, member]) => {
      const rank = inOrder(scoresOf(store, db, key)).findIndex(([each]) => each === member)
      return rank < 0 ? NIL : `:${rank}`
    },
    ZCOUNT: (store, db, [, key, low, high]) => `:${between(scoresOf(store, db, key), Number(low), Number(high)).length}`,
    ZRANGE: (store, db, [, key, start, end]) =>
      range(inOrder(scoresOf(store, db, key)), Number(start), Number(end)).flatMap(([member, score]) => [
        `$${member}`,
        `$${show(score)}`,
      ]),
    ZPOPMIN: (store, db, [, key, count]) => pop(store, db, key, Number(count ?? 1), false),
    ZPOPMAX: (store, db, [, key, count]) => pop(store, db, key, Number(count ?? 1), true),
    ZREMRANGEBYRANK: (store, db, [, key, start, end]) => {
      const taken = range(inOrder(scoresOf(store, db, key)), Number(start), Number(end))
      return `:${remove(
        store,
        db,
        key,
        taken.map(([member]) => member),
      )}`
    },
    ZREMRANGEBYSCORE: (store, db, [, key, low, high]) => {
      const taken = between(scoresOf(store, db, key), Number(low), Number(high))
      return `:${remove(
        store,
        db,
        key,
        taken.map(([member]) => member),
      )}`
    },
    ZUNIONSTORE: unionStore,
    ZINTERSTORE: unionStore,
  },

  unordered: {},

  workload: {
    zset: (random, keys) => {
      const member = (): string => random.pick(ELEMENTS)
      const score = (): string => random.pick(SCORES)
      return random.pick([
        () => ['ZADD', keys.key(), ...someElements(random, 3).flatMap((each) => [score(), each])],
        () => ['ZADD', keys.key(), score(), member()],
        () => ['ZADD', keys.key(), random.pick(['NX', 'XX', 'GT', 'LT']), 'CH', score(), member()],
        () => ['ZREM', keys.key(), member()],
        () => ['ZREM', keys.key(), ...someElements(random, 3)],
        () => [random.pick(['ZPOPMIN', 'ZPOPMAX']), keys.key(), String(random.below(3))],
        () => ['ZREMRANGEBYRANK', keys.key(), String(random.between(-2, 2)), String(random.between(-2, 2))],
        () => ['ZREMRANGEBYSCORE', keys.key(), random.pick(['0', '2']), random.pick(['1', '3'])],
        () => [random.pick(['ZUNIONSTORE', 'ZINTERSTORE']), keys.key(), '2', keys.key(), keys.key()],
      ])()
    },
    zsetCounter: (random, keys) =>
      random.chance(0.8)
        ? ['ZINCRBY', keys.key(), random.pick(SCORES), random.pick(ELEMENTS.slice(0, 3))]
        : ['ZADD', keys.key(), 'INCR', random.pick(SCORES), random.pick(ELEMENTS.slice(0, 3))],
    zsetRead: (random, keys) =>
      random.pick([
        () => ['ZRANGE', keys.key(), '0', '-1', 'WITHSCORES'],
        () => ['ZRANGE', keys.key(), String(random.between(-3, 3)), String(random.between(-3, 3)), 'WITHSCORES'],
        () => ['ZSCORE', keys.key(), random.pick(ELEMENTS)],
        () => ['ZRANK', keys.key(), random.pick(ELEMENTS)],
        () => ['ZCARD', keys.key()],
        () => ['ZCOUNT', keys.key(), '1', '10'],
      ])(),
  },

  readBack: (key) => [
    ['ZRANGE', key, '0', '-1', 'WITHSCORES'],
    ['ZCARD', key],
  ],
}
