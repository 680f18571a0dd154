import { hasHeader } from '../../crdt/hyperloglog.js'
import { isSketch, mergeBytes } from '../../keyspace/hll-store.js'
import { KeyType } from '../../keyspace/database.js'
import type { Ref } from '../../memory/arena.js'
import type { Call } from '../call.js'
import { CommandError } from '../command-error.js'

const NOT_A_SKETCH = 'WRONGTYPE Key is not a valid HyperLogLog string value.'
const BROKEN = 'INVALIDOBJ Corrupted HLL object detected'

/** A record that holds a HyperLogLog, as one or in the bytes of a string, or 0; else throws Redis' error. */
export function mustBeSketch(call: Call, ref: Ref): Ref {
  call.mustBeString(ref)
  if (ref === 0 || call.db.type(ref) === KeyType.hll) return ref
  const { strings } = call
  strings.read(call.db, ref)
  if (!hasHeader(strings.buf, strings.off, strings.len)) throw new CommandError(NOT_A_SKETCH)
  return ref
}

export function broken(): CommandError {
  return new CommandError(BROKEN)
}

/** Raises registers, one a byte, to those of a record that mustBeSketch gave. */
export function mergeRecord(call: Call, ref: Ref, registers: Uint8Array): void {
  const { strings } = call
  strings.read(call.db, ref)
  if (!mergeBytes(registers, strings.buf, strings.off, strings.len)) throw broken()
}

/**
 * The root of the HyperLogLog in a record that mustBeSketch gave, for a write to argument i; 0 for none. What stands in a string becomes a HyperLogLog
 * first, in the same op: so it converges from then on.
 */
export function rootForWrite(call: Call, ref: Ref, i: number): Ref {
  if (ref === 0) return 0
  const { db, strings, effects } = call
  if (db.type(ref) === KeyType.hll) return db.root(ref)
  strings.read(db, ref)
  const bytes = strings.buf.slice(strings.off, strings.off + strings.len)
  const at = db.expiresAt(ref)
  const { buf, off, len } = call.request
  // The key only changes its type: to clients it is not new.
  effects.unannounced(() => {
    effects.remove(call.database, buf, off[i], len[i])
    call.collections.hlls.writeWhole(call.database, buf, off[i], len[i], bytes, 0, bytes.length)
    if (at !== Infinity) effects.expire(call.database, buf, off[i], len[i], at)
  })
  return db.root(call.find(i))
}

/** Throws unless the bytes of a record that mustBeSketch gave are sound throughout. */
export function mustBeSound(call: Call, ref: Ref): void {
  if (ref === 0 || call.db.type(ref) === KeyType.hll) return
  const { strings } = call
  strings.read(call.db, ref)
  if (!isSketch(strings.buf, strings.off, strings.len)) throw broken()
}
