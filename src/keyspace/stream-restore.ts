import { ByteWriter } from '../base/byte-stream.js'
import type { MemberId } from '../base/ids.js'
import { LIMITS } from '../base/limits.js'
import { EffectType } from '../crdt/effect-reader.js'
import type { OpBuilder } from '../crdt/op-builder.js'
import { MAX_U32, StreamId } from '../crdt/stream-id.js'
import type { RdbStream, RdbStreamEntry, RdbStreamGroup, RdbStreamId } from '../rdb/value.js'
import type { KeyPlace } from './collection-store.js'
import { GroupOp, writeId } from './stream-codec.js'
import { AssignmentWriter, boundedTime, buildConsumer, buildSeen } from './stream-op-writers.js'
import type { Name } from './stream-writes.js'

/**
 * A stream from a payload in the making: what StreamWrites.writeRdb writes and makes at once is written here some entries at a time, into an op. Entries come first,
 * while the payload is being read, so that they need not all be there at once; then `finish`. The key holds nothing when the op is applied.
 */
export class StreamRestore {
  private readonly list = new ByteWriter()
  private readonly id = new StreamId()
  private count = 0
  private added = 0

  constructor(
    private readonly op: OpBuilder,
    private readonly to: KeyPlace,
    private readonly self: MemberId,
    private readonly now: number,
  ) {}

  entry({ id, names, values }: RdbStreamEntry): void {
    const { list } = this
    if (this.count >= LIMITS.copyEffectElements || list.length >= LIMITS.copyEffectBytes) this.endEntries()
    this.count++
    this.added++
    writeId(list, idOf(id, this.id))
    list.varint(values.count)
    for (let i = 0; i < values.count; i++) {
      list.range(names.bytesOf(i), names.start(i), names.end(i) - names.start(i))
      list.range(values.bytesOf(i), values.start(i), values.end(i) - values.start(i))
    }
  }

  /** What comes behind the entries. */
  *finish({ lastId, entriesAdded, maxDeletedId, groups }: RdbStream): Generator<undefined, void> {
    // Also of a stream without entries, which is there from then on.
    if (this.count > 0 || this.added === 0) this.endEntries()
    const effect = this.begin(EffectType.streamSetId)
    writeId(effect, idOf(lastId, this.id))
    effect.varint(countOf(entriesAdded))
    writeId(effect, idOf(maxDeletedId, this.id))
    for (const group of groups) yield* this.group(group)
  }

  private *group({ name, lastId, entriesRead, consumers }: RdbStreamGroup): Generator<undefined, void> {
    const { op, to, self, now } = this
    const group = nameOf(name)
    const effect = this.begin(EffectType.streamGroup)
    effect.u8(GroupOp.create)
    effect.range(group.buf, group.off, group.len)
    writeId(effect, idOf(lastId, this.id))
    effect.varint(entriesRead === null ? 0 : countOf(entriesRead) + 1)
    for (const { name: consumerName, pending, seenMs, activeMs } of consumers) {
      const consumer = nameOf(consumerName)
      buildConsumer(op, to, group, consumer, now)
      const writer = new AssignmentWriter(op, to, group, consumer, now)
      for (let i = 0; i < pending.length; i++) {
        const { id, deliveredMs, deliveries } = pending[i]
        writer.push(idOf(id, this.id), self, Math.min(Number(deliveries), MAX_U32), boundedTime(deliveredMs))
        if (i % LIMITS.slicedReadStep === 0) yield
      }
      writer.end()
      buildSeen(op, to, group, consumer, seenMs, activeMs)
    }
  }

  private endEntries(): void {
    const { list } = this
    const effect = this.begin(EffectType.streamAdd)
    effect.u8(0)
    effect.varint(this.added)
    effect.varint(this.count)
    effect.raw(list.bytes.subarray(0, list.length))
    list.reset()
    this.count = 0
  }

  private begin(type: number): ByteWriter {
    const { op, to } = this
    return op.begin(type, to.database, to.key, to.off, to.len)
  }
}

/** Counts are safe integers here. */
export function countOf(count: bigint): number {
  return Math.min(Number(count), Number.MAX_SAFE_INTEGER - 1)
}

export function idOf(from: RdbStreamId, id: StreamId): StreamId {
  return id.copyFrom(StreamId.of(from.ms, from.seq))
}

function nameOf(bytes: Uint8Array): Name {
  return { buf: bytes, off: 0, len: bytes.length }
}
