import type { KeyObserver, Keyspace } from './keyspace.js'

/**
 * Those who want to hear of changed keys at the moment. The keyspace knows one observer: nobody, the only one, or, when there are several,
 * this. So changes cost nothing while nobody listens.
 */
export class KeyObservers implements KeyObserver {
  private readonly interested = new Set<KeyObserver>()

  constructor(private readonly keyspace: Keyspace) {}

  /** Says whether an observer is to be told from now on. */
  set(observer: KeyObserver, isInterested: boolean): void {
    const { interested, keyspace } = this
    if (interested.has(observer) === isInterested) return
    if (isInterested) interested.add(observer)
    else interested.delete(observer)
    if (interested.size > 1) keyspace.observer = this
    else keyspace.observer = [...interested][0] ?? null
  }

  keyChanged(database: number, buf: Uint8Array, off: number, len: number): void {
    for (const observer of this.interested) observer.keyChanged(database, buf, off, len)
  }

  databaseFlushing(database: number): void {
    for (const observer of this.interested) observer.databaseFlushing(database)
  }
}
