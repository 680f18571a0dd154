import type { ByteList } from './byte-list.js'

/** What a payload holds, whatever encoding it came in. Members and fields are unique; nothing but a stream is ever empty. */
export type RdbValue = RdbString | RdbList | RdbSet | RdbSortedSet | RdbHash | RdbStream

export interface RdbString {
  readonly type: 'string'
  /** May be a view of the payload. */
  readonly value: Uint8Array
}

export interface RdbList {
  readonly type: 'list'
  readonly elements: ByteList
}

export interface RdbSet {
  readonly type: 'set'
  readonly members: ByteList
}

export interface RdbSortedSet {
  readonly type: 'zset'
  readonly members: ByteList
  /** Score of member i, never NaN. In no order. */
  readonly scores: Float64Array
}

export interface RdbHash {
  readonly type: 'hash'
  readonly fields: ByteList
  readonly values: ByteList
  /** Unix ms at which field i goes, 0 for never; null when no field has an expiry. */
  readonly expiries: Float64Array | null
}

/** Both parts are unsigned 64-bit integers. */
export interface RdbStreamId {
  readonly ms: bigint
  readonly seq: bigint
}

export interface RdbStream {
  readonly type: 'stream'
  /** By rising ID. */
  readonly entries: readonly RdbStreamEntry[]
  readonly lastId: RdbStreamId
  readonly firstId: RdbStreamId
  readonly maxDeletedId: RdbStreamId
  readonly entriesAdded: bigint
  readonly groups: readonly RdbStreamGroup[]
  /** Null where nothing is known of messages and the settings are those that go without saying. */
  readonly marks: RdbStreamMarks | null
}

/** Messages that producers have named (XADD IDMP), and for how long and how many of a producer they are known. */
export interface RdbStreamMarks {
  readonly durationS: number
  readonly maxSize: number
  /** With different names. */
  readonly producers: readonly RdbProducer[]
  /** Messages that were ever named, and how many of them came again. */
  readonly added: bigint
  readonly duplicates: bigint
}

export interface RdbProducer {
  /** Not empty. */
  readonly name: Uint8Array
  /** The oldest first, with different names. */
  readonly marks: readonly RdbMark[]
}

export interface RdbMark {
  /** Not empty. */
  readonly name: Uint8Array
  /** Of the entry that the message has become; it may be gone. */
  readonly id: RdbStreamId
}

export interface RdbStreamEntry {
  readonly id: RdbStreamId
  /** Entries with the same names share the list. */
  readonly names: ByteList
  readonly values: ByteList
}

export interface RdbStreamGroup {
  readonly name: Uint8Array
  readonly lastId: RdbStreamId
  /** Entries that the group has read in all, null when that is not known. */
  readonly entriesRead: bigint | null
  readonly consumers: readonly RdbStreamConsumer[]
  /** Pending entries that nobody has (XNACK), in the order in which whoever claims gets them. */
  readonly released: readonly RdbPendingEntry[]
}

export interface RdbStreamConsumer {
  readonly name: Uint8Array
  /** Unix ms; activeMs is -1 for a consumer that never got anything. */
  readonly seenMs: number
  readonly activeMs: number
  readonly pending: readonly RdbPendingEntry[]
}

export interface RdbPendingEntry {
  readonly id: RdbStreamId
  readonly deliveredMs: number
  readonly deliveries: bigint
}
