import { LIMITS } from '../base/limits.js'
import { TWO_32 } from '../base/words.js'
import type { ApplyContext } from '../crdt/apply-context.js'
import type { EffectReader } from '../crdt/effect-reader.js'
import { compareDots, isUnsettled, newestDot, type Reset } from '../crdt/string-state.js'
import { CHUNK_SHIFT, UNIT_MASK, type Arena, type Ref } from '../memory/arena.js'
import { HAS_EXTRAS, HAS_EXPIRY, packDotHigh, packDotLow, TYPE_MASK, unpackMember, unpackStamp } from '../memory/record.js'
import type { RdbValue } from '../rdb/value.js'
import type { CollectionStore, KeyEvent } from './collection-store.js'
import type { StoreEnvironment } from './collections.js'
import { KeyType, type Database } from './database.js'
import type { Effects } from './effects.js'
import { Hash64 } from './hash64.js'
import { LOOK_AHEAD_FROM, type KeysAhead } from './keys-ahead.js'
import type { Keyspace } from './keyspace.js'
import { INCLUDING_DUE, MapCursor } from './map-cursor.js'
import { MapFlag, MapSpace } from './map-space.js'
import { KIND_MASK, MAP_FLAGS_MASK, PACKED, PackedMap } from './packed-map.js'
import type { CollectionState } from './state/collection-state.js'
import { MapState } from './state/map-state.js'
import { ExpiryMode, NO_RESETS, type StringStore } from './string-store.js'

/** Elements that one settle looks at: about 2 ms. The walk goes on at the next. */
const SETTLE_ELEMENTS = 8192
const ELEMENT_COST_BYTES = 32

export const EMPTY = new Uint8Array(0)

/**
 * What hashes and sets have in common: a map from keys (fields, members) to elements, each of which is what a string key is, with the rules of
 * crdt/string-state: add wins over a concurrent remove, of two values the later one is visible, increments add up. A set is a map whose values are empty.
 *
 * Source of the rules: observed-remove map of registers after Almeida et al. (delta CRDTs, 2018). Assumes causal delivery. The dot of an element
 * is all that is kept; a removal leaves nothing behind unless an expiry has to wait until it is stable.
 *
 * A small map of plain elements is packed into one block (packed-map); everything else is large (map-space), where StringStore does the work.
 */
export abstract class MapStore implements CollectionStore {
  abstract readonly type: number

  /** After a write or removal of an element: it was there before, due or not. */
  existed = false
  /** The value that find came to: buf[off .. off+len). Valid until the next change or read. */
  buf: Uint8Array = EMPTY
  off = 0
  len = 0
  /** Longest key or value in a packed map. Never above LIMITS.packedElementBytes. */
  protected packedBytes = 0
  /** For walks by commands; one at a time. */
  readonly cursor: MapCursor
  readonly state: CollectionState
  protected readonly space: MapSpace
  protected readonly packed: PackedMap
  protected readonly self: number
  protected readonly keyspace: Keyspace
  protected readonly strings: StringStore
  protected readonly context: ApplyContext
  protected readonly effects: Effects
  private readonly elementHash = new Hash64()

  constructor(environment: StoreEnvironment, hasValues: boolean) {
    this.self = environment.self
    this.keyspace = environment.keyspace
    this.strings = environment.strings
    this.context = environment.context
    this.effects = environment.effects
    const { keyspace } = environment
    const arena = keyspace.database(0).arena
    this.packed = new PackedMap(hasValues)
    this.space = new MapSpace(arena, this.self, keyspace.hashSeed)
    this.cursor = new MapCursor(this.packed, new MapSpace(arena, this.self, keyspace.hashSeed), environment.strings)
    this.state = new MapState({
      store: this,
      keyspace,
      strings: environment.strings,
      packed: this.packed,
      space: this.space,
      hasValues,
      fitsPacked: (mapFlags, count, keyLen, valueLen) =>
        keyLen <= this.packedBytes && valueLen <= this.packedBytes && this.fitsPacked(mapFlags, count, keyLen),
      flagsFor: (mapFlags, buf, off, len) => this.flagsFor(mapFlags, buf, off, len),
      isCompact: (mapFlags, count, keyLen, valueLen) => this.isCompact(mapFlags, count, keyLen, valueLen),
      finish: (db, root, key, off, len) => this.finish(db, root, key, off, len),
    })
  }

  abstract check(effect: EffectReader): void
  abstract apply(db: Database, root: Ref, effect: EffectReader): Ref
  abstract encoding(db: Database, root: Ref): string
  abstract toRdb(db: Database, root: Ref): RdbValue
  abstract writeRdb(value: RdbValue, database: number, key: Uint8Array, keyOff: number, keyLen: number): void
  abstract copy(db: Database, root: Ref, database: number, key: Uint8Array, keyOff: number, keyLen: number): void
  abstract eventOf(effect: EffectReader): KeyEvent | null
  abstract beforeRemove(db: Database, root: Ref, database: number, key: Uint8Array, keyOff: number, keyLen: number): void

  /** True when a packed map with so many elements has room for one more, whose key is so long and with which it has these flags. */
  protected abstract fitsPacked(mapFlags: number, count: number, keyLen: number): boolean

  /** Flags of a map without elements. */
  protected abstract freshFlags(): number

  /** What an element makes of the map's flags. */
  protected abstract flagsFor(mapFlags: number, key: Uint8Array, off: number, len: number): number

  /** True when Redis would keep so many elements in a compact encoding after the write of one with this key and value. */
  protected abstract isCompact(mapFlags: number, count: number, keyLen: number, valueLen: number): boolean

  /** Elements that there are; as in Redis, those that are due count until they have been removed. */
  size(db: Database, root: Ref): number {
    if (root === 0) return 0
    if (this.isPacked(db.arena, root)) return this.packed.count(db.arena, root)
    this.space.open(db.arena, root)
    return this.space.values
  }

  lookAhead(db: Database, root: Ref, ahead: KeysAhead): void {
    if (this.isPacked(db.arena, root)) return
    this.space.open(db.arena, root)
    if (this.space.count >= LOOK_AHEAD_FROM) this.space.lookAhead(ahead)
  }

  /** Exactly how many elements a walk comes to. */
  countShown(db: Database, root: Ref): number {
    if (root === 0) return 0
    if (this.isPacked(db.arena, root)) return this.packed.count(db.arena, root)
    this.space.open(db.arena, root)
    if (this.space.expiring === 0) return this.space.values
    let count = 0
    for (const cursor = this.walk(db, root); cursor.next();) count++
    return count
  }

  /** True when some elements have an expiry, so that a walk may come to fewer than there are. */
  hasExpiring(db: Database, root: Ref): boolean {
    if (root === 0 || this.isPacked(db.arena, root)) return false
    this.space.open(db.arena, root)
    return this.space.expiring > 0
  }

  /** True when elements of a map can be drawn one by one at the same cost, and few of those drawn are hidden. */
  canDraw(db: Database, root: Ref): boolean {
    if (root === 0 || this.isPacked(db.arena, root)) return false
    this.space.open(db.arena, root)
    return this.space.expiring === 0 && this.space.count === this.space.values
  }

  /** Looks an element up: true when clients see it, or saw it then (Unix ms). Its value is in buf, off, len. */
  find(db: Database, root: Ref, key: Uint8Array, keyOff: number, keyLen: number, nowMs = this.keyspace.nowMs): boolean {
    if (root === 0) return false
    const { arena } = db
    if (this.isPacked(arena, root)) {
      const { packed } = this
      if (packed.find(arena, root, key, keyOff, keyLen) < 0) return false
      this.buf = arena.u8[root >>> CHUNK_SHIFT]
      this.off = packed.valueOff
      this.len = packed.valueLen
      return true
    }
    const ref = this.findRecord(db, root, key, keyOff, keyLen, nowMs)
    if (ref === 0) return false
    const { strings } = this
    strings.read(this.space, ref)
    this.buf = strings.buf
    this.off = strings.off
    this.len = strings.len
    return true
  }

  /** As find, without the value. */
  has(db: Database, root: Ref, key: Uint8Array, keyOff: number, keyLen: number, nowMs = this.keyspace.nowMs): boolean {
    if (root === 0) return false
    if (this.isPacked(db.arena, root)) return this.packed.find(db.arena, root, key, keyOff, keyLen) >= 0
    return this.findRecord(db, root, key, keyOff, keyLen, nowMs) !== 0
  }

  /** Unix ms at which an element goes, Infinity for never; NaN when clients see no such element, or saw none then (Unix ms). */
  expiryOf(db: Database, root: Ref, key: Uint8Array, keyOff: number, keyLen: number, nowMs = this.keyspace.nowMs): number {
    if (root === 0) return NaN
    if (this.isPacked(db.arena, root)) return this.packed.find(db.arena, root, key, keyOff, keyLen) < 0 ? NaN : Infinity
    const ref = this.findRecord(db, root, key, keyOff, keyLen, nowMs)
    return ref === 0 ? NaN : this.space.expiresAt(ref)
  }

  /** Puts the cursor before the first element that clients see. */
  walk(db: Database, root: Ref): MapCursor {
    this.cursor.begin(db.arena, root, this.keyspace.nowMs)
    return this.cursor
  }

  /** As walk, with a cursor of its own: other commands may run in between. */
  walkApart(db: Database, root: Ref, nowMs = this.keyspace.nowMs): MapCursor {
    const cursor = new MapCursor(this.packed, new MapSpace(db.arena, this.self, this.keyspace.hashSeed), this.strings)
    cursor.begin(db.arena, root, nowMs)
    return cursor
  }

  isPacked(arena: Arena, root: Ref): boolean {
    return (arena.u32[root >>> CHUNK_SHIFT][(root & UNIT_MASK) << 1] & KIND_MASK) === PACKED
  }

  /** As has, but an element that is due is still there. */
  holds(db: Database, root: Ref, key: Uint8Array, keyOff: number, keyLen: number): boolean {
    if (root === 0) return false
    if (this.isPacked(db.arena, root)) return this.packed.find(db.arena, root, key, keyOff, keyLen) >= 0
    const { space } = this
    space.open(db.arena, root)
    const ref = space.lookup(key, keyOff, keyLen)
    return ref !== 0 && space.isShown(ref, INCLUDING_DUE)
  }

  /** A search came upon an element of the space that clients do not see. */
  protected abstract noteHidden(ref: Ref): void

  /** The record of an element that clients see in a large map, 0 if there is none; the space is open on the map. */
  protected findRecord(
    db: Database,
    root: Ref,
    key: Uint8Array,
    keyOff: number,
    keyLen: number,
    nowMs = this.keyspace.nowMs,
  ): Ref {
    const { space } = this
    space.open(db.arena, root)
    const ref = space.lookup(key, keyOff, keyLen)
    if (ref === 0 || space.isShown(ref, nowMs)) return ref
    this.noteHidden(ref)
    return 0
  }

  /** Applies a register write of one element. The space is open on the map if it is large then. */
  protected write(
    db: Database,
    from: Ref,
    key: Uint8Array,
    keyOff: number,
    keyLen: number,
    value: Uint8Array,
    valueOff: number,
    valueLen: number,
    mode: number,
    at: number,
    resets: readonly Reset[],
  ): Ref {
    const { arena } = db
    const { packed, context } = this
    let root = from
    if (root === 0 || this.isPacked(arena, root)) {
      if (mode !== ExpiryMode.set && keyLen <= this.packedBytes && valueLen <= this.packedBytes) {
        const place = root === 0 ? -1 : packed.find(arena, root, key, keyOff, keyLen)
        this.existed = place >= 0
        const high = packDotHigh(context.origin, context.stamp)
        const low = packDotLow(context.stamp)
        if (place >= 0) {
          packed.read(arena, root, place)
          const member = unpackMember(packed.dotHigh)
          const stamp = unpackStamp(packed.dotHigh, packed.dotLow)
          if (context.covers(member, stamp)) {
            return packed.replace(arena, root, place, value, valueOff, valueLen, high, low)
          }
          // A later write of the same member observed this one: it is being applied again.
          if (member === context.origin) return root
        } else if (root === 0) {
          const flags = this.flagsFor(this.freshFlags(), key, keyOff, keyLen)
          if (this.fitsPacked(flags, 0, keyLen)) {
            root = packed.create(arena, flags, keyLen, valueLen)
            return packed.append(arena, root, key, keyOff, keyLen, value, valueOff, valueLen, high, low)
          }
        } else {
          const words = arena.u32[root >>> CHUNK_SHIFT]
          const w = (root & UNIT_MASK) << 1
          const flags = this.flagsFor(words[w] & MAP_FLAGS_MASK, key, keyOff, keyLen)
          if (this.fitsPacked(flags, packed.count(arena, root), keyLen)) {
            words[w] |= flags
            return packed.append(arena, root, key, keyOff, keyLen, value, valueOff, valueLen, high, low)
          }
        }
      }
      root = this.toLarge(db, root)
    }
    const { space } = this
    space.open(arena, root)
    const ref = space.lookup(key, keyOff, keyLen)
    this.existed = ref !== 0 && space.isShown(ref, INCLUDING_DUE)
    this.strings.set(space, ref, key, keyOff, keyLen, value, valueOff, valueLen, mode, at, resets)
    const flags = space.mapFlags
    if ((flags & MapFlag.hashtable) === 0) {
      if (ref === 0) space.addMapFlags(this.flagsFor(flags, key, keyOff, keyLen))
      if (!this.isCompact(space.mapFlags, space.values, keyLen, valueLen)) space.addMapFlags(MapFlag.hashtable)
    }
    return root
  }

  /**
   * Applies the removal of one element: what the origin had observed of it goes. known: its record in a large map, for who has just come upon it there. A
   * large map may be left without elements: see finish.
   */
  protected removeElement(
    db: Database,
    root: Ref,
    key: Uint8Array,
    keyOff: number,
    keyLen: number,
    keepExpiry: boolean,
    resets: readonly Reset[],
    known: Ref = 0,
  ): Ref {
    this.existed = false
    if (root === 0) return 0
    const { arena } = db
    const { packed, context } = this
    if (this.isPacked(arena, root)) {
      const place = packed.find(arena, root, key, keyOff, keyLen)
      if (place < 0) return root
      this.existed = true
      packed.read(arena, root, place)
      const isObserved = context.covers(unpackMember(packed.dotHigh), unpackStamp(packed.dotHigh, packed.dotLow))
      return isObserved ? packed.remove(arena, root, place) : root
    }
    const { space } = this
    space.open(arena, root)
    const ref = known === 0 ? space.lookup(key, keyOff, keyLen) : known
    this.existed = ref !== 0 && space.isShown(ref, INCLUDING_DUE)
    this.strings.remove(space, ref, keepExpiry, resets)
    return root
  }

  /** Ends an effect on a map: gives its root, 0 when nothing is left. The key is the map's own. */
  protected finish(db: Database, root: Ref, key: Uint8Array, keyOff: number, keyLen: number): Ref {
    if (root === 0 || this.isPacked(db.arena, root)) return root
    const { space } = this
    space.open(db.arena, root)
    if (space.count === 0) {
      space.unregister(db.fieldExpiries)
      space.free(1)
      return 0
    }
    space.register(db.fieldExpiries, key, keyOff, keyLen)
    return root
  }

  /** After an effect that wrote several elements: their common dot need not stand beside each of them. */
  protected rebase(db: Database, root: Ref, written: number): void {
    if (written > 1 && root !== 0 && this.isPacked(db.arena, root) && written >= this.packed.count(db.arena, root)) {
      this.packed.rebase(db.arena, root)
    }
  }

  /**
   * Before an effect of so many elements: where many more are likely to follow, the map is made large at once. A packed one is searched from its front for each element,
   * which takes 4 ms for the first effect of a command in slices where that code is new, and 10 for the fourth one on a hash.
   */
  protected forMany(db: Database, root: Ref, effect: EffectReader, count: number): Ref {
    if (!effect.isOneOfMany(count)) return root
    return root === 0 || this.isPacked(db.arena, root) ? this.toLarge(db, root) : root
  }

  /** The large form of a packed map, or of nothing. The space is open on it. */
  protected toLarge(db: Database, from: Ref): Ref {
    const { arena } = db
    const { packed, space } = this
    if (from === 0) return space.create(arena, this.freshFlags())
    const root = space.create(arena, arena.u32[from >>> CHUNK_SHIFT][(from & UNIT_MASK) << 1] & MAP_FLAGS_MASK)
    const bytes = arena.u8[from >>> CHUNK_SHIFT]
    const end = packed.end(arena, from)
    for (let place = packed.first(from); place < end; place = packed.next) {
      packed.read(arena, from, place)
      const { keyOff, keyLen, valueOff, valueLen } = packed
      const member = unpackMember(packed.dotHigh)
      const stamp = unpackStamp(packed.dotHigh, packed.dotLow)
      space.lookup(bytes, keyOff, keyLen)
      const ref = space.insert(KeyType.string, bytes, keyOff, keyLen, valueLen, this.keyspace.clock)
      const to = arena.u8[ref >>> CHUNK_SHIFT]
      const at = space.valueOffset(ref)
      for (let i = 0; i < valueLen; i++) to[at + i] = bytes[valueOff + i]
      space.setDot(ref, member, stamp)
      space.noteWrite(member, stamp)
    }
    arena.free(from)
    return root
  }

  remove(db: Database, from: Ref): Ref {
    if (from === 0) return 0
    const { arena } = db
    const { packed, space, context } = this
    if (this.isPacked(arena, from)) {
      let root = from
      for (let place = packed.first(root); root !== 0 && place < packed.end(arena, root);) {
        packed.read(arena, root, place)
        if (!context.covers(unpackMember(packed.dotHigh), unpackStamp(packed.dotHigh, packed.dotLow))) {
          place = packed.next
          continue
        }
        // The block may move; what comes next is then where the entry was.
        const offset = place - packed.first(root)
        root = packed.remove(arena, root, place)
        place = packed.first(root) + offset
      }
      return root
    }
    space.open(arena, from)
    if (space.isObserved(context)) {
      space.unregister(db.fieldExpiries)
      this.keyspace.reclaimer.add(arena, this, from)
      return 0
    }
    for (let cursor = 0; ;) {
      cursor = space.scan(cursor)
      if (space.scanned !== 0) this.strings.remove(space, space.scanned, false, NO_RESETS)
      if (cursor === 0) break
    }
    return this.finishQuietly(db, from)
  }

  /** Time does not count: a map whose elements are all due is there until they have been removed. */
  isVisible(db: Database, root: Ref): boolean {
    if (root === 0) return false
    if (this.isPacked(db.arena, root)) return true
    this.space.open(db.arena, root)
    return this.space.values > 0
  }

  newestDot(db: Database, root: Ref): { readonly member: number; readonly stamp: number } {
    const { arena } = db
    const { packed, space } = this
    let newest = { member: 0, stamp: 0 }
    if (this.isPacked(arena, root)) {
      for (let place = packed.first(root); place < packed.end(arena, root); place = packed.next) {
        packed.read(arena, root, place)
        const dot = { member: unpackMember(packed.dotHigh), stamp: unpackStamp(packed.dotHigh, packed.dotLow) }
        if (compareDots(dot, newest) > 0) newest = dot
      }
      return newest
    }
    space.open(arena, root)
    for (let cursor = 0; ;) {
      cursor = space.scan(cursor)
      const dot = space.scanned === 0 ? null : newestDot(this.strings.load(space, space.scanned))
      if (dot !== null && compareDots(dot, newest) > 0) newest = dot
      if (cursor === 0) return newest
    }
  }

  isUnsettled(db: Database, root: Ref): boolean {
    if (this.isPacked(db.arena, root)) return false
    this.space.open(db.arena, root)
    return (this.space.mapFlags & MapFlag.unsettled) !== 0 || this.space.settleCursor !== 0
  }

  settle(db: Database, root: Ref): Ref {
    if (!this.isUnsettled(db, root)) return root
    const { space, strings } = this
    let cursor = space.settleCursor
    if (cursor === 0) space.clearMapFlags(MapFlag.unsettled)
    for (let looked = 0; looked < SETTLE_ELEMENTS; looked++) {
      cursor = space.scan(cursor)
      if (space.scanned !== 0) strings.settleRecord(space, space.scanned)
      if (cursor === 0) break
    }
    space.settleCursor = cursor
    const left = this.finishQuietly(db, root)
    return left !== 0 && cursor === 0 ? this.pack(db, left) : left
  }

  free(arena: Arena, root: Ref, budget: number): Ref {
    if (root === 0) return 0
    if (this.isPacked(arena, root)) {
      arena.free(root)
      return 0
    }
    this.space.open(arena, root)
    return this.space.free(budget) ? 0 : root
  }

  bytes(arena: Arena, root: Ref, samples: number): number {
    if (root === 0) return 0
    if (this.isPacked(arena, root)) return arena.sizeOf(root)
    const { space } = this
    space.open(arena, root)
    let looked = 0
    let found = 0
    for (let cursor = 0; samples === 0 || looked < samples;) {
      cursor = space.scan(cursor)
      const ref = space.scanned
      if (ref !== 0) {
        const extras = space.extras(ref)
        found += arena.sizeOf(ref) + (extras === 0 ? 0 : arena.sizeOf(extras))
        looked++
      }
      if (cursor === 0) break
    }
    return space.ownBytes() + (looked === 0 ? 0 : Math.round((found / looked) * space.count))
  }

  digest(hash: Hash64, db: Database, root: Ref): number {
    const { cursor } = this
    cursor.begin(db.arena, root, INCLUDING_DUE)
    let size = 0
    for (const bytes of this.hashElements(hash, cursor)) size += bytes
    return size
  }

  digestSteps(hash: Hash64, db: Database, root: Ref): Generator<number, void> {
    return this.hashElements(hash, this.walkApart(db, root, INCLUDING_DUE))
  }

  /** The sum of the elements' hashes, so that their order does not matter. Gives the bytes hashed every now and then. */
  private *hashElements(hash: Hash64, cursor: MapCursor): Generator<number, void> {
    const { elementHash } = this
    let high = 0
    let low = 0
    let count = 0
    let size = 0
    while (cursor.next()) {
      cursor.readValue()
      elementHash.begin()
      elementHash.number(cursor.expiresAt === Infinity ? 0 : cursor.expiresAt)
      elementHash.number(cursor.keyLen)
      elementHash.bytes(cursor.buf, cursor.keyOff, cursor.keyLen)
      elementHash.number(cursor.valueLen)
      elementHash.bytes(cursor.valueBuf, cursor.valueOff, cursor.valueLen)
      elementHash.end()
      const sum = low + elementHash.low
      low = sum >>> 0
      high = (high + elementHash.high + (sum >= TWO_32 ? 1 : 0)) >>> 0
      count++
      size += cursor.keyLen + cursor.valueLen + ELEMENT_COST_BYTES
      if (size >= LIMITS.digestStepBytes) {
        yield size
        size = 0
      }
    }
    hash.number(count)
    hash.number(high)
    hash.number(low)
    yield size
  }

  debug(db: Database, root: Ref, limit: number): string[] {
    const { arena } = db
    const { packed, space, strings } = this
    const lines: string[] = []
    if (root === 0) return lines
    if (this.isPacked(arena, root)) {
      for (let place = packed.first(root); place < packed.end(arena, root) && lines.length < limit; place = packed.next) {
        packed.read(arena, root, place)
        const key = text(arena.u8[root >>> CHUNK_SHIFT], packed.keyOff, packed.keyLen)
        lines.push(`${key} ${unpackMember(packed.dotHigh)}:${unpackStamp(packed.dotHigh, packed.dotLow)}`)
      }
      return lines
    }
    space.open(arena, root)
    for (let cursor = 0; lines.length < limit;) {
      cursor = space.scan(cursor)
      const ref = space.scanned
      if (ref !== 0) {
        const state = strings.load(space, ref)
        const parts = [text(arena.u8[ref >>> CHUNK_SHIFT], space.keyOffset(ref), space.keyLength(ref))]
        for (const { member, stamp } of state.registers) parts.push(`${member}:${stamp}`)
        for (const { member, stamp } of state.contributions) parts.push(`contribution ${member}:${stamp}`)
        for (const { member, stamp, at } of state.expiries) parts.push(`expiry ${member}:${stamp} at ${at}`)
        if (isUnsettled(state)) parts.push('unsettled')
        lines.push(parts.join(' '))
      }
      if (cursor === 0) break
    }
    return lines
  }

  /** As finish, where the key is not at hand: nothing can have become due earlier than before. */
  private finishQuietly(db: Database, root: Ref): Ref {
    return this.finish(db, root, EMPTY, 0, 0)
  }

  /** The packed form of a large map that has nothing but a few plain elements. */
  private pack(db: Database, from: Ref): Ref {
    const { arena } = db
    const { space, packed } = this
    const { count, mapFlags } = space
    const sticky = MapFlag.hashtable | MapFlag.hadExpiry | MapFlag.unsettled
    if ((mapFlags & sticky) !== 0 || count !== space.values || !this.fitsPacked(mapFlags, count - 1, 0)) return from
    for (let cursor = 0; ;) {
      cursor = space.scan(cursor)
      const ref = space.scanned
      const flags = ref === 0 ? KeyType.string : space.flags(ref)
      if ((flags & (HAS_EXTRAS | HAS_EXPIRY)) !== 0 || (flags & TYPE_MASK) !== KeyType.string) return from
      if (ref !== 0 && Math.max(space.keyLength(ref), space.valueLength(ref)) > this.packedBytes) return from
      if (cursor === 0) break
    }
    let root: Ref = 0
    for (let cursor = 0; ;) {
      cursor = space.scan(cursor)
      const ref = space.scanned
      if (ref !== 0) {
        const bytes = arena.u8[ref >>> CHUNK_SHIFT]
        const keyOff = space.keyOffset(ref)
        const keyLen = space.keyLength(ref)
        const valueLen = space.valueLength(ref)
        const member = space.dotMember(ref)
        const stamp = space.dotStamp(ref)
        if (root === 0) root = packed.create(arena, mapFlags & ~MapFlag.mayHaveCounters, keyLen, valueLen)
        const high = packDotHigh(member, stamp)
        root = packed.append(arena, root, bytes, keyOff, keyLen, bytes, keyOff + keyLen, valueLen, high, packDotLow(stamp))
      }
      if (cursor === 0) break
    }
    this.keyspace.reclaimer.add(arena, this, from)
    return root
  }
}

function text(buf: Uint8Array, off: number, len: number): string {
  return JSON.stringify(Buffer.from(buf.buffer, buf.byteOffset + off, len).toString('latin1'))
}
