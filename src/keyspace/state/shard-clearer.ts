import { LIMITS } from '../../base/limits.js'
import { CHUNK_SHIFT, type Ref } from '../../memory/arena.js'
import { KeyType, SHARD_COUNT, TYPE_COUNT, type Database } from '../database.js'
import { Hash64 } from '../hash64.js'
import { KeyHasher, SLOT_COUNT } from '../key-hash.js'
import type { Keys } from '../keys.js'
import type { Keyspace } from '../keyspace.js'

const SLOTS_PER_SHARD = SLOT_COUNT / SHARD_COUNT

/** Takes away all that a shard holds, as if it had never been: nothing is noted, logged or notified. What a snapshot brings takes its place. */
export class ShardClearer {
  private readonly hasher = new KeyHasher(0)
  private readonly hash = new Hash64()

  constructor(
    private readonly keyspace: Keyspace,
    private readonly keys: Keys,
  ) {}

  /** Lets about so many records go, of each of which `before` is told first; true when the shard is empty. */
  step(database: number, shard: number, records: number, before: (db: Database, ref: Ref) => void): boolean {
    const db = this.keyspace.peek(database)
    if (db === undefined) return true
    let left = records
    for (let at = db.shardCount(shard) - 1; at >= 0; at--) {
      if (left-- === 0) return false
      const ref = db.recordAt(shard, at)
      before(db, ref)
      dropRecord(db, this.keys, ref)
    }
    for (let type = 1; type < TYPE_COUNT && db.hiddenCount > 0; type++) {
      for (let at = db.shardCount(SHARD_COUNT + type) - 1; at >= 0; at--) {
        const ref = db.recordAt(SHARD_COUNT + type, at)
        if (this.shardOf(db, ref) !== shard) continue
        before(db, ref)
        dropRecord(db, this.keys, ref)
      }
    }
    return true
  }

  /** Lets go of the keys of a shard whose hash (RecordHashes.keyHash) is among these, telling `before`, in steps between which nothing of the shard may change. */
  *drop(
    database: number,
    shard: number,
    hashes: ReadonlySet<number>,
    before: (db: Database, ref: Ref) => void,
  ): Generator<undefined, void> {
    const db = this.keyspace.peek(database)
    if (db === undefined) return
    let looks = 0
    for (let at = db.shardCount(shard) - 1; at >= 0; at--) {
      if (++looks % LIMITS.transferLooks === 0) yield
      const ref = db.recordAt(shard, at)
      if (!hashes.has(this.keyHash(db, ref))) continue
      before(db, ref)
      dropRecord(db, this.keys, ref)
    }
    for (let type = 1; type < TYPE_COUNT && db.hiddenCount > 0; type++) {
      for (let at = db.shardCount(SHARD_COUNT + type) - 1; at >= 0; at--) {
        if (++looks % LIMITS.transferLooks === 0) yield
        const ref = db.recordAt(SHARD_COUNT + type, at)
        if (this.shardOf(db, ref) !== shard || !hashes.has(this.keyHash(db, ref))) continue
        before(db, ref)
        dropRecord(db, this.keys, ref)
      }
    }
  }

  private keyHash(db: Database, ref: Ref): number {
    const { hash } = this
    hash.begin()
    hash.bytes(db.arena.u8[ref >>> CHUNK_SHIFT], db.keyOffset(ref), db.keyLength(ref))
    hash.end()
    return hash.high
  }

  private shardOf(db: Database, ref: Ref): number {
    this.hasher.compute(db.arena.u8[ref >>> CHUNK_SHIFT], db.keyOffset(ref), db.keyLength(ref))
    return Math.floor(this.hasher.slot / SLOTS_PER_SHARD)
  }
}

/** Lets go of a record and of all that hangs on it. */
export function dropRecord(db: Database, keys: Keys, ref: Ref): void {
  const type = db.type(ref)
  if (type > KeyType.string) keys.store(type).state.drop(db, db.root(ref))
  const extras = db.extras(ref)
  if (extras !== 0) db.arena.free(extras)
  db.remove(ref)
}
