import type { ListPosition } from '../crdt/list-position.js'
import { CHUNK_SHIFT, UNIT_MASK, type Arena, type Ref } from '../memory/arena.js'
import { IndexCursor, INDEX_WORDS, OrderIndex, type Ordering } from '../memory/order-index.js'
import { wordOf } from '../memory/record.js'
import { ListChunks } from './list-chunk.js'

/**
 * The chunks of one list in their order. A list of one chunk is that chunk. With more, the first and the last stand in the root itself and only those
 * between them in an index, so that what happens at either end touches no index but when a chunk begins or ends.
 *
 * ```
 * root      the only chunk, or:
 * word  0   SEVERAL
 *       1   first chunk
 *       2   last chunk
 *       3   descriptor of the index of the others, by position, weighted with their elements
 *       9   1 when elements may have hidden values
 * ```
 */
const SEVERAL = 1
const FIRST_WORD = 1
const LAST_WORD = 2
const INDEX_WORD = 3
const UNSETTLED_WORD = INDEX_WORD + INDEX_WORDS
const ROOT_BYTES = (UNSETTLED_WORD + 1) * 4

/** Where the chunk at hand stands. */
const Place = { none: 0, only: 1, first: 2, middle: 3, last: 4 } as const
type Place = (typeof Place)[keyof typeof Place]

/** A walk over one list and the changes to it. Reused; opened anew for each command or effect. */
export class ListSequence implements Ordering {
  readonly chunks = new ListChunks()
  root: Ref = 0
  /** The chunk at hand, 0 for none. */
  chunk: Ref = 0
  private place: Place = Place.none
  private readonly cursor = new IndexCursor()
  private index!: OrderIndex
  private arena: Arena | null = null
  private sought!: ListPosition

  open(arena: Arena, root: Ref): this {
    if (this.arena !== arena) {
      this.arena = arena
      this.chunks.arena = arena
      this.index = new OrderIndex(arena, true)
    }
    this.root = root
    this.chunk = 0
    this.place = Place.none
    return this
  }

  get isOneChunk(): boolean {
    return (this.words(this.root)[wordOf(this.root)] & SEVERAL) === 0
  }

  /** Elements. */
  get length(): number {
    const { root, chunks } = this
    if (root === 0) return 0
    if (this.isOneChunk) return chunks.count(root)
    const words = this.words(root)
    const w = wordOf(root)
    return chunks.count(words[w + FIRST_WORD]) + this.index.weight(words, w + INDEX_WORD) + chunks.count(words[w + LAST_WORD])
  }

  /** Goes to the first chunk and gives it; 0 when the list is empty. */
  first(): Ref {
    const { root } = this
    if (root === 0) return this.goTo(Place.none, 0)
    return this.isOneChunk ? this.goTo(Place.only, root) : this.goTo(Place.first, this.rootWord(FIRST_WORD))
  }

  last(): Ref {
    const { root } = this
    if (root === 0) return this.goTo(Place.none, 0)
    return this.isOneChunk ? this.goTo(Place.only, root) : this.goTo(Place.last, this.rootWord(LAST_WORD))
  }

  /** Goes to the next chunk and gives it; 0 behind the last. */
  next(): Ref {
    if (this.place === Place.first || this.place === Place.middle) {
      const words = this.words(this.root)
      const d = wordOf(this.root) + INDEX_WORD
      const item = this.place === Place.first ? this.index.first(words, d, this.cursor) : this.index.next(this.cursor)
      return item === 0 ? this.last() : this.goTo(Place.middle, item)
    }
    return this.goTo(Place.none, 0)
  }

  previous(): Ref {
    if (this.place === Place.last || this.place === Place.middle) {
      const words = this.words(this.root)
      const d = wordOf(this.root) + INDEX_WORD
      const item = this.place === Place.last ? this.index.last(words, d, this.cursor) : this.index.previous(this.cursor)
      return item === 0 ? this.first() : this.goTo(Place.middle, item)
    }
    return this.goTo(Place.none, 0)
  }

  /** Goes to the chunk that holds an element of the list, below its length; gives which one of the chunk's elements it is. */
  seekRank(rank: number): number {
    const { chunks } = this
    const first = this.first()
    const count = chunks.count(first)
    if (rank < count) return rank
    const words = this.words(this.root)
    const d = wordOf(this.root) + INDEX_WORD
    const rest = rank - count
    const weight = this.index.weight(words, d)
    if (rest >= weight) {
      this.last()
      return rest - weight
    }
    const within = this.index.seekRank(words, d, rest, this.cursor)
    this.goTo(Place.middle, this.index.item(this.cursor))
    return within
  }

  /**
   * Goes to the last chunk whose first element is not behind a position. False when the position is before all of them, or the list is empty: then it
   * is at the first chunk, if there is one.
   */
  seekPosition(position: ListPosition): boolean {
    const { chunks } = this
    const last = this.last()
    if (last === 0) return false
    if (chunks.compare(position, last) >= 0) return true
    if (this.place === Place.only) return false
    const words = this.words(this.root)
    const d = wordOf(this.root) + INDEX_WORD
    this.sought = position
    const equal = this.index.find(words, d, this, this.cursor)
    const item = equal ? this.index.item(this.cursor) : this.index.previous(this.cursor)
    if (item !== 0) {
      this.goTo(Place.middle, item)
      return true
    }
    return chunks.compare(position, this.first()) >= 0
  }

  /** For the index: order of the sought position and a chunk. */
  compare(item: Ref): number {
    return this.chunks.compare(this.sought, item)
  }

  /** The chunk at hand has changed: it is in this block now, perhaps with more or fewer elements. */
  changed(chunk: Ref): void {
    const before = this.chunk
    this.chunk = chunk
    switch (this.place) {
      case Place.only:
        this.root = chunk
        break
      case Place.first:
        this.setRootWord(FIRST_WORD, chunk)
        break
      case Place.last:
        this.setRootWord(LAST_WORD, chunk)
        break
      case Place.middle:
        if (chunk !== before) this.index.replace(this.cursor, chunk)
        this.index.setWeight(this.words(this.root), this.descriptor, this.cursor, this.chunks.count(chunk))
        break
      case Place.none:
        break
    }
  }

  /** Puts a chunk behind the one at hand, and goes there; as the only one into an empty list. */
  insertAfter(chunk: Ref): void {
    switch (this.place) {
      case Place.none:
        this.root = chunk
        this.goTo(Place.only, chunk)
        return
      case Place.only:
        this.makeSeveral(this.chunk, chunk)
        this.goTo(Place.last, chunk)
        return
      case Place.first:
        this.index.first(this.words(this.root), this.descriptor, this.cursor)
        this.addBefore(chunk)
        this.goTo(Place.middle, chunk)
        return
      case Place.middle:
        this.index.insertAfter(this.words(this.root), this.descriptor, this.cursor, chunk, this.chunks.count(chunk))
        this.chunk = chunk
        return
      case Place.last:
        this.index.end(this.words(this.root), this.descriptor, this.cursor)
        this.addBefore(this.chunk)
        this.setRootWord(LAST_WORD, chunk)
        this.chunk = chunk
        return
    }
  }

  /** Puts a chunk before the one at hand, and goes there. */
  insertBefore(chunk: Ref): void {
    switch (this.place) {
      case Place.none:
        this.root = chunk
        this.goTo(Place.only, chunk)
        return
      case Place.only:
        this.makeSeveral(chunk, this.chunk)
        this.goTo(Place.first, chunk)
        return
      case Place.first:
        this.index.first(this.words(this.root), this.descriptor, this.cursor)
        this.addBefore(this.chunk)
        this.setRootWord(FIRST_WORD, chunk)
        this.chunk = chunk
        return
      case Place.middle:
        this.addBefore(chunk)
        this.chunk = chunk
        return
      case Place.last:
        this.index.end(this.words(this.root), this.descriptor, this.cursor)
        this.addBefore(chunk)
        this.goTo(Place.middle, chunk)
        return
    }
  }

  /** Takes the chunk at hand, which is freed or about to be, out of the list, and goes to the one that followed it; gives that. */
  drop(): Ref {
    switch (this.place) {
      case Place.none:
        return 0
      case Place.only:
        this.root = 0
        return this.goTo(Place.none, 0)
      case Place.middle: {
        this.index.remove(this.words(this.root), this.descriptor, this.cursor)
        const item = this.index.item(this.cursor)
        return item === 0 ? this.last() : this.goTo(Place.middle, item)
      }
      case Place.first: {
        const item = this.index.first(this.words(this.root), this.descriptor, this.cursor)
        if (item === 0) return this.makeOne(this.rootWord(LAST_WORD))
        this.index.remove(this.words(this.root), this.descriptor, this.cursor)
        this.setRootWord(FIRST_WORD, item)
        this.chunk = item
        return item
      }
      case Place.last: {
        const item = this.index.last(this.words(this.root), this.descriptor, this.cursor)
        if (item === 0) {
          this.makeOne(this.rootWord(FIRST_WORD))
        } else {
          this.index.remove(this.words(this.root), this.descriptor, this.cursor)
          this.setRootWord(LAST_WORD, item)
        }
        return this.goTo(Place.none, 0)
      }
    }
  }

  /** Divides the chunk at hand before an entry that is not its first, and stays at the earlier part. */
  split(at: number, slot: number, scratch: ListPosition): void {
    const left = this.chunk
    const right = this.chunks.split(left, at, slot, scratch)
    this.changed(left)
    this.insertAfter(right)
    this.previous()
  }

  /** Bytes of the root and the index, without the chunks. */
  get fixedBytes(): number {
    if (this.root === 0 || this.isOneChunk) return 0
    return this.chunks.arena.sizeOf(this.root) + this.index.nodeBytes(this.words(this.root), this.descriptor)
  }

  /** How many chunks there are. */
  get chunkCount(): number {
    if (this.root === 0) return 0
    return this.isOneChunk ? 1 : 2 + this.index.count(this.words(this.root), this.descriptor)
  }

  /** Elements may have hidden values, which may go once more is stable. In a list of one chunk the chunk says so. */
  get mayHaveHidden(): boolean {
    return this.isOneChunk ? this.chunks.hasHidden(this.root) : this.rootWord(UNSETTLED_WORD) !== 0
  }

  set mayHaveHidden(value: boolean) {
    if (!this.isOneChunk) this.setRootWord(UNSETTLED_WORD, value ? 1 : 0)
  }

  /** Frees chunks from the end until about so many elements are gone. Gives what is left of the root. */
  free(budget: number): Ref {
    const { chunks } = this
    let left = budget
    while (left > 0) {
      const chunk = this.last()
      if (chunk === 0) return 0
      left -= chunks.count(chunk)
      chunks.free(chunk)
      this.drop()
    }
    return this.root
  }

  private get descriptor(): number {
    return wordOf(this.root) + INDEX_WORD
  }

  private addBefore(chunk: Ref): void {
    this.index.insertBefore(this.words(this.root), this.descriptor, this.cursor, chunk, this.chunks.count(chunk))
  }

  private makeSeveral(first: Ref, last: Ref): void {
    const root = this.chunks.arena.alloc(ROOT_BYTES)
    const words = this.words(root)
    const w = wordOf(root)
    words.fill(0, w, w + (ROOT_BYTES >>> 2))
    words[w] = SEVERAL
    words[w + FIRST_WORD] = first
    words[w + LAST_WORD] = last
    words[w + UNSETTLED_WORD] = this.chunks.hasHidden(first) || this.chunks.hasHidden(last) ? 1 : 0
    this.root = root
  }

  private makeOne(chunk: Ref): Ref {
    this.chunks.arena.free(this.root)
    this.root = chunk
    return this.goTo(Place.only, chunk)
  }

  private goTo(place: Place, chunk: Ref): Ref {
    this.place = place
    this.chunk = chunk
    return chunk
  }

  private words(ref: Ref): Uint32Array {
    return this.chunks.arena.u32[ref >>> CHUNK_SHIFT]
  }

  private rootWord(word: number): number {
    return this.chunks.arena.u32[this.root >>> CHUNK_SHIFT][((this.root & UNIT_MASK) << 1) + word]
  }

  private setRootWord(word: number, value: number): void {
    this.chunks.arena.u32[this.root >>> CHUNK_SHIFT][((this.root & UNIT_MASK) << 1) + word] = value
  }
}
