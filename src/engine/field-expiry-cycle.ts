import { LIMITS } from '../base/limits.js'
import { NotificationClass } from '../base/notification-classes.js'
import type { FieldNames } from '../commands/services.js'
import { KeyType, type Database } from '../keyspace/database.js'
import type { HashStore } from '../keyspace/hash-store.js'
import type { Keyspace } from '../keyspace/keyspace.js'
import type { KeyspaceNotifications } from './keyspace-notifications.js'

/** A hash that cannot be changed now (its key is due, hidden behind another type, or in a long write) is looked at again after this time. */
const POSTPONED_MS = 1000

/**
 * Removes the fields of hashes whose time is up, as ExpiryCycle does keys: the member that set the visible expiry at once, any other only when that one
 * has not done it for long. FieldExpiries says what is due, so a cycle touches nothing else.
 */
export class FieldExpiryCycle {
  constructor(
    private readonly keyspace: Keyspace,
    private readonly hashes: HashStore,
    private readonly notifications: KeyspaceNotifications,
    /** Called after each removal, which is an op of its own, with the number of fields that went. */
    private readonly onRemoved: (fields: number) => void,
  ) {}

  /** One cycle, bounded in removals, and by `isOver`, which is asked between two ops. Returns true when the next should follow at once. */
  run(isOver = () => false): boolean {
    let left: number = LIMITS.expiryCycleRemovals
    for (let database = 0; database < this.keyspace.databaseCount; database++) {
      const db = this.keyspace.peek(database)
      if (db === undefined) continue
      while (db.fieldExpiries.nextTime <= this.keyspace.nowMs) {
        if (left <= 0) return true
        left -= this.removeFirst(database, db, Math.min(left, LIMITS.expiryEffectFields))
        if (isOver()) return true
      }
    }
    return false
  }

  /** Commands have come upon fields that are due. */
  get hasSeen(): boolean {
    return this.hashes.seenDue.length > 0
  }

  /** Removes those right behind the command, so that a client which has seen a field gone also sees it counted. Those of one hash are one event. */
  removeSeen(): void {
    const { hashes, keyspace } = this
    const seen = hashes.seenDue.splice(0)
    for (let i = 0; i < seen.length;) {
      const { arena, key } = seen[i]
      const database = keyspace.databaseOf(arena)
      const db = database < 0 ? undefined : keyspace.peek(database)
      const gone: Uint8Array[] = []
      for (; i < seen.length && seen[i].arena === arena && Buffer.compare(seen[i].key, key) === 0; i++) {
        const ref = db === undefined ? 0 : keyspace.find(db, key, 0, key.length)
        if (db === undefined || ref === 0 || db.type(ref) !== KeyType.hash || keyspace.holdGuard?.(db, ref) === true) continue
        if (hashes.removeIfDue(db, db.root(ref), database, key, seen[i].field)) gone.push(seen[i].field)
      }
      if (db !== undefined && gone.length > 0) {
        this.noteRemoved(database, db, key, { count: gone.length, at: (nth) => gone[nth] })
      }
    }
  }

  forgetSeen(): void {
    this.hashes.seenDue.length = 0
  }

  /** Removes fields of the hash that comes first. Gives at least 1, so that a cycle ends. */
  private removeFirst(database: number, db: Database, most: number): number {
    const { keyspace, hashes } = this
    const root = db.fieldExpiries.first
    const key = hashes.registeredKey(db, root)
    const ref = keyspace.find(db, key, 0, key.length)
    if (ref === 0 || db.type(ref) !== KeyType.hash || db.root(ref) !== root || keyspace.holdGuard?.(db, ref) === true) {
      db.fieldExpiries.put(root, keyspace.nowMs + POSTPONED_MS)
      return 1
    }
    const removed = hashes.removeDue(db, root, database, key, most)
    this.noteRemoved(database, db, key, removed)
    return Math.max(1, removed.count)
  }

  private noteRemoved(database: number, db: Database, key: Uint8Array, removed: FieldNames): void {
    const { notifications } = this
    if (removed.count > 0) {
      notifications.notify(NotificationClass.hash, 'hexpired', database, key, 0, key.length)
      if (notifications.tellsFields) notifications.notifyFields('hexpired', database, key, 0, key.length, removed)
      if (this.keyspace.find(db, key, 0, key.length) === 0) {
        notifications.notify(NotificationClass.generic, 'del', database, key, 0, key.length)
      }
    }
    this.onRemoved(removed.count)
  }
}
