import { assert } from '../../base/assert.js'
import { LIMITS } from '../../base/limits.js'
import { CHUNK_SHIFT, UNIT_MASK, type Ref } from '../../memory/arena.js'
import {
  DOT_WORD,
  EXPIRY_DOT_WORD,
  EXPIRY_WORD,
  FLAGS_MASK,
  HAS_EXPIRY,
  HAS_EXTRAS,
  headerBytes,
  KEY_LENGTH_WORD,
  NO_VALUE,
  RAW,
  TYPE_MASK,
  VALUE_LENGTH_WORD,
} from '../../memory/record.js'
import { KeyType, SHARD_COUNT, TYPE_COUNT, type Database } from '../database.js'
import { KeyHasher, SLOT_COUNT } from '../key-hash.js'
import type { Keys } from '../keys.js'
import type { Keyspace } from '../keyspace.js'
import type { StringStore } from '../string-store.js'
import { StateCursor } from './collection-state.js'
import {
  HEAD_EXPIRIES,
  HEAD_ORPHANED,
  NO_MORE_ELEMENTS,
  PART_COMPLEX,
  PART_RAW,
  RECORD_CONTINUES,
  RECORD_HAS_MORE,
} from './key-state-format.js'
import { varintBytes, type StateBytes } from './state-bytes.js'
import { writeContent, writeDot, writeExpiries } from './string-codec.js'

/** What looking at a hidden record of another shard counts, in bytes written. */
const LOOK_BYTES = 16
const DOT_BYTES = 8
const EXPIRY_BYTES = 16
/** Flags, two lengths, head, kind, count of expiries: at most. */
const FRAMING_BYTES = 32
const LEAST_BYTES = 4 * 1024
const SLOTS_PER_SHARD = SLOT_COUNT / SHARD_COUNT

/** What stands in a shard's part of the walk: its table, then hidden records of its keys that have none in front, then keys that moved meanwhile. */
const Phase = { table: 0, hidden: 1, moved: 2 } as const
type Phase = (typeof Phase)[keyof typeof Phase]

/**
 * Writes the states of all keys of one shard, in steps between which commands run. Each key is written as it is at some moment between begin and the end,
 * and a large one in several records, of different moments (docs/decisions/0018). What is there from the beginning to the end is written at least once;
 * a key may be written again, as it is later.
 *
 * The table is walked downwards, so removals hide nothing (see ByteDictionary). What would be missed is a key that goes from a table to another one that
 * has been walked: when a type of it is hidden or shown. Such keys are noted and written at the end.
 */
export class StateWalk {
  /** A large collection gets so much of a record at least, however little of the step is left. Less for tests. */
  leastBytes = LEAST_BYTES
  private database = 0
  private shard = 0
  /** Keys begun since they were last asked for. */
  private begun = 0
  private db: Database | null = null
  private phase: Phase = Phase.table
  /** Records of the table that is walked still to come; -1: not begun. */
  private left = -1
  /** In Phase.hidden: the type whose table is walked. */
  private hiddenType = 1
  /** Keys of this shard that went from one table to another, by their bytes, and those of them that have been written. */
  private readonly moved = new Map<string, Uint8Array>()
  private readonly written = new Set<string>()
  /** The key that is not finished: a copy, and the type that is being written. */
  private openKey: Uint8Array | null = null
  private openType = 0
  private readonly cursor = new StateCursor()
  private readonly hasher = new KeyHasher(0)
  private readonly types = new Uint8Array(TYPE_COUNT)
  private readonly onMove = (db: Database, key: Uint8Array, off: number, len: number) => this.noteMove(db, key, off, len)

  constructor(
    private readonly keyspace: Keyspace,
    private readonly strings: StringStore,
    private readonly keys: Keys,
  ) {}

  /** Stands before the first key of a shard. A walk that was under way is given up. */
  begin(database: number, shard: number): void {
    this.close()
    this.database = database
    this.shard = shard
    this.restart(this.keyspace.peek(database) ?? null)
    this.keyspace.moveListeners.push(this.onMove)
  }

  /** Gives the walk up. Not needed after its end. */
  close(): void {
    const { moveListeners } = this.keyspace
    const at = moveListeners.indexOf(this.onMove)
    if (at >= 0) moveListeners.splice(at, 1)
    this.keyspace.heldKey = null
    this.openKey = null
  }

  /** How many keys have been begun since the last time. */
  takeKeyCount(): number {
    const { begun } = this
    this.begun = 0
    return begun
  }

  /** Appends records for about so many bytes; true when the shard is complete. */
  step(out: StateBytes, bytes: number): boolean {
    const { keyspace } = this
    const end = out.length + bytes
    const db = keyspace.peek(this.database) ?? null
    // Keys are looked up where they lie in the arena: what lay there before, and will lie there, has other hashes.
    keyspace.beginCommand()
    const isComplete = this.stepOn(db, out, end)
    keyspace.beginCommand()
    return isComplete
  }

  private stepOn(db: Database | null, out: StateBytes, end: number): boolean {
    if (db !== this.db) {
      // Flushed: what is there now came after that.
      if (this.openKey !== null) this.endOpenKey(out)
      this.restart(db)
    }
    if (db === null) return this.end()
    while (this.openKey !== null) {
      if (out.length >= end) return false
      this.continueKey(db, out, end)
    }
    return this.stepTable(db, out, end)
  }

  private stepTable(db: Database, out: StateBytes, end: number): boolean {
    if (this.phase === Phase.table) {
      const { shard } = this
      const count = db.shardCount(shard)
      if (this.left < 0 || this.left > count) this.left = count
      while (this.left > 0) {
        if (out.length >= end) return false
        this.left--
        if (!this.writeRecord(db, db.recordAt(shard, this.left), out, end)) return false
      }
      this.phase = Phase.hidden
      this.left = -1
    }
    if (this.phase === Phase.hidden && !this.stepHidden(db, out, end)) return false
    return this.stepMoved(db, out, end)
  }

  private stepHidden(db: Database, out: StateBytes, end: number): boolean {
    let budget = end - out.length
    for (; this.hiddenType < TYPE_COUNT && db.hiddenOf(this.shard) > 0; this.hiddenType++, this.left = -1) {
      const table = SHARD_COUNT + this.hiddenType
      const count = db.shardCount(table)
      if (this.left < 0 || this.left > count) this.left = count
      while (this.left > 0) {
        if (budget <= 0) return false
        this.left--
        budget -= LOOK_BYTES
        const ref = db.recordAt(table, this.left)
        const key = db.arena.u8[ref >>> CHUNK_SHIFT]
        const off = db.keyOffset(ref)
        const len = db.keyLength(ref)
        if (this.shardOf(key, off, len) !== this.shard || db.lookup(key, off, len) !== 0) continue
        // Its other hidden types come by here too: they are written with the lowest.
        if (!this.isLowestHidden(db, key, off, len)) continue
        const before = out.length
        if (!this.writeKey(db, 0, key, off, len, out, end)) return false
        budget -= out.length - before
      }
    }
    this.phase = Phase.moved
    return true
  }

  private stepMoved(db: Database, out: StateBytes, end: number): boolean {
    for (const [text, key] of this.moved) {
      if (out.length >= end) return false
      this.moved.delete(text)
      if (this.written.has(text)) continue
      this.written.add(text)
      if (!this.writeKey(db, db.lookup(key, 0, key.length), key, 0, key.length, out, end)) return false
    }
    return this.end()
  }

  private end(): boolean {
    this.close()
    return true
  }

  private restart(db: Database | null): void {
    this.db = db
    this.phase = Phase.table
    this.left = -1
    this.hiddenType = 1
    this.moved.clear()
    this.written.clear()
  }

  private noteMove(db: Database, key: Uint8Array, off: number, len: number): void {
    if (db !== this.db || this.shardOf(key, off, len) !== this.shard) return
    const copy = key.slice(off, off + len)
    this.moved.set(Buffer.from(copy).toString('latin1'), copy)
  }

  private shardOf(key: Uint8Array, off: number, len: number): number {
    this.hasher.compute(key, off, len)
    return Math.floor(this.hasher.slot / SLOTS_PER_SHARD)
  }

  private isLowestHidden(db: Database, key: Uint8Array, off: number, len: number): boolean {
    for (let type = 1; type < this.hiddenType; type++) if (db.lookupHidden(type, key, off, len) !== 0) return false
    return true
  }

  /** Writes the key of a record in front. False when it is not finished: the step is over. */
  private writeRecord(db: Database, ref: Ref, out: StateBytes, end: number): boolean {
    const chunk = ref >>> CHUNK_SHIFT
    const words = db.arena.u32[chunk]
    const w = (ref & UNIT_MASK) << 1
    const flags = words[w] & FLAGS_MASK
    const off = (w << 2) + headerBytes(flags)
    const len = words[w + KEY_LENGTH_WORD]
    if ((flags & (TYPE_MASK | HAS_EXTRAS | NO_VALUE)) !== KeyType.string || db.hiddenOf(this.shard) > 0) {
      return this.writeKey(db, ref, db.arena.u8[chunk], off, len, out, end)
    }
    const valueLen = words[w + VALUE_LENGTH_WORD]
    const hasExpiry = (flags & HAS_EXPIRY) !== 0
    const content = DOT_BYTES + valueLen
    const body = varintBytes(len) + len + (hasExpiry ? 2 + EXPIRY_BYTES : 1) + 1 + varintBytes(content) + content
    this.begun++
    out.reserve(body + FRAMING_BYTES)
    out.u8(0)
    out.varint(body)
    const bytes = db.arena.u8[chunk]
    out.block(bytes, off, len)
    if (hasExpiry) {
      out.u8(1 | HEAD_EXPIRIES)
      out.u8(1)
      out.dot(words[w + EXPIRY_DOT_WORD], words[w + EXPIRY_DOT_WORD + 1])
      out.f64(db.arena.f64[chunk][(w + EXPIRY_WORD) >>> 1])
    } else {
      out.u8(1)
    }
    out.u8(KeyType.string | (flags & RAW))
    out.varint(content)
    out.dot(words[w + DOT_WORD], words[w + DOT_WORD + 1])
    out.raw(bytes, off + len, valueLen)
    return true
  }

  /** Writes a whole key, whatever it holds, or the first record of it. front: its record, 0 for none. */
  private writeKey(db: Database, front: Ref, key: Uint8Array, off: number, len: number, out: StateBytes, end: number): boolean {
    const { types } = this
    let parts = 0
    for (let type = 1; type < TYPE_COUNT; type++) {
      if (this.recordOf(db, front, type, key, off, len) !== 0) types[parts++] = type
    }
    if (front === 0 && parts === 0) return true
    this.begun++
    const record = out.length
    out.u8(0)
    const body = out.open()
    out.block(key, off, len)
    const head = out.length
    out.u8(0)
    let bits = front === 0 ? 0 : this.writeKeyExpiries(db, front, out)
    const limit = this.limitOf(out, end)
    for (let i = 0; i < parts; i++) {
      bits++
      const ref = this.recordOf(db, front, types[i], key, off, len)
      this.cursor.reset()
      if (this.writePart(db, types[i], ref, out, limit)) continue
      this.openKey = key.slice(off, off + len)
      this.openType = types[i]
      this.keyspace.heldKey = { db, key: this.openKey }
      break
    }
    out.bytes[head] = bits
    if (this.openKey !== null) out.bytes[record] = RECORD_HAS_MORE
    out.close(body)
    return this.openKey === null
  }

  /** Writes one more record of the open key. */
  private continueKey(db: Database, out: StateBytes, end: number): void {
    const key = this.openKey
    if (key === null) return
    const record = out.length
    const limit = this.limitOf(out, end)
    out.u8(RECORD_CONTINUES)
    const body = out.open()
    out.block(key, 0, key.length)
    const head = out.length
    out.u8(0)
    const front = db.lookup(key, 0, key.length)
    let complete = true
    let parts = 0
    for (let type = this.openType; type < TYPE_COUNT && complete; type++) {
      if (type !== this.openType) this.cursor.reset()
      const ref = this.recordOf(db, front, type, key, 0, key.length)
      if (ref === 0) continue
      this.openType = type
      parts++
      complete = this.writePart(db, type, ref, out, limit)
    }
    out.bytes[head] = parts
    if (complete) {
      this.openKey = null
      this.keyspace.heldKey = null
    } else {
      out.bytes[record] |= RECORD_HAS_MORE
    }
    out.close(body)
  }

  /** Writes that nothing more comes of the open key. */
  private endOpenKey(out: StateBytes): void {
    const key = this.openKey
    if (key === null) return
    this.openKey = null
    this.keyspace.heldKey = null
    out.u8(RECORD_CONTINUES)
    const body = out.open()
    out.block(key, 0, key.length)
    out.u8(0)
    out.close(body)
  }

  /** Where a record that begins here is to end, in a step that ends at `end`. */
  private limitOf(out: StateBytes, end: number): number {
    return out.length + Math.min(Math.max(end - out.length, this.leastBytes), LIMITS.stateRecordBytes)
  }

  /** Writes what the front record says of the key's expiry. Gives the bits of the head. */
  private writeKeyExpiries(db: Database, front: Ref, out: StateBytes): number {
    const flags = db.flags(front)
    if ((flags & (HAS_EXPIRY | HAS_EXTRAS)) === 0) return 0
    if ((flags & HAS_EXTRAS) === 0 && (flags & TYPE_MASK) !== KeyType.none) {
      out.u8(1)
      writeDot(out, db.expiryMember(front), db.expiryStamp(front))
      out.f64(db.expiresAt(front))
      return HEAD_EXPIRIES
    }
    const state = this.strings.load(db, front)
    const { expiries, orphanedAt } = state
    if (expiries.length === 0) return 0
    writeExpiries(out, expiries)
    if (orphanedAt === 0) return HEAD_EXPIRIES
    out.f64(orphanedAt)
    return HEAD_EXPIRIES | HEAD_ORPHANED
  }

  /** Writes what a record holds, or goes on with it; true when all of it is written. */
  private writePart(db: Database, type: number, ref: Ref, out: StateBytes, limit: number): boolean {
    if (type === KeyType.string) {
      this.writeString(db, ref, out)
      return true
    }
    const { cursor } = this
    const { state } = this.keys.store(type)
    const root = db.root(ref)
    out.u8(type)
    const header = out.open()
    if (cursor.isNew) state.writeHeader(db, root, out)
    out.close(header)
    cursor.beginRecord()
    const complete = state.writeElements(db, root, cursor, out, Math.max(1, limit - out.length))
    cursor.isNew = false
    out.u8(NO_MORE_ELEMENTS)
    return complete
  }

  private writeString(db: Database, ref: Ref, out: StateBytes): void {
    const flags = db.flags(ref)
    if ((flags & (HAS_EXTRAS | NO_VALUE)) === 0) {
      const words = db.arena.u32[ref >>> CHUNK_SHIFT]
      const w = ((ref & UNIT_MASK) << 1) + DOT_WORD
      const length = db.valueLength(ref)
      out.u8(KeyType.string | (flags & RAW))
      out.varint(DOT_BYTES + length)
      out.dot(words[w], words[w + 1])
      out.raw(db.arena.u8[ref >>> CHUNK_SHIFT], db.valueOffset(ref), length)
      return
    }
    const state = this.strings.load(db, ref)
    const [register] = state.registers
    // The rest may be of the expiry only.
    const isPlain = state.registers.length === 1 && state.edits.length === 0 && state.contributions.length === 0
    out.u8(KeyType.string | (isPlain ? 0 : PART_COMPLEX) | (flags & RAW))
    const content = out.open()
    if (isPlain) {
      writeDot(out, register.member, register.stamp)
      out.raw(register.value, 0, register.value.length)
    } else {
      writeContent(out, state, false)
    }
    out.close(content)
  }

  /** The record of what a key holds of a type; 0 for none. */
  private recordOf(db: Database, front: Ref, type: number, key: Uint8Array, off: number, len: number): Ref {
    if (front !== 0 && db.type(front) === type) return front
    return db.hiddenOf(this.shard) === 0 ? 0 : db.lookupHidden(type, key, off, len)
  }
}

// A string's flag goes from its record into its part as it is.
assert(RAW === PART_RAW, 'the flag of raw strings stands elsewhere in parts')
