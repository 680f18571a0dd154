import { TWO_32 } from '../../base/words.js'
import { SHARD_COUNT, type Database } from '../../keyspace/database.js'
import type { Ref } from '../../memory/arena.js'

/** Draws after which the sizes of the shards are read again, whatever has happened. */
const GOOD_FOR_DRAWS = 1024
/** Draws that may hit a place where nothing is any more before that counts as bad luck. */
const ATTEMPTS = 8

/**
 * Draws records of one database, every one with about the same chance, however unevenly they lie in the shards (hash tags can put all of them into one): the
 * shard by its share of the records, then the place in it. The shares are read anew now and then, not for each draw; a database that changes
 * quickly meanwhile only makes the draw a little less fair.
 */
export class KeySampler {
  /** Records in the shards up to and with each. */
  private readonly sums = new Uint32Array(SHARD_COUNT)
  private total = 0
  private drawsLeft = 0

  constructor(
    private readonly db: Database,
    /** Uniform in 0 .. 2^32-1. */
    private readonly random: () => number,
  ) {}

  /** Any record of the shards, also one without a value; 0 when there is none or the draws were unlucky. */
  any(): Ref {
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      if (this.drawsLeft-- <= 0) this.measure()
      if (this.total === 0) break
      const place = this.below(this.total)
      const shard = this.shardOf(place)
      const index = place - (shard === 0 ? 0 : this.sums[shard - 1])
      if (index < this.db.shardCount(shard)) return this.db.recordAt(shard, index)
      this.drawsLeft = 0
    }
    this.drawsLeft = 0
    return 0
  }

  /** Any record that has an expiry, 0 when there is none. */
  expiring(): Ref {
    const { db } = this
    return db.expiringCount === 0 ? 0 : db.expiringAt(this.below(db.expiringCount))
  }

  private below(bound: number): number {
    return Math.floor((this.random() / TWO_32) * bound)
  }

  private measure(): void {
    let sum = 0
    for (let shard = 0; shard < SHARD_COUNT; shard++) {
      sum += this.db.shardCount(shard)
      this.sums[shard] = sum
    }
    this.total = sum
    // A small database is soon another one.
    this.drawsLeft = Math.min(GOOD_FOR_DRAWS, 16 + (sum >>> 3))
  }

  /** The shard in which a place is, counted through all shards. */
  private shardOf(place: number): number {
    let low = 0
    let high = SHARD_COUNT - 1
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.sums[middle] > place) high = middle
      else low = middle + 1
    }
    return low
  }
}
