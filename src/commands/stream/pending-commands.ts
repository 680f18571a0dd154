import { LIMITS } from '../../base/limits.js'
import { NotificationClass } from '../../base/notification-classes.js'
import { StreamId } from '../../crdt/stream-id.js'
import { deliveredOnceMore } from '../../keyspace/stream-pending.js'
import { StreamPositions } from '../../keyspace/stream-positions.js'
import type { Ref } from '../../memory/arena.js'
import { IndexCursor } from '../../memory/order-index.js'
import type { Call } from '../call.js'
import { CommandError, syntaxError } from '../command-error.js'
import { keyRange, type CommandSpec } from '../command-spec.js'
import { autoclaimSteps, Claims, claimSteps, FIRST_ID, LOOKS_FOR_EACH, type ClaimOptions } from './claim-steps.js'
import { findConsumer, groupOf } from './group-commands.js'
import { seekEntry } from './range-commands.js'
import {
  CONSUMER,
  CONSUMER_ARGUMENT,
  GROUP,
  GROUP_ARGUMENT,
  ID_ARGUMENTS,
  isLongWrite,
  isStrictId,
  KEY,
  KEY_ARGUMENT,
  rangeStart,
  rangeStop,
  strictId,
  StreamReading,
} from './stream-arguments.js'
import { replyDeliveries, replyEntry, replyId } from './stream-reply.js'

/** What was delivered and not acknowledged here: XPENDING, XCLAIM, XAUTOCLAIM. */
const stream = new StreamReading()
const start = new StreamId()
const stop = new StreamId()
const claimed = new StreamPositions()
const gone = new StreamPositions()

const DEFAULT_AUTOCLAIM = 100
const MAX_AUTOCLAIM = 576460752303423487n

function xpending(call: Call): void {
  const { argc } = call
  if (argc === 3) {
    summarize(call, groupOf(call, stream))
    return
  }
  if (argc < 6 || argc > 9) throw syntaxError()
  let first = 3
  let minIdle = 0
  if (call.is(3, 'IDLE')) {
    minIdle = call.integer(4)
    if (argc < 8) throw syntaxError()
    first = 5
  }
  const count = Math.max(0, call.integer(first + 2))
  rangeStart(call, first, start)
  rangeStop(call, first + 1, stop)
  const group = groupOf(call, stream)
  const { groups } = stream.space
  const { pending } = groups
  let words = groups.pendingWords(group)
  let at = groups.pendingAt(group)
  if (first + 3 < argc) {
    const consumer = findConsumer(call, stream, group, first + 3)
    if (consumer === 0) {
      call.reply.array(0)
      return
    }
    words = groups.consumerWords(consumer)
    at = groups.consumerAt(consumer)
  }
  const looks = minIdle > 0 ? pending.index.count(words, at) : Math.min(count, pending.index.count(words, at))
  call.read(1, 1, looks, pendingSteps(call, stream.clone(), words, at, { count, minIdle, from: start.clone(), to: stop.clone() }))
}

/** Entries of an index of pending ones that are so old: they are counted first. */
function* pendingSteps(
  call: Call,
  { space }: StreamReading,
  words: Uint32Array,
  at: number,
  {
    count,
    minIdle,
    from,
    to,
  }: { readonly count: number; readonly minIdle: number; readonly from: StreamId; readonly to: StreamId },
): Generator<undefined, void> {
  const { nowMs } = call
  const { groups } = space
  const { pending } = groups
  const { index } = pending
  const place = new IndexCursor()
  const begin = (): Ref => {
    pending.find(words, at, from, 0, place)
    return index.item(place)
  }
  const isShown = (ref: Ref): boolean => pending.isIdle(ref, nowMs, minIdle)
  let steps = 0
  let shown = 0
  let ref = begin()
  for (; ref !== 0 && shown < count && pending.compareId(ref, to) <= 0; ref = index.next(place)) {
    if (isShown(ref)) shown++
    if (++steps % LIMITS.slicedReadSeek === 0) yield
  }
  call.reply.array(shown)
  const id = new StreamId()
  ref = begin()
  for (let left = shown; left > 0; ref = index.next(place)) {
    if (++steps % LIMITS.slicedReadStep === 0) yield
    if (!isShown(ref)) continue
    const { reply } = call
    reply.array(4)
    replyId(reply, pending.id(ref, id))
    reply.bulkBytes(groups.consumerName(pending.consumer(ref)))
    reply.integer(pending.isReleased(ref) ? -1 : Math.max(0, nowMs - pending.time(ref)))
    replyDeliveries(reply, pending.deliveries(ref))
    left--
  }
}

function summarize(call: Call, group: Ref): void {
  const { reply } = call
  const { groups } = stream.space
  const { pending } = groups
  const count = groups.pendingCount(group)
  reply.array(4)
  reply.integer(count)
  if (count === 0) {
    reply.null()
    reply.null()
    reply.nullArray()
    return
  }
  const words = groups.pendingWords(group)
  const at = groups.pendingAt(group)
  replyId(reply, pending.id(pending.first(words, at), start))
  replyId(reply, pending.id(pending.last(words, at), start))
  const owners = groups.consumers(group).filter((consumer) => groups.consumerPendingCount(consumer) > 0)
  reply.array(owners.length)
  for (const owner of owners) {
    reply.array(2)
    reply.bulkBytes(groups.consumerName(owner))
    reply.bulkInteger(groups.consumerPendingCount(owner))
  }
}

/** Makes the consumer named by argument 3 if there is none, and notes that it was seen. */
function ensureConsumer(call: Call, group: Ref): Ref {
  const consumer = findConsumer(call, stream, group, 3)
  if (consumer !== 0) {
    stream.space.groups.setSeen(consumer, call.nowMs)
    return consumer
  }
  call.collections.streams.writes.createConsumer(KEY.of(call, 1), GROUP.of(call, 2), CONSUMER.of(call, 3))
  call.notify(NotificationClass.stream, 'xgroup-createconsumer', 1)
  return findConsumer(call, stream, group, 3)
}

function parseClaim(call: Call, minIdle: number, first: number, lastId: StreamId): ClaimOptions {
  let deliveredMs = -1
  let retryCount = -1
  let force = false
  let justId = false
  lastId.set(0, 0, 0, 0)
  for (let i = first; i < call.argc; i++) {
    const more = call.argc - 1 - i
    if (call.is(i, 'FORCE')) force = true
    else if (call.is(i, 'JUSTID')) justId = true
    else if (call.is(i, 'IDLE') && more > 0) {
      deliveredMs = call.nowMs - call.integer(++i, 'ERR Invalid IDLE option argument for XCLAIM')
    } else if (call.is(i, 'TIME') && more > 0) {
      deliveredMs = call.integer(++i, 'ERR Invalid TIME option argument for XCLAIM')
    } else if (call.is(i, 'RETRYCOUNT') && more > 0) {
      retryCount = call.integer(++i, 'ERR Invalid RETRYCOUNT option argument for XCLAIM')
    } else if (call.is(i, 'LASTID') && more > 0) {
      strictId(call, ++i, lastId)
    } else {
      throw new CommandError(`ERR Unrecognized XCLAIM option '${call.text(i)}'`)
    }
  }
  // A time that makes no sense is taken for now, as in Redis.
  if (deliveredMs < 0 || deliveredMs > call.nowMs) deliveredMs = call.nowMs
  return { minIdle, deliveredMs, retryCount, force, justId }
}

function xclaim(call: Call): void {
  const group = groupOf(call, stream)
  const minIdle = Math.max(0, call.integer(4, 'ERR Invalid min-idle-time argument for XCLAIM'))
  if (isLongWrite(call, call.argc - FIRST_ID, 1)) {
    const parseOptions = (first: number, lastId: StreamId) => parseClaim(call, minIdle, first, lastId)
    call.writeKeyInSlices(1, claimSteps(call, stream.clone(), group, parseOptions))
    return
  }
  let firstOption = FIRST_ID
  while (firstOption < call.argc && isStrictId(call, firstOption, start)) firstOption++
  const options = parseClaim(call, minIdle, firstOption, stop)
  if (!stream.space.groups.hasComeTo(stream.root, group, stop)) {
    call.collections.streams.writes.pass(KEY.of(call, 1), GROUP.of(call, 2), stop)
  }
  ensureConsumer(call, group)
  const claims = new Claims(stream, group, options, call.nowMs)
  for (const steps = claims.collect(call, FIRST_ID, firstOption); steps.next().done !== true;);
  writeClaims(call, claims, options.deliveredMs)
  replyClaimed(call, claims.claimed, options.justId)
}

/** Writes what is claimed and what has gone from the stream. */
function writeClaims(call: Call, { claimed, gone }: Pick<Claims, 'claimed' | 'gone'>, deliveredMs: number): void {
  const { writes } = call.collections.streams
  KEY.of(call, 1)
  GROUP.of(call, 2)
  if (gone.count > 0) writes.drop(KEY, GROUP, gone)
  if (claimed.count > 0) writes.assign(KEY, GROUP, CONSUMER.of(call, 3), claimed, deliveredMs)
}

function replyClaimed(call: Call, claimed: StreamPositions, justId: boolean): void {
  const { reply } = call
  reply.array(claimed.count)
  for (let i = 0; i < claimed.count; i++) {
    claimed.id(i, start)
    if (justId) {
      replyId(reply, start)
    } else {
      seekEntry(stream, start, claimed.region(i))
      replyEntry(reply, stream.space, stream.space.cursor.entry)
    }
  }
}

function xautoclaim(call: Call): void {
  const minIdle = Math.max(0, call.integer(4, 'ERR Invalid min-idle-time argument for XAUTOCLAIM'))
  rangeStart(call, 5, start)
  let count = DEFAULT_AUTOCLAIM
  let justId = false
  for (let i = 6; i < call.argc; i++) {
    if (call.is(i, 'COUNT') && i + 1 < call.argc) {
      const value = call.integer64(++i, 'ERR COUNT must be > 0')
      if (value < 1n || value > MAX_AUTOCLAIM) throw new CommandError('ERR COUNT must be > 0')
      count = Number(value)
    } else if (call.is(i, 'JUSTID')) {
      justId = true
    } else {
      throw syntaxError()
    }
  }
  const group = groupOf(call, stream)
  const { groups } = stream.space
  const { pending } = groups
  if (isLongWrite(call, Math.min(groups.pendingCount(group), count * LOOKS_FOR_EACH), 1)) {
    const steps = autoclaimSteps(call, stream.clone(), group, { minIdle, start: start.clone(), count, justId })
    call.writeKeyInSlices(1, steps)
    return
  }
  ensureConsumer(call, group)
  claimed.clear()
  gone.clear()
  let looks = count * LOOKS_FOR_EACH
  let ref = pending.seek(groups.pendingWords(group), groups.pendingAt(group), start)
  for (; ref !== 0 && looks > 0 && claimed.count + gone.count < count; ref = pending.nextSought(), looks--) {
    pending.id(ref, stop)
    const region = pending.region(ref)
    if (!seekEntry(stream, stop, region)) gone.push(stop, region)
    else if (pending.isIdle(ref, call.nowMs, minIdle)) {
      const deliveries = pending.deliveries(ref)
      claimed.push(stop, region, justId ? deliveries : deliveredOnceMore(deliveries))
    }
  }
  const { reply } = call
  reply.array(3)
  if (ref === 0) stop.set(0, 0, 0, 0)
  else pending.id(ref, stop)
  replyId(reply, stop)
  writeClaims(call, { claimed, gone }, call.nowMs)
  replyClaimed(call, claimed, justId)
  reply.array(gone.count)
  for (let i = 0; i < gone.count; i++) replyId(reply, gone.id(i, start))
}

export const STREAM_PENDING_COMMANDS: readonly CommandSpec[] = [
  {
    name: 'xpending',
    arity: -3,
    flags: ['readonly'],
    keys: keyRange(1, 1, 1, 'RO', 'access'),
    group: 'stream',
    categories: ['stream'],
    since: '5.0.0',
    summary: 'Tells what a group has pending: in sum, or entry by entry.',
    complexity: 'O(log(N)+M), N being the number of pending entries and M the number that is looked at',
    history: [['6.2.0', 'Option IDLE, and bounds that are not part of the range.']],
    tips: ['nondeterministic_output'],
    arguments: [
      KEY_ARGUMENT,
      GROUP_ARGUMENT,
      {
        name: 'filters',
        type: 'block',
        flags: ['optional'],
        arguments: [
          { name: 'min-idle-time', type: 'integer', token: 'IDLE', flags: ['optional'], since: '6.2.0' },
          { name: 'start', type: 'string' },
          { name: 'end', type: 'string' },
          { name: 'count', type: 'integer' },
          { ...CONSUMER_ARGUMENT, flags: ['optional'] },
        ],
      },
    ],
    handler: xpending,
  },
  {
    name: 'xclaim',
    arity: -6,
    flags: ['write', 'fast'],
    keys: keyRange(1, 1, 1, 'RW', 'update'),
    group: 'stream',
    categories: ['stream'],
    since: '5.0.0',
    summary: 'Gives pending entries of other consumers to one that will work on them.',
    complexity: 'O(log(N)) for each ID, N being the number of pending entries',
    tips: ['nondeterministic_output'],
    arguments: [
      KEY_ARGUMENT,
      GROUP_ARGUMENT,
      CONSUMER_ARGUMENT,
      { name: 'min-idle-time', type: 'string' },
      ID_ARGUMENTS,
      { name: 'ms', type: 'integer', token: 'IDLE', flags: ['optional'] },
      { name: 'unix-time-milliseconds', type: 'unix-time', token: 'TIME', flags: ['optional'] },
      { name: 'count', type: 'integer', token: 'RETRYCOUNT', flags: ['optional'] },
      { name: 'force', type: 'pure-token', token: 'FORCE', flags: ['optional'] },
      { name: 'justid', type: 'pure-token', token: 'JUSTID', flags: ['optional'] },
      { name: 'lastid', type: 'string', token: 'LASTID', flags: ['optional'] },
    ],
    handler: xclaim,
  },
  {
    name: 'xautoclaim',
    arity: -6,
    flags: ['write', 'fast'],
    keys: keyRange(1, 1, 1, 'RW', 'access', 'delete'),
    group: 'stream',
    categories: ['stream'],
    since: '6.2.0',
    summary: 'Gives entries that have been pending for some time to a consumer, one part of the list after the other.',
    complexity: 'O(M log(N)), N being the number of pending entries and M the number that is looked at',
    history: [['7.0.0', 'Pending entries that have gone from the stream are dropped and named.']],
    tips: ['nondeterministic_output'],
    arguments: [
      KEY_ARGUMENT,
      GROUP_ARGUMENT,
      CONSUMER_ARGUMENT,
      { name: 'min-idle-time', type: 'string' },
      { name: 'start', type: 'string' },
      { name: 'count', type: 'integer', token: 'COUNT', flags: ['optional'] },
      { name: 'justid', type: 'pure-token', token: 'JUSTID', flags: ['optional'] },
    ],
    handler: xautoclaim,
  },
]
