import { IdForm, parseStreamId, type StreamId } from '../../crdt/stream-id.js'
import { KeyType } from '../../keyspace/database.js'
import type { StreamSpace } from '../../keyspace/stream-space.js'
import { CHUNKS_WORD } from '../../keyspace/stream-root.js'
import type { Ref } from '../../memory/arena.js'
import type { Call } from '../call.js'
import { CommandError } from '../command-error.js'
import type { ArgumentSpec } from '../command-spec.js'

export const INVALID_ID = 'ERR Invalid stream ID specified as stream command argument'
const MINUS = 45
const PLUS = 43
const OPEN = 40

/** A range of the request, such as a key or the name of a group. Reused from command to command. */
export class ArgumentRange {
  database = 0
  buf: Uint8Array = new Uint8Array(0)
  off = 0
  len = 0

  /** Argument i. */
  of(call: Call, i: number): this {
    const { buf, off, len } = call.request
    this.database = call.database
    this.buf = buf
    this.off = off[i]
    this.len = len[i]
    return this
  }
}

/** The key, group and consumer that the running command is about. */
export const KEY = new ArgumentRange()
export const GROUP = new ArgumentRange()
export const CONSUMER = new ArgumentRange()

/** A stream to read. */
export class StreamReading {
  space!: StreamSpace
  root: Ref = 0

  /** The stream in a record; false when there is none. */
  open(call: Call, ref: Ref): boolean {
    this.space = call.collections.streams.space(call.db.arena)
    this.root = call.root(ref)
    return this.root !== 0
  }

  /** The same for steps, between which this one may be opened elsewhere. */
  clone(): StreamReading {
    return Object.assign(new StreamReading(), { space: this.space, root: this.root })
  }

  get words(): Uint32Array {
    return this.space.roots.words(this.root)
  }

  get at(): number {
    return this.space.roots.at(this.root) + CHUNKS_WORD
  }

  get length(): number {
    return this.space.log.length(this.words, this.at)
  }
}

/** The stream of a key for a command that reads, or null. */
export function openForRead(call: Call, i: number, stream: StreamReading): boolean {
  return stream.open(call, call.findTypedForRead(i, KeyType.stream))
}

export function openForWrite(call: Call, i: number, stream: StreamReading): boolean {
  return stream.open(call, call.findTyped(i, KeyType.stream))
}

/**
 * True when a command that changes so much of streams is to do so in slices: those in argument `firstKey` and the following. Where a key may hold several
 * types the others go with it, in one go.
 */
export function isLongWrite(call: Call, elements: number, firstKey: number, keyCount = 1): boolean {
  if (!call.isLongWrite(elements)) return false
  const { buf, off, len } = call.request
  for (let i = firstKey; i < firstKey + keyCount; i++) if (call.db.mayHide(buf, off[i], len[i])) return false
  return true
}

/** Argument i as an ID; `-` and `+` are none. Where it has no sequence it is 0. */
export function strictId(call: Call, i: number, id: StreamId): void {
  if (!isStrictId(call, i, id)) throw new CommandError(INVALID_ID)
}

export function isStrictId(call: Call, i: number, id: StreamId): boolean {
  const { buf, off, len } = call.request
  const form = parseStreamId(buf, off[i], len[i], id)
  return form === IdForm.full || form === IdForm.msOnly
}

/** As strictId, `-` and `+` being the lowest and the highest ID. */
export function anyId(call: Call, i: number, id: StreamId, missingIsMax: boolean): void {
  const { buf, off, len } = call.request
  if (len[i] === 1 && buf[off[i]] === MINUS) {
    id.set(0, 0, 0, 0)
    return
  }
  if (len[i] === 1 && buf[off[i]] === PLUS) {
    id.setMax()
    return
  }
  const form = parseStreamId(buf, off[i], len[i], id, missingIsMax)
  if (form !== IdForm.full && form !== IdForm.msOnly) throw new CommandError(INVALID_ID)
}

/** The beginning of a range; `(` excludes the ID. */
export function rangeStart(call: Call, i: number, id: StreamId): void {
  if (!rangeEnd(call, i, id, false)) return
  if (!id.increment()) throw new CommandError('ERR invalid start ID for the interval')
}

/** The end of a range. */
export function rangeStop(call: Call, i: number, id: StreamId): void {
  if (!rangeEnd(call, i, id, true)) return
  if (!id.decrement()) throw new CommandError('ERR invalid end ID for the interval')
}

/** True when the ID itself is excluded. */
function rangeEnd(call: Call, i: number, id: StreamId, missingIsMax: boolean): boolean {
  const { buf, off, len } = call.request
  if (len[i] < 2 || buf[off[i]] !== OPEN) {
    anyId(call, i, id, missingIsMax)
    return false
  }
  const form = parseStreamId(buf, off[i] + 1, len[i] - 1, id, missingIsMax)
  if (form !== IdForm.full && form !== IdForm.msOnly) throw new CommandError(INVALID_ID)
  return true
}

/** True when argument i is this one byte. */
export function isByte(call: Call, i: number, byte: number): boolean {
  const { buf, off, len } = call.request
  return len[i] === 1 && buf[off[i]] === byte
}

export const KEY_ARGUMENT: ArgumentSpec = { name: 'key', type: 'key', keySpecIndex: 0 }
export const GROUP_ARGUMENT: ArgumentSpec = { name: 'group', type: 'string' }
export const CONSUMER_ARGUMENT: ArgumentSpec = { name: 'consumer', type: 'string' }
export const ID_ARGUMENTS: ArgumentSpec = { name: 'id', type: 'string', flags: ['multiple'] }
