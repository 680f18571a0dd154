import type { MemberId } from '../base/ids.js'
import { LIMITS } from '../base/limits.js'
import { EffectType } from '../crdt/effect-reader.js'
import type { OpBuilder } from '../crdt/op-builder.js'
import { StreamId } from '../crdt/stream-id.js'
import type { Ref } from '../memory/arena.js'
import { IndexCursor } from '../memory/order-index.js'
import type { KeyPlace } from './collection-store.js'
import { CopiedIds } from './copied-ids.js'
import { GroupOp, writeFields } from './stream-codec.js'
import { StreamFields } from './stream-fields.js'
import { StreamCursor } from './stream-log.js'
import { buildMarkCopy } from './stream-mark-writes.js'
import {
  AssignmentWriter,
  buildConsumer,
  buildGroup,
  buildSeen,
  buildSetId,
  EntriesWriter,
  nameOf,
  ReleaseWriter,
} from './stream-op-writers.js'
import { CHUNKS_WORD } from './stream-root.js'
import type { StreamSpace } from './stream-space.js'

/**
 * A copy of a stream in the making: what StreamWrites.copy writes and makes at once is written here some entries a step, into an op. The stream must not
 * change meanwhile; the key of the copy holds nothing when the op is applied.
 */
export class StreamCopy {
  private readonly copied: CopiedIds

  constructor(
    private readonly space: StreamSpace,
    private readonly root: Ref,
    private readonly op: OpBuilder,
    private readonly to: KeyPlace,
    private readonly self: MemberId,
    private readonly now: number,
  ) {
    this.copied = new CopiedIds(space, root)
  }

  *steps(): Generator<undefined, void> {
    const { space, root, copied, op, to } = this
    const { roots, groups } = space
    yield* this.entries()
    buildSetId(op, to, copied.lastId(), roots.entriesAdded(root), roots.maxDeletedId(root, new StreamId()))
    yield* buildMarkCopy(space, root, copied, op, to)
    for (const group of groups.sorted(root)) {
      yield
      yield* this.group(group)
    }
  }

  private *entries(): Generator<undefined, void> {
    const { space, root, copied } = this
    const { roots, log } = space
    const writer = new EntriesWriter(this.op, this.to, 0)
    const fields = new StreamFields()
    const cursor = new StreamCursor()
    for (let on = log.first(roots.words(root), roots.at(root) + CHUNKS_WORD, cursor); on; on = log.next(cursor)) {
      if (writer.isFull) {
        writer.end()
        yield
      }
      log.chunks.fields(cursor.entry, fields)
      writeFields(writer.add(copied.next(cursor.entry.id, cursor.entry.region)), fields)
    }
    writer.end()
  }

  private *group(group: Ref): Generator<undefined, void> {
    const { space, copied, op, to, self, now } = this
    const { groups } = space
    const { pending } = groups
    const name = nameOf(groups.names.name(group).slice())
    buildGroup(op, to, name, copied.startOf(group), groups.entriesRead(group))
    const place = new IndexCursor()
    const id = new StreamId()
    let steps = 0
    for (const consumer of groups.holders(group)) {
      const isReal = !groups.isNobody(consumer)
      const owner = nameOf(groups.consumerName(consumer).slice())
      if (isReal) buildConsumer(op, to, name, owner, now)
      const writer = isReal ? new AssignmentWriter(op, to, name, owner, now) : new ReleaseWriter(op, to, name, now)
      let ref = pending.index.first(groups.consumerWords(consumer), groups.consumerAt(consumer), place)
      for (; ref !== 0; ref = pending.index.next(place)) {
        if (++steps % LIMITS.slicedReadStep === 0) yield
        writer.push(copied.of(pending.id(ref, id), pending.region(ref)), self, pending.deliveries(ref), pending.order(ref))
      }
      writer.end()
      if (isReal) buildSeen(op, to, name, owner, groups.seen(consumer), groups.active(consumer))
    }
  }
}

/** See StreamWrites.destroyAllGroups. */
export function buildDestroyAll(op: OpBuilder, at: KeyPlace): void {
  op.begin(EffectType.streamGroup, at.database, at.key, at.off, at.len).u8(GroupOp.destroyAll)
}
