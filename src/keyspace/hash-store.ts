import { assert } from '../base/assert.js'
import { writeInteger } from '../base/bytes.js'
import { addDecimals, decimalOf, decimalToText, printDecimal, type Decimal } from '../base/decimal.js'
import { LIMITS } from '../base/limits.js'
import { NotificationClass } from '../base/notification-classes.js'
import {
  EffectType,
  HAS_RESETS,
  REMOVE_DUE,
  SET_EXPIRY_GIVEN,
  SET_EXPIRY_KEPT,
  type EffectReader,
} from '../crdt/effect-reader.js'
import { writeResets, type OpBuilder } from '../crdt/op-builder.js'
import { resetsOf, type Reset } from '../crdt/string-state.js'
import { CHUNK_SHIFT, UNIT_MASK, type Arena, type Ref } from '../memory/arena.js'
import { HAS_EXPIRY, HAS_EXTRAS } from '../memory/record.js'
import { ByteList } from '../rdb/byte-list.js'
import type { RdbHash, RdbValue } from '../rdb/value.js'
import { DistinctRanges, type ByteRanges } from './byte-ranges.js'
import type { KeyPlace } from './collection-store.js'
import type { StoreEnvironment } from './collections.js'
import type { KeyEvent } from './collection-store.js'
import { DEFAULT_COMPACT_LIMITS, packedElementBytes, packedElements, type CompactLimits } from './compact-limits.js'
import { KeyType, type Database } from './database.js'
import { MapFlag } from './map-space.js'
import { MapStore } from './map-store.js'
import { ExpiryMode, NO_RESETS } from './string-store.js'

const ALL_FLAGS = SET_EXPIRY_GIVEN | SET_EXPIRY_KEPT | HAS_RESETS
/** Elements of a payload, of a copy or of a removal that are written as one effect. */
const EFFECT_ELEMENTS = 1024

/** Hashes: a map whose elements have values, counter contributions and expiries; see MapStore. */
export class HashStore extends MapStore {
  readonly type = KeyType.hash
  /** The fields that the last of setFields, setKeeping and removeFields was about, each once, as arguments of its command. */
  readonly distinct = new DistinctRanges()
  private readonly digits = new Uint8Array(24)
  /** Fields that commands found due: whoever may remove them does so soon. */
  readonly seenDue: { readonly arena: Arena; readonly key: Uint8Array; readonly field: Uint8Array }[] = []
  /** Told of a field that was due and is written over by a local command: its argument 2, of the key in argument 1. */
  onExpired: (database: number, args: ByteRanges) => void = () => undefined

  /** Where Redis' listpacks end, and where packed hashes do. */
  private compactFields = 0
  private compactBytes = 0
  private packedFields = 0

  constructor(environment: StoreEnvironment) {
    super(environment, true)
    this.configure(DEFAULT_COMPACT_LIMITS)
  }

  /** Settings; what is there changes its form when it is written to next. */
  configure(limits: CompactLimits): void {
    this.compactFields = limits.hashMaxListpackEntries
    this.compactBytes = limits.hashMaxListpackValue
    this.packedFields = packedElements(this.compactFields)
    this.packedBytes = packedElementBytes(this.compactBytes)
  }

  check(effect: EffectReader): void {
    switch (effect.type) {
      case EffectType.hashSet: {
        const flags = effect.byte()
        if ((flags & ~ALL_FLAGS) !== 0 || (flags & 3) === 3) effect.fail('hash-set with unknown flags')
        if ((flags & SET_EXPIRY_GIVEN) !== 0) effect.time()
        for (let count = effect.varint(); count > 0 && effect.error === null; count--) {
          effect.block()
          effect.block()
          if ((flags & HAS_RESETS) !== 0) effect.resetList()
        }
        break
      }
      case EffectType.hashRemove: {
        const flags = effect.byte()
        if ((flags & ~(REMOVE_DUE | HAS_RESETS)) !== 0) effect.fail('hash-remove with unknown flags')
        for (let count = effect.varint(); count > 0 && effect.error === null; count--) {
          effect.block()
          if ((flags & HAS_RESETS) !== 0) effect.resetList()
        }
        break
      }
      case EffectType.hashIncrement:
        effect.block()
        effect.readIncrement()
        break
      case EffectType.hashExpire:
        effect.time()
        for (let count = effect.varint(); count > 0 && effect.error === null; count--) effect.block()
        break
      default:
        effect.fail(`effect type ${effect.type} is not known to this version`)
    }
  }

  apply(db: Database, from: Ref, effect: EffectReader): Ref {
    let root = from
    const { bytes } = effect
    switch (effect.type) {
      case EffectType.hashSet: {
        const flags = effect.byte()
        const mode =
          (flags & SET_EXPIRY_GIVEN) !== 0 ? ExpiryMode.set : (flags & SET_EXPIRY_KEPT) !== 0 ? ExpiryMode.keep : ExpiryMode.clear
        const at = mode === ExpiryMode.set ? effect.time() : 0
        const count = effect.varint()
        root = this.forMany(db, root, effect, count)
        for (let i = 0; i < count; i++) {
          effect.block()
          const { valueOff: fieldOff, valueLen: fieldLen } = effect
          effect.block()
          const { valueOff, valueLen } = effect
          const resets = (flags & HAS_RESETS) === 0 ? NO_RESETS : effect.resetList()
          root = this.write(db, root, bytes, fieldOff, fieldLen, bytes, valueOff, valueLen, mode, at, resets)
        }
        this.rebase(db, root, count)
        break
      }
      case EffectType.hashRemove: {
        const flags = effect.byte()
        const count = effect.varint()
        for (let i = 0; i < count; i++) {
          effect.block()
          const { valueOff, valueLen } = effect
          const resets = (flags & HAS_RESETS) === 0 ? NO_RESETS : effect.resetList()
          root = this.removeElement(db, root, bytes, valueOff, valueLen, (flags & REMOVE_DUE) !== 0, resets)
        }
        break
      }
      case EffectType.hashIncrement: {
        effect.block()
        const { valueOff, valueLen } = effect
        effect.readIncrement()
        const { epoch } = effect
        root = effect.exact
          ? this.increment(db, root, bytes, valueOff, valueLen, epoch, effect.exactTotal, effect.exactN)
          : this.increment(db, root, bytes, valueOff, valueLen, epoch, effect.total, effect.n)
        break
      }
      case EffectType.hashExpire: {
        const at = effect.time()
        for (let count = effect.varint(); count > 0; count--) {
          effect.block()
          root = this.expire(db, root, bytes, effect.valueOff, effect.valueLen, at)
        }
        break
      }
    }
    return this.finish(db, root, bytes, effect.keyOff, effect.keyLen)
  }

  /** HSET and its kin: fields and values stand at arguments first, first + 1, … end - 1, the key at 1. Gives the number of new fields. */
  setFields(database: number, args: ByteRanges, first: number, end: number, mode: number, at = 0): number {
    const { distinct } = this
    distinct.pickLast(args, first, end, 2)
    return this.setPicked(database, args, mode, at)
  }

  /**
   * HIMPORT SET: writes distinct fields, whose values stand at arguments first, first + 1, …, to the key in argument 2, which must hold nothing that is
   * visible.
   */
  setNamed(database: number, args: ByteRanges, fields: ByteRanges & { readonly count: number }, first: number): void {
    const { effects } = this
    const { buf, off, len } = args
    const { writer } = effects
    const db = this.keyspace.database(database)
    let root = effects.openCollection(EffectType.hashSet, database, buf, off[2], len[2])
    writer.putByte(0)
    const { count } = fields
    writer.putVarint(count)
    for (let i = 0; i < count; i++) {
      const value = first + i
      writer.putBlock(fields.buf, fields.off[i], fields.len[i])
      writer.putBlock(buf, off[value], len[value])
      root = this.setField(db, root, fields, i, args, value)
    }
    this.rebase(db, root, count)
    effects.closeCollection(this.finish(db, root, buf, off[2], len[2]))
  }

  private setField(db: Database, root: Ref, fields: ByteRanges, i: number, values: ByteRanges, v: number): Ref {
    const { buf, off, len } = values
    return this.write(db, root, fields.buf, fields.off[i], fields.len[i], buf, off[v], len[v], ExpiryMode.clear, 0, NO_RESETS)
  }

  /** HSETEX … KEEPTTL. Fields that clients do not see have no expiry to keep. */
  setKeeping(db: Database, root: Ref, database: number, args: ByteRanges, first: number, end: number): void {
    const { distinct } = this
    distinct.pickLast(args, first, end, 2)
    const all = distinct.picked.slice(0, distinct.count)
    const isThere = Array.from(all, (i) => this.has(db, root, args.buf, args.off[i], args.len[i]))
    for (const wanted of [true, false]) {
      distinct.count = 0
      all.forEach((i, n) => {
        if (isThere[n] === wanted) distinct.picked[distinct.count++] = i
      })
      if (distinct.count > 0) this.setPicked(database, args, wanted ? ExpiryMode.keep : ExpiryMode.clear, 0)
    }
  }

  /** HDEL and its kin, of the fields in arguments first … end - 1 that are there, due or not. Gives how many they were. */
  removeFields(db: Database, root: Ref, database: number, args: ByteRanges, first: number, end: number): number {
    const { distinct } = this
    distinct.begin(end - first)
    for (let i = first; i < end; i++) {
      if (this.holds(db, root, args.buf, args.off[i], args.len[i])) distinct.pick(args, i)
    }
    if (distinct.count > 0) this.removeKnown(database, args, distinct)
    return distinct.count
  }

  /** HEXPIRE and its kin, on fields that are there; at is Infinity for HPERSIST. */
  expireFields(database: number, args: ByteRanges, fields: DistinctRanges, at: number): void {
    const { effects } = this
    const from = effects.openCollection(EffectType.hashExpire, database, args.buf, args.off[1], args.len[1])
    const db = this.keyspace.database(database)
    effects.writer.putFloat64(at)
    effects.writer.putVarint(fields.count)
    let root = from
    for (let p = 0; p < fields.count; p++) {
      const i = fields.picked[p]
      effects.writer.putBlock(args.buf, args.off[i], args.len[i])
      root = this.expire(db, root, args.buf, args.off[i], args.len[i], at)
    }
    effects.closeCollection(this.finish(db, root, args.buf, args.off[1], args.len[1]))
  }

  /** As removeFields, of fields that are known to be there. */
  removeKnown(database: number, args: ByteRanges, fields: DistinctRanges): void {
    const { effects } = this
    const { buf, off, len } = args
    const { writer } = effects
    const db = this.keyspace.database(database)
    let root = effects.openCollection(EffectType.hashRemove, database, buf, off[1], len[1])
    const mayReset = this.mayHaveCounters(db, root)
    writer.putByte(mayReset ? HAS_RESETS : 0)
    writer.putVarint(fields.count)
    for (let p = 0; p < fields.count; p++) {
      const i = fields.picked[p]
      writer.putBlock(buf, off[i], len[i])
      const resets = mayReset ? this.resets(db, root, buf, off[i], len[i]) : NO_RESETS
      if (mayReset) effects.putResets(resets)
      root = this.removeElement(db, root, buf, off[i], len[i], false, resets)
    }
    effects.closeCollection(this.finish(db, root, buf, off[1], len[1]))
  }

  /**
   * HINCRBY by an integer. result is the visible value afterwards, which the caller has computed and checked; both are safe integers. The
   * field is argument 2, the key argument 1.
   */
  addInteger(db: Database, root: Ref, database: number, args: ByteRanges, n: number, result: number): void {
    const { buf, off, len } = args
    if (this.effects.solo && !this.hasExtras(db, root, buf, off[2], len[2])) {
      const length = writeInteger(result, this.digits, 0)
      this.setOne(db, root, database, args, this.digits, length)
      return
    }
    const known = this.clearHidden(db, root, database, args)
    const { strings, space } = this
    const ref = known === 0 || this.isPacked(db.arena, known) ? 0 : this.findRecord(db, known, buf, off[2], len[2])
    const epoch = ref === 0 ? 0 : strings.contributionEpoch(space, ref, this.self)
    const total = epoch === 0 ? n : strings.contributionTotal(space, ref, this.self) + n
    if (!Number.isSafeInteger(total) || (epoch === 0 && ref !== 0 && (space.flags(ref) & HAS_EXTRAS) !== 0)) {
      this.contribute(database, args, decimalOf(n))
      return
    }
    const { effects } = this
    const from = effects.openCollection(EffectType.hashIncrement, database, buf, off[1], len[1])
    const newEpoch = epoch === 0 ? this.context.stamp : epoch
    effects.writer.putBlock(buf, off[2], len[2])
    effects.writer.putFloat64(newEpoch)
    effects.writer.putInteger(total)
    effects.writer.putInteger(n)
    const after = this.increment(db, from, buf, off[2], len[2], newEpoch, total, n)
    effects.closeCollection(this.finish(db, after, buf, off[1], len[1]))
  }

  /** HINCRBYFLOAT, and increments beyond 53 bits. result is the visible value afterwards. */
  addDecimal(db: Database, root: Ref, database: number, args: ByteRanges, n: Decimal, result: Decimal): void {
    const { buf, off, len } = args
    if (this.effects.solo && !this.hasExtras(db, root, buf, off[2], len[2])) {
      const text = Buffer.from(printDecimal(result), 'latin1')
      this.setOne(db, root, database, args, text, text.length)
      return
    }
    this.clearHidden(db, root, database, args)
    this.contribute(database, args, n)
  }

  /** The key of a hash that has fields with an expiry. */
  registeredKey(db: Database, root: Ref): Uint8Array {
    this.space.open(db.arena, root)
    return this.space.registeredKey()
  }

  /** A command is about to look at fields without naming them: those that are due go right behind it. */
  noteDue(db: Database, root: Ref): void {
    if (root === 0 || this.isPacked(db.arena, root)) return
    const { space, seenDue } = this
    space.open(db.arena, root)
    space.collectRemovable(this.keyspace.nowMs, LIMITS.expirySeenKeys - seenDue.length, (buf, off, len) =>
      seenDue.push({ arena: db.arena, key: space.registeredKey(), field: buf.slice(off, off + len) }),
    )
  }

  /** Removes one field if its time is up and this member may remove it; true if it went. */
  removeIfDue(db: Database, root: Ref, database: number, key: Uint8Array, field: Uint8Array): boolean {
    if (root === 0 || this.isPacked(db.arena, root)) return false
    const { space } = this
    space.open(db.arena, root)
    const ref = space.lookup(field, 0, field.length)
    if (ref === 0 || (space.flags(ref) & HAS_EXPIRY) === 0 || space.removalTime(ref) > this.keyspace.nowMs) return false
    this.removeList(database, key, 0, key.length, ByteList.of([field]), true)
    return true
  }

  /** Removes fields whose time is up and that this member may remove, up to so many. Gives their names. */
  removeDue(db: Database, root: Ref, database: number, key: Uint8Array, most: number): ByteList {
    const { space, keyspace } = this
    space.open(db.arena, root)
    const due = new ByteList()
    space.collectRemovable(keyspace.nowMs, most, (buf, off, len) => due.push(buf, off, len))
    if (due.count > 0) this.removeList(database, key, 0, key.length, due, true)
    return due
  }

  beforeRemove(db: Database, root: Ref, database: number, key: Uint8Array, keyOff: number, keyLen: number): void {
    if (root === 0 || this.isPacked(db.arena, root)) return
    const { space, strings } = this
    space.open(db.arena, root)
    if ((space.mapFlags & MapFlag.mayHaveCounters) === 0) return
    const counters = new ByteList()
    for (let cursor = 0; ;) {
      cursor = space.scan(cursor)
      const ref = space.scanned
      if (ref !== 0 && strings.hasContributions(space, ref)) {
        counters.push(db.arena.u8[ref >>> CHUNK_SHIFT], space.keyOffset(ref), space.keyLength(ref))
      }
      if (cursor === 0) break
    }
    if (counters.count > 0) this.removeList(database, key, keyOff, keyLen, counters, false)
    else space.clearMapFlags(MapFlag.mayHaveCounters)
  }

  encoding(db: Database, root: Ref): string {
    const flags = db.arena.u32[root >>> CHUNK_SHIFT][(root & UNIT_MASK) << 1]
    if ((flags & MapFlag.hashtable) !== 0) return 'hashtable'
    return (flags & MapFlag.hadExpiry) !== 0 ? 'listpackex' : 'listpack'
  }

  eventOf(effect: EffectReader): KeyEvent | null {
    const event = eventName(effect)
    return event === null ? null : { kind: NotificationClass.hash, event }
  }

  fieldsOf(effect: EffectReader, db: Database, root: Ref): ByteList {
    const { type } = effect
    const fields = new ByteList()
    const flags = type === EffectType.hashSet || type === EffectType.hashRemove ? effect.byte() : 0
    if (type === EffectType.hashExpire || (type === EffectType.hashSet && (flags & SET_EXPIRY_GIVEN) !== 0)) effect.time()
    for (let count = type === EffectType.hashIncrement ? 1 : effect.varint(); count > 0; count--) {
      effect.block()
      const { bytes, valueOff, valueLen } = effect
      if (this.has(db, root, bytes, valueOff, valueLen) !== (type === EffectType.hashRemove))
        fields.push(bytes, valueOff, valueLen)
      if (type === EffectType.hashSet) effect.block()
      if ((flags & HAS_RESETS) !== 0) effect.resetList()
    }
    return fields
  }

  toRdb(db: Database, root: Ref): RdbHash {
    const fields = new ByteList()
    const values = new ByteList()
    const times: number[] = []
    const cursor = this.walk(db, root)
    while (cursor.next()) {
      cursor.readValue()
      fields.push(cursor.buf, cursor.keyOff, cursor.keyLen)
      values.push(cursor.valueBuf, cursor.valueOff, cursor.valueLen)
      times.push(cursor.expiresAt === Infinity ? 0 : cursor.expiresAt)
    }
    return { type: 'hash', fields, values, expiries: times.some((at) => at > 0) ? Float64Array.from(times) : null }
  }

  *buildCopy(db: Database, root: Ref, op: OpBuilder, to: KeyPlace): Generator<undefined, void> {
    const { strings } = this
    /** Fields that expire, by the time at which they do: an effect has one time for all of its fields. */
    const expiring = new Map<number, Ref[]>()
    const cursor = this.walkApart(db, root)
    const writer = new FieldsWriter(op, to)
    for (let looked = 1; cursor.next(); looked++) {
      if (looked % LIMITS.slicedReadStep === 0) yield
      if (cursor.expiresAt !== Infinity) {
        const refs = expiring.get(cursor.expiresAt)
        if (refs === undefined) expiring.set(cursor.expiresAt, [cursor.ref])
        else refs.push(cursor.ref)
        continue
      }
      cursor.readValue()
      const { valueBuf, valueOff, valueLen } = cursor
      writer.push(cursor.buf, cursor.keyOff, cursor.keyLen, valueBuf, valueOff, valueLen, Infinity)
    }
    const { space } = this
    for (const [at, refs] of expiring) {
      for (let i = 0; i < refs.length; i++) {
        if (i % LIMITS.slicedReadStep === 0) {
          yield
          space.open(db.arena, root)
        }
        const ref = refs[i]
        strings.read(space, ref)
        const bytes = db.arena.u8[ref >>> CHUNK_SHIFT]
        writer.push(bytes, space.keyOffset(ref), space.keyLength(ref), strings.buf, strings.off, strings.len, at)
      }
    }
  }

  removalLooks(db: Database, root: Ref): number {
    return this.mayHaveCounters(db, root) ? this.size(db, root) : 0
  }

  *buildBeforeRemove(db: Database, root: Ref, op: OpBuilder, at: KeyPlace): Generator<undefined, void> {
    if (root === 0 || this.isPacked(db.arena, root)) return
    const { space, strings } = this
    space.open(db.arena, root)
    if ((space.mapFlags & MapFlag.mayHaveCounters) === 0) return
    let open = false
    let cursor = 0
    for (let looked = 1; ; looked++) {
      cursor = space.scan(cursor)
      const ref = space.scanned
      if (ref !== 0 && strings.hasContributions(space, ref)) {
        if (!open || op.isFull) op.begin(EffectType.hashRemove, at.database, at.key, at.off, at.len).u8(HAS_RESETS)
        open = true
        const element = op.add()
        element.range(db.arena.u8[ref >>> CHUNK_SHIFT], space.keyOffset(ref), space.keyLength(ref))
        writeResets(element, resetsOf(strings.load(space, ref)))
      }
      if (cursor === 0) return
      if (looked % LIMITS.slicedReadStep === 0) {
        yield
        space.open(db.arena, root)
      }
    }
  }

  writeRdb(value: RdbValue, database: number, key: Uint8Array, keyOff: number, keyLen: number): void {
    assert(value.type === 'hash', 'a value of another type')
    const { fields, values, expiries } = value
    this.writeList(database, key, keyOff, keyLen, fields, values, expiries)
  }

  copy(db: Database, root: Ref, database: number, key: Uint8Array, keyOff: number, keyLen: number): void {
    const { fields, values, expiries } = this.toRdb(db, root)
    this.writeList(database, key, keyOff, keyLen, fields, values, expiries)
  }

  /** Fields without an expiry, then those with one: an effect has one time for all. */
  private writeList(
    database: number,
    key: Uint8Array,
    keyOff: number,
    keyLen: number,
    fields: ByteList,
    values: ByteList,
    expiries: Float64Array | null,
  ): void {
    const byTime = new Map<number, number[]>()
    for (let i = 0; i < fields.count; i++) {
      const at = expiries === null ? 0 : expiries[i]
      const group = byTime.get(at)
      if (group === undefined) byTime.set(at, [i])
      else group.push(i)
    }
    for (const [at, group] of byTime) {
      for (let from = 0; from < group.length; from += EFFECT_ELEMENTS) {
        const some = group.slice(from, from + EFFECT_ELEMENTS)
        this.writeGroup(database, key, keyOff, keyLen, fields, values, some, at)
      }
    }
  }

  private writeGroup(
    database: number,
    key: Uint8Array,
    keyOff: number,
    keyLen: number,
    fields: ByteList,
    values: ByteList,
    group: readonly number[],
    at: number,
  ): void {
    const { effects } = this
    const { writer } = effects
    const db = this.keyspace.database(database)
    let root = effects.openCollection(EffectType.hashSet, database, key, keyOff, keyLen)
    writer.putByte(at === 0 ? 0 : SET_EXPIRY_GIVEN)
    if (at !== 0) writer.putFloat64(at)
    writer.putVarint(group.length)
    for (const i of group) {
      const field = fields.at(i)
      const value = values.at(i)
      writer.putBlock(field, 0, field.length)
      writer.putBlock(value, 0, value.length)
      const mode = at === 0 ? ExpiryMode.clear : ExpiryMode.set
      root = this.write(db, root, field, 0, field.length, value, 0, value.length, mode, at, NO_RESETS)
    }
    this.rebase(db, root, group.length)
    effects.closeCollection(this.finish(db, root, key, keyOff, keyLen))
  }

  /** Writes the effect for the picked arguments, each followed by its value. Gives the number of fields that were not there. */
  private setPicked(database: number, args: ByteRanges, mode: number, at: number): number {
    const { effects, distinct } = this
    const { buf, off, len } = args
    const { writer } = effects
    const db = this.keyspace.database(database)
    let root = effects.openCollection(EffectType.hashSet, database, buf, off[1], len[1])
    const mayReset = this.mayHaveCounters(db, root)
    const expiryFlag = mode === ExpiryMode.set ? SET_EXPIRY_GIVEN : mode === ExpiryMode.keep ? SET_EXPIRY_KEPT : 0
    writer.putByte(expiryFlag | (mayReset ? HAS_RESETS : 0))
    if (mode === ExpiryMode.set) writer.putFloat64(at)
    const { count, picked } = distinct
    writer.putVarint(count)
    let created = 0
    for (let p = 0; p < count; p++) {
      const i = picked[p]
      writer.putBlock(buf, off[i], len[i])
      writer.putBlock(buf, off[i + 1], len[i + 1])
      const resets = mayReset ? this.resets(db, root, buf, off[i], len[i]) : NO_RESETS
      if (mayReset) effects.putResets(resets)
      root = this.write(db, root, buf, off[i], len[i], buf, off[i + 1], len[i + 1], mode, at, resets)
      if (!this.existed) created++
    }
    this.rebase(db, root, count)
    effects.closeCollection(this.finish(db, root, buf, off[1], len[1]))
    return created
  }

  /** A write of the field in argument 2 that keeps its expiry. */
  private setOne(db: Database, known: Ref, database: number, args: ByteRanges, value: Uint8Array, valueLen: number): void {
    const { effects } = this
    const { buf, off, len } = args
    const isThere = this.has(db, known, buf, off[2], len[2])
    const mode = isThere ? ExpiryMode.keep : ExpiryMode.clear
    if (!isThere && this.holds(db, known, buf, off[2], len[2])) this.onExpired(database, args)
    const from = effects.openCollection(EffectType.hashSet, database, buf, off[1], len[1])
    effects.writer.putByte(mode === ExpiryMode.keep ? SET_EXPIRY_KEPT : 0)
    effects.writer.putVarint(1)
    effects.writer.putBlock(buf, off[2], len[2])
    effects.writer.putBlock(value, 0, valueLen)
    const root = this.write(db, from, buf, off[2], len[2], value, 0, valueLen, mode, 0, NO_RESETS)
    effects.closeCollection(this.finish(db, root, buf, off[1], len[1]))
  }

  /** Writes removals of fields that are not arguments. */
  private removeList(database: number, key: Uint8Array, keyOff: number, keyLen: number, fields: ByteList, due: boolean): void {
    const { effects } = this
    const { writer } = effects
    const db = this.keyspace.database(database)
    for (let from = 0; from < fields.count; from += EFFECT_ELEMENTS) {
      const count = Math.min(EFFECT_ELEMENTS, fields.count - from)
      let root = effects.openCollection(EffectType.hashRemove, database, key, keyOff, keyLen)
      const mayReset = this.mayHaveCounters(db, root)
      writer.putByte((due ? REMOVE_DUE : 0) | (mayReset ? HAS_RESETS : 0))
      writer.putVarint(count)
      for (let i = from; i < from + count; i++) {
        const field = fields.at(i)
        writer.putBlock(field, 0, field.length)
        const resets = mayReset ? this.resets(db, root, field, 0, field.length) : NO_RESETS
        if (mayReset) effects.putResets(resets)
        root = this.removeElement(db, root, field, 0, field.length, due, resets)
      }
      effects.closeCollection(this.finish(db, root, key, keyOff, keyLen))
    }
  }

  /**
   * A write that builds on a field begins with its removal when clients see none, as for keys: see Effects. Gives the root as it is then.
   */
  private clearHidden(db: Database, root: Ref, database: number, args: ByteRanges): Ref {
    const { buf, off, len } = args
    if (this.has(db, root, buf, off[2], len[2])) return root
    if (this.effects.solo && !this.isRecord(db, root, buf, off[2], len[2])) return root
    if (this.holds(db, root, buf, off[2], len[2])) this.onExpired(database, args)
    const { distinct } = this
    distinct.begin(1)
    distinct.pick(args, 2)
    this.removeKnown(database, args, distinct)
    return this.rootOf(db, buf, off[1], len[1])
  }

  /** Writes the increment of the field in argument 2 exactly. */
  private contribute(database: number, args: ByteRanges, n: Decimal): void {
    const { effects, strings, space } = this
    const { buf, off, len } = args
    const { writer } = effects
    const db = this.keyspace.database(database)
    const from = effects.openCollection(EffectType.hashIncrement, database, buf, off[1], len[1])
    const root = from === 0 || this.isPacked(db.arena, from) ? this.toLarge(db, from) : from
    space.open(db.arena, root)
    const state = strings.load(space, space.lookup(buf, off[2], len[2]))
    const own = state.contributions.find((contribution) => contribution.member === this.self)
    const total = own === undefined ? n : addDecimals(own.total, n)
    const epoch = own === undefined ? this.context.stamp : own.epoch
    writer.putBlock(buf, off[2], len[2])
    writer.putFloat64(epoch)
    writer.putText(decimalToText(total))
    writer.putText(decimalToText(n))
    const after = this.increment(db, root, buf, off[2], len[2], epoch, total, n)
    effects.closeCollection(this.finish(db, after, buf, off[1], len[1]))
  }

  /** Applies an increment of one field: total and n are both safe integers or both decimals. */
  private increment<T extends number | Decimal>(
    db: Database,
    from: Ref,
    field: Uint8Array,
    off: number,
    len: number,
    epoch: number,
    total: T,
    n: T,
  ): Ref {
    const { space, strings } = this
    const root = this.opened(db, from)
    space.addMapFlags(MapFlag.mayHaveCounters)
    const ref = space.lookup(field, off, len)
    if (typeof total === 'number' && typeof n === 'number') strings.increment(space, ref, field, off, len, epoch, total, n)
    else if (typeof total !== 'number' && typeof n !== 'number') {
      strings.incrementExact(space, ref, field, off, len, epoch, total, n)
    }
    if (!this.isCompact(0, space.values, len, 0)) space.addMapFlags(MapFlag.hashtable)
    return root
  }

  /** Applies an expiry to one field. */
  private expire(db: Database, from: Ref, field: Uint8Array, off: number, len: number, at: number): Ref {
    const { space, strings } = this
    // Everything that is stable has gone already, and with it what PERSIST could be about.
    const isNothing = at === Infinity && this.keyspace.stability.covers(this.context.origin, this.context.stamp)
    if (isNothing && from !== 0 && this.isPacked(db.arena, from)) return from
    const root = this.opened(db, from)
    strings.expire(space, space.lookup(field, off, len), field, off, len, at)
    if (len > this.compactBytes) space.addMapFlags(MapFlag.hashtable)
    return root
  }

  /** Opens the space on a map, in its large form. */
  private opened(db: Database, root: Ref): Ref {
    if (root === 0 || this.isPacked(db.arena, root)) return this.toLarge(db, root)
    this.space.open(db.arena, root)
    return root
  }

  /** True when some field may have contributions: writes and removals of fields must say what they saw of them. */
  mayHaveCounters(db: Database, root: Ref): boolean {
    return root !== 0 && (db.arena.u32[root >>> CHUNK_SHIFT][(root & UNIT_MASK) << 1] & MapFlag.mayHaveCounters) !== 0
  }

  private resets(db: Database, root: Ref, field: Uint8Array, off: number, len: number): readonly Reset[] {
    if (root === 0 || this.isPacked(db.arena, root)) return NO_RESETS
    const { space, strings } = this
    space.open(db.arena, root)
    const ref = space.lookup(field, off, len)
    return ref !== 0 && strings.hasContributions(space, ref) ? resetsOf(strings.load(space, ref)) : NO_RESETS
  }

  /** There is a record of the field, whatever clients see of it. */
  private isRecord(db: Database, root: Ref, field: Uint8Array, off: number, len: number): boolean {
    if (root === 0 || this.isPacked(db.arena, root)) return false
    this.space.open(db.arena, root)
    return this.space.lookup(field, off, len) !== 0
  }

  private hasExtras(db: Database, root: Ref, field: Uint8Array, off: number, len: number): boolean {
    if (root === 0 || this.isPacked(db.arena, root)) return false
    this.space.open(db.arena, root)
    const ref = this.space.lookup(field, off, len)
    return ref !== 0 && (this.space.flags(ref) & HAS_EXTRAS) !== 0
  }

  /** The root of the hash at a key, as it is now. */
  private rootOf(db: Database, key: Uint8Array, keyOff: number, keyLen: number): Ref {
    const ref = this.keyspace.find(db, key, keyOff, keyLen)
    return ref !== 0 && db.type(ref) === KeyType.hash ? db.root(ref) : 0
  }

  protected noteHidden(ref: Ref): void {
    const { space } = this
    if (this.seenDue.length >= LIMITS.expirySeenKeys || space.removalTime(ref) > this.keyspace.nowMs) return
    const start = space.keyOffset(ref)
    const field = space.arena.u8[ref >>> CHUNK_SHIFT].slice(start, start + space.keyLength(ref))
    this.seenDue.push({ arena: space.arena, key: space.registeredKey(), field })
  }

  protected fitsPacked(_mapFlags: number, count: number): boolean {
    return count < this.packedFields
  }

  protected freshFlags(): number {
    return 0
  }

  protected flagsFor(mapFlags: number): number {
    return mapFlags
  }

  protected isCompact(_mapFlags: number, count: number, keyLen: number, valueLen: number): boolean {
    return keyLen <= this.compactBytes && valueLen <= this.compactBytes && count <= this.compactFields
  }
}

/** What an effect of another member is called among keyspace events. */
function eventName(effect: EffectReader): string | null {
  switch (effect.type) {
    case EffectType.hashSet:
      return 'hset'
    case EffectType.hashRemove:
      return (effect.byte() & REMOVE_DUE) !== 0 ? 'hexpired' : 'hdel'
    case EffectType.hashIncrement:
      return 'hincrby'
    case EffectType.hashExpire:
      return effect.time() === Infinity ? 'hpersist' : 'hexpire'
    default:
      return null
  }
}

/** Time of fields that keep the expiry that they have. */
export const KEPT_EXPIRY = -1

/** Writes fields into an op that is being built, as one effect after the other. */
export class FieldsWriter {
  /** Time of the fields of the open effect; NaN before the first. */
  private at = NaN

  constructor(
    private readonly op: OpBuilder,
    private readonly to: KeyPlace,
  ) {}

  /** at: Unix ms, Infinity for never, or KEPT_EXPIRY. An effect has one time for all of its fields, so equal ones had better come together. */
  push(buf: Uint8Array, off: number, len: number, valueBuf: Uint8Array, valueOff: number, valueLen: number, at: number): void {
    const { op, to } = this
    if (at !== this.at || op.isFull) {
      const head = op.begin(EffectType.hashSet, to.database, to.key, to.off, to.len)
      head.u8(at === Infinity ? 0 : at === KEPT_EXPIRY ? SET_EXPIRY_KEPT : SET_EXPIRY_GIVEN)
      if (at !== Infinity && at !== KEPT_EXPIRY) head.f64(at)
      this.at = at
    }
    const element = op.add()
    element.range(buf, off, len)
    element.range(valueBuf, valueOff, valueLen)
  }
}
