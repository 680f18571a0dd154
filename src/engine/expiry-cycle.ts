import type { MemberId } from '../base/ids.js'
import type { Effects } from '../keyspace/effects.js'
import type { Keyspace } from '../keyspace/keyspace.js'

/** Keys looked at per database and round; as long as a quarter of them were due, another round follows. */
const SAMPLE = 32
/** Ops that one cycle may write: about 1 ms of work. */
const MAX_REMOVALS = 1000
/** Overdue by this much, a key is removed by any member: its owner cannot be reached. */
const TAKEOVER_MS = 10_000

/**
 * Removes keys whose time is up. The member that set the visible expiry does it at once; the others hide the key, and take over only when
 * the owner has not done it for long. Walks a window through the list of expiring keys, so that each is looked at within bounded time.
 */
export class ExpiryCycle {
  private readonly positions = new Map<number, number>()

  constructor(
    private readonly self: MemberId,
    private readonly keyspace: Keyspace,
    private readonly effects: Effects,
    /** Called after each removal with its database and key: each is an op of its own. */
    private readonly onExpired: (database: number, key: Uint8Array) => void,
  ) {}

  /** One cycle over all databases. Returns true when it stopped at its bound with more to do. */
  run(): boolean {
    let budget = MAX_REMOVALS
    for (let database = 0; database < this.keyspace.databaseCount && budget > 0; database++)
      budget -= this.runDatabase(database, budget)
    return budget <= 0
  }

  private runDatabase(database: number, budget: number): number {
    let removed = 0
    for (let more = true; more && removed < budget;) {
      const db = this.keyspace.peek(database)
      if (db === undefined || db.expiringCount === 0) return removed
      const rounds = Math.min(SAMPLE, db.expiringCount)
      let due = 0
      for (let i = 0; i < rounds && db.expiringCount > 0; i++) {
        let position = this.positions.get(database) ?? 0
        if (position >= db.expiringCount) position = 0
        const ref = db.expiringAt(position)
        this.positions.set(database, position + 1)
        if (!this.mayRemove(db.expiresAt(ref), db.expiryMember(ref)) || db.type(ref) === 0) continue
        due++
        const key = db.key(ref)
        this.effects.remove(database, key, 0, key.length, true)
        // The last record of the list has come to this place, if the record left the list.
        if (position < db.expiringCount && db.expiringAt(position) !== ref) this.positions.set(database, position)
        this.onExpired(database, key)
      }
      removed += due
      more = due * 4 > rounds
    }
    return removed
  }

  private mayRemove(at: number, owner: number): boolean {
    const now = this.keyspace.nowMs
    return at <= now && (owner === this.self || at + TAKEOVER_MS <= now)
  }
}
