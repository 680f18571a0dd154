import type { MemberId } from '../base/ids.js'
import { LIMITS } from '../base/limits.js'
import { areDefaultSettings } from '../base/mark-settings.js'
import type { OpBuilder } from '../crdt/op-builder.js'
import { StreamId } from '../crdt/stream-id.js'
import type { RdbStream, RdbStreamEntry, RdbStreamGroup, RdbStreamId } from '../rdb/value.js'
import type { KeyPlace } from './collection-store.js'
import { buildMark, buildSettings, marksOf } from './stream-mark-writes.js'
import {
  AssignmentWriter,
  boundedTime,
  buildConsumer,
  buildGroup,
  buildSeen,
  buildSetId,
  EntriesWriter,
  nameOf,
  ReleaseWriter,
} from './stream-op-writers.js'
import { MAX_DELIVERIES } from './stream-pending.js'

/**
 * A stream from a payload in the making: what StreamWrites.writeRdb writes and makes at once is written here some entries at a time, into an op. Entries come first,
 * while the payload is being read, so that they need not all be there at once; then `finish`. The key holds nothing when the op is applied.
 */
export class StreamRestore {
  private readonly entries: EntriesWriter

  constructor(
    private readonly op: OpBuilder,
    private readonly to: KeyPlace,
    private readonly self: MemberId,
    private readonly now: number,
  ) {
    this.entries = new EntriesWriter(op, to, 0)
  }

  entry({ id, names, values }: RdbStreamEntry): void {
    const { entries } = this
    if (entries.isFull) entries.end()
    const fields = entries.add(idOf(id))
    fields.varint(values.count)
    for (let i = 0; i < values.count; i++) {
      fields.range(names.bytesOf(i), names.start(i), names.end(i) - names.start(i))
      fields.range(values.bytesOf(i), values.start(i), values.end(i) - values.start(i))
    }
  }

  /** What comes behind the entries. */
  *finish({ lastId, entriesAdded, maxDeletedId, groups, marks }: RdbStream): Generator<undefined, void> {
    const { op, to, now } = this
    this.entries.end()
    buildSetId(op, to, idOf(lastId), countOf(entriesAdded), idOf(maxDeletedId))
    if (marks !== null) {
      if (!areDefaultSettings(marks.durationS, marks.maxSize)) buildSettings(op, to, marks.durationS, marks.maxSize)
      let steps = 0
      for (const mark of marksOf(marks, now)) {
        if (mark !== null) buildMark(op, to, mark)
        if (++steps % LIMITS.slicedReadStep === 0) yield
      }
    }
    for (const group of groups) yield* this.group(group)
  }

  private *group({ name, lastId, entriesRead, consumers, released }: RdbStreamGroup): Generator<undefined, void> {
    const { op, to, self, now } = this
    const group = nameOf(name)
    buildGroup(op, to, group, idOf(lastId), entriesRead === null ? -1 : countOf(entriesRead))
    const release = new ReleaseWriter(op, to, group, now)
    for (let i = 0; i < released.length; i++) {
      release.push(idOf(released[i].id), self, deliveriesOf(released[i].deliveries))
      if (i % LIMITS.slicedReadStep === 0) yield
    }
    release.end()
    for (const { name: consumerName, pending, seenMs, activeMs } of consumers) {
      const consumer = nameOf(consumerName)
      buildConsumer(op, to, group, consumer, now)
      const writer = new AssignmentWriter(op, to, group, consumer, now)
      for (let i = 0; i < pending.length; i++) {
        const { id, deliveredMs, deliveries } = pending[i]
        writer.push(idOf(id), self, deliveriesOf(deliveries), boundedTime(deliveredMs))
        if (i % LIMITS.slicedReadStep === 0) yield
      }
      writer.end()
      buildSeen(op, to, group, consumer, seenMs, activeMs)
    }
  }
}

export function deliveriesOf(deliveries: bigint): number {
  return Math.min(Number(deliveries), MAX_DELIVERIES)
}

/** Counts are safe integers here. */
export function countOf(count: bigint): number {
  return Math.min(Number(count), Number.MAX_SAFE_INTEGER - 1)
}

export function idOf({ ms, seq }: RdbStreamId): StreamId {
  return StreamId.of(ms, seq)
}
