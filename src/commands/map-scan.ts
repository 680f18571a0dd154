import { matchesGlob } from '../base/glob.js'
import { ByteList } from '../rdb/byte-list.js'
import type { MapStore } from '../keyspace/map-store.js'
import type { MapCursor } from '../keyspace/map-cursor.js'
import type { Call } from './call.js'
import { CommandError, syntaxError } from './command-error.js'
import type { ArgumentSpec } from './command-spec.js'

const DEFAULT_COUNT = 10
const NO_PATTERN = 0

/** Options of HSCAN and SSCAN, for COMMAND DOCS. */
export const SCAN_ARGUMENTS: readonly ArgumentSpec[] = [
  { name: 'cursor', type: 'integer' },
  { name: 'pattern', type: 'pattern', token: 'MATCH', flags: ['optional'] },
  { name: 'count', type: 'integer', token: 'COUNT', flags: ['optional'] },
]

/** Argument i as a cursor: a decimal number of up to 64 bits. */
export function scanCursor(call: Call, i: number): number {
  const text = call.text(i)
  const cursor = /^\d{1,40}$/.test(text) ? BigInt(text) : -1n
  if (cursor < 0n || cursor >= 2n ** 64n) throw new CommandError('ERR invalid cursor')
  return Number(cursor)
}

/** HSCAN and SSCAN from argument 2 on. A small collection is replied as a whole, whatever COUNT says, as in Redis. */
export function scanMap(call: Call, store: MapStore, type: number, isHash: boolean): void {
  const { reply, db } = call
  const from = scanCursor(call, 2)
  const ref = call.findTypedForRead(1, type)
  if (ref === 0) {
    reply.array(2)
    reply.bulkInteger(0)
    reply.array(0)
    return
  }
  let count = DEFAULT_COUNT
  let pattern = NO_PATTERN
  let withValues = isHash
  for (let i = 3; i < call.argc; i++) {
    const hasValue = i + 1 < call.argc
    if (call.is(i, 'COUNT') && hasValue) {
      count = call.integer(++i)
      if (count < 1) throw syntaxError()
    } else if (call.is(i, 'MATCH') && hasValue) {
      pattern = ++i
      if (call.is(i, '*')) pattern = NO_PATTERN
    } else if (call.is(i, 'NOVALUES')) {
      if (!isHash) throw new CommandError('ERR NOVALUES option can only be used in HSCAN')
      withValues = false
    } else {
      throw syntaxError()
    }
  }
  const root = call.root(ref)
  const found = new ByteList()
  const cursor = store.walk(db, root)
  let next = 0
  if (store.isPacked(db.arena, root)) {
    while (cursor.next()) collect(call, cursor, pattern, withValues, found)
  } else {
    next = from
    for (let looked = 0; looked < count; looked++) {
      next = cursor.scan(next)
      if (cursor.stepped) collect(call, cursor, pattern, withValues, found)
      if (next === 0) break
    }
  }
  reply.array(2)
  reply.bulkInteger(next)
  reply.array(found.count)
  for (let i = 0; i < found.count; i++) reply.bulkBytes(found.at(i))
}

function collect(call: Call, cursor: MapCursor, pattern: number, withValues: boolean, found: ByteList): void {
  const { buf, off, len } = call.request
  if (pattern !== NO_PATTERN && !matchesGlob(buf, off[pattern], len[pattern], cursor.buf, cursor.keyOff, cursor.keyLen)) {
    return
  }
  found.push(cursor.buf, cursor.keyOff, cursor.keyLen)
  if (!withValues) return
  cursor.readValue()
  found.push(cursor.valueBuf, cursor.valueOff, cursor.valueLen)
}
