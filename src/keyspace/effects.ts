import { assert } from '../base/assert.js'
import { writeInteger } from '../base/bytes.js'
import { addDecimals, decimalOf, decimalToText, printDecimal, type Decimal } from '../base/decimal.js'
import type { MemberId } from '../base/ids.js'
import type { ApplyContext } from '../crdt/apply-context.js'
import { EffectType, HAS_RESETS, REMOVE_DUE, SET_EXPIRY_GIVEN, SET_EXPIRY_KEPT } from '../crdt/effect-reader.js'
import type { FrameWriter } from '../crdt/frame-writer.js'
import type { HybridClock } from '../crdt/hybrid-clock.js'
import { editText, resetsOf, visibleText, type Edit, type Reset } from '../crdt/string-state.js'
import type { Ref } from '../memory/arena.js'
import { HAS_EXTRAS } from '../memory/record.js'
import { KeyType, SHARD_COUNT, type Database } from './database.js'
import type { Keyspace } from './keyspace.js'
import { ExpiryMode, NO_RESETS, type StringStore } from './string-store.js'

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
  private inOp = false
  private readonly digits = new Uint8Array(24)

  constructor(
    private readonly self: MemberId,
    private readonly keyspace: Keyspace,
    private readonly strings: StringStore,
    private readonly context: ApplyContext,
    private readonly clock: HybridClock,
    private readonly writer: FrameWriter,
  ) {}

  /** Ends the op if one is open; true if there was one. */
  endOp(): boolean {
    if (!this.inOp) return false
    this.writer.endOp()
    this.inOp = false
    return true
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
    const ref = db.lookup(key, keyOff, keyLen)
    const resets = ref === 0 ? NO_RESETS : this.resets(db, ref)
    const hidden = ref !== 0 && !this.keyspace.isVisible(db, ref)
    if (hidden) this.noteExpired(database, db, ref, key, keyOff, keyLen)
    // A key that is due, or only waits with old expiries, does not hand them on.
    const effectiveMode = mode === ExpiryMode.keep && (hidden || ref === 0) ? ExpiryMode.clear : mode
    this.begin(EffectType.setString, database, key, keyOff, keyLen)
    const { writer } = this
    writer.putByte(
      (effectiveMode === ExpiryMode.set ? SET_EXPIRY_GIVEN : effectiveMode === ExpiryMode.keep ? SET_EXPIRY_KEPT : 0) |
        (resets.length > 0 ? HAS_RESETS : 0),
    )
    writer.putBlock(value, off, len)
    if (effectiveMode === ExpiryMode.set) writer.putFloat64(at)
    if (resets.length > 0) this.putResets(resets)
    this.strings.set(db, ref, key, keyOff, keyLen, value, off, len, effectiveMode, at, resets)
    this.keyspace.observer?.keyChanged(database, key, keyOff, keyLen)
    if (this.onNewKey !== null && (ref === 0 || hidden)) this.onNewKey(database, key, keyOff, keyLen)
  }

  /** DEL and its kin. Does nothing when there is no record. due: the key's time was up, see docs/formats/effects.md. */
  remove(database: number, key: Uint8Array, keyOff: number, keyLen: number, due = false): void {
    const db = this.keyspace.database(database)
    const ref = db.lookup(key, keyOff, keyLen)
    if (ref === 0) return
    if (due) this.noteExpired(database, db, ref, key, keyOff, keyLen)
    this.writeRemove(database, db, ref, key, keyOff, keyLen, due)
  }

  private writeRemove(
    database: number,
    db: Database,
    ref: Ref,
    key: Uint8Array,
    keyOff: number,
    keyLen: number,
    due: boolean,
  ): void {
    const resets = ref === 0 ? NO_RESETS : this.resets(db, ref)
    this.begin(EffectType.remove, database, key, keyOff, keyLen)
    this.writer.putByte((due ? REMOVE_DUE : 0) | (resets.length > 0 ? HAS_RESETS : 0))
    if (resets.length > 0) this.putResets(resets)
    this.strings.remove(db, ref, due, resets)
    this.keyspace.observer?.keyChanged(database, key, keyOff, keyLen)
  }

  /**
   * INCR family on integers. result is the visible value afterwards, which the caller has computed and checked; both are safe integers.
   */
  addInteger(database: number, key: Uint8Array, keyOff: number, keyLen: number, n: number, result: number): void {
    const db = this.keyspace.database(database)
    const ref = db.lookup(key, keyOff, keyLen)
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
    const ref = db.lookup(key, keyOff, keyLen)
    if (this.solo && !this.hasExtras(db, ref)) {
      const text = Buffer.from(printDecimal(result), 'latin1')
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
    const ref = db.lookup(key, keyOff, keyLen)
    this.begin(EffectType.expire, database, key, keyOff, keyLen)
    this.writer.putFloat64(at)
    this.strings.expire(db, ref, key, keyOff, keyLen, at)
    this.keyspace.observer?.keyChanged(database, key, keyOff, keyLen)
  }

  /** FLUSHDB. Does nothing to a database that was never used. */
  flush(database: number): void {
    const db = this.keyspace.peek(database)
    if (db === undefined) return
    if (!this.solo) this.removeCounters(database, db)
    this.begin(EffectType.flushDb, database, NO_KEY, 0, 0)
    this.keyspace.observer?.databaseFlushing(database)
    this.strings.flush(database)
  }

  /** Counters are removed one by one, because their removal must say what it saw of them. */
  private removeCounters(database: number, db: Database): void {
    for (let shard = 0; shard < SHARD_COUNT; shard++) {
      for (let i = db.shardCount(shard) - 1; i >= 0; i--) {
        const ref = db.recordAt(shard, i)
        if (!this.strings.hasContributions(db, ref)) continue
        const key = db.key(ref)
        this.remove(database, key, 0, key.length)
      }
    }
  }

  /**
   * A write that would build on what is there begins with a removal when nothing visible is: of a key that is due, or of old expiries that only wait
   * to be stable. Also when no record is left here: another member may still have those expiries, and must not give them to the new value.
   */
  private clearHidden(database: number, db: Database, key: Uint8Array, keyOff: number, keyLen: number): void {
    const ref = db.lookup(key, keyOff, keyLen)
    if (ref === 0 ? this.solo : this.keyspace.isVisible(db, ref)) return
    if (ref !== 0) this.noteExpired(database, db, ref, key, keyOff, keyLen)
    this.writeRemove(database, db, ref, key, keyOff, keyLen, false)
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

  private putResets(resets: readonly Reset[]): void {
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
    const { context, writer, clock } = this
    assert(context.local, 'a local effect while a remote frame is applied')
    let stamp: number
    if (this.inOp) {
      stamp = clock.following()
    } else {
      stamp = clock.next(this.keyspace.nowMs)
      writer.beginOp(stamp)
      this.inOp = true
    }
    context.origin = this.self
    context.stamp = stamp
    context.now = stamp
    this.count++
    writer.beginEffect(type, database, key, off, len)
  }
}

const NO_KEY = new Uint8Array(0)
