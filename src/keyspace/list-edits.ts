import type { ApplyContext } from '../crdt/apply-context.js'
import type { EffectReader } from '../crdt/effect-reader.js'
import { ListPosition } from '../crdt/list-position.js'
import type { ListRangeReader } from '../crdt/list-ranges.js'
import { compareDots } from '../crdt/string-state.js'
import { CHUNK_SHIFT, type Ref } from '../memory/arena.js'
import { CHUNK_HEAD_BYTES, Found, MAX_CHUNK_BYTES } from './list-chunk.js'
import {
  APART_BYTES,
  apartRef,
  deltaOf,
  entryBytes,
  isApart,
  MAX_INLINE_BYTES,
  readApart,
  valueEntryBytes,
  valueLength,
  valueOffset,
  writeApart,
  type ListRegister,
} from './list-entry.js'
import type { ListSequence } from './list-sequence.js'

/** Ranges of a run that are gathered to be removed together. */
const SPANS = 512

/**
 * What effects do to a list, element by element. An element is a register of values (SEMANTICS: List, Register): nearly always one, more only after
 * LSETs at the same time.
 *
 * - A value is inserted at a position. If there is an element already, nothing is done: whatever stands there was written by somebody who had seen
 *   this insertion, so this is the insertion once more or one that has been overwritten.
 * - A value is set: the observed ones go, it comes. Where there is no element (removed by someone who had not seen this), there is one again.
 * - The observed values of all positions from one to another are removed.
 */
export class ListEdits {
  /** Longer values get a block of their own, so that a chunk holds several elements in any case. At most MAX_INLINE_BYTES. */
  inlineBytes: number = MAX_INLINE_BYTES
  private readonly scratch = new ListPosition()
  /** Ranges of one run that are removed together: the run, and the first and last index of each. */
  private readonly run = new ListPosition()
  private readonly runEnd = new ListPosition()
  private readonly lows = new Int32Array(SPANS)
  private readonly highs = new Int32Array(SPANS)
  /** The value about to be written: a block apart, or 0; then `delta` and the bytes. */
  private apart: Ref = 0
  private member = 0
  private stamp = 0
  private from: Uint8Array = new Uint8Array(0)
  private off = 0
  private length = 0

  constructor(private readonly sequence: ListSequence) {}

  /** Puts a value at a position, unless there is an element. Afterwards the sequence is at its chunk. */
  insert(position: ListPosition, member: number, stamp: number, from: Uint8Array, off: number, length: number): void {
    const { sequence } = this
    const { chunks } = sequence
    if (!sequence.seekPosition(position)) {
      this.prepare(member, stamp, from, off, length)
      this.putBefore(position)
      return
    }
    const found = chunks.seek(sequence.chunk, position)
    if (found === Found.element) return
    const { at, slot } = chunks
    this.prepare(member, stamp, from, off, length)
    if (found === Found.hole) this.putIntoHole(position, at, slot)
    else this.putBetween(position, at, slot)
  }

  /** Puts a value behind the last element, in a run that the last chunk stands at the end of, or in a new chunk. */
  append(
    position: ListPosition,
    continues: boolean,
    stamp: number,
    from: Uint8Array,
    off: number,
    length: number,
    room: number,
  ): void {
    const { sequence } = this
    const { chunks } = sequence
    const member = position.members[0]
    if (continues) {
      const { chunk } = sequence
      const inline = length <= this.inlineBytes
      const apart = inline ? 0 : this.makeApart(member, stamp, from, off, length)
      const to = chunks.append(chunk, position.index, apart, stamp - chunks.base(chunk), from, off, length)
      if (to !== 0) {
        if (to !== chunk) sequence.changed(to)
        return
      }
      this.prepareApart(apart, member, stamp, from, off, length)
      const next = this.create(position, MAX_CHUNK_BYTES, false)
      chunks.passEnd(chunk, next)
      sequence.insertAfter(next)
      return
    }
    this.prepare(member, stamp, from, off, length)
    sequence.insertAfter(this.create(position, CHUNK_HEAD_BYTES + room, false))
  }

  /** The mirror image of append. */
  prepend(
    position: ListPosition,
    continues: boolean,
    stamp: number,
    from: Uint8Array,
    off: number,
    length: number,
    room: number,
  ): void {
    const { sequence } = this
    const { chunks } = sequence
    const member = position.members[0]
    if (continues) {
      const { chunk } = sequence
      const apart = length <= this.inlineBytes ? 0 : this.makeApart(member, stamp, from, off, length)
      const to = chunks.prepend(chunk, position.index, apart, stamp - chunks.base(chunk), from, off, length)
      if (to !== 0) {
        if (to !== chunk) sequence.changed(to)
        return
      }
      this.prepareApart(apart, member, stamp, from, off, length)
      const next = this.create(position, MAX_CHUNK_BYTES, true)
      chunks.passBegin(chunk, next)
      sequence.insertBefore(next)
      return
    }
    this.prepare(member, stamp, from, off, length)
    sequence.insertBefore(this.create(position, CHUNK_HEAD_BYTES + room, true))
  }

  /** Sets the value of a position. */
  set(position: ListPosition, context: ApplyContext, from: Uint8Array, off: number, length: number): void {
    const { sequence } = this
    const { chunks } = sequence
    const { origin, stamp } = context
    if (!sequence.seekPosition(position) || chunks.seek(sequence.chunk, position) !== Found.element) {
      this.insert(position, origin, stamp, from, off, length)
      return
    }
    const { chunk } = sequence
    const { at } = chunks
    const u8 = chunks.arena.u8[chunk >>> CHUNK_SHIFT]
    if (!isApart(u8, at) && context.covers(chunks.member(chunk), chunks.base(chunk) + deltaOf(u8, at))) {
      this.setHere(position, context, from, off, length)
      return
    }
    const kept = this.registers(chunk, at).filter((register) => !context.covers(register.member, register.stamp))
    // Applied again: it is among those that its own context does not cover.
    if (!kept.some((register) => register.member === origin && register.stamp === stamp)) {
      kept.push({ member: origin, stamp, value: from.slice(off, off + length) })
    }
    this.writeRegisters(position, kept)
  }

  /** Sets the value of the element that the sequence and its chunks stand at, in a local effect. */
  setHere(position: ListPosition, context: ApplyContext, from: Uint8Array, off: number, length: number): void {
    this.prepare(context.origin, context.stamp, from, off, length)
    this.replace(position)
  }

  /** Removes the observed values of all ranges of an effect. */
  removeRanges(ranges: ListRangeReader, effect: EffectReader, context: ApplyContext): void {
    const { run, lows, highs } = this
    const { first, last } = ranges
    ranges.begin()
    let more = ranges.next(effect)
    while (more) {
      if (!first.sharesRun(last)) {
        this.removeRange(first, last, context)
        more = ranges.next(effect)
        continue
      }
      run.copyFrom(first)
      let count = 0
      do {
        lows[count] = first.index
        highs[count] = last.index
        count++
        more = ranges.next(effect)
      } while (more && count < SPANS && run.sharesRun(first) && run.sharesRun(last) && first.index > highs[count - 1])
      this.removeSpans(count, context)
    }
  }

  /** Removes the observed values of so many ranges of a run, those that lie in one chunk at one go: LREM leaves every other element. */
  private removeSpans(count: number, context: ApplyContext): void {
    const { run, runEnd, lows, highs } = this
    for (let i = 0; i < count;) {
      run.index = lows[i]
      const done = this.removeSpansOfChunk(i, count, context)
      if (done > i) {
        i = done
        continue
      }
      runEnd.copyFrom(run).index = highs[i]
      this.removeRange(run, runEnd, context)
      i++
    }
  }

  /** Removes the ranges from i on that lie in the chunk in which that one begins; gives the first that is left, i when that is not worth it. */
  private removeSpansOfChunk(i: number, count: number, context: ApplyContext): number {
    const { sequence, run, lows, highs } = this
    const { chunks } = sequence
    if (!sequence.seekPosition(run)) return i
    const { chunk } = sequence
    if (chunks.levelOf(run, chunk) !== run.depth - 1) return i
    const end = chunks.lastIndex(chunk)
    let behind = i
    while (behind < count && highs[behind] <= end) behind++
    if (behind - i < 2) return i
    let at = i
    const left = chunks.remove(chunk, context, (_u8, _at, index) => {
      while (at < behind && highs[at] < index) at++
      return at < behind && index >= lows[at]
    })
    if (left === 0) sequence.drop()
    else sequence.changed(left)
    return behind
  }

  /** Removes the observed values from one position to another (inclusive). */
  removeRange(first: ListPosition, last: ListPosition, context: ApplyContext): void {
    const { sequence } = this
    const { chunks } = sequence
    sequence.seekPosition(first)
    while (sequence.chunk !== 0) {
      const { chunk } = sequence
      const begin = chunks.firstIndex(chunk)
      const end = chunks.lastIndex(chunk)
      if (chunks.compare(last, chunk) < 0) return
      const lastLevel = chunks.levelOf(last, chunk)
      const high = lastLevel < 0 ? end : Math.min(end, last.indexes[lastLevel])
      const firstLevel = chunks.levelOf(first, chunk)
      let low = begin
      if (firstLevel >= 0) low = Math.max(begin, first.indexes[firstLevel] + (first.depth > firstLevel + 1 ? 1 : 0))
      else if (chunks.compare(first, chunk) > 0) low = end + 1
      if (low > high) {
        sequence.next()
        continue
      }
      if (low === begin && high === end && chunks.isCovered(chunk, context)) {
        chunks.free(chunk)
        sequence.drop()
        continue
      }
      // A pop of one element, by far the most usual removal.
      if (low === high && begin !== end && (low === begin || high === end) && chunks.isCovered(chunk, context)) {
        sequence.changed(low === begin ? chunks.dropFirst(chunk, 1) : chunks.dropLast(chunk, 1))
      } else {
        const left = chunks.remove(chunk, context, (_u8, _at, index) => index >= low && index <= high)
        if (left === 0) {
          sequence.drop()
          continue
        }
        sequence.changed(left)
      }
      if (high < end) return
      sequence.next()
    }
  }

  /** Drops hidden values that are stable, in all chunks. True when some are left. */
  settle(stable: (member: number, stamp: number) => boolean): boolean {
    const { sequence } = this
    const { chunks } = sequence
    if (!sequence.mayHaveHidden) return false
    let hidden = false
    for (let chunk = sequence.first(); chunk !== 0; chunk = sequence.next()) {
      if (chunks.hasHidden(chunk) && chunks.settle(chunk, stable)) hidden = true
    }
    sequence.mayHaveHidden = hidden
    return hidden
  }

  /** The values of the element at an offset, by falling dot. */
  registers(chunk: Ref, at: number): ListRegister[] {
    const { chunks } = this.sequence
    const u8 = chunks.arena.u8[chunk >>> CHUNK_SHIFT]
    if (isApart(u8, at)) return readApart(chunks.arena, apartRef(u8, at))
    const off = valueOffset(u8, at)
    const value = u8.slice(off, off + valueLength(u8, at))
    return [{ member: chunks.member(chunk), stamp: chunks.base(chunk) + deltaOf(u8, at), value }]
  }

  private writeRegisters(position: ListPosition, registers: ListRegister[]): void {
    if (registers.length === 1) {
      const { member, stamp, value } = registers[0]
      this.prepare(member, stamp, value, 0, value.length)
      this.replace(position)
      return
    }
    registers.sort((a, b) => compareDots(b, a))
    this.apart = writeApart(this.sequence.chunks.arena, registers)
    this.replace(position)
    this.sequence.chunks.noteHidden(this.sequence.chunk)
    this.sequence.mayHaveHidden = true
  }

  /** Writes the prepared value in the place of the element that was just sought. */
  private replace(position: ListPosition): void {
    const { sequence } = this
    const { chunks } = sequence
    for (;;) {
      const { chunk } = sequence
      const { at, slot } = chunks
      const u8 = chunks.arena.u8[chunk >>> CHUNK_SHIFT]
      const old = isApart(u8, at) ? apartRef(u8, at) : 0
      this.demand(chunk)
      const to = chunks.replace(chunk, at, this.apart, this.deltaIn(chunk), this.from, this.off, this.length)
      if (to !== 0) {
        if (old !== 0) chunks.arena.free(old)
        sequence.changed(to)
        return
      }
      // The chunk is full: the element becomes the last of one half, and if that is not enough the only one of its chunk.
      const behind = at + entryBytes(u8, at)
      if (behind < chunks.end(chunk)) {
        sequence.split(behind, slot + 1, this.scratch)
      } else {
        sequence.split(at, slot, this.scratch)
        sequence.next()
      }
      chunks.seek(sequence.chunk, position)
    }
  }

  private putBefore(position: ListPosition): void {
    const { sequence } = this
    const { chunk, chunks } = sequence
    const sameRun = chunk !== 0 && chunks.levelOf(position, chunk) === position.depth - 1
    if (sameRun) {
      this.demand(chunk)
      const to = chunks.prepend(chunk, position.index, this.apart, this.deltaIn(chunk), this.from, this.off, this.length)
      if (to !== 0) {
        sequence.changed(to)
        return
      }
    }
    const next = this.create(position, sameRun ? MAX_CHUNK_BYTES : this.smallBytes(), true)
    if (sameRun) chunks.passBegin(chunk, next)
    sequence.insertBefore(next)
  }

  private putIntoHole(position: ListPosition, at: number, slot: number): void {
    const { sequence } = this
    const { chunk, chunks } = sequence
    this.demand(chunk)
    const { from, off, length } = this
    const to = chunks.fill(chunk, at, slot, position.index, this.apart, this.deltaIn(chunk), from, off, length)
    if (to !== 0) sequence.changed(to)
    else this.putBetween(position, at, slot)
  }

  /** Puts the value behind the entries of the chunk at hand that end at an offset and slot. */
  private putBetween(position: ListPosition, at: number, slot: number): void {
    const { sequence } = this
    const { chunks } = sequence
    const { from, off, length } = this
    if (at !== chunks.end(sequence.chunk)) sequence.split(at, slot, this.scratch)
    const left = sequence.chunk
    const goesOn = chunks.levelOf(position, left) === position.depth - 1
    if (goesOn) {
      this.demand(left)
      const to = chunks.append(left, position.index, this.apart, this.deltaIn(left), from, off, length)
      if (to !== 0) {
        sequence.changed(to)
        return
      }
    }
    const right = sequence.next()
    const comesBefore = right !== 0 && chunks.levelOf(position, right) === position.depth - 1
    if (comesBefore) {
      this.demand(right)
      const to = chunks.prepend(right, position.index, this.apart, this.deltaIn(right), from, off, length)
      if (to !== 0) {
        sequence.changed(to)
        return
      }
    }
    if (right === 0) sequence.last()
    else sequence.previous()
    const next = this.create(position, goesOn || comesBefore ? MAX_CHUNK_BYTES : this.smallBytes(), comesBefore && !goesOn)
    if (goesOn) chunks.passEnd(left, next)
    if (comesBefore) chunks.passBegin(right, next)
    sequence.insertAfter(next)
  }

  private smallBytes(): number {
    return CHUNK_HEAD_BYTES + (this.apart === 0 ? valueEntryBytes(0, this.length) : APART_BYTES)
  }

  private prepare(member: number, stamp: number, from: Uint8Array, off: number, length: number): void {
    this.prepareApart(
      length > this.inlineBytes ? this.makeApart(member, stamp, from, off, length) : 0,
      member,
      stamp,
      from,
      off,
      length,
    )
  }

  private prepareApart(apart: Ref, member: number, stamp: number, from: Uint8Array, off: number, length: number): void {
    this.apart = apart
    this.member = member
    this.stamp = stamp
    this.from = from
    this.off = off
    this.length = length
  }

  /** A value whose dot cannot stand in a chunk gets a block apart. */
  private demand(chunk: Ref): void {
    if (this.apart === 0 && this.deltaIn(chunk) < 0) {
      this.apart = this.makeApart(this.member, this.stamp, this.from, this.off, this.length)
    }
  }

  private deltaIn(chunk: Ref): number {
    return this.sequence.chunks.delta(chunk, this.member, this.stamp)
  }

  private makeApart(member: number, stamp: number, from: Uint8Array, off: number, length: number): Ref {
    return writeApart(this.sequence.chunks.arena, [{ member, stamp, value: from.subarray(off, off + length) }])
  }

  /** A chunk that holds the prepared value alone. */
  private create(position: ListPosition, bytes: number, atEnd: boolean): Ref {
    const { chunks } = this.sequence
    const { from, off, length } = this
    const chunk = chunks.create(position, this.stamp, Math.min(bytes, MAX_CHUNK_BYTES), 0, atEnd)
    this.demand(chunk)
    const { apart } = this
    const delta = apart === 0 ? 0 : -1
    return atEnd
      ? chunks.prepend(chunk, position.index, apart, delta, from, off, length)
      : chunks.append(chunk, position.index, apart, delta, from, off, length)
  }
}
