import { copyBytes, parseInteger, writeInteger } from '../base/bytes.js'
import type { Decimal } from '../base/decimal.js'
import { decimalOf } from '../base/decimal.js'
import { LIMITS } from '../base/limits.js'
import type { ApplyContext } from '../crdt/apply-context.js'
import {
  applyEdit,
  applyExpire,
  applyIncrement,
  applyRemove,
  applySet,
  baseText,
  emptyStringState,
  hasValue,
  isUnsettled,
  settle,
  visibleExpiry,
  visibleText,
  writeBits,
  type Edit,
  type Reset,
  type StringState,
} from '../crdt/string-state.js'
import { CHUNK_SHIFT, UNIT_MASK, type Ref } from '../memory/arena.js'
import { HAS_EXPIRY, HAS_EXTRAS, HIDDEN, NO_VALUE, RAW, TYPE_MASK } from '../memory/record.js'
import { KeyType } from './database.js'
import { sketchLength, sketchOffset } from './hll-block.js'
import type { Keyspace } from './keyspace.js'
import type { RecordSpace } from './record-space.js'
import {
  appendEdit,
  comesLast,
  CONTRIBUTION_BASE,
  CONTRIBUTION_EPOCH,
  CONTRIBUTION_STAMP,
  CONTRIBUTION_TOTAL,
  CONTRIBUTION_WORDS,
  EXTRAS_HEAD_WORDS,
  extrasContributions,
  extrasRestBytes,
  isMaterialized,
  readExtras,
  writeExtras,
} from './string-extras.js'

/** What a set-string effect does to the expiry. */
export const ExpiryMode = { clear: 0, set: 1, keep: 2 } as const

export const NO_RESETS: readonly Reset[] = []

/**
 * Applies the effects on string keys to records. Plain values (one register entry, at most one expiry, everything observed) and small
 * counters are changed in place and allocate nothing on the heap; everything else is loaded as a StringState, changed by its
 * rules, and stored again. Both ways must mean the same, which the conformance tests hold against each other.
 *
 * Each effect gets the record that `db.lookup` of the key gave (0 for none), with no other lookup in between: a new record takes
 * the key's hash from there.
 */
export class StringStore {
  /** Result of read: the visible value is buf[off .. off+len). Valid until the next change or read. */
  buf: Uint8Array = new Uint8Array(0)
  off = 0
  len = 0
  private readonly digits = new Uint8Array(24)

  constructor(
    private readonly keyspace: Keyspace,
    private readonly context: ApplyContext,
  ) {}

  /** True when the key's state has counter contributions: writes over them say what they saw. */
  hasContributions(db: RecordSpace, ref: Ref): boolean {
    const extras = db.extras(ref)
    return extras !== 0 && extrasContributions(db.arena, extras) > 0
  }

  /** True when the unstable edits of a string take so much room that its whole value is the better thing to ship. */
  hasManyEdits(db: RecordSpace, ref: Ref): boolean {
    const extras = db.extras(ref)
    if (extras === 0 || !isMaterialized(db.arena, extras)) return false
    return extrasRestBytes(db.arena, extras) > db.valueLength(ref) * 2 + LIMITS.minUnstableEditBytes
  }

  /** Makes the visible value of a record with a string available in buf, off, len. */
  read(db: RecordSpace, ref: Ref): void {
    const flags = db.flags(ref)
    if ((flags & TYPE_MASK) === KeyType.hll) {
      const root = db.root(ref)
      this.buf = db.arena.u8[root >>> CHUNK_SHIFT]
      this.off = sketchOffset(root)
      this.len = sketchLength(db.arena, root)
      return
    }
    if ((flags & (HAS_EXTRAS | NO_VALUE)) === 0) {
      this.buf = db.arena.u8[ref >>> CHUNK_SHIFT]
      this.off = db.valueOffset(ref)
      this.len = db.valueLength(ref)
      return
    }
    // The record's value is the base text in every form; only contributions change what is visible.
    if ((flags & HAS_EXTRAS) !== 0 && extrasContributions(db.arena, db.extras(ref)) === 0) {
      this.buf = db.arena.u8[ref >>> CHUNK_SHIFT]
      this.off = db.valueOffset(ref)
      this.len = db.valueLength(ref)
      return
    }
    const counter = this.counterValue(db, ref)
    if (counter === counter) {
      this.buf = this.digits
      this.off = 0
      this.len = writeInteger(counter, this.digits, 0)
      return
    }
    const text = visibleText(this.load(db, ref)) ?? new Uint8Array(0)
    this.buf = text
    this.off = 0
    this.len = text.length
  }

  /** The visible value as a safe integer without touching the heap; NaN when it is none or not in the small form. */
  counterValue(db: RecordSpace, ref: Ref): number {
    const flags = db.flags(ref)
    if ((flags & TYPE_MASK) === KeyType.hll) return NaN
    const chunk = ref >>> CHUNK_SHIFT
    let value = (flags & NO_VALUE) !== 0 ? 0 : parseInteger(db.arena.u8[chunk], db.valueOffset(ref), db.valueLength(ref))
    if ((flags & HAS_EXTRAS) === 0) return value
    const extras = db.extras(ref)
    const words = db.arena.u32[extras >>> CHUNK_SHIFT]
    const doubles = db.arena.f64[extras >>> CHUNK_SHIFT]
    const w = (extras & UNIT_MASK) << 1
    for (let i = 0, at = w + EXTRAS_HEAD_WORDS; i < words[w]; i++, at += CONTRIBUTION_WORDS) {
      if (words[at + 1] !== 0) return NaN
      // A double that is no safe integer on the way may be off by one and still end in a safe one.
      const difference = doubles[(at >>> 1) + CONTRIBUTION_TOTAL] - doubles[(at >>> 1) + CONTRIBUTION_BASE]
      value += difference
      if (!Number.isSafeInteger(difference) || !Number.isSafeInteger(value)) return NaN
    }
    return value
  }

  /** Index into the f64 view of a member's small contribution, or -1. */
  private smallContribution(db: RecordSpace, ref: Ref, member: number): number {
    const extras = db.extras(ref)
    if (extras === 0) return -1
    const words = db.arena.u32[extras >>> CHUNK_SHIFT]
    const w = (extras & UNIT_MASK) << 1
    for (let i = 0, at = w + EXTRAS_HEAD_WORDS; i < words[w]; i++, at += CONTRIBUTION_WORDS) {
      if (words[at] === member && words[at + 1] === 0) return at >>> 1
    }
    return -1
  }

  /** Epoch of a member's small contribution, or 0 when it has none in that form. */
  contributionEpoch(db: RecordSpace, ref: Ref, member: number): number {
    const d = this.smallContribution(db, ref, member)
    return d < 0 ? 0 : db.arena.f64[db.extras(ref) >>> CHUNK_SHIFT][d + CONTRIBUTION_EPOCH]
  }

  /** Total of a member's small contribution; it must have one. */
  contributionTotal(db: RecordSpace, ref: Ref, member: number): number {
    const d = this.smallContribution(db, ref, member)
    return db.arena.f64[db.extras(ref) >>> CHUNK_SHIFT][d + CONTRIBUTION_TOTAL]
  }

  set(
    db: RecordSpace,
    from: Ref,
    key: Uint8Array,
    keyOff: number,
    keyLen: number,
    value: Uint8Array,
    off: number,
    len: number,
    mode: number,
    at: number,
    resets: readonly Reset[],
  ): void {
    const { origin, stamp } = this.context
    this.noteWrite(db)
    let ref = from
    const setsExpiry = mode === ExpiryMode.set
    if (ref === 0) {
      ref = db.insert(KeyType.string | (setsExpiry ? HAS_EXPIRY : 0), key, keyOff, keyLen, len, this.keyspace.freshAccess)
    } else {
      if (!this.isPlain(db, ref, mode !== ExpiryMode.keep)) {
        const expiry = setsExpiry
          ? ({ kind: 'set', at } as const)
          : ({ kind: mode === ExpiryMode.keep ? 'keep' : 'clear' } as const)
        const state = this.load(db, ref)
        applySet(state, this.context, value.slice(off, off + len), expiry, resets)
        this.store(db, ref, state, false, key, keyOff, keyLen)
        return
      }
      const kept = mode === ExpiryMode.keep ? db.flags(ref) & HAS_EXPIRY : 0
      ref = db.reshape(ref, KeyType.string | (setsExpiry ? HAS_EXPIRY : kept), len, false)
      this.keyspace.touch(db, ref)
    }
    copyBytes(value, off, db.arena.u8[ref >>> CHUNK_SHIFT], db.valueOffset(ref), len)
    db.setDot(ref, origin, stamp)
    if (setsExpiry) db.setExpiry(ref, at, origin, stamp)
  }

  /** A record that is a string and nothing else: no expiry, nothing of other members that waits, not edited. */
  isBare(db: RecordSpace, ref: Ref): boolean {
    return db.flags(ref) === KeyType.string
  }

  /** As set, for a local write to a bare record: it has observed what is there. */
  overwrite(db: RecordSpace, from: Ref, value: Uint8Array, off: number, len: number): void {
    const { origin, stamp } = this.context
    this.noteWrite(db)
    const ref = db.valueLength(from) === len ? from : db.reshape(from, KeyType.string, len, false)
    this.keyspace.touch(db, ref)
    copyBytes(value, off, db.arena.u8[ref >>> CHUNK_SHIFT], db.valueOffset(ref), len)
    db.setDot(ref, origin, stamp)
  }

  remove(db: RecordSpace, ref: Ref, keepExpiry: boolean, resets: readonly Reset[]): void {
    this.noteWrite(db)
    if (ref === 0) return
    const flags = db.flags(ref)
    const leavesExpiry = keepExpiry && (flags & HAS_EXPIRY) !== 0 && !this.keyspace.stability.coversAllUpTo(this.context.now)
    if (!leavesExpiry && (flags & NO_VALUE) === 0 && this.isPlain(db, ref, !keepExpiry)) {
      db.remove(ref)
      return
    }
    const state = this.load(db, ref)
    applyRemove(state, this.context, keepExpiry, resets)
    this.store(db, ref, state, false, EMPTY, 0, 0)
  }

  increment(
    db: RecordSpace,
    ref: Ref,
    key: Uint8Array,
    keyOff: number,
    keyLen: number,
    epoch: number,
    total: number,
    n: number,
  ): void {
    const { origin, stamp } = this.context
    const d = ref === 0 ? -1 : this.smallContribution(db, ref, origin)
    if (d >= 0) {
      const doubles = db.arena.f64[db.extras(ref) >>> CHUNK_SHIFT]
      if (doubles[d + CONTRIBUTION_EPOCH] === epoch && Number.isSafeInteger(total)) {
        this.noteWrite(db)
        if (doubles[d + CONTRIBUTION_STAMP] < stamp) {
          doubles[d + CONTRIBUTION_STAMP] = stamp
          doubles[d + CONTRIBUTION_TOTAL] = total
        }
        this.keyspace.touch(db, ref)
        return
      }
    }
    this.incrementExact(db, ref, key, keyOff, keyLen, epoch, decimalOf(total), decimalOf(n))
  }

  incrementExact(
    db: RecordSpace,
    ref: Ref,
    key: Uint8Array,
    keyOff: number,
    keyLen: number,
    epoch: number,
    total: Decimal,
    n: Decimal,
  ): void {
    this.noteWrite(db)
    const state = this.load(db, ref)
    applyIncrement(state, this.context, epoch, total, n)
    this.store(db, ref, state, false, key, keyOff, keyLen)
  }

  edit(db: RecordSpace, ref: Ref, key: Uint8Array, keyOff: number, keyLen: number, edit: Edit): void {
    this.noteWrite(db)
    const { origin, stamp } = this.context
    if (
      ref !== 0 &&
      this.keyspace.stability.covers(origin, stamp) &&
      (db.flags(ref) & NO_VALUE) === 0 &&
      this.isPlain(db, ref, false)
    ) {
      this.editInPlace(db, ref, edit)
      return
    }
    const extras = ref === 0 ? 0 : db.extras(ref)
    if (
      extras !== 0 &&
      isMaterialized(db.arena, extras) &&
      comesLast(db.arena, extras, origin, stamp) &&
      db.dotStamp(ref) < stamp
    ) {
      const to = this.editInPlace(db, ref, edit)
      db.setExtras(to, appendEdit(db.arena, extras, { member: origin, stamp, edit }))
      return
    }
    const state = this.load(db, ref)
    // What is appended to nothing is a value like any other: Redis encodes it anew.
    const raw = hasValue(state) || edit.kind !== 'append'
    applyEdit(state, this.context, edit)
    this.store(db, ref, state, raw, key, keyOff, keyLen)
  }

  /**
   * Applies an edit to the record's value: the register itself when the edit is stable at once, because this member is the only one; else the
   * text that register and edits make.
   */
  private editInPlace(db: RecordSpace, ref: Ref, edit: Edit): Ref {
    const oldLength = db.valueLength(ref)
    const length = Math.max(oldLength, lengthAfter(oldLength, edit))
    const slack = length > db.valueCapacity(ref) ? Math.min(length, MAX_SLACK_BYTES) : 0
    const to = db.reshape(ref, (db.flags(ref) & ~TYPE_MASK) | KeyType.string | RAW, length, true, slack)
    const bytes = db.arena.u8[to >>> CHUNK_SHIFT]
    const start = db.valueOffset(to)
    if (edit.kind === 'append') {
      bytes.set(edit.bytes.subarray(0, length - oldLength), start + oldLength)
    } else {
      if (length > oldLength) bytes.fill(0, start + oldLength, start + length)
      if (edit.kind === 'set-bits') writeBits(bytes, start, edit.offset, edit.width, edit.value)
      else if (edit.bytes.length > 0) bytes.set(edit.bytes, start + edit.offset)
    }
    if (db.extras(to) === 0) db.setDot(to, this.context.origin, this.context.stamp)
    this.keyspace.touch(db, to)
    return to
  }

  expire(db: RecordSpace, ref: Ref, key: Uint8Array, keyOff: number, keyLen: number, at: number): void {
    this.noteWrite(db)
    const { origin, stamp } = this.context
    if (ref !== 0 && (db.flags(ref) & (HAS_EXTRAS | NO_VALUE)) === 0) {
      const flags = db.flags(ref)
      if ((flags & HAS_EXPIRY) === 0 || this.context.covers(db.expiryMember(ref), db.expiryStamp(ref))) {
        if (at === Infinity && this.keyspace.stability.covers(origin, stamp)) {
          db.reshape(ref, flags & ~HAS_EXPIRY, db.valueLength(ref), true)
          return
        }
        const to = db.reshape(ref, flags | HAS_EXPIRY, db.valueLength(ref), true)
        db.setExpiry(to, at, origin, stamp)
        if (at === Infinity) db.markUnsettled(to)
        return
      }
    }
    const state = this.load(db, ref)
    applyExpire(state, this.context, at)
    this.store(db, ref, state, ref !== 0 && (db.flags(ref) & RAW) !== 0, key, keyOff, keyLen)
  }

  /** Folds and drops what has become stable in one record of a string, or of no type. */
  settleRecord(db: RecordSpace, ref: Ref): void {
    const flags = db.flags(ref)
    if ((flags & (HAS_EXTRAS | NO_VALUE)) === 0 && !((flags & HAS_EXPIRY) !== 0 && db.expiresAt(ref) === Infinity)) return
    const state = this.load(db, ref)
    if (isUnsettled(state)) this.store(db, ref, state, (flags & RAW) !== 0, EMPTY, 0, 0)
  }

  /** The whole state of a key; empty when ref is 0, the expiries alone when it holds a collection. Values are copies. */
  load(db: RecordSpace, ref: Ref): StringState {
    const state = emptyStringState()
    if (ref === 0) return state
    const flags = db.flags(ref)
    if ((flags & HAS_EXTRAS) !== 0) readExtras(db.arena, db.extras(ref), state)
    const materialized = (flags & HAS_EXTRAS) !== 0 && isMaterialized(db.arena, db.extras(ref))
    const type = flags & TYPE_MASK
    if (type === KeyType.string && (flags & NO_VALUE) === 0 && !materialized) {
      const start = db.valueOffset(ref)
      const value = db.arena.u8[ref >>> CHUNK_SHIFT].slice(start, start + db.valueLength(ref))
      // The record holds the highest entry.
      state.registers.push({ member: db.dotMember(ref), stamp: db.dotStamp(ref), value })
    } else if (type === KeyType.none) {
      state.orphanedAt = db.dotStamp(ref)
    }
    if ((flags & HAS_EXPIRY) !== 0) {
      state.expiries.push({ member: db.expiryMember(ref), stamp: db.expiryStamp(ref), at: db.expiresAt(ref) })
      state.expiries.sort((a, b) => a.stamp - b.stamp || a.member - b.member)
    }
    return state
  }

  /** Settles a state and writes it back, in the smallest form that holds it. The key is needed only when there is no record yet. */
  private store(
    db: RecordSpace,
    from: Ref,
    state: StringState,
    raw: boolean,
    key: Uint8Array,
    keyOff: number,
    keyLen: number,
  ): void {
    settle(state, this.keyspace.stability)
    this.write(db, from, state, raw, key, keyOff, keyLen)
  }

  /** Writes a state as it is to a record of a string or of no type, made if there is none; a state without anything takes the record away. */
  write(db: RecordSpace, from: Ref, state: StringState, raw: boolean, key: Uint8Array, keyOff: number, keyLen: number): Ref {
    const oldExtras = from === 0 ? 0 : db.extras(from)
    if (!hasValue(state) && state.expiries.length === 0) {
      if (oldExtras !== 0) db.arena.free(oldExtras)
      if (from !== 0) db.remove(from)
      return 0
    }
    const register = state.registers.at(-1) ?? null
    const edited = state.edits.length > 0
    const expiry = visibleExpiry(state)
    const extras = writeExtras(db.arena, state, edited ? null : register, expiry)
    const value = edited ? baseText(state) : (register?.value ?? EMPTY)
    const length = value.length
    const flags =
      (hasValue(state) ? KeyType.string : KeyType.none) |
      (expiry === null ? 0 : HAS_EXPIRY) |
      (extras === 0 ? 0 : HAS_EXTRAS) |
      (register === null && !edited ? NO_VALUE : 0) |
      (raw ? RAW : 0) |
      (from === 0 ? 0 : db.flags(from) & HIDDEN)
    let ref = from
    if (ref === 0) {
      // lookup has been asked for this key last, so its hash is at hand.
      ref = db.insert(flags, key, keyOff, keyLen, length, this.keyspace.freshAccess)
    } else {
      ref = db.reshape(ref, flags, length, false)
      this.keyspace.touch(db, ref)
    }
    if (oldExtras !== 0) db.arena.free(oldExtras)
    if (extras !== 0) db.setExtras(ref, extras)
    if (length > 0) db.arena.u8[ref >>> CHUNK_SHIFT].set(value, db.valueOffset(ref))
    if (register !== null) db.setDot(ref, register.member, register.stamp)
    else db.setDot(ref, 0, state.orphanedAt)
    if (expiry !== null) db.setExpiry(ref, expiry.at, expiry.member, expiry.stamp)
    if (isUnsettled(state)) {
      db.markUnsettled(ref)
      this.keyspace.unsettledCount++
    }
    return ref
  }

  /** True when the record is in the plain form and the effect has observed its register and, if asked, its expiry. */
  private isPlain(db: RecordSpace, ref: Ref, withExpiry: boolean): boolean {
    const flags = db.flags(ref)
    if ((flags & HAS_EXTRAS) !== 0) return false
    if ((flags & NO_VALUE) === 0 && !this.context.covers(db.dotMember(ref), db.dotStamp(ref))) return false
    return !withExpiry || (flags & HAS_EXPIRY) === 0 || this.context.covers(db.expiryMember(ref), db.expiryStamp(ref))
  }

  private noteWrite(db: RecordSpace): void {
    db.noteWrite(this.context.origin, this.context.stamp)
  }
}

const EMPTY = new Uint8Array(0)
/** Room given beyond the length to a string that grows in place: as much again, up to this. */
const MAX_SLACK_BYTES = 1024 * 1024

function lengthAfter(length: number, edit: Edit): number {
  switch (edit.kind) {
    case 'append':
      return Math.min(length + edit.bytes.length, LIMITS.maxBulkBytes)
    case 'set-range':
      return edit.bytes.length === 0 ? length : edit.offset + edit.bytes.length
    case 'set-bits':
      return Math.ceil((edit.offset + edit.width) / 8)
  }
}
