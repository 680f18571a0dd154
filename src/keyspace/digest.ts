import { CHUNK_SHIFT } from '../memory/arena.js'
import { KeyType, SHARD_COUNT, type Database } from './database.js'
import { KeyHasher, SLOT_COUNT } from './key-hash.js'
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
const TWO_32 = 2 ** 32
/** What a key costs beside its bytes, in bytes hashed. */
const KEY_COST_BYTES = 64
const NO_EXPIRY = 0

export class KeyspaceDigest {
  private high = 0
  private low = 0
  private database = 0
  private shard: number
  /** Records of the shard that are still to come: it is walked downwards. -1: not begun. */
  private left = -1
  private readonly hash = new Hash64()
  private readonly slots = new KeyHasher(0)

  constructor(
    private readonly keyspace: Keyspace,
    private readonly strings: StringStore,
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
      if (budget <= 0) return false
      if (this.left < 0) this.left = db.shardCount(this.shard)
      while (this.left > 0 && budget > 0) budget -= this.add(db, db.recordAt(this.shard, --this.left))
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

  private add(db: Database, ref: Ref): number {
    const type = db.type(ref)
    if (type === KeyType.none || !this.inRange(db, ref)) return KEY_COST_BYTES
    const size = hashKey(this.hash, this.strings, this.database, db, ref)
    const low = this.low + this.hash.low
    this.low = low >>> 0
    this.high = (this.high + this.hash.high + (low >= TWO_32 ? 1 : 0)) >>> 0
    return size
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
export function digestOf(keyspace: Keyspace, strings: StringStore, firstSlot = 0, lastSlot = SLOT_COUNT - 1): string {
  const digest = new KeyspaceDigest(keyspace, strings, firstSlot, lastSlot)
  digest.step(Infinity)
  return digest.hex
}

/** The digest of one key that has a value. */
export function digestOfKey(strings: StringStore, database: number, db: Database, ref: Ref): string {
  const hash = new Hash64()
  hashKey(hash, strings, database, db, ref)
  return hex64(hash.high, hash.low)
}

/** Hashes a key that has a value; returns the bytes hashed. */
function hashKey(hash: Hash64, strings: StringStore, database: number, db: Database, ref: Ref): number {
  const keyLength = db.keyLength(ref)
  const at = db.expiresAt(ref)
  hash.begin()
  hash.number(database)
  hash.number(db.type(ref))
  hash.number(at === Infinity ? NO_EXPIRY : at)
  hash.number(keyLength)
  hash.bytes(db.arena.u8[ref >>> CHUNK_SHIFT], db.keyOffset(ref), keyLength)
  strings.read(db, ref)
  const { len } = strings
  hash.number(len)
  hash.bytes(strings.buf, strings.off, len)
  hash.end()
  return KEY_COST_BYTES + keyLength + len
}

function hex64(high: number, low: number): string {
  return high.toString(16).padStart(8, '0') + low.toString(16).padStart(8, '0')
}

/** Two lanes of 32 bits with the steps of MurmurHash3, mixed with each other at the end: 64 bits without BigInt. */
class Hash64 {
  high = 0
  low = 0

  begin(): void {
    this.high = 0x3c6ef372
    this.low = 0x510e527f
  }

  /** A safe integer. */
  number(value: number): void {
    this.word(value | 0)
    this.word(Math.floor(value / TWO_32) | 0)
  }

  bytes(buf: Uint8Array, off: number, len: number): void {
    let { high, low } = this
    const whole = off + (len & ~3)
    let i = off
    for (; i < whole; i += 4) {
      const word = buf[i] | (buf[i + 1] << 8) | (buf[i + 2] << 16) | (buf[i + 3] << 24)
      high = lane(high, word, 0xcc9e2d51, 0x1b873593)
      low = lane(low, word, 0x85ebca6b, 0x27d4eb2f)
    }
    let tail = 0
    for (const end = off + len; i < end; i++) tail = (tail << 8) | buf[i]
    this.high = lane(high, tail, 0xcc9e2d51, 0x1b873593)
    this.low = lane(low, tail, 0x85ebca6b, 0x27d4eb2f)
  }

  end(): void {
    const high = finish(this.high ^ Math.imul(this.low, 0x9e3779b1))
    const low = finish(this.low ^ Math.imul(high, 0x85ebca77))
    this.high = finish(high ^ Math.imul(low, 0xc2b2ae3d))
    this.low = low
  }

  private word(word: number): void {
    this.high = lane(this.high, word, 0xcc9e2d51, 0x1b873593)
    this.low = lane(this.low, word, 0x85ebca6b, 0x27d4eb2f)
  }
}

function lane(state: number, word: number, c1: number, c2: number): number {
  let k = Math.imul(word, c1)
  k = Math.imul((k << 15) | (k >>> 17), c2)
  const mixed = state ^ k
  return (Math.imul((mixed << 13) | (mixed >>> 19), 5) + 0xe6546b64) | 0
}

function finish(value: number): number {
  let hash = value
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return (hash ^ (hash >>> 16)) >>> 0
}
