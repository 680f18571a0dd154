import { INT64_MAX } from '../../base/bytes.js'
import { MAX_ID_BYTES, type StreamId } from '../../crdt/stream-id.js'
import type { EntryView } from '../../keyspace/stream-chunk.js'
import { StreamFields } from '../../keyspace/stream-fields.js'
import { MAX_DELIVERIES } from '../../keyspace/stream-pending.js'
import type { StreamSpace } from '../../keyspace/stream-space.js'
import type { ReplyWriter } from '../../resp/reply-writer.js'

/** The ID that was written last. Its first part stays for the next one: of entries that come one after the other many are of the same millisecond. */
const digits = new Uint8Array(MAX_ID_BYTES)
let msHigh = -1
let msLow = -1
let msBytes = 0
const fields = new StreamFields()

export function replyId(reply: ReplyWriter, id: StreamId): void {
  if (id.msLow !== msLow || id.msHigh !== msHigh) {
    msBytes = id.writeMs(digits, 0)
    msHigh = id.msHigh
    msLow = id.msLow
  }
  reply.bulk(digits, 0, msBytes + id.writeSequence(digits, msBytes))
}

/** An entry as Redis gives it: its ID, and names and values in one flat array. */
export function replyEntry(reply: ReplyWriter, space: StreamSpace, entry: EntryView): void {
  reply.array(2)
  replyEntryBody(reply, space, entry)
}

/** The two parts of an entry, for a reply that has more. */
function replyEntryBody(reply: ReplyWriter, space: StreamSpace, entry: EntryView): void {
  space.log.chunks.fields(entry, fields)
  replyId(reply, entry.id)
  reply.array(fields.count * 2)
  for (let i = 0; i < fields.count; i++) {
    reply.bulk(fields.buf, fields.nameOff[i], fields.nameLen[i])
    reply.bulk(fields.buf, fields.valueOff[i], fields.valueLen[i])
  }
}

/** An entry with how long ago and how often it was delivered before. */
export function replyDelivery(
  reply: ReplyWriter,
  space: StreamSpace,
  entry: EntryView,
  idleMs: number,
  deliveries: number,
): void {
  reply.array(4)
  replyEntryBody(reply, space, entry)
  reply.integer(idleMs)
  replyDeliveries(reply, deliveries)
}

export function replyDeliveries(reply: ReplyWriter, deliveries: number): void {
  if (deliveries < MAX_DELIVERIES) reply.integer(deliveries)
  else reply.bigInteger(INT64_MAX)
}
