import { LIMITS } from '../../base/limits.js'
import { NotificationClass } from '../../base/notification-classes.js'
import { StreamId } from '../../crdt/stream-id.js'
import { comparePosition, StreamCursor } from '../../keyspace/stream-log.js'
import { AssignmentWriter, buildConsumer, buildPass, DropWriter } from '../../keyspace/stream-op-writers.js'
import { deliveredOnceMore, MAX_DELIVERIES } from '../../keyspace/stream-pending.js'
import { StreamPositions } from '../../keyspace/stream-positions.js'
import type { Ref } from '../../memory/arena.js'
import { IndexCursor } from '../../memory/order-index.js'
import type { Call } from '../call.js'
import type { WriteSteps } from '../services.js'
import { findConsumer } from './group-commands.js'
import { distinctIds } from './id-arguments.js'
import { ArgumentRange, isStrictId, type StreamReading } from './stream-arguments.js'
import { replyEntry, replyId } from './stream-reply.js'

/** Pending entries that XAUTOCLAIM looks at for each that it may give. */
export const LOOKS_FOR_EACH = 10

/** Options of XCLAIM. */
export interface ClaimOptions {
  readonly minIdle: number
  /** Unix ms that the entries are to count as delivered at. */
  readonly deliveredMs: number
  /** -1: one more than before. */
  readonly retryCount: number
  readonly force: boolean
  readonly justId: boolean
}

/** What of the IDs of an XCLAIM may be claimed, and what has gone from the stream. */
export class Claims {
  /** The number of each is its deliveries. */
  readonly claimed = new StreamPositions()
  readonly gone = new StreamPositions()
  private readonly cursor = new StreamCursor()
  private readonly place = new IndexCursor()
  private readonly id = new StreamId()
  private readonly other = new StreamId()
  private readonly wanted = new StreamPositions()

  constructor(
    private readonly stream: StreamReading,
    private readonly group: Ref,
    private readonly options: ClaimOptions,
    private readonly now: number,
  ) {}

  /** Looks at the IDs in arguments `first` to `end`, this one excluded, some a step. */
  *collect(call: Call, first: number, end: number): Generator<undefined, void> {
    const { id, other, claimed, options } = this
    /** Where in `claimed` an ID begins. */
    const begins = new Map<string, number>()
    yield* distinctIds(
      call,
      first,
      end,
      id,
      (text) => {
        if (text !== '') begins.set(text, claimed.count)
        this.claim()
      },
      (text) => {
        // Twice the same ID is claimed twice, with two deliveries: counted in one go.
        if (options.retryCount >= 0 || options.justId) return
        for (let j = begins.get(text) ?? claimed.count; j < claimed.count && claimed.id(j, other).compare(id) === 0; j++) {
          claimed.setNumber(j, deliveredOnceMore(claimed.number(j)))
        }
      },
    )
  }

  /** Looks at the entries of the ID. */
  private claim(): void {
    const { stream, group, options, now, cursor, place, id, wanted, claimed, gone } = this
    const { groups, log } = stream.space
    const { pending } = groups
    wanted.clear()
    pending.find(groups.pendingWords(group), groups.pendingAt(group), id, 0, place)
    let ref = pending.index.item(place)
    for (; ref !== 0 && pending.compareId(ref, id) === 0; ref = pending.index.next(place))
      wanted.push(id, pending.region(ref), ref)
    if (wanted.count === 0 && options.force) {
      let on = log.find(stream.words, stream.at, id, 0, cursor)
      for (; on && cursor.entry.id.compare(id) === 0; on = log.next(cursor)) wanted.push(id, cursor.entry.region)
    }
    for (let j = 0; j < wanted.count; j++) {
      const held = wanted.number(j)
      const region = wanted.region(j)
      if (!seek(stream, id, region, cursor)) {
        gone.push(id, region)
        continue
      }
      if (held !== 0 && !pending.isIdle(held, now, options.minIdle)) continue
      const before = held === 0 ? 1 : pending.deliveries(held)
      const deliveries = options.retryCount >= 0 ? options.retryCount : options.justId ? before : deliveredOnceMore(before)
      claimed.push(id, region, Math.min(deliveries, MAX_DELIVERIES))
    }
  }
}

/** Argument of XCLAIM's first ID. */
export const FIRST_ID = 5

/**
 * XCLAIM of many arguments, most of which are IDs. parseOptions: reads those from an argument on, and puts the ID of LASTID into what it is given, zero when there
 * is none.
 */
export function* claimSteps(
  call: Call,
  stream: StreamReading,
  group: Ref,
  parseOptions: (first: number, lastId: StreamId) => ClaimOptions,
): WriteSteps {
  const { op } = call
  const lastId = new StreamId()
  let end = FIRST_ID
  for (; end < call.argc && isStrictId(call, end, lastId); end++) if (end % LIMITS.slicedReadSeek === 0) yield
  const options = parseOptions(end, lastId)
  const now = call.nowMs
  const at = call.place(1)
  const groupName = new ArgumentRange().of(call, 2)
  const consumerName = new ArgumentRange().of(call, 3)
  if (!stream.space.groups.hasComeTo(stream.root, group, lastId)) buildPass(op, at, groupName, lastId)
  const isNew = buildMissing(call, stream, group)
  const claims = new Claims(stream, group, options, now)
  yield* claims.collect(call, FIRST_ID, end)
  const { claimed, gone } = claims
  const drops = new DropWriter(op, at, groupName)
  const id = new StreamId()
  for (let i = 0; i < gone.count; i++) {
    drops.push(gone.id(i, id), gone.region(i))
    if (i % LIMITS.slicedReadStep === 0) yield
  }
  drops.end()
  const writer = new AssignmentWriter(op, at, groupName, consumerName, now)
  const cursor = new StreamCursor()
  call.reply.array(claimed.count)
  for (let i = 0; i < claimed.count; i++) {
    claimed.id(i, id)
    writer.push(id, claimed.region(i), claimed.number(i), options.deliveredMs)
    if (options.justId) replyId(call.reply, id)
    else if (seek(stream, id, claimed.region(i), cursor)) replyEntry(call.reply, stream.space, cursor.entry)
    if (i % LIMITS.slicedReadStep === 0) yield
  }
  writer.end()
  if (op.effects > 0) yield 'commit'
  if (isNew) call.notify(NotificationClass.stream, 'xgroup-createconsumer', 1)
}

export interface AutoclaimOptions {
  readonly minIdle: number
  readonly start: StreamId
  readonly count: number
  readonly justId: boolean
}

/** XAUTOCLAIM of many: counted first, then replied and written one after the other. */
export function* autoclaimSteps(call: Call, stream: StreamReading, group: Ref, options: AutoclaimOptions): WriteSteps {
  const { minIdle, start, count, justId } = options
  const { op } = call
  const now = call.nowMs
  const at = call.place(1)
  const groupName = new ArgumentRange().of(call, 2)
  const isNew = buildMissing(call, stream, group)
  const { space } = stream
  const { groups } = space
  const { pending } = groups
  const { index } = pending
  const place = new IndexCursor()
  const cursor = new StreamCursor()
  const id = new StreamId()
  const begin = (): Ref => {
    pending.find(groups.pendingWords(group), groups.pendingAt(group), start, 0, place)
    return index.item(place)
  }
  const isIdle = (ref: Ref): boolean => pending.isIdle(ref, now, minIdle)
  const gone = new StreamPositions()
  const drops = new DropWriter(op, at, groupName)
  let claimed = 0
  let looks = count * LOOKS_FOR_EACH
  let steps = 0
  let ref = begin()
  for (; ref !== 0 && looks > 0 && claimed + gone.count < count; ref = index.next(place), looks--) {
    if (++steps % LIMITS.slicedReadStep === 0) yield
    const region = pending.region(ref)
    if (!seek(stream, pending.id(ref, id), region, cursor)) {
      gone.push(id, region)
      drops.push(id, region)
    } else if (isIdle(ref)) {
      claimed++
    }
  }
  drops.end()
  call.reply.array(3)
  replyId(call.reply, ref === 0 ? id.set(0, 0, 0, 0) : pending.id(ref, id))
  call.reply.array(claimed)
  const writer = new AssignmentWriter(op, at, groupName, new ArgumentRange().of(call, 3), now)
  ref = begin()
  for (let left = claimed; left > 0; ref = index.next(place)) {
    if (++steps % LIMITS.slicedReadStep === 0) yield
    const region = pending.region(ref)
    if (!isIdle(ref) || !seek(stream, pending.id(ref, id), region, cursor)) continue
    const deliveries = pending.deliveries(ref)
    writer.push(id, region, justId ? deliveries : deliveredOnceMore(deliveries), now)
    if (justId) replyId(call.reply, id)
    else replyEntry(call.reply, space, cursor.entry)
    left--
  }
  writer.end()
  call.reply.array(gone.count)
  for (let i = 0; i < gone.count; i++) {
    replyId(call.reply, gone.id(i, id))
    if (i % LIMITS.slicedReadStep === 0) yield
  }
  if (op.effects > 0) yield 'commit'
  if (isNew) call.notify(NotificationClass.stream, 'xgroup-createconsumer', 1)
}

/** The consumer in argument 3 is seen; true when it is only coming. */
function buildMissing(call: Call, stream: StreamReading, group: Ref): boolean {
  const consumer = findConsumer(call, stream, group, 3)
  if (consumer !== 0) {
    stream.space.groups.setSeen(consumer, call.nowMs)
    return false
  }
  buildConsumer(call.op, call.place(1), new ArgumentRange().of(call, 2), new ArgumentRange().of(call, 3), call.nowMs)
  return true
}

function seek(stream: StreamReading, id: StreamId, region: number, cursor: StreamCursor): boolean {
  return stream.space.log.find(stream.words, stream.at, id, region, cursor) && comparePosition(id, region, cursor.entry) === 0
}
