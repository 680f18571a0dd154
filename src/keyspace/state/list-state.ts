import { assert } from '../../base/assert.js'
import { LIMITS } from '../../base/limits.js'
import { ListPosition, MAX_LIST_INDEX, MIN_LIST_INDEX } from '../../crdt/list-position.js'
import { compareDots } from '../../crdt/string-state.js'
import { CHUNK_SHIFT, type Ref } from '../../memory/arena.js'
import { packDotHigh, packDotLow } from '../../memory/record.js'
import type { CollectionStore } from '../collection-store.js'
import type { Database } from '../database.js'
import type { Keyspace } from '../keyspace.js'
import { CHUNK_HEAD_BYTES, Found, MAX_CHUNK_BYTES } from '../list-chunk.js'
import {
  APART_BYTES,
  apartRef,
  deltaOf,
  entryBytes,
  holeCount,
  isApart,
  isHole,
  readApart,
  valueEntryBytes,
  valueLength,
  valueOffset,
  writeApart,
  type ListRegister,
} from '../list-entry.js'
import { ListSequence } from '../list-sequence.js'
import type { CollectionState, StateCursor } from './collection-state.js'
import { SAME_DOT } from './key-state-format.js'
import { varintBytes, type StateBytes } from './state-bytes.js'
import type { StateReader } from './state-reader.js'
import { writeDot } from './string-codec.js'

/** Forms of an element; its dot (SAME_DOT) is that of its run. */
const DEEP = 2
const SEVERAL = 4
const ALL_FORMS = DEEP | SEVERAL | SAME_DOT
const DOT_BYTES = 8
const LEVEL_BYTES = 10

/** What the store decides. */
export interface ListLimits {
  readonly store: CollectionStore
  readonly keyspace: Keyspace
  /** Longest value that stands in a chunk. */
  inlineBytes(): number
}

/**
 * Lists: `list` of docs/formats/key-state.md. An element is its position and its values and depends on no other. It is walked by positions, which never
 * change, so a walk goes on where it was however the list has changed.
 */
export class ListState implements CollectionState {
  private readonly sequence = new ListSequence()
  private readonly position = new ListPosition()
  /** Of the element read before. */
  private readonly before = new ListPosition()
  /** The element that was read last: its newest value with its dot; if there are several, all of them. */
  private member = 0
  private stamp = 0
  private off = 0
  private len = 0
  private readonly registers: ListRegister[] = []

  constructor(private readonly limits: ListLimits) {}

  writeHeader(): void {
    // Everything is in the elements.
  }

  writeElements(db: Database, root: Ref, cursor: StateCursor, out: StateBytes, bytes: number): boolean {
    const { sequence, position } = this
    const { chunks } = sequence.open(db.arena, root)
    const end = out.length + bytes
    let at = this.seek(cursor)
    let slot = chunks.slot
    for (let chunk = sequence.chunk; chunk !== 0;) {
      const u8 = db.arena.u8[chunk >>> CHUNK_SHIFT]
      const chunkEnd = chunks.end(chunk)
      const first = chunks.firstIndex(chunk)
      chunks.position(chunk, first, position)
      while (at < chunkEnd) {
        if (isHole(u8, at)) {
          slot += holeCount(u8, at)
        } else {
          position.index = first + slot
          this.writeElement(chunk, at, cursor, out)
          slot++
          if (out.length >= end) {
            cursor.position.copyFrom(position)
            return false
          }
        }
        at += entryBytes(u8, at)
      }
      chunk = sequence.next()
      if (chunk !== 0) at = chunks.begin(chunk)
      slot = 0
    }
    return true
  }

  /** Goes to the first chunk with something behind what was written last; gives the offset, and leaves the slot in the chunks. */
  private seek(cursor: StateCursor): number {
    const { sequence } = this
    const { chunks } = sequence
    if (cursor.isNew || !sequence.seekPosition(cursor.position)) {
      const chunk = sequence.first()
      chunks.slot = 0
      return chunk === 0 ? 0 : chunks.begin(chunk)
    }
    const { chunk } = sequence
    const found = chunks.seek(chunk, cursor.position)
    if (found !== Found.element) return chunks.at
    chunks.slot++
    return chunks.at + entryBytes(chunks.arena.u8[chunk >>> CHUNK_SHIFT], chunks.at)
  }

  private writeElement(chunk: Ref, at: number, cursor: StateCursor, out: StateBytes): void {
    const { position } = this
    const { chunks } = this.sequence
    const { arena } = chunks
    const u8 = arena.u8[chunk >>> CHUNK_SHIFT]
    const last = position.depth - 1
    const runMember = position.members[last]
    const runStamp = position.stamps[last]
    const registers = isApart(u8, at) ? readApart(arena, apartRef(u8, at)) : NO_REGISTERS
    const member = registers.length === 0 ? runMember : registers[0].member
    const stamp = registers.length === 0 ? chunks.base(chunk) + deltaOf(u8, at) : registers[0].stamp
    const several = registers.length > 1 || member !== runMember || stamp < runStamp
    const isSame = cursor.isSameDot(packDotHigh(runMember, runStamp), packDotLow(runStamp))
    const element = out.open()
    out.u8((isSame ? SAME_DOT : 0) | (last > 0 ? DEEP : 0) | (several ? SEVERAL : 0))
    if (!isSame) writeDot(out, runMember, runStamp)
    out.signed(position.anchors[last])
    out.signed(position.indexes[last])
    if (last > 0) {
      out.varint(last)
      for (let i = 0; i < last; i++) {
        writeDot(out, position.members[i], position.stamps[i])
        out.signed(position.anchors[i])
        out.signed(position.indexes[i])
      }
    }
    if (several) {
      const all =
        registers.length > 0
          ? registers
          : [{ member, stamp, value: u8.slice(valueOffset(u8, at), valueOffset(u8, at) + valueLength(u8, at)) }]
      out.varint(all.length)
      for (const register of all) {
        writeDot(out, register.member, register.stamp)
        out.block(register.value, 0, register.value.length)
      }
    } else {
      out.varint(stamp - runStamp)
      if (registers.length > 0) out.raw(registers[0].value, 0, registers[0].value.length)
      else out.raw(u8, valueOffset(u8, at), valueLength(u8, at))
    }
    out.close(element)
  }

  read(db: Database, root: Ref, reader: StateReader): Ref {
    const { sequence, before, position } = this
    reader.block()
    if (reader.len > 0) reader.damaged('a list with a header')
    reader.beginElements()
    const { chunks } = sequence.open(db.arena, root)
    before.clear()
    const last = sequence.last()
    if (last !== 0) chunks.position(last, chunks.lastIndex(last), before)
    while (reader.beginElement()) {
      this.readElement(reader)
      reader.endElement()
      if (before.depth > 0 && before.compare(position) >= 0) reader.damaged('elements of a list out of order')
      before.copyFrom(position)
      this.append(reader)
    }
    return sequence.root
  }

  drop(db: Database, root: Ref): void {
    this.limits.keyspace.reclaimer.add(db.arena, this.limits.store, root)
  }

  private readElement(reader: StateReader): void {
    const { position, registers } = this
    const form = reader.u8()
    if ((form & ~ALL_FORMS) !== 0) reader.damaged('an element of unknown form')
    reader.elementDot(form)
    const { member: runMember, stamp: runStamp } = reader
    const anchor = reader.signed()
    const index = readIndex(reader)
    position.clear()
    if ((form & DEEP) !== 0) {
      const levels = reader.count(LEVEL_BYTES)
      if (levels === 0 || levels >= LIMITS.listPositionLevels) reader.damaged('a list position of an impossible depth')
      for (let i = 0; i < levels; i++) {
        reader.dot()
        const { member, stamp } = reader
        const levelAnchor = reader.signed()
        position.push(levelAnchor, member, stamp, readIndex(reader))
      }
    }
    position.push(anchor, runMember, runStamp, index)
    registers.length = 0
    if ((form & SEVERAL) === 0) {
      this.member = runMember
      this.stamp = runStamp + reader.varint()
      if (!Number.isSafeInteger(this.stamp)) reader.damaged('a stamp that is none')
      reader.raw(reader.left)
      this.off = reader.off
      this.len = reader.len
      return
    }
    for (let left = reader.count(DOT_BYTES + 1); left > 0; left--) {
      reader.dot()
      const { member, stamp } = reader
      reader.block()
      if (registers.length === 0) {
        this.member = member
        this.stamp = stamp
        this.off = reader.off
        this.len = reader.len
      }
      registers.push({ member, stamp, value: reader.copy() })
    }
    if (registers.length === 0) reader.damaged('an element without a value')
    for (let i = 1; i < registers.length; i++) {
      if (compareDots(registers[i - 1], registers[i]) <= 0) reader.damaged('values of an element out of order')
    }
  }

  /** Puts the element behind the last one. */
  private append(reader: StateReader): void {
    const { sequence, position, registers, stamp, off, len } = this
    const { chunks } = sequence
    const { bytes } = reader
    let chunk = sequence.last()
    let isNew = chunk === 0 || chunks.levelOf(position, chunk) !== position.depth - 1
    for (;;) {
      if (isNew) chunk = this.newChunk(reader)
      const delta = chunks.delta(chunk, this.member, stamp)
      const isInline = registers.length <= 1 && delta >= 0 && len <= this.limits.inlineBytes()
      const apart = isInline ? 0 : writeApart(chunks.arena, this.allRegisters(bytes))
      const to = chunks.append(chunk, position.index, apart, delta, bytes, off, len)
      if (to !== 0) {
        if (isNew) sequence.insertAfter(to)
        else sequence.changed(to)
        if (registers.length > 1) {
          chunks.noteHidden(to)
          sequence.mayHaveHidden = true
        }
        return
      }
      if (apart !== 0) chunks.arena.free(apart)
      assert(!isNew, 'a new chunk of a list without room')
      isNew = true
    }
  }

  private allRegisters(bytes: Uint8Array): readonly ListRegister[] {
    const { registers, member, stamp, off, len } = this
    return registers.length > 0 ? registers : [{ member, stamp, value: bytes.subarray(off, off + len) }]
  }

  /**
   * A chunk for the element at hand and those of its run that follow in the record: with room for them, and so that their dots can stand in it. Elements
   * that were put before one another come with falling stamps.
   */
  private newChunk(reader: StateReader): Ref {
    const { position, registers } = this
    const { chunks } = this.sequence
    const last = position.depth - 1
    const inlineBytes = this.limits.inlineBytes()
    let least = this.stamp
    let greatest = this.stamp
    let count = 1
    let room = registers.length > 1 || this.len > inlineBytes ? APART_BYTES : valueEntryBytes(0, this.len)
    const { at } = reader
    const runStamp = position.stamps[last]
    while (last === 0 && room < MAX_CHUNK_BYTES && reader.beginElement()) {
      // Only those of the same run, with one value each.
      const belongs = reader.u8() === SAME_DOT && reader.signed() === position.anchors[0]
      if (belongs) {
        reader.signed()
        const stamp = runStamp + reader.varint()
        least = Math.min(least, stamp)
        greatest = Math.max(greatest, stamp)
        count++
        room += reader.left > inlineBytes ? APART_BYTES : valueEntryBytes(0, reader.left)
      }
      reader.skipElement()
      if (!belongs) break
    }
    reader.at = at
    const deltas = (varintBytes(greatest - least) - 1) * count
    return chunks.create(position, least, Math.min(MAX_CHUNK_BYTES, CHUNK_HEAD_BYTES + room + deltas), 0)
  }
}

const NO_REGISTERS: readonly ListRegister[] = []

function readIndex(reader: StateReader): number {
  const index = reader.signed()
  // The bounds themselves are never given out.
  if (index >= MAX_LIST_INDEX || index <= MIN_LIST_INDEX) reader.damaged('an impossible index in a list')
  return index
}
