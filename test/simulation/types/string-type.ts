import { INT64_MAX, INT64_MIN, ZERO, add, formatDecimal, parseDecimal, parseInteger } from '../decimal.js'
import { applyEdit, readBits, type Effect, type EffectBody, type StringBody } from '../effects.js'
import { has, timeOption } from '../options.js'
import type { ModelStore } from '../model-store.js'
import type { Reply } from '../reply.js'
import { FLOATS, VALUES, DELTAS, soon } from '../samples.js'
import { visibleRegister, type RegisterStep } from './register.js'
import type { ValueType } from './value-type.js'

const OK = '+OK'
const NIL = '_'
const ERR = '-ERR'

const bulk = (text: string | undefined): string => (text === undefined ? NIL : `$${text}`)

function textOf(store: ModelStore, db: number, key: string): string | undefined {
  return store.typed(db, key, 'string')?.text
}

function set(store: ModelStore, db: number, args: readonly string[]): Reply {
  const [, key, value] = args
  const present = store.read(db, key) !== null
  const get = has(args, 'GET', 3)
  const old = get ? textOf(store, db, key) : undefined
  const refused = (has(args, 'NX', 3) && present) || (has(args, 'XX', 3) && !present)
  if (!refused) store.set(db, key, value, timeOption(store, args, 3) ?? (has(args, 'KEEPTTL', 3) ? 'keep' : 'clear'))
  if (get) return bulk(old)
  return refused ? NIL : OK
}

function increment(store: ModelStore, db: number, key: string, n: string): string {
  const old = textOf(store, db, key)
  const text = formatDecimal(add(old === undefined ? ZERO : parseDecimal(old)!, parseDecimal(n)!))
  store.write(db, key, 'string', { type: 'string', text }, { kind: 'increment', n })
  return text
}

function incrementBy(store: ModelStore, db: number, key: string, n: bigint): Reply {
  const old = textOf(store, db, key)
  const value = old === undefined ? 0n : parseInteger(old)
  if (value === null || value + n > INT64_MAX || value + n < INT64_MIN) return ERR
  return `:${increment(store, db, key, n.toString())}`
}

function incrementByFloat(store: ModelStore, db: number, key: string, n: string): Reply {
  const old = textOf(store, db, key)
  if (old !== undefined && parseDecimal(old) === null) return ERR
  return `$${increment(store, db, key, formatDecimal(parseDecimal(n)!))}`
}

function edit(store: ModelStore, db: number, key: string, body: StringBody): string {
  const before = textOf(store, db, key)
  const text = applyEdit(before ?? '', body)
  // Beside counters an edit is a write of the whole text.
  const counts = before !== undefined && store.mayHaveIncrements(db, key)
  store.write(db, key, 'string', { type: 'string', text }, counts ? { kind: 'set-string', value: text, expiry: 'keep' } : body)
  return text
}

function getex(store: ModelStore, db: number, args: readonly string[]): Reply {
  const key = args[1]
  const old = textOf(store, db, key)
  if (old === undefined) return NIL
  const at = timeOption(store, args, 2)
  if (at !== null && at <= store.nowMs) store.remove(db, key)
  else if (at !== null) store.expire(db, key, at)
  else if (args[2] === 'PERSIST' && store.read(db, key)!.expireAt !== null) store.expire(db, key, Infinity)
  return bulk(old)
}

function bitfield(store: ModelStore, db: number, args: readonly string[]): Reply {
  const key = args[1]
  textOf(store, db, key)
  const replies: string[] = []
  for (let i = 2; i < args.length;) {
    const operation = args[i]
    const signed = args[i + 1][0] === 'i'
    const width = Number(args[i + 1].slice(1))
    const bitOffset = args[i + 2][0] === '#' ? Number(args[i + 2].slice(1)) * width : Number(args[i + 2])
    const old = readBits(textOf(store, db, key) ?? '', bitOffset, width)
    const read = (bits: bigint): bigint => (signed ? BigInt.asIntN(width, bits) : bits)
    if (operation === 'GET') {
      replies.push(`:${read(old)}`)
      i += 3
      continue
    }
    const given = BigInt(args[i + 3])
    const bits = BigInt.asUintN(width, operation === 'SET' ? given : old + given)
    edit(store, db, key, { kind: 'set-bits', bitOffset, width, bits })
    replies.push(`:${operation === 'SET' ? read(old) : read(bits)}`)
    i += 4
  }
  return replies
}

function msetnx(store: ModelStore, db: number, args: readonly string[]): Reply {
  for (let i = 1; i < args.length; i += 2) if (store.read(db, args[i]) !== null) return ':0'
  for (let i = 1; i < args.length; i += 2) store.set(db, args[i], args[i + 1], 'clear')
  return ':1'
}

function stepOf(effect: Effect): RegisterStep {
  const body = effect.body as StringBody
  if (body.kind === 'set-string') return { effect, does: 'write', text: body.value, expiry: body.expiry }
  if (body.kind === 'increment') return { effect, does: 'increment', n: body.n }
  return { effect, does: 'edit', edit: (text) => applyEdit(text, body) }
}

export const STRING_TYPE: ValueType = {
  name: 'string',
  keyType: 1,
  prefix: 'k',
  kinds: { 'set-string': 1, increment: 3, append: 4, 'set-range': 5, 'set-bits': 6 },

  decode(type, reader): EffectBody | null {
    switch (type) {
      case 1: {
        const flags = reader.u8()
        const value = reader.block()
        const expiry = flags & 1 ? reader.f64() : flags & 2 ? 'keep' : 'clear'
        if (flags & 4) reader.resets()
        return { kind: 'set-string', value, expiry }
      }
      case 3:
        reader.f64()
        reader.number()
        return { kind: 'increment', n: reader.number() }
      case 4:
        return { kind: 'append', value: reader.block() }
      case 5: {
        const offset = reader.varint()
        return { kind: 'set-range', offset, value: reader.block() }
      }
      case 6: {
        const bitOffset = reader.varint()
        const width = reader.u8()
        return { kind: 'set-bits', bitOffset, width, bits: reader.u64() }
      }
      default:
        return null
    }
  },

  plain: {
    encode(body, writer, stamp) {
      switch (body.kind) {
        case 'set-string':
          writer.u8(typeof body.expiry === 'number' ? 1 : body.expiry === 'keep' ? 2 : 0)
          writer.block(body.value)
          if (typeof body.expiry === 'number') writer.f64(body.expiry)
          return
        case 'increment':
          writer.f64(stamp)
          writer.number(body.n)
          writer.number(body.n)
          return
        case 'append':
          writer.block(body.value)
          return
        case 'set-range':
          writer.varint(body.offset)
          writer.block(body.value)
          return
        case 'set-bits':
          writer.varint(body.bitOffset)
          writer.u8(body.width)
          writer.u64(body.bits)
          return
        default:
      }
    },
    copy: (value) => (value.type === 'string' ? [{ kind: 'set-string', value: value.text, expiry: 'clear' }] : []),
  },

  visible(effects, cleared, fired) {
    // The expiry is the key's affair.
    const view = visibleRegister(effects.map(stepOf), cleared, fired)
    return view === null ? null : { value: { type: 'string', text: view.text }, writes: view.writes }
  },

  commands: {
    GET: (store, db, [, key]) => bulk(textOf(store, db, key)),
    STRLEN: (store, db, [, key]) => `:${textOf(store, db, key)?.length ?? 0}`,
    MGET: (store, db, args) =>
      args.slice(1).map((key) => {
        const value = store.read(db, key)?.value
        return bulk(value?.type === 'string' ? value.text : undefined)
      }),
    GETRANGE: (store, db, [, key, start, end]) => `$${(textOf(store, db, key) ?? '').slice(Number(start), Number(end) + 1)}`,
    GETBIT: (store, db, [, key, offset]) => `:${readBits(textOf(store, db, key) ?? '', Number(offset), 1)}`,
    SET: set,
    SETNX: (store, db, [, key, value]) => {
      if (store.read(db, key) !== null) return ':0'
      store.set(db, key, value, 'clear')
      return ':1'
    },
    GETSET: (store, db, [, key, value]) => {
      const old = textOf(store, db, key)
      store.set(db, key, value, 'clear')
      return bulk(old)
    },
    GETDEL: (store, db, [, key]) => {
      const old = textOf(store, db, key)
      if (old !== undefined) store.remove(db, key)
      return bulk(old)
    },
    GETEX: getex,
    MSET: (store, db, args) => {
      for (let i = 1; i < args.length; i += 2) store.set(db, args[i], args[i + 1], 'clear')
      return OK
    },
    MSETNX: msetnx,
    INCR: (store, db, [, key]) => incrementBy(store, db, key, 1n),
    DECR: (store, db, [, key]) => incrementBy(store, db, key, -1n),
    INCRBY: (store, db, [, key, n]) => incrementBy(store, db, key, BigInt(n)),
    DECRBY: (store, db, [, key, n]) => incrementBy(store, db, key, -BigInt(n)),
    INCRBYFLOAT: (store, db, [, key, n]) => incrementByFloat(store, db, key, n),
    APPEND: (store, db, [, key, value]) => {
      const old = textOf(store, db, key)
      if (value === '' && old !== undefined) return `:${old.length}`
      return `:${edit(store, db, key, { kind: 'append', value }).length}`
    },
    SETRANGE: (store, db, [, key, offset, value]) => {
      const old = textOf(store, db, key)
      if (value === '') return `:${old?.length ?? 0}`
      return `:${edit(store, db, key, { kind: 'set-range', offset: Number(offset), value }).length}`
    },
    SETBIT: (store, db, [, key, offset, bit]) => {
      const old = readBits(textOf(store, db, key) ?? '', Number(offset), 1)
      edit(store, db, key, { kind: 'set-bits', bitOffset: Number(offset), width: 1, bits: BigInt(bit) })
      return `:${old}`
    },
    BITFIELD: bitfield,
  },

  unordered: {},

  workload: {
    register: (random, keys) => {
      const value = (): string => random.pick(VALUES)
      return random.pick([
        () => ['SET', keys.key(), value()],
        () => ['SET', keys.key(), value()],
        () => ['SET', keys.key(), value(), random.pick(['NX', 'XX'])],
        () => ['SET', keys.key(), value(), 'GET'],
        () => ['SET', keys.key(), value(), 'KEEPTTL'],
        () => ['SETNX', keys.key(), value()],
        () => ['GETSET', keys.key(), value()],
        () => ['GETDEL', keys.key()],
        // More than two keys go in slices, where anything does.
        () => ['MSET', ...Array.from({ length: random.between(2, 5) }, () => [keys.key(), value()]).flat()],
        () => ['MSETNX', ...Array.from({ length: random.between(2, 3) }, () => [keys.key(), value()]).flat()],
      ])()
    },
    counter: (random, keys) =>
      random.pick([
        () => ['INCR', keys.key()],
        () => ['DECR', keys.key()],
        () => ['INCRBY', keys.key(), random.pick(DELTAS)],
        () => ['DECRBY', keys.key(), random.pick(DELTAS)],
      ])(),
    float: (random, keys) => ['INCRBYFLOAT', keys.key(), random.pick(FLOATS)],
    edit: (random, keys) => {
      const type = `${random.pick(['u', 'i'])}${random.pick([1, 3, 8, 13])}`
      return random.pick([
        () => ['APPEND', keys.key(), random.pick(VALUES)],
        () => ['APPEND', keys.key(), random.pick(['1', '2', 'z'])],
        () => ['SETRANGE', keys.key(), String(random.below(12)), random.pick(VALUES)],
        () => ['SETBIT', keys.key(), String(random.below(40)), random.pick(['0', '1'])],
        () => ['BITFIELD', keys.key(), 'SET', type, String(random.below(24)), String(random.below(2))],
        () => ['BITFIELD', keys.key(), 'INCRBY', type, `#${random.below(3)}`, random.pick(['1', '-1', '5'])],
        () => ['BITFIELD', keys.key(), 'GET', type, '2', 'SET', type, '#1', '1', 'INCRBY', type, '3', '1'],
      ])()
    },
    stringExpiry: (random, keys) =>
      random.pick([
        () => ['SET', keys.key(), random.pick(VALUES), 'PX', soon(random)],
        () => ['SET', keys.key(), random.pick(VALUES), 'PXAT', `@+${soon(random)}`],
        () => ['SET', keys.key(), random.pick(VALUES), 'EX', '1', random.pick(['NX', 'XX'])],
        () => ['GETEX', keys.key(), 'PX', soon(random)],
        () => ['GETEX', keys.key(), 'PERSIST'],
        () => ['GETEX', keys.key(), 'EXAT', '@s+1'],
      ])(),
    stringRead: (random, keys) =>
      random.pick([
        () => ['GET', keys.key()],
        () => ['GET', keys.key()],
        () => ['MGET', keys.key(), keys.key()],
        () => ['STRLEN', keys.key()],
        () => ['GETRANGE', keys.key(), '0', '3'],
        () => ['GETBIT', keys.key(), '7'],
        () => ['GETEX', keys.key()],
      ])(),
  },

  readBack: (key) => [['GET', key]],
}
