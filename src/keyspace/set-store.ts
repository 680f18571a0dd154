import { assert } from '../base/assert.js'
import { parseInteger64 } from '../base/bytes.js'
import { NotificationClass } from '../base/notification-classes.js'
import { LIMITS } from '../base/limits.js'
import { EffectType, type EffectReader } from '../crdt/effect-reader.js'
import type { OpBuilder } from '../crdt/op-builder.js'
import { CHUNK_SHIFT, UNIT_MASK, type Ref } from '../memory/arena.js'
import { ByteList } from '../rdb/byte-list.js'
import type { RdbSet, RdbValue } from '../rdb/value.js'
import { DistinctRanges, type ByteRanges } from './byte-ranges.js'
import type { KeyPlace } from './collection-store.js'
import type { StoreEnvironment } from './collections.js'
import type { KeyEvent } from './collection-store.js'
import { DEFAULT_COMPACT_LIMITS, packedElementBytes, packedElements, type CompactLimits } from './compact-limits.js'
import { KeyType, type Database } from './database.js'
import { MapFlag } from './map-space.js'
import { EMPTY, MapStore } from './map-store.js'
import { ExpiryMode, NO_RESETS } from './string-store.js'

/** Members that are written as one effect, where they are not a command's arguments. */
const EFFECT_MEMBERS = 1024
/** No integer is longer. */
const MAX_INTEGER_BYTES = 20

/** Sets: a map whose elements have no values; see MapStore. */
export class SetStore extends MapStore {
  readonly type = KeyType.set
  private readonly distinct = new DistinctRanges()
  /** Where Redis' intsets and listpacks end, and where packed sets do. */
  private compactIntegers = 0
  private compactMembers = 0
  private compactBytes = 0
  private packedIntegers = 0
  private packedMembers = 0
  /** Members that the effect at hand adds: a set that begins with too many for an intset is a listpack, as in Redis. */
  private adding = 1

  constructor(environment: StoreEnvironment) {
    super(environment, false)
    this.configure(DEFAULT_COMPACT_LIMITS)
  }

  /** Settings; what is there changes its form when it is added to next. */
  configure(limits: CompactLimits): void {
    this.compactIntegers = limits.setMaxIntsetEntries
    this.compactMembers = limits.setMaxListpackEntries
    this.compactBytes = limits.setMaxListpackValue
    this.packedIntegers = packedElements(this.compactIntegers)
    this.packedMembers = packedElements(this.compactMembers)
    // The bound does not hold for integers.
    this.packedBytes = Math.max(MAX_INTEGER_BYTES, packedElementBytes(this.compactBytes))
  }

  check(effect: EffectReader): void {
    if (effect.type !== EffectType.setAdd && effect.type !== EffectType.setRemove) {
      effect.fail(`effect type ${effect.type} is not known to this version`)
      return
    }
    for (let count = effect.varint(); count > 0 && effect.error === null; count--) effect.block()
  }

  apply(db: Database, from: Ref, effect: EffectReader): Ref {
    const { bytes } = effect
    const count = effect.varint()
    this.adding = count
    let root = effect.type === EffectType.setAdd ? this.forMany(db, from, effect, count) : from
    for (let i = 0; i < count; i++) {
      effect.block()
      root =
        effect.type === EffectType.setAdd
          ? this.addMember(db, root, bytes, effect.valueOff, effect.valueLen)
          : this.removeElement(db, root, bytes, effect.valueOff, effect.valueLen, false, NO_RESETS)
    }
    if (effect.type === EffectType.setAdd) this.rebase(db, root, count)
    return this.finish(db, root, bytes, effect.keyOff, effect.keyLen)
  }

  /**
   * SADD: the members are arguments first … end - 1, the key is argument 1. Gives how many were not there. Where other members may remove them at the
   * same time, those that are there are added again: that is what lets the add win.
   */
  add(db: Database, known: Ref, database: number, args: ByteRanges, first: number, end: number): number {
    const { effects, distinct } = this
    const { buf, off, len } = args
    if (effects.solo && known !== 0) {
      let i = first
      while (i < end && this.has(db, known, buf, off[i], len[i])) i++
      if (i === end) return 0
    }
    distinct.pickLast(args, first, end, 1)
    let root = effects.openCollection(EffectType.setAdd, database, buf, off[1], len[1])
    const { count, picked } = distinct
    this.adding = count
    effects.writer.putVarint(count)
    let added = 0
    for (let p = 0; p < count; p++) {
      const i = picked[p]
      effects.writer.putBlock(buf, off[i], len[i])
      root = this.addMember(db, root, buf, off[i], len[i])
      if (!this.existed) added++
    }
    this.rebase(db, root, count)
    effects.closeCollection(this.finish(db, root, buf, off[1], len[1]))
    return added
  }

  /** SREM, of the members in arguments first … end - 1 that are there. Gives how many they were. */
  removeMembers(db: Database, known: Ref, database: number, args: ByteRanges, first: number, end: number): number {
    const { effects, distinct } = this
    const { buf, off, len } = args
    distinct.begin(end - first)
    for (let i = first; i < end; i++) if (this.has(db, known, buf, off[i], len[i])) distinct.pick(args, i)
    const { count, picked } = distinct
    if (count === 0) return 0
    let root = effects.openCollection(EffectType.setRemove, database, buf, off[1], len[1])
    effects.writer.putVarint(count)
    for (let p = 0; p < count; p++) {
      const i = picked[p]
      effects.writer.putBlock(buf, off[i], len[i])
      root = this.removeElement(db, root, buf, off[i], len[i], false, NO_RESETS)
    }
    effects.closeCollection(this.finish(db, root, buf, off[1], len[1]))
    return count
  }

  /** Adds one member to the set at a key; true if it was not there. Its bytes may lie in the arena, in another set. */
  addOne(
    db: Database,
    known: Ref,
    database: number,
    key: Uint8Array,
    keyOff: number,
    keyLen: number,
    member: Uint8Array,
    off: number,
    len: number,
  ): boolean {
    const { effects } = this
    if (effects.solo && this.has(db, known, member, off, len)) return false
    const from = effects.openCollection(EffectType.setAdd, database, key, keyOff, keyLen)
    effects.writer.putVarint(1)
    effects.writer.putBlock(member, off, len)
    this.adding = 1
    const root = this.addMember(db, from, member, off, len)
    const isNew = !this.existed
    effects.closeCollection(this.finish(db, root, key, keyOff, keyLen))
    return isNew
  }

  /** Removes one member that is there. Its bytes may be the set's own; known: its record, if the cursor has just come to it. */
  removeOne(
    database: number,
    key: Uint8Array,
    keyOff: number,
    keyLen: number,
    member: Uint8Array,
    off: number,
    len: number,
    known: Ref = 0,
  ): void {
    const { effects } = this
    const db = this.keyspace.database(database)
    const from = effects.openCollection(EffectType.setRemove, database, key, keyOff, keyLen)
    effects.writer.putVarint(1)
    effects.writer.putBlock(member, off, len)
    const root = this.removeElement(db, from, member, off, len, false, NO_RESETS, known)
    effects.closeCollection(this.finish(db, root, key, keyOff, keyLen))
  }

  /** Adds members that are not arguments, no two of them the same. */
  addList(database: number, key: Uint8Array, keyOff: number, keyLen: number, members: ByteList): void {
    this.writeList(EffectType.setAdd, database, key, keyOff, keyLen, members)
  }

  /** Removes members that are there and are not arguments. */
  removeList(database: number, key: Uint8Array, keyOff: number, keyLen: number, members: ByteList): void {
    this.writeList(EffectType.setRemove, database, key, keyOff, keyLen, members)
  }

  beforeRemove(): void {
    // Nothing of a set has to be said before it goes.
  }

  encoding(db: Database, root: Ref): string {
    const flags = db.arena.u32[root >>> CHUNK_SHIFT][(root & UNIT_MASK) << 1]
    if ((flags & MapFlag.hashtable) !== 0) return 'hashtable'
    return (flags & MapFlag.notIntegers) !== 0 ? 'listpack' : 'intset'
  }

  eventOf({ type }: EffectReader): KeyEvent {
    return { kind: NotificationClass.set, event: type === EffectType.setAdd ? 'sadd' : 'srem' }
  }

  toRdb(db: Database, root: Ref): RdbSet {
    const members = new ByteList()
    const cursor = this.walk(db, root)
    while (cursor.next()) members.push(cursor.buf, cursor.keyOff, cursor.keyLen)
    return { type: 'set', members }
  }

  writeRdb(value: RdbValue, database: number, key: Uint8Array, keyOff: number, keyLen: number): void {
    assert(value.type === 'set', 'a value of another type')
    this.addList(database, key, keyOff, keyLen, value.members)
  }

  copy(db: Database, root: Ref, database: number, key: Uint8Array, keyOff: number, keyLen: number): void {
    this.addList(database, key, keyOff, keyLen, this.toRdb(db, root).members)
  }

  *buildCopy(db: Database, root: Ref, op: OpBuilder, to: KeyPlace): Generator<undefined, void> {
    const writer = new MembersWriter(op, EffectType.setAdd, to)
    const cursor = this.walkApart(db, root)
    for (let looked = 1; cursor.next(); looked++) {
      writer.push(cursor.buf, cursor.keyOff, cursor.keyLen)
      if (looked % LIMITS.slicedReadStep === 0) yield
    }
  }

  protected noteHidden(): void {
    // Members have no expiry.
  }

  protected fitsPacked(mapFlags: number, count: number, len: number): boolean {
    if ((mapFlags & MapFlag.notIntegers) === 0) return count < this.packedIntegers
    return count < this.packedMembers && len <= this.compactBytes
  }

  protected freshFlags(): number {
    return this.adding > this.compactIntegers ? MapFlag.notIntegers : 0
  }

  protected flagsFor(mapFlags: number, member: Uint8Array, off: number, len: number): number {
    if ((mapFlags & MapFlag.notIntegers) !== 0) return mapFlags
    const isInteger = len <= MAX_INTEGER_BYTES && parseInteger64(member, off, len) !== null
    return isInteger ? mapFlags : mapFlags | MapFlag.notIntegers
  }

  protected isCompact(mapFlags: number, count: number, len: number): boolean {
    if ((mapFlags & MapFlag.notIntegers) === 0) return count <= this.compactIntegers
    return count <= this.compactMembers && len <= this.compactBytes
  }

  private addMember(db: Database, root: Ref, member: Uint8Array, off: number, len: number): Ref {
    return this.write(db, root, member, off, len, EMPTY, 0, 0, ExpiryMode.clear, 0, NO_RESETS)
  }

  private writeList(
    effectType: number,
    database: number,
    key: Uint8Array,
    keyOff: number,
    keyLen: number,
    members: ByteList,
  ): void {
    const { effects } = this
    const db = this.keyspace.database(database)
    this.adding = members.count
    for (let from = 0; from < members.count; from += EFFECT_MEMBERS) {
      const count = Math.min(EFFECT_MEMBERS, members.count - from)
      let root = effects.openCollection(effectType, database, key, keyOff, keyLen)
      effects.writer.putVarint(count)
      for (let i = from; i < from + count; i++) {
        const member = members.at(i)
        effects.writer.putBlock(member, 0, member.length)
        root =
          effectType === EffectType.setAdd
            ? this.addMember(db, root, member, 0, member.length)
            : this.removeElement(db, root, member, 0, member.length, false, NO_RESETS)
      }
      if (effectType === EffectType.setAdd) this.rebase(db, root, count)
      effects.closeCollection(this.finish(db, root, key, keyOff, keyLen))
    }
  }
}

/** Writes members of a set into an op that is being built, as one effect after the other. */
export class MembersWriter {
  count = 0

  constructor(
    private readonly op: OpBuilder,
    /** EffectType.setAdd or setRemove. */
    private readonly type: number,
    private readonly to: KeyPlace,
  ) {}

  push(buf: Uint8Array, off: number, len: number): void {
    const { op, to } = this
    if (this.count === 0 || op.isFull) op.begin(this.type, to.database, to.key, to.off, to.len)
    op.add().range(buf, off, len)
    this.count++
  }
}
