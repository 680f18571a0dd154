import { assert } from '../base/assert.js'
import { ByteWriter } from '../base/byte-stream.js'
import { plainBytes, writeInteger } from '../base/bytes.js'
import { addDecimals, decimalOf, decimalToText, printDecimal, type Decimal } from '../base/decimal.js'
import type { MemberId, Stamp } from '../base/ids.js'
import type { ApplyContext } from '../crdt/apply-context.js'
import {
  COLLECTION_SHIFT,
  EffectType,
  HAS_RESETS,
  REMOVE_DUE,
  REMOVE_ONE_TYPE,
  SET_EXPIRY_GIVEN,
  SET_EXPIRY_KEPT,
} from '../crdt/effect-reader.js'
import type { FrameWriter } from '../crdt/frame-writer.js'
import type { HybridClock } from '../crdt/hybrid-clock.js'
import { editText, resetsOf, visibleText, type Edit, type Reset } from '../crdt/string-state.js'
import type { Ref } from '../memory/arena.js'
import { HAS_EXPIRY, HAS_EXTRAS } from '../memory/record.js'
import { writeTopologyChange, type TopologyChange } from '../topology/topology-change.js'
import type { TopologyState } from '../topology/topology-state.js'
import { KeyType, TABLE_COUNT, TYPE_COUNT, type Database } from './database.js'
import { EVERY_TYPE, type Keys } from './keys.js'
import type { Keyspace } from './keyspace.js'
import { ExpiryMode, NO_RESETS, type StringStore } from './string-store.js'

const NO_KEY = new Uint8Array(0)

/**
 * The only way in which a command changes data: each method writes one effect into the open op and applies it here. The op is opened by the
 * first effect and closed by the engine at the end of the command, transaction or script.
 *
 * Keys and values are byte ranges; they may lie in the request or anywhere else, also in the arena.
 */
export class Effects {
  /** This member is the only one: increments and edits go straight into the register. */
  solo = true
  /** Effects written by local commands since the start: Redis' `dirty`. */
  count = 0
  /** Told of each key that went because its time was up: removed for that, or found due by a write to it. */
  onExpired: (database: number, key: Uint8Array, keyOff: number, keyLen: number) => void = () => undefined
  /** Told of each key that was not there before an effect. Null while nobody wants to know. */
  onNewKey: ((database: number, key: Uint8Array, keyOff: number, keyLen: number) => void) | null = null
  /** An op is open over this turn: nobody may write. */
  isSuspended = false
  private inOp = false
  /** Stores are writing what a removal has to say: see CollectionStore.beforeRemove. */
  private beforeRemoval = false
  /** The collection effect that is open, from openCollection to closeCollection. */
  private open: OpenCollection | null = null
  private readonly opened = new OpenCollection()
  private readonly digits = new Uint8Array(24)

  constructor(
    private readonly self: MemberId,
    private readonly keyspace: Keyspace,
    private readonly strings: StringStore,
    private readonly context: ApplyContext,
    private readonly clock: HybridClock,
    /** For the payloads of collection effects, between openCollection and closeCollection. */
    readonly writer: FrameWriter,
    private readonly keys: Keys,
    private readonly topology: TopologyState,
  ) {}

  /** The highest stamp of anything written or seen here. */
  get highestStamp(): number {
    return this.clock.last
  }

  get isInOp(): boolean {
    return this.inOp
  }

  /** Ends the op if one is open; true if there was one. */
  endOp(): boolean {
    if (!this.inOp) return false
    this.writer.endOp()
    this.inOp = false
    return true
  }

  /** Gives stamps to so many effects that come next in the open op, where they have been written beforehand. The first of them. */
  admit(effects: number): Stamp {
    this.takeStamp()
    const { stamp } = this.context
    this.clock.observe(stamp + effects - 1)
    this.count += effects
    return stamp as Stamp
  }

  /** SET and all that write a whole string. at is read when mode is ExpiryMode.set: Unix ms. */
  setString(
    database: number,
    key: Uint8Array,
    keyOff: number,
    keyLen: number,
    value: Uint8Array,
    off: number,
    len: number,
    mode: number,
    at = 0,
  ): void {
    const db = this.keyspace.database(database)
    let ref = db.lookup(key, keyOff, keyLen)
    if (mode !== ExpiryMode.set && this.isBare(db, ref, key, keyOff, keyLen)) {
      this.overwrite(database, db, ref, key, keyOff, keyLen, value, off, len, mode)
      return
    }
    const hidden = ref !== 0 && !this.keyspace.isVisible(db, ref)
    if (hidden) this.noteExpired(database, db, ref, key, keyOff, keyLen)
    // A key that is due, or only waits with old expiries, does not hand them on.
    let effectiveMode = mode === ExpiryMode.keep && (hidden || ref === 0) ? ExpiryMode.clear : mode
    let time = at
    const isNew = ref === 0 || hidden
    if (!this.keys.isSimple(db, ref, KeyType.string, key, keyOff, keyLen)) {
      if (effectiveMode === ExpiryMode.keep && db.type(ref) !== KeyType.string) {
        // What the key holds goes as a whole, so its expiry is written anew.
        time = db.expiresAt(ref)
        effectiveMode = time === Infinity ? ExpiryMode.clear : ExpiryMode.set
      }
      this.removeOthers(database, db, key, keyOff, keyLen, KeyType.string)
      ref = this.keys.focus(db, KeyType.string, key, keyOff, keyLen)
    }
    const resets = ref === 0 ? NO_RESETS : this.resets(db, ref)
    this.begin(EffectType.setString, database, key, keyOff, keyLen)
    const { writer } = this
    writer.putByte(
      (effectiveMode === ExpiryMode.set ? SET_EXPIRY_GIVEN : effectiveMode === ExpiryMode.keep ? SET_EXPIRY_KEPT : 0) |
        (resets.length > 0 ? HAS_RESETS : 0),
    )
    writer.putBlock(value, off, len)
    if (effectiveMode === ExpiryMode.set) writer.putFloat64(time)
    if (resets.length > 0) this.putResets(resets)
    this.strings.set(db, ref, key, keyOff, keyLen, value, off, len, effectiveMode, time, resets)
    this.keyspace.observer?.keyChanged(database, key, keyOff, keyLen)
    if (isNew) this.onNewKey?.(database, key, keyOff, keyLen)
  }

  /** As setString, of a key that is bare. It has no expiry that could be kept, but where others have set one meanwhile it is. */
  private overwrite(
    database: number,
    db: Database,
    ref: Ref,
    key: Uint8Array,
    keyOff: number,
    keyLen: number,
    value: Uint8Array,
    off: number,
    len: number,
    mode: number,
  ): void {
    this.begin(EffectType.setString, database, key, keyOff, keyLen)
    this.writer.putByte(mode === ExpiryMode.keep ? SET_EXPIRY_KEPT : 0)
    this.writer.putBlock(value, off, len)
    this.strings.overwrite(db, ref, value, off, len)
    this.keyspace.observer?.keyChanged(database, key, keyOff, keyLen)
  }

  /** A key that holds a string and nothing else, as nearly all do that are written again: one question for many that set asks of other records. */
  private isBare(db: Database, ref: Ref, key: Uint8Array, keyOff: number, keyLen: number): boolean {
    return ref !== 0 && this.strings.isBare(db, ref) && !db.mayHide(key, keyOff, keyLen)
  }

  /** DEL and its kin. Does nothing when there is no record. due: the key's time was up, see docs/formats/effects.md. */
  remove(database: number, key: Uint8Array, keyOff: number, keyLen: number, due = false): void {
    const db = this.keyspace.database(database)
    const ref = db.lookup(key, keyOff, keyLen)
    if (ref === 0) return
    if (due) this.noteExpired(database, db, ref, key, keyOff, keyLen)
    this.writeRemove(database, db, EVERY_TYPE, key, keyOff, keyLen, due)
  }

  /**
   * Begins an effect on a collection and gives its root, 0 for none: the caller writes the payload to `writer`, changes the collection, and calls
   * closeCollection with the root as it is then. The effect's dot and context are in the ApplyContext from here on. The key must hold
   * this type or nothing visible: whatever else there is of it is removed first, in the same op; not so in CollectionStore.beforeRemove, where
   * that is about to happen anyway.
   */
  openCollection(effectType: number, database: number, key: Uint8Array, keyOff: number, keyLen: number): Ref {
    assert(this.open === null, 'a collection effect within another')
    const db = this.keyspace.database(database)
    const type = effectType >> COLLECTION_SHIFT
    let ref = db.lookup(key, keyOff, keyLen)
    const isNew = this.isNew(db, ref)
    if (this.beforeRemoval) {
      ref = this.keys.focus(db, type, key, keyOff, keyLen)
    } else if (isNew || db.mayHide(key, keyOff, keyLen)) {
      this.clearHidden(database, db, key, keyOff, keyLen)
      this.removeOthers(database, db, key, keyOff, keyLen, type)
      ref = this.keys.focus(db, type, key, keyOff, keyLen)
    }
    this.begin(effectType, database, key, keyOff, keyLen)
    const { opened } = this
    this.open = opened
    opened.db = db
    opened.database = database
    opened.type = type
    opened.ref = ref
    opened.isNew = isNew
    opened.key = key
    opened.keyOff = keyOff
    opened.keyLen = keyLen
    return this.keys.rootOf(db, ref)
  }

  /**
   * Ends what openCollection began. The key goes when the root is 0. isPlain: the caller knows that the store would say isVisible and not isUnsettled,
   * which saves two calls that may go to any store.
   */
  closeCollection(root: Ref, isPlain = false): void {
    const { open } = this
    assert(open !== null, 'no collection effect is open')
    this.open = null
    const { db, database, type, ref, key, keyOff, keyLen } = open
    // Alone, a key that is gone has no expiry, and what makes it anew does not say so first: the log says it here, for who reads it over a newer state.
    const losesExpiry =
      this.solo && root === 0 && ref !== 0 && !this.beforeRemoval && (db.flags(ref) & (HAS_EXPIRY | HAS_EXTRAS)) !== 0
    this.keys.put(db, type, ref, root, key, keyOff, keyLen, isPlain)
    this.keyspace.observer?.keyChanged(database, key, keyOff, keyLen)
    if (open.isNew && root !== 0) this.onNewKey?.(database, key, keyOff, keyLen)
    if (losesExpiry) this.writeRemove(database, db, EVERY_TYPE, key, keyOff, keyLen, false)
  }

  /** Runs a write of keys that are not new to clients, though what they held goes first. */
  unannounced(write: () => void): void {
    const { onNewKey } = this
    this.onNewKey = null
    write()
    this.onNewKey = onNewKey
  }

  /** A change of the list of members. */
  changeTopology(change: TopologyChange): void {
    this.begin(EffectType.topology, 0, NO_KEY, 0, 0)
    const payload = new ByteWriter()
    writeTopologyChange(payload, change)
    this.writer.putRaw(payload.bytes, 0, payload.length)
    this.topology.apply(change, { origin: this.self, stamp: this.context.stamp })
  }

  /** type: what goes is only what the key holds of it, or EVERY_TYPE. */
  private writeRemove(
    database: number,
    db: Database,
    type: number,
    key: Uint8Array,
    keyOff: number,
    keyLen: number,
    due: boolean,
  ): void {
    // Alone, nothing is under way that its expiry could be for.
    const keepsExpiry = due && !this.solo
    const front = db.lookup(key, keyOff, keyLen)
    if (db.mayHide(key, keyOff, keyLen) || (front !== 0 && db.type(front) > KeyType.string)) {
      this.sayWhatCollectionsSaw(database, db, type, key, keyOff, keyLen)
    }
    const resets = type === EVERY_TYPE || type === KeyType.string ? this.stringResets(db, key, keyOff, keyLen) : NO_RESETS
    this.begin(EffectType.remove, database, key, keyOff, keyLen)
    const { writer } = this
    writer.putByte(
      (keepsExpiry ? REMOVE_DUE : 0) | (resets.length > 0 ? HAS_RESETS : 0) | (type === EVERY_TYPE ? 0 : REMOVE_ONE_TYPE),
    )
    if (type !== EVERY_TYPE) writer.putByte(type)
    if (resets.length > 0) this.putResets(resets)
    this.keys.remove(db, type, key, keyOff, keyLen, keepsExpiry, resets)
    this.keyspace.observer?.keyChanged(database, key, keyOff, keyLen)
  }

  /** Before a removal: the stores write what they have seen of counters. */
  private sayWhatCollectionsSaw(
    database: number,
    db: Database,
    type: number,
    key: Uint8Array,
    keyOff: number,
    keyLen: number,
  ): void {
    this.beforeRemoval = true
    for (let each = KeyType.string + 1; each < TYPE_COUNT; each++) {
      if (type !== EVERY_TYPE && type !== each) continue
      // Counters may be left from when there were other members; and what was merged into a HyperLogLog goes whatever comes after it, when the log is read
      // over a newer state. What else is said is for the others only.
      if (this.solo && each !== KeyType.hash && each !== KeyType.zset && each !== KeyType.hll) continue
      // What the store before wrote may have taken the last of its elements away, and with them the record.
      const ref = this.keys.recordOf(db, each, key, keyOff, keyLen)
      if (ref !== 0) this.keys.stores[each]?.beforeRemove(db, db.root(ref), database, key, keyOff, keyLen)
    }
    this.beforeRemoval = false
  }

  private stringResets(db: Database, key: Uint8Array, keyOff: number, keyLen: number): readonly Reset[] {
    const ref = this.keys.recordOf(db, KeyType.string, key, keyOff, keyLen)
    return ref === 0 ? NO_RESETS : this.resets(db, ref)
  }

  /** Removes what a key holds of other types than the one that is about to be written. */
  private removeOthers(database: number, db: Database, key: Uint8Array, keyOff: number, keyLen: number, type: number): void {
    // Every write that makes a key comes by here.
    if (this.keys.isSimple(db, db.lookup(key, keyOff, keyLen), type, key, keyOff, keyLen)) return
    for (let each = 1; each < TYPE_COUNT; each++) {
      if (each === type || this.keys.recordOf(db, each, key, keyOff, keyLen) === 0) continue
      this.writeRemove(database, db, each, key, keyOff, keyLen, false)
    }
  }

  /**
   * INCR family on integers. result is the visible value afterwards, which the caller has computed and checked; both are safe integers.
   */
  addInteger(database: number, key: Uint8Array, keyOff: number, keyLen: number, n: number, result: number): void {
    const db = this.keyspace.database(database)
    const found = db.lookup(key, keyOff, keyLen)
    if (this.solo && this.isBare(db, found, key, keyOff, keyLen)) {
      const length = writeInteger(result, this.digits, 0)
      this.overwrite(database, db, found, key, keyOff, keyLen, this.digits, 0, length, ExpiryMode.keep)
      return
    }
    const ref = this.forString(database, db, key, keyOff, keyLen)
    if (this.solo && !this.hasExtras(db, ref)) {
      const length = writeInteger(result, this.digits, 0)
      this.setString(database, key, keyOff, keyLen, this.digits, 0, length, ExpiryMode.keep)
      return
    }
    this.clearHidden(database, db, key, keyOff, keyLen)
    const here = db.lookup(key, keyOff, keyLen)
    const epoch = here === 0 ? 0 : this.strings.contributionEpoch(db, here, this.self)
    const total = epoch === 0 ? n : this.strings.contributionTotal(db, here, this.self) + n
    if (!Number.isSafeInteger(total) || (epoch === 0 && this.hasExtras(db, here))) {
      this.addDecimal(database, key, keyOff, keyLen, decimalOf(n), decimalOf(result))
      return
    }
    this.begin(EffectType.increment, database, key, keyOff, keyLen)
    const { writer, context } = this
    const newEpoch = epoch === 0 ? context.stamp : epoch
    writer.putFloat64(newEpoch)
    writer.putInteger(total)
    writer.putInteger(n)
    const isNew = this.isNew(db, here)
    this.strings.increment(db, here, key, keyOff, keyLen, newEpoch, total, n)
    this.keyspace.observer?.keyChanged(database, key, keyOff, keyLen)
    if (isNew) this.onNewKey?.(database, key, keyOff, keyLen)
  }

  /** Increments that need exact decimals or 64 bits. result is the visible value afterwards. */
  addDecimal(database: number, key: Uint8Array, keyOff: number, keyLen: number, n: Decimal, result: Decimal): void {
    const db = this.keyspace.database(database)
    const ref = this.forString(database, db, key, keyOff, keyLen)
    if (this.solo && !this.hasExtras(db, ref)) {
      const text = plainBytes(Buffer.from(printDecimal(result), 'latin1'))
      this.setString(database, key, keyOff, keyLen, text, 0, text.length, ExpiryMode.keep)
      return
    }
    this.clearHidden(database, db, key, keyOff, keyLen)
    const here = db.lookup(key, keyOff, keyLen)
    const own = this.strings.load(db, here).contributions.find((contribution) => contribution.member === this.self)
    const total = own === undefined ? n : addDecimals(own.total, n)
    this.begin(EffectType.increment, database, key, keyOff, keyLen)
    const epoch = own === undefined ? this.context.stamp : own.epoch
    this.writer.putFloat64(epoch)
    this.writer.putText(decimalToText(total))
    this.writer.putText(decimalToText(n))
    const isNew = this.isNew(db, here)
    this.strings.incrementExact(db, here, key, keyOff, keyLen, epoch, total, n)
    this.keyspace.observer?.keyChanged(database, key, keyOff, keyLen)
    if (isNew) this.onNewKey?.(database, key, keyOff, keyLen)
  }

  /** APPEND, SETRANGE, SETBIT, BITFIELD. The caller has checked lengths and offsets. */
  edit(database: number, key: Uint8Array, keyOff: number, keyLen: number, edit: Edit): void {
    const db = this.keyspace.database(database)
    const front = db.lookup(key, keyOff, keyLen)
    if (front !== 0 && db.type(front) === KeyType.hll && this.keyspace.isVisible(db, front)) {
      // To clients it is a string: it becomes one.
      this.strings.read(db, front)
      const text = this.strings.buf.slice(this.strings.off, this.strings.off + this.strings.len)
      this.setString(database, key, keyOff, keyLen, text, 0, text.length, ExpiryMode.keep)
    }
    this.forString(database, db, key, keyOff, keyLen)
    this.clearHidden(database, db, key, keyOff, keyLen)
    const ref = db.lookup(key, keyOff, keyLen)
    // An edit becomes a write of the whole value beside counters, and when the edits that wait outweigh it.
    if (ref !== 0 && (this.strings.hasContributions(db, ref) || this.strings.hasManyEdits(db, ref))) {
      const text = editText(visibleText(this.strings.load(db, ref)) ?? new Uint8Array(0), edit)
      this.setString(database, key, keyOff, keyLen, text, 0, text.length, ExpiryMode.keep)
      return
    }
    const { writer } = this
    switch (edit.kind) {
      case 'append':
        this.begin(EffectType.append, database, key, keyOff, keyLen)
        writer.putBlock(edit.bytes, 0, edit.bytes.length)
        break
      case 'set-range':
        this.begin(EffectType.setRange, database, key, keyOff, keyLen)
        writer.putVarint(edit.offset)
        writer.putBlock(edit.bytes, 0, edit.bytes.length)
        break
      case 'set-bits':
        this.begin(EffectType.setBits, database, key, keyOff, keyLen)
        writer.putVarint(edit.offset)
        writer.putByte(edit.width)
        writer.putUint32(Number(edit.value & 0xffffffffn))
        writer.putUint32(Number((edit.value >> 32n) & 0xffffffffn))
        break
    }
    const isNew = this.isNew(db, ref)
    this.strings.edit(db, ref, key, keyOff, keyLen, edit)
    this.keyspace.observer?.keyChanged(database, key, keyOff, keyLen)
    if (isNew) this.onNewKey?.(database, key, keyOff, keyLen)
  }

  /** EXPIRE family and PERSIST (Infinity) on a visible key. at: Unix ms. */
  expire(database: number, key: Uint8Array, keyOff: number, keyLen: number, at: number): void {
    const db = this.keyspace.database(database)
    this.begin(EffectType.expire, database, key, keyOff, keyLen)
    this.writer.putFloat64(at)
    this.keys.expire(db, key, keyOff, keyLen, at)
    this.keyspace.observer?.keyChanged(database, key, keyOff, keyLen)
  }

  /** FLUSHDB. Does nothing to a database that was never used. */
  flush(database: number): void {
    const db = this.keyspace.peek(database)
    if (db === undefined) return
    if (!this.solo) this.removeCounters(database, db)
    this.begin(EffectType.flushDb, database, NO_KEY, 0, 0)
    this.keyspace.observer?.databaseFlushing(database)
    this.keys.flush(database)
  }

  /** Counters are removed one by one, because their removal must say what it saw of them; and so is what must be remembered. */
  private removeCounters(database: number, db: Database): void {
    for (let table = 0; table < TABLE_COUNT; table++) {
      for (let i = db.shardCount(table) - 1; i >= 0; i--) {
        if (i >= db.shardCount(table)) continue
        const ref = db.recordAt(table, i)
        if (db.hiddenCount > 0 && this.holdsSeveralTypes(db, ref)) {
          // What one type leaves behind would come to the front of a table that has been passed.
          const key = db.key(ref)
          this.remove(database, key, 0, key.length)
          continue
        }
        const store = this.keys.stores[db.type(ref)]
        if (store?.carryOver !== undefined) {
          const key = db.key(ref)
          this.remove(database, key, 0, key.length)
        } else if (store !== undefined) {
          const key = db.key(ref)
          this.beforeRemoval = true
          store.beforeRemove(db, db.root(ref), database, key, 0, key.length)
          this.beforeRemoval = false
        } else if (this.strings.hasContributions(db, ref)) {
          const key = db.key(ref)
          this.remove(database, key, 0, key.length)
        }
      }
    }
  }

  /** True for a record, in front or hidden, of a key that has one in front and others behind it. */
  private holdsSeveralTypes(db: Database, ref: Ref): boolean {
    const key = db.key(ref)
    const front = db.lookup(key, 0, key.length)
    if (front === 0) return false
    for (let each = 1; each < TYPE_COUNT; each++) if (db.lookupHidden(each, key, 0, key.length) !== 0) return true
    return false
  }

  /** The record that a write of a string builds on: what the key holds of other types goes. */
  private forString(database: number, db: Database, key: Uint8Array, keyOff: number, keyLen: number): Ref {
    const ref = db.lookup(key, keyOff, keyLen)
    if (this.keys.isSimple(db, ref, KeyType.string, key, keyOff, keyLen)) return ref
    this.clearHidden(database, db, key, keyOff, keyLen)
    this.removeOthers(database, db, key, keyOff, keyLen, KeyType.string)
    return this.keys.focus(db, KeyType.string, key, keyOff, keyLen)
  }

  /**
   * A write that would build on what is there begins with a removal when nothing visible is: of a key that is due, or of old expiries that only wait
   * to be stable. Also when no record is left here: another member may still have those expiries, and must not give them to the new value.
   */
  private clearHidden(database: number, db: Database, key: Uint8Array, keyOff: number, keyLen: number): void {
    const ref = db.lookup(key, keyOff, keyLen)
    if (ref === 0 ? this.solo : this.keyspace.isVisible(db, ref)) return
    if (ref !== 0) this.noteExpired(database, db, ref, key, keyOff, keyLen)
    this.writeRemove(database, db, EVERY_TYPE, key, keyOff, keyLen, false)
  }

  private noteExpired(database: number, db: Database, ref: Ref, key: Uint8Array, keyOff: number, keyLen: number): void {
    if (db.type(ref) !== KeyType.none) this.onExpired(database, key, keyOff, keyLen)
  }

  private isNew(db: Database, ref: Ref): boolean {
    return ref === 0 || !this.keyspace.isVisible(db, ref)
  }

  private resets(db: Database, ref: Ref): readonly Reset[] {
    return this.strings.hasContributions(db, ref) ? resetsOf(this.strings.load(db, ref)) : NO_RESETS
  }

  private hasExtras(db: Database, ref: Ref): boolean {
    return ref !== 0 && (db.flags(ref) & HAS_EXTRAS) !== 0
  }

  /** Writes `resets` of docs/formats/effects.md into the payload. */
  putResets(resets: readonly Reset[]): void {
    const { writer } = this
    writer.putVarint(resets.length)
    for (const { member, epoch, stamp, total } of resets) {
      writer.putByte(member)
      writer.putFloat64(epoch)
      writer.putFloat64(stamp)
      if (total.scale === 0 && Number.isSafeInteger(Number(total.digits))) writer.putInteger(Number(total.digits))
      else writer.putText(decimalToText(total))
    }
  }

  private begin(type: number, database: number, key: Uint8Array, off: number, len: number): void {
    const { context } = this
    this.takeStamp()
    context.origin = this.self
    context.now = context.stamp
    this.count++
    this.writer.beginEffect(type, database, key, off, len)
  }

  /** Gives the context the stamp of the next effect of the open op, which is opened if there is none. */
  private takeStamp(): void {
    const { clock, context } = this
    assert(context.local, 'a local effect while a remote frame is applied')
    assert(!this.isSuspended, 'an effect between the slices of a transaction')
    if (this.inOp) {
      context.stamp = clock.following()
      return
    }
    context.stamp = clock.next(this.keyspace.nowMs)
    this.writer.beginOp(context.stamp)
    this.inOp = true
  }
}

/** What openCollection has found; one for all. */
class OpenCollection {
  db!: Database
  database = 0
  type = 0
  ref: Ref = 0
  isNew = false
  key: Uint8Array = NO_KEY
  keyOff = 0
  keyLen = 0
}
