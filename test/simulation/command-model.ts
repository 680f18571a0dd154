import { INT64_MAX, INT64_MIN, formatDecimal, parseDecimal, parseInteger, add, ZERO } from './decimal.js'
import { readBits } from './effects.js'
import type { ModelStore } from './model-store.js'

/**
 * What the commands of the workload answer and write, given the state that their client sees: a second, slow and plain
 * reading of Redis' documentation. Replies are in the notation of reply.ts. The workload gives only well-formed commands.
 */
const OK = '+OK'
const NIL = '_'
const ERR = '-ERR'

type Handler = (store: ModelStore, db: number, args: readonly string[]) => string

const bulk = (text: string | undefined): string => (text === undefined ? NIL : `$${text}`)

function has(args: readonly string[], option: string, from: number): boolean {
  return args.indexOf(option, from) >= 0
}

/** The time that EX, PX, EXAT or PXAT among the options gives. */
function timeOption(store: ModelStore, args: readonly string[], from: number): number | null {
  for (let i = from; i + 1 < args.length; i++) {
    const value = Number(args[i + 1])
    if (args[i] === 'EX') return store.nowMs + value * 1000
    if (args[i] === 'PX') return store.nowMs + value
    if (args[i] === 'EXAT') return value * 1000
    if (args[i] === 'PXAT') return value
  }
  return null
}

function set(store: ModelStore, db: number, args: readonly string[]): string {
  const [, key, value] = args
  const old = store.read(db, key)
  const get = has(args, 'GET', 3)
  const refused = (has(args, 'NX', 3) && old !== null) || (has(args, 'XX', 3) && old === null)
  if (!refused) store.set(db, key, value, timeOption(store, args, 3) ?? (has(args, 'KEEPTTL', 3) ? 'keep' : 'clear'))
  if (get) return bulk(old?.value)
  return refused ? NIL : OK
}

function incrementBy(store: ModelStore, db: number, key: string, n: bigint): string {
  const old = store.read(db, key)
  const value = old === null ? 0n : parseInteger(old.value)
  if (value === null) return ERR
  if (value + n > INT64_MAX || value + n < INT64_MIN) return ERR
  return `:${store.increment(db, key, n.toString())}`
}

function incrementByFloat(store: ModelStore, db: number, key: string, n: string): string {
  const old = store.read(db, key)
  const value = old === null ? ZERO : parseDecimal(old.value)
  if (value === null) return ERR
  return `$${store.increment(db, key, formatDecimal(add(ZERO, parseDecimal(n)!)))}`
}

function expire(store: ModelStore, db: number, args: readonly string[], at: number): string {
  const key = args[1]
  const old = store.read(db, key)
  if (old === null) return ':0'
  const present = old.expireAt ?? Infinity
  if (has(args, 'NX', 3) && old.expireAt !== null) return ':0'
  if (has(args, 'XX', 3) && old.expireAt === null) return ':0'
  // No time counts as never: nothing is greater, everything is less.
  if (has(args, 'GT', 3) && !(at > present)) return ':0'
  if (has(args, 'LT', 3) && !(at < present)) return ':0'
  if (at <= store.nowMs) store.remove(db, key)
  else store.expire(db, key, at)
  return ':1'
}

function getex(store: ModelStore, db: number, args: readonly string[]): string {
  const key = args[1]
  const old = store.read(db, key)
  if (old === null) return NIL
  const at = timeOption(store, args, 2)
  if (at !== null && at <= store.nowMs) store.remove(db, key)
  else if (at !== null) store.expire(db, key, at)
  else if (args[2] === 'PERSIST' && old.expireAt !== null) store.expire(db, key, Infinity)
  return bulk(old.value)
}

function bitfield(store: ModelStore, db: number, args: readonly string[]): string {
  const key = args[1]
  const replies: string[] = []
  for (let i = 2; i < args.length;) {
    const operation = args[i]
    const signed = args[i + 1][0] === 'i'
    const width = Number(args[i + 1].slice(1))
    const bitOffset = args[i + 2][0] === '#' ? Number(args[i + 2].slice(1)) * width : Number(args[i + 2])
    const old = readBits(store.read(db, key)?.value ?? '', bitOffset, width)
    const read = (bits: bigint): bigint => (signed ? BigInt.asIntN(width, bits) : bits)
    if (operation === 'GET') {
      replies.push(`:${read(old)}`)
      i += 3
      continue
    }
    const given = BigInt(args[i + 3])
    const bits = BigInt.asUintN(width, operation === 'SET' ? given : old + given)
    store.edit(db, key, { kind: 'set-bits', bitOffset, width, bits })
    replies.push(`:${operation === 'SET' ? read(old) : read(bits)}`)
    i += 4
  }
  return `*[${replies.join(' ')}]`
}

function move(store: ModelStore, db: number, from: string, toDb: number, to: string, takeAway: boolean): void {
  const { value, expireAt } = store.read(db, from)!
  if (takeAway) store.remove(db, from)
  if (store.read(toDb, to) !== null) store.remove(toDb, to)
  store.set(toDb, to, value, expireAt ?? 'clear')
}

function copy(store: ModelStore, db: number, args: readonly string[]): string {
  const [, from, to] = args
  const at = args.indexOf('DB', 3)
  const toDb = at < 0 ? db : Number(args[at + 1])
  if (toDb === db && from === to) return ERR
  if (store.read(db, from) === null) return ':0'
  if (store.read(toDb, to) !== null && !has(args, 'REPLACE', 3)) return ':0'
  move(store, db, from, toDb, to, false)
  return ':1'
}

function rename(store: ModelStore, db: number, args: readonly string[]): string {
  const [name, from, to] = args
  if (store.read(db, from) === null) return ERR
  if (name === 'RENAMENX' && (from === to || store.read(db, to) !== null)) return ':0'
  if (from !== to) move(store, db, from, db, to, true)
  return name === 'RENAMENX' ? ':1' : OK
}

function remainingMs(store: ModelStore, db: number, key: string, text: (expireAt: number) => string): string {
  const view = store.read(db, key)
  if (view === null) return ':-2'
  return view.expireAt === null ? ':-1' : text(view.expireAt)
}

const HANDLERS: Record<string, Handler> = {
  GET: (store, db, [, key]) => bulk(store.read(db, key)?.value),
  STRLEN: (store, db, [, key]) => `:${store.read(db, key)?.value.length ?? 0}`,
  EXISTS: (store, db, args) => `:${args.slice(1).filter((key) => store.read(db, key) !== null).length}`,
  TYPE: (store, db, [, key]) => (store.read(db, key) === null ? '+none' : '+string'),
  PTTL: (store, db, [, key]) => remainingMs(store, db, key, (at) => `:${at - store.nowMs}`),
  PEXPIRETIME: (store, db, [, key]) => remainingMs(store, db, key, (at) => `:${at}`),
  MGET: (store, db, args) =>
    `*[${args
      .slice(1)
      .map((key) => bulk(store.read(db, key)?.value))
      .join(' ')}]`,
  GETRANGE: (store, db, [, key, start, end]) => `$${(store.read(db, key)?.value ?? '').slice(Number(start), Number(end) + 1)}`,
  GETBIT: (store, db, [, key, offset]) => `:${readBits(store.read(db, key)?.value ?? '', Number(offset), 1)}`,
  SET: set,
  SETNX: (store, db, [, key, value]) => {
    if (store.read(db, key) !== null) return ':0'
    store.set(db, key, value, 'clear')
    return ':1'
  },
  GETSET: (store, db, [, key, value]) => {
    const old = store.read(db, key)
    store.set(db, key, value, 'clear')
    return bulk(old?.value)
  },
  GETDEL: (store, db, [, key]) => {
    const old = store.read(db, key)
    if (old !== null) store.remove(db, key)
    return bulk(old?.value)
  },
  GETEX: getex,
  MSET: (store, db, args) => {
    for (let i = 1; i < args.length; i += 2) store.set(db, args[i], args[i + 1], 'clear')
    return OK
  },
  MSETNX: (store, db, args) => {
    for (let i = 1; i < args.length; i += 2) if (store.read(db, args[i]) !== null) return ':0'
    for (let i = 1; i < args.length; i += 2) store.set(db, args[i], args[i + 1], 'clear')
    return ':1'
  },
  DEL: (store, db, args) => {
    let count = 0
    for (const key of args.slice(1)) {
      if (store.read(db, key) === null) continue
      store.remove(db, key)
      count++
    }
    return `:${count}`
  },
  INCR: (store, db, [, key]) => incrementBy(store, db, key, 1n),
  DECR: (store, db, [, key]) => incrementBy(store, db, key, -1n),
  INCRBY: (store, db, [, key, n]) => incrementBy(store, db, key, BigInt(n)),
  DECRBY: (store, db, [, key, n]) => incrementBy(store, db, key, -BigInt(n)),
  INCRBYFLOAT: (store, db, [, key, n]) => incrementByFloat(store, db, key, n),
  APPEND: (store, db, [, key, value]) => {
    if (value === '' && store.read(db, key) !== null) return `:${store.read(db, key)!.value.length}`
    return `:${store.edit(db, key, { kind: 'append', value }).length}`
  },
  SETRANGE: (store, db, [, key, offset, value]) => {
    if (value === '') return `:${store.read(db, key)?.value.length ?? 0}`
    return `:${store.edit(db, key, { kind: 'set-range', offset: Number(offset), value }).length}`
  },
  SETBIT: (store, db, [, key, offset, bit]) => {
    const old = readBits(store.read(db, key)?.value ?? '', Number(offset), 1)
    store.edit(db, key, { kind: 'set-bits', bitOffset: Number(offset), width: 1, bits: BigInt(bit) })
    return `:${old}`
  },
  BITFIELD: bitfield,
  EXPIRE: (store, db, args) => expire(store, db, args, store.nowMs + Number(args[2]) * 1000),
  PEXPIRE: (store, db, args) => expire(store, db, args, store.nowMs + Number(args[2])),
  PEXPIREAT: (store, db, args) => expire(store, db, args, Number(args[2])),
  PERSIST: (store, db, [, key]) => {
    const old = store.read(db, key)
    if (old === null || old.expireAt === null) return ':0'
    store.expire(db, key, Infinity)
    return ':1'
  },
  RENAME: rename,
  RENAMENX: rename,
  COPY: copy,
  FLUSHDB: (store, db) => {
    store.flush(db)
    return OK
  },
}
HANDLERS['UNLINK'] = HANDLERS['DEL']

const READS = new Set(['GET', 'STRLEN', 'EXISTS', 'TYPE', 'PTTL', 'PEXPIRETIME', 'MGET', 'GETRANGE', 'GETBIT'])

/** True for commands that may write, whether or not they do. */
export function mayWrite(args: readonly string[]): boolean {
  return !READS.has(args[0])
}

/** Runs one command on the model and gives the reply that a member must give. */
export function modelCommand(store: ModelStore, db: number, args: readonly string[]): string {
  const handler = HANDLERS[args[0]]
  if (handler === undefined) throw new Error(`the model does not know ${args[0]}`)
  return handler(store, db, args)
}

/** The same for a MULTI/EXEC block: the replies of MULTI, of the queueing, and of EXEC. */
export function modelTransaction(store: ModelStore, db: number, commands: readonly (readonly string[])[]): string[] {
  const results = commands.map((args) => modelCommand(store, db, args))
  return [OK, ...commands.map(() => '+QUEUED'), `*[${results.join(' ')}]`]
}
