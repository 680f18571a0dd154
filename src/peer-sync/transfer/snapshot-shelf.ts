import type { MemberId } from '../../base/ids.js'
import type { VersionVector } from '../../crdt/version-vector.js'
import type { HashedRecords } from './shard-sum.js'
import type { SnapshotReader } from '../../oplog/snapshot-reader.js'

/** A snapshot that is being sent to one receiver. Others may have the same reader. */
export interface ServedSnapshot {
  readonly reader: SnapshotReader
  /** Something of it is being sent: it is still in use. */
  used(): void
  /** The receiver has all of it: what it needs of the log from the snapshot's place on is kept a while longer. */
  completed(): void
  /** It is not needed any more. Once. */
  release(): void
}

/** Where a member takes the snapshots from that it sends to others. */
export interface SnapshotShelf {
  /** Bytes of snapshots were sent, to whomever. */
  sent(bytes: number): void
  /** How long the next ones have to wait, for the sake of a bound on the rate; 0: not at all. */
  readonly waitMs: number
  /** Reads the records of snapshots. */
  readonly records: HashedRecords
  /**
   * One whose vector has at least what the receiver has applied; or, while it is being made, how far that has got, in percent: ask again.
   * @throws MeridianError when none can be had now.
   */
  take(applied: VersionVector, receiver: MemberId): ServedSnapshot | number
}
