import type { ModelStore } from './model-store.js'
import { allowsTime, has } from './options.js'
import type { SeededRandom } from './random.js'
import type { Reply } from './reply.js'
import { soon } from './samples.js'
import type { CommandMaker, Handler, KeyDraw } from './types/value-type.js'

/** Commands on keys of whatever type. */
const OK = '+OK'
const ERR = '-ERR'

function expire(store: ModelStore, db: number, args: readonly string[], at: number): Reply {
  const key = args[1]
  const old = store.read(db, key)
  if (old === null || !allowsTime(args, 3, old.expireAt, at)) return ':0'
  if (at <= store.nowMs) store.remove(db, key)
  else store.expire(db, key, at)
  return ':1'
}

function move(store: ModelStore, db: number, from: string, toDb: number, to: string, takeAway: boolean): void {
  const view = store.read(db, from)!
  if (takeAway) store.remove(db, from)
  if (store.read(toDb, to) !== null) store.remove(toDb, to)
  store.create(toDb, to, view)
}

function copy(store: ModelStore, db: number, args: readonly string[]): Reply {
  const [, from, to] = args
  const at = args.indexOf('DB', 3)
  const toDb = at < 0 ? db : Number(args[at + 1])
  if (toDb === db && from === to) return ERR
  const view = store.read(db, from)
  if (view === null || (view.value.type === 'hash' && view.value.fields.size === 0)) return ':0'
  if (store.read(toDb, to) !== null && !has(args, 'REPLACE', 3)) return ':0'
  move(store, db, from, toDb, to, false)
  return ':1'
}

function rename(store: ModelStore, db: number, args: readonly string[]): Reply {
  const [name, from, to] = args
  if (store.read(db, from) === null) return ERR
  if (name === 'RENAMENX' && (from === to || store.read(db, to) !== null)) return ':0'
  if (from !== to) move(store, db, from, db, to, true)
  return name === 'RENAMENX' ? ':1' : OK
}

function moveToDatabase(store: ModelStore, db: number, [, key, to]: readonly string[]): Reply {
  const toDb = Number(to)
  if (toDb === db) return ERR
  if (store.read(db, key) === null || store.read(toDb, key) !== null) return ':0'
  move(store, db, key, toDb, key, true)
  return ':1'
}

function timeOf(store: ModelStore, db: number, key: string, text: (expireAt: number) => string): Reply {
  const view = store.read(db, key)
  if (view === null) return ':-2'
  return view.expireAt === null ? ':-1' : text(view.expireAt)
}

function remove(store: ModelStore, db: number, [, ...keys]: readonly string[]): Reply {
  let count = 0
  for (const key of keys) {
    if (store.read(db, key) === null) continue
    store.remove(db, key)
    count++
  }
  return `:${count}`
}

export const KEY_COMMANDS: Readonly<Record<string, Handler>> = {
  EXISTS: (store, db, [, ...keys]) => `:${keys.filter((key) => store.read(db, key) !== null).length}`,
  TYPE: (store, db, [, key]) => {
    const type = store.read(db, key)?.value.type ?? 'none'
    // A HyperLogLog is a string to clients.
    return `+${type === 'hll' ? 'string' : type}`
  },
  PTTL: (store, db, [, key]) => timeOf(store, db, key, (at) => `:${at - store.nowMs}`),
  PEXPIRETIME: (store, db, [, key]) => timeOf(store, db, key, (at) => `:${at}`),
  DEL: remove,
  UNLINK: remove,
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
  MOVE: moveToDatabase,
  FLUSHDB: (store, db) => {
    store.flush(db)
    return OK
  },
}

/** By family name, as those of the types. */
export const KEY_WORKLOAD: Readonly<Record<string, CommandMaker>> = {
  remove: (random, keys) =>
    random.pick([
      () => ['DEL', keys.key()],
      () => ['DEL', ...Array.from({ length: random.between(2, 4) }, () => keys.key())],
      () => ['UNLINK', keys.key()],
    ])(),
  expiry: (random, keys) =>
    random.pick([
      () => ['PEXPIRE', keys.key(), soon(random)],
      () => ['PEXPIRE', keys.key(), soon(random), random.pick(['NX', 'XX', 'GT', 'LT'])],
      () => ['PEXPIREAT', keys.key(), `@+${soon(random)}`, random.pick(['NX', 'XX', 'GT', 'LT'])],
      () => ['EXPIRE', keys.key(), random.pick(['0', '1', '10', '-1'])],
      () => ['PERSIST', keys.key()],
    ])(),
  move: (random, keys) => moveCommand(random, keys),
  moveDb: (random, keys) => ['MOVE', keys.key(), random.pick(['0', '1'])],
  read: (random, keys) =>
    random.pick([
      () => ['EXISTS', keys.key(), keys.key()],
      () => ['TYPE', keys.key()],
      () => ['PTTL', keys.key()],
      () => ['PEXPIRETIME', keys.key()],
    ])(),
  flush: () => ['FLUSHDB'],
}

function moveCommand(random: SeededRandom, keys: KeyDraw): string[] {
  return random.pick([
    () => ['RENAME', keys.key(), keys.key()],
    () => ['RENAMENX', keys.key(), keys.key()],
    () => ['COPY', keys.key(), keys.key()],
    () => ['COPY', keys.key(), keys.key(), 'REPLACE'],
    () => ['COPY', keys.key(), keys.key(), 'DB', random.pick(['0', '1']), 'REPLACE'],
  ])()
}
