import { LIMITS } from '../../base/limits.js'
import { hasHeader, isDense } from '../../crdt/hyperloglog.js'
import { isWhole } from '../../crdt/hyperloglog-sparse.js'
import { CHUNK_SHIFT, type Ref } from '../../memory/arena.js'
import type { CollectionStore } from '../collection-store.js'
import type { Database } from '../database.js'
import {
  newBlock,
  newestMember,
  newestStamp,
  rememberedRemovals,
  setNewest,
  setRemembered,
  setSketchLength,
  sketchLength,
  sketchOffset,
} from '../hll-block.js'
import type { Keyspace } from '../keyspace.js'
import type { CollectionState } from './collection-state.js'
import { NO_MORE_ELEMENTS } from './key-state-format.js'
import type { StateBytes } from './state-bytes.js'
import type { StateReader } from './state-reader.js'
import { writeDot } from './string-codec.js'

const DOT_BYTES = 8

/** HyperLogLogs: `hll` of docs/formats/key-state.md. All of it is the header. */
export class HllState implements CollectionState {
  constructor(
    private readonly store: CollectionStore,
    private readonly keyspace: Keyspace,
  ) {}

  writeHeader(db: Database, root: Ref, out: StateBytes): void {
    const { arena } = db
    const removals = [...rememberedRemovals(arena, root)].sort((a, b) => a.member - b.member)
    out.varint(removals.length)
    for (const { member, stamp } of removals) writeDot(out, member, stamp)
    const length = sketchLength(arena, root)
    if (length === 0) return
    writeDot(out, newestMember(arena, root), newestStamp(arena, root))
    out.raw(arena.u8[root >>> CHUNK_SHIFT], sketchOffset(root), length)
  }

  writeElements(): boolean {
    return true
  }

  read(db: Database, root: Ref, reader: StateReader): Ref {
    const { arena } = db
    const { end } = reader
    if (root !== 0) reader.damaged('more of a HyperLogLog than there should be')
    reader.block()
    const behind = reader.at
    reader.at = reader.off
    reader.end = behind
    const removals: { member: number; stamp: number }[] = []
    for (let left = reader.count(DOT_BYTES); left > 0; left--) {
      reader.dot()
      removals.push({ member: reader.member, stamp: reader.stamp })
    }
    let to: Ref
    if (reader.atEnd) {
      if (removals.length === 0) reader.damaged('a HyperLogLog without anything')
      to = newBlock(arena, 0, 0)
    } else {
      reader.dot()
      const { member, stamp } = reader
      reader.raw(reader.left)
      const { bytes, off, len } = reader
      const isSound = hasHeader(bytes, off, len) && (isDense(bytes, off) || isWhole(bytes, off, len))
      if (!isSound || len > LIMITS.hllSparseBytes) reader.damaged('what is no HyperLogLog')
      to = newBlock(arena, len, 0)
      arena.u8[to >>> CHUNK_SHIFT].set(bytes.subarray(off, off + len), sketchOffset(to))
      setSketchLength(arena, to, len)
      setNewest(arena, to, member, stamp)
    }
    setRemembered(arena, to, removals)
    reader.end = end
    if (reader.varint() !== NO_MORE_ELEMENTS) reader.damaged('a HyperLogLog with elements')
    return to
  }

  drop(db: Database, root: Ref): void {
    this.keyspace.reclaimer.add(db.arena, this.store, root)
  }
}
