import { LIMITS } from '../base/limits.js'
import { EffectType } from '../crdt/effect-reader.js'
import { ListPosition, MAX_LIST_INDEX, MIN_LIST_INDEX, writeTopPosition } from '../crdt/list-position.js'
import { ListRangeWriter } from '../crdt/list-ranges.js'
import type { StoreEnvironment } from './collections.js'
import { MAX_CHUNK_BYTES, NO_INDEX, OWN_BEGIN, OWN_END } from './list-chunk.js'
import type { ListEdits } from './list-edits.js'
import { isValueAt, valueEntryBytes } from './list-entry.js'
import type { ListSequence } from './list-sequence.js'
import { ListWalk } from './list-walk.js'

/** Byte strings as ranges of one buffer, such as the arguments of a command. */
export interface ByteRanges {
  readonly buf: Uint8Array
  readonly off: ArrayLike<number>
  readonly len: ArrayLike<number>
}

/**
 * What commands do to lists: each method writes one effect, says there at which positions, and applies it. Positions are chosen here and nowhere else
 * (SEMANTICS: List): a push goes on with the run that stands at that end of the list if this process began it, and begins a new run if not. The same is
 * done where LINSERT puts something behind the end of such a run, or before its beginning.
 *
 * Keys hold a list, or for push nothing; ranks are below the length: the commands have checked it.
 */
export class ListWrites {
  private readonly position = new ListPosition()
  private readonly other = new ListPosition()
  private readonly ranges = new ListRangeWriter()
  private readonly walk: ListWalk

  constructor(
    private readonly environment: StoreEnvironment,
    private readonly sequence: ListSequence,
    private readonly edits: ListEdits,
  ) {
    this.walk = new ListWalk(sequence)
  }

  /**
   * Pushes arguments first .. last, one after the other, at the end or the beginning. Gives the length then. The values must not lie in the arena of
   * the key's database.
   */
  push(
    database: number,
    key: Uint8Array,
    keyOff: number,
    keyLen: number,
    values: ByteRanges,
    first: number,
    last: number,
    atBegin: boolean,
  ): number {
    const { sequence, position } = this
    const { effects, context } = this.environment
    this.begin(EffectType.listInsert, database, key, keyOff, keyLen)
    if (first === last && this.pushOne(values.buf, values.off[first], values.len[first], atBegin)) {
      effects.closeCollection(sequence.root, !sequence.mayHaveHidden)
      return sequence.length
    }
    const count = last - first + 1
    const goesOn = atBegin ? this.placeAtBegin(count) : this.placeAtEnd(count)
    const { writer } = effects
    const { stamp } = context
    position.write(writer, stamp)
    writer.putVarint(count)
    if (atBegin) for (let i = last; i >= first; i--) writer.putBlock(values.buf, values.off[i], values.len[i])
    else for (let i = first; i <= last; i++) writer.putBlock(values.buf, values.off[i], values.len[i])
    if (atBegin) position.index += count - 1
    const room = goesOn ? 0 : roomFor(values, first, last)
    for (let i = first; i <= last; i++) {
      this.putAtEdge(goesOn || i > first, atBegin, stamp, values.buf, values.off[i], values.len[i], room)
      if (i < last) position.index += atBegin ? -1 : 1
    }
    effects.closeCollection(sequence.root)
    return sequence.length
  }

  /** Sets the element of a rank. */
  set(
    database: number,
    key: Uint8Array,
    keyOff: number,
    keyLen: number,
    rank: number,
    from: Uint8Array,
    off: number,
    len: number,
  ): void {
    const { sequence, position } = this
    const { effects, context } = this.environment
    this.begin(EffectType.listSet, database, key, keyOff, keyLen)
    this.positionOf(rank, position)
    position.write(effects.writer, context.stamp)
    effects.writer.putBlock(from, off, len)
    this.edits.setHere(position, context, from, off, len)
    effects.closeCollection(sequence.root)
  }

  /** Puts a value between the element of a rank and the one before it; rank is between 1 and the length less 1. */
  insertBefore(
    database: number,
    key: Uint8Array,
    keyOff: number,
    keyLen: number,
    rank: number,
    from: Uint8Array,
    off: number,
    len: number,
  ): void {
    const { sequence, position } = this
    const { effects, context, keyspace } = this.environment
    const db = keyspace.database(database)
    sequence.open(db.arena, db.root(db.lookup(key, keyOff, keyLen)))
    let isNewRun = this.placeBefore(rank)
    if (position.depth > LIMITS.listPositionLevels) {
      this.rewrite(database, key, keyOff, keyLen)
      isNewRun = this.placeBefore(rank)
    }
    this.begin(EffectType.listInsert, database, key, keyOff, keyLen)
    if (isNewRun) position.stamps[position.depth - 1] = context.stamp
    const { writer } = effects
    position.write(writer, context.stamp)
    writer.putVarint(1)
    writer.putBlock(from, off, len)
    this.edits.insert(position, context.origin, context.stamp, from, off, len)
    if (isNewRun) sequence.chunks.setFlag(sequence.chunk, OWN_BEGIN | OWN_END)
    effects.closeCollection(sequence.root)
  }

  /** Removes so many elements, at least one, from the beginning or the end. True when none are left. */
  pop(database: number, key: Uint8Array, keyOff: number, keyLen: number, count: number, atBegin: boolean): boolean {
    const { sequence, ranges } = this
    const { effects } = this.environment
    this.beginRemoval(database, key, keyOff, keyLen)
    if (count === 1 && this.popOne(atBegin)) {
      effects.closeCollection(sequence.root, !sequence.mayHaveHidden)
      return false
    }
    this.writeEdge(count, atBegin)
    ranges.end(effects.writer)
    if (atBegin) this.dropFirst(count)
    else this.dropLast(count)
    effects.closeCollection(sequence.root)
    return sequence.root === 0
  }

  /** Removes so many elements from the beginning and so many from the end, together at least one. Gives how many are left. */
  trim(database: number, key: Uint8Array, keyOff: number, keyLen: number, fromBegin: number, fromEnd: number): number {
    const { sequence, ranges } = this
    this.beginRemoval(database, key, keyOff, keyLen)
    if (fromBegin > 0) this.writeEdge(fromBegin, true)
    if (fromEnd > 0) this.writeEdge(fromEnd, false)
    ranges.end(this.environment.effects.writer)
    if (fromBegin > 0) this.dropFirst(fromBegin)
    if (fromEnd > 0) this.dropLast(fromEnd)
    this.environment.effects.closeCollection(sequence.root)
    return sequence.length
  }

  /**
   * Removes the first `count` elements equal to a value, from a rank on at which there is one. There must be as many. Gives how many elements are
   * left.
   */
  removeEqual(
    database: number,
    key: Uint8Array,
    keyOff: number,
    keyLen: number,
    rank: number,
    count: number,
    value: Uint8Array,
    off: number,
    len: number,
  ): number {
    const { sequence, walk, ranges, position } = this
    const { effects, context } = this.environment
    this.beginRemoval(database, key, keyOff, keyLen)
    walk.seek(rank)
    let fromIndex = walk.index
    let left = count
    const { chunks } = sequence
    const { arena } = chunks
    while (left > 0) {
      const { chunk } = sequence
      let begin = 0
      let span = -1
      const flush = () => {
        if (span >= 0) ranges.run(effects.writer, chunks.position(chunk, begin, position), span)
        span = -1
      }
      const chosen = (u8: Uint8Array, at: number, index: number): boolean => {
        if (left === 0 || index < fromIndex || !isValueAt(arena, u8, at, value, off, len)) return false
        left--
        if (span >= 0 && index === begin + span + 1) {
          span++
        } else {
          flush()
          begin = index
          span = 0
        }
        return true
      }
      const after = chunks.remove(chunk, context, chosen, flush)
      fromIndex = MIN_LIST_INDEX
      if (after === 0) {
        sequence.drop()
      } else {
        sequence.changed(after)
        sequence.next()
      }
    }
    ranges.end(effects.writer)
    effects.closeCollection(sequence.root)
    return sequence.length
  }

  /**
   * push of one value that goes on with the run at that end, in a chunk that has room for it: nearly every one. The same without the detours of the
   * general way; false, and nothing is done, where that is needed.
   */
  private pushOne(from: Uint8Array, off: number, len: number, atBegin: boolean): boolean {
    const { sequence, edits } = this
    const { chunks } = sequence
    const { context, effects } = this.environment
    const chunk = atBegin ? sequence.first() : sequence.last()
    if (chunk === 0 || len > edits.inlineBytes) return false
    const index = atBegin ? chunks.previousIndex(chunk) : chunks.nextIndex(chunk)
    if (index === NO_INDEX || index <= MIN_LIST_INDEX || index >= MAX_LIST_INDEX - 1) return false
    const delta = context.stamp - chunks.base(chunk)
    const to = atBegin
      ? chunks.prepend(chunk, index, 0, delta, from, off, len)
      : chunks.append(chunk, index, 0, delta, from, off, len)
    if (to === 0) return false
    if (to !== chunk) sequence.changed(to)
    const { writer } = effects
    writeTopPosition(writer, chunks.anchor(to), chunks.member(to), context.stamp - chunks.runStamp(to), index)
    writer.putVarint(1)
    writer.putBlock(from, off, len)
    return true
  }

  /** pop of one element of a top-level run that is not the last of its chunk; as pushOne. */
  private popOne(atBegin: boolean): boolean {
    const { sequence, ranges } = this
    const { chunks } = sequence
    const { context, effects } = this.environment
    const chunk = atBegin ? sequence.first() : sequence.last()
    if (chunks.count(chunk) === 1 || !chunks.isTopLevel(chunk)) return false
    const index = atBegin ? chunks.firstIndex(chunk) : chunks.lastIndex(chunk)
    ranges.onlyTop(effects.writer, chunks.anchor(chunk), chunks.member(chunk), context.stamp - chunks.runStamp(chunk), index)
    const to = atBegin ? chunks.dropFirst(chunk, 1) : chunks.dropLast(chunk, 1)
    if (to !== chunk) sequence.changed(to)
    return true
  }

  /** Writes the position where `count` elements are pushed at the end; true when it is in the run of the last chunk. */
  private placeAtEnd(count: number): boolean {
    const { sequence, position } = this
    const { chunks } = sequence
    const chunk = sequence.last()
    if (chunk !== 0 && chunks.isTopLevel(chunk) && (chunks.flags(chunk) & OWN_END) !== 0) {
      const index = chunks.endIndex(chunk)
      if (index + count < MAX_LIST_INDEX) {
        chunks.position(chunk, index, position)
        return true
      }
    }
    const { self, context } = this.environment
    position.clear().push(chunk === 0 ? 0 : chunks.topAnchor(chunk) + 1, self, context.stamp, 0)
    return false
  }

  /** The mirror image; the position is that of the last value pushed, which is in front of the others. */
  private placeAtBegin(count: number): boolean {
    const { sequence, position } = this
    const { chunks } = sequence
    const chunk = sequence.first()
    if (chunk !== 0 && chunks.isTopLevel(chunk) && (chunks.flags(chunk) & OWN_BEGIN) !== 0) {
      const index = chunks.beginIndex(chunk) - count
      if (index > MIN_LIST_INDEX) {
        chunks.position(chunk, index, position)
        return true
      }
    }
    const { self, context } = this.environment
    position.clear().push(chunk === 0 ? 0 : chunks.topAnchor(chunk) - 1, self, context.stamp, 1 - count)
    return false
  }

  private putAtEdge(
    goesOn: boolean,
    atBegin: boolean,
    stamp: number,
    from: Uint8Array,
    off: number,
    len: number,
    room: number,
  ): void {
    const { sequence, edits, position } = this
    if (atBegin) edits.prepend(position, goesOn, stamp, from, off, len, room)
    else edits.append(position, goesOn, stamp, from, off, len, room)
    if (!goesOn) sequence.chunks.setFlag(sequence.chunk, OWN_BEGIN | OWN_END)
  }

  /**
   * Writes the position of something that is put between the element of a rank and the one before it. True when it begins a run.
   *
   * Behind the end of a run of this process, if what follows is not of that run or below it: the run's next index is free and in the right place. Before
   * the beginning of a run likewise. Else below the element before.
   */
  private placeBefore(rank: number): boolean {
    const { sequence, position, other } = this
    const { chunks } = sequence
    this.positionOf(rank, other)
    const after = sequence.chunk
    const afterIsFirst = other.index === chunks.firstIndex(after)
    this.positionOf(rank - 1, position)
    const before = sequence.chunk
    if (
      (chunks.flags(before) & OWN_END) !== 0 &&
      position.index === chunks.lastIndex(before) &&
      chunks.levelOf(other, before) < 0 &&
      chunks.endIndex(before) < MAX_LIST_INDEX - 1
    ) {
      position.index = chunks.endIndex(before)
      return false
    }
    if (
      (chunks.flags(after) & OWN_BEGIN) !== 0 &&
      afterIsFirst &&
      chunks.levelOf(position, after) < 0 &&
      chunks.beginIndex(after) > MIN_LIST_INDEX + 1
    ) {
      position.copyFrom(other)
      position.index = chunks.beginIndex(after) - 1
      return false
    }
    const level = position.depth
    const anchor = other.isBelow(position) ? other.anchors[level] - 1 : 0
    position.push(anchor, this.environment.self, this.environment.context.stamp, 0)
    return true
  }

  /** Writes the whole list anew, in one run, because positions have become too long. */
  private rewrite(database: number, key: Uint8Array, keyOff: number, keyLen: number): void {
    const { sequence, walk } = this
    const { length } = sequence
    const values: Uint8Array[] = []
    walk.seek(0)
    do values.push(walk.buf.slice(walk.off, walk.off + walk.len))
    while (walk.next())
    // First the copy, then the removal, so that the key never goes and its expiry stays.
    this.pushAll(database, key, keyOff, keyLen, values)
    this.pop(database, key, keyOff, keyLen, length, true)
  }

  /** Pushes values at the end, in effects of bounded size. */
  pushAll(database: number, key: Uint8Array, keyOff: number, keyLen: number, values: Iterable<Uint8Array>): void {
    let batch: Uint8Array[] = []
    const flush = () => {
      if (batch.length === 0) return
      const ranges = rangesOf(batch)
      this.push(database, key, keyOff, keyLen, ranges, 0, batch.length - 1, false)
      batch = []
    }
    for (const value of values) {
      batch.push(value)
      if (batch.length === LIMITS.copyEffectElements) flush()
    }
    flush()
  }

  private beginRemoval(database: number, key: Uint8Array, keyOff: number, keyLen: number): void {
    this.begin(EffectType.listRemove, database, key, keyOff, keyLen)
    this.ranges.begin(this.environment.context.stamp)
  }

  /** Begins an effect, with the sequence open on what the key holds. */
  private begin(effectType: number, database: number, key: Uint8Array, keyOff: number, keyLen: number): void {
    const { effects, keyspace } = this.environment
    const root = effects.openCollection(effectType, database, key, keyOff, keyLen)
    this.sequence.open(keyspace.database(database).arena, root)
  }

  /** Writes the range of so many elements at the beginning or the end. */
  private writeEdge(count: number, atBegin: boolean): void {
    const { sequence, position, other, ranges } = this
    const { chunks } = sequence
    const { writer } = this.environment.effects
    if (count === 1) {
      const chunk = atBegin ? sequence.first() : sequence.last()
      const index = atBegin ? chunks.firstIndex(chunk) : chunks.lastIndex(chunk)
      ranges.run(writer, chunks.position(chunk, index, position), 0)
      return
    }
    const { length } = sequence
    this.positionOf(atBegin ? 0 : length - count, position)
    this.positionOf(atBegin ? count - 1 : length - 1, other)
    ranges.between(writer, position, other)
  }

  /** The elements of the list have been observed, all of them. */
  private dropFirst(count: number): void {
    const { sequence } = this
    const { chunks } = sequence
    let left = count
    let chunk = sequence.first()
    while (left > 0) {
      const size = chunks.count(chunk)
      if (size > left) {
        sequence.changed(chunks.dropFirst(chunk, left))
        return
      }
      chunks.free(chunk)
      chunk = sequence.drop()
      left -= size
    }
  }

  private dropLast(count: number): void {
    const { sequence } = this
    const { chunks } = sequence
    let left = count
    while (left > 0) {
      const chunk = sequence.last()
      const size = chunks.count(chunk)
      if (size > left) {
        sequence.changed(chunks.dropLast(chunk, left))
        return
      }
      chunks.free(chunk)
      sequence.drop()
      left -= size
    }
  }

  private positionOf(rank: number, to: ListPosition): void {
    const { sequence } = this
    const { chunks } = sequence
    const n = sequence.seekRank(rank)
    const { chunk } = sequence
    chunks.seekElement(chunk, n)
    chunks.position(chunk, chunks.firstIndex(chunk) + chunks.slot, to)
  }
}

/** Bytes of the entries that these values make, if a chunk may hold them all. */
function roomFor(values: ByteRanges, first: number, last: number): number {
  let bytes = 0
  for (let i = first; i <= last && bytes < MAX_CHUNK_BYTES; i++) bytes += valueEntryBytes(0, values.len[i])
  return bytes
}

function rangesOf(values: readonly Uint8Array[]): ByteRanges {
  const off: number[] = []
  const len: number[] = []
  for (const value of values) {
    off.push(off.length === 0 ? 0 : off[off.length - 1] + len[len.length - 1])
    len.push(value.length)
  }
  return { buf: Buffer.concat(values), off, len }
}
