import {
  decodeSnapshotHeader,
  decodeSnapshotIndex,
  encodeSnapshotHeader,
  encodeSnapshotIndex,
  type SectionEntry,
  type SnapshotEnd,
  type SnapshotHeader,
} from '../../oplog/snapshot-format.js'
import type { SnapshotReader } from '../../oplog/snapshot-reader.js'
import { protocolError } from '../messages.js'

/** What stands in one shard of a snapshot. */
export interface OfferedShard {
  readonly database: number
  readonly shard: number
  readonly keys: number
  /** Bytes of its records. */
  readonly bytes: number
}

/** What a member says of the snapshot that it has for another one: all but the records. */
export interface SnapshotOffer {
  readonly header: SnapshotHeader
  readonly end: SnapshotEnd
  /** Those that are not empty, in order. */
  readonly shards: readonly OfferedShard[]
}

const LENGTH_BYTES = 4

/** The offer as bytes: length of the header u32, header and index as in a snapshot file, but with one entry for a shard. */
export function encodeOffer({ header, end, sections }: SnapshotReader): Uint8Array {
  const head = encodeSnapshotHeader(header)
  const index = encodeSnapshotIndex({ sections: perShard(sections), end })
  const bytes = new Uint8Array(LENGTH_BYTES + head.length + index.length)
  new DataView(bytes.buffer).setUint32(0, head.length, true)
  bytes.set(head, LENGTH_BYTES)
  bytes.set(index, LENGTH_BYTES + head.length)
  return bytes
}

/** @throws MeridianError MRD_PEER_PROTOCOL when these are not the bytes of an offer, or one of a format that is not known. */
export function decodeOffer(bytes: Uint8Array): SnapshotOffer {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const length = bytes.length < LENGTH_BYTES ? Infinity : view.getUint32(0, true)
  if (LENGTH_BYTES + length > bytes.length) throw protocolError('SNAPSHOT_OFFER is cut short')
  const decoded = decodeSnapshotHeader(bytes.subarray(LENGTH_BYTES, LENGTH_BYTES + length))
  if (decoded.kind === 'version') throw protocolError(`a snapshot of format version ${decoded.version} is offered`)
  if (decoded.kind === 'broken') throw protocolError(`a snapshot is offered whose header is broken: ${decoded.what}`)
  const index = decodeSnapshotIndex(bytes.subarray(LENGTH_BYTES + length))
  if (index === null) throw protocolError('a snapshot is offered whose index is broken')
  const shards = index.sections.map(({ database, shard, keys, length: size }) => ({ database, shard, keys, bytes: size }))
  for (let i = 1; i < shards.length; i++) {
    if (shardNumber(shards[i]) <= shardNumber(shards[i - 1]))
      throw protocolError('a snapshot is offered with shards out of order')
  }
  return { header: decoded.header, end: index.end, shards }
}

/** A number for a shard of any database, in the order in which they stand in a snapshot. */
export function shardNumber({ database, shard }: { readonly database: number; readonly shard: number }): number {
  return database * 65_536 + shard
}

function perShard(sections: readonly SectionEntry[]): SectionEntry[] {
  const shards: SectionEntry[] = []
  for (const { database, shard, keys, length } of sections) {
    const last = shards.at(-1)
    if (last?.database === database && last.shard === shard)
      shards[shards.length - 1] = { ...last, keys: last.keys + keys, length: last.length + length }
    else shards.push({ database, shard, keys, length, crc: 0, offset: 0 })
  }
  return shards
}
