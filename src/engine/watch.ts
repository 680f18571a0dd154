import { latin1 } from '../base/bytes.js'
import { KeyType } from '../keyspace/database.js'
import type { KeyObserver, Keyspace } from '../keyspace/keyspace.js'
import type { Session } from '../commands/session.js'

/**
 * WATCH: which sessions asked about which keys. A change by anyone, also by a remote op, breaks their transactions. So does a key that falls due
 * meanwhile; but a key that was due already when it was watched is as good as absent, and its removal changes nothing.
 */
export class WatchRegistry implements KeyObserver {
  /** By 'db:key' in latin1: the sessions, and whether the key was due when each began to watch. */
  private readonly watchers = new Map<string, Map<Session, boolean>>()

  constructor(
    private readonly keyspace: Keyspace,
    /** Told when changes begin and cease to be of interest. */
    private readonly onInterest: (interested: boolean) => void,
  ) {}

  /** Keys that someone watches. */
  get size(): number {
    return this.watchers.size
  }

  watch(session: Session, database: number, key: Uint8Array): void {
    const name = `${database}:${latin1(key, 0, key.length)}`
    if (session.watched.has(name)) return
    session.watched.add(name)
    session.noteName(name, 1)
    let sessions = this.watchers.get(name)
    if (sessions === undefined) this.watchers.set(name, (sessions = new Map<Session, boolean>()))
    sessions.set(session, this.state(database, key, 0, key.length) === KeyState.due)
    this.onInterest(true)
  }

  unwatch(session: Session): void {
    for (const name of session.watched) {
      session.noteName(name, -1)
      const sessions = this.watchers.get(name)
      sessions?.delete(session)
      if (sessions?.size === 0) this.watchers.delete(name)
    }
    session.watched.clear()
    session.watchBroken = false
    if (this.watchers.size === 0) this.onInterest(false)
  }

  /** A watched key has fallen due since, removed or not. */
  hasLapsed(session: Session): boolean {
    for (const name of session.watched) {
      if (this.watchers.get(name)?.get(session) === true) continue
      if (this.stateOf(name) === KeyState.due) return true
    }
    return false
  }

  keyChanged(database: number, buf: Uint8Array, off: number, len: number): void {
    const sessions = this.watchers.get(`${database}:${latin1(buf, off, len)}`)
    if (sessions !== undefined) this.changed(sessions, this.state(database, buf, off, len) === KeyState.absent)
  }

  databaseFlushing(database: number): void {
    const prefix = `${database}:`
    for (const [name, sessions] of this.watchers) {
      if (name.startsWith(prefix) && this.stateOf(name) !== KeyState.absent) this.changed(sessions, true)
    }
  }

  /** Other data are here now. */
  dataReplaced(): void {
    for (const sessions of this.watchers.values()) for (const session of sessions.keys()) session.watchBroken = true
  }

  private changed(sessions: Map<Session, boolean>, isGone: boolean): void {
    for (const [session, wasDue] of sessions) {
      if (wasDue && isGone) sessions.set(session, false)
      else session.watchBroken = true
    }
  }

  private stateOf(name: string): KeyState {
    const colon = name.indexOf(':')
    const key = Buffer.from(name.slice(colon + 1), 'latin1')
    return this.state(Number(name.slice(0, colon)), key, 0, key.length)
  }

  private state(database: number, buf: Uint8Array, off: number, len: number): KeyState {
    const db = this.keyspace.peek(database)
    const ref = db === undefined ? 0 : db.lookup(buf, off, len)
    if (db === undefined || ref === 0 || db.type(ref) === KeyType.none) return KeyState.absent
    return this.keyspace.isVisible(db, ref) ? KeyState.visible : KeyState.due
  }
}

const KeyState = { absent: 0, due: 1, visible: 2 } as const
type KeyState = (typeof KeyState)[keyof typeof KeyState]
