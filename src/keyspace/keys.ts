import { assert } from '../base/assert.js'
import type { ApplyContext } from '../crdt/apply-context.js'
import type { EffectReader } from '../crdt/effect-reader.js'
import { COLLECTION_SHIFT } from '../crdt/effect-reader.js'
import {
  compareDots,
  emptyStringState,
  newestDot,
  settleExpiries,
  unobservedOf,
  visibleExpiry,
  withExpiry,
  type ExpiryEntry,
  type Reset,
} from '../crdt/string-state.js'
import type { Ref } from '../memory/arena.js'
import { HAS_EXPIRY, HAS_EXTRAS, HIDDEN, RAW } from '../memory/record.js'
import type { CollectionStore } from './collection-store.js'
import { KeyType, ROOT_BYTES, TABLE_COUNT, TYPE_COUNT, type Database } from './database.js'
import type { Keyspace } from './keyspace.js'
import { NO_RESETS, type StringStore } from './string-store.js'
import { writeExtras } from './string-extras.js'

/** In applyRemove: what a key holds of every type. */
export const EVERY_TYPE = 0

/**
 * Keys as a whole: which types a key holds, which of them is visible, and when it is gone.
 *
 * A key's replicated state is one register of expiry times and, for each type, what was written of that type. Members that write different types to one
 * key at the same time leave it with several; visible is the one with the newest surviving write, and a local write removes the others. The record in the
 * shard's table is the visible type's and carries the expiry; what else there is, also a collection of which clients see nothing, stands in *hidden*
 * records. They are rare: where a shard has none, an effect goes straight to its store.
 *
 * With hidden records an effect is applied in three steps: the type that it is for is brought to the front (focus), the effect is applied as if nothing else
 * were there, and the newest type is brought to the front (elect).
 */
export class Keys {
  private readonly byType = new Array<CollectionStore | undefined>(TYPE_COUNT).fill(undefined)

  constructor(
    private readonly keyspace: Keyspace,
    private readonly strings: StringStore,
    private readonly context: ApplyContext,
  ) {}

  /** Stores by KeyType; undefined for those without one. They are made after this, which they need: see Collections. */
  get stores(): readonly (CollectionStore | undefined)[] {
    return this.byType
  }

  addStore(store: CollectionStore): void {
    assert(this.byType[store.type] === undefined, 'two stores of one type')
    this.byType[store.type] = store
  }

  /** The store of a collection type. */
  store(type: number): CollectionStore {
    const store = this.byType[type]
    assert(store !== undefined, 'no store for a type')
    return store
  }

  /** What whoever goes through all of a collection comes by. */
  parts(type: number, db: Database, root: Ref): number {
    const store = this.store(type)
    return store.parts?.(db, root) ?? store.size(db, root)
  }

  /** True when a key's record can be taken as it stands for an effect on a type: no other type is involved. */
  isSimple(db: Database, ref: Ref, type: number, key: Uint8Array, keyOff: number, keyLen: number): boolean {
    if (db.mayHide(key, keyOff, keyLen)) return false
    if (ref === 0) return true
    const present = db.type(ref)
    return present === type || present === KeyType.none
  }

  /** Applies a collection's effect that the reader stands at. */
  applyCollection(db: Database, effect: EffectReader): void {
    const { bytes, keyOff, keyLen } = effect
    const type = effect.type >> COLLECTION_SHIFT
    const found = db.lookup(bytes, keyOff, keyLen)
    const simple = this.isSimple(db, found, type, bytes, keyOff, keyLen)
    const ref = simple ? found : this.focus(db, type, bytes, keyOff, keyLen)
    const root = this.rootOf(db, ref)
    const after = this.store(type).apply(db, root, effect)
    this.put(db, type, ref, after, bytes, keyOff, keyLen)
    if (!simple) this.elect(db, bytes, keyOff, keyLen)
  }

  /** The root of the collection that a record holds; 0 when it holds none. */
  rootOf(db: Database, ref: Ref): Ref {
    if (ref === 0) return 0
    const type = db.type(ref)
    return type === KeyType.none || type === KeyType.string ? 0 : db.root(ref)
  }

  /** Puts a collection as it is after an effect into the record of its key, which must be in front. isPlain: see closeCollection. */
  put(db: Database, type: number, ref: Ref, root: Ref, key: Uint8Array, keyOff: number, keyLen: number, isPlain = false): void {
    this.noteWrite(db)
    if (root === 0) {
      if (ref !== 0 && db.type(ref) === type) this.vanish(db, ref)
      return
    }
    let to = ref
    if (ref === 0) {
      // The store may have hashed something else since the key was looked up.
      db.lookup(key, keyOff, keyLen)
      to = db.insert(type, key, keyOff, keyLen, ROOT_BYTES, this.keyspace.freshAccess)
      this.setDot(db, to)
    } else {
      if (db.type(ref) === KeyType.none) {
        to = db.reshape(ref, type | (db.flags(ref) & (HAS_EXPIRY | HAS_EXTRAS)), ROOT_BYTES, false)
        this.setDot(db, to)
      }
      this.keyspace.touch(db, to)
    }
    db.setRoot(to, root)
    if (isPlain) return
    const store = this.store(type)
    if (store.isUnsettled(db, root)) this.keyspace.noteUnsettled(db, to)
    if (!store.isVisible(db, root)) this.elect(db, key, keyOff, keyLen)
  }

  /**
   * Applies a removal of what a key holds of one type, or EVERY_TYPE. keepExpiry: the key was due. The removal of one type always leaves the
   * expiry. resets: what the origin saw of a string's counter contributions.
   */
  remove(
    db: Database,
    type: number,
    key: Uint8Array,
    keyOff: number,
    keyLen: number,
    keepExpiry: boolean,
    resets: readonly Reset[],
  ): void {
    this.noteWrite(db)
    const ref = db.lookup(key, keyOff, keyLen)
    const keeps = keepExpiry || type !== EVERY_TYPE
    if (!db.mayHide(key, keyOff, keyLen)) {
      this.removeContent(db, type, ref, key, keyOff, keyLen, keeps, resets)
      return
    }
    for (let each = 1; each < TYPE_COUNT; each++) {
      if (type !== EVERY_TYPE && each !== type) continue
      if (this.recordOf(db, each, key, keyOff, keyLen) === 0) continue
      this.removeContent(db, each, this.focus(db, each, key, keyOff, keyLen), key, keyOff, keyLen, keeps, resets)
    }
    const left = db.lookup(key, keyOff, keyLen)
    if (!keeps && left !== 0) this.removeExpiries(db, left)
    this.elect(db, key, keyOff, keyLen)
  }

  /** Applies an expiry to the key, whatever it holds. */
  expire(db: Database, key: Uint8Array, keyOff: number, keyLen: number, at: number): void {
    const ref = db.lookup(key, keyOff, keyLen)
    // In the plain form the expiry is the same for all types.
    if (ref === 0 || !this.isCollection(db, ref) || this.hasPlainExpiry(db, ref)) {
      this.strings.expire(db, ref, key, keyOff, keyLen, at)
      return
    }
    this.noteWrite(db)
    this.setExpiries(db, ref, withExpiry(this.strings.load(db, ref).expiries, this.context, at))
  }

  /** Removes what the origin had observed in a whole database. */
  flush(index: number): void {
    const db = this.keyspace.peek(index)
    if (db === undefined) return
    let all = true
    for (let member = 1; member < db.highest.length && all; member++) {
      if (db.highest[member] > 0 && !this.context.covers(member, db.highest[member])) all = false
    }
    if (all) {
      this.resetDatabase(index, db)
      return
    }
    for (let table = 0; table < TABLE_COUNT; table++) {
      for (let i = db.shardCount(table) - 1; i >= 0; i--) {
        // Removing one may have taken others of this table along.
        if (i >= db.shardCount(table)) continue
        const key = db.key(db.recordAt(table, i))
        this.remove(db, EVERY_TYPE, key, 0, key.length, false, NO_RESETS)
      }
    }
  }

  /**
   * Lets a database go, but not what types remember of removals. That stands in hidden records by now; only when the log is read over a newer state there may be
   * some of it beside values that come later. Both are in tables that have something unsettled.
   */
  private resetDatabase(index: number, db: Database): void {
    this.keyspace.replace(index, db)
    for (let table = 0; table < TABLE_COUNT; table++) {
      if (db.unsettled[table] === 0) continue
      for (let i = 0; i < db.shardCount(table); i++) this.carryOver(index, db, db.recordAt(table, i))
    }
    db.arena.abandon()
  }

  private carryOver(index: number, db: Database, from: Ref): void {
    const type = db.type(from)
    const store = this.byType[type]
    if (store?.carryOver === undefined) return
    const fresh = this.keyspace.database(index)
    const root = store.carryOver(db.arena, db.root(from), fresh.arena)
    if (root === 0) return
    const key = db.key(from)
    fresh.lookup(key, 0, key.length)
    const hidden = fresh.insert(type | HIDDEN, key, 0, key.length, ROOT_BYTES, this.keyspace.freshAccess)
    fresh.setRoot(hidden, root)
    fresh.setDot(hidden, db.dotMember(from), db.dotStamp(from))
    this.keyspace.noteUnsettled(fresh, hidden)
  }

  /** Folds and drops what has become stable, in one table. Returns how many records it looked at. */
  settleTable(db: Database, table: number): number {
    if (db.unsettled[table] === 0 || this.keyspace.nowMs < this.keyspace.settlingHeldUntilMs) return 0
    db.unsettled[table] = 0
    this.keyspace.settlings++
    const count = db.shardCount(table)
    for (let i = count - 1; i >= 0; i--) {
      if (i >= db.shardCount(table)) continue
      const ref = db.recordAt(table, i)
      if (this.isCollection(db, ref)) this.settleCollection(db, ref)
      else this.strings.settleRecord(db, ref)
    }
    return count
  }

  private settleCollection(db: Database, ref: Ref): void {
    const type = db.type(ref)
    const root = db.root(ref)
    const store = this.store(type)
    if (this.keyspace.settleGuard?.(db, ref) === true || this.isHeld(db, ref)) {
      this.keyspace.noteUnsettled(db, ref)
      return
    }
    const after = store.settle(db, root)
    if (after === 0) {
      const key = db.key(ref)
      this.vanish(db, ref)
      if (db.mayHide(key, 0, key.length)) this.elect(db, key, 0, key.length)
      return
    }
    if (after !== root) db.setRoot(ref, after)
    if (store.isUnsettled(db, after)) this.keyspace.noteUnsettled(db, ref)
    const unsettled = (db.flags(ref) & HAS_EXTRAS) !== 0 || ((db.flags(ref) & HAS_EXPIRY) !== 0 && db.expiresAt(ref) === Infinity)
    if (unsettled) this.setExpiries(db, ref, this.strings.load(db, ref).expiries)
  }

  private isHeld(db: Database, ref: Ref): boolean {
    const { heldKey } = this.keyspace
    return heldKey !== null && heldKey.db === db && Buffer.compare(heldKey.key, db.key(ref)) === 0
  }

  private noteMove(db: Database, key: Uint8Array, keyOff: number, keyLen: number): void {
    for (const listener of this.keyspace.moveListeners) listener(db, key, keyOff, keyLen)
  }

  /** The record of what a key holds of a type, in front or hidden; 0 for none. */
  recordOf(db: Database, type: number, key: Uint8Array, keyOff: number, keyLen: number): Ref {
    const front = db.lookup(key, keyOff, keyLen)
    return front !== 0 && db.type(front) === type ? front : db.lookupHidden(type, key, keyOff, keyLen)
  }

  /** Brings what a key holds of a type to the front: the record, one of no type, or 0. */
  focus(db: Database, type: number, key: Uint8Array, keyOff: number, keyLen: number): Ref {
    let ref = db.lookup(key, keyOff, keyLen)
    if (ref !== 0 && db.type(ref) !== type && db.type(ref) !== KeyType.none) ref = this.hide(db, ref, key, keyOff, keyLen)
    if (ref !== 0 && db.type(ref) === type) return ref
    const hidden = db.lookupHidden(type, key, keyOff, keyLen)
    return hidden === 0 ? ref : this.show(db, ref, hidden, key, keyOff, keyLen)
  }

  /** Brings the newest type that clients can see to the front; what nobody can see goes behind. */
  elect(db: Database, key: Uint8Array, keyOff: number, keyLen: number): void {
    const front = db.lookup(key, keyOff, keyLen)
    let best: Ref = 0
    let newest: { readonly member: number; readonly stamp: number } | null = null
    for (let type = 1; type < TYPE_COUNT; type++) {
      const ref = this.recordOf(db, type, key, keyOff, keyLen)
      if (ref === 0) continue
      const dot = this.visibleDot(db, ref)
      if (dot === null || (newest !== null && compareDots(dot, newest) <= 0)) continue
      best = ref
      newest = dot
    }
    if (best === front && front !== 0) return
    let place = front
    if (front !== 0 && db.type(front) !== KeyType.none) place = this.hide(db, front, key, keyOff, keyLen)
    if (best !== 0) this.show(db, place, best, key, keyOff, keyLen)
    else if (place !== 0) this.orphan(db, place)
  }

  /** The newest dot of a type's content that clients can see, else null. */
  private visibleDot(db: Database, ref: Ref): { readonly member: number; readonly stamp: number } | null {
    if (!this.isCollection(db, ref)) return newestDot(this.strings.load(db, ref))
    const store = this.store(db.type(ref))
    const root = db.root(ref)
    return store.isVisible(db, root) ? store.newestDot(db, root) : null
  }

  /** Moves what the front record holds into a hidden one. Gives the front as it is then: of no type, with the expiries, or 0. */
  private hide(db: Database, ref: Ref, key: Uint8Array, keyOff: number, keyLen: number): Ref {
    const type = db.type(ref)
    const state = this.strings.load(db, ref)
    const { expiries } = state
    const arena = db.arena
    this.noteMove(db, key, keyOff, keyLen)
    db.lookup(key, keyOff, keyLen)
    if (type === KeyType.string) {
      const hidden = db.insert(KeyType.string | HIDDEN, key, keyOff, keyLen, 0, this.keyspace.freshAccess)
      state.expiries = []
      this.strings.write(db, hidden, state, (db.flags(ref) & RAW) !== 0, key, keyOff, keyLen)
    } else {
      const hidden = db.insert(type | HIDDEN, key, keyOff, keyLen, ROOT_BYTES, this.keyspace.freshAccess)
      db.setRoot(hidden, db.root(ref))
      db.setDot(hidden, db.dotMember(ref), db.dotStamp(ref))
    }
    this.keyspace.noteUnsettled(db, db.lookupHidden(type, key, keyOff, keyLen))
    // The front becomes a record of no type, or goes.
    if (expiries.length === 0) {
      const extras = db.extras(ref)
      if (extras !== 0) arena.free(extras)
      db.remove(ref)
      return 0
    }
    const orphan = { ...emptyStringState(), expiries, orphanedAt: this.context.now }
    return this.strings.write(db, ref, orphan, false, key, keyOff, keyLen)
  }

  /** Moves a hidden record's content to the front, which is of no type or 0. */
  private show(db: Database, front: Ref, hidden: Ref, key: Uint8Array, keyOff: number, keyLen: number): Ref {
    const type = db.type(hidden)
    this.noteMove(db, key, keyOff, keyLen)
    const expiries: ExpiryEntry[] = front === 0 ? [] : this.strings.load(db, front).expiries
    if (type === KeyType.string) {
      const state = this.strings.load(db, hidden)
      const raw = (db.flags(hidden) & RAW) !== 0
      const extras = db.extras(hidden)
      if (extras !== 0) db.arena.free(extras)
      db.remove(hidden)
      state.expiries = expiries
      db.lookup(key, keyOff, keyLen)
      return this.strings.write(db, front, state, raw, key, keyOff, keyLen)
    }
    const root = db.root(hidden)
    const member = db.dotMember(hidden)
    const stamp = db.dotStamp(hidden)
    db.remove(hidden)
    const at = db.lookup(key, keyOff, keyLen)
    const ref =
      at === 0
        ? db.insert(type, key, keyOff, keyLen, ROOT_BYTES, this.keyspace.freshAccess)
        : db.reshape(at, type | (db.flags(at) & (HAS_EXPIRY | HAS_EXTRAS)), ROOT_BYTES, false)
    db.setRoot(ref, root)
    db.setDot(ref, member, stamp)
    if (this.store(type).isUnsettled(db, root)) this.keyspace.noteUnsettled(db, ref)
    return ref
  }

  private removeContent(
    db: Database,
    type: number,
    ref: Ref,
    key: Uint8Array,
    keyOff: number,
    keyLen: number,
    keepExpiry: boolean,
    resets: readonly Reset[],
  ): void {
    if (ref === 0 || !this.isCollection(db, ref)) {
      if (type === EVERY_TYPE || type === KeyType.string) this.strings.remove(db, ref, keepExpiry, resets)
      return
    }
    const present = db.type(ref)
    if (type !== EVERY_TYPE && type !== present) return
    const after = this.store(present).remove(db, db.root(ref))
    if (!keepExpiry) this.removeExpiries(db, ref)
    this.put(db, present, db.lookup(key, keyOff, keyLen), after, key, keyOff, keyLen)
  }

  /** Removes the expiry entries that the origin had observed. */
  private removeExpiries(db: Database, ref: Ref): void {
    const flags = db.flags(ref)
    if ((flags & (HAS_EXPIRY | HAS_EXTRAS)) === 0) return
    if (!this.isCollection(db, ref)) {
      const state = this.strings.load(db, ref)
      state.expiries = unobservedOf(state.expiries, this.context)
      this.strings.write(db, ref, state, false, NO_KEY, 0, 0)
      return
    }
    this.setExpiries(db, ref, unobservedOf(this.strings.load(db, ref).expiries, this.context))
  }

  /** The collection in a front record is gone. Expiries that a concurrent write may still need stay, as for strings. */
  private vanish(db: Database, ref: Ref): void {
    const flags = db.flags(ref)
    if ((flags & (HAS_EXPIRY | HAS_EXTRAS)) === 0) {
      db.remove(ref)
      return
    }
    const { expiries } = this.strings.load(db, ref)
    const state = { ...emptyStringState(), expiries, orphanedAt: this.context.now }
    this.orphan(db, this.strings.write(db, ref, state, false, NO_KEY, 0, 0))
  }

  /** A record of no type is looked at again: its expiries go once they are stable. */
  private orphan(db: Database, ref: Ref): void {
    if (ref !== 0 && db.type(ref) === KeyType.none) this.strings.settleRecord(db, ref)
  }

  /** Writes the expiry entries of a collection's record, less what has become stable. Gives the record as it is then. */
  private setExpiries(db: Database, ref: Ref, entries: ExpiryEntry[]): Ref {
    const { arena } = db
    const expiries = settleExpiries(entries, this.keyspace.stability, true, true)
    const visible = visibleExpiry({ expiries })
    const before = db.extras(ref)
    const extras = writeExtras(arena, { ...emptyStringState(), expiries }, null, visible)
    const flags = db.type(ref) | (visible === null ? 0 : HAS_EXPIRY) | (extras === 0 ? 0 : HAS_EXTRAS)
    const to = db.reshape(ref, flags, ROOT_BYTES, true)
    if (before !== 0) arena.free(before)
    if (extras !== 0) db.setExtras(to, extras)
    if (visible !== null) db.setExpiry(to, visible.at, visible.member, visible.stamp)
    if (expiries.length > 1 || visible?.at === Infinity) this.keyspace.noteUnsettled(db, to)
    return to
  }

  /** There is at most one expiry entry, and the origin has observed it. */
  private hasPlainExpiry(db: Database, ref: Ref): boolean {
    const flags = db.flags(ref)
    if ((flags & HAS_EXTRAS) !== 0) return false
    return (flags & HAS_EXPIRY) === 0 || this.context.covers(db.expiryMember(ref), db.expiryStamp(ref))
  }

  private isCollection(db: Database, ref: Ref): boolean {
    return db.type(ref) > KeyType.string
  }

  /** A record gets the effect's dot. Where the dot is a variable of a hot function with two rare uses, V8 allocates a number for it in each call. */
  private setDot(db: Database, ref: Ref): void {
    db.setDot(ref, this.context.origin, this.context.stamp)
  }

  private noteWrite(db: Database): void {
    const { origin, stamp } = this.context
    if (db.highest[origin] < stamp) db.highest[origin] = stamp
  }
}

const NO_KEY = new Uint8Array(0)
