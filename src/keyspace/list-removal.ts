import { ByteWriter } from '../base/byte-stream.js'
import { equalBytes } from '../base/bytes.js'
import { LIMITS } from '../base/limits.js'
import { EffectType } from '../crdt/effect-reader.js'
import { ListPosition, type NumberSink } from '../crdt/list-position.js'
import { ListRangeWriter } from '../crdt/list-ranges.js'
import type { OpBuilder } from '../crdt/op-builder.js'
import type { Ref } from '../memory/arena.js'
import type { KeyPlace } from './collection-store.js'
import type { Database } from './database.js'
import { ListSequence } from './list-sequence.js'
import { ListWalk } from './list-walk.js'

/** Elements that one range of an effect removes, where it removes a row of them: some dozens of chunks. */
const ROW_ELEMENTS = 4096

/**
 * Writes removals of many elements of a list into an op that is being built, in many effects: ListWrites writes and applies at once what is written here
 * without being applied, a step at a time. The list must not change from the first step until the op is applied.
 */
export class ListRemoval {
  private readonly walk: ListWalk
  private readonly ranges = new ListRangeWriter()
  private readonly position = new ListPosition()
  private readonly other = new ListPosition()
  private readonly sink = new HeadSink()
  /** Ranges of the open effect; 0 when there is none. */
  private count = 0

  /** @param written no lower than the stamp of any element, see ListRangeWriter.beginAt. */
  constructor(
    db: Database,
    root: Ref,
    private readonly op: OpBuilder,
    private readonly at: KeyPlace,
    private readonly written: number,
  ) {
    this.walk = new ListWalk(new ListSequence().open(db.arena, root))
  }

  /** Removes the first `count` elements equal to a value, from a rank on at which there is one. There must be as many. */
  *equal(rank: number, count: number, value: Uint8Array, off: number, len: number): Generator<undefined, void> {
    const { walk, position, ranges } = this
    const { sequence } = walk
    walk.seek(rank)
    let left = count
    let chunk: Ref = 0
    let first = 0
    let span = -1
    for (let looks = 1; left > 0; looks++) {
      if (walk.len === len && equalBytes(walk.buf, walk.off, value, off, len)) {
        const { index } = walk
        if (span >= 0 && sequence.chunk === chunk && index === first + span + 1) {
          span++
        } else {
          if (span >= 0) ranges.run(this.room(), sequence.chunks.position(chunk, first, position), span)
          chunk = sequence.chunk
          first = index
          span = 0
        }
        left--
      }
      if (left > 0) walk.next()
      if (looks % LIMITS.slicedReadSeek === 0) yield
    }
    ranges.run(this.room(), sequence.chunks.position(chunk, first, position), span)
    this.end()
  }

  /** Removes the elements of ranks from .. to-1. */
  *row(from: number, to: number): Generator<undefined, void> {
    const { position, other, ranges } = this
    for (let rank = from; rank < to; rank += ROW_ELEMENTS) {
      this.seek(rank, position)
      this.seek(Math.min(rank + ROW_ELEMENTS, to) - 1, other)
      ranges.between(this.room(), position, other)
      this.end()
      yield
    }
  }

  private seek(rank: number, to: ListPosition): void {
    const { walk } = this
    walk.seek(rank)
    walk.sequence.chunks.position(walk.sequence.chunk, walk.index, to)
  }

  /** Where the next range goes: an effect that is not full. */
  private room(): NumberSink {
    const { op, at, sink, ranges } = this
    if (this.count === LIMITS.copyEffectElements) this.end()
    if (this.count === 0) {
      sink.to = op.begin(EffectType.listRemove, at.database, at.key, at.off, at.len)
      ranges.beginAt(sink.to, this.written)
    }
    this.count++
    return sink
  }

  private end(): void {
    this.ranges.end(this.sink)
    this.count = 0
  }
}

/** The head of an effect that is being built, for what writes into frames too. */
class HeadSink implements NumberSink {
  to = new ByteWriter()

  putByte(value: number): void {
    this.to.u8(value)
  }

  putVarint(value: number): void {
    this.to.varint(value)
  }
}
