import type { MemberId } from '../base/ids.js'
import { LIMITS } from '../base/limits.js'
import { KeyType, type Database } from '../keyspace/database.js'
import type { Effects } from '../keyspace/effects.js'
import type { DueListener, Keyspace } from '../keyspace/keyspace.js'
import type { Ref } from '../memory/arena.js'

/** As long as at least one in this many of the keys looked at was due, the next cycle follows at once. */
const DUE_RATIO = 10
/** Keys looked at, and removed if they are due, between two looks at the clock. */
const LOOKS_A_STEP = 64

/**
 * Removes keys whose time is up. The member that set the visible expiry does it at once; the others hide the key, and take over only when
 * the owner has not done it for long.
 *
 * The cycle walks the lists of expiring keys of all databases round and round, each list downwards: a removal moves the list's last key to
 * the free place, which the walk has passed already, so every key is looked at once a round. Keys that a command found due are
 * removed right behind it, so that a client which has seen a key gone also sees it counted.
 */
export class ExpiryCycle implements DueListener {
  /** Where the walk stands: the keys below this position of this database's list come next. */
  private database = 0
  private position = 0
  private readonly seen: { readonly db: Database; readonly key: Uint8Array }[] = []

  constructor(
    private readonly self: MemberId,
    private readonly keyspace: Keyspace,
    private readonly effects: Effects,
    /** Called after each removal: each is an op of its own. */
    private readonly onRemoved: () => void,
  ) {}

  /**
   * One cycle, bounded in keys looked at and in removals, and by `isOver`, which is asked now and then. Returns true when the next should follow at
   * once.
   */
  run(isOver = () => false): boolean {
    let looked = 0
    let removed = 0
    for (let finished = 0; finished <= this.keyspace.databaseCount;) {
      const db = this.keyspace.peek(this.database)
      this.position = Math.min(this.position, db?.expiringCount ?? 0) - 1
      if (db === undefined || this.position < 0) {
        this.database = (this.database + 1) % this.keyspace.databaseCount
        this.position = this.keyspace.peek(this.database)?.expiringCount ?? 0
        finished++
        continue
      }
      looked++
      const ref = db.expiringAt(this.position)
      if (this.mayRemove(db, ref)) {
        this.remove(this.database, db.key(ref))
        removed++
      }
      if (removed === LIMITS.expiryCycleRemovals) return true
      const isLast = looked === LIMITS.expiryCycleLooks || (looked % LOOKS_A_STEP === 0 && isOver())
      if (isLast) return removed * DUE_RATIO >= looked
    }
    return false
  }

  /** A command came upon a key that is due. Beyond the bound the key is left to the cycle. */
  seenDue(db: Database, ref: Ref): void {
    if (this.seen.length < LIMITS.expirySeenKeys && this.mayRemove(db, ref)) this.seen.push({ db, key: db.key(ref) })
  }

  /** Removes a key that somebody else came upon, if it is due and this member may. */
  removeIfDue(database: number, db: Database, ref: Ref): boolean {
    if (!this.mayRemove(db, ref)) return false
    this.remove(database, db.key(ref))
    return true
  }

  get hasSeen(): boolean {
    return this.seen.length > 0
  }

  /** Removes what commands have come upon since the last call, if it is still due. */
  removeSeen(): void {
    for (const { db, key } of this.seen) {
      // A database that was flushed meanwhile is another object and has no number any more.
      const database = this.keyspace.indexOf(db)
      const ref = database < 0 ? 0 : db.lookup(key, 0, key.length)
      if (ref !== 0 && this.mayRemove(db, ref)) this.remove(database, key)
    }
    this.forgetSeen()
  }

  forgetSeen(): void {
    this.seen.length = 0
  }

  private remove(database: number, key: Uint8Array): void {
    this.effects.remove(database, key, 0, key.length, true)
    this.onRemoved()
  }

  private mayRemove(db: Database, ref: Ref): boolean {
    if (db.type(ref) === KeyType.none) return false
    const at = db.expiresAt(ref)
    const now = this.keyspace.nowMs
    if (at > now || this.keyspace.holdGuard?.(db, ref) === true) return false
    return db.expiryMember(ref) === this.self || at + LIMITS.expiryTakeoverMs <= now
  }
}
