import type { EvictionPolicy } from '../../base/eviction-policies.js'
import { LIMITS } from '../../base/limits.js'
import { TWO_32 } from '../../base/words.js'
import { KeyType, type Database } from '../../keyspace/database.js'
import type { Effects } from '../../keyspace/effects.js'
import type { Keyspace } from '../../keyspace/keyspace.js'
import type { Ref } from '../../memory/arena.js'
import type { ExpiryCycle } from '../expiry-cycle.js'
import { EvictionPool } from './eviction-pool.js'
import { KeySampler } from './key-sampler.js'

const MAX_COUNT = 255

/**
 * Chooses the key that goes next by the policy, and removes it: like DEL, in an op of its own, so that it goes in every region and spares what this member has
 * not seen. Two members that evict one key at the same time both remove what they had seen of it.
 *
 * A key whose time is up is removed as due instead, if this member may; no policy would rather keep it.
 */
export class Evictor {
  /** Keys drawn for one that goes: maxmemory-samples. */
  samples = 5
  private policy: EvictionPolicy = 'noeviction'
  /** Only keys with an expiry may go. */
  private onlyVolatile = false
  private readonly pool = new EvictionPool()
  private readonly samplers: { readonly db: Database; readonly sampler: KeySampler }[] = []

  constructor(
    private readonly keyspace: Keyspace,
    private readonly effects: Effects,
    private readonly expiry: ExpiryCycle,
    /** Uniform in 0 .. 2^32-1. */
    private readonly random: () => number,
    /** Called after each eviction. */
    private readonly onEvicted: (database: number, key: Uint8Array) => void,
  ) {}

  setPolicy(policy: EvictionPolicy): void {
    if (policy === this.policy) return
    this.policy = policy
    this.onlyVolatile = policy.startsWith('volatile')
    // The scores of one policy mean nothing to another.
    this.pool.clear()
  }

  /** Removes one key. False when none was found that may go. */
  evictOne(): boolean {
    switch (this.policy) {
      case 'noeviction':
        return false
      case 'allkeys-random':
      case 'volatile-random':
        return this.evictAny()
      default:
        return this.evictBest()
    }
  }

  private evictAny(): boolean {
    for (let attempt = 0; attempt < LIMITS.evictionAttempts; attempt++) {
      const database = this.anyDatabase()
      const db = database < 0 ? undefined : this.keyspace.peek(database)
      if (db === undefined) return false
      const ref = this.draw(database, db)
      if (ref === 0) continue
      if (this.expiry.removeIfDue(database, db, ref)) return true
      if (!this.mayGo(db, ref)) continue
      this.evict(database, db.key(ref))
      return true
    }
    return false
  }

  private evictBest(): boolean {
    for (let round = 0; round < LIMITS.evictionAttempts && this.anyToDraw; round++) {
      if (this.fillPool()) return true
      for (let best = this.pool.take(); best !== undefined; best = this.pool.take()) {
        const { database, key, score } = best
        const db = this.keyspace.peek(database)
        const ref = db === undefined ? 0 : db.lookup(key, 0, key.length)
        // It may have gone, come anew or been used since it was drawn.
        if (db === undefined || ref === 0 || !this.mayGo(db, ref) || this.scoreOf(db, ref) < score) continue
        this.evict(database, key)
        return true
      }
    }
    return false
  }

  /** Draws from every database, as Redis does. True when that came upon a key that was due, which has made room already. */
  private fillPool(): boolean {
    const { keyspace, pool } = this
    for (let database = 0; database < keyspace.databaseCount; database++) {
      const db = keyspace.peek(database)
      if (db === undefined || this.poolSize(db) === 0) continue
      for (let i = 0; i < this.samples; i++) {
        const ref = this.draw(database, db)
        if (ref === 0) continue
        if (this.expiry.removeIfDue(database, db, ref)) return true
        if (!this.mayGo(db, ref)) continue
        const score = this.scoreOf(db, ref)
        if (pool.wants(score)) pool.add({ score, database, key: db.key(ref) })
      }
    }
    return false
  }

  /** A database, by its share of the keys; -1 when there are none. */
  private anyDatabase(): number {
    const { keyspace } = this
    let total = 0
    for (let database = 0; database < keyspace.databaseCount; database++) total += this.poolSize(keyspace.peek(database))
    let place = Math.floor((this.random() / TWO_32) * total)
    for (let database = 0; database < keyspace.databaseCount; database++) {
      const size = this.poolSize(keyspace.peek(database))
      if (place < size) return database
      place -= size
    }
    return -1
  }

  private get anyToDraw(): boolean {
    const { keyspace } = this
    for (let database = 0; database < keyspace.databaseCount; database++) {
      if (this.poolSize(keyspace.peek(database)) > 0) return true
    }
    return false
  }

  /** Records that the policy draws from. */
  private poolSize(db: Database | undefined): number {
    if (db === undefined) return 0
    return this.onlyVolatile ? db.expiringCount : db.keyCount
  }

  private draw(database: number, db: Database): Ref {
    let entry = this.samplers[database] as { readonly db: Database; readonly sampler: KeySampler } | undefined
    // A database that was flushed is another object.
    if (entry?.db !== db) {
      entry = { db, sampler: new KeySampler(db, this.random) }
      this.samplers[database] = entry
    }
    return this.onlyVolatile ? entry.sampler.expiring() : entry.sampler.any()
  }

  private mayGo(db: Database, ref: Ref): boolean {
    const { keyspace } = this
    if (db.type(ref) === KeyType.none || !keyspace.isVisible(db, ref) || keyspace.holdGuard?.(db, ref) === true) return false
    return !this.onlyVolatile || db.expiresAt(ref) !== Infinity
  }

  private scoreOf(db: Database, ref: Ref): number {
    switch (this.policy) {
      case 'volatile-ttl':
        return -db.expiresAt(ref)
      case 'allkeys-lfu':
      case 'volatile-lfu':
        return MAX_COUNT - (this.keyspace.frequency?.count(db.accessBits(ref)) ?? 0)
      default:
        return this.keyspace.idleSeconds(db, ref)
    }
  }

  private evict(database: number, key: Uint8Array): void {
    this.effects.remove(database, key, 0, key.length)
    this.onEvicted(database, key)
  }
}
