import { DoubleList } from '../../base/double-list.js'
import { LIMITS } from '../../base/limits.js'
import { NotificationClass } from '../../base/notification-classes.js'
import { StreamId } from '../../crdt/stream-id.js'
import { comparePosition, StreamCursor } from '../../keyspace/stream-log.js'
import { AssignmentWriter, buildConsumer, DeliveryWriter, DropWriter, ReadWriter } from '../../keyspace/stream-op-writers.js'
import { deliveredOnceMore } from '../../keyspace/stream-pending.js'
import { StreamPositions } from '../../keyspace/stream-positions.js'
import type { Ref } from '../../memory/arena.js'
import { IndexCursor } from '../../memory/order-index.js'
import type { Call } from '../call.js'
import type { WriteSteps } from '../services.js'
import { findConsumer } from './group-commands.js'
import { ReadCounter } from './group-progress.js'
import { isBounded, planSteps } from './read-budget.js'
import { beginReply, limitOf, mustHaveGroup, replyKey, type ReadRequest } from './read-request.js'
import { ArgumentRange, StreamReading } from './stream-arguments.js'
import { replyDelivery, replyEntry, replyId } from './stream-reply.js'

/**
 * XREADGROUP of many entries, in slices: they are counted first, then replied and written as pending one after the other. Nothing is kept of them in
 * between, as nobody else writes to the streams meanwhile.
 */
export function* readGroupSteps(call: Call, request: ReadRequest, ready: readonly number[]): WriteSteps {
  const { op } = call
  const at = new GroupPlace(call, request)
  const given = isBounded(request) ? yield* planSteps(call, request, ready) : ready
  const newcomers: number[] = []
  for (let i = 0; i < request.keyCount; i++) {
    if (at.open(i).consumer !== 0) {
      at.stream.space.groups.setSeen(at.consumer, at.now)
      continue
    }
    newcomers.push(at.key)
    buildConsumer(op, call.place(at.key), at.groupName, at.consumerName, at.now)
  }
  beginReply(call, given.length)
  for (const i of given) {
    at.open(i)
    replyKey(call, at.key)
    const behind = request.behind[i]
    yield* behind === null ? deliverSteps(at) : redeliverSteps(at, behind)
  }
  if (op.effects > 0) yield 'commit'
  for (const key of newcomers) call.notify(NotificationClass.stream, 'xgroup-createconsumer', key)
}

/** A key of the command with the group and the consumer; good from step to step. */
class GroupPlace {
  readonly stream = new StreamReading()
  readonly groupName: ArgumentRange
  readonly consumerName: ArgumentRange
  /** Of all deliveries, which are one. */
  readonly now: number
  key = 0
  group: Ref = 0
  /** 0 where it is only coming. */
  consumer: Ref = 0

  constructor(
    readonly call: Call,
    readonly request: ReadRequest,
  ) {
    this.groupName = new ArgumentRange().of(call, request.groupArgument)
    this.consumerName = new ArgumentRange().of(call, request.groupArgument + 1)
    this.now = call.nowMs
  }

  open(i: number): this {
    const { call, request, stream } = this
    this.key = request.firstKey + i
    this.group = mustHaveGroup(call, stream, this.key, request.groupArgument)
    this.consumer = findConsumer(call, stream, this.group, request.groupArgument + 1)
    return this
  }
}

/** Most entries that have gone from their stream which one command drops: some milliseconds. */
const MAX_GONE = 4096

/** What CLAIM finds. It is reused. */
export class Claimable {
  /** The number of each is its deliveries before this one. */
  readonly claimed = new StreamPositions()
  readonly idleMs = new DoubleList()
  readonly gone = new StreamPositions()
  private readonly cursor = new StreamCursor()
  private readonly id = new StreamId()

  clear(): void {
    this.claimed.clear()
    this.idleMs.clear()
    this.gone.clear()
  }

  /** Takes what is pending if it has been so for `leastIdleMs`; false when it has not, or when there are `limit`. now: Unix ms. */
  takes({ space, words, at }: StreamReading, ref: Ref, now: number, leastIdleMs: number, limit: number): boolean {
    const { claimed, idleMs, gone, cursor, id } = this
    const { pending } = space.groups
    const idle = now - pending.time(ref)
    if (idle < leastIdleMs || claimed.count === limit || gone.count === MAX_GONE) return false
    const region = pending.region(ref)
    pending.id(ref, id)
    if (space.log.find(words, at, id, region, cursor) && comparePosition(id, region, cursor.entry) === 0) {
      claimed.push(id, region, pending.deliveries(ref))
      idleMs.push(Math.max(0, idle))
    } else {
      gone.push(id, region)
    }
    return true
  }
}

/** What is pending for long enough, at most so much. */
function* claimableSteps({ stream, request, group, now }: GroupPlace, limit: number): Generator<undefined, Claimable> {
  const found = new Claimable()
  const { claimIdleMs } = request
  if (claimIdleMs < 0) return found
  const { groups } = stream.space
  const place = new IndexCursor()
  let steps = 0
  yield* groups.orderByTime(group)
  let ref = groups.longestPending(group, place)
  for (; ref !== 0 && found.takes(stream, ref, now, claimIdleMs, limit); ref = groups.nextLongest(place)) {
    if (++steps % LIMITS.slicedReadStep === 0) yield
  }
  return found
}

/** Says that they are the consumer's, and replies with them. */
function* claimSteps(at: GroupPlace, { claimed, idleMs, gone }: Claimable): Generator<undefined, void> {
  const { call, stream, key, groupName, consumerName, now } = at
  const place = call.place(key)
  const { space, words, at: chunks } = stream
  const id = new StreamId()
  const drops = new DropWriter(call.op, place, groupName)
  for (let i = 0; i < gone.count; i++) {
    drops.push(gone.id(i, id), gone.region(i))
    if (i % LIMITS.slicedReadStep === 0) yield
  }
  drops.end()
  const writer = new AssignmentWriter(call.op, place, groupName, consumerName, now)
  const cursor = new StreamCursor()
  for (let i = 0; i < claimed.count; i++) {
    claimed.id(i, id)
    writer.push(id, claimed.region(i), deliveredOnceMore(claimed.number(i)), now)
    space.log.find(words, chunks, id, claimed.region(i), cursor)
    replyDelivery(call.reply, space, cursor.entry, idleMs.at(i), claimed.number(i))
    if (i % LIMITS.slicedReadStep === 0) yield
  }
  writer.end()
}

/** What may be claimed, then new entries. */
function* deliverSteps(at: GroupPlace): Generator<undefined, void> {
  const { call, request, stream, key, group, groupName, consumerName, now } = at
  const { space, root } = stream
  const { groups, log } = space
  const most = limitOf(request, key)
  const claimable = yield* claimableSteps(at, most)
  const limit = most - claimable.claimed.count
  const cursor = new StreamCursor()
  let steps = 0
  let count = 0
  for (let on = groups.seekFrontier(root, group, cursor); on && count < limit; on = log.next(cursor)) {
    if (!groups.isDone(group, cursor.entry)) count++
    if (++steps % LIMITS.slicedReadSeek === 0) yield
  }
  call.reply.array(claimable.claimed.count + count)
  yield* claimSteps(at, claimable)
  const counter = new ReadCounter()
  counter.begin(stream, group)
  const place = call.place(key)
  const read = request.noAck ? new ReadWriter(call.op, place, groupName) : null
  const delivery = new DeliveryWriter(call.op, place, groupName, consumerName, now)
  let on = groups.seekFrontier(root, group, cursor)
  for (let left = count; left > 0 && on; on = log.next(cursor)) {
    if (++steps % LIMITS.slicedReadStep === 0) yield
    const { entry } = cursor
    if (groups.isDone(group, entry)) continue
    left--
    counter.delivered(entry.id)
    if (read === null) delivery.push(entry.id, entry.region, entry.member, counter.value)
    else read.push(entry.id, entry.region, counter.value)
    if (request.claimIdleMs >= 0) replyDelivery(call.reply, space, entry, 0, 0)
    else replyEntry(call.reply, space, entry)
  }
  read?.end()
  delivery.end()
}

/** What the consumer has pending behind an ID. */
function* redeliverSteps(
  { call, request, stream, key, consumer, groupName, consumerName, now }: GroupPlace,
  behind: StreamId,
): Generator<undefined, void> {
  const { space, words, at } = stream
  const { groups, log } = space
  const { pending } = groups
  const { index } = pending
  const from = behind.clone()
  if (consumer === 0 || !from.increment()) {
    call.reply.array(0)
    return
  }
  const limit = limitOf(request, key)
  const place = new IndexCursor()
  const own = groups.consumerWords(consumer)
  const ownAt = groups.consumerAt(consumer)
  pending.find(own, ownAt, from, 0, place)
  const count = Math.min(limit, index.count(own, ownAt) - index.rank(own, ownAt, place))
  call.reply.array(count)
  const writer = new AssignmentWriter(call.op, call.place(key), groupName, consumerName, now, true)
  const cursor = new StreamCursor()
  const id = new StreamId()
  for (let left = count, ref = index.item(place); left > 0; ref = index.next(place)) {
    const region = pending.region(ref)
    pending.id(ref, id)
    if (log.find(words, at, id, region, cursor) && comparePosition(id, region, cursor.entry) === 0) {
      replyEntry(call.reply, space, cursor.entry)
      writer.push(id, region, deliveredOnceMore(pending.deliveries(ref)), now)
    } else {
      call.reply.array(2)
      replyId(call.reply, id)
      call.reply.nullArray()
    }
    if (--left % LIMITS.slicedReadStep === 0) yield
  }
  writer.end()
}
