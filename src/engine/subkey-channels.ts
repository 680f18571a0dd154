import { allocateBytes, copyBytes, writeInteger } from '../base/bytes.js'
import { LIMITS } from '../base/limits.js'
import { NotificationClass } from '../base/notification-classes.js'
import type { FieldNames } from '../commands/services.js'
import type { PubSub } from './pubsub.js'

/**
 * The channels on which Redis 8.8 says which fields of a hash an event is about. Names may be any bytes, so in a message each comes with its length:
 *
 * ```
 * S  __subkeyspace@<db>__:<key>              <event>|<fields>
 * T  __subkeyevent@<db>__:<event>            <length of key>:<key>|<fields>
 * I  __subkeyspaceitem@<db>__:<key>\n<field> <event>                            a message a field; none for a key with a line feed
 * V  __subkeyspaceevent@<db>__:<event>|<key> <fields>
 *
 * fields = <length>:<field>[,<length>:<field>…]
 * ```
 */
export const SUBKEY_CHANNELS =
  NotificationClass.subkeyspace |
  NotificationClass.subkeyevent |
  NotificationClass.subkeyspaceItem |
  NotificationClass.subkeyspaceEvent

const COLON = 0x3a
const COMMA = 0x2c
const LINE_FEED = 0x0a
/** A length, the colon behind it and the comma before it, at most. */
const LENGTH_ROOM = 17 + 2

/** Publishes an event about at least one field on those of the channels that are selected, in Redis' order, some fields a step. The last step is the one in which it ends. */
export function* publishFields(
  pubsub: PubSub,
  channels: number,
  event: string,
  database: number,
  key: Uint8Array,
  fields: FieldNames,
): Generator<undefined, void> {
  const list = yield* listOf(fields)
  const word = Buffer.from(event)
  if ((channels & NotificationClass.subkeyspace) !== 0) {
    const channel = Buffer.concat([Buffer.from(`__subkeyspace@${database}__:`), key])
    pubsub.deliver(channel, Buffer.concat([Buffer.from(`${event}|`), list]), false)
    if (fields.count > LIMITS.slicedReadSeek) yield
  }
  if ((channels & NotificationClass.subkeyevent) !== 0) {
    const message = Buffer.concat([Buffer.from(`${key.length}:`), key, Buffer.from('|'), list])
    pubsub.deliver(Buffer.from(`__subkeyevent@${database}__:${event}`), message, false)
    if (fields.count > LIMITS.slicedReadSeek) yield
  }
  if ((channels & NotificationClass.subkeyspaceItem) !== 0 && !key.includes(LINE_FEED)) {
    const prefix = Buffer.concat([Buffer.from(`__subkeyspaceitem@${database}__:`), key, Buffer.of(LINE_FEED)])
    for (let i = 0; i < fields.count; i++) {
      pubsub.deliver(Buffer.concat([prefix, fields.at(i)]), word, false)
      if ((i + 1) % LIMITS.slicedReadStep === 0) yield
    }
  }
  if ((channels & NotificationClass.subkeyspaceEvent) !== 0) {
    pubsub.deliver(Buffer.concat([Buffer.from(`__subkeyspaceevent@${database}__:${event}|`), key]), list, false)
  }
}

function* listOf(fields: FieldNames): Generator<undefined, Uint8Array> {
  let room = 0
  for (let i = 0; i < fields.count; i++) {
    room += fields.at(i).length + LENGTH_ROOM
    if ((i + 1) % LIMITS.slicedReadSeek === 0) yield
  }
  const list = allocateBytes(room)
  let end = 0
  for (let i = 0; i < fields.count; i++) {
    const field = fields.at(i)
    if (i > 0) list[end++] = COMMA
    end += writeInteger(field.length, list, end)
    list[end++] = COLON
    copyBytes(field, 0, list, end, field.length)
    end += field.length
    if ((i + 1) % LIMITS.slicedReadSeek === 0) yield
  }
  return list.subarray(0, end)
}
