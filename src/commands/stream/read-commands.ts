import { StreamId } from '../../crdt/stream-id.js'
import { equalBytes } from '../../base/bytes.js'
import { NotificationClass } from '../../base/notification-classes.js'
import { KeyType } from '../../keyspace/database.js'
import { StreamCursor } from '../../keyspace/stream-log.js'
import { deliveredOnceMore } from '../../keyspace/stream-pending.js'
import { StreamPositions } from '../../keyspace/stream-positions.js'
import type { Ref } from '../../memory/arena.js'
import { blockingMilliseconds } from '../blocking-timeout.js'
import type { Call } from '../call.js'
import { CommandError, syntaxError } from '../command-error.js'
import type { ArgumentSpec, CommandSpec, KeySpec } from '../command-spec.js'
import type { KeyToHold, ReadSteps, WriteSteps } from '../services.js'
import { findConsumer, findGroup } from './group-commands.js'
import { ReadCounter } from './group-progress.js'
import { Claimable, readGroupSteps } from './group-read-steps.js'
import { entrySteps, replyRange, seekEntry } from './range-commands.js'
import { isBounded, planSteps } from './read-budget.js'
import { beginReply, limitOf, mustHaveGroup, NEW, replyKey, type ReadRequest } from './read-request.js'
import { CONSUMER, GROUP, isByte, isLongWrite, KEY, strictId, StreamReading } from './stream-arguments.js'
import { replyDelivery, replyEntry, replyId } from './stream-reply.js'

/**
 * XREAD and XREADGROUP, blocking or not. XREAD gives what has a higher ID than the client names, so it may miss an entry that another region added
 * earlier and that arrives later; a group never does.
 */
const DOLLAR = 36
const PLUS = 43
const GREATER = 62
const stream = new StreamReading()
const positions = new StreamPositions()
const counter = new ReadCounter()
const scratch = new StreamId()
const stop = new StreamId()

function read(call: Call, isGroup: boolean): void {
  let timeoutMs = -1
  let count = 0
  let maxCount = 0
  let maxSize = 0
  let noAck = false
  let claimIdleMs = -1
  let groupArgument = 0
  let firstKey = 0
  let keyCount = 0
  for (let i = 1; i < call.argc; i++) {
    const more = call.argc - i - 1
    if (call.is(i, 'BLOCK') && more > 0) {
      timeoutMs = blockingMilliseconds(call, ++i)
    } else if (call.is(i, 'COUNT') && more > 0) {
      count = Math.max(0, call.integer(++i))
    } else if (call.is(i, 'MAXCOUNT') && more > 0) {
      maxCount = positive(call, ++i, 'MAXCOUNT')
    } else if (call.is(i, 'MAXSIZE') && more > 0) {
      maxSize = positive(call, ++i, 'MAXSIZE')
    } else if (call.is(i, 'STREAMS') && more > 0) {
      firstKey = i + 1
      if (more % 2 !== 0) {
        const [name, what] = isGroup ? ['xreadgroup', "ID or '>'"] : ['xread', "ID, '+', or '$'"]
        throw new CommandError(`ERR Unbalanced '${name}' list of streams: for each stream key an ${what} must be specified.`)
      }
      keyCount = more / 2
      break
    } else if (call.is(i, 'GROUP') && more > 1) {
      if (!isGroup) throw onlyForGroups('GROUP')
      groupArgument = i + 1
      i += 2
    } else if (call.is(i, 'CLAIM') && more > 0) {
      if (!isGroup) throw onlyForGroups('CLAIM')
      claimIdleMs = Number(call.integer64(++i, 'ERR min-idle-time is not an integer'))
      if (claimIdleMs < 0) throw new CommandError('ERR min-idle-time must be a positive integer')
    } else if (call.is(i, 'NOACK')) {
      if (!isGroup) throw onlyForGroups('NOACK')
      noAck = true
    } else {
      throw syntaxError()
    }
  }
  if (firstKey === 0) throw syntaxError()
  if (isGroup && groupArgument === 0) throw new CommandError('ERR Missing GROUP option for XREADGROUP')
  if (maxCount > 0 && maxCount < count) throw new CommandError('ERR MAXCOUNT must be greater than or equal to COUNT')
  const behind: (StreamId | null)[] = []
  for (let i = 0; i < keyCount; i++) behind.push(parseBehind(call, firstKey + i, firstKey + keyCount + i, isGroup, groupArgument))
  const limits: number[] = []
  const request: ReadRequest = {
    isGroup,
    noAck,
    count,
    maxCount,
    maxSize,
    limits,
    claimIdleMs,
    groupArgument,
    firstKey,
    keyCount,
    behind,
  }
  if (isGroup && orderInSlices(call, request)) return
  const serves = isGroup ? serveGroup : serve
  if (serves(call, request, false)) return
  // One that was being answered in slices, and whose entries have gone meanwhile, waits no more.
  if (timeoutMs < 0 || call.session.blocked !== null) {
    if (isGroup) ensureConsumers(call, request)
    dropGone(call, request)
    call.reply.nullArray()
    return
  }
  call.blockOn({
    firstKey,
    keyCount,
    type: KeyType.stream,
    timeoutMs,
    alsoWhenGone: isGroup,
    retry: (again) => {
      // A group or its stream may have gone: then the answer is the error that a new command would get.
      if (isGroup) for (let i = 0; i < keyCount; i++) mustHaveGroup(again, stream, firstKey + i, groupArgument)
      return serves(again, request, true)
    },
    ...(claimIdleMs >= 0 && { retryAfterMs: (again: Call) => untilClaimable(again, request) }),
  })
  if (isGroup) ensureConsumers(call, request)
  dropGone(call, request)
}

function positive(call: Call, i: number, option: string): number {
  const value = call.integer(i)
  if (value <= 0) throw new CommandError(`ERR ${option} must be a positive integer`)
  return value
}

function onlyForGroups(option: string): CommandError {
  return new CommandError(`ERR The ${option} option is only supported by XREADGROUP. You called XREAD instead.`)
}

function meaningless(symbol: string): CommandError {
  return new CommandError(
    `ERR The ${symbol} ID is meaningless in the context of XREADGROUP: you want to read the history of this consumer by specifying a proper ID, or use the > ID to get new messages. The ${symbol} ID would just return an empty result set.`,
  )
}

function parseBehind(call: Call, key: number, argument: number, isGroup: boolean, groupArgument: number): StreamId | null {
  const exists = stream.open(call, call.findTypedForRead(key, KeyType.stream))
  if (isGroup) mustHaveGroup(call, stream, key, groupArgument)
  const id = new StreamId()
  if (isByte(call, argument, DOLLAR)) {
    if (isGroup) throw meaningless('$')
    return exists ? stream.space.roots.lastId(stream.root, id) : id
  }
  if (isByte(call, argument, PLUS)) {
    if (isGroup) throw meaningless('+')
    if (exists && !stream.space.roots.lastId(stream.root, id).decrement()) {
      throw new CommandError('ERR the stream last element ID is 0-0')
    }
    return id
  }
  if (isByte(call, argument, GREATER)) {
    if (isGroup) return NEW
    throw new CommandError(
      'ERR The > ID can be specified only when calling XREADGROUP using the GROUP <group> <consumer> option.',
    )
  }
  strictId(call, argument, id)
  return id
}

/** XREAD: true when at least one stream had something, and the reply is written or, of a command that has just come, under way. */
function serve(call: Call, request: ReadRequest, isRetry: boolean): boolean {
  request.limits.length = 0
  const ready: number[] = []
  let entries = 0
  for (let i = 0; i < request.keyCount; i++) {
    const id = request.behind[i]
    const key = request.firstKey + i
    // Redis looks for a key twice, for its type and for what it holds, and counts and tells of both. parseBehind was the first time.
    if (id === null || !openKey(call, key, isRetry ? call.find(key) : call.findForRead(key))) continue
    if (stream.space.log.last(stream.words, stream.at, stream.space.cursor) && stream.space.cursor.entry.id.compare(id) > 0) {
      ready.push(i)
      entries += Math.min(countBehind(id), limitOf(request, key))
    }
  }
  if (ready.length === 0) return false
  if (call.isLong(Math.min(entries, request.maxCount || Infinity))) {
    const steps = readSteps(call, request, ready)
    // A client that has waited reads what woke it: nobody may write to that meanwhile, which would have to start it again, from what its arguments say now.
    if (isRetry) call.writeInSlices(keysOf(call, request, NO_KEYS), steps)
    else call.readInSlices(request.firstKey, request.keyCount, steps)
    return true
  }
  const given = plan(call, request, ready)
  beginReply(call, given.length)
  for (const i of given) {
    const id = request.behind[i] ?? scratch
    openKey(call, request.firstKey + i)
    replyKey(call, request.firstKey + i)
    scratch.copyFrom(id).increment()
    replyRange(call, stream, scratch, stop.setMax(), limitOf(request, request.firstKey + i))
  }
  return true
}

/** The ready keys that are part of the reply, in one go. */
function plan(call: Call, request: ReadRequest, ready: readonly number[]): readonly number[] {
  if (!isBounded(request)) return ready
  const steps = planSteps(call, request, ready)
  for (;;) {
    const step = steps.next()
    if (step.done === true) return step.value
  }
}

/** Entries of the open stream behind an ID. */
function countBehind(id: StreamId): number {
  const { words, at, length } = stream
  const { log, cursor } = stream.space
  const isThere = scratch.copyFrom(id).increment() && log.find(words, at, scratch, 0, cursor)
  return isThere ? length - log.rank(words, at, cursor) : 0
}

/** What serve replies, in slices. */
function* readSteps(call: Call, request: ReadRequest, ready: readonly number[]): ReadSteps {
  const given = isBounded(request) ? yield* planSteps(call, request, ready) : ready
  beginReply(call, given.length)
  for (const i of given) {
    const id = request.behind[i]
    if (id === null || !openKey(call, request.firstKey + i)) continue
    replyKey(call, request.firstKey + i)
    const count = Math.min(countBehind(id), limitOf(request, request.firstKey + i))
    const apart = new StreamCursor()
    stream.space.log.find(stream.words, stream.at, scratch, 0, apart)
    yield* entrySteps(call, stream.space, apart, count, false)
  }
}

function openKey(call: Call, i: number, ref = call.find(i)): boolean {
  return ref !== 0 && call.db.type(ref) === KeyType.stream && stream.open(call, ref)
}

/** The keys, of which those of some indexes are written. */
function keysOf(call: Call, { firstKey, behind }: ReadRequest, written: readonly number[]): readonly KeyToHold[] {
  const { database } = call
  return behind.map((_, i) => ({ database, argument: firstKey + i, isWritten: written.includes(i) }))
}

/**
 * CLAIM where very many are pending, and their order by time has not been made yet, without which it cannot be said whether any of them have been so for long enough: true, and
 * it is made in slices, after which the command is run again. Not in EXEC.
 */
function orderInSlices(call: Call, request: ReadRequest): boolean {
  if (request.claimIdleMs < 0 || call.engine.isInExec) return false
  const { firstKey, keyCount, groupArgument, behind } = request
  let pending = 0
  for (let i = 0; i < keyCount; i++) {
    if (behind[i] !== NEW) continue
    const group = mustHaveGroup(call, stream, firstKey + i, groupArgument)
    const { groups } = stream.space
    if (!groups.isTimed(group)) pending += groups.pendingCount(group)
  }
  if (!isLongWrite(call, pending, firstKey, keyCount)) return false
  call.writeInSlices(keysOf(call, request, NO_KEYS), orderSteps(call, request))
  return true
}

function* orderSteps(call: Call, { firstKey, keyCount, groupArgument, behind }: ReadRequest): WriteSteps {
  for (let i = 0; i < keyCount; i++) {
    if (behind[i] !== NEW) continue
    const group = mustHaveGroup(call, stream, firstKey + i, groupArgument)
    yield* stream.space.groups.orderByTime(group)
  }
  yield 'again'
}

/** XREADGROUP: as serve. What is served is written as pending before the reply. */
function serveGroup(call: Call, request: ReadRequest): boolean {
  request.limits.length = 0
  const ready: number[] = []
  for (let i = 0; i < request.keyCount; i++) {
    if (request.behind[i] !== null) {
      ready.push(i)
      continue
    }
    const group = mustHaveGroup(call, stream, request.firstKey + i, request.groupArgument)
    // A key that is named more than once has what the times before have left.
    const before = timesBefore(call, request, i)
    if (
      before === 0
        ? hasClaimable(call, request, group) || hasNew(group)
        : request.count > 0 && hasNewBehind(group, before * request.count)
    )
      ready.push(i)
  }
  if (ready.length === 0) return false
  if (isLongRead(call, request, ready)) {
    call.writeInSlices(keysOf(call, request, ready), readGroupSteps(call, request, ready))
    return true
  }
  const given = plan(call, request, ready)
  ensureConsumers(call, request)
  beginReply(call, given.length)
  for (const i of given) {
    const key = request.firstKey + i
    const group = mustHaveGroup(call, stream, key, request.groupArgument)
    replyKey(call, key)
    const id = request.behind[i]
    if (id === null) deliver(call, request, key, group)
    else replyHistory(call, request, key, group, id)
  }
  return true
}

/** True when very many entries are to be given, each key by itself. */
function isLongRead(call: Call, request: ReadRequest, ready: readonly number[]): boolean {
  const { groups, log, cursor } = stream.space
  let entries = 0
  for (const i of ready) {
    const group = mustHaveGroup(call, stream, request.firstKey + i, request.groupArgument)
    const claims = request.claimIdleMs >= 0 && request.behind[i] === NEW
    let most = claims ? groups.pendingCount(group) : 0
    if (request.behind[i] !== NEW) {
      const consumer = findConsumer(call, stream, group, request.groupArgument + 1)
      if (consumer !== 0) most = groups.consumerPendingCount(consumer)
    } else if (groups.seekFrontier(stream.root, group, cursor)) {
      most += stream.length - log.rank(stream.words, stream.at, cursor)
    }
    entries += Math.min(most, limitOf(request, request.firstKey + i))
  }
  entries = Math.min(entries, request.maxCount || Infinity)
  if (!isLongWrite(call, entries, request.firstKey, request.keyCount)) return false
  return new Set(request.behind.map((_, i) => call.text(request.firstKey + i))).size === request.keyCount
}

/** True when there is an entry in the stream that has been pending for long enough. */
function hasClaimable(call: Call, request: ReadRequest, group: Ref): boolean {
  if (request.claimIdleMs < 0) return false
  return longestInStream(group, call.nowMs - request.claimIdleMs) !== 0
}

/** The entry in the stream that has been pending the longest, if it was delivered before then; 0 for none. */
function longestInStream(group: Ref, beforeMs: number): Ref {
  const { groups } = stream.space
  const { pending } = groups
  for (let ref = groups.longestPending(group); ref !== 0 && pending.time(ref) <= beforeMs; ref = groups.nextLongest()) {
    if (seekEntry(stream, pending.id(ref, stop), pending.region(ref))) return ref
  }
  return 0
}

/** What is pending for long enough: at most `limit` entries of the stream into `claimed`, and what has gone from it into `gone`. */
function findClaimable(call: Call, request: ReadRequest, group: Ref, limit: number): void {
  claimable.clear()
  const { claimIdleMs } = request
  if (claimIdleMs < 0) return
  const { groups } = stream.space
  let ref = groups.longestPending(group)
  while (ref !== 0 && claimable.takes(stream, ref, call.nowMs, claimIdleMs, limit)) ref = groups.nextLongest()
}

/** What is pending for long enough and has gone from the stream: nobody can work on it, so it is not pending any more. */
function dropGone(call: Call, request: ReadRequest): void {
  if (request.claimIdleMs < 0) return
  for (let i = 0; i < request.keyCount; i++) {
    if (request.behind[i] !== NEW) continue
    const key = request.firstKey + i
    findClaimable(call, request, mustHaveGroup(call, stream, key, request.groupArgument), Infinity)
    if (gone.count > 0) {
      call.collections.streams.writes.drop(KEY.of(call, key), GROUP.of(call, request.groupArgument), gone)
    }
  }
}

/** Milliseconds until something will have been pending for long enough, null for never. */
function untilClaimable(call: Call, request: ReadRequest): number | null {
  let first = Infinity
  for (let i = 0; i < request.keyCount; i++) {
    if (request.behind[i] !== NEW || !openKey(call, request.firstKey + i)) continue
    const group = findGroup(call, stream, request.groupArgument)
    const longest = group === 0 ? 0 : longestInStream(group, Infinity)
    if (longest !== 0) first = Math.min(first, stream.space.groups.pending.time(longest) + request.claimIdleMs)
  }
  const delayMs = Math.max(1, first - call.nowMs)
  return delayMs < NEVER_MS ? delayMs : null
}

/** True when there is an entry that is not done; what is done before it is passed. */
function hasNew(group: Ref): boolean {
  const { groups, cursor, log } = stream.space
  let on = groups.seekFrontier(stream.root, group, cursor)
  for (; on; on = log.next(cursor)) {
    const { entry } = cursor
    if (!groups.isDone(group, entry)) return true
    groups.pass(group, entry.member, entry.id, entry.region)
  }
  groups.sweep(group)
  return false
}

/** How often the key at an index is asked for new entries before. */
function timesBefore(call: Call, request: ReadRequest, index: number): number {
  if (index === 0) return 0
  const { buf, off, len } = call.request
  const key = request.firstKey + index
  let times = 0
  for (let i = 0; i < index; i++) {
    const other = request.firstKey + i
    if (request.behind[i] === NEW && len[other] === len[key] && equalBytes(buf, off[other], buf, off[key], len[key])) times++
  }
  return times
}

/** True when there are more entries that are not done than so many. */
function hasNewBehind(group: Ref, skipped: number): boolean {
  const { groups, cursor, log } = stream.space
  let left = skipped
  for (let on = groups.seekFrontier(stream.root, group, cursor); on; on = log.next(cursor)) {
    if (!groups.isDone(group, cursor.entry) && left-- === 0) return true
  }
  return false
}

/** Makes the consumer where it is missing, and notes that it was seen. */
function ensureConsumers(call: Call, request: ReadRequest): void {
  const consumerArgument = request.groupArgument + 1
  for (let i = 0; i < request.keyCount; i++) {
    const key = request.firstKey + i
    const group = mustHaveGroup(call, stream, key, request.groupArgument)
    const consumer = findConsumer(call, stream, group, consumerArgument)
    if (consumer !== 0) {
      stream.space.groups.setSeen(consumer, call.nowMs)
      continue
    }
    call.collections.streams.writes.createConsumer(
      KEY.of(call, key),
      GROUP.of(call, request.groupArgument),
      CONSUMER.of(call, consumerArgument),
    )
    call.notify(NotificationClass.stream, 'xgroup-createconsumer', key)
  }
}

function deliver(call: Call, request: ReadRequest, key: number, group: Ref): void {
  const { space } = stream
  const { groups, log, cursor } = space
  const most = limitOf(request, key)
  findClaimable(call, request, group, most)
  const limit = most - claimed.count
  positions.clear()
  counter.begin(stream, group)
  let on = groups.seekFrontier(stream.root, group, cursor)
  for (; on && positions.count < limit; on = log.next(cursor)) {
    const { entry } = cursor
    if (groups.isDone(group, entry)) continue
    positions.push(entry.id, entry.region, entry.member)
    counter.delivered(entry.id)
  }
  KEY.of(call, key)
  GROUP.of(call, request.groupArgument)
  CONSUMER.of(call, request.groupArgument + 1)
  const { writes } = call.collections.streams
  if (gone.count > 0) writes.drop(KEY, GROUP, gone)
  call.reply.array(claimed.count + positions.count)
  for (let i = 0; i < claimed.count; i++) {
    seekEntry(stream, claimed.id(i, stop), claimed.region(i))
    replyDelivery(call.reply, space, cursor.entry, claimable.idleMs.at(i), claimed.number(i))
    claimed.setNumber(i, deliveredOnceMore(claimed.number(i)))
  }
  if (claimed.count > 0) writes.assign(KEY, GROUP, CONSUMER, claimed, call.nowMs)
  if (positions.count === 0) return
  if (request.noAck) writes.readWithoutPending(KEY, GROUP, positions, counter.value)
  else writes.deliver(KEY, GROUP, CONSUMER, positions, counter.value)
  on = log.find(stream.words, stream.at, positions.id(0, scratch), positions.region(0), cursor)
  for (let i = 0; i < positions.count;) {
    if (cursor.entry.id.compare(positions.id(i, scratch)) === 0 && cursor.entry.region === positions.region(i)) {
      if (request.claimIdleMs >= 0) replyDelivery(call.reply, space, cursor.entry, 0, 0)
      else replyEntry(call.reply, space, cursor.entry)
      i++
    }
    log.next(cursor)
  }
}

/** What a consumer has pending behind an ID: delivered once more. */
function replyHistory(call: Call, request: ReadRequest, key: number, group: Ref, behind: StreamId): void {
  const { groups } = stream.space
  const { pending } = groups
  const consumer = findConsumer(call, stream, group, request.groupArgument + 1)
  const limit = limitOf(request, key)
  positions.clear()
  const from = scratch.copyFrom(behind)
  if (from.increment()) {
    let ref = pending.seek(groups.consumerWords(consumer), groups.consumerAt(consumer), from)
    for (; ref !== 0 && positions.count < limit; ref = pending.nextSought()) {
      const region = pending.region(ref)
      positions.push(pending.id(ref, stop), region, deliveredOnceMore(pending.deliveries(ref)))
    }
  }
  call.reply.array(positions.count)
  again.clear()
  for (let i = 0; i < positions.count; i++) {
    positions.id(i, stop)
    const region = positions.region(i)
    if (seekEntry(stream, stop, region)) {
      replyEntry(call.reply, stream.space, stream.space.cursor.entry)
      again.push(stop, region, positions.number(i))
    } else {
      call.reply.array(2)
      replyId(call.reply, stop)
      call.reply.nullArray()
    }
  }
  if (again.count === 0) return
  KEY.of(call, key)
  GROUP.of(call, request.groupArgument)
  CONSUMER.of(call, request.groupArgument + 1)
  call.collections.streams.writes.redeliver(KEY, GROUP, CONSUMER, again)
}

const again = new StreamPositions()
/** What CLAIM found. */
const claimable = new Claimable()
const { claimed, gone } = claimable
const NO_KEYS: readonly number[] = []
/** A time that nobody waits for. */
const NEVER_MS = 2 ** 47

const STREAMS: ArgumentSpec = {
  name: 'streams',
  type: 'block',
  token: 'STREAMS',
  arguments: [
    { name: 'key', type: 'key', keySpecIndex: 0, flags: ['multiple'] },
    { name: 'id', type: 'string', flags: ['multiple'] },
  ],
}
const COUNT: ArgumentSpec = { name: 'count', type: 'integer', token: 'COUNT', flags: ['optional'] }
const MAX_COUNT: ArgumentSpec = {
  name: 'maxcount',
  type: 'integer',
  token: 'MAXCOUNT',
  flags: ['optional'],
  since: '8.10.0',
}
const MAX_SIZE: ArgumentSpec = { name: 'maxsize', type: 'integer', token: 'MAXSIZE', flags: ['optional'], since: '8.10.0' }
const BLOCK: ArgumentSpec = { name: 'milliseconds', type: 'integer', token: 'BLOCK', flags: ['optional'] }

function keysBehind(startFrom: number): readonly KeySpec[] {
  return [
    {
      flags: ['RO', 'access'],
      beginSearch: { keyword: 'STREAMS', startFrom },
      findKeys: { lastKey: -1, step: 1, limit: 2 },
    },
  ]
}

export const STREAM_READ_COMMANDS: readonly CommandSpec[] = [
  {
    name: 'xread',
    arity: -4,
    flags: ['readonly', 'blocking', 'movablekeys'],
    keys: keysBehind(1),
    group: 'stream',
    categories: ['stream'],
    since: '5.0.0',
    summary: 'Gives the entries of streams with higher IDs than the given ones; may wait for them.',
    complexity: 'O(log(N)+M) for each stream, N being the number of its entries and M the number that is given',
    history: [['8.10.0', 'Options MAXCOUNT and MAXSIZE.']],
    arguments: [COUNT, MAX_COUNT, MAX_SIZE, BLOCK, STREAMS],
    handler: (call) => read(call, false),
  },
  {
    name: 'xreadgroup',
    arity: -7,
    flags: ['write', 'blocking', 'movablekeys'],
    keys: keysBehind(4),
    group: 'stream',
    categories: ['stream'],
    since: '5.0.0',
    summary: 'Gives a consumer entries that its group has not read yet, or what it has pending; may wait for them.',
    complexity: 'O(log(N)+M) for each stream, N being the number of its entries and M the number that is given',
    history: [
      ['8.4.0', 'Option CLAIM.'],
      ['8.10.0', 'Options MAXCOUNT and MAXSIZE.'],
    ],
    arguments: [
      {
        name: 'group-block',
        type: 'block',
        token: 'GROUP',
        arguments: [
          { name: 'group', type: 'string' },
          { name: 'consumer', type: 'string' },
        ],
      },
      COUNT,
      MAX_COUNT,
      MAX_SIZE,
      BLOCK,
      { name: 'min-idle-time', type: 'integer', token: 'CLAIM', flags: ['optional'], since: '8.4.0' },
      { name: 'noack', type: 'pure-token', token: 'NOACK', flags: ['optional'] },
      STREAMS,
    ],
    handler: (call) => read(call, true),
  },
]
