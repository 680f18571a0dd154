import { INT64_MAX, INT64_MIN, ZERO, add, formatDecimal, parseDecimal, parseInteger } from '../decimal.js'
import type { Effect, EffectBody, Expiry, HashBody } from '../effects.js'
import type { ModelStore } from '../model-store.js'
import { allowsTime, has, timeOption } from '../options.js'
import type { Reply } from '../reply.js'
import { DELTAS, ELEMENTS, FLOATS, VALUES, soon, someElements } from '../samples.js'
import type { FieldView, Value } from '../values.js'
import { visibleRegister, type RegisterStep } from './register.js'
import type { ValueType } from './value-type.js'

type Fields = ReadonlyMap<string, FieldView>

const NIL = '_'
const ERR = '-ERR'
const bulk = (view: FieldView | undefined): string => (view === undefined ? NIL : `$${view.text}`)

function fieldsOf(store: ModelStore, db: number, key: string): Fields {
  return store.typed(db, key, 'hash')?.fields ?? new Map<string, FieldView>()
}

function put(store: ModelStore, db: number, key: string, fields: Fields, ...bodies: HashBody[]): void {
  // What is due stays until somebody removes it.
  const all = new Map([...store.dueFields(db, key), ...fields])
  store.write(db, key, 'hash', all.size === 0 ? null : { type: 'hash', fields: all }, ...bodies)
}

function set(store: ModelStore, db: number, key: string, pairs: readonly (readonly [string, string])[], expiry: Expiry): number {
  const before = fieldsOf(store, db, key)
  const after = new Map(before)
  for (const [field, text] of pairs) {
    const expireAt = expiry === 'keep' ? (after.get(field)?.expireAt ?? null) : expiry === 'clear' ? null : expiry
    after.set(field, { text, expireAt })
  }
  put(store, db, key, after, { kind: 'hash-set', expiry, fields: [...new Map(pairs)] })
  return after.size - before.size
}

function remove(store: ModelStore, db: number, key: string, fields: readonly string[]): number {
  const before = fieldsOf(store, db, key)
  const gone = [...new Set(fields)].filter((field) => before.has(field))
  if (gone.length > 0) {
    const after = new Map([...before].filter(([field]) => !gone.includes(field)))
    put(store, db, key, after, { kind: 'hash-remove', due: false, fields: gone })
  }
  return gone.length
}

function increment(store: ModelStore, db: number, key: string, field: string, n: string): string {
  const before = fieldsOf(store, db, key)
  const old = before.get(field)
  const text = formatDecimal(add(old === undefined ? ZERO : parseDecimal(old.text)!, parseDecimal(n)!))
  const after = new Map(before).set(field, { text, expireAt: old?.expireAt ?? null })
  // What waits of a field that is gone, also its time, does not fall on what is written now.
  const first: HashBody[] = old === undefined ? [{ kind: 'hash-remove', due: false, fields: [field] }] : []
  put(store, db, key, after, ...first, { kind: 'hash-increment', field, n })
  return text
}

function pairsOf(args: readonly string[]): (readonly [string, string])[] {
  return Array.from({ length: args.length / 2 }, (_, i) => [args[i * 2], args[i * 2 + 1]] as const)
}

/** The fields after FIELDS and their count. */
function named(args: readonly string[]): readonly string[] {
  const at = args.indexOf('FIELDS')
  return args.slice(at + 2)
}

function expire(store: ModelStore, db: number, args: readonly string[], at: number): Reply {
  const key = args[1]
  const before = fieldsOf(store, db, key)
  const after = new Map(before)
  const timed: string[] = []
  const gone: string[] = []
  const replies = named(args).map((field) => {
    const old = after.get(field)
    if (old === undefined) return ':-2'
    if (!allowsTime(args.slice(0, args.indexOf('FIELDS')), 3, old.expireAt, at)) return ':0'
    if (at <= store.nowMs) {
      after.delete(field)
      gone.push(field)
      return ':2'
    }
    after.set(field, { ...old, expireAt: at })
    timed.push(field)
    return ':1'
  })
  const bodies: HashBody[] = []
  if (timed.length > 0) bodies.push({ kind: 'hash-expire', at, fields: timed })
  if (gone.length > 0) bodies.push({ kind: 'hash-remove', due: false, fields: gone })
  if (bodies.length > 0) put(store, db, key, after, ...bodies)
  return replies
}

function persist(store: ModelStore, db: number, args: readonly string[]): Reply {
  const key = args[1]
  const after = new Map(fieldsOf(store, db, key))
  const freed: string[] = []
  const replies = named(args).map((field) => {
    const old = after.get(field)
    if (old === undefined) return ':-2'
    if (old.expireAt === null) return ':-1'
    after.set(field, { ...old, expireAt: null })
    freed.push(field)
    return ':1'
  })
  if (freed.length > 0) put(store, db, key, after, { kind: 'hash-expire', at: Infinity, fields: freed })
  return replies
}

/** HGETEX key [PX ms | PXAT at | PERSIST] FIELDS n field…: times are in the future. */
function getWithTime(store: ModelStore, db: number, args: readonly string[]): Reply {
  const key = args[1]
  const before = fieldsOf(store, db, key)
  const options = args.slice(0, args.indexOf('FIELDS'))
  const at = timeOption(store, options, 2)
  const after = new Map(before)
  for (const field of new Set(named(args))) {
    const old = before.get(field)
    if (old === undefined || (at === null && (old.expireAt === null || !has(options, 'PERSIST', 2)))) continue
    after.set(field, { ...old, expireAt: at })
  }
  const changed = [...after].filter(([field, view]) => view !== before.get(field)).map(([field]) => field)
  if (changed.length > 0) put(store, db, key, after, { kind: 'hash-expire', at: at ?? Infinity, fields: changed })
  return named(args).map((field) => bulk(before.get(field)))
}

/** HSETEX key [FNX | FXX] [PX ms | PXAT at | KEEPTTL] FIELDS n field value…: times are in the future. */
function setWithTime(store: ModelStore, db: number, args: readonly string[]): Reply {
  const key = args[1]
  const before = fieldsOf(store, db, key)
  const options = args.slice(0, args.indexOf('FIELDS'))
  const pairs = pairsOf(named(args))
  if (has(options, 'FNX', 2) && pairs.some(([field]) => before.has(field))) return ':0'
  if (has(options, 'FXX', 2) && pairs.some(([field]) => !before.has(field))) return ':0'
  set(store, db, key, pairs, timeOption(store, options, 2) ?? (has(options, 'KEEPTTL', 2) ? 'keep' : 'clear'))
  return ':1'
}

function times(store: ModelStore, db: number, args: readonly string[], show: (at: number) => number): Reply {
  const fields = fieldsOf(store, db, args[1])
  return named(args).map((field) => {
    const view = fields.get(field)
    if (view === undefined) return ':-2'
    return view.expireAt === null ? ':-1' : `:${show(view.expireAt)}`
  })
}

function stepsOf(effects: readonly Effect[]): Map<string, RegisterStep[]> {
  const steps = new Map<string, RegisterStep[]>()
  const push = (field: string, step: RegisterStep): void => {
    const list = steps.get(field)
    if (list === undefined) steps.set(field, [step])
    else list.push(step)
  }
  for (const effect of effects) {
    const body = effect.body as HashBody
    switch (body.kind) {
      case 'hash-set':
        for (const [field, text] of body.fields) push(field, { effect, does: 'write', text, expiry: body.expiry })
        break
      case 'hash-remove':
        for (const field of body.fields) push(field, { effect, does: 'remove', due: body.due })
        break
      case 'hash-increment':
        push(body.field, { effect, does: 'increment', n: body.n })
        break
      case 'hash-expire':
        for (const field of body.fields) push(field, { effect, does: 'expire', at: body.at })
        break
    }
  }
  return steps
}

export const HASH_TYPE: ValueType = {
  name: 'hash',
  keyType: 2,
  prefix: 'h',
  kinds: { 'hash-set': 16, 'hash-remove': 17, 'hash-increment': 18, 'hash-expire': 19 },

  decode(type, reader): EffectBody | null {
    switch (type) {
      case 16: {
        const flags = reader.u8()
        const expiry = flags & 1 ? reader.f64() : flags & 2 ? 'keep' : 'clear'
        const fields = reader.list(() => {
          const pair = [reader.block(), reader.block()] as const
          if (flags & 4) reader.resets()
          return pair
        })
        return { kind: 'hash-set', expiry, fields }
      }
      case 17: {
        const flags = reader.u8()
        const fields = reader.list(() => {
          const field = reader.block()
          if (flags & 4) reader.resets()
          return field
        })
        return { kind: 'hash-remove', due: (flags & 1) !== 0, fields }
      }
      case 18: {
        const field = reader.block()
        reader.f64()
        reader.number()
        return { kind: 'hash-increment', field, n: reader.number() }
      }
      case 19: {
        const at = reader.f64()
        return { kind: 'hash-expire', at, fields: reader.list(() => reader.block()) }
      }
      default:
        return null
    }
  },

  plain: {
    encode(body, writer, stamp) {
      switch (body.kind) {
        case 'hash-set':
          writer.u8(typeof body.expiry === 'number' ? 1 : body.expiry === 'keep' ? 2 : 0)
          if (typeof body.expiry === 'number') writer.f64(body.expiry)
          writer.list(body.fields, ([field, value]) => {
            writer.block(field)
            writer.block(value)
          })
          return
        case 'hash-remove':
          writer.u8(body.due ? 1 : 0)
          writer.list(body.fields, (field) => writer.block(field))
          return
        case 'hash-increment':
          writer.block(body.field)
          writer.f64(stamp)
          writer.number(body.n)
          writer.number(body.n)
          return
        case 'hash-expire':
          writer.f64(body.at)
          writer.list(body.fields, (field) => writer.block(field))
          return
        default:
      }
    },
    copy(value: Value): EffectBody[] {
      if (value.type !== 'hash') return []
      return [...value.fields].map(([field, { text, expireAt }]) => ({
        kind: 'hash-set',
        expiry: expireAt ?? 'clear',
        fields: [[field, text]],
      }))
    },
  },

  visible(effects, cleared, fired) {
    const fields = new Map<string, FieldView>()
    const writes: Effect[] = []
    for (const [field, steps] of stepsOf(effects)) {
      const view = visibleRegister(steps, cleared, fired)
      if (view === null) continue
      fields.set(field, { text: view.text, expireAt: view.expireAt })
      writes.push(...view.writes)
    }
    return fields.size === 0 ? null : { value: { type: 'hash', fields }, writes }
  },

  commands: {
    HSET: (store, db, [, key, ...args]) => {
      const pairs = pairsOf(args)
      const due = store.dueFields(db, key).filter(([field]) => pairs.some(([each]) => each === field))
      const added = set(store, db, key, pairs, 'clear')
      return store.between(added - due.length, added)
    },
    HSETNX: (store, db, [, key, field, value]) => {
      if (fieldsOf(store, db, key).has(field)) return ':0'
      set(store, db, key, [[field, value]], 'clear')
      return ':1'
    },
    HGET: (store, db, [, key, field]) => bulk(fieldsOf(store, db, key).get(field)),
    HMGET: (store, db, [, key, ...fields]) => {
      const views = fieldsOf(store, db, key)
      return fields.map((field) => bulk(views.get(field)))
    },
    HDEL: (store, db, [, key, ...fields]) => {
      const due = store.dueFields(db, key).filter(([field]) => fields.includes(field))
      const removed = remove(store, db, key, fields)
      return store.between(removed, removed + due.length)
    },
    HLEN: (store, db, [, key]) => {
      const { size } = fieldsOf(store, db, key)
      return store.between(size, size + store.dueFields(db, key).length)
    },
    HEXISTS: (store, db, [, key, field]) => (fieldsOf(store, db, key).has(field) ? ':1' : ':0'),
    HSTRLEN: (store, db, [, key, field]) => `:${fieldsOf(store, db, key).get(field)?.text.length ?? 0}`,
    HGETALL: (store, db, [, key]) => [...fieldsOf(store, db, key)].flatMap(([field, { text }]) => [`$${field}`, `$${text}`]),
    HKEYS: (store, db, [, key]) => [...fieldsOf(store, db, key).keys()].map((field) => `$${field}`),
    HINCRBY: (store, db, [, key, field, n]) => {
      const old = fieldsOf(store, db, key).get(field)
      const value = old === undefined ? 0n : parseInteger(old.text)
      if (value === null || value + BigInt(n) > INT64_MAX || value + BigInt(n) < INT64_MIN) return ERR
      return `:${increment(store, db, key, field, n)}`
    },
    HINCRBYFLOAT: (store, db, [, key, field, n]) => {
      const old = fieldsOf(store, db, key).get(field)
      if (old !== undefined && parseDecimal(old.text) === null) return ERR
      return `$${increment(store, db, key, field, formatDecimal(parseDecimal(n)!))}`
    },
    HPEXPIRE: (store, db, args) => expire(store, db, args, store.nowMs + Number(args[2])),
    HPEXPIREAT: (store, db, args) => expire(store, db, args, Number(args[2])),
    HPERSIST: persist,
    HGETEX: getWithTime,
    HSETEX: setWithTime,
    HPTTL: (store, db, args) => times(store, db, args, (at) => at - store.nowMs),
    HPEXPIRETIME: (store, db, args) => times(store, db, args, (at) => at),
  },

  unordered: { HGETALL: 'pairs', HKEYS: 'items' },

  workload: {
    hash: (random, keys) => {
      const field = (): string => random.pick(ELEMENTS)
      return random.pick([
        () => ['HSET', keys.key(), ...someElements(random, 3).flatMap((each) => [each, random.pick(VALUES)])],
        () => ['HSET', keys.key(), field(), random.pick(VALUES)],
        () => ['HSET', keys.key(), field(), random.pick(VALUES)],
        () => ['HSETNX', keys.key(), field(), random.pick(VALUES)],
        () => ['HDEL', keys.key(), field()],
        () => ['HDEL', keys.key(), ...someElements(random, 4)],
      ])()
    },
    hashCounter: (random, keys) =>
      random.chance(0.7)
        ? ['HINCRBY', keys.key(), random.pick(ELEMENTS.slice(0, 3)), random.pick(DELTAS)]
        : ['HINCRBYFLOAT', keys.key(), random.pick(ELEMENTS.slice(0, 3)), random.pick(FLOATS)],
    hashExpiry: (random, keys) => {
      const fields = Array.from({ length: random.between(1, 2) }, () => random.pick(ELEMENTS.slice(0, 4)))
      const rest = ['FIELDS', String(fields.length), ...fields]
      return random.pick([
        () => ['HPEXPIRE', keys.key(), soon(random), ...rest],
        () => ['HPEXPIRE', keys.key(), soon(random), random.pick(['NX', 'XX', 'GT', 'LT']), ...rest],
        () => ['HPEXPIREAT', keys.key(), `@+${soon(random)}`, ...rest],
        () => ['HPERSIST', keys.key(), ...rest],
        () => ['HGETEX', keys.key(), ...random.pick([[], ['PERSIST'], ['PX', soon(random)]]), ...rest],
        () => [
          'HSETEX',
          keys.key(),
          ...random.pick([[], ['FNX'], ['FXX']]),
          ...random.pick([[], ['KEEPTTL'], ['KEEPTTL'], ['PX', soon(random)]]),
          'FIELDS',
          String(fields.length),
          ...fields.flatMap((field) => [field, random.pick(VALUES)]),
        ],
        () => ['HPTTL', keys.key(), ...rest],
      ])()
    },
    hashRead: (random, keys) =>
      random.pick([
        () => ['HGETALL', keys.key()],
        () => ['HGET', keys.key(), random.pick(ELEMENTS)],
        () => ['HMGET', keys.key(), random.pick(ELEMENTS), random.pick(ELEMENTS)],
        () => ['HLEN', keys.key()],
        () => ['HEXISTS', keys.key(), random.pick(ELEMENTS)],
        () => ['HSTRLEN', keys.key(), random.pick(ELEMENTS)],
        () => ['HKEYS', keys.key()],
      ])(),
  },

  readBack: (key) => [
    ['HGETALL', key],
    ['HLEN', key],
    ['HPEXPIRETIME', key, 'FIELDS', String(ELEMENTS.length), ...ELEMENTS],
  ],
}
