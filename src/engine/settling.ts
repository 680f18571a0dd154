import type { Keys } from '../keyspace/keys.js'
import type { Keyspace } from '../keyspace/keyspace.js'
import type { Clock } from '../ports/clock.js'

/** Records looked at in a turn of the event loop. */
const SETTLE_RECORDS = 4096
/** The same in time: a record that has nothing to settle is looked at in a tenth of the time that one takes which has. */
const SETTLE_TURN_MS = 2

/** Tidies up what has become stable: walks the shards that hold unsettled records round and round. */
export class Settling {
  /** What is looked at next. */
  private database = 0
  private shard = 0

  constructor(
    private readonly keyspace: Keyspace,
    private readonly keys: Keys,
    private readonly clock: Clock,
  ) {}

  /** Goes on with the walk, for a bounded number of records. False when it has come to its end: the next one begins at the first shard. */
  some(): boolean {
    const { clock, keyspace } = this
    const untilMs = clock.workUntil(SETTLE_TURN_MS)
    let looked = 0
    while (looked < SETTLE_RECORDS && clock.monotonicMs() < untilMs) {
      const db = keyspace.peek(this.database)
      if (db === undefined || this.shard === db.unsettled.length) {
        this.shard = 0
        this.database = (this.database + 1) % keyspace.databaseCount
        if (this.database === 0) return false
        continue
      }
      looked += this.keys.settleTable(db, this.shard++)
    }
    return true
  }

  /** All of it in one go. */
  all(): void {
    const { keyspace } = this
    for (let database = 0; database < keyspace.databaseCount; database++) {
      const db = keyspace.peek(database)
      if (db === undefined) continue
      for (let shard = 0; shard < db.unsettled.length; shard++) this.keys.settleTable(db, shard)
    }
    keyspace.unsettledCount = 0
  }
}
