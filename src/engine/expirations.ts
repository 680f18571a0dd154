import type { MemberId } from '../base/ids.js'
import { LIMITS } from '../base/limits.js'
import { NotificationClass } from '../base/notification-classes.js'
import type { Effects } from '../keyspace/effects.js'
import type { HashStore } from '../keyspace/hash-store.js'
import type { Keyspace } from '../keyspace/keyspace.js'
import type { Clock } from '../ports/clock.js'
import type { CommandAccounts } from './command-accounts.js'
import { ExpiryCycle } from './expiry-cycle.js'
import { FieldExpiryCycle } from './field-expiry-cycle.js'
import type { KeyspaceNotifications } from './keyspace-notifications.js'

/** Keys and fields whose time is up: counts and tells of them however they go, and removes those that nobody comes upon. */
export class Expirations {
  readonly keys: ExpiryCycle
  readonly fields: FieldExpiryCycle

  constructor(
    self: MemberId,
    private readonly keyspace: Keyspace,
    effects: Effects,
    hashes: HashStore,
    notifications: KeyspaceNotifications,
    private readonly accounts: CommandAccounts,
    private readonly clock: Clock,
    /** Called after each removal: each is an op of its own. */
    onRemoved: () => void,
  ) {
    const { counters } = accounts
    this.keys = new ExpiryCycle(self, keyspace, effects, onRemoved)
    this.fields = new FieldExpiryCycle(keyspace, hashes, notifications, (count) => {
      counters.expiredFields += count
      onRemoved()
    })
    keyspace.dueListener = this.keys
    effects.onExpired = (database, key, off, len) => {
      counters.expiredKeys++
      notifications.expired(database, key, off, len)
    }
    hashes.onExpired = (database, { buf, off, len }) => {
      counters.expiredFields++
      notifications.notify(NotificationClass.hash, 'hexpired', database, buf, off[1], len[1])
      if (!notifications.tellsFields) return
      const field = buf.subarray(off[2], off[2] + len[2])
      notifications.notifyFields('hexpired', database, buf, off[1], len[1], { count: 1, at: () => field })
    }
  }

  /** A cycle over both, if what is due may be removed at all. True when the next one should follow at once. */
  cycle(mayRemove: boolean): boolean {
    const { clock } = this
    const startMs = clock.monotonicMs()
    const turnMs = clock.workUntil(LIMITS.expiryTurnMs) - startMs
    const isOver = (share: number) => clock.monotonicMs() - startMs >= share * turnMs
    // Neither takes all of the time from the other.
    const moreKeys = mayRemove && this.keys.run(() => isOver(0.5))
    const more = (mayRemove && this.fields.run(() => isOver(1))) || moreKeys
    this.accounts.latency.note('expire-cycle', clock.monotonicMs() - startMs, this.keyspace.nowMs)
    return more
  }

  /** Removes what the last command came upon, each in an op of its own right behind it, or leaves it to the cycle. */
  settleSeen(mayRemove: boolean): void {
    if (mayRemove) {
      this.keys.removeSeen()
      this.fields.removeSeen()
    } else {
      this.keys.forgetSeen()
      this.fields.forgetSeen()
    }
  }
}
