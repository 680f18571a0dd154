import { copyBytes } from '../base/bytes.js'
import { LIMITS } from '../base/limits.js'
import { compareIds, StreamId } from '../crdt/stream-id.js'
import { CHUNK_SHIFT, UNIT_MASK, type Arena, type Ref } from '../memory/arena.js'
import { ELEMENT_TABLE_WORDS } from '../memory/element-table.js'
import { INDEX_WORDS, IndexCursor } from '../memory/order-index.js'
import { byteOf, packDotHigh, packDotLow, unpackMember, unpackStamp } from '../memory/record.js'
import type { EntryView } from './stream-chunk.js'
import { DoneIntervals } from './stream-done.js'
import type { StreamCursor, StreamLog } from './stream-log.js'
import { StreamNames } from './stream-names.js'
import { PendingLists } from './stream-pending.js'
import { GROUPS_WORD, type StreamRoots } from './stream-root.js'

/**
 * Consumer groups of a stream. What other members share of a group: that it exists, where it started, and what was acknowledged anywhere. What is
 * this member's own: its consumers, what they have pending, and what it has delivered.
 *
 * An entry is *done* here when it was delivered here or acknowledged anywhere; it is never delivered again. Done are the entries up to the group's start, of
 * each member those up to that member's cursor (a member's entries arrive in the order of their IDs, so none slips in behind it), and those in the
 * intervals of DoneIntervals. The *frontier* is only there to read quickly: every entry up to it that is here is done. An entry that arrives late
 * from another member moves it back.
 *
 * ```
 * group block  words 0   consumers' table
 *                    3   bit 0 ALIVE, 1 PLACED: XGROUP SETID has said where it starts, 2 TIMED: it has an index by time
 *                    4   index of pending entries
 *                   10   dot of the newest creation
 *                   12   dot of the SETID that is in force
 *                   14   start: ID
 *                   18   f64 entries read, -1 when that is not known
 *                   20   frontier: ID, region
 *                   25   done intervals: block, count
 *                   27   number of member records
 *                   28   index of pending entries by the time of their delivery, once somebody has asked for it (XREADGROUP CLAIM)
 *                   34   block of the consumer that is nobody, to whom released entries belong (XNACK); 0 until there was one
 *                   36   member record {n}: member | flags << 8, -, f64 stamp of its newest destroy, ID of its cursor
 *
 * consumer block     0   index of pending entries
 *                    6   f64 Unix ms when it was last seen;   8   f64 when it last got something, -1 for never
 *                   10   its name's record; 0 for nobody
 * ```
 */
const CONSUMERS = 0
const FLAGS = ELEMENT_TABLE_WORDS
const PENDING = 4
const CREATED = PENDING + INDEX_WORDS
const PLACED_DOT = 12
const START = 14
const ENTRIES_READ = 18
const FRONTIER = 20
const FRONTIER_REGION = 24
const DONE = 25
const MEMBER_COUNT = 27
const BY_TIME = 28
const NOBODY = BY_TIME + INDEX_WORDS
const HEAD_WORDS = NOBODY + 2
const MEMBER_WORDS = 8
const DESTROYED_STAMP = 2
const CURSOR = 4

const ALIVE = 1
const PLACED = 2
const TIMED = 4
const HAS_CURSOR = 0x100
const HAS_DESTROY = 0x200

const CONSUMER_BYTES = 44
const SEEN_F64 = 3
const ACTIVE_F64 = 4
const NAME_WORD = 10
/** Neighbours that are looked at to join an acknowledged entry to an interval, and entries that one acknowledgement moves the frontier over. */
const NEIGHBOUR_LOOKS = 32
const FRONTIER_STEPS = 4096

export interface Dot {
  readonly member: number
  readonly stamp: number
}

export interface GroupShared {
  /** The newest creation; null when the group does not exist. */
  readonly created: Dot | null
  /** The SETID that is in force. */
  readonly placed: Dot | null
  readonly start: StreamId
  /** Destroys that are remembered, by member. */
  readonly destroys: readonly Dot[]
}

export interface GroupOwn {
  /** -1: not known. */
  readonly entriesRead: number
  readonly frontier: StreamId
  readonly frontierRegion: number
  readonly cursors: readonly { readonly member: number; readonly id: StreamId }[]
  readonly intervals: readonly { readonly member: number; readonly first: StreamId; readonly last: StreamId }[]
}

interface Observed {
  covers(member: number, stamp: number): boolean
}

export class StreamGroups {
  readonly names: StreamNames
  readonly pending: PendingLists
  readonly done: DoneIntervals
  private readonly scratch = new StreamId()
  private readonly other = new StreamId()
  private readonly longest = new IndexCursor()
  private readonly sought = { id: new StreamId(), member: 0 }

  constructor(
    private readonly arena: Arena,
    private readonly roots: StreamRoots,
    private readonly log: StreamLog,
    private readonly cursor: StreamCursor,
    seed: number,
  ) {
    this.names = new StreamNames(arena, seed)
    this.pending = new PendingLists(arena)
    this.done = new DoneIntervals(arena)
  }

  // Groups: a group is its name's record, which stays where it is while its block may move.

  /** Records of groups, dead ones included. */
  recordCount(root: Ref): number {
    return this.names.count(this.roots.words(root), this.roots.at(root) + GROUPS_WORD)
  }

  recordAt(root: Ref, i: number): Ref {
    return this.names.at(this.roots.words(root), this.roots.at(root) + GROUPS_WORD, i)
  }

  /** The record of a group that exists, or 0. */
  find(root: Ref, buf: Uint8Array, off: number, len: number): Ref {
    const record = root === 0 ? 0 : this.findRecord(root, buf, off, len)
    return record !== 0 && this.isAlive(record) ? record : 0
  }

  /** As find, dead ones included. */
  findRecord(root: Ref, buf: Uint8Array, off: number, len: number): Ref {
    return this.names.find(this.roots.words(root), this.roots.at(root) + GROUPS_WORD, buf, off, len)
  }

  /** Groups that exist, by name. */
  sorted(root: Ref): Ref[] {
    return this.names.sorted(this.roots.words(root), this.roots.at(root) + GROUPS_WORD).filter((group) => this.isAlive(group))
  }

  count(root: Ref): number {
    let count = 0
    for (let i = this.recordCount(root) - 1; i >= 0; i--) if (this.isAlive(this.recordAt(root, i))) count++
    return count
  }

  /** The record of a name, made if there is none: dead then. */
  ensure(root: Ref, buf: Uint8Array, off: number, len: number): Ref {
    const record = this.findRecord(root, buf, off, len)
    if (record !== 0) return record
    return this.names.add(this.roots.words(root), this.roots.at(root) + GROUPS_WORD, buf, off, len, this.newBlock(0))
  }

  dropRecord(root: Ref, group: Ref): void {
    this.arena.free(this.names.blockOf(group))
    this.names.remove(this.roots.words(root), this.roots.at(root) + GROUPS_WORD, group)
  }

  isAlive(group: Ref): boolean {
    return (this.words(group)[this.at(group) + FLAGS] & ALIVE) !== 0
  }

  /** The group exists from now on, or as well: a group that two members made at the same time starts where the earlier start is. */
  create(group: Ref, member: number, stamp: number, start: StreamId, entriesRead: number): void {
    const words = this.words(group)
    const g = this.at(group)
    const isNew = (words[g + FLAGS] & ALIVE) === 0
    if (isNew || stamp > this.createdStamp(group)) {
      words[g + CREATED] = packDotHigh(member, stamp)
      words[g + CREATED + 1] = packDotLow(stamp)
    }
    if (!isNew && ((words[g + FLAGS] & PLACED) !== 0 || start.compare(this.start(group, this.scratch)) >= 0)) return
    // What was done under the later start stays done; what lies before it is not.
    if (!isNew) this.cursorsToIntervals(group)
    words[g + FLAGS] |= ALIVE
    putId(words, g + START, start)
    this.setEntriesRead(group, isNew ? entriesRead : -1)
    this.setFrontier(group, start, MAX_REGION)
  }

  private cursorsToIntervals(group: Ref): void {
    const words = this.words(group)
    const g = this.at(group)
    const first = this.start(group, this.scratch)
    if (!first.increment()) return
    for (let i = words[g + MEMBER_COUNT] - 1; i >= 0; i--) {
      const r = g + HEAD_WORDS + i * MEMBER_WORDS
      if ((words[r] & HAS_CURSOR) === 0) continue
      words[r] &= ~HAS_CURSOR
      const last = getId(words, r + CURSOR, this.other)
      if (first.compare(last) <= 0) this.done.addInterval(words, g + DONE, words[r] & 0xff, first, last)
    }
  }

  /** SETID: the group starts there anew, whatever was done. Of concurrent ones the newest holds. False when a newer one holds already. */
  place(group: Ref, member: number, stamp: number, start: StreamId, entriesRead: number): boolean {
    const words = this.words(group)
    const g = this.at(group)
    if ((words[g + FLAGS] & PLACED) !== 0) {
      const held = unpackStamp(words[g + PLACED_DOT], words[g + PLACED_DOT + 1])
      if (held > stamp || (held === stamp && unpackMember(words[g + PLACED_DOT]) > member)) return false
    }
    words[g + FLAGS] |= PLACED
    words[g + PLACED_DOT] = packDotHigh(member, stamp)
    words[g + PLACED_DOT + 1] = packDotLow(stamp)
    putId(words, g + START, start)
    this.setEntriesRead(group, entriesRead)
    this.done.clear(words, g + DONE)
    for (let i = words[g + MEMBER_COUNT] - 1; i >= 0; i--) words[g + HEAD_WORDS + i * MEMBER_WORDS] &= ~HAS_CURSOR
    this.setFrontier(group, start, MAX_REGION)
    return true
  }

  /** True when the origin of an acknowledgement knew of the SETID that is in force. */
  knowsPlace(group: Ref, by: Observed): boolean {
    const words = this.words(group)
    const g = this.at(group)
    if ((words[g + FLAGS] & PLACED) === 0) return true
    return by.covers(unpackMember(words[g + PLACED_DOT]), unpackStamp(words[g + PLACED_DOT], words[g + PLACED_DOT + 1]))
  }

  /** Makes the group dead. Gives its block, which holds consumers and pending entries still, for freeing; a new one stands in its place. */
  kill(group: Ref): Ref {
    const old = this.names.blockOf(group)
    const words = this.words(group)
    const g = this.at(group)
    const count = words[g + MEMBER_COUNT]
    const block = this.newBlock(count)
    this.names.setBlock(group, block)
    const to = this.words(group)
    const t = this.at(group)
    to[t + MEMBER_COUNT] = count
    for (let i = 0; i < count * MEMBER_WORDS; i++) to[t + HEAD_WORDS + i] = words[g + HEAD_WORDS + i]
    for (let i = 0; i < count; i++) to[t + HEAD_WORDS + i * MEMBER_WORDS] &= ~HAS_CURSOR
    return old
  }

  // Destroys that are remembered until they are stable, so that they win over what was concurrent.

  noteDestroy(group: Ref, member: number, stamp: number): void {
    const r = this.ensureMember(group, member)
    const words = this.words(group)
    const doubles = this.doubles(group)
    if ((words[r] & HAS_DESTROY) !== 0 && doubles[(r + DESTROYED_STAMP) >>> 1] >= stamp) return
    words[r] |= HAS_DESTROY
    doubles[(r + DESTROYED_STAMP) >>> 1] = stamp
  }

  remembersDestroy(group: Ref, member: number, stamp: number): boolean {
    const r = this.memberRecord(group, member)
    if (r < 0 || (this.words(group)[r] & HAS_DESTROY) === 0) return false
    return this.doubles(group)[(r + DESTROYED_STAMP) >>> 1] >= stamp
  }

  /** True when an effect's origin had observed every destroy of the group that is remembered. */
  knowsDestroys(group: Ref, by: Observed): boolean {
    const words = this.words(group)
    const g = this.at(group)
    for (let i = words[g + MEMBER_COUNT] - 1; i >= 0; i--) {
      const r = g + HEAD_WORDS + i * MEMBER_WORDS
      if ((words[r] & HAS_DESTROY) !== 0 && !by.covers(words[r] & 0xff, this.doubles(group)[(r + DESTROYED_STAMP) >>> 1])) {
        return false
      }
    }
    return true
  }

  hasDestroys(group: Ref): boolean {
    const words = this.words(group)
    const g = this.at(group)
    for (let i = words[g + MEMBER_COUNT] - 1; i >= 0; i--) {
      if ((words[g + HEAD_WORDS + i * MEMBER_WORDS] & HAS_DESTROY) !== 0) return true
    }
    return false
  }

  /** Forgets the destroys that are stable. */
  forgetDestroys(group: Ref, stable: Observed): void {
    const words = this.words(group)
    const g = this.at(group)
    for (let i = words[g + MEMBER_COUNT] - 1; i >= 0; i--) {
      const r = g + HEAD_WORDS + i * MEMBER_WORDS
      if ((words[r] & HAS_DESTROY) !== 0 && stable.covers(words[r] & 0xff, this.doubles(group)[(r + DESTROYED_STAMP) >>> 1])) {
        words[r] &= ~HAS_DESTROY
      }
    }
  }

  createdMember(group: Ref): number {
    return unpackMember(this.words(group)[this.at(group) + CREATED])
  }

  createdStamp(group: Ref): number {
    const words = this.words(group)
    const g = this.at(group) + CREATED
    return unpackStamp(words[g], words[g + 1])
  }

  start(group: Ref, id: StreamId): StreamId {
    return getId(this.words(group), this.at(group) + START, id)
  }

  entriesRead(group: Ref): number {
    return this.doubles(group)[(this.at(group) + ENTRIES_READ) >>> 1]
  }

  setEntriesRead(group: Ref, entriesRead: number): void {
    this.doubles(group)[(this.at(group) + ENTRIES_READ) >>> 1] = entriesRead
  }

  /** Redis' last-delivered-id: the highest ID that is done in the order of delivery. */
  lastDelivered(group: Ref, id: StreamId): StreamId {
    const words = this.words(group)
    const g = this.at(group)
    getId(words, g + START, id)
    for (let i = words[g + MEMBER_COUNT] - 1; i >= 0; i--) {
      const r = g + HEAD_WORDS + i * MEMBER_WORDS
      if ((words[r] & HAS_CURSOR) !== 0 && getId(words, r + CURSOR, this.other).compare(id) > 0) id.copyFrom(this.other)
    }
    return id
  }

  /** True when an XCLAIM LASTID says nothing new. */
  hasComeTo(root: Ref, group: Ref, id: StreamId): boolean {
    const { cursor } = this
    if (this.lastDelivered(group, this.scratch).compare(id) < 0) return false
    return !this.seekFrontier(root, group, cursor) || cursor.entry.id.compare(id) > 0
  }

  // Whole states, for snapshots.

  /** What all members share of a group, or of the memory of one that was destroyed. */
  sharedState(group: Ref): GroupShared {
    const words = this.words(group)
    const g = this.at(group)
    const destroys: Dot[] = []
    for (let i = 0; i < words[g + MEMBER_COUNT]; i++) {
      const r = g + HEAD_WORDS + i * MEMBER_WORDS
      if ((words[r] & HAS_DESTROY) === 0) continue
      destroys.push({ member: words[r] & 0xff, stamp: this.doubles(group)[(r + DESTROYED_STAMP) >>> 1] })
    }
    const isPlaced = (words[g + FLAGS] & PLACED) !== 0
    return {
      created: this.isAlive(group) ? { member: this.createdMember(group), stamp: this.createdStamp(group) } : null,
      placed: isPlaced ? dotAt(words, g + PLACED_DOT) : null,
      start: this.start(group, new StreamId()),
      destroys: destroys.sort((a, b) => a.member - b.member),
    }
  }

  /** Gives a group that was just made what sharedState gave. */
  setSharedState(group: Ref, { created, placed, start, destroys }: GroupShared): void {
    for (const { member, stamp } of destroys) this.noteDestroy(group, member, stamp)
    if (created === null) return
    this.create(group, created.member, created.stamp, start, -1)
    if (placed !== null) this.place(group, placed.member, placed.stamp, start, -1)
  }

  /** What this member has of a group beside its consumers. */
  ownState(group: Ref): GroupOwn {
    const words = this.words(group)
    const g = this.at(group)
    const cursors: { member: number; id: StreamId }[] = []
    for (let i = 0; i < words[g + MEMBER_COUNT]; i++) {
      const r = g + HEAD_WORDS + i * MEMBER_WORDS
      if ((words[r] & HAS_CURSOR) === 0) continue
      cursors.push({ member: words[r] & 0xff, id: getId(words, r + CURSOR, new StreamId()) })
    }
    const intervals = Array.from({ length: this.done.count(words, g + DONE) }, (_, i) => {
      const first = new StreamId()
      const last = new StreamId()
      return { member: this.done.intervalAt(words, g + DONE, i, first, last), first, last }
    })
    return {
      entriesRead: this.entriesRead(group),
      frontier: this.frontier(group, new StreamId()),
      frontierRegion: this.frontierRegion(group),
      cursors,
      intervals,
    }
  }

  /** Gives a group that has its shared state, and nothing done yet, what ownState gave. */
  setOwnState(group: Ref, { entriesRead, frontier, frontierRegion, cursors, intervals }: GroupOwn): void {
    this.setEntriesRead(group, entriesRead)
    for (const { member, id } of cursors) this.raiseCursor(group, member, id)
    for (const { member, first, last } of intervals) {
      this.done.addInterval(this.words(group), this.at(group) + DONE, member, first, last)
    }
    this.setFrontier(group, frontier, frontierRegion)
  }

  /** The same in place of what was done before. */
  replaceOwnState(group: Ref, own: GroupOwn): void {
    const words = this.words(group)
    const g = this.at(group)
    this.done.clear(words, g + DONE)
    for (let i = words[g + MEMBER_COUNT] - 1; i >= 0; i--) words[g + HEAD_WORDS + i * MEMBER_WORDS] &= ~HAS_CURSOR
    this.setOwnState(group, own)
  }

  // What is done.

  isDone(group: Ref, entry: Pick<EntryView, 'id' | 'member'>): boolean {
    const words = this.words(group)
    const g = this.at(group)
    if (compareWords(words, g + START, entry.id) >= 0) return true
    const r = this.memberRecord(group, entry.member)
    if (r >= 0 && (words[r] & HAS_CURSOR) !== 0 && compareWords(words, r + CURSOR, entry.id) >= 0) return true
    return this.done.covers(words, g + DONE, entry.member, entry.id)
  }

  frontier(group: Ref, id: StreamId): StreamId {
    return getId(this.words(group), this.at(group) + FRONTIER, id)
  }

  frontierRegion(group: Ref): number {
    return this.words(group)[this.at(group) + FRONTIER_REGION]
  }

  hasDoneIntervals(group: Ref): boolean {
    return this.done.count(this.words(group), this.at(group) + DONE) > 0
  }

  /**
   * An entry was read here once: the log is read, or this member's own ops come back after its disk was lost. What lies before it need not be done here: the state of
   * another member, which took the place of older ops, does not say what was delivered here.
   */
  readOnce(root: Ref, group: Ref, entry: EntryView): void {
    const { id, region, member } = entry
    // When the log is read over a newer state, the group may start before what it started at then.
    if (this.isDone(group, entry)) return
    const next = this.seekFrontier(root, group, this.cursor) ? this.cursor.entry : null
    if (next !== null && next.region === region && next.id.compare(id) === 0) this.pass(group, member, id, region)
    else this.markDone(root, group, entry)
  }

  /** True when an entry that was delivered here, at some time before, has been acknowledged already: it is done, and not because the group starts behind it. */
  isOver(group: Ref, entry: Pick<EntryView, 'id' | 'member'>, region: number): boolean {
    const { id } = entry
    const isBehindStart = compareWords(this.words(group), this.at(group) + START, id) < 0
    return isBehindStart && this.isDone(group, entry) && this.findPending(group, id, region) === 0
  }

  /**
   * The same for a delivery that comes back. What is pending of the entry may be so by a claim that came back before it and found it done: but it was not when it was delivered, so the acknowledgement had
   * seen neither, and takes both.
   */
  isOverSinceDelivery(group: Ref, entry: Pick<EntryView, 'id' | 'member'>, region: number): boolean {
    const { id } = entry
    const ref = this.findPending(group, id, region)
    if (ref !== 0 && this.pending.wasAcknowledged(ref)) this.unassign(group, id, region)
    return this.isOver(group, entry, region)
  }

  /** The entry is done, and so are all before it. */
  pass(group: Ref, member: number, id: StreamId, region: number): void {
    this.raiseCursor(group, member, id)
    const words = this.words(group)
    const g = this.at(group)
    const order = compareWords(words, g + FRONTIER, id)
    if (order < 0 || (order === 0 && words[g + FRONTIER_REGION] < region)) this.setFrontier(group, id, region)
  }

  raiseCursor(group: Ref, member: number, id: StreamId): void {
    const r = this.ensureMember(group, member)
    const words = this.words(group)
    if ((words[r] & HAS_CURSOR) !== 0 && compareWords(words, r + CURSOR, id) >= 0) return
    words[r] |= HAS_CURSOR
    putId(words, r + CURSOR, id)
    const g = this.at(group)
    if (words[g + DONE + 1] > 0) this.done.drop(words, g + DONE, member, id)
  }

  /** An entry came that may lie before the frontier. */
  noteLate(group: Ref, id: StreamId): void {
    const words = this.words(group)
    const g = this.at(group)
    if (compareWords(words, g + FRONTIER, id) < 0) return
    const { scratch } = this
    scratch.copyFrom(id)
    if (scratch.decrement()) this.setFrontier(group, scratch, MAX_REGION)
    else this.setFrontier(group, id, 0)
  }

  /** Moves the log's cursor to the first entry behind the frontier; false when there is none. */
  seekFrontier(root: Ref, group: Ref, cursor: StreamCursor): boolean {
    const id = this.frontier(group, this.scratch)
    const region = this.frontierRegion(group)
    const words = this.roots.words(root)
    return this.log.find(words, this.roots.at(root), id, region + 1, cursor)
  }

  /** The entry was acknowledged elsewhere, or is to count as that. True when it was not done before. */
  markDone(root: Ref, group: Ref, entry: EntryView): boolean {
    if (this.isDone(group, entry)) return false
    const words = this.words(group)
    const g = this.at(group)
    const { member } = entry
    // The neighbours of the same member, if they are near: then an interval grows instead of a new one beginning.
    const previous = this.neighbour(root, entry, member, false) ? this.cursor.entry.id.clone() : null
    const next = this.neighbour(root, entry, member, true) ? this.cursor.entry.id : null
    this.done.add(words, g + DONE, member, entry.id, previous, next)
    this.advance(root, group)
    return true
  }

  private neighbour(root: Ref, entry: EntryView, member: number, forwards: boolean): boolean {
    const { log, cursor } = this
    const words = this.roots.words(root)
    const d = this.roots.at(root)
    let on = log.find(words, d, entry.id, entry.region, cursor)
    for (let looks = 0; on && looks < NEIGHBOUR_LOOKS; looks++) {
      on = forwards ? log.next(cursor) : log.previous(cursor)
      if (on && cursor.entry.member === member) return true
    }
    return false
  }

  /** Moves the frontier over what is done. */
  advance(root: Ref, group: Ref): void {
    const { cursor } = this
    let on = this.seekFrontier(root, group, cursor)
    for (let steps = 0; on && steps < FRONTIER_STEPS; steps++) {
      const { entry } = cursor
      if (!this.isDone(group, entry)) return
      this.pass(group, entry.member, entry.id, entry.region)
      on = this.log.next(cursor)
    }
    if (!on) this.sweep(group)
  }

  /** All that is here is done, so intervals say no more than cursors can. */
  sweep(group: Ref): void {
    const words = this.words(group)
    const g = this.at(group)
    if (words[g + DONE + 1] === 0) return
    const ends: { member: number; id: StreamId }[] = []
    const id = new StreamId()
    this.done.forEach(words, g + DONE, id, (member) => ends.push({ member, id: id.clone() }))
    for (const end of ends) this.raiseCursor(group, end.member, end.id)
  }

  // Consumers: a consumer is its block, which never moves.

  consumerCount(group: Ref): number {
    return this.names.count(this.words(group), this.at(group) + CONSUMERS)
  }

  consumers(group: Ref): Ref[] {
    return this.names.sorted(this.words(group), this.at(group) + CONSUMERS).map((record) => this.names.blockOf(record))
  }

  findConsumer(group: Ref, buf: Uint8Array, off: number, len: number): Ref {
    const record = this.names.find(this.words(group), this.at(group) + CONSUMERS, buf, off, len)
    return record === 0 ? 0 : this.names.blockOf(record)
  }

  /** Adds a consumer that is not there. */
  addConsumer(group: Ref, buf: Uint8Array, off: number, len: number, seenMs: number): Ref {
    const consumer = this.newConsumer()
    const words = this.arena.u32[consumer >>> CHUNK_SHIFT]
    const w = (consumer & UNIT_MASK) << 1
    words[w + NAME_WORD] = this.names.add(this.words(group), this.at(group) + CONSUMERS, buf, off, len, consumer)
    this.setSeen(consumer, seenMs)
    return consumer
  }

  private newConsumer(): Ref {
    const consumer = this.arena.alloc(CONSUMER_BYTES)
    const words = this.arena.u32[consumer >>> CHUNK_SHIFT]
    const w = (consumer & UNIT_MASK) << 1
    words.fill(0, w, w + INDEX_WORDS)
    words[w + NAME_WORD] = 0
    this.setSeen(consumer, 0)
    this.setActive(consumer, -1)
    return consumer
  }

  /** The consumer to whom released entries belong: no client knows it, and it has no name. 0 until one was released. */
  nobody(group: Ref): Ref {
    return this.words(group)[this.at(group) + NOBODY]
  }

  ensureNobody(group: Ref): Ref {
    const nobody = this.nobody(group)
    if (nobody !== 0) return nobody
    const fresh = this.newConsumer()
    this.words(group)[this.at(group) + NOBODY] = fresh
    return fresh
  }

  isNobody(consumer: Ref): boolean {
    return this.arena.u32[consumer >>> CHUNK_SHIFT][((consumer & UNIT_MASK) << 1) + NAME_WORD] === 0
  }

  /** Whoever may have entries pending: nobody, if there are released ones, then the consumers. */
  holders(group: Ref): Ref[] {
    const consumers = this.consumers(group)
    return this.releasedCount(group) > 0 ? [this.nobody(group), ...consumers] : consumers
  }

  removeConsumer(group: Ref, consumer: Ref): void {
    const { index } = this.pending
    const words = this.arena.u32[consumer >>> CHUNK_SHIFT]
    const w = (consumer & UNIT_MASK) << 1
    const g = this.at(group)
    for (let left = index.count(words, w); left > 0; left--) {
      const ref = index.last(words, w, this.cursor.index)
      index.remove(words, w, this.cursor.index)
      this.pending.remove(this.words(group), g + PENDING, this.pending.id(ref, this.scratch), this.pending.region(ref))
      if (this.isTimed(group)) this.pending.removeByTime(this.words(group), g + BY_TIME, ref)
      this.arena.free(ref)
    }
    const record = words[w + NAME_WORD]
    this.names.remove(this.words(group), g + CONSUMERS, record)
    this.arena.free(consumer)
  }

  /** Empty for nobody. */
  consumerName(consumer: Ref): Uint8Array {
    if (this.isNobody(consumer)) return NO_NAME
    return this.names.name(this.arena.u32[consumer >>> CHUNK_SHIFT][((consumer & UNIT_MASK) << 1) + NAME_WORD])
  }

  seen(consumer: Ref): number {
    return this.arena.f64[consumer >>> CHUNK_SHIFT][(consumer & UNIT_MASK) + SEEN_F64]
  }

  setSeen(consumer: Ref, unixMs: number): void {
    this.arena.f64[consumer >>> CHUNK_SHIFT][(consumer & UNIT_MASK) + SEEN_F64] = unixMs
  }

  active(consumer: Ref): number {
    return this.arena.f64[consumer >>> CHUNK_SHIFT][(consumer & UNIT_MASK) + ACTIVE_F64]
  }

  setActive(consumer: Ref, unixMs: number): void {
    this.arena.f64[consumer >>> CHUNK_SHIFT][(consumer & UNIT_MASK) + ACTIVE_F64] = unixMs
  }

  // Pending entries.

  pendingCount(group: Ref): number {
    return this.pending.index.count(this.words(group), this.at(group) + PENDING)
  }

  consumerPendingCount(consumer: Ref): number {
    return this.pending.index.count(this.arena.u32[consumer >>> CHUNK_SHIFT], (consumer & UNIT_MASK) << 1)
  }

  /** Pending entries that were released and that nobody has claimed since. */
  releasedCount(group: Ref): number {
    const nobody = this.nobody(group)
    return nobody === 0 ? 0 : this.consumerPendingCount(nobody)
  }

  /** All that a consumer has pending, by position. */
  consumerPending(consumer: Ref): Ref[] {
    const { index } = this.pending
    const { index: place } = this.cursor
    const words = this.arena.u32[consumer >>> CHUNK_SHIFT]
    const refs: Ref[] = []
    for (let ref = index.first(words, (consumer & UNIT_MASK) << 1, place); ref !== 0; ref = index.next(place)) refs.push(ref)
    return refs
  }

  /** Words and descriptor of a group's pending index: for walks. */
  pendingWords(group: Ref): Uint32Array {
    return this.words(group)
  }

  pendingAt(group: Ref): number {
    return this.at(group) + PENDING
  }

  consumerWords(consumer: Ref): Uint32Array {
    return this.arena.u32[consumer >>> CHUNK_SHIFT]
  }

  consumerAt(consumer: Ref): number {
    return (consumer & UNIT_MASK) << 1
  }

  findPending(group: Ref, id: StreamId, region: number): Ref {
    return this.pending.find(this.words(group), this.at(group) + PENDING, id, region)
  }

  /** A claim makes an entry pending for a consumer, whoever had it. It may be one that was acknowledged. */
  claim(group: Ref, id: StreamId, region: number, consumer: Ref, timeMs: number, deliveries: number): Ref {
    const { pending, sought } = this
    sought.id = id
    sought.member = region
    const isOver = this.isOver(group, sought, region)
    const ref = this.assign(group, id, region, consumer, timeMs, deliveries)
    if (isOver) pending.setAcknowledged(ref, true)
    return ref
  }

  /** An entry that is not done is given to a consumer. It may be pending still, where SETID has set the group back. */
  deliver(group: Ref, id: StreamId, region: number, consumer: Ref, timeMs: number): void {
    this.pending.setAcknowledged(this.assign(group, id, region, consumer, timeMs, 1), false)
  }

  /** An entry that is pending, or is to be, belongs to nobody from now on. order: its place among those that were released, below 0. */
  release(group: Ref, id: StreamId, region: number, order: number, deliveries: number): void {
    this.claim(group, id, region, this.ensureNobody(group), order, deliveries)
  }

  /** Makes an entry pending for a consumer, whoever had it. timeMs: of its delivery; for nobody its place among what was released. */
  assign(group: Ref, id: StreamId, region: number, consumer: Ref, timeMs: number, deliveries: number): Ref {
    const { pending } = this
    let ref = 0
    // In order of IDs, which is how they are read, nothing is looked for.
    const fresh = pending.create(id, region)
    if (pending.insert(this.words(group), this.at(group) + PENDING, fresh, id, region)) {
      ref = fresh
    } else {
      this.arena.free(fresh)
      ref = this.findPending(group, id, region)
    }
    const owner = pending.consumer(ref)
    if (owner !== consumer) {
      if (owner !== 0) this.removeFromConsumer(owner, id, region)
      const words = this.arena.u32[consumer >>> CHUNK_SHIFT]
      pending.insert(words, (consumer & UNIT_MASK) << 1, ref, id, region)
      pending.setConsumer(ref, consumer)
    }
    const isTimed = this.isTimed(group)
    if (isTimed && owner !== 0) pending.removeByTime(this.words(group), this.at(group) + BY_TIME, ref)
    pending.setOrder(ref, timeMs)
    if (isTimed) pending.insertByTime(this.words(group), this.at(group) + BY_TIME, ref)
    pending.setDeliveries(ref, deliveries)
    return ref
  }

  /**
   * The entry that has been pending the longest since it was delivered last, 0 when there is none; nextLongest goes on from there. The index that this needs
   * is made at the first call, and kept up from then on. place: where it is, for who does not go to the end at once.
   */
  longestPending(group: Ref, place = this.longest): Ref {
    if (!this.isTimed(group)) for (const steps = this.orderByTime(group); steps.next().done !== true;);
    return this.pending.index.first(this.words(group), this.at(group) + BY_TIME, place)
  }

  /** Makes that index if there is none yet, some entries a step. What is pending must not change between two steps. It may be broken off. */
  *orderByTime(group: Ref): Generator<undefined, void> {
    if (this.isTimed(group)) return
    const { pending } = this
    const words = this.words(group)
    const g = this.at(group)
    let steps = 0
    // Of one that was broken off.
    while (pending.index.dropLastLeaf(words, g + BY_TIME) > 0) if (++steps % LIMITS.slicedReadStep === 0) yield
    const place = new IndexCursor()
    for (let ref = pending.index.first(words, g + PENDING, place); ref !== 0; ref = pending.index.next(place)) {
      pending.insertByTime(words, g + BY_TIME, ref)
      if (++steps % LIMITS.slicedReadStep === 0) yield
    }
    words[g + FLAGS] |= TIMED
  }

  /** What was pending must not have changed since. */
  nextLongest(place = this.longest): Ref {
    return this.pending.index.next(place)
  }

  /** Whether there is that index already. */
  isTimed(group: Ref): boolean {
    return (this.words(group)[this.at(group) + FLAGS] & TIMED) !== 0
  }

  /** An entry was read without becoming pending. It may be pending from before SETID set the group back, and stays so: but it is done for everybody else. */
  noteAcknowledged(group: Ref, id: StreamId, region: number): void {
    const ref = this.pendingCount(group) === 0 ? 0 : this.findPending(group, id, region)
    if (ref !== 0) this.pending.setAcknowledged(ref, true)
  }

  /** True when it was pending. */
  unassign(group: Ref, id: StreamId, region: number): boolean {
    const ref = this.findPending(group, id, region)
    if (ref === 0) return false
    this.removeFromConsumer(this.pending.consumer(ref), id, region)
    if (this.isTimed(group)) this.pending.removeByTime(this.words(group), this.at(group) + BY_TIME, ref)
    this.pending.remove(this.words(group), this.at(group) + PENDING, id, region)
    this.arena.free(ref)
    return true
  }

  private removeFromConsumer(consumer: Ref, id: StreamId, region: number): void {
    this.pending.remove(this.arena.u32[consumer >>> CHUNK_SHIFT], (consumer & UNIT_MASK) << 1, id, region)
  }

  // Freeing.

  /** Frees about so many pending entries and consumers of a group. True when all of it is freed, its record included. */
  freeGroup(root: Ref, group: Ref, budget: number): boolean {
    const words = this.words(group)
    const g = this.at(group)
    let left = budget
    while (left > 0 && this.pending.index.dropLastLeaf(words, g + BY_TIME) > 0) left--
    if (left > 0) left -= this.pending.free(words, g + PENDING, left)
    while (left > 0) {
      const consumer = this.names.drain(words, g + CONSUMERS)
      if (consumer !== 0) {
        left -= this.freeConsumer(consumer)
        continue
      }
      if (words[g + NOBODY] !== 0) this.freeConsumer(words[g + NOBODY])
      this.done.clear(words, g + DONE)
      this.dropRecord(root, group)
      return true
    }
    return false
  }

  /** Gives how much it was. Its pending entries were the group's and have gone; the index' own nodes are left. */
  private freeConsumer(consumer: Ref): number {
    const own = this.arena.u32[consumer >>> CHUNK_SHIFT]
    const c = (consumer & UNIT_MASK) << 1
    let freed = 1
    while (this.pending.index.dropLastLeaf(own, c) > 0) freed++
    this.arena.free(consumer)
    return freed
  }

  /** Frees the groups' table of a root, in which there is none left. */
  freeTable(root: Ref): void {
    this.names.freeTable(this.roots.words(root), this.roots.at(root) + GROUPS_WORD)
  }

  /** A root with nothing but the given group block: what the reclaimer can free a little at a time. */
  wrap(root: Ref, block: Ref): void {
    this.names.add(this.roots.words(root), this.roots.at(root) + GROUPS_WORD, NO_NAME, 0, 0, block)
  }

  bytes(root: Ref): number {
    let bytes = this.names.tableBytes(this.roots.words(root), this.roots.at(root) + GROUPS_WORD)
    for (let i = this.recordCount(root) - 1; i >= 0; i--) {
      const group = this.recordAt(root, i)
      const words = this.words(group)
      const g = this.at(group)
      bytes += this.names.recordBytes(group) + this.arena.sizeOf(this.names.blockOf(group))
      bytes += this.done.bytes(words, g + DONE) + this.names.tableBytes(words, g + CONSUMERS)
      bytes += this.pendingCount(group) * this.pending.entryBytes(this.isTimed(group))
      if (this.nobody(group) !== 0) bytes += CONSUMER_BYTES
      for (let c = this.consumerCount(group) - 1; c >= 0; c--) {
        const record = this.names.at(words, g + CONSUMERS, c)
        bytes += this.names.recordBytes(record) + CONSUMER_BYTES
      }
    }
    return bytes
  }

  private words(group: Ref): Uint32Array {
    return this.arena.u32[this.names.blockOf(group) >>> CHUNK_SHIFT]
  }

  private doubles(group: Ref): Float64Array {
    return this.arena.f64[this.names.blockOf(group) >>> CHUNK_SHIFT]
  }

  private at(group: Ref): number {
    return (this.names.blockOf(group) & UNIT_MASK) << 1
  }

  private newBlock(members: number): Ref {
    const block = this.arena.alloc((HEAD_WORDS + members * MEMBER_WORDS) * 4)
    const g = (block & UNIT_MASK) << 1
    this.arena.u32[block >>> CHUNK_SHIFT].fill(0, g, g + HEAD_WORDS)
    return block
  }

  private setFrontier(group: Ref, id: StreamId, region: number): void {
    const words = this.words(group)
    const g = this.at(group)
    putId(words, g + FRONTIER, id)
    words[g + FRONTIER_REGION] = region
  }

  /** Word index of a member's record in the group's block, -1 when it has none. */
  private memberRecord(group: Ref, member: number): number {
    const words = this.words(group)
    const g = this.at(group)
    for (let i = words[g + MEMBER_COUNT] - 1; i >= 0; i--) {
      const r = g + HEAD_WORDS + i * MEMBER_WORDS
      if ((words[r] & 0xff) === member) return r
    }
    return -1
  }

  private ensureMember(group: Ref, member: number): number {
    const found = this.memberRecord(group, member)
    if (found >= 0) return found
    const { arena } = this
    const block = this.names.blockOf(group)
    const count = this.words(group)[this.at(group) + MEMBER_COUNT]
    const used = (HEAD_WORDS + count * MEMBER_WORDS) * 4
    if (used + MEMBER_WORDS * 4 > arena.sizeOf(block)) {
      const to = arena.alloc(used + MEMBER_WORDS * 4)
      copyBytes(arena.u8[block >>> CHUNK_SHIFT], byteOf(block), arena.u8[to >>> CHUNK_SHIFT], byteOf(to), used)
      arena.free(block)
      this.names.setBlock(group, to)
    }
    const words = this.words(group)
    const g = this.at(group)
    words[g + MEMBER_COUNT] = count + 1
    const r = g + HEAD_WORDS + count * MEMBER_WORDS
    words.fill(0, r, r + MEMBER_WORDS)
    words[r] = member
    return r
  }
}

const NO_NAME = new Uint8Array(0)

function dotAt(words: Uint32Array, w: number): Dot {
  return { member: unpackMember(words[w]), stamp: unpackStamp(words[w], words[w + 1]) }
}
/** Behind every region: a position with it stands behind all entries of its ID. */
export const MAX_REGION = 256

function putId(words: Uint32Array, w: number, id: StreamId): void {
  words[w] = id.msHigh
  words[w + 1] = id.msLow
  words[w + 2] = id.seqHigh
  words[w + 3] = id.seqLow
}

function getId(words: Uint32Array, w: number, id: StreamId): StreamId {
  return id.set(words[w], words[w + 1], words[w + 2], words[w + 3])
}

function compareWords(words: Uint32Array, w: number, id: StreamId): number {
  return compareIds(words[w], words[w + 1], words[w + 2], words[w + 3], id.msHigh, id.msLow, id.seqHigh, id.seqLow)
}
