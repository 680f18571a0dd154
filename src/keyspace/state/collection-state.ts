import { ListPosition } from '../../crdt/list-position.js'
import { StreamId } from '../../crdt/stream-id.js'
import type { Ref } from '../../memory/arena.js'
import type { Database } from '../database.js'
import type { StateBytes } from './state-bytes.js'
import type { StateReader } from './state-reader.js'
import type { OwnGroup } from './stream-state.js'

/** Whose writes somebody has. */
export interface Observed {
  covers(member: number, stamp: number): boolean
}

/** How a collection store writes and reads the whole state of its collections: the header and elements of `part` in docs/formats/key-state.md. */
export interface CollectionState {
  /** Writes what is not in an element. Nothing for most types. */
  writeHeader(db: Database, root: Ref, out: StateBytes): void

  /**
   * Writes elements from where the cursor stands for about so many bytes, at least one; true when all are written. Between two calls the collection
   * may change in any way, or be another one: what was there all the time is written at least once, each element as it was at some moment.
   */
  writeElements(db: Database, root: Ref, cursor: StateCursor, out: StateBytes, bytes: number): boolean

  /**
   * Adds a header and elements (up to NO_MORE_ELEMENTS) to a collection, 0 for none. isWhole: the key is one record, so there is nothing else of the
   * collection, and no element comes twice. Otherwise a later record may bring an element again, as it was later. Gives the root.
   */
  read(db: Database, root: Ref, reader: StateReader, isWhole: boolean): Ref

  /**
   * Of a stream: what this member has of its groups for itself, and giving that back to what another member wrote of the stream. `applied`: what this one had applied;
   * null when the other one may have forgotten destroys that this one has not applied.
   */
  ownGroups?(db: Database, root: Ref): readonly OwnGroup[]
  giveBack?(db: Database, root: Ref, kept: readonly OwnGroup[], applied: Observed | null): void

  /** Lets go of a collection as if it had never been. */
  drop(db: Database, root: Ref): void
}

/** Where the writing of one collection stands; what of it is used is for the type to say. One is reused for all. */
export class StateCursor {
  /** Nothing of the collection is written yet. */
  isNew = true
  /** The dot of the element written last in this record; 0 for none. */
  dotHigh = 0
  dotLow = 0
  /** A place in a table. */
  place = 0
  /** Which kind of elements is being written. */
  phase = 0
  /** The last position, ID and name that was written. */
  readonly position = new ListPosition()
  readonly id = new StreamId()
  region = 0
  name: Uint8Array = NO_NAME

  /** Before the first element of a collection. */
  reset(): void {
    this.isNew = true
    this.place = 0
    this.phase = 0
    this.region = 0
    this.name = NO_NAME
    this.beginRecord()
  }

  /** A record begins: the dot of its first element is always written. */
  beginRecord(): void {
    this.dotHigh = 0
    this.dotLow = 0
  }

  /** Notes the dot of the next element; true when it is that of the one before. */
  isSameDot(high: number, low: number): boolean {
    if (this.dotLow === low && this.dotHigh === high) return true
    this.dotHigh = high
    this.dotLow = low
    return false
  }
}

const NO_NAME = new Uint8Array(0)
