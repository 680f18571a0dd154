import { latin1 } from '../base/bytes.js'
import type { KeyObserver } from '../keyspace/keyspace.js'
import type { Session } from '../commands/session.js'

/** WATCH: which sessions asked about which keys. A change by anyone, also by a remote op, breaks their transactions. */
export class WatchRegistry implements KeyObserver {
  private readonly watchers = new Map<string, Set<Session>>()

  /** onFirst and onLast tell when changes begin and cease to be of interest. */
  constructor(private readonly onInterest: (interested: boolean) => void) {}

  /** Keys that someone watches. */
  get size(): number {
    return this.watchers.size
  }

  watch(session: Session, database: number, key: Uint8Array): void {
    const name = `${database}:${latin1(key, 0, key.length)}`
    if (session.watched.has(name)) return
    session.watched.add(name)
    let sessions = this.watchers.get(name)
    if (sessions === undefined) this.watchers.set(name, (sessions = new Set()))
    sessions.add(session)
    this.onInterest(true)
  }

  unwatch(session: Session): void {
    for (const name of session.watched) {
      const sessions = this.watchers.get(name)
      sessions?.delete(session)
      if (sessions?.size === 0) this.watchers.delete(name)
    }
    session.watched.clear()
    session.watchBroken = false
    if (this.watchers.size === 0) this.onInterest(false)
  }

  keyChanged(database: number, buf: Uint8Array, off: number, len: number): void {
    const sessions = this.watchers.get(`${database}:${latin1(buf, off, len)}`)
    if (sessions !== undefined) for (const session of sessions) session.watchBroken = true
  }

  databaseFlushed(database: number): void {
    const prefix = `${database}:`
    for (const [name, sessions] of this.watchers) {
      if (name.startsWith(prefix)) for (const session of sessions) session.watchBroken = true
    }
  }
}
