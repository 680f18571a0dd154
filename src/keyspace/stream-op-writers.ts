import { ByteWriter } from '../base/byte-stream.js'
import { LIMITS } from '../base/limits.js'
import { EffectType } from '../crdt/effect-reader.js'
import type { OpBuilder } from '../crdt/op-builder.js'
import { StreamId } from '../crdt/stream-id.js'
import type { KeyPlace } from './collection-store.js'
import { ACK_READ, GroupOp, PendingOp, RELEASED_NOW, REMOVE_BY_TRIM, writeId } from './stream-codec.js'
import type { Name } from './stream-writes.js'

/**
 * Effects on entries and on what groups have pending of them, written into an op that is being built: what StreamWrites writes and makes at once is written here some hundred
 * entries an effect, and made when the op is applied.
 */
const body = new ByteWriter()

export function buildConsumer(op: OpBuilder, at: KeyPlace, group: Name, consumer: Name, now: number): void {
  beginBody(PendingOp.createConsumer, consumer).f64(now)
  putPending(op, at, group)
}

export function buildWithoutConsumer(op: OpBuilder, at: KeyPlace, group: Name, consumer: Name): void {
  beginBody(PendingOp.deleteConsumer, consumer)
  putPending(op, at, group)
}

/** See StreamWrites.setId. */
export function buildSetId(op: OpBuilder, at: KeyPlace, lastId: StreamId, added: number, maxDeleted: StreamId): void {
  const effect = op.begin(EffectType.streamSetId, at.database, at.key, at.off, at.len)
  writeId(effect, lastId)
  effect.varint(added)
  writeId(effect, maxDeleted)
}

/** See StreamWrites.createGroup. entriesRead: -1 where that is not known. */
export function buildGroup(op: OpBuilder, at: KeyPlace, group: Name, start: StreamId, entriesRead: number): void {
  const effect = op.begin(EffectType.streamGroup, at.database, at.key, at.off, at.len)
  effect.u8(GroupOp.create)
  effect.range(group.buf, group.off, group.len)
  writeId(effect, start)
  effect.varint(entriesRead + 1)
}

/** See StreamWrites.trim. */
export function buildTrim(op: OpBuilder, at: KeyPlace, id: StreamId, region: number): void {
  const effect = op.begin(EffectType.streamTrim, at.database, at.key, at.off, at.len)
  writeId(effect, id)
  effect.varint(region)
}

/** The consumer was seen, and got something (-1: never), at other times than now. */
export function buildSeen(op: OpBuilder, at: KeyPlace, group: Name, consumer: Name, seenMs: number, activeMs: number): void {
  const { seen, active } = boundedTimes(seenMs, activeMs)
  const to = beginBody(PendingOp.see, consumer)
  to.f64(seen)
  to.varint(active + 1)
  putPending(op, at, group)
}

/** The group goes on behind an ID. */
export function buildPass(op: OpBuilder, at: KeyPlace, group: Name, id: StreamId): void {
  body.reset().u8(PendingOp.pass)
  writeId(body, id)
  putPending(op, at, group)
}

/** Stands where an effect names a consumer, and is none. */
export const NOBODY: Name = { buf: new Uint8Array(0), off: 0, len: 0 }

/** A name that is all of these bytes. */
export function nameOf(bytes: Uint8Array): Name {
  return { buf: bytes, off: 0, len: bytes.length }
}

/** Times as an effect can say them, whatever a payload says: one that other members refuse would stop them at this op. */
export function boundedTimes(seenMs: number, activeMs: number): { readonly seen: number; readonly active: number } {
  return { seen: boundedTime(seenMs), active: activeMs < 0 ? -1 : boundedTime(activeMs) }
}

/** See boundedTimes. */
export function boundedTime(ms: number): number {
  return Math.min(Math.max(ms, 0), Number.MAX_SAFE_INTEGER - 1)
}

function beginBody(kind: number, consumer: Name): ByteWriter {
  body.reset().u8(kind)
  body.range(consumer.buf, consumer.off, consumer.len)
  return body
}

/** Writes the body as an effect of its own. */
function putPending(op: OpBuilder, at: KeyPlace, group: Name): void {
  const effect = op.begin(EffectType.streamPending, at.database, at.key, at.off, at.len)
  effect.range(group.buf, group.off, group.len)
  effect.range(body.bytes, 0, body.length)
}

/** New entries on their way into effects; see StreamWrites.add. What is still open is written by `end`. */
export class EntriesWriter {
  private readonly list = new ByteWriter()
  private count = 0

  constructor(
    private readonly op: OpBuilder,
    private readonly at: KeyPlace,
    /** How many entries this member has added to the stream. */
    private added: number,
  ) {}

  /** The open effect has as much as one should. */
  get isFull(): boolean {
    return this.count >= LIMITS.copyEffectElements || this.list.length >= LIMITS.copyEffectBytes
  }

  /** Takes another entry, in the open effect; its fields go to the result. */
  add(id: StreamId): ByteWriter {
    this.count++
    this.added++
    writeId(this.list, id)
    return this.list
  }

  /** Writes the open effect, also one without entries: a stream is there from then on. */
  end(): void {
    const { list, op, at } = this
    const effect = op.begin(EffectType.streamAdd, at.database, at.key, at.off, at.len)
    effect.u8(0)
    effect.varint(this.added)
    effect.varint(this.count)
    effect.raw(list.bytes.subarray(0, list.length))
    list.reset()
    this.count = 0
  }
}

/** Entries on their way into effects. What is still open is written by `end`, which comes last. */
abstract class PositionWriter {
  /** The entries of the open effect. */
  protected readonly list = new ByteWriter()
  protected count = 0

  constructor(
    protected readonly op: OpBuilder,
    protected readonly at: KeyPlace,
    protected readonly group: Name,
  ) {}

  end(): void {
    if (this.count > 0) this.write()
    this.list.reset()
    this.count = 0
  }

  /** One more entry; what is written of it beside its position goes to the result. */
  protected add(id: StreamId, region: number): ByteWriter {
    const { list } = this
    if (this.count >= LIMITS.copyEffectElements || list.length >= LIMITS.copyEffectBytes) this.end()
    this.count++
    writeId(list, id)
    list.u8(region)
    return list
  }

  /** Writes the effect. */
  protected abstract write(): void

  /** Writes an effect that the group is done with the entries. entriesRead: of the group with them, where they were only read. */
  protected writeAck(entriesRead: number | null): void {
    const { op, at, group, list, count } = this
    const effect = op.begin(EffectType.streamAck, at.database, at.key, at.off, at.len)
    effect.u8(entriesRead === null ? 0 : ACK_READ)
    effect.range(group.buf, group.off, group.len)
    if (entriesRead !== null) effect.varint(entriesRead + 1)
    effect.varint(count)
    effect.raw(list.bytes.subarray(0, list.length))
  }

  /** Writes the body, which lacks but the entries. */
  protected writeBody(): void {
    body.varint(this.count)
    body.raw(this.list.bytes.subarray(0, this.list.length))
    putPending(this.op, this.at, this.group)
  }
}

/** See StreamWrites.deliver. */
export class DeliveryWriter extends PositionWriter {
  private entriesRead = 0

  constructor(
    op: OpBuilder,
    at: KeyPlace,
    group: Name,
    private readonly consumer: Name,
    private readonly now: number,
  ) {
    super(op, at, group)
  }

  /** entriesRead: of the group, with this entry. */
  push(id: StreamId, region: number, member: number, entriesRead: number): void {
    this.add(id, region).u8(member)
    this.entriesRead = entriesRead
  }

  protected override write(): void {
    const { consumer, now, entriesRead } = this
    const to = beginBody(PendingOp.deliver, consumer)
    to.f64(now)
    to.varint(entriesRead + 1)
    this.writeBody()
  }
}

/** See StreamWrites.readWithoutPending. */
export class ReadWriter extends PositionWriter {
  private entriesRead = 0

  push(id: StreamId, region: number, entriesRead: number): void {
    this.add(id, region)
    this.entriesRead = entriesRead
  }

  protected override write(): void {
    this.writeAck(this.entriesRead)
  }
}

/** See StreamWrites.assign, and redeliver if it says so. */
export class AssignmentWriter extends PositionWriter {
  private deliveredMs = 0

  constructor(
    op: OpBuilder,
    at: KeyPlace,
    group: Name,
    private readonly consumer: Name,
    private readonly now: number,
    private readonly again = false,
  ) {
    super(op, at, group)
  }

  push(id: StreamId, region: number, deliveries: number, deliveredMs: number): void {
    // An effect has one time.
    if (deliveredMs !== this.deliveredMs) this.end()
    this.add(id, region).varint(deliveries)
    this.deliveredMs = deliveredMs
  }

  protected override write(): void {
    const to = beginBody(this.again ? PendingOp.redeliver : PendingOp.assign, this.consumer)
    to.f64(this.now)
    to.f64(this.deliveredMs)
    this.writeBody()
  }
}

/** See StreamWrites.release. */
export class ReleaseWriter extends PositionWriter {
  private order = RELEASED_NOW
  private lastRegion = 0
  private readonly lastId = new StreamId()

  constructor(
    op: OpBuilder,
    at: KeyPlace,
    group: Name,
    private readonly now: number,
  ) {
    super(op, at, group)
  }

  /** order: the entry's place among those that were released; RELEASED_NOW: behind all of them. */
  push(id: StreamId, region: number, deliveries: number, order = RELEASED_NOW): void {
    // What one effect releases is ordered by position.
    const rises = (id.compare(this.lastId) || region - this.lastRegion) > 0
    if (order !== this.order || !rises) this.end()
    this.add(id, region).varint(deliveries)
    this.order = order
    this.lastRegion = region
    this.lastId.copyFrom(id)
  }

  protected override write(): void {
    const to = beginBody(PendingOp.assign, NOBODY)
    to.f64(this.now)
    to.f64(this.order)
    this.writeBody()
  }
}

/** See StreamWrites.drop. */
export class DropWriter extends PositionWriter {
  push(id: StreamId, region: number): void {
    this.add(id, region)
  }

  protected override write(): void {
    body.reset().u8(PendingOp.drop)
    this.writeBody()
  }
}

/** See StreamWrites.ack. */
export class AckWriter extends PositionWriter {
  push(id: StreamId, region: number): void {
    this.add(id, region)
  }

  protected override write(): void {
    this.writeAck(null)
  }
}

/** Removals of entries by a trim that leaves some out, into an op that is being built: see StreamWrites.remove. */
export class TrimmedWriter {
  private isOpen = false

  constructor(
    private readonly op: OpBuilder,
    private readonly at: KeyPlace,
  ) {}

  push(id: StreamId): void {
    const { op, at } = this
    if (!this.isOpen || op.isFull) op.begin(EffectType.streamRemove, at.database, at.key, at.off, at.len).u8(REMOVE_BY_TRIM)
    this.isOpen = true
    writeId(op.add(), id)
  }
}

/** Removals by IDs, into an op that is being built: see StreamWrites.remove. */
export class RemovalWriter {
  private readonly list = new ByteWriter()
  private count = 0

  constructor(
    private readonly op: OpBuilder,
    private readonly at: KeyPlace,
    /** The highest ID that this member has deleted; with those that are written here. */
    private readonly maxDeleted: StreamId,
  ) {}

  push(id: StreamId): void {
    if (this.count >= LIMITS.copyEffectElements) this.end()
    this.count++
    writeId(this.list, id)
    if (id.compare(this.maxDeleted) > 0) this.maxDeleted.copyFrom(id)
  }

  /** Writes what is still open. Comes last. */
  end(): void {
    const { op, at, list, count } = this
    if (count === 0) return
    const effect = op.begin(EffectType.streamRemove, at.database, at.key, at.off, at.len)
    effect.u8(0)
    writeId(effect, this.maxDeleted)
    effect.varint(count)
    effect.raw(list.bytes.subarray(0, list.length))
    list.reset()
    this.count = 0
  }
}
