import type { MemberId } from '../base/ids.js'
import { LIMITS } from '../base/limits.js'
import { areMarkSettings } from '../base/mark-settings.js'
import { NotificationClass } from '../base/notification-classes.js'
import type { ApplyContext } from '../crdt/apply-context.js'
import { EffectType, type EffectReader } from '../crdt/effect-reader.js'
import type { OpBuilder } from '../crdt/op-builder.js'
import { StreamId } from '../crdt/stream-id.js'
import type { Arena, Ref } from '../memory/arena.js'
import { IndexCursor } from '../memory/order-index.js'
import type { RdbStream, RdbValue } from '../rdb/value.js'
import type { CollectionStore, KeyEvent, KeyPlace } from './collection-store.js'
import type { StoreEnvironment } from './collections.js'
import { KeyType, type Database } from './database.js'
import type { Hash64 } from './hash64.js'
import type { Keyspace } from './keyspace.js'
import {
  ACK_READ,
  GroupOp,
  MarkOp,
  PendingOp,
  readCount,
  readFields,
  readId,
  readMark,
  readRegion,
  RELEASED_NOW,
  REMOVE_BY_TRIM,
} from './stream-codec.js'
import type { CollectionState } from './state/collection-state.js'
import { StreamState } from './state/stream-state.js'
import type { EntryView } from './stream-chunk.js'
import type { EntrySource } from './stream-chunk.js'
import { StreamFields } from './stream-fields.js'
import { MAX_REGION } from './stream-groups.js'
import { comparePosition, StreamCursor } from './stream-log.js'
import { Mark } from './stream-marks.js'
import { releasedAt } from './stream-pending.js'
import { streamToRdb } from './stream-rdb.js'
import { CHUNKS_WORD, GROUPS_WORD, MemberPart } from './stream-root.js'
import { StreamSpace } from './stream-space.js'
import { StreamWrites } from './stream-writes.js'

export interface StreamSettings {
  /**
   * IDs in a database with several members. strict: each member makes its own, which no other makes; semi-strict: full IDs are taken as well; liberal: as
   * Redis. A database with one member is always as Redis.
   */
  readonly idMode: 'strict' | 'semi-strict' | 'liberal'
  /** Redis' stream-node-max-entries and stream-node-max-bytes; 0: no bound but the built-in ones of chunks. */
  readonly nodeMaxEntries: number
  readonly nodeMaxBytes: number
}

/**
 * Streams. A stream is a map from positions (ms, seq, region) to entries, each with the dot of its addition; deletions, trims and removals of the whole
 * stream take the entries that their origin had observed, so an entry that is added at the same time stays. Two members may add the same full ID:
 * both entries stay, by region.
 *
 * Groups: a destroy, and a removal of the stream, win over every operation on a group that had not observed them; so they are remembered until
 * they are stable. Consumers and what they have pending are this member's own: the effects that say so are in its log, and others pass over them.
 *
 * Source: Redis' streams (t_stream.c) for what one member sees; Redis Enterprise's active-active streams for IDs, groups and acknowledgements.
 */
export class StreamStore implements CollectionStore {
  readonly type = KeyType.stream
  readonly state: CollectionState
  /** Writes by local commands. */
  readonly writes: StreamWrites
  readonly self: MemberId
  settings: StreamSettings = { idMode: 'semi-strict', nodeMaxEntries: 100, nodeMaxBytes: 4096 }
  private readonly context: ApplyContext
  private readonly keyspace: Keyspace
  private readonly spaces = new WeakMap<Arena, StreamSpace>()
  private current: StreamSpace | null = null
  private readonly id = new StreamId()
  private readonly passing = new StreamCursor()
  private readonly lastId = new StreamId()
  private readonly fields = new StreamFields()
  private readonly source = { id: new StreamId(), region: 0, member: 0, stamp: 0 }
  private readonly found = new StreamCursor()
  private readonly mark = new Mark()
  private readonly behind = new Mark()

  constructor(environment: StoreEnvironment) {
    this.self = environment.self
    this.context = environment.context
    this.keyspace = environment.keyspace
    this.writes = new StreamWrites(this, environment.effects, environment.keyspace)
    this.state = new StreamState(this, environment.keyspace, (arena) => this.space(arena))
  }

  /** Of the effect that is being written or applied. */
  get stamp(): number {
    return this.context.stamp
  }

  /** Settings; those of chunks hold for chunks from now on. */
  configure(settings: StreamSettings): void {
    this.settings = settings
    if (this.current !== null) this.limit(this.current)
  }

  space(arena: Arena): StreamSpace {
    const { current } = this
    if (current !== null && current.arena === arena) return current
    let space = this.spaces.get(arena)
    if (space === undefined) {
      space = new StreamSpace(arena, this.keyspace.hashSeed)
      this.spaces.set(arena, space)
    }
    this.limit(space)
    this.current = space
    return space
  }

  private limit(space: StreamSpace): void {
    space.log.chunks.maxEntries = this.settings.nodeMaxEntries
    space.log.chunks.maxBytes = this.settings.nodeMaxBytes
  }

  // Effects: one walk for checking and for applying.

  check(effect: EffectReader): void {
    this.walk(null, 0, effect)
  }

  apply(db: Database, root: Ref, effect: EffectReader): Ref {
    return this.walk(this.space(db.arena), root, effect)
  }

  private walk(space: StreamSpace | null, root: Ref, effect: EffectReader): Ref {
    switch (effect.type) {
      case EffectType.streamAdd:
        return this.walkAdd(space, root, effect)
      case EffectType.streamRemove:
        return this.walkRemove(space, root, effect)
      case EffectType.streamTrim: {
        readId(effect, this.id)
        const region = effect.varint()
        if (region > MAX_REGION) effect.fail('a stream entry of no region')
        if (space !== null && root !== 0) this.trimTo(space, root, this.id, region)
        return root
      }
      case EffectType.streamSetId: {
        readId(effect, this.id)
        const added = effect.varint()
        readId(effect, this.lastId)
        return space === null ? 0 : this.setId(space, root, this.id, added, this.lastId)
      }
      case EffectType.streamGroup:
        return this.walkGroup(space, root, effect)
      case EffectType.streamAck:
        return this.walkAck(space, root, effect)
      case EffectType.streamPending:
        return this.walkPending(space, root, effect)
      case EffectType.streamMark:
        return this.walkMark(space, root, effect)
      default:
        effect.fail(`effect type ${effect.type} is not known to this version`)
        return root
    }
  }

  private walkAdd(space: StreamSpace | null, root: Ref, effect: EffectReader): Ref {
    const { id, lastId, fields } = this
    if (effect.byte() !== 0) effect.fail('stream-add with unknown flags')
    const added = effect.varint()
    let to = root
    lastId.set(0, 0, 0, 0)
    for (let left = effect.varint(); left > 0 && effect.error === null; left--) {
      readId(effect, id)
      readFields(effect, fields)
      if (id.compare(lastId) > 0) lastId.copyFrom(id)
      if (space === null) continue
      if (to === 0) to = space.roots.create()
      this.addEntry(space, to, id, fields)
    }
    if (space === null) return 0
    return this.noteAdded(space, to, lastId, added)
  }

  private walkRemove(space: StreamSpace | null, root: Ref, effect: EffectReader): Ref {
    const flags = effect.byte()
    if ((flags & ~REMOVE_BY_TRIM) !== 0) effect.fail('stream-remove with unknown flags')
    const counts = (flags & REMOVE_BY_TRIM) === 0
    if (counts) readId(effect, this.lastId)
    for (let left = effect.varint(); left > 0 && effect.error === null; left--) {
      readId(effect, this.id)
      if (space !== null && root !== 0) this.removeId(space, root, this.id)
    }
    if (space === null || !counts) return root
    return this.noteDeleted(space, root, this.lastId)
  }

  private walkGroup(space: StreamSpace | null, root: Ref, effect: EffectReader): Ref {
    const op = effect.byte()
    if (op > GroupOp.destroyAll) effect.fail('stream-group with an unknown operation')
    if (op === GroupOp.destroyAll) return space === null ? 0 : this.destroyAllGroups(space, root)
    effect.block()
    const nameOff = effect.valueOff
    const nameLen = effect.valueLen
    if (op === GroupOp.destroy) {
      return space === null ? 0 : this.destroyGroup(space, root, effect.bytes, nameOff, nameLen)
    }
    readId(effect, this.id)
    const entriesRead = readCount(effect)
    if (space === null) return 0
    if (op === GroupOp.create) return this.createGroup(space, root, effect.bytes, nameOff, nameLen, this.id, entriesRead)
    this.placeGroup(space, root, effect.bytes, nameOff, nameLen, this.id, entriesRead)
    return root
  }

  private walkAck(space: StreamSpace | null, root: Ref, effect: EffectReader): Ref {
    const flags = effect.byte()
    if ((flags & ~ACK_READ) !== 0) effect.fail('stream-ack with unknown flags')
    effect.block()
    const group = space === null ? 0 : this.liveGroup(space, root, effect.bytes, effect.valueOff, effect.valueLen)
    const isRead = (flags & ACK_READ) !== 0
    const entriesRead = isRead ? readCount(effect) : 0
    for (let left = effect.varint(); left > 0 && effect.error === null; left--) {
      readId(effect, this.id)
      const region = readRegion(effect)
      if (space === null || group === 0) continue
      if (!isRead || this.context.origin !== this.self) this.ack(space, root, group, this.id, region)
      else if (this.seek(space, root, this.id, region)) {
        if (space.groups.knowsPlace(group, this.context)) space.groups.readOnce(root, group, this.found.entry)
        space.groups.noteAcknowledged(group, this.id, region)
      }
    }
    if (space !== null && group !== 0 && isRead && this.context.origin === this.self)
      space.groups.setEntriesRead(group, entriesRead)
    return root
  }

  private walkPending(space: StreamSpace | null, root: Ref, effect: EffectReader): Ref {
    effect.block()
    const nameOff = effect.valueOff
    const nameLen = effect.valueLen
    const length = effect.varint()
    // What another member has pending is none of this one's business.
    const group =
      space !== null && this.context.origin === this.self ? this.liveGroup(space, root, effect.bytes, nameOff, nameLen) : 0
    if (space !== null && group === 0) {
      effect.skip(length)
      return root
    }
    const start = effect.position
    this.walkPendingOp(space, root, group, effect)
    if (effect.error === null && effect.position !== start + length) effect.fail('stream-pending of another length than it says')
    return root
  }

  private walkPendingOp(space: StreamSpace | null, root: Ref, group: Ref, effect: EffectReader): void {
    const op = effect.byte()
    const { id } = this
    if (op > PendingOp.see) {
      effect.fail('stream-pending with an unknown operation')
      return
    }
    if (op === PendingOp.pass) {
      readId(effect, id)
      if (space !== null) this.passAll(space, root, group, id)
      return
    }
    let consumer = 0
    let at = 0
    let deliveredAt = 0
    if (op !== PendingOp.drop) {
      effect.block()
      const { bytes, valueOff, valueLen } = effect
      if (space !== null) consumer = space.groups.findConsumer(group, bytes, valueOff, valueLen)
      if (op === PendingOp.deleteConsumer) {
        if (space !== null && consumer !== 0) space.groups.removeConsumer(group, consumer)
        return
      }
      at = effect.time()
      if (op === PendingOp.assign || op === PendingOp.redeliver) deliveredAt = effect.time()
      if (op === PendingOp.see) {
        const active = readCount(effect)
        if (space === null || consumer === 0) return
        space.groups.setSeen(consumer, at)
        space.groups.setActive(consumer, active)
        return
      }
      // Also when it was there: then the log is read over a state that has it already.
      if (space !== null && consumer === 0 && deliveredAt >= 0)
        consumer = space.groups.addConsumer(group, bytes, valueOff, valueLen, at)
      if (op === PendingOp.createConsumer) return
    }
    const entriesRead = op === PendingOp.deliver ? readCount(effect) : 0
    const order = deliveredAt === RELEASED_NOW ? releasedAt(this.context.stamp) : deliveredAt
    for (let left = effect.varint(); left > 0 && effect.error === null; left--) {
      readId(effect, id)
      const region = readRegion(effect)
      if (op === PendingOp.drop) {
        if (space !== null) space.groups.unassign(group, id, region)
        continue
      }
      const extra = op === PendingOp.deliver ? readRegion(effect) : effect.varint()
      if (space === null) continue
      const isThere = op === PendingOp.deliver && this.seek(space, root, id, region)
      // A state that has come from another member may know of an acknowledgement that came after the delivery, and of a removal of the entry.
      const sought = isThere ? this.found.entry : { id, member: extra }
      if (op === PendingOp.deliver && space.groups.isOverSinceDelivery(group, sought, region)) continue
      if (op === PendingOp.deliver) space.groups.deliver(group, id, region, consumer, at)
      else if (order < 0) space.groups.release(group, id, region, order, extra)
      else space.groups.claim(group, id, region, consumer, deliveredAt, extra)
      // SETID that came after it takes it back, in whichever order they come here.
      if (isThere && space.groups.knowsPlace(group, this.context)) space.groups.readOnce(root, group, this.found.entry)
    }
    if (space === null || op === PendingOp.drop || order < 0) return
    if (op === PendingOp.deliver) space.groups.setEntriesRead(group, entriesRead)
    space.groups.setSeen(consumer, at)
    if (op !== PendingOp.redeliver) space.groups.setActive(consumer, at)
  }

  private walkMark(space: StreamSpace | null, root: Ref, effect: EffectReader): Ref {
    const op = effect.byte()
    if (op > MarkOp.forget) effect.fail('stream-mark with an unknown operation')
    if (op === MarkOp.forget) {
      readMark(effect, this.behind)
      readMark(effect, this.mark)
      if (space !== null && root !== 0) space.marks.clearNames(root, this.context, this.behind, this.mark)
      return root
    }
    if (op === MarkOp.set) {
      const duration = effect.varint()
      const maxSize = effect.varint()
      if (!areMarkSettings(duration, maxSize)) effect.fail('stream-mark with settings that are none')
      if (space === null) return 0
      const to = root === 0 ? space.roots.create() : root
      this.setMarks(space, to, duration, maxSize)
      return to
    }
    const { mark } = this
    readMark(effect, mark)
    if (mark.producerLen === 0 || mark.nameLen === 0) effect.fail('stream-mark of nothing')
    readId(effect, mark.id)
    mark.time = effect.time()
    if (mark.time < 0 || mark.time === Infinity) effect.fail('stream-mark at no time')
    if (space === null) return 0
    const to = root === 0 ? space.roots.create() : root
    this.addMark(space, to, mark)
    return to
  }

  // Changes. The context says whose they are and what was observed.

  addEntry(space: StreamSpace, root: Ref, id: StreamId, fields: StreamFields): void {
    const { context } = this
    space.log.insert(space.roots.words(root), space.roots.at(root) + CHUNKS_WORD, this.sourceOf(id), fields)
    if (context.local) return
    const { groups } = space
    for (let i = groups.recordCount(root) - 1; i >= 0; i--) {
      const group = groups.recordAt(root, i)
      if (groups.isAlive(group) && !groups.isDone(group, this.source)) groups.noteLate(group, id)
    }
  }

  /** The same for an entry of a command whose ID is above the stream's last one. */
  appendEntry(space: StreamSpace, root: Ref, id: StreamId, fields: StreamFields): void {
    space.log.append(space.roots.words(root), space.roots.at(root) + CHUNKS_WORD, this.sourceOf(id), fields)
  }

  /** An entry of the effect at hand: it is of its origin's region. */
  private sourceOf(id: StreamId): EntrySource {
    const { source, context } = this
    source.id.copyFrom(id)
    source.region = source.member = context.origin
    source.stamp = context.stamp
    return source
  }

  /** The origin has added: gives the root, which may have moved. */
  noteAdded(space: StreamSpace, root: Ref, lastId: StreamId, added: number): Ref {
    const { origin, stamp } = this.context
    return space.roots.noteAdded(root === 0 ? space.roots.create() : root, origin, stamp, lastId, added)
  }

  /** A producer's message has become an entry of the origin. False when that was known. */
  addMark(space: StreamSpace, root: Ref, mark: Mark): boolean {
    const { context, keyspace } = this
    mark.member = context.origin
    mark.stamp = context.stamp
    const isNew = space.marks.add(root, mark)
    if (space.marks.prune(root, mark, keyspace.stability)) space.roots.setUnsettled(root, true)
    return isNew
  }

  /** XCFGSET: what was observed of marks goes. */
  setMarks(space: StreamSpace, root: Ref, durationS: number, maxSize: number): void {
    const { context } = this
    space.marks.clear(root, context)
    space.marks.dropSettings(root, context)
    space.marks.set(root, { member: context.origin, stamp: context.stamp, durationS, maxSize })
    if (space.marks.count(root) > 0) space.roots.setUnsettled(root, true)
  }

  noteDeleted(space: StreamSpace, root: Ref, maxDeleted: StreamId): Ref {
    const { origin, stamp } = this.context
    return space.roots.noteDeleted(root === 0 ? space.roots.create() : root, origin, stamp, maxDeleted)
  }

  /** Removes the observed entries of an ID. True when there was one. */
  removeId(space: StreamSpace, root: Ref, id: StreamId): boolean {
    const { roots, log, cursor } = space
    const words = roots.words(root)
    const d = roots.at(root) + CHUNKS_WORD
    let removed = false
    let on = log.find(words, d, id, 0, cursor)
    while (on && cursor.entry.id.compare(id) === 0) {
      const { member, stamp } = cursor.entry
      if (this.context.covers(member, stamp)) {
        on = log.remove(words, d, cursor)
        removed = true
      } else {
        on = log.next(cursor)
      }
    }
    return removed
  }

  /** Removes the observed entries up to a position. */
  trimTo(space: StreamSpace, root: Ref, id: StreamId, region: number): void {
    const { roots, log, cursor } = space
    const words = roots.words(root)
    const d = roots.at(root) + CHUNKS_WORD
    let on = log.first(words, d, cursor)
    while (on) {
      const { entry } = cursor
      const { chunk } = entry
      if (entry.at === log.chunks.first(chunk) && this.coversChunk(space, chunk)) {
        log.chunks.read(chunk, log.chunks.last(chunk), entry)
        if (comparePosition(id, region, entry) >= 0) {
          on = log.dropChunk(words, d, cursor)
          continue
        }
        log.chunks.read(chunk, log.chunks.first(chunk), entry)
      }
      if (comparePosition(id, region, entry) < 0) return
      on = this.context.covers(entry.member, entry.stamp) ? log.remove(words, d, cursor) : log.next(cursor)
    }
  }

  /** True when every entry of a chunk was observed, as far as that can be said without looking at them. */
  private coversChunk(space: StreamSpace, chunk: Ref): boolean {
    const { context } = this
    if (context.local) return true
    const { chunks } = space.log
    const only = chunks.onlyMember(chunk)
    return only !== 0 && context.covers(only, chunks.newest(chunk))
  }

  /** XSETID: what was observed of last IDs, counts and deletions is replaced. */
  setId(space: StreamSpace, root: Ref, lastId: StreamId, added: number, maxDeleted: StreamId): Ref {
    const { context } = this
    const { roots } = space
    let to = root === 0 ? roots.create() : root
    roots.dropParts(to, MemberPart.added | MemberPart.deleted, context)
    to = roots.noteAdded(to, context.origin, context.stamp, lastId, added)
    return maxDeleted.isZero ? to : roots.noteDeleted(to, context.origin, context.stamp, maxDeleted)
  }

  /** The record of a group that exists, for an effect whose origin knew of every destroy; else 0. */
  private liveGroup(space: StreamSpace, root: Ref, buf: Uint8Array, off: number, len: number): Ref {
    if (root === 0 || !this.knowsRemovals(space, root)) return 0
    const group = space.groups.find(root, buf, off, len)
    return group !== 0 && !this.precedes(space, group) && space.groups.knowsDestroys(group, this.context) ? group : 0
  }

  /**
   * True when the origin has made the living group after this effect. It had none of that name then: the effect is about an earlier one, and comes because the
   * log is read over a newer state.
   */
  private precedes({ groups }: StreamSpace, group: Ref): boolean {
    const { origin, stamp } = this.context
    return groups.isAlive(group) && groups.createdMember(group) === origin && stamp < groups.createdStamp(group)
  }

  /** True when the origin had observed every removal of the stream that is remembered. */
  private knowsRemovals(space: StreamSpace, root: Ref): boolean {
    const { context } = this
    if (context.local) return true
    const { roots } = space
    for (let i = roots.count(root) - 1; i >= 0; i--) {
      const stamp = roots.stampOf(root, i, MemberPart.removed)
      if (stamp > 0 && !context.covers(roots.memberAt(root, i), stamp)) return false
    }
    return true
  }

  createGroup(
    space: StreamSpace,
    root: Ref,
    buf: Uint8Array,
    off: number,
    len: number,
    start: StreamId,
    entriesRead: number,
  ): Ref {
    const { context } = this
    const { groups, roots } = space
    const to = root === 0 ? roots.create() : root
    if (!this.knowsRemovals(space, to)) return root === 0 ? this.dropEmpty(space, to) : to
    const group = groups.ensure(to, buf, off, len)
    if (this.precedes(space, group)) return to
    if (groups.knowsDestroys(group, context)) groups.create(group, context.origin, context.stamp, start, entriesRead)
    return to
  }

  placeGroup(
    space: StreamSpace,
    root: Ref,
    buf: Uint8Array,
    off: number,
    len: number,
    start: StreamId,
    entriesRead: number,
  ): void {
    const group = this.liveGroup(space, root, buf, off, len)
    if (group !== 0) space.groups.place(group, this.context.origin, this.context.stamp, start, entriesRead)
  }

  destroyGroup(space: StreamSpace, root: Ref, buf: Uint8Array, off: number, len: number): Ref {
    const { context, keyspace } = this
    const { groups, roots } = space
    const { origin, stamp } = context
    const isStable = keyspace.stability.covers(origin, stamp)
    let to = root
    if (to === 0) {
      if (isStable) return 0
      to = roots.create()
    }
    const group = groups.ensure(to, buf, off, len)
    if (groups.remembersDestroy(group, origin, stamp)) return to
    if (groups.isAlive(group)) this.reclaimBlock(space, groups.kill(group))
    if (isStable) {
      if (!groups.hasDestroys(group)) groups.dropRecord(to, group)
    } else {
      groups.noteDestroy(group, origin, stamp)
      roots.setUnsettled(to, true)
    }
    return to
  }

  /** Every group of the stream is destroyed, also those that the origin did not know. */
  destroyAllGroups(space: StreamSpace, root: Ref): Ref {
    const { context, keyspace } = this
    const { groups, roots } = space
    const { origin, stamp } = context
    const isStable = keyspace.stability.covers(origin, stamp)
    if (root === 0 && isStable) return 0
    const to = root === 0 ? roots.create() : root
    if (roots.remembersRemoval(to, origin, stamp)) return to
    for (let i = groups.recordCount(to) - 1; i >= 0; i--) {
      const group = groups.recordAt(to, i)
      if (groups.isAlive(group)) this.reclaimBlock(space, groups.kill(group))
      if (!groups.hasDestroys(group)) groups.dropRecord(to, group)
    }
    return isStable ? to : roots.noteRemoved(to, origin, stamp)
  }

  /** An acknowledgement, made here or elsewhere. True when the entry was pending here, or is done only now. */
  ack(space: StreamSpace, root: Ref, group: Ref, id: StreamId, region: number): boolean {
    const { groups } = space
    const wasPending = groups.unassign(group, id, region)
    if (!groups.knowsPlace(group, this.context) || !this.seek(space, root, id, region)) return wasPending
    return groups.markDone(root, group, this.found.entry) || wasPending
  }

  /** The group has read an entry that is not to be pending. */
  passRead(space: StreamSpace, root: Ref, group: Ref, id: StreamId, region: number): void {
    if (!this.seek(space, root, id, region)) return
    const { entry } = this.found
    if (!space.groups.isDone(group, entry)) space.groups.pass(group, entry.member, id, region)
    space.groups.noteAcknowledged(group, id, region)
  }

  /** Moves `found` to the entry at a position. */
  private seek(space: StreamSpace, root: Ref, id: StreamId, region: number): boolean {
    const { roots, log } = space
    const { found } = this
    return (
      log.find(roots.words(root), roots.at(root) + CHUNKS_WORD, id, region, found) &&
      comparePosition(id, region, found.entry) === 0
    )
  }

  /**
   * The group has come to an ID: XCLAIM LASTID. What the origin had of before it counts as delivered, and so does what it adds there itself; what comes late
   * from other members is delivered still.
   */
  passAll(space: StreamSpace, root: Ref, group: Ref, id: StreamId): void {
    const { context, passing } = this
    const { groups, log } = space
    const { chunks } = log
    const { entry } = passing
    if (!groups.knowsPlace(group, context)) return
    let on = groups.seekFrontier(root, group, passing)
    for (; on && entry.id.compare(id) <= 0; on = log.next(passing)) {
      if (!context.local) {
        if (context.covers(entry.member, entry.stamp)) groups.readOnce(root, group, entry)
        continue
      }
      // A chunk of one member is passed in one go, if it ends before the ID.
      const { chunk, at } = entry
      if (at === chunks.first(chunk) && chunks.onlyMember(chunk) !== 0) {
        chunks.read(chunk, chunks.last(chunk), entry)
        if (entry.id.compare(id) > 0) chunks.read(chunk, at, entry)
      }
      groups.pass(group, entry.member, entry.id, entry.region)
    }
    if (context.local) groups.pass(group, this.self, id, MAX_REGION - 1)
    else groups.raiseCursor(group, this.self, id)
  }

  private reclaimBlock(space: StreamSpace, block: Ref): void {
    const root = space.roots.create()
    space.groups.wrap(root, block)
    this.keyspace.reclaimer.add(space.arena, this, root)
  }

  // The stream as a whole.

  remove(db: Database, root: Ref): Ref {
    const space = this.space(db.arena)
    const { roots, groups, log } = space
    const { context } = this
    const hadParts = roots.has(root, MemberPart.added)
    roots.dropParts(root, MemberPart.added | MemberPart.deleted, context)
    for (let i = groups.recordCount(root) - 1; i >= 0; i--) {
      const group = groups.recordAt(root, i)
      if (!groups.isAlive(group) || !context.covers(groups.createdMember(group), groups.createdStamp(group))) continue
      this.reclaimBlock(space, groups.kill(group))
      if (!groups.hasDestroys(group)) groups.dropRecord(root, group)
    }
    // Whoever has observed every addition has observed every entry and mark, but not what marks are set to at the same time.
    const keepsSettings = space.marks.dropSettings(root, context)
    if (keepsSettings || roots.has(root, MemberPart.added)) space.marks.clear(root, context)
    if (!roots.has(root, MemberPart.added)) {
      if (this.isEmpty(space, root)) {
        this.keyspace.reclaimer.add(db.arena, this, root)
        return 0
      }
      if (hadParts) this.reclaimEntries(space, root)
      return root
    }
    const words = roots.words(root)
    const d = roots.at(root) + CHUNKS_WORD
    let on = log.first(words, d, space.cursor)
    while (on) {
      const { entry } = space.cursor
      const isFirst = entry.at === log.chunks.first(entry.chunk)
      if (isFirst && this.coversChunk(space, entry.chunk)) on = log.dropChunk(words, d, space.cursor)
      else if (context.covers(entry.member, entry.stamp)) on = log.remove(words, d, space.cursor)
      else on = log.next(space.cursor)
    }
    return root
  }

  private reclaimEntries(space: StreamSpace, root: Ref): void {
    const { roots } = space
    const rest = roots.create()
    const from = roots.words(root)
    const f = roots.at(root) + CHUNKS_WORD
    const to = roots.words(rest)
    const t = roots.at(rest) + CHUNKS_WORD
    for (let i = 0; i < GROUPS_WORD; i++) {
      to[t + i] = from[f + i]
      from[f + i] = 0
    }
    if (space.marks.settings(root) === null) {
      roots.setMarks(rest, roots.marks(root))
      roots.setMarks(root, 0)
    }
    this.keyspace.reclaimer.add(space.arena, this, rest)
  }

  /** True when the root remembers nothing: no part of a member, no group, no settings of marks that whoever removed the stream had not observed. */
  private isEmpty({ roots, groups, marks }: StreamSpace, root: Ref): boolean {
    return roots.count(root) === 0 && groups.recordCount(root) === 0 && marks.settings(root) === null
  }

  private dropEmpty(space: StreamSpace, root: Ref): Ref {
    if (!this.isEmpty(space, root)) return root
    // Read back from a snapshot it may hold entries whose additions come only now, from the log.
    this.keyspace.reclaimer.add(space.arena, this, root)
    return 0
  }

  beforeRemove(db: Database, root: Ref, database: number, key: Uint8Array, keyOff: number, keyLen: number): void {
    if (this.isVisible(db, root)) this.writes.destroyAllGroups(database, key, keyOff, keyLen)
  }

  carryOver(from: Arena, root: Ref, to: Arena): Ref {
    const old = this.space(from)
    const removals: { member: number; stamp: number }[] = []
    for (let i = 0; i < old.roots.count(root); i++) {
      const stamp = old.roots.stampOf(root, i, MemberPart.removed)
      if (stamp > 0) removals.push({ member: old.roots.memberAt(root, i), stamp })
    }
    // A member that removed the whole stream need not have observed that a group was destroyed elsewhere.
    const destroyed: { name: Uint8Array; destroys: readonly { member: number; stamp: number }[] }[] = []
    for (let i = 0; i < old.groups.recordCount(root); i++) {
      const group = old.groups.recordAt(root, i)
      const { destroys } = old.groups.sharedState(group)
      if (destroys.length > 0) destroyed.push({ name: old.groups.names.name(group).slice(), destroys })
    }
    if (removals.length === 0 && destroyed.length === 0) return 0
    const { roots, groups } = this.space(to)
    const fresh = removals.reduce((carried, { member, stamp }) => roots.noteRemoved(carried, member, stamp), roots.create())
    for (const { name, destroys } of destroyed) {
      const group = groups.ensure(fresh, name, 0, name.length)
      for (const { member, stamp } of destroys) groups.noteDestroy(group, member, stamp)
    }
    roots.setUnsettled(fresh, true)
    return fresh
  }

  isVisible(db: Database, root: Ref): boolean {
    const { roots, groups } = this.space(db.arena)
    return roots.has(root, MemberPart.added) || groups.count(root) > 0
  }

  newestDot(db: Database, root: Ref): { readonly member: number; readonly stamp: number } {
    const { roots, groups } = this.space(db.arena)
    const newest = { member: 0, stamp: 0 }
    const offer = (member: number, stamp: number): void => {
      if (stamp < newest.stamp || (stamp === newest.stamp && member < newest.member)) return
      newest.member = member
      newest.stamp = stamp
    }
    for (let i = 0; i < roots.count(root); i++) offer(roots.memberAt(root, i), roots.stampOf(root, i, MemberPart.added))
    for (let i = 0; i < groups.recordCount(root); i++) {
      const group = groups.recordAt(root, i)
      if (groups.isAlive(group)) offer(groups.createdMember(group), groups.createdStamp(group))
    }
    return newest
  }

  isUnsettled(db: Database, root: Ref): boolean {
    return this.space(db.arena).roots.isUnsettled(root) || !this.isVisible(db, root)
  }

  settle(db: Database, root: Ref): Ref {
    const space = this.space(db.arena)
    const { roots, groups } = space
    const { stability } = this.keyspace
    roots.dropParts(root, MemberPart.removed, stability)
    let unsettled = roots.has(root, MemberPart.removed)
    for (let i = groups.recordCount(root) - 1; i >= 0; i--) {
      const group = groups.recordAt(root, i)
      groups.forgetDestroys(group, stability)
      if (groups.hasDestroys(group)) unsettled = true
      else if (!groups.isAlive(group)) groups.dropRecord(root, group)
    }
    // Whoever has not observed a removal that is remembered may still add to the stream, and has what was deleted of it.
    if (!unsettled && !this.isVisible(db, root)) roots.dropParts(root, MemberPart.deleted, stability)
    if (space.marks.pruneAll(root, stability)) unsettled = true
    roots.setUnsettled(root, unsettled)
    return this.dropEmpty(space, root)
  }

  free(arena: Arena, root: Ref, budget: number): Ref {
    const { roots, log, groups, marks } = this.space(arena)
    const words = roots.words(root)
    if (!marks.free(root, budget)) return root
    if (!log.free(words, roots.at(root) + CHUNKS_WORD, budget)) return root
    for (let i = groups.recordCount(root) - 1; i >= 0; i--) {
      if (!groups.freeGroup(root, groups.recordAt(root, i), budget)) return root
    }
    groups.freeTable(root)
    arena.free(root)
    return 0
  }

  size(db: Database, root: Ref): number {
    const { roots, log } = this.space(db.arena)
    return log.length(roots.words(root), roots.at(root) + CHUNKS_WORD)
  }

  /** Entries, and what is pending of them, or was before they went. */
  parts(db: Database, root: Ref): number {
    const { groups, marks } = this.space(db.arena)
    let parts = this.size(db, root) + marks.count(root)
    for (let i = groups.recordCount(root) - 1; i >= 0; i--) parts += groups.pendingCount(groups.recordAt(root, i))
    return parts
  }

  bytes(arena: Arena, root: Ref, samples: number): number {
    const { roots, log, groups, marks } = this.space(arena)
    const entries = log.bytes(roots.words(root), roots.at(root) + CHUNKS_WORD, samples)
    return roots.bytes(root) + entries + groups.bytes(root) + marks.bytes(root)
  }

  encoding(): string {
    return 'stream'
  }

  digest(hash: Hash64, db: Database, root: Ref): number {
    let bytes = 0
    for (const part of this.hashSteps(hash, db, root, this.space(db.arena).cursor, this.fields)) bytes += part
    return bytes
  }

  digestSteps(hash: Hash64, db: Database, root: Ref): Generator<number, void> {
    return this.hashSteps(hash, db, root, new StreamCursor(), new StreamFields())
  }

  private *hashSteps(hash: Hash64, db: Database, root: Ref, cursor: StreamCursor, fields: StreamFields): Generator<number, void> {
    const { roots, log, groups } = this.space(db.arena)
    const words = roots.words(root)
    let bytes = 0
    for (let on = log.first(words, roots.at(root) + CHUNKS_WORD, cursor); on; on = log.next(cursor)) {
      const { entry } = cursor
      hashId(hash, entry.id)
      hash.number(entry.region)
      log.chunks.fields(entry, fields)
      hash.number(fields.count)
      for (let i = 0; i < fields.count; i++) {
        hash.number(fields.nameLen[i])
        hash.bytes(fields.buf, fields.nameOff[i], fields.nameLen[i])
        hash.number(fields.valueLen[i])
        hash.bytes(fields.buf, fields.valueOff[i], fields.valueLen[i])
      }
      bytes += entry.next - entry.at
      if (bytes >= LIMITS.digestStepBytes) {
        yield bytes
        bytes = 0
      }
    }
    hashId(hash, roots.lastId(root, this.id))
    hashId(hash, roots.maxDeletedId(root, this.id))
    hash.number(roots.entriesAdded(root))
    for (const group of groups.sorted(root)) {
      const name = groups.names.name(group)
      hash.number(name.length)
      hash.bytes(name, 0, name.length)
      hashId(hash, groups.start(group, this.id))
      bytes += name.length + GROUP_COST_BYTES
    }
    yield bytes
    if (roots.marks(root) !== 0) yield* this.hashMarks(hash, db, root)
  }

  /** Live ones, which no clock decides; and settings that somebody has made. */
  private *hashMarks(hash: Hash64, db: Database, root: Ref): Generator<number, void> {
    const { marks } = this.space(db.arena)
    const place = new IndexCursor()
    const mark = new Mark()
    let bytes = 0
    let steps = 0
    for (let ref = marks.seek(root, null, place); ref !== 0; ref = marks.next(place)) {
      if (++steps % LIMITS.slicedReadStep === 0) {
        yield bytes
        bytes = 0
      }
      if (!marks.isLive(root, ref)) continue
      const { buf, producerOff, producerLen, nameOff, nameLen, id, member, time } = marks.read(ref, mark)
      hash.number(producerLen)
      hash.bytes(buf, producerOff, producerLen)
      hash.number(nameLen)
      hash.bytes(buf, nameOff, nameLen)
      hashId(hash, id)
      hash.number(member)
      hash.number(time)
      bytes += producerLen + nameLen + GROUP_COST_BYTES
    }
    const settings = marks.settings(root)
    if (settings === null) return
    hash.number(settings.durationS)
    hash.number(settings.maxSize)
  }

  toRdb(db: Database, root: Ref): RdbValue {
    return streamToRdb(this.space(db.arena), root, this.keyspace.nowMs)
  }

  writeRdb(value: RdbValue, database: number, key: Uint8Array, keyOff: number, keyLen: number): void {
    this.writes.writeRdb(value as RdbStream, database, key, keyOff, keyLen)
  }

  copy(db: Database, root: Ref, database: number, key: Uint8Array, keyOff: number, keyLen: number): void {
    this.writes.copy(this.space(db.arena), root, database, key, keyOff, keyLen)
  }

  buildCopy(db: Database, root: Ref, op: OpBuilder, to: KeyPlace): Generator<undefined, void> {
    return this.writes.buildCopy(this.space(db.arena), root, op, to)
  }

  *buildBeforeRemove(db: Database, root: Ref, op: OpBuilder, at: KeyPlace): Generator<undefined, void> {
    if (!this.isVisible(db, root)) return
    this.writes.buildDestroyAll(op, at)
    yield
  }

  eventOf(effect: EffectReader): KeyEvent | null {
    const event = eventName(effect)
    return event === null ? null : { kind: NotificationClass.stream, event }
  }

  debug(db: Database, root: Ref, limit: number): string[] {
    const { roots, log, groups, cursor } = this.space(db.arena)
    const lines: string[] = []
    for (let i = 0; i < roots.count(root); i++) {
      const member = roots.memberAt(root, i)
      const added = roots.stampOf(root, i, MemberPart.added)
      const deleted = roots.stampOf(root, i, MemberPart.deleted)
      const removed = roots.stampOf(root, i, MemberPart.removed)
      lines.push(
        `member ${member}: added ${added}, deleted ${deleted}, removed ${removed}, entries ${roots.addedBy(root, member)}`,
      )
    }
    for (const group of groups.sorted(root)) {
      const name = Buffer.from(groups.names.name(group)).toString('latin1')
      lines.push(
        `group ${name}: start ${groups.start(group, this.id).toString()}, pending ${groups.pendingCount(group)}, ` +
          `frontier ${groups.frontier(group, this.id).toString()}`,
      )
    }
    const words = roots.words(root)
    let on = log.first(words, roots.at(root) + CHUNKS_WORD, cursor)
    for (; on && lines.length < limit; on = log.next(cursor)) lines.push(describe(cursor.entry))
    return lines
  }
}

const GROUP_COST_BYTES = 32

const GROUP_EVENTS: Readonly<Record<number, string>> = {
  [GroupOp.create]: 'xgroup-create',
  [GroupOp.place]: 'xgroup-setid',
  [GroupOp.destroy]: 'xgroup-destroy',
}

/** What an effect of another member is called among keyspace events; consumers and what they have pending are that member's own. */
function eventName(effect: EffectReader): string | null {
  switch (effect.type) {
    case EffectType.streamAdd:
      effect.byte()
      effect.varint()
      // A stream that is made without entries: XGROUP CREATE MKSTREAM.
      return effect.varint() === 0 ? null : 'xadd'
    case EffectType.streamRemove:
      return (effect.byte() & REMOVE_BY_TRIM) !== 0 ? 'xtrim' : 'xdel'
    case EffectType.streamTrim:
      return 'xtrim'
    case EffectType.streamSetId:
      return 'xsetid'
    case EffectType.streamGroup:
      return GROUP_EVENTS[effect.byte()] ?? null
    default:
      return null
  }
}

function hashId(hash: Hash64, id: StreamId): void {
  hash.number(id.msHigh)
  hash.number(id.msLow)
  hash.number(id.seqHigh)
  hash.number(id.seqLow)
}

function describe(entry: EntryView): string {
  return `entry ${entry.id.toString()} region ${entry.region}: member ${entry.member} stamp ${entry.stamp}`
}
