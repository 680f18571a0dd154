import { copyBytes } from '../../base/bytes.js'
import { emptyStringState, hasValue, type ExpiryEntry } from '../../crdt/string-state.js'
import { CHUNK_SHIFT, UNIT_MASK, type Arena, type Ref } from '../../memory/arena.js'
import {
  DOT_WORD,
  EXPIRY_DOT_WORD,
  HAS_EXPIRY,
  HAS_EXTRAS,
  NO_VALUE,
  TYPE_MASK,
  unpackMember,
  unpackStamp,
} from '../../memory/record.js'
import type { CollectionStore } from '../collection-store.js'
import { KeyType, type Database } from '../database.js'
import type { Keyspace } from '../keyspace.js'
import { MapFlag, type MapSpace } from '../map-space.js'
import { KIND_MASK, MAP_FLAGS_MASK, PACKED, type PackedMap } from '../packed-map.js'
import type { StringStore } from '../string-store.js'
import type { CollectionState, StateCursor } from './collection-state.js'
import { NO_DOT, ORPHANED_ELEMENT, SAME_DOT } from './key-state-format.js'
import { varintBytes, type StateBytes } from './state-bytes.js'
import type { StateReader } from './state-reader.js'
import { readContent, writeContent } from './string-codec.js'

/** Forms of an element. */
const HAS_TIME = 2
const DOT_BYTES = 8
const TIME_BYTES = 16

/** What the store of the maps decides. */
export interface MapForms {
  readonly store: CollectionStore
  readonly keyspace: Keyspace
  readonly strings: StringStore
  readonly packed: PackedMap
  readonly space: MapSpace
  readonly hasValues: boolean
  fitsPacked(mapFlags: number, count: number, keyLen: number, valueLen: number): boolean
  flagsFor(mapFlags: number, buf: Uint8Array, off: number, len: number): number
  isCompact(mapFlags: number, count: number, keyLen: number, valueLen: number): boolean
  /** Ends a change of a map, with its key: gives the root. */
  finish(db: Database, root: Ref, key: Uint8Array, off: number, len: number): Ref
}

/**
 * Hashes and sets: `map` of docs/formats/key-state.md. Elements do not depend on each other, so a large map may change between its records: one that is
 * there all the time is come to by the table's scan, whatever else happens.
 */
export class MapState implements CollectionState {
  /** Ranges of the element that was read last, in the reader's bytes. */
  private keyOff = 0
  private keyLen = 0
  private valueOff = 0
  private valueLen = 0
  private dotHigh = 0
  private dotLow = 0
  private timeMember = 0
  private timeStamp = 0
  private time = 0

  constructor(private readonly forms: MapForms) {}

  writeHeader(): void {
    // Everything is in the elements.
  }

  writeElements(db: Database, root: Ref, cursor: StateCursor, out: StateBytes, bytes: number): boolean {
    const { arena } = db
    if (isPacked(arena, root)) {
      this.writePacked(arena, root, cursor, out)
      return true
    }
    const { space } = this.forms
    const end = out.length + bytes
    space.open(arena, root)
    do {
      cursor.place = space.scan(cursor.place)
      if (space.scanned !== 0) this.writeRecord(arena, space.scanned, cursor, out)
    } while (cursor.place !== 0 && out.length < end)
    return cursor.place === 0
  }

  private writePacked(arena: Arena, root: Ref, cursor: StateCursor, out: StateBytes): void {
    const { packed } = this.forms
    const bytes = arena.u8[root >>> CHUNK_SHIFT]
    const end = packed.end(arena, root)
    for (let place = packed.first(root); place < end; place = packed.next) {
      packed.read(arena, root, place)
      const { keyLen, valueLen } = packed
      const isSame = cursor.isSameDot(packed.dotHigh, packed.dotLow)
      out.varint(1 + (isSame ? 0 : DOT_BYTES) + varintBytes(keyLen) + keyLen + valueLen)
      out.u8(isSame ? SAME_DOT : 0)
      if (!isSame) out.dot(packed.dotHigh, packed.dotLow)
      out.varint(keyLen)
      // The value follows the key.
      out.raw(bytes, packed.keyOff, keyLen + valueLen)
    }
  }

  private writeRecord(arena: Arena, ref: Ref, cursor: StateCursor, out: StateBytes): void {
    const { space, strings } = this.forms
    const words = arena.u32[ref >>> CHUNK_SHIFT]
    const w = (ref & UNIT_MASK) << 1
    const flags = space.flags(ref)
    const bytes = arena.u8[ref >>> CHUNK_SHIFT]
    const keyOff = space.keyOffset(ref)
    const keyLen = space.keyLength(ref)
    if ((flags & (TYPE_MASK | HAS_EXTRAS | NO_VALUE)) === KeyType.string) {
      const valueLen = space.valueLength(ref)
      const hasTime = (flags & HAS_EXPIRY) !== 0
      const isSame = cursor.isSameDot(words[w + DOT_WORD], words[w + DOT_WORD + 1])
      const length = 1 + (isSame ? 0 : DOT_BYTES) + (hasTime ? TIME_BYTES : 0) + varintBytes(keyLen) + keyLen + valueLen
      out.varint(length)
      out.u8((isSame ? SAME_DOT : 0) | (hasTime ? HAS_TIME : 0))
      if (!isSame) out.dot(words[w + DOT_WORD], words[w + DOT_WORD + 1])
      if (hasTime) {
        out.dot(words[w + EXPIRY_DOT_WORD], words[w + EXPIRY_DOT_WORD + 1])
        out.f64(space.expiresAt(ref))
      }
      out.varint(keyLen)
      out.raw(bytes, keyOff, keyLen + valueLen)
      return
    }
    const state = strings.load(space, ref)
    const element = out.open()
    out.u8(NO_DOT | (state.orphanedAt === 0 ? 0 : ORPHANED_ELEMENT))
    out.block(bytes, keyOff, keyLen)
    writeContent(out, state, true)
    if (state.orphanedAt !== 0) out.f64(state.orphanedAt)
    out.close(element)
  }

  read(db: Database, root: Ref, reader: StateReader, isWhole: boolean): Ref {
    reader.block()
    if (reader.len > 0) reader.damaged('a hash or set with a header')
    reader.beginElements()
    if (root === 0 && isWhole) {
      const entryBytes = this.measurePacked(reader)
      if (entryBytes > 0) return this.readPacked(db.arena, reader, entryBytes)
    }
    const to = this.readLarge(db, root, reader)
    return to === 0 ? 0 : this.forms.finish(db, to, reader.bytes, reader.keyOff, reader.keyLen)
  }

  drop(db: Database, root: Ref): void {
    const { space, keyspace, store } = this.forms
    if (!isPacked(db.arena, root)) {
      space.open(db.arena, root)
      space.unregister(db.fieldExpiries)
    }
    keyspace.reclaimer.add(db.arena, store, root)
  }

  /** Looks ahead at the elements: bytes of the entries that they make if they fit a packed map, else 0. The reader stays where it is. */
  private measurePacked(reader: StateReader): number {
    const { forms } = this
    const { at } = reader
    let bytes = 0
    let count = 0
    let flags = 0
    let baseHigh = 0
    let baseLow = 0
    let fits = true
    while (fits && reader.beginElement()) {
      const form = reader.u8()
      if ((form & ~SAME_DOT) === 0) {
        this.readPlain(reader, form)
        const { keyLen, valueLen } = this
        flags = forms.flagsFor(flags, reader.bytes, this.keyOff, keyLen)
        if (count === 0) {
          baseHigh = this.dotHigh
          baseLow = this.dotLow
        }
        const own = this.dotHigh !== baseHigh || this.dotLow !== baseLow
        bytes += (forms.hasValues ? 2 : 1) + (own ? DOT_BYTES : 0) + keyLen + valueLen
        fits = forms.fitsPacked(flags, count, keyLen, valueLen)
        count++
        reader.endElement()
      } else {
        reader.skipElement()
        fits = false
      }
    }
    reader.at = at
    reader.beginElements()
    return fits ? bytes : 0
  }

  private readPacked(arena: Arena, reader: StateReader, entryBytes: number): Ref {
    const { forms } = this
    const { packed, hasValues } = forms
    const { bytes } = reader
    let root: Ref = 0
    let flags = 0
    while (reader.beginElement()) {
      this.readPlain(reader, reader.u8())
      flags = forms.flagsFor(flags, bytes, this.keyOff, this.keyLen)
      // Room for all of them at once.
      if (root === 0) root = packed.create(arena, flags, entryBytes - (hasValues ? 2 : 1), 0)
      const { keyOff, keyLen, valueOff, valueLen, dotHigh, dotLow } = this
      root = packed.append(arena, root, bytes, keyOff, keyLen, bytes, valueOff, valueLen, dotHigh, dotLow)
      reader.endElement()
    }
    if (root !== 0) arena.u32[root >>> CHUNK_SHIFT][(root & UNIT_MASK) << 1] |= flags & MAP_FLAGS_MASK
    return root
  }

  private readLarge(db: Database, from: Ref, reader: StateReader): Ref {
    const { space } = this.forms
    const { arena } = db
    if (from !== 0 && isPacked(arena, from)) reader.damaged('more of a hash or set than there should be')
    let root = from
    if (root !== 0) space.open(arena, root)
    while (reader.beginElement()) {
      if (root === 0) root = space.create(arena, 0)
      const form = reader.u8()
      if ((form & ~(SAME_DOT | HAS_TIME)) === 0) this.readPlainRecord(arena, reader, form)
      else if ((form & ~ORPHANED_ELEMENT) === NO_DOT) this.readComplexRecord(reader, form)
      else reader.damaged('an element of unknown form')
      reader.endElement()
      this.noteForm(reader)
    }
    return root
  }

  /** An element of one value, with at most one expiry. */
  private readPlainRecord(arena: Arena, reader: StateReader, form: number): void {
    const { space, strings, keyspace, hasValues } = this.forms
    const { bytes } = reader
    const hasTime = (form & HAS_TIME) !== 0
    this.readPlain(reader, form)
    const { keyOff, keyLen, valueOff, valueLen, dotHigh, dotLow } = this
    if (!hasValues && (hasTime || valueLen > 0)) reader.damaged('a member of a set with a value')
    const member = unpackMember(dotHigh)
    const stamp = unpackStamp(dotHigh, dotLow)
    space.noteWrite(member, stamp)
    if (hasTime) space.noteWrite(this.timeMember, this.timeStamp)
    const found = space.lookup(bytes, keyOff, keyLen)
    if (found !== 0 || (hasTime && this.time === Infinity)) {
      const state = emptyStringState()
      state.registers.push({ member, stamp, value: bytes.slice(valueOff, valueOff + valueLen) })
      if (hasTime) state.expiries.push(this.expiry())
      strings.write(space, found, state, false, bytes, keyOff, keyLen)
      return
    }
    const flags = KeyType.string | (hasTime ? HAS_EXPIRY : 0)
    const ref = space.insert(flags, bytes, keyOff, keyLen, valueLen, keyspace.freshAccess)
    copyBytes(bytes, valueOff, arena.u8[ref >>> CHUNK_SHIFT], space.valueOffset(ref), valueLen)
    const words = arena.u32[ref >>> CHUNK_SHIFT]
    const w = ((ref & UNIT_MASK) << 1) + DOT_WORD
    words[w] = dotHigh
    words[w + 1] = dotLow
    if (!hasTime) return
    const { member: owner, stamp: since, at } = this.expiry()
    space.setExpiry(ref, at, owner, since)
  }

  private readComplexRecord(reader: StateReader, form: number): void {
    const { space, strings, hasValues } = this.forms
    const { bytes } = reader
    reader.block()
    const { off, len } = reader
    const state = emptyStringState()
    readContent(reader, state)
    if ((form & ORPHANED_ELEMENT) !== 0) state.orphanedAt = reader.stampOrZero()
    if (!hasValue(state) && state.expiries.length === 0) reader.damaged('an element without anything')
    if (!hasValues && (state.edits.length > 0 || state.contributions.length > 0 || state.expiries.length > 0)) {
      reader.damaged('a member of a set with a value')
    }
    for (const { member, stamp } of [...state.registers, ...state.edits, ...state.contributions, ...state.expiries]) {
      space.noteWrite(member, stamp)
    }
    if (state.contributions.length > 0) space.addMapFlags(MapFlag.mayHaveCounters)
    this.keyOff = off
    this.keyLen = len
    this.valueLen = Math.max(0, ...state.registers.map(({ value }) => value.length))
    strings.write(space, space.lookup(bytes, off, len), state, false, bytes, off, len)
  }

  /** What the last element makes of the map's flags, as when it is written by a command. */
  private noteForm(reader: StateReader): void {
    const { forms } = this
    const { space } = forms
    const flags = space.mapFlags
    if ((flags & MapFlag.hashtable) !== 0) return
    space.addMapFlags(forms.flagsFor(flags, reader.bytes, this.keyOff, this.keyLen))
    if (!forms.isCompact(space.mapFlags, space.values, this.keyLen, this.valueLen)) space.addMapFlags(MapFlag.hashtable)
  }

  /** Reads an element that is not complex, behind its form: fills in the ranges, the dot and the expiry. */
  private readPlain(reader: StateReader, form: number): void {
    reader.elementDot(form)
    this.dotHigh = reader.dotHigh
    this.dotLow = reader.dotLow
    if ((form & HAS_TIME) !== 0) {
      reader.dot()
      this.timeMember = reader.member
      this.timeStamp = reader.stamp
      this.time = reader.time()
    }
    reader.block()
    this.keyOff = reader.off
    this.keyLen = reader.len
    reader.raw(reader.left)
    this.valueOff = reader.off
    this.valueLen = reader.len
  }

  private expiry(): ExpiryEntry {
    return { member: this.timeMember, stamp: this.timeStamp, at: this.time }
  }
}

function isPacked(arena: Arena, root: Ref): boolean {
  return (arena.u32[root >>> CHUNK_SHIFT][(root & UNIT_MASK) << 1] & KIND_MASK) === PACKED
}
