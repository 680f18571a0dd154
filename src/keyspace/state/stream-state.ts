import { areMarkSettings } from '../../base/mark-settings.js'
import { TWO_32 } from '../../base/words.js'
import { StreamId } from '../../crdt/stream-id.js'
import type { Arena, Ref } from '../../memory/arena.js'
import { IndexCursor } from '../../memory/order-index.js'
import { packDotHigh, packDotLow } from '../../memory/record.js'
import type { CollectionStore } from '../collection-store.js'
import type { Database } from '../database.js'
import type { Keyspace } from '../keyspace.js'
import { StreamFields } from '../stream-fields.js'
import { DoneRanges } from '../stream-done-ranges.js'
import { MAX_REGION, type Dot, type GroupOwn, type GroupShared } from '../stream-groups.js'
import { StreamCursor } from '../stream-log.js'
import { Mark } from '../stream-marks.js'
import { CHUNKS_WORD, GROUPS_WORD, MemberPart } from '../stream-root.js'
import type { StreamSpace } from '../stream-space.js'
import type { CollectionState, Observed, StateCursor } from './collection-state.js'
import { NO_DOT, OWN_ELEMENT, SAME_DOT } from './key-state-format.js'
import type { StateBytes } from './state-bytes.js'
import type { StateReader } from './state-reader.js'
import { writeDot } from './string-codec.js'

/** Kinds of elements. What is a member's own is passed over by others. */
export const ENTRY = 0
export const GROUP = NO_DOT
export const GROUP_DONE = 3 | OWN_ELEMENT
const CONSUMER = 5 | OWN_ELEMENT
export const PENDING = 7 | OWN_ELEMENT
/** A producer's mark, and the settings of marks; what of them was counted here. */
export const MARK = 2
export const MARK_SETTINGS = 4
export const MARK_COUNTERS = 9 | OWN_ELEMENT

/** Parts of a member in the header. */
const ADDED = 1
const DELETED = 2
const REMOVED = 4
/** Parts of a group. */
const CREATED = 1
const PLACED = 2

const ESCAPE = Number.MAX_SAFE_INTEGER
const MAX_U32 = 0xffffffff
const DOT_BYTES = 8

/** Ends a pending entry that is acknowledged all the same. */
const WAS_ACKNOWLEDGED = 1

/** Steps of the walk: entries by position, then group after group by name, of each its pending entries by position; then marks. */
const Phase = { entries: 0, group: 1, pending: 2, marks: 3 } as const

/** What a member has of a group for itself. */
export interface OwnGroup {
  readonly name: Uint8Array
  readonly created: GroupShared['created']
  readonly placed: GroupShared['placed']
  readonly start: StreamId
  readonly own: GroupOwn
  readonly consumers: readonly {
    readonly name: Uint8Array
    /** Nobody: the entries were released. */
    readonly isNobody: boolean
    readonly seenMs: number
    readonly activeMs: number
    /** With the member that wrote the entry. */
    readonly pending: readonly {
      readonly id: StreamId
      readonly region: number
      readonly member: number
      /** Of its delivery; its place among what was released, below 0, when it was. */
      readonly timeMs: number
      readonly deliveries: number
      /** Before it became pending. */
      readonly wasAcknowledged: boolean
    }[]
  }[]
}

/**
 * Streams: `stream` of docs/formats/key-state.md. What members have added, deleted and removed is in the header; entries, groups, consumers and pending
 * entries are elements that do not depend on each other, and are walked by what never changes of them: position or name.
 */
export class StreamState implements CollectionState {
  private readonly id = new StreamId()
  private readonly fields = new StreamFields()
  private readonly cursor = new StreamCursor()
  private readonly mark = new Mark()
  private readonly walking = new IndexCursor()
  /** Of another member's state: what it has delivered and nobody has acknowledged, by group and then by the member of the entry. */
  private readonly undelivered = new Map<Ref, Map<number, StreamId[]>>()
  private readonly source = { id: new StreamId(), region: 0, member: 0, stamp: 0 }

  constructor(
    private readonly store: CollectionStore,
    private readonly keyspace: Keyspace,
    private readonly spaceOf: (arena: Arena) => StreamSpace,
  ) {}

  writeHeader(db: Database, root: Ref, out: StateBytes): void {
    const { roots } = this.spaceOf(db.arena)
    const { id } = this
    const records = Array.from({ length: roots.count(root) }, (_, i) => i)
    records.sort((a, b) => roots.memberAt(root, a) - roots.memberAt(root, b))
    out.varint(records.length)
    for (const i of records) {
      const member = roots.memberAt(root, i)
      const added = roots.stampOf(root, i, MemberPart.added)
      const deleted = roots.stampOf(root, i, MemberPart.deleted)
      const removed = roots.stampOf(root, i, MemberPart.removed)
      out.u8(member)
      out.u8((added > 0 ? ADDED : 0) | (deleted > 0 ? DELETED : 0) | (removed > 0 ? REMOVED : 0))
      if (added > 0) {
        out.f64(added)
        writeId(out, roots.lastIdAt(root, i, id))
        out.varint(roots.addedBy(root, member))
      }
      if (deleted > 0) {
        out.f64(deleted)
        writeId(out, roots.deletedBy(root, member, id))
      }
      if (removed > 0) out.f64(removed)
    }
  }

  writeElements(db: Database, root: Ref, cursor: StateCursor, out: StateBytes, bytes: number): boolean {
    const space = this.spaceOf(db.arena)
    const end = out.length + bytes
    if (cursor.phase === Phase.entries) {
      if (!this.writeEntries(space, root, cursor, out, end)) return false
      cursor.phase = Phase.group
    }
    if (cursor.phase === Phase.marks) return this.writeMarks(space, root, cursor, out, end)
    for (;;) {
      if (cursor.phase === Phase.pending) {
        if (!this.writePending(space, root, cursor, out, end)) return false
        cursor.phase = Phase.group
      }
      if (out.length >= end) return false
      const group = this.nextGroup(space, root, cursor)
      if (group === 0) {
        if (space.roots.marks(root) === 0) return true
        this.writeMarkSettings(space, root, cursor, out)
        cursor.phase = Phase.marks
        cursor.place = 0
        return this.writeMarks(space, root, cursor, out, end)
      }
      this.writeGroup(space, group, out)
      cursor.place = 1
      cursor.name = space.groups.names.name(group).slice()
      cursor.id.set(0, 0, 0, 0)
      cursor.region = 0
      cursor.phase = Phase.pending
    }
  }

  private writeEntries(space: StreamSpace, root: Ref, cursor: StateCursor, out: StateBytes, end: number): boolean {
    const { log, roots } = space
    const words = roots.words(root)
    const d = roots.at(root) + CHUNKS_WORD
    const { cursor: place, fields } = this
    let on = cursor.isNew ? log.first(words, d, place) : log.find(words, d, cursor.id, cursor.region + 1, place)
    for (; on; on = log.next(place)) {
      const { entry } = place
      if (out.length >= end) return false
      const high = packDotHigh(entry.member, entry.stamp)
      const low = packDotLow(entry.stamp)
      const isSame = cursor.isSameDot(high, low)
      const element = out.open()
      out.u8(ENTRY | (isSame ? SAME_DOT : 0))
      if (!isSame) out.dot(high, low)
      writeId(out, entry.id)
      out.u8(entry.region)
      log.chunks.fields(entry, fields)
      out.varint(fields.count)
      for (let i = 0; i < fields.count; i++) {
        out.block(fields.buf, fields.nameOff[i], fields.nameLen[i])
        out.block(fields.buf, fields.valueOff[i], fields.valueLen[i])
      }
      out.close(element)
      cursor.id.copyFrom(entry.id)
      cursor.region = entry.region
    }
    return true
  }

  /** The group whose name comes next, whether it exists or is only remembered; 0 when there is none. */
  private nextGroup(space: StreamSpace, root: Ref, cursor: StateCursor): Ref {
    const { names } = space.groups
    const { roots } = space
    const records = names.sorted(roots.words(root), roots.at(root) + GROUPS_WORD)
    return records.find((record) => cursor.place === 0 || Buffer.compare(names.name(record), cursor.name) > 0) ?? 0
  }

  private writeGroup(space: StreamSpace, group: Ref, out: StateBytes): void {
    const { groups } = space
    const name = groups.names.name(group)
    const shared = groups.sharedState(group)
    let element = out.open()
    out.u8(GROUP)
    out.block(name, 0, name.length)
    writeShared(out, shared)
    out.close(element)
    if (shared.created === null) return
    element = out.open()
    out.u8(GROUP_DONE)
    out.block(name, 0, name.length)
    writeOwn(out, groups.ownState(group))
    out.close(element)
    for (const consumer of groups.consumers(group)) {
      element = out.open()
      out.u8(CONSUMER)
      out.block(name, 0, name.length)
      const consumerName = groups.consumerName(consumer)
      out.block(consumerName, 0, consumerName.length)
      out.f64(groups.seen(consumer))
      out.f64(groups.active(consumer))
      out.close(element)
    }
  }

  private writePending(space: StreamSpace, root: Ref, cursor: StateCursor, out: StateBytes, end: number): boolean {
    const { groups } = space
    const { pending } = groups
    const { id } = this
    const group = groups.find(root, cursor.name, 0, cursor.name.length)
    if (group === 0) return true
    let ref = pending.seek(groups.pendingWords(group), groups.pendingAt(group), cursor.id)
    for (; ref !== 0; ref = pending.nextSought()) {
      pending.id(ref, id)
      const region = pending.region(ref)
      if (id.compare(cursor.id) === 0 && region <= cursor.region) continue
      if (out.length >= end) return false
      const element = out.open()
      out.u8(PENDING)
      out.block(cursor.name, 0, cursor.name.length)
      const consumer = groups.consumerName(pending.consumer(ref))
      out.block(consumer, 0, consumer.length)
      writeId(out, id)
      out.u8(region)
      out.f64(pending.order(ref))
      out.varint(pending.deliveries(ref))
      if (pending.wasAcknowledged(ref)) out.u8(WAS_ACKNOWLEDGED)
      out.close(element)
      cursor.id.copyFrom(id)
      cursor.region = region
    }
    return true
  }

  private writeMarkSettings({ marks }: StreamSpace, root: Ref, cursor: StateCursor, out: StateBytes): void {
    for (const settings of marks.allSettings(root)) {
      const element = this.openWithDot(MARK_SETTINGS, settings.member, settings.stamp, cursor, out)
      out.varint(settings.durationS)
      out.varint(settings.maxSize)
      out.close(element)
    }
    const element = out.open()
    out.u8(MARK_COUNTERS)
    out.varint(marks.added(root))
    out.varint(marks.duplicates(root))
    out.close(element)
  }

  /** The cursor's place is the length of the last producer, 0 before the first; its name that and the message's. */
  private writeMarks({ marks }: StreamSpace, root: Ref, cursor: StateCursor, out: StateBytes, end: number): boolean {
    const { mark, walking } = this
    const behind = cursor.place === 0 ? null : this.behind(cursor)
    for (let ref = marks.seek(root, behind, walking); ref !== 0; ref = marks.next(walking)) {
      if (out.length >= end) return false
      const { buf, producerOff, producerLen, nameOff, nameLen, id, member, stamp, time } = marks.read(ref, mark)
      const element = this.openWithDot(MARK, member, stamp, cursor, out)
      out.block(buf, producerOff, producerLen)
      out.block(buf, nameOff, nameLen)
      writeId(out, id)
      out.f64(time)
      out.close(element)
      cursor.place = producerLen
      cursor.name = buf.slice(producerOff, nameOff + nameLen)
      cursor.id.copyFrom(id)
      cursor.region = member
    }
    return true
  }

  private behind({ name, place, id, region }: StateCursor): Mark {
    const { mark } = this
    mark.buf = name
    mark.producerOff = 0
    mark.producerLen = mark.nameOff = place
    mark.nameLen = name.length - place
    mark.id.copyFrom(id)
    mark.member = region
    return mark
  }

  private openWithDot(form: number, member: number, stamp: number, cursor: StateCursor, out: StateBytes): number {
    const high = packDotHigh(member, stamp)
    const low = packDotLow(stamp)
    const isSame = cursor.isSameDot(high, low)
    const element = out.open()
    out.u8(form | (isSame ? SAME_DOT : 0))
    if (!isSame) out.dot(high, low)
    return element
  }

  read(db: Database, root: Ref, reader: StateReader): Ref {
    const space = this.spaceOf(db.arena)
    const { end } = reader
    reader.block()
    const behind = reader.at
    this.undelivered.clear()
    let to = root === 0 ? space.roots.create() : root
    if (reader.len > 0) {
      reader.at = reader.off
      reader.end = behind
      to = this.readHeader(space, to, reader)
      if (!reader.atEnd) reader.damaged('a stream with more in its header than it says')
      reader.end = end
    }
    reader.beginElements()
    while (reader.beginElement()) {
      this.readElement(space, to, reader)
      reader.endElement()
    }
    if (this.undelivered.size > 0) this.takeDeliveriesBack(space)
    return to
  }

  /** What this member has of a stream's groups for itself, to be given back to a state of the same stream that another member has written. */
  ownGroups(db: Database, root: Ref): OwnGroup[] {
    const space = this.spaceOf(db.arena)
    const { groups } = space
    const { pending } = groups
    return groups.sorted(root).map((group) => {
      const { created, placed, start } = groups.sharedState(group)
      return {
        name: groups.names.name(group).slice(),
        created,
        placed,
        start,
        own: groups.ownState(group),
        consumers: groups.holders(group).map((consumer) => ({
          name: groups.consumerName(consumer).slice(),
          isNobody: groups.isNobody(consumer),
          seenMs: groups.seen(consumer),
          activeMs: groups.active(consumer),
          pending: groups.consumerPending(consumer).map((ref) => {
            const id = pending.id(ref, new StreamId())
            const region = pending.region(ref)
            const member = this.memberOf(space, root, id, region)
            const wasAcknowledged = pending.wasAcknowledged(ref)
            return { id, region, member, timeMs: pending.order(ref), deliveries: pending.deliveries(ref), wasAcknowledged }
          }),
        })),
      }
    })
  }

  /**
   * Gives a stream that another member has written what this one had of its groups: consumers, what they have pending but for what has been acknowledged elsewhere,
   * and what was delivered here. A group that was made anew meanwhile starts without; one that SETID has placed meanwhile keeps what is pending.
   */
  giveBack(db: Database, root: Ref, kept: readonly OwnGroup[], applied: Observed | null): void {
    const space = this.spaceOf(db.arena)
    const { groups, roots } = space
    const knows = ({ member, stamp }: Dot): boolean => applied?.covers(member, stamp) === true
    const removals: Dot[] = []
    for (let i = 0; i < roots.count(root); i++) {
      const stamp = roots.stampOf(root, i, MemberPart.removed)
      if (stamp > 0) removals.push({ member: roots.memberAt(root, i), stamp })
    }
    for (const { name, created, placed, start, own, consumers } of kept) {
      const group = groups.find(root, name, 0, name.length)
      if (group === 0) continue
      const now = groups.sharedState(group)
      // Another member may have made it as well, at the same time: then it is the same one, unless something here has destroyed it in between.
      const isSame = isSameDot(now.created, created) || (applied !== null && removals.every(knows) && now.destroys.every(knows))
      if (!isSame) continue
      const done = new DoneRanges(groups.ownState(group))
      for (const consumer of consumers) {
        const { name: consumerName, isNobody, seenMs, activeMs } = consumer
        const ref = isNobody
          ? groups.ensureNobody(group)
          : groups.addConsumer(group, consumerName, 0, consumerName.length, seenMs)
        if (!isNobody) groups.setActive(ref, activeMs)
        for (const { id, region, member, timeMs, deliveries, wasAcknowledged } of consumer.pending) {
          // What lies before the start counts as done without anybody having acknowledged it.
          if (!wasAcknowledged && id.compare(now.start) > 0 && done.covers(member, id)) continue
          groups.claim(group, id, region, ref, timeMs, deliveries)
        }
      }
      if (!isSameDot(now.placed, placed)) continue
      const delivered = new DoneRanges(own)
      if (start.compare(now.start) !== 0) delivered.removeUpTo(start)
      done.add(delivered)
      const frontier = { frontier: now.start, frontierRegion: MAX_REGION }
      groups.replaceOwnState(group, { entriesRead: own.entriesRead, ...frontier, ...done.toState() })
      groups.advance(root, group)
    }
  }

  /** What is pending elsewhere only may be delivered here. */
  private takeDeliveriesBack({ groups }: StreamSpace): void {
    for (const [group, byMember] of this.undelivered) {
      const own = groups.ownState(group)
      const done = new DoneRanges(own)
      for (const [member, ids] of byMember) done.remove(member, ids)
      groups.replaceOwnState(group, { ...own, ...done.toState() })
    }
    this.undelivered.clear()
  }

  /** Whose entry it is; of one that is gone it is the one that its position names. */
  private memberOf({ log, roots }: StreamSpace, root: Ref, id: StreamId, region: number): number {
    const { cursor } = this
    const isThere = log.find(roots.words(root), roots.at(root) + CHUNKS_WORD, id, region, cursor)
    const { entry } = cursor
    return isThere && entry.region === region && entry.id.compare(id) === 0 ? entry.member : region
  }

  drop(db: Database, root: Ref): void {
    this.keyspace.reclaimer.add(db.arena, this.store, root)
  }

  private readHeader(space: StreamSpace, root: Ref, reader: StateReader): Ref {
    const { roots } = space
    const { id } = this
    let to = root
    for (let left = reader.count(2); left > 0; left--) {
      const member = reader.memberId()
      const parts = reader.u8()
      if (parts === 0 || parts > (ADDED | DELETED | REMOVED)) reader.damaged('a stream of unknown parts')
      if ((parts & ADDED) !== 0) {
        const stamp = reader.stampOrZero()
        readId(reader, id)
        to = roots.noteAdded(to, member, stamp, id, reader.varint())
      }
      if ((parts & DELETED) !== 0) {
        const stamp = reader.stampOrZero()
        readId(reader, id)
        to = roots.noteDeleted(to, member, stamp, id)
      }
      if ((parts & REMOVED) !== 0) to = roots.noteRemoved(to, member, reader.stampOrZero())
    }
    return to
  }

  private readElement(space: StreamSpace, root: Ref, reader: StateReader): void {
    const kind = reader.u8()
    switch (kind & ~SAME_DOT) {
      case ENTRY:
        this.readEntry(space, root, reader, kind)
        break
      case GROUP:
        this.readGroup(space, root, reader)
        break
      case GROUP_DONE:
        this.readDone(space, root, reader)
        break
      case CONSUMER:
        this.readConsumer(space, root, reader)
        break
      case PENDING:
        this.readPending(space, root, reader)
        break
      case MARK:
        this.readMark(space, root, reader, kind)
        break
      case MARK_SETTINGS:
        this.readMarkSettings(space, root, reader, kind)
        break
      case MARK_COUNTERS: {
        const added = reader.varint()
        const duplicates = reader.varint()
        if (!reader.isForeign) space.marks.setCounters(root, added, duplicates)
        break
      }
      default:
        reader.damaged('an element of unknown kind')
    }
  }

  private readEntry(space: StreamSpace, root: Ref, reader: StateReader, form: number): void {
    const { source, fields } = this
    const { roots, log } = space
    reader.elementDot(form)
    source.member = reader.member
    source.stamp = reader.stamp
    readId(reader, source.id)
    source.region = readRegion(reader)
    fields.start(reader.bytes)
    for (let left = reader.count(2); left > 0; left--) {
      reader.block()
      const { off, len } = reader
      reader.block()
      fields.add(off, len, reader.off, reader.len)
    }
    log.insert(roots.words(root), roots.at(root) + CHUNKS_WORD, source, fields)
  }

  private readMark(space: StreamSpace, root: Ref, reader: StateReader, form: number): void {
    const { mark } = this
    reader.elementDot(form)
    mark.member = reader.member
    mark.stamp = reader.stamp
    reader.block()
    mark.buf = reader.bytes
    mark.producerOff = reader.off
    mark.producerLen = reader.len
    reader.block()
    mark.nameOff = reader.off
    mark.nameLen = reader.len
    readId(reader, mark.id)
    mark.time = reader.time()
    if (mark.producerLen === 0 || mark.nameLen === 0 || mark.time < 0 || mark.time === Infinity) {
      reader.damaged('a mark of nothing')
    }
    space.marks.add(root, mark)
    // Which of them are to go is only known when all are there.
    space.roots.setUnsettled(root, true)
  }

  private readMarkSettings(space: StreamSpace, root: Ref, reader: StateReader, form: number): void {
    reader.elementDot(form)
    const { member, stamp } = reader
    const durationS = reader.varint()
    const maxSize = reader.varint()
    if (!areMarkSettings(durationS, maxSize)) {
      reader.damaged('settings of marks that are none')
    }
    space.marks.set(root, { member, stamp, durationS, maxSize })
  }

  /** A group comes once, or again as it was later. */
  private readGroup(space: StreamSpace, root: Ref, reader: StateReader): void {
    const { groups, roots } = space
    reader.block()
    const { bytes, off, len } = reader
    const shared = readShared(reader)
    if (groups.findRecord(root, bytes, off, len) !== 0) reader.damaged('a group twice')
    groups.setSharedState(groups.ensure(root, bytes, off, len), shared)
    if (shared.destroys.length > 0) roots.setUnsettled(root, true)
  }

  /** The group that an element is about. */
  private readName(space: StreamSpace, root: Ref, reader: StateReader): Ref {
    reader.block()
    const group = space.groups.find(root, reader.bytes, reader.off, reader.len)
    return group === 0 ? reader.damaged('something of a group that is not there') : group
  }

  private readDone(space: StreamSpace, root: Ref, reader: StateReader): void {
    const { groups } = space
    const group = this.readName(space, root, reader)
    const own = readOwn(reader)
    if (!reader.isForeign) {
      groups.setOwnState(group, own)
      return
    }
    // How far it has read is its own; what was acknowledged is not.
    const frontier = { frontier: groups.start(group, new StreamId()), frontierRegion: MAX_REGION }
    groups.setOwnState(group, { ...own, entriesRead: -1, ...frontier })
  }

  private readConsumer(space: StreamSpace, root: Ref, reader: StateReader): void {
    const { groups } = space
    if (reader.isForeign) {
      reader.raw(reader.left)
      return
    }
    const group = this.readName(space, root, reader)
    reader.block()
    const consumer = this.consumerOf(space, group, reader.bytes, reader.off, reader.len)
    groups.setSeen(consumer, reader.time())
    groups.setActive(consumer, reader.time())
  }

  private readPending(space: StreamSpace, root: Ref, reader: StateReader): void {
    const { id } = this
    const group = this.readName(space, root, reader)
    if (reader.isForeign) {
      reader.block()
      readId(reader, id)
      const region = readRegion(reader)
      if (!readPendingEnd(reader)) this.noteUndelivered(space, root, group, region)
      return
    }
    reader.block()
    const { bytes, off, len } = reader
    readId(reader, id)
    const region = readRegion(reader)
    const time = reader.time()
    if (time < 0 && len > 0) reader.damaged('a consumer has what was released')
    const consumer = time < 0 ? space.groups.ensureNobody(group) : this.consumerOf(space, group, bytes, off, len)
    const deliveries = reader.varint()
    if (deliveries > MAX_U32) reader.damaged('too many deliveries')
    const wasAcknowledged = readAcknowledged(reader)
    const ref = space.groups.assign(group, id, region, consumer, time, deliveries)
    space.groups.pending.setAcknowledged(ref, wasAcknowledged)
  }

  private noteUndelivered(space: StreamSpace, root: Ref, group: Ref, region: number): void {
    const { id, undelivered } = this
    const member = this.memberOf(space, root, id, region)
    const byMember = undelivered.get(group) ?? new Map<number, StreamId[]>()
    undelivered.set(group, byMember)
    const ids = byMember.get(member)
    if (ids === undefined) byMember.set(member, [id.clone()])
    else ids.push(id.clone())
  }

  /** A consumer by its name. It may have come while the stream was being written, behind where consumers are: then it is made here. */
  private consumerOf({ groups }: StreamSpace, group: Ref, bytes: Uint8Array, off: number, len: number): Ref {
    const known = groups.findConsumer(group, bytes, off, len)
    return known === 0 ? groups.addConsumer(group, bytes, off, len, 0) : known
  }
}

function isSameDot(a: GroupShared['created'], b: GroupShared['created']): boolean {
  return a?.member === b?.member && a?.stamp === b?.stamp
}

function writeShared(out: StateBytes, { created, placed, start, destroys }: GroupShared): void {
  out.u8((created === null ? 0 : CREATED) | (placed === null ? 0 : PLACED))
  if (created !== null) {
    writeDot(out, created.member, created.stamp)
    writeId(out, start)
  }
  if (placed !== null) writeDot(out, placed.member, placed.stamp)
  out.varint(destroys.length)
  for (const { member, stamp } of destroys) writeDot(out, member, stamp)
}

export function readShared(reader: StateReader): GroupShared {
  const parts = reader.u8()
  if (parts > (CREATED | PLACED) || parts === PLACED) reader.damaged('a group of unknown parts')
  const start = new StreamId()
  const created = (parts & CREATED) === 0 ? null : readDot(reader)
  if (created !== null) readId(reader, start)
  const placed = (parts & PLACED) === 0 ? null : readDot(reader)
  const destroys: { member: number; stamp: number }[] = []
  for (let left = reader.count(DOT_BYTES); left > 0; left--) destroys.push(readDot(reader))
  if (created === null && destroys.length === 0) reader.damaged('a group without anything')
  return { created, placed, start, destroys }
}

function writeOwn(out: StateBytes, { entriesRead, frontier, frontierRegion, cursors, intervals }: GroupOwn): void {
  out.varint(entriesRead + 1)
  writeId(out, frontier)
  out.varint(frontierRegion)
  out.varint(cursors.length)
  for (const { member, id } of cursors) {
    out.u8(member)
    writeId(out, id)
  }
  out.varint(intervals.length)
  for (const { member, first, last } of intervals) {
    out.u8(member)
    writeId(out, first)
    writeId(out, last)
  }
}

export function readOwn(reader: StateReader): GroupOwn {
  const entriesRead = reader.varint() - 1
  const frontier = readId(reader, new StreamId())
  const frontierRegion = reader.varint()
  if (frontierRegion > MAX_REGION) reader.damaged('a stream entry of no region')
  const cursors: { member: number; id: StreamId }[] = []
  for (let left = reader.count(CURSOR_BYTES); left > 0; left--) {
    cursors.push({ member: reader.memberId(), id: readId(reader, new StreamId()) })
  }
  const intervals: { member: number; first: StreamId; last: StreamId }[] = []
  for (let left = reader.count(INTERVAL_BYTES); left > 0; left--) {
    const member = reader.memberId()
    const first = readId(reader, new StreamId())
    const last = readId(reader, new StreamId())
    const before = intervals.at(-1)
    const isInOrder =
      before === undefined || before.member < member || (before.member === member && before.last.compare(first) < 0)
    if (!isInOrder || first.compare(last) > 0) reader.damaged('intervals out of order')
    intervals.push({ member, first, last })
  }
  return { entriesRead, frontier, frontierRegion, cursors, intervals }
}

/** Passes over what follows the position of a pending entry; true when it is acknowledged all the same. */
export function readPendingEnd(reader: StateReader): boolean {
  reader.time()
  reader.varint()
  return readAcknowledged(reader)
}

/** Left out, also by those that do not know it yet, when it was not. */
function readAcknowledged(reader: StateReader): boolean {
  if (reader.atEnd) return false
  if (reader.u8() !== WAS_ACKNOWLEDGED) reader.damaged('a pending entry of unknown kind')
  return true
}

const CURSOR_BYTES = 3
const INTERVAL_BYTES = 5

function readDot(reader: StateReader): { member: number; stamp: number } {
  reader.dot()
  return { member: reader.member, stamp: reader.stamp }
}

export function readRegion(reader: StateReader): number {
  const region = reader.u8()
  return region === 0 ? reader.damaged('a stream entry of no region') : region
}

function writeId(out: StateBytes, id: StreamId): void {
  writeU64(out, id.msHigh, id.msLow)
  writeU64(out, id.seqHigh, id.seqLow)
}

/** A varint, or where that is too small its highest value followed by both halves. */
function writeU64(out: StateBytes, high: number, low: number): void {
  const value = high * TWO_32 + low
  if (value < ESCAPE) {
    out.varint(value)
    return
  }
  out.varint(ESCAPE)
  out.dot(high, low)
}

export function readId(reader: StateReader, id: StreamId): StreamId {
  readU64(reader)
  const { dotHigh: msHigh, dotLow: msLow } = reader
  readU64(reader)
  return id.set(msHigh, msLow, reader.dotHigh, reader.dotLow)
}

/** Leaves the halves where the reader leaves those of dots. */
function readU64(reader: StateReader): void {
  const value = reader.varint()
  if (value === ESCAPE) {
    reader.words()
    return
  }
  reader.dotHigh = Math.floor(value / TWO_32)
  reader.dotLow = value >>> 0
}
