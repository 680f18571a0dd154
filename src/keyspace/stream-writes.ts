import { ByteWriter } from '../base/byte-stream.js'
import { LIMITS } from '../base/limits.js'
import { EffectType } from '../crdt/effect-reader.js'
import type { OpBuilder } from '../crdt/op-builder.js'
import { StreamId } from '../crdt/stream-id.js'
import type { Ref } from '../memory/arena.js'
import type { RdbStream, RdbStreamEntry } from '../rdb/value.js'
import type { KeyPlace } from './collection-store.js'
import { CopiedIds } from './copied-ids.js'
import type { Effects } from './effects.js'
import type { Keyspace } from './keyspace.js'
import {
  ACK_READ,
  GroupOp,
  PendingOp,
  putCount,
  putFields,
  putId,
  RELEASED_NOW,
  REMOVE_BY_TRIM,
  writeId,
} from './stream-codec.js'
import { StreamFields } from './stream-fields.js'
import { buildDestroyAll, StreamCopy } from './stream-copy.js'
import { boundedTime, boundedTimes, nameOf, NOBODY } from './stream-op-writers.js'
import { releasedAt } from './stream-pending.js'
import { countOf, deliveriesOf, idOf } from './stream-restore.js'
import { StreamPositions } from './stream-positions.js'
import { StreamCursor } from './stream-log.js'
import { StreamMarkWrites } from './stream-mark-writes.js'
import { CHUNKS_WORD, MemberPart } from './stream-root.js'
import type { StreamSpace } from './stream-space.js'
import type { StreamStore } from './stream-store.js'

/** A key, or the name of a group or consumer, as a range. */
export interface Name {
  readonly buf: Uint8Array
  readonly off: number
  readonly len: number
}

/** Where a stream is written to. */
export interface StreamKey extends Name {
  readonly database: number
}

/**
 * What local commands do to streams: each method writes one effect and makes the change. The caller has found out before what there is to change:
 * an effect that changes nothing is not written.
 */
export class StreamWrites {
  readonly marks: StreamMarkWrites
  private readonly id = new StreamId()
  private readonly lastId = new StreamId()
  private readonly body = new ByteWriter()
  private readonly fields = new StreamFields()
  private readonly positions = new StreamPositions()
  private readonly reading = new StreamCursor()

  constructor(
    private readonly store: StreamStore,
    private readonly effects: Effects,
    private readonly keyspace: Keyspace,
  ) {
    this.marks = new StreamMarkWrites(store, effects, keyspace)
  }

  /** XADD. The ID is above the last one. */
  add(key: StreamKey, id: StreamId, fields: StreamFields): void {
    const { store, effects } = this
    const { writer } = effects
    let root = this.open(EffectType.streamAdd, key)
    const space = this.space(key)
    if (root === 0) root = space.roots.create()
    const added = space.roots.addedBy(root, store.self) + 1
    writer.putByte(0)
    writer.putVarint(added)
    writer.putVarint(1)
    putId(writer, id)
    putFields(writer, fields)
    store.appendEntry(space, root, id, fields)
    root = store.noteAdded(space, root, id, added)
    effects.closeCollection(root, !store.isUnsettled(this.keyspace.database(key.database), root))
  }

  /** Removes entries by their IDs; there must be one for each. byTrim: they do not count for the highest deleted ID. */
  remove(key: StreamKey, ids: StreamPositions, byTrim = false): void {
    const { store, effects, id, lastId } = this
    const { writer } = effects
    const root = this.open(EffectType.streamRemove, key)
    const space = this.space(key)
    writer.putByte(byTrim ? REMOVE_BY_TRIM : 0)
    if (!byTrim) {
      space.roots.deletedBy(root, store.self, lastId)
      for (let i = 0; i < ids.count; i++) if (ids.id(i, id).compare(lastId) > 0) lastId.copyFrom(id)
      putId(writer, lastId)
    }
    writer.putVarint(ids.count)
    for (let i = 0; i < ids.count; i++) {
      putId(writer, ids.id(i, id))
      store.removeId(space, root, id)
    }
    effects.closeCollection(byTrim ? root : store.noteDeleted(space, root, lastId))
  }

  /** Removes every entry up to a position. */
  trim(key: StreamKey, id: StreamId, region: number): void {
    const { store, effects } = this
    const root = this.open(EffectType.streamTrim, key)
    putId(effects.writer, id)
    effects.writer.putVarint(region)
    store.trimTo(this.space(key), root, id, region)
    effects.closeCollection(root)
  }

  /** XSETID: last ID, entries ever added, highest deleted ID. */
  setId(key: StreamKey, lastId: StreamId, added: number, maxDeleted: StreamId): void {
    const { store, effects } = this
    const { writer } = effects
    const root = this.open(EffectType.streamSetId, key)
    putId(writer, lastId)
    writer.putVarint(added)
    putId(writer, maxDeleted)
    effects.closeCollection(store.setId(this.space(key), root, lastId, added, maxDeleted))
  }

  createGroup(key: StreamKey, group: Name, start: StreamId, entriesRead: number): void {
    const { store, effects } = this
    const root = this.open(EffectType.streamGroup, key)
    this.putGroup(GroupOp.create, group, start, entriesRead)
    effects.closeCollection(store.createGroup(this.space(key), root, group.buf, group.off, group.len, start, entriesRead))
  }

  /** XGROUP SETID. */
  placeGroup(key: StreamKey, group: Name, start: StreamId, entriesRead: number): void {
    const { store, effects } = this
    const root = this.open(EffectType.streamGroup, key)
    this.putGroup(GroupOp.place, group, start, entriesRead)
    store.placeGroup(this.space(key), root, group.buf, group.off, group.len, start, entriesRead)
    effects.closeCollection(root)
  }

  destroyGroup(key: StreamKey, group: Name, root: Ref): void {
    const { store, effects } = this
    const { writer } = effects
    // A stream without entries that only its groups have made stays there.
    if (!this.space(key).roots.has(root, MemberPart.added)) this.touch(key)
    const opened = this.open(EffectType.streamGroup, key)
    writer.putByte(GroupOp.destroy)
    writer.putBlock(group.buf, group.off, group.len)
    effects.closeCollection(store.destroyGroup(this.space(key), opened, group.buf, group.off, group.len))
  }

  /** Before the removal of a whole stream: also groups that others make at the same time go with it. */
  destroyAllGroups(database: number, buf: Uint8Array, off: number, len: number): void {
    const { store, effects } = this
    const key = { database, buf, off, len }
    const root = this.open(EffectType.streamGroup, key)
    effects.writer.putByte(GroupOp.destroyAll)
    effects.closeCollection(store.destroyAllGroups(this.space(key), root))
  }

  /** XACK of entries that are pending here, or not done yet. */
  ack(key: StreamKey, group: Name, positions: StreamPositions): void {
    const { store, effects, id } = this
    const root = this.open(EffectType.streamAck, key)
    const space = this.space(key)
    const record = space.groups.find(root, group.buf, group.off, group.len)
    effects.writer.putByte(0)
    effects.writer.putBlock(group.buf, group.off, group.len)
    this.putPositions(positions)
    for (let i = 0; i < positions.count; i++) store.ack(space, root, record, positions.id(i, id), positions.region(i))
    effects.closeCollection(root)
  }

  /** XREADGROUP NOACK: what was read is done everywhere. */
  readWithoutPending(key: StreamKey, group: Name, positions: StreamPositions, entriesRead: number): void {
    const { store, effects, id } = this
    const { writer } = effects
    const root = this.open(EffectType.streamAck, key)
    const space = this.space(key)
    const record = space.groups.find(root, group.buf, group.off, group.len)
    writer.putByte(ACK_READ)
    writer.putBlock(group.buf, group.off, group.len)
    putCount(writer, entriesRead)
    this.putPositions(positions)
    for (let i = 0; i < positions.count; i++) store.passRead(space, root, record, positions.id(i, id), positions.region(i))
    space.groups.setEntriesRead(record, entriesRead)
    effects.closeCollection(root)
  }

  createConsumer(key: StreamKey, group: Name, consumer: Name): void {
    const { now } = this
    const { body } = this
    this.beginBody(PendingOp.createConsumer, consumer)
    body.f64(now)
    this.writePending(key, group, (space, record) => {
      space.groups.addConsumer(record, consumer.buf, consumer.off, consumer.len, now)
    })
  }

  deleteConsumer(key: StreamKey, group: Name, consumer: Name): void {
    this.beginBody(PendingOp.deleteConsumer, consumer)
    this.writePending(key, group, (space, record) => {
      space.groups.removeConsumer(record, space.groups.findConsumer(record, consumer.buf, consumer.off, consumer.len))
    })
  }

  /** XREADGROUP: the entries are pending for a consumer that exists. The number of a position is the member of the entry's dot. */
  deliver(key: StreamKey, group: Name, consumer: Name, positions: StreamPositions, entriesRead: number): void {
    const { body, id, now } = this
    this.beginBody(PendingOp.deliver, consumer)
    body.f64(now)
    body.varint(entriesRead + 1)
    body.varint(positions.count)
    for (let i = 0; i < positions.count; i++) {
      this.bodyPosition(positions, i)
      body.u8(positions.number(i))
    }
    this.writePending(key, group, (space, record) => {
      const { groups } = space
      const owner = groups.findConsumer(record, consumer.buf, consumer.off, consumer.len)
      for (let i = 0; i < positions.count; i++) {
        positions.id(i, id)
        groups.deliver(record, id, positions.region(i), owner, now)
        groups.pass(record, positions.number(i), id, positions.region(i))
      }
      groups.setEntriesRead(record, entriesRead)
      groups.setSeen(owner, now)
      groups.setActive(owner, now)
    })
  }

  /** XREADGROUP of what is pending: delivered once more, to the consumer that has it. The number of a position is its deliveries. */
  redeliver(key: StreamKey, group: Name, consumer: Name, positions: StreamPositions): void {
    this.assign(key, group, consumer, positions, this.now, false)
    // Redis does not count it as a change of the data.
    this.effects.count--
  }

  /** XCLAIM, XAUTOCLAIM: the entries belong to a consumer that exists. The number of a position is its deliveries. */
  assign(key: StreamKey, group: Name, consumer: Name, positions: StreamPositions, deliveredMs: number, isActivity = true): void {
    const { body, id, now } = this
    this.beginBody(isActivity ? PendingOp.assign : PendingOp.redeliver, consumer)
    body.f64(now)
    body.f64(deliveredMs)
    body.varint(positions.count)
    for (let i = 0; i < positions.count; i++) {
      this.bodyPosition(positions, i)
      body.varint(positions.number(i))
    }
    this.writePending(key, group, (space, record) => {
      const { groups } = space
      const owner = groups.findConsumer(record, consumer.buf, consumer.off, consumer.len)
      for (let i = 0; i < positions.count; i++) {
        groups.claim(record, positions.id(i, id), positions.region(i), owner, deliveredMs, positions.number(i))
      }
      groups.setSeen(owner, now)
      if (isActivity) groups.setActive(owner, now)
    })
  }

  /**
   * XNACK: nobody has the entries any more, and who claims something gets those first that were released first: in the order of the positions. The number of a
   * position is its deliveries.
   */
  release(key: StreamKey, group: Name, positions: StreamPositions): void {
    // What one effect releases is ordered by position.
    for (let from = 0, to = 1; from < positions.count; from = to++) {
      while (to < positions.count && positions.compare(to - 1, to) < 0) to++
      this.writeReleased(key, group, positions, from, to, RELEASED_NOW)
    }
  }

  private writeReleased(key: StreamKey, group: Name, positions: StreamPositions, from: number, to: number, order: number): void {
    const { body, id } = this
    this.beginBody(PendingOp.assign, NOBODY)
    body.f64(this.now)
    body.f64(order)
    body.varint(to - from)
    for (let i = from; i < to; i++) {
      this.bodyPosition(positions, i)
      body.varint(positions.number(i))
    }
    this.writePending(key, group, ({ groups }, record) => {
      const place = order === RELEASED_NOW ? releasedAt(this.store.stamp) : order
      for (let i = from; i < to; i++) {
        groups.release(record, positions.id(i, id), positions.region(i), place, positions.number(i))
      }
    })
  }

  /** Entries are not pending any more, because they are no longer in the stream. */
  drop(key: StreamKey, group: Name, positions: StreamPositions): void {
    const { body, id } = this
    body.reset().u8(PendingOp.drop)
    body.varint(positions.count)
    for (let i = 0; i < positions.count; i++) this.bodyPosition(positions, i)
    this.writePending(key, group, (space, record) => {
      for (let i = 0; i < positions.count; i++) space.groups.unassign(record, positions.id(i, id), positions.region(i))
    })
  }

  /** XCLAIM LASTID. */
  pass(key: StreamKey, group: Name, id: StreamId): void {
    this.body.reset().u8(PendingOp.pass)
    writeId(this.body, id)
    this.writePending(key, group, (space, record, root) => this.store.passAll(space, root, record, id))
  }

  /** RESTORE. */
  writeRdb(stream: RdbStream, database: number, buf: Uint8Array, off: number, len: number): void {
    const key = { database, buf, off, len }
    const { entries, groups } = stream
    for (let start = 0; start < entries.length || start === 0; start += LIMITS.copyEffectElements) {
      const count = Math.min(entries.length - start, LIMITS.copyEffectElements)
      this.addMany(key, count, (i) => this.fromRdb(entries[start + i]))
    }
    this.setId(key, idOf(stream.lastId), countOf(stream.entriesAdded), idOf(stream.maxDeletedId))
    if (stream.marks !== null) this.marks.restore(key, stream.marks)
    for (const group of groups) {
      const name = nameOf(group.name)
      this.createGroup(key, name, idOf(group.lastId), group.entriesRead === null ? -1 : countOf(group.entriesRead))
      const { positions } = this
      positions.clear()
      for (const { id, deliveries } of group.released) positions.push(idOf(id), this.store.self, deliveriesOf(deliveries))
      this.release(key, name, positions)
      for (const consumer of group.consumers) {
        const owner = nameOf(consumer.name)
        this.createConsumer(key, name, owner)
        // A delivery has one time, so entries that were delivered at different times are written one by one.
        for (const { id: pendingId, deliveredMs, deliveries } of consumer.pending) {
          positions.clear().push(idOf(pendingId), this.store.self, deliveriesOf(deliveries))
          this.assign(key, name, owner, positions, boundedTime(deliveredMs))
        }
        this.see(key, name, owner, consumer.seenMs, consumer.activeMs)
      }
    }
  }

  /** COPY, RENAME: what the stream is here, with what is pending here. */
  copy(space: StreamSpace, root: Ref, database: number, buf: Uint8Array, off: number, len: number): void {
    const key = { database, buf, off, len }
    const { roots, log, groups } = space
    const words = roots.words(root)
    const d = roots.at(root) + CHUNKS_WORD
    const { reading, fields } = this
    const copied = new CopiedIds(space, root)
    let on = log.first(words, d, reading)
    let left = log.length(words, d)
    do {
      const count = Math.min(left, LIMITS.copyEffectElements)
      this.addMany(key, count, (i) => {
        if (i > 0) on = log.next(reading)
        const { entry } = reading
        log.chunks.fields(entry, fields)
        return { id: copied.next(entry.id, entry.region), fields }
      })
      left -= count
      on = on && left > 0 && log.next(reading)
    } while (on)
    this.setId(key, copied.lastId(), roots.entriesAdded(root), roots.maxDeletedId(root, new StreamId()))
    this.marks.copy(space, root, key, copied)
    for (const group of groups.sorted(root)) this.copyGroup(space, group, key, copied)
  }

  private copyGroup(space: StreamSpace, group: Ref, key: StreamKey, copied: CopiedIds): void {
    const { groups } = space
    const id = new StreamId()
    const name = nameOf(groups.names.name(group).slice())
    this.createGroup(key, name, copied.startOf(group), groups.entriesRead(group))
    const { pending } = groups
    for (const consumer of groups.holders(group)) {
      const isReal = !groups.isNobody(consumer)
      const owner = nameOf(groups.consumerName(consumer).slice())
      if (isReal) this.createConsumer(key, name, owner)
      const { positions } = this
      const from = groups.consumerPending(consumer)
      for (const ref of from) {
        positions.clear().push(copied.of(pending.id(ref, id), pending.region(ref)), this.store.self, pending.deliveries(ref))
        if (isReal) this.assign(key, name, owner, positions, pending.time(ref))
        else this.writeReleased(key, name, positions, 0, 1, pending.order(ref))
      }
      if (isReal) this.see(key, name, owner, groups.seen(consumer), groups.active(consumer))
    }
  }

  /** As copy, some entries a step, into an op that is being built. */
  buildCopy(space: StreamSpace, root: Ref, op: OpBuilder, to: KeyPlace): Generator<undefined, void> {
    return new StreamCopy(space, root, op, to, this.store.self, this.now).steps()
  }

  /** As destroyAllGroups; alone there is nobody else whose groups could go. */
  buildDestroyAll(op: OpBuilder, at: KeyPlace): void {
    if (!this.effects.solo) buildDestroyAll(op, at)
  }

  /** Unix ms of the command. */
  private get now(): number {
    return this.keyspace.nowMs
  }

  private space(key: StreamKey): StreamSpace {
    return this.store.space(this.keyspace.database(key.database).arena)
  }

  private open(type: number, key: StreamKey): Ref {
    return this.effects.openCollection(type, key.database, key.buf, key.off, key.len)
  }

  /** The stream exists from now on, whatever is in it. */
  private touch(key: StreamKey): void {
    this.addMany(key, 0, () => null)
  }

  private addMany(
    key: StreamKey,
    count: number,
    entryAt: (i: number) => { readonly id: StreamId; readonly fields: StreamFields } | null,
  ): void {
    const { store, effects, lastId } = this
    const { writer } = effects
    let root = this.open(EffectType.streamAdd, key)
    const space = this.space(key)
    if (root === 0) root = space.roots.create()
    const added = space.roots.addedBy(root, store.self) + count
    lastId.set(0, 0, 0, 0)
    writer.putByte(0)
    writer.putVarint(added)
    writer.putVarint(count)
    for (let i = 0; i < count; i++) {
      const entry = entryAt(i)
      if (entry === null) break
      putId(writer, entry.id)
      putFields(writer, entry.fields)
      if (entry.id.compare(lastId) > 0) lastId.copyFrom(entry.id)
      store.addEntry(space, root, entry.id, entry.fields)
    }
    effects.closeCollection(store.noteAdded(space, root, lastId, added))
  }

  private fromRdb(entry: RdbStreamEntry): { id: StreamId; fields: StreamFields } {
    const { fields } = this
    const { names, values } = entry
    const parts: Uint8Array[] = []
    for (let i = 0; i < values.count; i++) parts.push(names.at(i), values.at(i))
    fields.start(Buffer.concat(parts))
    let at = 0
    for (let i = 0; i < parts.length; i += 2) {
      fields.add(at, parts[i].length, at + parts[i].length, parts[i + 1].length)
      at += parts[i].length + parts[i + 1].length
    }
    return { id: idOf(entry.id), fields }
  }

  private putGroup(op: number, group: Name, start: StreamId, entriesRead: number): void {
    const { writer } = this.effects
    writer.putByte(op)
    writer.putBlock(group.buf, group.off, group.len)
    putId(writer, start)
    putCount(writer, entriesRead)
  }

  private putPositions(positions: StreamPositions): void {
    const { writer } = this.effects
    writer.putVarint(positions.count)
    for (let i = 0; i < positions.count; i++) {
      putId(writer, positions.id(i, this.id))
      writer.putByte(positions.region(i))
    }
  }

  /** The consumer was seen, and got something (-1: never), at other times than now. */
  private see(key: StreamKey, group: Name, consumer: Name, seenMs: number, activeMs: number): void {
    const { seen, active } = boundedTimes(seenMs, activeMs)
    this.beginBody(PendingOp.see, consumer)
    this.body.f64(seen)
    this.body.varint(active + 1)
    this.writePending(key, group, ({ groups }, record) => {
      const owner = groups.findConsumer(record, consumer.buf, consumer.off, consumer.len)
      groups.setSeen(owner, seen)
      groups.setActive(owner, active)
    })
  }

  private beginBody(op: number, consumer: Name): void {
    const { body } = this
    body.reset().u8(op)
    body.block(consumer.buf.subarray(consumer.off, consumer.off + consumer.len))
  }

  private bodyPosition(positions: StreamPositions, i: number): void {
    writeId(this.body, positions.id(i, this.id))
    this.body.u8(positions.region(i))
  }

  /** Writes the body as an effect that is this member's own, and makes the change. The group must exist. */
  private writePending(key: StreamKey, group: Name, change: (space: StreamSpace, record: Ref, root: Ref) => void): void {
    const { effects, body } = this
    const root = this.open(EffectType.streamPending, key)
    effects.writer.putBlock(group.buf, group.off, group.len)
    effects.writer.putBlock(body.bytes, 0, body.length)
    const space = this.space(key)
    change(space, space.groups.find(root, group.buf, group.off, group.len), root)
    effects.closeCollection(root)
  }
}
