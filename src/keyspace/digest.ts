import { LIMITS } from '../base/limits.js'
import { TWO_32 } from '../base/words.js'
import { CHUNK_SHIFT } from '../memory/arena.js'
import { KeyType, SHARD_COUNT, type Database } from './database.js'
import { Hash64 } from './hash64.js'
import { KeyHasher, SLOT_COUNT } from './key-hash.js'
import type { Keys } from './keys.js'
import type { Keyspace } from './keyspace.js'
import type { StringStore } from './string-store.js'
import type { Ref } from '../memory/arena.js'

/**
 * Digest of the visible data: the sum, modulo 2^64, of a 64-bit hash per key over database, type, key, value and expiry time. A sum does
 * not depend on the order, so two members with equal data have equal digests however their tables are laid out. It reads what is
 * there, not what is due: the time at which a key is hidden is the same everywhere, the moment of asking is not. Keys without a value count
 * as nothing, PERSIST as no expiry.
 *
 * For finding differences, not against forgery: who can choose keys and values can make two data sets collide.
 */
const SLOTS_PER_SHARD = SLOT_COUNT / SHARD_COUNT
/** What a key costs beside its bytes, in bytes hashed. */
const KEY_COST_BYTES = 64
const NO_EXPIRY = 0
/** Strings above that are hashed so many bytes a step, some 0.2 ms. */
const STRING_PIECE_BYTES = 64 * 1024

/** Where values are read from. */
export interface ValueReaders {
  readonly strings: StringStore
  readonly keys: Keys
}

export class KeyspaceDigest {
  private high = 0
  private low = 0
  private database = 0
  private shard: number
  /** Records of the shard that are still to come: it is walked downwards. -1: not begun. */
  private left = -1
  private readonly hash = new Hash64()
  /** What is left of the key that is being hashed in parts; null between keys. */
  private rest: Generator<number, void> | null = null
  private readonly slots = new KeyHasher(0)

  constructor(
    private readonly keyspace: Keyspace,
    private readonly values: ValueReaders,
    private readonly firstSlot = 0,
    /** Inclusive. */
    private readonly lastSlot = SLOT_COUNT - 1,
  ) {
    this.shard = Math.floor(firstSlot / SLOTS_PER_SHARD)
  }

  /** Goes on for about so many bytes of keys and values; true when everything is in. The data must not change between two steps. */
  step(bytes: number): boolean {
    const lastShard = Math.floor(this.lastSlot / SLOTS_PER_SHARD)
    let budget = bytes
    while (this.database < this.keyspace.databaseCount) {
      const db = this.keyspace.peek(this.database)
      if (db === undefined || this.shard > lastShard) {
        this.database++
        this.shard = Math.floor(this.firstSlot / SLOTS_PER_SHARD)
        this.left = -1
        continue
      }
      while (this.rest !== null && budget > 0) budget -= this.goOn(this.rest)
      if (budget <= 0) return false
      if (this.left < 0) this.left = db.shardCount(this.shard)
      while (this.left > 0 && budget > 0 && this.rest === null) {
        budget -= this.add(db, db.recordAt(this.shard, --this.left), bytes)
      }
      if (this.rest !== null) continue
      if (this.left > 0) return false
      this.shard++
      this.left = -1
      budget--
    }
    return true
  }

  /** 16 hexadecimal digits. */
  get hex(): string {
    return hex64(this.high, this.low)
  }

  /** Takes a key in, or begins to. Returns the bytes hashed. */
  private add(db: Database, ref: Ref, atOnce: number): number {
    const type = db.type(ref)
    if (type === KeyType.none || !this.inRange(db, ref)) return KEY_COST_BYTES
    const { hash, values } = this
    if (type === KeyType.string && atOnce !== Infinity && db.valueLength(ref) > STRING_PIECE_BYTES) {
      beginKey(hash, this.database, db, ref)
      this.rest = stringSteps(hash, values.strings, db, ref)
      return KEY_COST_BYTES
    }
    if (type !== KeyType.string && atOnce !== Infinity) {
      const store = values.keys.store(type)
      if (store.digestSteps !== undefined && store.size(db, db.root(ref)) > LIMITS.slicedReadStep) {
        beginKey(hash, this.database, db, ref)
        this.rest = store.digestSteps(hash, db, db.root(ref))
        return KEY_COST_BYTES
      }
    }
    const size = hashKey(hash, values, this.database, db, ref)
    this.sum()
    return size
  }

  private goOn(rest: Generator<number, void>): number {
    const { done, value } = rest.next()
    if (done !== true) return value
    this.rest = null
    this.hash.end()
    this.sum()
    return 0
  }

  private sum(): void {
    const low = this.low + this.hash.low
    this.low = low >>> 0
    this.high = (this.high + this.hash.high + (low >= TWO_32 ? 1 : 0)) >>> 0
  }

  /** A shard at the end of the range may hold slots beyond it. */
  private inRange(db: Database, ref: Ref): boolean {
    const first = this.shard * SLOTS_PER_SHARD
    if (first >= this.firstSlot && first + SLOTS_PER_SHARD - 1 <= this.lastSlot) return true
    this.slots.compute(db.arena.u8[ref >>> CHUNK_SHIFT], db.keyOffset(ref), db.keyLength(ref))
    return this.slots.slot >= this.firstSlot && this.slots.slot <= this.lastSlot
  }
}

/** The digest of the slots in a range (inclusive) of all databases, at one go. */
export function digestOf(keyspace: Keyspace, values: ValueReaders, firstSlot = 0, lastSlot = SLOT_COUNT - 1): string {
  const digest = new KeyspaceDigest(keyspace, values, firstSlot, lastSlot)
  digest.step(Infinity)
  return digest.hex
}

/** The digest of one key that has a value. */
export function digestOfKey(values: ValueReaders, database: number, db: Database, ref: Ref): string {
  const hash = new Hash64()
  hashKey(hash, values, database, db, ref)
  return hex64(hash.high, hash.low)
}

/** Hashes a key that has a value; returns the bytes hashed. */
function hashKey(hash: Hash64, values: ValueReaders, database: number, db: Database, ref: Ref): number {
  const keyLength = beginKey(hash, database, db, ref)
  const type = db.type(ref)
  let size: number
  if (type === KeyType.string) {
    const { strings } = values
    strings.read(db, ref)
    size = strings.len
    hash.number(size)
    hash.bytes(strings.buf, strings.off, size)
  } else {
    size = values.keys.store(type).digest(hash, db, db.root(ref))
  }
  hash.end()
  return KEY_COST_BYTES + keyLength + size
}

/** Hashes a long string, which is looked for anew in each step. Gives the bytes hashed. */
function* stringSteps(hash: Hash64, strings: StringStore, db: Database, ref: Ref): Generator<number, void> {
  strings.read(db, ref)
  const size = strings.len
  hash.number(size)
  let done = 0
  // What contributions are added to is made anew for each reading, and short.
  const isMade = strings.buf !== db.arena.u8[ref >>> CHUNK_SHIFT]
  for (; !isMade && size - done > STRING_PIECE_BYTES; done += STRING_PIECE_BYTES) {
    strings.read(db, ref)
    hash.part(strings.buf, strings.off + done, STRING_PIECE_BYTES)
    yield STRING_PIECE_BYTES
  }
  if (!isMade) strings.read(db, ref)
  hash.bytes(strings.buf, strings.off + done, size - done)
}

/** Hashes everything of a key but its value. Returns the key's length. */
function beginKey(hash: Hash64, database: number, db: Database, ref: Ref): number {
  const keyLength = db.keyLength(ref)
  const at = db.expiresAt(ref)
  hash.begin()
  hash.number(database)
  hash.number(db.type(ref))
  hash.number(at === Infinity ? NO_EXPIRY : at)
  hash.number(keyLength)
  hash.bytes(db.arena.u8[ref >>> CHUNK_SHIFT], db.keyOffset(ref), keyLength)
  return keyLength
}

function hex64(high: number, low: number): string {
  return high.toString(16).padStart(8, '0') + low.toString(16).padStart(8, '0')
}
