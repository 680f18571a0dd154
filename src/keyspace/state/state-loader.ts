import { copyBytes, equalBytes } from '../../base/bytes.js'
import type { ApplyContext } from '../../crdt/apply-context.js'
import { emptyStringState, hasValue, type ExpiryEntry } from '../../crdt/string-state.js'
import { CHUNK_SHIFT, UNIT_MASK, type Ref } from '../../memory/arena.js'
import { DOT_WORD, HAS_EXPIRY, HAS_EXTRAS, HIDDEN, unpackMember, unpackStamp } from '../../memory/record.js'
import { KeyType, ROOT_BYTES, TYPE_COUNT, type Database } from '../database.js'
import type { Keys } from '../keys.js'
import type { Keyspace } from '../keyspace.js'
import type { StringStore } from '../string-store.js'
import type { Observed } from './collection-state.js'
import {
  HEAD_BITS,
  HEAD_EXPIRIES,
  HEAD_ORPHANED,
  HEAD_PARTS,
  PART_BITS,
  PART_COMPLEX,
  PART_RAW,
  PART_TYPE,
  RECORD_CONTINUES,
  RECORD_FLAGS,
  RECORD_HAS_MORE,
} from './key-state-format.js'
import { dropRecord } from './shard-clearer.js'
import { StateReader } from './state-reader.js'
import type { OwnGroup } from './stream-state.js'
import { readContent, readExpiries } from './string-codec.js'

/**
 * Reads records back into the keyspace: what StateWalk wrote. A record that begins a key replaces all that there was of it; one that continues it adds
 * to it. Nothing is noted, logged or notified, and what is stable by Keyspace.stability may be dropped at once, as ever.
 */
export class StateLoader {
  private readonly reader = new StateReader()
  /** The key of the last record: whether further ones belong to it, and what there is of it so far. */
  private isOpen = false
  private key: Uint8Array = NO_KEY
  private parts = 0
  private orphanedAt = 0
  private readonly expiries: ExpiryEntry[] = []
  private database = 0
  /** The key that is being read has a stream. */
  private hasStream = false
  /**
   * What this member had of streams for itself before the first state of another one came, by database and key, until everything has come: after a transfer that was
   * cut the stream is half the other member's, and what is done in it is not what was done here.
   */
  private readonly kept = new Map<string, readonly OwnGroup[]>()
  /** What this member has applied, and does not yet show: for CollectionState.giveBack. */
  applied: Observed | null = null

  /** isForeign: the records are another member's. What is that one's own is passed over, and what is this one's own of a key that is replaced is kept. */
  constructor(
    private readonly keyspace: Keyspace,
    private readonly strings: StringStore,
    private readonly keys: Keys,
    private readonly context: ApplyContext,
    private readonly isForeign: boolean,
  ) {
    this.reader.isForeign = isForeign
  }

  /**
   * Reads the whole records bytes[from .. to) into a database and gives how many keys they begin. A key may go on in the next call; `end` says that there
   * is none.
   * @throws MeridianError MRD_SNAPSHOT_DAMAGED: then the database holds some of it.
   */
  load(database: number, bytes: Uint8Array, from: number, to: number): number {
    const { reader, keyspace } = this
    const db = keyspace.database(database)
    this.database = database
    let keys = 0
    // The bytes may lie where others have lain.
    keyspace.beginCommand()
    for (let at = from; at < to;) {
      reader.begin(bytes, at, to)
      const flags = reader.u8()
      if ((flags & ~RECORD_FLAGS) !== 0) reader.damaged('a record with unknown flags')
      const length = reader.varint()
      if (length > reader.left) reader.damaged('a record that ends early')
      at = reader.at + length
      reader.end = at
      if ((flags & RECORD_CONTINUES) === 0) {
        if (this.isOpen) reader.damaged('a key that is not finished')
        keys++
      }
      this.readRecord(db, flags)
      if (!reader.atEnd) reader.damaged('a record of another length than it says')
    }
    keyspace.beginCommand()
    return keys
  }

  /** The last record has been read. */
  end(): void {
    if (this.isOpen) this.reader.damaged('the last key is not finished')
  }

  /** Forgets a key that is not finished: after an error. */
  reset(): void {
    this.isOpen = false
  }

  /** A record is about to go because another member has it otherwise, or not at all: keeps what of it is this member's own. */
  keepOwn(database: number, db: Database, ref: Ref): void {
    if (db.type(ref) !== KeyType.stream) return
    const off = db.keyOffset(ref)
    const name = keptName(database, db.arena.u8[ref >>> CHUNK_SHIFT].subarray(off, off + db.keyLength(ref)))
    if (this.kept.has(name)) return
    const groups = this.keys.store(KeyType.stream).state.ownGroups?.(db, db.root(ref)) ?? []
    if (groups.length > 0) this.kept.set(name, groups)
  }

  /** Everything has come. */
  forgetKept(): void {
    this.kept.clear()
  }

  /** Where the last whole record in bytes[from .. to) ends; `from` when not even the first is whole. For reading a long run of them in parts. */
  wholeRecords(bytes: Uint8Array, from: number, to: number): number {
    let whole = from
    while (whole < to) {
      let at = whole + 1
      let length = 0
      for (let factor = 1; ; factor *= 128) {
        if (at >= to || factor > MAX_VARINT_FACTOR) return whole
        const byte = bytes[at++]
        length += (byte & 0x7f) * factor
        if (byte < 0x80) break
      }
      if (at + length > to) return whole
      whole = at + length
    }
    return whole
  }

  private readRecord(db: Database, flags: number): void {
    const { reader } = this
    reader.block()
    reader.keyOff = reader.off
    reader.keyLen = reader.len
    const head = reader.u8()
    if ((head & ~HEAD_BITS) !== 0) reader.damaged('a key with an unknown head')
    const parts = head & HEAD_PARTS
    const continues = (flags & RECORD_CONTINUES) !== 0
    const hasMore = (flags & RECORD_HAS_MORE) !== 0
    if (!continues && !hasMore && this.readPlainString(db, head)) return
    if (continues) {
      if (!this.isOpen || !this.isOpenKey()) reader.damaged('a record that continues another key')
      if (head !== parts) reader.damaged('an expiry in the middle of a key')
    } else {
      this.beginKey(db, head, hasMore)
    }
    this.isOpen = hasMore
    for (let i = 0; i < parts; i++) this.readPart(db, continues)
    if (!hasMore) this.finishKey(db)
  }

  /** The usual key: a string of one value, with at most one expiry, on which nothing else depends. False: it is none, and nothing was read. */
  private readPlainString(db: Database, head: number): boolean {
    const { reader } = this
    if (head !== 1 && head !== (1 | HEAD_EXPIRIES)) return false
    const { bytes, keyOff, keyLen, at } = reader
    const hasExpiry = head !== 1
    let expiresAt = 0
    let high = 0
    let low = 0
    if (hasExpiry) {
      if (reader.u8() !== 1) {
        reader.at = at
        return false
      }
      reader.dot()
      high = reader.dotHigh
      low = reader.dotLow
      expiresAt = reader.time()
    }
    const kind = reader.u8()
    if ((kind & ~PART_RAW) !== KeyType.string || expiresAt === Infinity) {
      reader.at = at
      return false
    }
    reader.block()
    const { off, len } = reader
    const after = reader.at
    if (len < DOT_BYTES) reader.damaged('a string without a dot')
    reader.at = off
    reader.dot()
    reader.at = after
    const found = db.lookup(bytes, keyOff, keyLen)
    if (found !== 0 || db.hiddenCount > 0) {
      this.dropKey(db)
      db.lookup(bytes, keyOff, keyLen)
    }
    const length = len - DOT_BYTES
    const flags = KeyType.string | (kind & PART_RAW) | (hasExpiry ? HAS_EXPIRY : 0)
    const ref = db.insert(flags, bytes, keyOff, keyLen, length, this.keyspace.freshAccess)
    const words = db.arena.u32[ref >>> CHUNK_SHIFT]
    const w = ((ref & UNIT_MASK) << 1) + DOT_WORD
    words[w] = reader.dotHigh
    words[w + 1] = reader.dotLow
    copyBytes(bytes, off + DOT_BYTES, db.arena.u8[ref >>> CHUNK_SHIFT], db.valueOffset(ref), length)
    if (hasExpiry) db.setExpiry(ref, expiresAt, unpackMember(high), unpackStamp(high, low))
    return true
  }

  /** A key begins that is not the usual one. Its expiries are read. */
  private beginKey(db: Database, head: number, hasMore: boolean): void {
    const { reader, expiries } = this
    expiries.length = 0
    this.orphanedAt = 0
    this.parts = 0
    this.hasStream = false
    if ((head & HEAD_EXPIRIES) !== 0) {
      readExpiries(reader, expiries)
      if (expiries.length === 0) reader.damaged('a list of no expiries')
    }
    if ((head & HEAD_ORPHANED) !== 0) this.orphanedAt = reader.stampOrZero()
    if (hasMore) this.key = reader.bytes.slice(reader.keyOff, reader.keyOff + reader.keyLen)
    this.dropKey(db)
    if (expiries.length === 0) return
    // The expiries wait at a record of no type, which the first part that clients see takes over.
    const { bytes, keyOff, keyLen } = reader
    const state = { ...emptyStringState(), expiries: [...expiries], orphanedAt: this.orphanedAt }
    db.lookup(bytes, keyOff, keyLen)
    this.strings.write(db, 0, state, false, bytes, keyOff, keyLen)
  }

  private readPart(db: Database, continues: boolean): void {
    const { reader } = this
    const kind = reader.u8()
    if ((kind & ~PART_BITS) !== 0 || (kind & PART_TYPE) === 0) reader.damaged('a part of unknown kind')
    const type = kind & PART_TYPE
    if (type === KeyType.string) {
      this.readString(db, kind)
      return
    }
    if (kind !== type) reader.damaged('a part of unknown kind')
    this.readCollection(db, type, continues)
  }

  private readString(db: Database, kind: number): void {
    const { reader } = this
    const { bytes, keyOff, keyLen, end } = reader
    if (this.partOf(db, KeyType.string) !== 0) reader.damaged('a key with two strings')
    reader.block()
    const after = reader.at
    reader.at = reader.off
    reader.end = after
    const state = emptyStringState()
    if ((kind & PART_COMPLEX) !== 0) {
      readContent(reader, state)
      if (!hasValue(state) || state.expiries.length > 0) reader.damaged('a string without a value')
    } else {
      reader.dot()
      const { member, stamp } = reader
      reader.raw(reader.left)
      state.registers.push({ member, stamp, value: reader.copy() })
    }
    if (!reader.atEnd) reader.damaged('a string of another length than it says')
    reader.end = end
    const raw = (kind & PART_RAW) !== 0
    const front = db.lookup(bytes, keyOff, keyLen)
    if (this.parts++ === 0) {
      state.expiries = [...this.expiries]
      this.strings.write(db, front, state, raw, bytes, keyOff, keyLen)
      return
    }
    const hidden = db.insert(KeyType.string | HIDDEN, bytes, keyOff, keyLen, 0, this.keyspace.freshAccess)
    this.keyspace.noteUnsettled(db, this.strings.write(db, hidden, state, raw, bytes, keyOff, keyLen))
  }

  private readCollection(db: Database, type: number, continues: boolean): void {
    const { reader, keyspace } = this
    const { bytes, keyOff, keyLen } = reader
    const store = this.keys.store(type)
    if (type === KeyType.stream) this.hasStream = true
    const known = this.partOf(db, type)
    if (known !== 0 && !continues) reader.damaged('a key with two collections of one type')
    const root = store.state.read(db, known === 0 ? 0 : db.root(known), reader, !continues && !this.isOpen)
    if (known !== 0) {
      db.setRoot(known, root)
      return
    }
    if (root === 0) {
      if (this.isOpen) return
      reader.damaged('a collection without elements')
    }
    // The store may have hashed something else.
    const front = db.lookup(bytes, keyOff, keyLen)
    let ref: Ref
    if (this.parts++ > 0 || (!this.isOpen && !store.isVisible(db, root))) {
      this.parts++
      ref = db.insert(type | HIDDEN, bytes, keyOff, keyLen, ROOT_BYTES, keyspace.freshAccess)
      keyspace.noteUnsettled(db, ref)
    } else if (front === 0) {
      ref = db.insert(type, bytes, keyOff, keyLen, ROOT_BYTES, keyspace.freshAccess)
    } else {
      ref = db.reshape(front, type | (db.flags(front) & (HAS_EXPIRY | HAS_EXTRAS)), ROOT_BYTES, false)
    }
    db.setDot(ref, 0, 0)
    db.setRoot(ref, root)
  }

  /** All of a key is here: what clients see comes to the front. */
  private finishKey(db: Database): void {
    const { keyspace, keys, context } = this
    if (this.isForeign && this.hasStream) this.giveBack(db)
    const { bytes, keyOff, keyLen } = this.reader
    const front = db.lookup(bytes, keyOff, keyLen)
    if (front === 0 && this.parts === 0) return
    const type = front === 0 ? KeyType.none : db.type(front)
    if (type > KeyType.string) {
      const store = keys.store(type)
      const root = db.root(front)
      if (store.isUnsettled(db, root)) keyspace.noteUnsettled(db, front)
      if (!store.isVisible(db, root)) this.parts = SEVERAL
    }
    if (this.parts < SEVERAL) return
    context.now = Math.max(context.now, this.orphanedAt)
    keys.elect(db, bytes, keyOff, keyLen)
  }

  private giveBack(db: Database): void {
    const { bytes, keyOff, keyLen } = this.reader
    const name = keptName(this.database, bytes.subarray(keyOff, keyOff + keyLen))
    const kept = this.kept.get(name)
    const stream = this.partOf(db, KeyType.stream)
    if (kept === undefined) this.kept.set(name, NOTHING)
    else if (stream !== 0) this.keys.store(KeyType.stream).state.giveBack?.(db, db.root(stream), kept, this.applied)
  }

  /** Takes away all that there is of the key. */
  private dropKey(db: Database): void {
    const { bytes, keyOff, keyLen } = this.reader
    const front = db.lookup(bytes, keyOff, keyLen)
    if (front !== 0) this.dropRecord(db, front)
    for (let type = 1; type < TYPE_COUNT && db.hiddenCount > 0; type++) {
      const hidden = db.lookupHidden(type, bytes, keyOff, keyLen)
      if (hidden !== 0) this.dropRecord(db, hidden)
    }
  }

  private dropRecord(db: Database, ref: Ref): void {
    if (this.isForeign) this.keepOwn(this.database, db, ref)
    dropRecord(db, this.keys, ref)
  }

  /** The record of what has been read of a type of the key; 0 for none. */
  private partOf(db: Database, type: number): Ref {
    const { bytes, keyOff, keyLen } = this.reader
    return this.keys.recordOf(db, type, bytes, keyOff, keyLen)
  }

  private isOpenKey(): boolean {
    const { bytes, keyOff, keyLen } = this.reader
    return keyLen === this.key.length && equalBytes(bytes, keyOff, this.key, 0, keyLen)
  }
}

function keptName(database: number, key: Uint8Array): string {
  return `${database}:${Buffer.from(key).toString('latin1')}`
}

const NOTHING: readonly OwnGroup[] = []
const NO_KEY = new Uint8Array(0)
const DOT_BYTES = 8
const MAX_VARINT_FACTOR = 128 ** 7
/** Parts from which on the visible one has to be elected. */
const SEVERAL = 2
