import { LIMITS } from '../../base/limits.js'
import { StreamId } from '../../crdt/stream-id.js'
import { MAX_REGION } from '../../keyspace/stream-groups.js'
import { comparePosition, StreamCursor } from '../../keyspace/stream-log.js'
import type { StreamSpace } from '../../keyspace/stream-space.js'
import type { Call } from '../call.js'
import { syntaxError } from '../command-error.js'
import { keyRange, type CommandSpec } from '../command-spec.js'
import { KEY_ARGUMENT, openForRead, rangeStart, rangeStop, StreamReading } from './stream-arguments.js'
import { replyEntry } from './stream-reply.js'

/** XRANGE and XREVRANGE. The number of entries is known before the first is written: positions are counted in the index. */
const stream = new StreamReading()
const start = new StreamId()
const stop = new StreamId()

function xrange(call: Call, backwards: boolean): void {
  rangeStart(call, backwards ? 3 : 2, start)
  rangeStop(call, backwards ? 2 : 3, stop)
  let limit = Infinity
  for (let i = 4; i < call.argc; i += 2) {
    if (!call.is(i, 'COUNT') || i + 1 === call.argc) throw syntaxError()
    limit = Math.max(0, call.integer(i + 1))
  }
  if (!openForRead(call, 1, stream)) {
    call.reply.array(0)
    return
  }
  if (limit === 0) {
    call.reply.nullArray()
    return
  }
  replyRange(call, stream, start, stop, limit, backwards, 1)
}

/**
 * Replies with the entries from one ID to another, both included. With `sliceKey`, the argument that is the key, in slices if they are many; else in one
 * go, as a part of a longer reply must be.
 */
export function replyRange(
  call: Call,
  from: StreamReading,
  first: StreamId,
  last: StreamId,
  limit: number,
  backwards = false,
  sliceKey = 0,
): void {
  const { space, words, at } = from
  const { log, cursor } = space
  const { reply } = call
  const end = log.find(words, at, last, MAX_REGION, cursor) ? log.rank(words, at, cursor) : from.length
  const begin = log.find(words, at, first, 0, cursor) ? log.rank(words, at, cursor) : from.length
  const count = Math.min(limit, end - begin)
  if (count <= 0) {
    reply.array(0)
    return
  }
  if (sliceKey > 0 && call.isLong(count)) {
    const apart = new StreamCursor()
    if (backwards) log.findLast(words, at, last, MAX_REGION, apart)
    else log.find(words, at, first, 0, apart)
    call.readInSlices(sliceKey, 1, entrySteps(call, space, apart, count, backwards))
    return
  }
  if (backwards) log.findLast(words, at, last, MAX_REGION, cursor)
  reply.array(count)
  replyEntries(call, space, cursor, count, backwards)
}

/** Replies with so many entries from a cursor on that is nobody else's, as an array. There must be as many. */
export function* entrySteps(
  call: Call,
  space: StreamSpace,
  cursor: StreamCursor,
  count: number,
  backwards: boolean,
): Generator<undefined, void> {
  call.reply.array(count)
  for (let left = count; left > 0; left -= LIMITS.slicedReadStep) {
    replyEntries(call, space, cursor, Math.min(left, LIMITS.slicedReadStep), backwards)
    yield
  }
}

/** Replies with entries from the cursor on and leaves it behind them. There must be as many. */
function replyEntries(call: Call, space: StreamSpace, cursor: StreamCursor, count: number, backwards: boolean): void {
  const { log } = space
  for (let left = count; left > 0; left--) {
    replyEntry(call.reply, space, cursor.entry)
    if (backwards) log.previous(cursor)
    else log.next(cursor)
  }
}

/** Moves the space's cursor to the entry at a position; false when it has gone. */
export function seekEntry(from: StreamReading, id: StreamId, region: number): boolean {
  const { log, cursor } = from.space
  return log.find(from.words, from.at, id, region, cursor) && comparePosition(id, region, cursor.entry) === 0
}

const BOUNDS = [
  { name: 'start', type: 'string' },
  { name: 'end', type: 'string' },
] as const
const COUNT = { name: 'count', type: 'integer', token: 'COUNT', flags: ['optional'] } as const

export const STREAM_RANGE_COMMANDS: readonly CommandSpec[] = [
  {
    name: 'xrange',
    arity: -4,
    flags: ['readonly'],
    keys: keyRange(1, 1, 1, 'RO', 'access'),
    group: 'stream',
    categories: ['stream'],
    since: '5.0.0',
    summary: 'Gives the entries of a stream within a range of IDs.',
    complexity: 'O(log(N)+M), N being the number of entries of the stream and M the number that is given',
    history: [['6.2.0', 'Bounds that are not part of the range.']],
    arguments: [KEY_ARGUMENT, ...BOUNDS, COUNT],
    handler: (call) => xrange(call, false),
  },
  {
    name: 'xrevrange',
    arity: -4,
    flags: ['readonly'],
    keys: keyRange(1, 1, 1, 'RO', 'access'),
    group: 'stream',
    categories: ['stream'],
    since: '5.0.0',
    summary: 'Gives the entries of a stream within a range of IDs, the newest first.',
    complexity: 'O(log(N)+M), N being the number of entries of the stream and M the number that is given',
    history: [['6.2.0', 'Bounds that are not part of the range.']],
    arguments: [KEY_ARGUMENT, BOUNDS[1], BOUNDS[0], COUNT],
    handler: (call) => xrange(call, true),
  },
]
