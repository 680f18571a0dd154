import { ByteWriter } from '../base/byte-stream.js'
import type { MemberId } from '../base/ids.js'
import { LIMITS } from '../base/limits.js'
import { EffectType } from '../crdt/effect-reader.js'
import type { OpBuilder } from '../crdt/op-builder.js'
import { StreamId } from '../crdt/stream-id.js'
import type { Ref } from '../memory/arena.js'
import { IndexCursor } from '../memory/order-index.js'
import type { KeyPlace } from './collection-store.js'
import { CopiedIds } from './copied-ids.js'
import { GroupOp, writeFields, writeId } from './stream-codec.js'
import { StreamFields } from './stream-fields.js'
import { StreamCursor } from './stream-log.js'
import { buildMarkCopy } from './stream-mark-writes.js'
import { AssignmentWriter, buildConsumer, buildSeen } from './stream-op-writers.js'
import { CHUNKS_WORD } from './stream-root.js'
import type { StreamSpace } from './stream-space.js'
import type { Name } from './stream-writes.js'

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
    const { space, root, copied } = this
    const { roots, groups } = space
    yield* this.entries()
    const effect = this.begin(EffectType.streamSetId)
    writeId(effect, copied.lastId())
    effect.varint(roots.entriesAdded(root))
    writeId(effect, roots.maxDeletedId(root, new StreamId()))
    yield* buildMarkCopy(space, root, copied, this.op, this.to)
    for (const group of groups.sorted(root)) {
      yield
      yield* this.group(group)
    }
  }

  private *entries(): Generator<undefined, void> {
    const { space, root, copied } = this
    const { roots, log } = space
    const list = new ByteWriter()
    const fields = new StreamFields()
    const cursor = new StreamCursor()
    let count = 0
    let added = 0
    const end = (): void => {
      const effect = this.begin(EffectType.streamAdd)
      effect.u8(0)
      effect.varint(added)
      effect.varint(count)
      effect.raw(list.bytes.subarray(0, list.length))
      list.reset()
      count = 0
    }
    for (let on = log.first(roots.words(root), roots.at(root) + CHUNKS_WORD, cursor); on; on = log.next(cursor)) {
      if (count >= LIMITS.copyEffectElements || list.length >= LIMITS.copyEffectBytes) {
        end()
        yield
      }
      log.chunks.fields(cursor.entry, fields)
      writeId(list, copied.next(cursor.entry.id, cursor.entry.region))
      writeFields(list, fields)
      count++
      added++
    }
    // Also of a stream without entries, which is there from then on.
    end()
  }

  private *group(group: Ref): Generator<undefined, void> {
    const { space, copied, op, to, self, now } = this
    const { groups } = space
    const { pending } = groups
    const name = nameOf(groups.names.name(group).slice())
    const effect = this.begin(EffectType.streamGroup)
    effect.u8(GroupOp.create)
    effect.range(name.buf, name.off, name.len)
    writeId(effect, copied.startOf(group))
    effect.varint(groups.entriesRead(group) + 1)
    const place = new IndexCursor()
    const id = new StreamId()
    let steps = 0
    for (const consumer of groups.consumers(group)) {
      const owner = nameOf(groups.consumerName(consumer).slice())
      buildConsumer(op, to, name, owner, now)
      const writer = new AssignmentWriter(op, to, name, owner, now)
      let ref = pending.index.first(groups.consumerWords(consumer), groups.consumerAt(consumer), place)
      for (; ref !== 0; ref = pending.index.next(place)) {
        if (++steps % LIMITS.slicedReadStep === 0) yield
        writer.push(copied.of(pending.id(ref, id), pending.region(ref)), self, pending.deliveries(ref), pending.time(ref))
      }
      writer.end()
      buildSeen(op, to, name, owner, groups.seen(consumer), groups.active(consumer))
    }
  }

  private begin(type: number): ByteWriter {
    const { op, to } = this
    return op.begin(type, to.database, to.key, to.off, to.len)
  }
}

/** See StreamWrites.destroyAllGroups. */
export function buildDestroyAll(op: OpBuilder, at: KeyPlace): void {
  op.begin(EffectType.streamGroup, at.database, at.key, at.off, at.len).u8(GroupOp.destroyAll)
}

function nameOf(bytes: Uint8Array): Name {
  return { buf: bytes, off: 0, len: bytes.length }
}
