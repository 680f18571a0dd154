import { assert } from '../base/assert.js'
import type { StreamId } from '../crdt/stream-id.js'
import type { Arena, Ref } from '../memory/arena.js'
import { IndexCursor, OrderIndex, type Ordering } from '../memory/order-index.js'
import { EntryView, StreamChunks, type EntrySource } from './stream-chunk.js'
import type { StreamFields } from './stream-fields.js'

/** Most entries of a chunk whose offsets a cursor keeps while it goes backwards. */
const OFFSETS = 1024

/** A place among the entries of a stream: at an entry, or at the end. Good until the stream changes otherwise than by it. */
export class StreamCursor {
  readonly index = new IndexCursor()
  /** The entry; what it says is only right while `valid`. */
  readonly entry = new EntryView()
  valid = false
  /** Offsets of the entries of `offsetsOf`, for going backwards: forgotten whenever it is placed anew, for the stream, or what its memory is used for, may be another. */
  readonly offsets = new Int32Array(OFFSETS)
  offsetsOf: Ref = 0
  slot = 0
}

/**
 * The entries of a stream by position, in chunks whose order and number of entries an OrderIndex knows. The index's descriptor stands in
 * the stream's root block: `words` at `d`.
 */
export class StreamLog {
  readonly chunks: StreamChunks
  readonly index: OrderIndex
  private readonly place = new IndexCursor()
  private readonly probe = new StreamCursor()
  private readonly ordering: PositionOrdering

  constructor(private readonly arena: Arena) {
    this.chunks = new StreamChunks(arena)
    this.index = new OrderIndex(arena, true)
    this.ordering = new PositionOrdering(this.chunks)
  }

  length(words: Uint32Array, d: number): number {
    return this.index.weight(words, d)
  }

  /** Adds an entry that comes after all others. */
  append(words: Uint32Array, d: number, source: EntrySource, fields: StreamFields): void {
    const { chunks, index, place } = this
    const last = index.last(words, d, place)
    if (last !== 0 && chunks.takes(last, source, fields)) {
      const ref = chunks.append(last, source, fields)
      if (ref !== last) index.replace(place, ref)
      index.setWeight(words, d, place, chunks.count(ref))
      return
    }
    // Where a chunk has become full the next one does, too: it begins with half of its room, so that it moves twice until then and not ten times.
    let room = 0
    if (last !== 0) {
      room = chunks.end(last) >>> 1
      const done = chunks.shrink(last)
      if (done !== last) index.replace(place, done)
    }
    const ref = chunks.append(chunks.create(source, fields, room), source, fields)
    index.end(words, d, place)
    index.insertBefore(words, d, place, ref, 1)
  }

  /** Adds an entry wherever it belongs. False, and nothing is added, when there is one at its position. */
  insert(words: Uint32Array, d: number, source: EntrySource, fields: StreamFields): boolean {
    const { chunks, index, probe } = this
    const last = index.last(words, d, this.place)
    if (last === 0) {
      this.append(words, d, source, fields)
      return true
    }
    if (chunks.compare(last, source.id, source.region) > 0) {
      chunks.read(last, chunks.last(last), probe.entry)
      if (comparePosition(source.id, source.region, probe.entry) > 0) {
        this.append(words, d, source, fields)
        return true
      }
    }
    if (this.find(words, d, source.id, source.region, probe) && comparePosition(source.id, source.region, probe.entry) === 0) {
      return false
    }
    this.insertWithin(words, d, source, fields)
    return true
  }

  private insertWithin(words: Uint32Array, d: number, source: EntrySource, fields: StreamFields): void {
    const { chunks, index, place } = this
    if (!this.findChunk(words, d, source.id, source.region, place)) {
      // It comes before every chunk's own position.
      index.first(words, d, place)
      index.insertBefore(words, d, place, chunks.append(chunks.create(source, fields), source, fields), 1)
      return
    }
    let chunk = index.item(place)
    if (!chunks.takes(chunk, source, fields) && chunks.count(chunk) > 1) {
      const right = chunks.split(chunk, this.middle(chunk))
      const left = chunks.shrink(chunk)
      if (left !== chunk) index.replace(place, left)
      index.setWeight(words, d, place, chunks.count(left))
      index.insertAfter(words, d, place, right, chunks.count(right))
      if (chunks.compare(right, source.id, source.region) < 0) index.previous(place)
      chunk = index.item(place)
    }
    const ref = chunks.insert(chunk, chunks.seek(chunk, source.id, source.region), source, fields)
    if (ref !== chunk) index.replace(place, ref)
    index.setWeight(words, d, place, chunks.count(ref))
  }

  /** Goes to the first entry at or after a position; false when there is none. */
  find(words: Uint32Array, d: number, id: StreamId, region: number, cursor: StreamCursor): boolean {
    const { chunks, index } = this
    cursor.offsetsOf = 0
    if (!this.findChunk(words, d, id, region, cursor.index)) return this.first(words, d, cursor)
    const chunk = index.item(cursor.index)
    const offset = chunks.seek(chunk, id, region)
    if (offset < chunks.end(chunk)) return this.at(cursor, chunk, offset)
    return this.enter(cursor, index.next(cursor.index))
  }

  /** Goes to the last entry at or before a position; false when there is none. */
  findLast(words: Uint32Array, d: number, id: StreamId, region: number, cursor: StreamCursor): boolean {
    if (!this.find(words, d, id, region, cursor)) return this.last(words, d, cursor)
    return comparePosition(id, region, cursor.entry) === 0 ? true : this.previous(cursor)
  }

  first(words: Uint32Array, d: number, cursor: StreamCursor): boolean {
    cursor.offsetsOf = 0
    return this.enter(cursor, this.index.first(words, d, cursor.index))
  }

  last(words: Uint32Array, d: number, cursor: StreamCursor): boolean {
    cursor.offsetsOf = 0
    const chunk = this.index.last(words, d, cursor.index)
    if (chunk === 0) return this.nowhere(cursor)
    return this.at(cursor, chunk, this.chunks.last(chunk))
  }

  next(cursor: StreamCursor): boolean {
    const { entry } = cursor
    if (entry.next < this.chunks.end(entry.chunk)) return this.at(cursor, entry.chunk, entry.next)
    return this.enter(cursor, this.index.next(cursor.index))
  }

  previous(cursor: StreamCursor): boolean {
    const { chunks } = this
    const { entry } = cursor
    if (entry.at === chunks.first(entry.chunk)) {
      const chunk = this.index.previous(cursor.index)
      return chunk === 0 ? this.nowhere(cursor) : this.at(cursor, chunk, chunks.last(chunk))
    }
    if (cursor.offsetsOf !== entry.chunk || cursor.offsets[cursor.slot] !== entry.at) this.loadOffsets(cursor)
    return this.at(cursor, entry.chunk, cursor.offsets[--cursor.slot])
  }

  /** Removes the entry at the cursor, which then is at the one that followed it. False when none did. */
  remove(words: Uint32Array, d: number, cursor: StreamCursor): boolean {
    const { chunks, index } = this
    const { entry } = cursor
    const { chunk } = entry
    const wasFirst = entry.at === chunks.first(chunk)
    const following = wasFirst ? entry.next : entry.at
    chunks.remove(entry)
    cursor.offsetsOf = 0
    const left = chunks.count(chunk)
    if (left === 0) return this.dropChunk(words, d, cursor)
    index.setWeight(words, d, cursor.index, left)
    if (following < chunks.end(chunk)) return this.at(cursor, chunk, following)
    return this.enter(cursor, index.next(cursor.index))
  }

  /** Removes the whole chunk that the cursor is in, and goes to the entry that followed it. */
  dropChunk(words: Uint32Array, d: number, cursor: StreamCursor): boolean {
    const { index } = this
    cursor.offsetsOf = 0
    this.arena.free(index.item(cursor.index))
    index.remove(words, d, cursor.index)
    return this.enter(cursor, index.item(cursor.index))
  }

  /** Goes to the entry that so many come before. */
  seekRank(words: Uint32Array, d: number, rank: number, cursor: StreamCursor): void {
    cursor.offsetsOf = 0
    let rest = this.index.seekRank(words, d, rank, cursor.index)
    const chunk = this.index.item(cursor.index)
    let at = this.chunks.first(chunk)
    for (; rest > 0; rest--) at = this.chunks.skip(chunk, at)
    this.at(cursor, chunk, at)
  }

  /** How many entries come before the one at the cursor. */
  rank(words: Uint32Array, d: number, cursor: StreamCursor): number {
    let rank = this.index.rank(words, d, cursor.index)
    const { chunks } = this
    const { entry } = cursor
    for (let at = chunks.first(entry.chunk); at < entry.at; at = chunks.skip(entry.chunk, at)) rank++
    return rank
  }

  /** Frees up to about `budget` entries, from the end. True when none is left. */
  free(words: Uint32Array, d: number, budget: number): boolean {
    const { arena, index, place, chunks } = this
    for (let left = budget; left > 0;) {
      const last = index.last(words, d, place)
      if (last === 0) return true
      const { leaf } = place
      for (let ref = last; ref !== 0 && place.leaf === leaf; ref = index.previous(place)) {
        left -= Math.max(1, chunks.count(ref) >>> FREE_SHIFT)
        arena.free(ref)
      }
      index.dropLastLeaf(words, d)
    }
    return index.count(words, d) === 0
  }

  /** Bytes of chunks and index. Of large streams `samples` chunks are looked at, 0: all. */
  bytes(words: Uint32Array, d: number, samples: number): number {
    const { arena, index, place } = this
    const count = index.count(words, d)
    const looks = samples === 0 ? count : Math.min(samples, count)
    let sum = 0
    let looked = 0
    for (let ref = index.first(words, d, place); ref !== 0 && looked < looks; ref = index.next(place)) {
      sum += arena.sizeOf(ref)
      looked++
    }
    return index.nodeBytes(words, d) + (looked === 0 ? 0 : Math.round((sum / looked) * count))
  }

  private at(cursor: StreamCursor, chunk: Ref, offset: number): boolean {
    this.chunks.read(chunk, offset, cursor.entry)
    cursor.valid = true
    return true
  }

  private enter(cursor: StreamCursor, chunk: Ref): boolean {
    return chunk === 0 ? this.nowhere(cursor) : this.at(cursor, chunk, this.chunks.first(chunk))
  }

  private nowhere(cursor: StreamCursor): boolean {
    cursor.valid = false
    return false
  }

  /** Goes to the last chunk whose own position is not after this one; false when there is none. */
  private findChunk(words: Uint32Array, d: number, id: StreamId, region: number, place: IndexCursor): boolean {
    const { index, ordering } = this
    const last = index.last(words, d, place)
    if (last === 0) return false
    if (this.chunks.compare(last, id, region) >= 0) return true
    ordering.id = id
    ordering.region = region
    if (index.find(words, d, ordering, place)) return true
    return index.previous(place) !== 0
  }

  private middle(chunk: Ref): number {
    const { chunks } = this
    let at = chunks.first(chunk)
    for (let i = chunks.count(chunk) >>> 1; i > 0; i--) at = chunks.skip(chunk, at)
    return at
  }

  private loadOffsets(cursor: StreamCursor): void {
    const { chunks } = this
    const { chunk, at: here } = cursor.entry
    let slot = 0
    for (let at = chunks.first(chunk); ; at = chunks.skip(chunk, at)) {
      cursor.offsets[slot] = at
      if (at === here) break
      slot++
    }
    assert(slot < OFFSETS, 'a chunk of too many entries')
    cursor.offsetsOf = chunk
    cursor.slot = slot
  }
}

/** An entry of a chunk that goes as a whole costs about a sixteenth of one that goes alone. */
const FREE_SHIFT = 4

/** How a position stands to an entry's. */
export function comparePosition(id: StreamId, region: number, entry: EntryView): number {
  const order = id.compare(entry.id)
  return order !== 0 ? order : region - entry.region
}

class PositionOrdering implements Ordering {
  id!: StreamId
  region = 0

  constructor(private readonly chunks: StreamChunks) {}

  compare(item: Ref): number {
    return this.chunks.compare(item, this.id, this.region)
  }
}
