import type { SnapshotOffer } from './snapshot-offer.js'

/** What is in a shard. */
export interface ShardDigest {
  /** Of each key; null when they are more than a list may have. */
  readonly digests: Uint8Array | null
  /** As ShardSum writes it. */
  readonly sum: Uint8Array
}

/** Where a member puts the snapshot that it takes from another one. While it is open the member takes neither writes nor frames. */
export interface SnapshotIntake {
  /** Writes are refused from now on, and what was written becomes durable, so that others can fetch it. */
  open(): void
  /** Nothing of before is under way any more, and everything applied is durable. */
  readonly isQuiet: boolean
  /** Data of a snapshot have come in: what is in memory is not what the log leads to, until a transfer is complete. */
  readonly isTouched: boolean
  /** Keys that have come since it was opened. */
  readonly keysTaken: number
  /** A snapshot is going to come in. @throws MeridianError when this member cannot take it. */
  begin(offer: SnapshotOffer): void
  /** The shards that hold something here. */
  shards(): { readonly database: number; readonly shard: number }[]
  /**
   * Goes over some of what is in a shard; another shard than the last time, or `anew`: from its beginning. Null when there is more; then ask again. Nothing of it may change
   * meanwhile.
   */
  digest(database: number, shard: number, anew: boolean): ShardDigest | null
  /** Drops some of the keys of a shard with these hashes; true when all are gone. Until then it is to be called with the same ones. */
  drop(database: number, shard: number, hashes: ReadonlySet<number>): boolean
  /** Drops some of what is in a shard; true when it is empty. */
  clear(database: number, shard: number): boolean
  /**
   * Takes the whole records at the beginning of bytes[0 .. length) into a shard; gives how many bytes they are.
   * @throws MeridianError when they are none.
   */
  load(database: number, bytes: Uint8Array, length: number): number
  /** All records of a shard have come. @throws MeridianError when that cannot be all. */
  endShard(): void
  /** What came of a shard was not all of it: the rest is not coming. */
  abortShard(): void
  /** All shards are here. Makes that durable, and what the member has applied; then calls back. On an error it may be called again. */
  finish(done: (error: Error | null) => void): void
  /** Writes and frames are taken again. Not while it is touched. */
  close(): void
}
