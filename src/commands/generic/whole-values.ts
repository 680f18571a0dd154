import { KeyType, type Database } from '../../keyspace/database.js'
import { isSketch } from '../../keyspace/hll-store.js'
import { ExpiryMode } from '../../keyspace/string-store.js'
import type { Ref } from '../../memory/arena.js'
import type { RdbValue } from '../../rdb/value.js'
import type { Call } from '../call.js'

/** KeyType of each type of payload. */
const TYPE_OF: Readonly<Record<RdbValue['type'], number>> = {
  string: KeyType.string,
  hash: KeyType.hash,
  set: KeyType.set,
  zset: KeyType.zset,
  list: KeyType.list,
  stream: KeyType.stream,
}

/** The visible value of a record in the form of a payload, in memory of its own. */
export function rdbValueOf(call: Call, db: Database, ref: Ref): RdbValue {
  const type = db.type(ref)
  if (type !== KeyType.string) return call.keys.store(type).toRdb(db, db.root(ref))
  const { strings } = call
  strings.read(db, ref)
  return { type: 'string', value: new Uint8Array(strings.buf.subarray(strings.off, strings.off + strings.len)) }
}

/** True for a hash whose fields are all due: it is there until they have been removed, but has no value. */
export function isAllDue(call: Call, ref: Ref): boolean {
  if (call.db.type(ref) !== KeyType.hash) return false
  const { hashes } = call.collections
  const root = call.db.root(ref)
  return hashes.hasExpiring(call.db, root) && !hashes.walk(call.db, root).next()
}

/** Writes a value and its expiry (Unix ms, Infinity for none) to a key that holds nothing. */
export function writeRdbValue(
  call: Call,
  value: RdbValue,
  database: number,
  key: Uint8Array,
  off: number,
  len: number,
  at: number,
): void {
  const { effects } = call
  if (value.type === 'string') {
    // A HyperLogLog is dumped as a string; written as what it is, it converges.
    if (isSketch(value.value, 0, value.value.length)) {
      call.collections.hlls.writeRdb(value, database, key, off, len)
      if (at !== Infinity) effects.expire(database, key, off, len, at)
      return
    }
    const mode = at === Infinity ? ExpiryMode.clear : ExpiryMode.set
    effects.setString(database, key, off, len, value.value, 0, value.value.length, mode, at)
    return
  }
  call.keys.store(TYPE_OF[value.type]).writeRdb(value, database, key, off, len)
  if (at !== Infinity) effects.expire(database, key, off, len, at)
}

/** Writes the visible value and the expiry of a record to another key, in place of what that holds. */
export function copyValue(
  call: Call,
  from: Database,
  ref: Ref,
  database: number,
  key: Uint8Array,
  off: number,
  len: number,
): void {
  const { effects, strings } = call
  const at = from.expiresAt(ref)
  const type = from.type(ref)
  if (type === KeyType.string) {
    strings.read(from, ref)
    const mode = at === Infinity ? ExpiryMode.clear : ExpiryMode.set
    effects.setString(database, key, off, len, strings.buf, strings.off, strings.len, mode, at)
    return
  }
  effects.remove(database, key, off, len)
  call.keys.store(type).copy(from, from.root(ref), database, key, off, len)
  if (at !== Infinity) effects.expire(database, key, off, len, at)
}
