import type { MemberId } from '../base/ids.js'
import { LIMITS } from '../base/limits.js'
import type { OpBuilder } from '../crdt/op-builder.js'
import { StreamId } from '../crdt/stream-id.js'
import type { RdbStream, RdbStreamConsumer, RdbStreamEntry, RdbStreamGroup, RdbStreamId } from '../rdb/value.js'
import type { KeyPlace } from './collection-store.js'
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
  *finish({ lastId, entriesAdded, maxDeletedId, groups }: RdbStream): Generator<undefined, void> {
    this.entries.end()
    buildSetId(this.op, this.to, idOf(lastId), countOf(entriesAdded), idOf(maxDeletedId))
    for (const group of groups) yield* this.group(group)
  }

  private *group({ name, lastId, entriesRead, consumers }: RdbStreamGroup): Generator<undefined, void> {
    const { op, to, self, now } = this
    const group = nameOf(name)
    buildGroup(op, to, group, idOf(lastId), entriesRead === null ? -1 : countOf(entriesRead))
    for (const each of consumers) {
      const { name: consumerName, pending, seenMs, activeMs } = each
      if (isNobody(each)) {
        const released = new ReleaseWriter(op, to, group, now)
        for (let i = 0; i < pending.length; i++) {
          released.push(idOf(pending[i].id), self, deliveriesOf(pending[i].deliveries))
          if (i % LIMITS.slicedReadStep === 0) yield
        }
        released.end()
        continue
      }
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

/** True for what stands in a payload where entries belong to nobody, which payloads cannot say: a consumer without a name that was never seen. */
export function isNobody({ name, seenMs }: Pick<RdbStreamConsumer, 'name' | 'seenMs'>): boolean {
  return name.length === 0 && seenMs === NEVER_MS
}

/** When nobody was seen, in a payload. */
export const NEVER_MS = 0

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
