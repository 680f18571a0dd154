import type { EffectReader } from '../crdt/effect-reader.js'
import type { OpBuilder } from '../crdt/op-builder.js'
import type { Arena, Ref } from '../memory/arena.js'
import type { ByteList } from '../rdb/byte-list.js'
import type { RdbValue } from '../rdb/value.js'
import type { Database } from './database.js'
import type { KeysAhead } from './keys-ahead.js'
import type { Hash64 } from './hash64.js'
import type { CollectionState } from './state/collection-state.js'

/** Class (NotificationClass) and name of a keyspace event. */
export interface KeyEvent {
  readonly kind: number
  readonly event: string
}

/**
 * What the code that deals with keys as a whole needs of the store of one collection type (hash, set, sorted set, list, stream, HyperLogLog).
 *
 * A collection is one *root*: a reference to an arena block of the store's own making, from which everything of the collection is reached. It
 * stands in the record of the key, which stays where it is while the collection changes; 0 means that there is none. Key, expiry of the key,
 * which type is visible, and when a key is gone are not the store's business (see keys.ts): it is given a root and gives back the root as it is now.
 *
 * Whose writes are observed the store asks its ApplyContext, what is stable Keyspace.stability. It reads neither clock nor chance.
 */
export interface CollectionStore {
  /** KeyType of the keys it keeps. Its effects have the types type * 8 .. type * 8 + 7. */
  readonly type: number

  /** Writes and reads collections with all that concurrent writes need. */
  readonly state: CollectionState

  /**
   * Walks the payload of one effect by the reader's primitives and calls effect.fail for whatever is wrong in itself (lengths, impossible
   * numbers). It must pass over exactly the payload. Changes nothing.
   */
  check(effect: EffectReader): void

  /** The same walk once more, applying. Also applied again over a state that contains it and later ones. Gives the root; 0: nothing at all is left. */
  apply(db: Database, root: Ref, effect: EffectReader): Ref

  /** Removes what the context's origin had observed: DEL, FLUSHDB, a key that is due. Large collections go to Keyspace.reclaim, not element by element. */
  remove(db: Database, root: Ref): Ref

  /**
   * Called when a key is about to be removed by a local command, before its `remove` effect and in the same op: writes effects that say what is
   * seen of counters, for those that have some (see SEMANTICS in docs/formats/effects.md). Nothing for types without counters.
   */
  beforeRemove(db: Database, root: Ref, database: number, key: Uint8Array, keyOff: number, keyLen: number): void

  /** False when clients see no such key: what is left only waits until it is stable. */
  isVisible(db: Database, root: Ref): boolean

  /** The highest dot of any surviving write, as a packed pair; asked only when a key holds two types. */
  newestDot(db: Database, root: Ref): { readonly member: number; readonly stamp: number }

  /** True when settle may have something to do now or once more is stable. Asked after every effect: cheap. */
  isUnsettled(db: Database, root: Ref): boolean

  /** Folds and drops what has become stable, a bounded number of elements at a time: it is called again while isUnsettled. */
  settle(db: Database, root: Ref): Ref

  /**
   * For types whose removals are remembered until they are stable: makes, in the arena of the fresh database that a flush of everything
   * leaves, a root that remembers what this one does; 0 if that is nothing.
   */
  carryOver?(from: Arena, root: Ref, to: Arena): Ref

  /** Frees up to about `budget` elements of a collection that nothing refers to any more. Gives the root of what is left, 0 when all is freed. */
  free(arena: Arena, root: Ref, budget: number): Ref

  /**
   * Commands that come next seem to be about elements of this collection: a hint, as Database.lookAhead is one. Absent where finding an element does not wait for
   * memory that is known beforehand.
   */
  lookAhead?(db: Database, root: Ref, ahead: KeysAhead): void

  /** Elements that clients see. */
  size(db: Database, root: Ref): number

  /** Elements and what else there is of them to go through, where that is more. Absent where it never is. */
  parts?(db: Database, root: Ref): number

  /** Bytes of the collection, for MEMORY USAGE; of large ones `samples` elements are looked at (0: all). */
  bytes(arena: Arena, root: Ref, samples: number): number

  /** The encoding that Redis would use: OBJECT ENCODING. */
  encoding(db: Database, root: Ref): string

  /** Hashes what clients see, so that equal data hashes alike however it came about. Gives about how many bytes were hashed. */
  digest(hash: Hash64, db: Database, root: Ref): number

  /** As digest, for large collections, some elements a step; each gives about how many bytes it has hashed. Nothing may change in between. */
  digestSteps?(hash: Hash64, db: Database, root: Ref): Generator<number, void>

  /** The visible value in the form of DUMP. */
  toRdb(db: Database, root: Ref): RdbValue

  /** Writes, as local effects, a value of this type to a key that holds nothing: RESTORE. The value has been validated by the rdb reader. */
  writeRdb(value: RdbValue, database: number, key: Uint8Array, keyOff: number, keyLen: number): void

  /** Writes, as local effects, the visible value to another key that holds nothing: RENAME, COPY, MOVE. `db` and `root` are the source. */
  copy(db: Database, root: Ref, database: number, key: Uint8Array, keyOff: number, keyLen: number): void

  /** How many elements beforeRemove looks at, about: 0 when it has nothing to say. Absent for types without counters. */
  removalLooks?(db: Database, root: Ref): number

  /** As copy, into an op that is being built, some elements a step. The source must not change meanwhile. Absent where copies go in one go. */
  buildCopy?(db: Database, root: Ref, op: OpBuilder, to: KeyPlace): Generator<undefined, void>

  /** As beforeRemove, into an op that is being built, some elements a step. Absent for types without counters. */
  buildBeforeRemove?(db: Database, root: Ref, op: OpBuilder, at: KeyPlace): Generator<undefined, void>

  /**
   * The keyspace event for an effect of another member that was applied just now, null for none. The reader stands at the begin of its payload again; root is
   * the collection as it is now, 0 for none.
   */
  eventOf(effect: EffectReader, db: Database, root: Ref): KeyEvent | null

  /**
   * Names of the fields that the event of eventOf is about, with the reader and the root as there. Of a removal those that are gone, of anything else those that clients see.
   * Absent for types without fields.
   */
  fieldsOf?(effect: EffectReader, db: Database, root: Ref): ByteList

  /** Lines of CRDT.DEBUG: the elements' dots, contributions, expiries; at most `limit`. */
  debug(db: Database, root: Ref, limit: number): string[]
}

/** A key of a database. */
export interface KeyPlace {
  readonly database: number
  readonly key: Uint8Array
  readonly off: number
  readonly len: number
}
