import { assert } from '../base/assert.js'
import { equalBytes, INT64_MAX } from '../base/bytes.js'
import { LIMITS } from '../base/limits.js'
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
  writePending,
  writeRawId,
  writeStreamHead,
} from '../rdb/stream-writer.js'
import type { RdbPendingEntry, RdbStream, RdbStreamConsumer, RdbStreamEntry, RdbStreamGroup, RdbStreamId } from '../rdb/value.js'
import { streamTypeOf } from '../rdb/value-writer.js'
import { StreamFields } from './stream-fields.js'
import { StreamCursor } from './stream-log.js'
import { MAX_DELIVERIES } from './stream-pending.js'
import { NEVER_MS } from './stream-restore.js'
import { CHUNKS_WORD } from './stream-root.js'
import type { StreamSpace } from './stream-space.js'

/**
 * A stream as Redis' payloads have it. There an ID stands once: of two entries with one ID, from two members, the second takes the next ID if that is
 * free, and is left out otherwise. And there every pending entry has a consumer: those that were released have one without a name that was never seen, and were delivered at
 * the beginning of time, so whoever claims gets them at once also in a server that does not know of releases.
 */
export function streamToRdb(space: StreamSpace, root: Ref): RdbStream {
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
        consumers: left.holders.map((holder) => {
          const pending: RdbPendingEntry[] = []
          for (const ref of left.pendingOf(holder)) pending.push(pendingOf(space, ref))
          return { ...consumerHeadOf(space, holder), pending }
        }),
      }
    }),
  }
}

/**
 * Writes the same as a payload has it, its type first, a step at a time; the writer may be another one after each step. Nothing may change in between.
 */
export function* writeStreamSteps(
  space: StreamSpace,
  root: Ref,
  to: { begin(type: number): unknown; readonly writer: RdbWriter },
): Generator<undefined, void> {
  const { groups } = space
  const all = groups.sorted(root)
  const type = streamTypeOf(
    all.every((group) => groups.consumers(group).every((consumer) => groups.seen(consumer) === groups.active(consumer))),
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
}

function* writeGroupSteps(
  space: StreamSpace,
  group: Ref,
  type: number,
  to: { readonly writer: RdbWriter },
): Generator<undefined, void> {
  const { groups } = space
  const left = new LeftOut(space, group)
  const { holders } = left
  while (left.look()) yield
  writeGroupHead(to.writer, groupHeadOf(space, group), groups.pendingCount(group) - left.count)
  let step = 0
  for (const holder of holders) {
    for (const ref of left.pendingOf(holder)) {
      writePending(to.writer, pendingOf(space, ref))
      if (++step % LIMITS.slicedReadStep === 0) yield
    }
  }
  to.writer.length(holders.length)
  for (const holder of holders) {
    writeConsumerHead(to.writer, consumerHeadOf(space, holder), left.countOf(holder), type)
    for (const ref of left.pendingOf(holder)) {
      writeRawId(to.writer, rdbId(groups.pending.id(ref, scratch)))
      if (++step % LIMITS.slicedReadStep === 0) yield
    }
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
): Omit<RdbStream, 'type' | 'entries' | 'groups'> {
  const lastId = rdbId(roots.lastId(root, scratch))
  return {
    lastId: last !== undefined && compare(lastId, last) < 0 ? last : lastId,
    firstId: first ?? { ms: 0n, seq: 0n },
    maxDeletedId: rdbId(roots.maxDeletedId(root, scratch)),
    entriesAdded: BigInt(roots.entriesAdded(root)),
  }
}

function groupHeadOf({ groups }: StreamSpace, group: Ref): Omit<RdbStreamGroup, 'consumers'> {
  const entriesRead = groups.entriesRead(group)
  return {
    name: groups.names.name(group).slice(),
    lastId: rdbId(groups.lastDelivered(group, scratch)),
    entriesRead: entriesRead < 0 ? null : BigInt(entriesRead),
  }
}

function consumerHeadOf({ groups }: StreamSpace, [consumer]: Holder): Omit<RdbStreamConsumer, 'pending'> {
  if (groups.isNobody(consumer)) return { name: new Uint8Array(0), seenMs: NEVER_MS, activeMs: NEVER_MS }
  return {
    name: groups.consumerName(consumer).slice(),
    seenMs: groups.seen(consumer),
    activeMs: groups.active(consumer),
  }
}

/** A consumer of a payload: one of the group, or nobody; of one whose name is empty nobody's entries come behind its own. */
type Holder = readonly Ref[]

function holdersOf({ groups }: StreamSpace, group: Ref): Holder[] {
  const [first, ...others] = groups.holders(group)
  const isBoth = others.length > 0 && groups.isNobody(first) && groups.consumerName(others[0]).length === 0
  if (isBoth) return [[others[0], first], ...others.slice(1).map((consumer) => [consumer])]
  return groups.holders(group).map((consumer) => [consumer])
}

/**
 * What a group has pending and a payload has not: there an ID stands once in the group, with the first consumer by name that has it. `look` is called until it
 * says that it has seen all.
 */
class LeftOut {
  private readonly refs = new Set<Ref>()
  private readonly byConsumer = new Map<Ref, number>()
  readonly holders: readonly Holder[]
  private readonly order: readonly Ref[]
  private readonly place = new IndexCursor()
  /** What stays of those with the ID that was looked at last. */
  private best: Ref = 0
  private next: Ref

  constructor(
    private readonly space: StreamSpace,
    group: Ref,
  ) {
    const { groups } = space
    this.next = groups.pending.index.first(groups.pendingWords(group), groups.pendingAt(group), this.place)
    this.holders = holdersOf(space, group)
    this.order = this.holders.flat()
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
    const [stays, goes] = this.order.indexOf(pending.consumer(a)) <= this.order.indexOf(pending.consumer(b)) ? [a, b] : [b, a]
    this.refs.add(goes)
    const consumer = pending.consumer(goes)
    this.byConsumer.set(consumer, (this.byConsumer.get(consumer) ?? 0) + 1)
    return stays
  }

  /** How many entries of a consumer stay. */
  countOf(holder: Holder): number {
    let count = 0
    for (const consumer of holder) {
      count += this.space.groups.consumerPendingCount(consumer) - (this.byConsumer.get(consumer) ?? 0)
    }
    return count
  }

  /** Those, one after the other. */
  *pendingOf(holder: Holder): Generator<Ref, void> {
    const { groups } = this.space
    const { index } = groups.pending
    const place = new IndexCursor()
    for (const consumer of holder) {
      let ref = index.first(groups.consumerWords(consumer), groups.consumerAt(consumer), place)
      for (; ref !== 0; ref = index.next(place)) if (!this.refs.has(ref)) yield ref
    }
  }
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
