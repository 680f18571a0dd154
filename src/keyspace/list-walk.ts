import { CHUNK_SHIFT } from '../memory/arena.js'
import {
  apartLength,
  apartOffset,
  apartRef,
  entryBefore,
  entryBytes,
  holeCount,
  isApart,
  isHole,
  MAX_ONE_BYTE_BACK,
  MAX_SHORT_BYTES,
  valueLength,
  valueOffset,
} from './list-entry.js'
import type { ListSequence } from './list-sequence.js'

/** Takes elements one by one, such as a reply. */
export interface ElementSink {
  bulk(from: Uint8Array, off: number, len: number): void
}

/**
 * Goes through the elements of a list in either direction. The element at hand is buf[off .. off+len); it stands at the sequence's chunk, at an offset and
 * slot. Good until the list changes. One reused object a store.
 */
export class ListWalk {
  buf: Uint8Array = new Uint8Array(0)
  off = 0
  len = 0
  /** Offset of the entry at hand in the bytes of the arena's chunk, and its index less the list chunk's first one. */
  at = 0
  slot = 0
  /** The entries of the list chunk at hand. */
  private bytes: Uint8Array = new Uint8Array(0)
  private begin = 0
  private end = 0

  constructor(readonly sequence: ListSequence) {}

  /** Goes to an element by its rank, which must be below the length. */
  seek(rank: number): void {
    const { sequence } = this
    const n = sequence.seekRank(rank)
    sequence.chunks.seekElement(sequence.chunk, n)
    this.enter()
    this.at = sequence.chunks.at
    this.slot = sequence.chunks.slot
    this.read()
  }

  /** Goes to the next element; false behind the last. */
  next(): boolean {
    const { bytes } = this
    let at = this.at + entryBytes(bytes, this.at)
    let slot = this.slot + 1
    if (at === this.end) {
      if (this.sequence.next() === 0) return false
      this.enter()
      at = this.begin
      slot = 0
    } else if (isHole(bytes, at)) {
      slot += holeCount(bytes, at)
      at += entryBytes(bytes, at)
    }
    this.at = at
    this.slot = slot
    this.read()
    return true
  }

  /**
   * Gives elements from the one at hand on to a sink, to the end of their chunk or until so many are given, and goes to the next one. Gives how
   * many are still wanted. This is where LRANGE spends its time.
   */
  giveChunk(wanted: number, sink: ElementSink): number {
    const { bytes, end } = this
    let left = wanted
    let { at } = this
    for (;;) {
      const head = bytes[at]
      if (head <= MAX_SHORT_BYTES) {
        let p = at + 1
        while (bytes[p++] >= 0x80);
        sink.bulk(bytes, p, head)
        p += head
        at = p + (p - at <= MAX_ONE_BYTE_BACK ? 1 : 2)
        left--
      } else {
        if (!isHole(bytes, at)) {
          this.at = at
          this.read()
          sink.bulk(this.buf, this.off, this.len)
          left--
        }
        at += entryBytes(bytes, at)
      }
      if (left === 0 || at === end) break
    }
    if (left > 0) {
      this.sequence.next()
      this.enter()
      this.at = this.begin
      this.slot = 0
    }
    return left
  }

  /** Goes to the element before; false at the first. */
  previous(): boolean {
    const { bytes } = this
    if (this.at === this.begin) {
      const { sequence } = this
      if (sequence.previous() === 0) return false
      this.enter()
      this.at = entryBefore(this.bytes, this.end)
      this.slot = sequence.chunks.lastIndex(sequence.chunk) - sequence.chunks.firstIndex(sequence.chunk)
    } else {
      this.at = entryBefore(bytes, this.at)
      this.slot--
      if (isHole(bytes, this.at)) {
        this.slot -= holeCount(bytes, this.at)
        this.at = entryBefore(bytes, this.at)
      }
    }
    this.read()
    return true
  }

  /** Index of the element at hand in its run. */
  get index(): number {
    return this.sequence.chunks.firstIndex(this.sequence.chunk) + this.slot
  }

  private enter(): void {
    const { chunk, chunks } = this.sequence
    this.bytes = chunks.arena.u8[chunk >>> CHUNK_SHIFT]
    this.begin = chunks.begin(chunk)
    this.end = chunks.end(chunk)
  }

  private read(): void {
    const { bytes, at } = this
    if (isApart(bytes, at)) {
      const { arena } = this.sequence.chunks
      const ref = apartRef(bytes, at)
      this.buf = arena.u8[ref >>> CHUNK_SHIFT]
      this.off = apartOffset(ref)
      this.len = apartLength(arena, ref)
    } else {
      this.buf = bytes
      this.off = valueOffset(bytes, at)
      this.len = valueLength(bytes, at)
    }
  }
}
