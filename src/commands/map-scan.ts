import { matchesGlob } from '../base/glob.js'
import { ByteList } from '../rdb/byte-list.js'
import type { MapStore } from '../keyspace/map-store.js'
import type { MapCursor } from '../keyspace/map-cursor.js'
import type { Call } from './call.js'
import { cursorArgument, NO_PATTERN, scanOptions } from './scan-options.js'

/** HSCAN and SSCAN from argument 2 on. A small collection is replied as a whole, whatever COUNT says, as in Redis. */
export function scanMap(call: Call, store: MapStore, type: number, isHash: boolean): void {
  const { reply, db } = call
  const from = Number(cursorArgument(call, 2))
  const ref = call.findTypedForRead(1, type)
  if (ref === 0) {
    reply.array(2)
    reply.bulkInteger(0)
    reply.array(0)
    return
  }
  const { count, pattern, noValues } = scanOptions(call, isHash)
  const withValues = isHash && !noValues
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
