import type { StreamId } from '../../crdt/stream-id.js'
import { KeyType } from '../../keyspace/database.js'
import type { Ref } from '../../memory/arena.js'
import type { Call } from '../call.js'
import { CommandError } from '../command-error.js'
import { findGroup } from './group-commands.js'
import type { StreamReading } from './stream-arguments.js'

/** What a group is asked for: its new entries. */
export const NEW: StreamId | null = null

/** The arguments of XREAD or XREADGROUP, kept while it is blocked. */
export interface ReadRequest {
  readonly isGroup: boolean
  readonly noAck: boolean
  /** Most entries of each key, of all, and bytes of the reply, which may be exceeded by its first entry; 0: no bound. */
  readonly count: number
  readonly maxCount: number
  readonly maxSize: number
  /** What the bounds of the reply leave to each key; empty without such bounds. */
  readonly limits: number[]
  /** What is pending in the group for at least so long is given first, to whom it may belong; -1: nothing of it. */
  readonly claimIdleMs: number
  /** Argument of the group's name; the consumer's follows. */
  readonly groupArgument: number
  readonly firstKey: number
  readonly keyCount: number
  /** For each key the ID to read behind; NEW for `>`. */
  readonly behind: readonly (StreamId | null)[]
}

/** Most entries that are given of a key. */
export function limitOf({ count, limits, firstKey }: ReadRequest, key: number): number {
  const most = count === 0 ? Infinity : count
  return limits.length === 0 ? most : Math.min(most, limits[key - firstKey])
}

/** Opens the stream of a key and gives the group that XREADGROUP names. */
export function mustHaveGroup(call: Call, stream: StreamReading, key: number, groupArgument: number): Ref {
  const group = stream.open(call, call.findTyped(key, KeyType.stream)) ? findGroup(call, stream, groupArgument) : 0
  if (group !== 0) return group
  throw new CommandError(
    `NOGROUP No such key '${call.text(key)}' or consumer group '${call.text(groupArgument)}' in XREADGROUP with GROUP option`,
  )
}

export function beginReply(call: Call, streams: number): void {
  if (call.reply.protocol === 3) call.reply.map(streams)
  else call.reply.array(streams)
}

export function replyKey(call: Call, key: number): void {
  const { buf, off, len } = call.request
  if (call.reply.protocol === 2) call.reply.array(2)
  call.reply.bulk(buf, off[key], len[key])
}
