import { EVERYTHING_STABLE, type Stability } from '../crdt/apply-context.js'
import { CHUNK_SHIFT, UNIT_MASK, Arena, type Ref } from '../memory/arena.js'
import { EXPIRY_WORD, HAS_EXPIRY, TYPE_MASK } from '../memory/record.js'
import type { AccessFrequency } from './access-frequency.js'
import { Database, KeyType } from './database.js'
import { KeyHasher } from './key-hash.js'
import type { KeysAhead } from './keys-ahead.js'
import { Reclaimer } from './reclaimer.js'
import type { RecordSpace } from './record-space.js'

/** Told of every key that a local or remote effect may have changed: WATCH, notifications, tracking. */
export interface KeyObserver {
  keyChanged(database: number, buf: Uint8Array, off: number, len: number): void
  /** Told before: what is there can still be looked at. */
  databaseFlushing(database: number): void
}

/** Told when somebody looked for a key and it was due: whoever may remove it can do so soon. */
export interface DueListener {
  seenDue(db: Database, ref: Ref): void
}

/**
 * All databases of a member, and what reading a key means: a key whose expiry is due is hidden, whoever will remove it.
 */
export class Keyspace {
  private databases: (Database | undefined)[]
  private readonly hasher: KeyHasher
  /** Unix ms by which keys are due. The engine sets it before each command and each remote frame. */
  nowMs = 0
  /** Seconds, 24 bits: when a key was last used stands so in its record, unless uses are counted. */
  clock = 0
  /** What stands there instead while keys are evicted by how often they are used (LFU); null otherwise. */
  private counting: AccessFrequency | null = null
  /** The access bits of a record that is made now. */
  freshAccess = 0
  stability: Stability = EVERYTHING_STABLE
  /** Null while nobody wants to know: then effects do not pay for it. */
  observer: KeyObserver | null = null
  /** Records stored since the last sweep that need another look once more is stable. */
  unsettledCount = 0
  /** Moves whenever records may have moved without anything being written: what walks over several turns begins anew. */
  settlings = 0
  /** Unix ms until which nothing is tidied up, because a digest walks over all records: it would begin anew. */
  settlingHeldUntilMs = 0
  dueListener: DueListener | null = null
  /** Told of every key that was looked up for reading and is not there. Null while nobody wants to know. */
  missListener: ((db: Database, buf: Uint8Array, off: number, len: number) => void) | null = null
  /** Asked before a collection is tidied up, which moves things in it: true puts it off. Null while nobody minds. */
  settleGuard: ((db: Database, ref: Ref) => boolean) | null = null
  /** Asked before the server itself changes a key (it is due, memory runs out): true when a long write has it. Null while none is under way. */
  holdGuard: ((db: Database, ref: Ref) => boolean) | null = null
  /** Told of every key of which a type is being hidden or shown: its records go from one table to another, past whoever walks them. */
  readonly moveListeners: ((db: Database, key: Uint8Array, keyOff: number, keyLen: number) => void)[] = []
  /** A key whose collections are being written in parts: they are not tidied up, which moves elements past the one who writes. */
  heldKey: { readonly db: Database; readonly key: Uint8Array } | null = null
  hits = 0
  misses = 0
  /** Takes removed collections. */
  readonly reclaimer = new Reclaimer()

  constructor(
    readonly databaseCount: number,
    /** Secret, so that clients cannot choose keys or elements that collide. */
    readonly hashSeed: number,
  ) {
    this.databases = new Array<Database | undefined>(databaseCount).fill(undefined)
    this.hasher = new KeyHasher(hashSeed)
  }

  /** A database that exists; made on first use. */
  database(index: number): Database {
    return this.databases[index] ?? (this.databases[index] = new Database(new Arena(), this.hasher))
  }

  /** A database if it was ever used. */
  peek(index: number): Database | undefined {
    return this.databases[index]
  }

  /** Lets everything in a database go, and its memory. */
  reset(index: number): void {
    const old = this.databases[index]
    if (old === undefined) return
    this.replace(index, old)
    old.arena.abandon()
  }

  /** Puts an empty database in the place of one, whose memory its user abandons. */
  replace(index: number, old: Database): void {
    this.reclaimer.forget(old.arena)
    const fresh = new Database(new Arena(), this.hasher)
    fresh.highest.set(old.highest)
    this.databases[index] = fresh
  }

  /** A command begins: its arguments may lie where others have lain. */
  beginCommand(): void {
    this.hasher.forget()
  }

  /** Keys of commands that come next, to be filled in before lookAhead. They are forgotten with the batch. */
  get ahead(): KeysAhead {
    return this.hasher.ahead
  }

  setTime(unixMs: number): void {
    this.nowMs = unixMs
    this.clock = Math.floor(unixMs / 1000) & 0xffffff
    const { counting } = this
    if (counting === null) {
      this.freshAccess = this.clock
    } else {
      counting.setTime(unixMs)
      this.freshAccess = counting.fresh()
    }
  }

  /**
   * From now on uses of keys are counted, or, with null, their times are kept. What records have is not converted, as in Redis: it means
   * something again once the key is used.
   */
  set frequency(counting: AccessFrequency | null) {
    this.counting = counting
    this.setTime(this.nowMs)
  }

  get frequency(): AccessFrequency | null {
    return this.counting
  }

  /** A key is used. */
  touch(db: RecordSpace, ref: Ref): void {
    const { counting } = this
    db.touch(ref, counting === null ? this.clock : counting.used(db.accessBits(ref)))
  }

  /** Seconds since a key was used; only while uses are not counted. */
  idleSeconds(db: Database, ref: Ref): number {
    return (this.clock - db.accessBits(ref)) & 0xffffff
  }

  /** The record of a key that has a visible value, or 0. */
  find(db: Database, buf: Uint8Array, off: number, len: number): Ref {
    const ref = db.lookup(buf, off, len)
    if (ref === 0 || this.isVisible(db, ref)) return ref
    this.noteHidden(db, ref)
    return 0
  }

  /** As find, for commands that read: counts hits and misses, and moves the access clock if touch says so. */
  findForRead(db: Database, buf: Uint8Array, off: number, len: number, touch: boolean): Ref {
    const ref = this.find(db, buf, off, len)
    if (ref === 0) {
      this.misses++
      this.missListener?.(db, buf, off, len)
      return 0
    }
    this.hits++
    if (touch) this.touch(db, ref)
    return ref
  }

  /** Something of a record may be folded or dropped once more is stable. */
  noteUnsettled(db: Database, ref: Ref): void {
    db.markUnsettled(ref)
    this.unsettledCount++
  }

  /** A walk or a search came upon a record that is not visible. */
  noteHidden(db: Database, ref: Ref): void {
    if (db.type(ref) !== KeyType.none) this.dueListener?.seenDue(db, ref)
  }

  /** Number of a database that is in use. */
  indexOf(db: Database): number {
    return this.databases.indexOf(db)
  }

  /** Number of the database that has its data in an arena, -1 for none. */
  databaseOf(arena: Arena): number {
    return this.databases.findIndex((db) => db?.arena === arena)
  }

  isVisible(db: Database, ref: Ref): boolean {
    const arena = db.arena
    const flags = arena.u32[ref >>> CHUNK_SHIFT][(ref & UNIT_MASK) << 1]
    if ((flags & TYPE_MASK) === KeyType.none) return false
    return (flags & HAS_EXPIRY) === 0 || arena.f64[ref >>> CHUNK_SHIFT][(ref & UNIT_MASK) + (EXPIRY_WORD >>> 1)] > this.nowMs
  }

  /** Bytes of live data: records, extras and tables of all databases. */
  usedBytes(): number {
    let bytes = 0
    for (const db of this.databases) if (db !== undefined) bytes += db.arena.usedBytes + db.fixedBytes
    return bytes
  }

  reservedBytes(): number {
    let bytes = 0
    for (const db of this.databases) if (db !== undefined) bytes += db.arena.reservedBytes
    return bytes
  }
}
