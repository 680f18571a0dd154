import { LIMITS } from '../base/limits.js'
import { areDefaultSettings } from '../base/mark-settings.js'
import { EffectType } from '../crdt/effect-reader.js'
import type { OpBuilder } from '../crdt/op-builder.js'
import { StreamId } from '../crdt/stream-id.js'
import type { Ref } from '../memory/arena.js'
import { IndexCursor } from '../memory/order-index.js'
import type { RdbStreamMarks } from '../rdb/value.js'
import type { KeyPlace } from './collection-store.js'
import type { CopiedIds } from './copied-ids.js'
import type { Effects } from './effects.js'
import type { Keyspace } from './keyspace.js'
import { MarkOp, putId, writeId, writeMark } from './stream-codec.js'
import { Mark } from './stream-marks.js'
import type { StreamSpace } from './stream-space.js'
import type { StreamStore } from './stream-store.js'
import type { StreamKey } from './stream-writes.js'

/** What local commands write about the marks of a stream, which must exist. */
export class StreamMarkWrites {
  constructor(
    private readonly store: StreamStore,
    private readonly effects: Effects,
    private readonly keyspace: Keyspace,
  ) {}

  /** XADD IDMP: the message has become the entry of mark.id. */
  add(key: StreamKey, mark: Mark): void {
    const root = this.open(key)
    const space = this.space(key)
    mark.time = space.marks.timeOfNew(root, this.keyspace.nowMs)
    this.put(MarkOp.add, mark)
    if (this.store.addMark(space, root, mark)) space.marks.noteAdded(root)
    this.effects.closeCollection(root)
  }

  /** RESTORE, of a stream that has no marks. */
  restore(key: StreamKey, from: RdbStreamMarks): void {
    const { durationS, maxSize } = from
    if (!areDefaultSettings(durationS, maxSize)) this.set(key, durationS, maxSize)
    for (const mark of marksOf(from, this.keyspace.nowMs)) {
      if (mark === null) continue
      const root = this.open(key)
      this.put(MarkOp.add, mark)
      this.store.addMark(this.space(key), root, mark)
      this.effects.closeCollection(root)
    }
  }

  /** XCFGSET: what is marked so far is forgotten. */
  set(key: StreamKey, durationS: number, maxSize: number): void {
    const { writer } = this.effects
    const root = this.open(key)
    writer.putByte(MarkOp.set)
    writer.putVarint(durationS)
    writer.putVarint(maxSize)
    this.store.setMarks(this.space(key), root, durationS, maxSize)
    this.effects.closeCollection(root)
  }

  /** COPY, RENAME. */
  copy({ marks }: StreamSpace, from: Ref, key: StreamKey, copied: CopiedIds): void {
    const settings = marks.settings(from)
    if (settings !== null) this.set(key, settings.durationS, settings.maxSize)
    const cursor = new IndexCursor()
    const mark = new Mark()
    for (let ref = marks.seek(from, null, cursor); ref !== 0; ref = marks.next(cursor)) {
      if (!marks.isLive(from, ref)) continue
      marks.read(ref, mark)
      mark.id.copyFrom(copied.of(mark.id, mark.member))
      const root = this.open(key)
      this.put(MarkOp.add, mark)
      this.store.addMark(this.space(key), root, mark)
      this.effects.closeCollection(root)
    }
  }

  private put(op: number, mark: Mark): void {
    const { writer } = this.effects
    writer.putByte(op)
    writer.putBlock(mark.buf, mark.producerOff, mark.producerLen)
    writer.putBlock(mark.buf, mark.nameOff, mark.nameLen)
    putId(writer, mark.id)
    writer.putFloat64(mark.time)
  }

  private open(key: StreamKey): Ref {
    return this.effects.openCollection(EffectType.streamMark, key.database, key.buf, key.off, key.len)
  }

  private space(key: StreamKey): StreamSpace {
    return this.store.space(this.keyspace.database(key.database).arena)
  }
}

/**
 * What a payload knows of messages, as marks, each good until the next one. A payload says when a message came by the ID of its entry alone. For what is too old at
 * nowMs it gives null.
 */
export function* marksOf({ durationS, producers }: RdbStreamMarks, nowMs: number): Generator<Mark | null, void> {
  const mark = new Mark()
  for (const { name: producer, marks } of producers) {
    mark.producerLen = mark.nameOff = producer.length
    for (const { name, id } of marks) {
      // A clock that is behind must not make marks that last.
      mark.time = Math.min(Number(id.ms), nowMs)
      if (mark.time <= nowMs - durationS * 1000) {
        yield null
        continue
      }
      mark.buf = Buffer.concat([producer, name])
      mark.nameLen = name.length
      mark.id.copyFrom(StreamId.of(id.ms, id.seq))
      yield mark
    }
  }
}

/** As copy, some marks a step, into an op that is being built. */
export function* buildMarkCopy(
  { marks }: StreamSpace,
  from: Ref,
  copied: CopiedIds,
  op: OpBuilder,
  to: KeyPlace,
): Generator<undefined, void> {
  const settings = marks.settings(from)
  if (settings !== null) buildSettings(op, to, settings.durationS, settings.maxSize)
  const cursor = new IndexCursor()
  const mark = new Mark()
  let steps = 0
  for (let ref = marks.seek(from, null, cursor); ref !== 0; ref = marks.next(cursor)) {
    if (++steps % LIMITS.slicedReadStep === 0) yield
    if (!marks.isLive(from, ref)) continue
    marks.read(ref, mark)
    mark.id.copyFrom(copied.of(mark.id, mark.member))
    buildMark(op, to, mark)
  }
}

/** As StreamMarkWrites.add of a mark with its ID and its time, into an op that is being built. */
export function buildMark(op: OpBuilder, to: KeyPlace, mark: Mark): void {
  const effect = op.begin(EffectType.streamMark, to.database, to.key, to.off, to.len)
  effect.u8(MarkOp.add)
  writeMark(effect, mark)
  writeId(effect, mark.id)
  effect.f64(mark.time)
}

/** XCFGSET of a stream that knows very many messages: as StreamMarkWrites.set, which ends it, but before that they go some an effect. */
export function* buildMarkSettings(
  { marks }: StreamSpace,
  root: Ref,
  op: OpBuilder,
  at: KeyPlace,
  durationS: number,
  maxSize: number,
): Generator<undefined, void> {
  const cursor = new IndexCursor()
  let behind = new Mark()
  let upTo = new Mark()
  let taken = 0
  for (let ref = marks.seek(root, null, cursor); ref !== 0;) {
    const last = ref
    ref = marks.next(cursor)
    if (++taken < LIMITS.copyEffectElements && ref !== 0) continue
    const effect = op.begin(EffectType.streamMark, at.database, at.key, at.off, at.len)
    effect.u8(MarkOp.forget)
    writeMark(effect, behind)
    writeMark(effect, marks.read(last, upTo))
    const next = behind
    behind = upTo
    upTo = next
    taken = 0
    yield
  }
  buildSettings(op, at, durationS, maxSize)
}

/** As StreamMarkWrites.set of a stream that has no marks, into an op that is being built. */
export function buildSettings(op: OpBuilder, at: KeyPlace, durationS: number, maxSize: number): void {
  const effect = op.begin(EffectType.streamMark, at.database, at.key, at.off, at.len)
  effect.u8(MarkOp.set)
  effect.varint(durationS)
  effect.varint(maxSize)
}
