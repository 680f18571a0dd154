import { assert } from '../base/assert.js'
import { allocateDoubles, allocateWords, equalBytes, INT64_MAX } from '../base/bytes.js'
import { LIMITS } from '../base/limits.js'
import { areDefaultSettings } from '../base/mark-settings.js'
import { TWO_32 } from '../base/words.js'
import { MAX_U32, StreamId, u64ToBigInt } from '../crdt/stream-id.js'
import type { Ref } from '../memory/arena.js'
import { IndexCursor } from '../memory/order-index.js'
import { ByteList } from '../rdb/byte-list.js'
import type { RdbWriter } from '../rdb/rdb-writer.js'
import {
  NodeBounds,
  StreamNodeWriter,
  writeConsumerHead,
  writeGroupHead,
  writeMark,
  writeMarksHead,
  writePending,
  writeRawId,
  writeStreamHead,
} from '../rdb/stream-writer.js'
import { RdbType } from '../rdb/rdb-types.js'
import type {
  RdbMark,
  RdbPendingEntry,
  RdbProducer,
  RdbStream,
  RdbStreamConsumer,
  RdbStreamEntry,
  RdbStreamGroup,
  RdbStreamId,
} from '../rdb/value.js'
import { NEVER_MS } from '../rdb/stream-reader.js'
import { streamTypeOf } from '../rdb/value-writer.js'
import { StreamFields } from './stream-fields.js'
import { StreamCursor } from './stream-log.js'
import { Mark, type StreamMarks } from './stream-marks.js'
import { MAX_DELIVERIES } from './stream-pending.js'
import { CHUNKS_WORD } from './stream-root.js'
import type { StreamSpace } from './stream-space.js'

/**
 * A stream as Redis' payloads have it. There an ID stands once: of two entries with one ID, from two members, the second takes the next ID if that is
 * free, and is left out otherwise. And of a producer's message that has become several entries, the ID that is the answer to it at nowMs (Unix ms).
 */
export function streamToRdb(space: StreamSpace, root: Ref, nowMs: number): RdbStream {
  const { groups } = space
  const entries: RdbStreamEntry[] = []
  for (const from = new RdbEntries(space, root); from.next();) entries.push(from.entry())
  return {
    type: 'stream',
    entries,
    ...headOf(space, root, entries.at(0)?.id, entries.at(-1)?.id),
    groups: groups.sorted(root).map((group) => {
      const left = new LeftOut(space, group)
      while (left.look());
      return {
        ...groupHeadOf(space, group),
        consumers: groups.consumers(group).map((consumer) => {
          const pending: RdbPendingEntry[] = []
          for (const ref of left.pendingOf(consumer)) pending.push(pendingOf(space, ref))
          return { ...consumerHeadOf(space, consumer), pending }
        }),
        released: Array.from(atOnce(left.released()), (ref) => pendingOf(space, ref)),
      }
    }),
    marks: marksToRdb(space, root, nowMs),
  }
}

function marksToRdb({ marks }: StreamSpace, root: Ref, nowMs: number): RdbStream['marks'] {
  const answers = new Answers(marks, root)
  atOnce(answers.look(nowMs))
  if (answers.sayNothing) return null
  const producers: RdbProducer[] = []
  for (let from = 0; from < answers.refs.length; from = answers.endOf(from)) {
    const own = answers.refs.slice(from, answers.endOf(from))
    producers.push({ name: answers.producer(from), marks: own.map((ref) => answers.mark(ref)) })
  }
  return {
    durationS: marks.durationS(root),
    maxSize: marks.maxSize(root),
    producers,
    added: BigInt(marks.added(root)),
    duplicates: BigInt(marks.duplicates(root)),
  }
}

function atOnce<T>(steps: Generator<undefined, T>): T {
  for (;;) {
    const { done, value } = steps.next()
    if (done === true) return value
  }
}

/**
 * Writes the same as a payload has it, its type first, a step at a time; the writer may be another one after each step. Nothing may change in between.
 */
export function* writeStreamSteps(
  space: StreamSpace,
  root: Ref,
  nowMs: number,
  to: { begin(type: number): unknown; readonly writer: RdbWriter },
): Generator<undefined, void> {
  const { groups, marks } = space
  const all = groups.sorted(root)
  const answers = new Answers(marks, root)
  yield* answers.look(nowMs)
  const type = streamTypeOf(
    all.every((group) => groups.consumers(group).every((consumer) => groups.seen(consumer) === groups.active(consumer))),
    all.some((group) => needsNobody(space, group)),
    !answers.sayNothing,
  )
  to.begin(type)
  // How many nodes there are is said before the first, and how many entries a node has before its first one.
  const nodes: number[] = []
  let count = 0
  const bounds = new NodeBounds()
  const entries = new RdbEntries(space, root)
  for (; entries.next();) {
    if (bounds.begins(entries.bytes)) nodes.push(0)
    nodes[nodes.length - 1]++
    if (++count % LIMITS.slicedReadStep === 0) yield
  }
  const lastId = count === 0 ? undefined : entries.rdbId
  to.writer.length(nodes.length)
  let firstId: RdbStreamId | undefined
  const again = new RdbEntries(space, root)
  const node = new NodeOfEntries()
  for (const size of nodes) {
    for (let i = 0; i < size; i++) {
      const isThere = again.next()
      assert(isThere, 'a stream that changes while it is written')
      if (i === 0) node.begin(again, size)
      else node.add(again)
    }
    firstId ??= node.firstId
    node.writer.end(to.writer)
    yield
  }
  writeStreamHead(to.writer, headOf(space, root, firstId, lastId), count, all.length)
  for (const group of all) yield* writeGroupSteps(space, group, type, to)
  if (type >= RdbType.stream4) yield* writeMarkSteps(space, root, answers, to)
}

/** Whether it has what was released, or a consumer that older payloads would take for who has that. */
function needsNobody({ groups }: StreamSpace, group: Ref): boolean {
  const nameless = groups.findConsumer(group, NOBODY_NAME, 0, 0)
  return groups.releasedCount(group) > 0 || (nameless !== 0 && groups.seen(nameless) === NEVER_MS)
}

function* writeMarkSteps(
  { marks }: StreamSpace,
  root: Ref,
  answers: Answers,
  to: { readonly writer: RdbWriter },
): Generator<undefined, void> {
  writeMarksHead(to.writer, { durationS: marks.durationS(root), maxSize: marks.maxSize(root) }, answers.producers)
  const { refs } = answers
  for (let from = 0; from < refs.length;) {
    const end = answers.endOf(from)
    to.writer.string(answers.producer(from))
    to.writer.length(end - from)
    for (; from < end; from++) {
      writeMark(to.writer, answers.mark(refs[from]))
      if (from % LIMITS.slicedReadStep === 0) yield
    }
  }
  to.writer.length64(BigInt(marks.added(root)))
  to.writer.length64(BigInt(marks.duplicates(root)))
}

function* writeGroupSteps(
  space: StreamSpace,
  group: Ref,
  type: number,
  to: { readonly writer: RdbWriter },
): Generator<undefined, void> {
  const { groups } = space
  const left = new LeftOut(space, group)
  const consumers = groups.consumers(group)
  while (left.look()) yield
  const released = yield* left.released()
  writeGroupHead(to.writer, groupHeadOf(space, group), groups.pendingCount(group) - left.count)
  let step = 0
  for (const refs of [released, ...consumers.map((consumer) => left.pendingOf(consumer))]) {
    for (const ref of refs) {
      writePending(to.writer, pendingOf(space, ref))
      if (++step % LIMITS.slicedReadStep === 0) yield
    }
  }
  to.writer.length(consumers.length)
  for (const consumer of consumers) {
    writeConsumerHead(to.writer, consumerHeadOf(space, consumer), left.countOf(consumer), type)
    for (const ref of left.pendingOf(consumer)) {
      writeRawId(to.writer, rdbId(groups.pending.id(ref, scratch)))
      if (++step % LIMITS.slicedReadStep === 0) yield
    }
  }
  if (type < RdbType.stream5) return
  to.writer.length(released.length)
  for (const ref of released) {
    writeRawId(to.writer, rdbId(groups.pending.id(ref, scratch)))
    if (++step % LIMITS.slicedReadStep === 0) yield
  }
}

/** Goes through the entries of a stream and gives them the IDs that they have in a payload, without the heap. */
class RdbEntries {
  readonly fields = new StreamFields()
  /** Of the present entry. */
  id = new StreamId()
  private before = new StreamId()
  private readonly cursor = new StreamCursor()
  private names = new ByteList()
  private hasBegun = false
  private hasBefore = false

  constructor(
    private readonly space: StreamSpace,
    private readonly root: Ref,
  ) {}

  /** Goes to the first entry, or the next one; false when there is none. */
  next(): boolean {
    const { space, cursor, fields } = this
    const { log } = space
    for (let on = this.step(); on; on = this.step()) {
      const { id: before, before: id } = this
      id.copyFrom(cursor.entry.id)
      if (this.hasBefore && id.compare(before) <= 0) {
        if (before.seqHigh === MAX_U32 && before.seqLow === MAX_U32) continue
        id.copyFrom(before).increment()
      }
      this.hasBefore = true
      this.id = id
      this.before = before
      log.chunks.fields(cursor.entry, fields)
      return true
    }
    return false
  }

  get rdbId(): RdbStreamId {
    return rdbId(this.id)
  }

  /** Of names and values. */
  get bytes(): number {
    const { count, nameLen, valueLen } = this.fields
    let bytes = 0
    for (let i = 0; i < count; i++) bytes += nameLen[i] + valueLen[i]
    return bytes
  }

  /** A copy of it; those that follow one another share their names. */
  entry(): RdbStreamEntry {
    const { fields } = this
    const values = new ByteList()
    if (!hasNames(this.names, fields)) this.names = namesOf(fields)
    for (let i = 0; i < fields.count; i++) values.push(fields.buf, fields.valueOff[i], fields.valueLen[i])
    return { id: this.rdbId, names: this.names, values }
  }

  private step(): boolean {
    const { space, root, cursor } = this
    const { roots, log } = space
    if (this.hasBegun) return log.next(cursor)
    this.hasBegun = true
    return log.first(roots.words(root), roots.at(root) + CHUNKS_WORD, cursor)
  }
}

/** A node of a payload, from entries of a stream. */
class NodeOfEntries {
  readonly writer = new StreamNodeWriter()
  private readonly first = new StreamId()
  private names = new ByteList()

  get firstId(): RdbStreamId {
    return rdbId(this.first)
  }

  /** A node of so many entries, of which this is the first. */
  begin(entry: RdbEntries, entries: number): void {
    const { fields } = entry
    this.first.copyFrom(entry.id)
    if (!hasNames(this.names, fields)) this.names = namesOf(fields)
    this.writer.begin(this.firstId, entries, fields.count)
    for (let i = 0; i < fields.count; i++) this.writer.string(fields.buf, fields.nameOff[i], fields.nameLen[i])
    this.writer.namesEnd()
    this.add(entry)
  }

  add({ id, fields }: RdbEntries): void {
    const { writer, first } = this
    const { buf, nameOff, nameLen, valueOff, valueLen } = fields
    const hasSameNames = hasNames(this.names, fields)
    writer.beginEntry(
      difference(id.msHigh, id.msLow, first.msHigh, first.msLow),
      difference(id.seqHigh, id.seqLow, first.seqHigh, first.seqLow),
      hasSameNames,
      fields.count,
    )
    for (let i = 0; i < fields.count; i++) {
      if (!hasSameNames) writer.string(buf, nameOff[i], nameLen[i])
      writer.string(buf, valueOff[i], valueLen[i])
    }
    writer.endEntry()
  }
}

/** a - b of two integers of 64 bits, as a signed one, which wraps; a number where that is exact. */
function difference(aHigh: number, aLow: number, bHigh: number, bLow: number): bigint | number {
  const high = aHigh - bHigh
  if (high >= -EXACT_HIGH && high < EXACT_HIGH) return high * TWO_32 + (aLow - bLow)
  return BigInt.asIntN(64, u64ToBigInt(aHigh, aLow) - u64ToBigInt(bHigh, bLow))
}

/** Higher halves whose numbers a double has exactly. */
const EXACT_HIGH = 2 ** 20
const scratch = new StreamId()
const NOBODY_NAME = new Uint8Array(0)

function compare(a: RdbStreamId, b: RdbStreamId): number {
  if (a.ms !== b.ms) return a.ms < b.ms ? -1 : 1
  return a.seq === b.seq ? 0 : a.seq < b.seq ? -1 : 1
}

function hasNames(names: ByteList, { count, buf, nameOff, nameLen }: StreamFields): boolean {
  if (names.count !== count) return false
  for (let i = 0; i < count; i++) {
    const start = names.start(i)
    const length = names.end(i) - start
    if (length !== nameLen[i] || !equalBytes(names.bytesOf(i), start, buf, nameOff[i], length)) return false
  }
  return true
}

function namesOf({ count, buf, nameOff, nameLen }: StreamFields): ByteList {
  const names = new ByteList()
  for (let i = 0; i < count; i++) names.push(buf, nameOff[i], nameLen[i])
  return names
}

function headOf(
  { roots }: StreamSpace,
  root: Ref,
  first: RdbStreamId | undefined,
  last: RdbStreamId | undefined,
): Omit<RdbStream, 'type' | 'entries' | 'groups' | 'marks'> {
  const lastId = rdbId(roots.lastId(root, scratch))
  return {
    lastId: last !== undefined && compare(lastId, last) < 0 ? last : lastId,
    firstId: first ?? { ms: 0n, seq: 0n },
    maxDeletedId: rdbId(roots.maxDeletedId(root, scratch)),
    entriesAdded: BigInt(roots.entriesAdded(root)),
  }
}

function groupHeadOf({ groups }: StreamSpace, group: Ref): Omit<RdbStreamGroup, 'consumers' | 'released'> {
  const entriesRead = groups.entriesRead(group)
  return {
    name: groups.names.name(group).slice(),
    lastId: rdbId(groups.lastDelivered(group, scratch)),
    entriesRead: entriesRead < 0 ? null : BigInt(entriesRead),
  }
}

function consumerHeadOf({ groups }: StreamSpace, consumer: Ref): Omit<RdbStreamConsumer, 'pending'> {
  return {
    name: groups.consumerName(consumer).slice(),
    seenMs: groups.seen(consumer),
    activeMs: groups.active(consumer),
  }
}

/** Of the marks of a stream those that are the answer to a message, by producer and time. `look` comes first. */
class Answers {
  readonly refs: Ref[] = []
  producers = 0
  /** Where in refs another producer begins. */
  private readonly starts: number[] = []
  private read = new Mark()

  constructor(
    private readonly marks: StreamMarks,
    private readonly root: Ref,
  ) {}

  *look(nowMs: number): Generator<undefined, void> {
    const { marks, root, refs, starts } = this
    const cursor = new IndexCursor()
    let before = new Mark()
    let looked = 0
    for (let ref = marks.firstByTime(root, cursor); ref !== 0; ref = marks.next(cursor)) {
      if (++looked % LIMITS.slicedReadStep === 0) yield
      const { read } = this
      if (!marks.isAnswer(root, ref, read, nowMs)) continue
      const isSame =
        refs.length > 0 &&
        before.producerLen === read.producerLen &&
        equalBytes(before.buf, before.producerOff, read.buf, read.producerOff, read.producerLen)
      if (!isSame) starts.push(refs.length)
      refs.push(ref)
      this.read = before
      before = read
    }
    this.producers = starts.length
    starts.push(refs.length)
  }

  /** Nothing that is not so where nobody names messages. */
  get sayNothing(): boolean {
    const { marks, root, refs } = this
    return refs.length === 0 && areDefaultSettings(marks.durationS(root), marks.maxSize(root))
  }

  /** Where the marks of the producer end whose first one is at `from`. */
  endOf(from: number): number {
    const { starts } = this
    let low = 0
    let high = starts.length - 1
    while (low < high) {
      const middle = (low + high) >>> 1
      if (starts[middle] > from) high = middle
      else low = middle + 1
    }
    return starts[low]
  }

  producer(i: number): Uint8Array {
    const { buf, producerOff, producerLen } = this.marks.read(this.refs[i], this.read)
    return buf.slice(producerOff, producerOff + producerLen)
  }

  mark(ref: Ref): RdbMark {
    const { buf, nameOff, nameLen, id } = this.marks.read(ref, this.read)
    return { name: buf.slice(nameOff, nameOff + nameLen), id: rdbId(id) }
  }
}

/**
 * What a group has pending and a payload has not: there an ID stands once in the group, with nobody, or the first consumer by name that has it. `look` is called until it
 * says that it has seen all.
 */
class LeftOut {
  private readonly refs = new Set<Ref>()
  private readonly byConsumer = new Map<Ref, number>()
  private readonly holders: readonly Ref[]
  private readonly place = new IndexCursor()
  /** What stays of those with the ID that was looked at last. */
  private best: Ref = 0
  private next: Ref

  constructor(
    private readonly space: StreamSpace,
    private readonly group: Ref,
  ) {
    const { groups } = space
    this.next = groups.pending.index.first(groups.pendingWords(group), groups.pendingAt(group), this.place)
    this.holders = groups.holders(group)
  }

  get count(): number {
    return this.refs.size
  }

  /** Looks at some more; false when there are none. */
  look(): boolean {
    const { pending } = this.space.groups
    for (let looks = 0; looks < LIMITS.slicedReadSeek && this.next !== 0; looks++) {
      const ref = this.next
      this.next = pending.index.next(this.place)
      if (this.best === 0 || pending.compareId(this.best, pending.id(ref, scratch)) !== 0) this.best = ref
      else this.best = this.leaveOut(this.best, ref)
    }
    return this.next !== 0
  }

  /** Of two that have one ID; gives the one that stays. */
  private leaveOut(a: Ref, b: Ref): Ref {
    const { pending } = this.space.groups
    const { holders } = this
    const [stays, goes] = holders.indexOf(pending.consumer(a)) <= holders.indexOf(pending.consumer(b)) ? [a, b] : [b, a]
    this.refs.add(goes)
    const consumer = pending.consumer(goes)
    this.byConsumer.set(consumer, (this.byConsumer.get(consumer) ?? 0) + 1)
    return stays
  }

  /** How many entries of a consumer stay. */
  countOf(consumer: Ref): number {
    return this.space.groups.consumerPendingCount(consumer) - (this.byConsumer.get(consumer) ?? 0)
  }

  /** Those, one after the other. */
  *pendingOf(consumer: Ref): Generator<Ref, void> {
    const { groups } = this.space
    const { index } = groups.pending
    const place = new IndexCursor()
    let ref = index.first(groups.consumerWords(consumer), groups.consumerAt(consumer), place)
    for (; ref !== 0; ref = index.next(place)) if (!this.refs.has(ref)) yield ref
  }

  /** Those that nobody has, in the order in which they are claimed. */
  *released(): Generator<undefined, Uint32Array> {
    const { groups } = this.space
    const nobody = groups.nobody(this.group)
    const count = nobody === 0 ? 0 : this.countOf(nobody)
    if (count === 0) return new Uint32Array(0)
    const refs = allocateWords(count)
    const orders = allocateDoubles(count)
    let isSorted = true
    let i = 0
    for (const ref of this.pendingOf(nobody)) {
      refs[i] = ref
      orders[i] = groups.pending.order(ref)
      isSorted &&= i === 0 || orders[i - 1] <= orders[i]
      if (++i % LIMITS.slicedReadStep === 0) yield
    }
    return isSorted ? refs : yield* sortedBy(orders, refs)
  }
}

/** Items by their orders, those with one order as they stand: longer and longer runs are merged. */
function* sortedBy(orders: Float64Array, items: Uint32Array): Generator<undefined, Uint32Array> {
  const count = items.length
  let [from, fromOrders] = [items, orders]
  let [to, toOrders] = [allocateWords(count), allocateDoubles(count)]
  let moved = 0
  for (let run = 1; run < count; run *= 2) {
    for (let start = 0; start < count; start += 2 * run) {
      const middle = Math.min(start + run, count)
      const end = Math.min(start + 2 * run, count)
      for (let i = start, j = middle, k = start; k < end; k++) {
        const isLeft = i < middle && (j === end || fromOrders[i] <= fromOrders[j])
        const at = isLeft ? i++ : j++
        to[k] = from[at]
        toOrders[k] = fromOrders[at]
        if (++moved % LIMITS.slicedReadSeek === 0) yield
      }
    }
    ;[from, to] = [to, from]
    ;[fromOrders, toOrders] = [toOrders, fromOrders]
  }
  return from
}

function pendingOf({ groups }: StreamSpace, ref: Ref): RdbPendingEntry {
  const { pending } = groups
  return {
    id: rdbId(pending.id(ref, scratch)),
    deliveredMs: pending.time(ref),
    deliveries: deliveriesIn(pending.deliveries(ref)),
  }
}

function deliveriesIn(deliveries: number): bigint {
  return deliveries === MAX_DELIVERIES ? INT64_MAX : BigInt(deliveries)
}

function rdbId(id: StreamId): RdbStreamId {
  return { ms: u64ToBigInt(id.msHigh, id.msLow), seq: u64ToBigInt(id.seqHigh, id.seqLow) }
}
