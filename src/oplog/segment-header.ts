import { crc32 } from '../base/crc32.js'
import { MAX_MEMBER_ID, isMemberId, type MemberId } from '../base/ids.js'
import { assert } from '../base/assert.js'
import type { VersionVector } from '../crdt/version-vector.js'
import { putVector, readVector, VECTOR_ENTRY_BYTES } from './vector-entries.js'

/**
 * The first bytes of a segment file; docs/formats/log.md draws them. They say whose log this is and where in it the
 * segment begins, so that a catch-up position is found without an index.
 */
export interface SegmentHeader {
  readonly clusterId: string
  readonly memberId: MemberId
  /** 1 for the first segment of a log, then one more each. */
  readonly sequence: number
  /** Position in the log of the segment's first frame: the bytes of all frames before it. */
  readonly startByte: number
  /** Highest stamp of each origin in all segments before this one. */
  readonly vector: VersionVector
}

export const SEGMENT_FORMAT_VERSION = 1
export const SEGMENT_MAGIC = new Uint8Array([0x4d, 0x52, 0x44, 0x0d, 0x0a, 0x4c, 0x4f, 0x47]) // "MRD\r\nLOG"
/** Magic, format version and header length: these stand here in every format version. */
export const SEGMENT_PREFIX_BYTES = 16
const FIXED_BYTES = 36
const CHECKSUM_BYTES = 4
const MAX_CLUSTER_ID_BYTES = 255
/** Longest header that is believed: a damaged length must not make us read a gigabyte. */
export const MAX_SEGMENT_HEADER_BYTES = FIXED_BYTES + MAX_CLUSTER_ID_BYTES + MAX_MEMBER_ID * VECTOR_ENTRY_BYTES + CHECKSUM_BYTES

export function segmentFileName(sequence: number): string {
  return `${String(sequence).padStart(16, '0')}.mlog`
}

/** The sequence in a segment's file name, or 0 when the name is not one of a segment. */
export function segmentSequence(name: string): number {
  return /^\d{16}\.mlog$/.test(name) ? Number(name.slice(0, 16)) : 0
}

export function encodeSegmentHeader(header: SegmentHeader): Uint8Array {
  const clusterId = new TextEncoder().encode(header.clusterId)
  assert(clusterId.length <= MAX_CLUSTER_ID_BYTES, 'the configuration bounds the cluster id')
  const entries = [...header.vector.entries()]
  const length = FIXED_BYTES + clusterId.length + entries.length * VECTOR_ENTRY_BYTES + CHECKSUM_BYTES
  const bytes = new Uint8Array(length)
  const view = new DataView(bytes.buffer)
  bytes.set(SEGMENT_MAGIC)
  view.setUint32(8, SEGMENT_FORMAT_VERSION, true)
  view.setUint32(12, length, true)
  view.setFloat64(16, header.sequence, true)
  view.setFloat64(24, header.startByte, true)
  bytes[32] = header.memberId
  bytes[33] = clusterId.length
  view.setUint16(34, entries.length, true)
  bytes.set(clusterId, FIXED_BYTES)
  const at = putVector(view, FIXED_BYTES + clusterId.length, entries)
  view.setUint32(at, crc32(bytes.subarray(0, at)), true)
  return bytes
}

export type DecodedSegmentHeader =
  | { readonly kind: 'header'; readonly header: SegmentHeader; readonly bytes: number }
  /** Whole and undamaged, but of a format this server does not know. */
  | { readonly kind: 'version'; readonly version: number }
  /** Not a header. `unfinished` when it can be what a crash left of one that was never synced. */
  | { readonly kind: 'broken'; readonly what: string; readonly unfinished: boolean }

/** Reads the header at the start of a file, from its first bytes (at most MAX_SEGMENT_HEADER_BYTES are needed). */
export function decodeSegmentHeader(bytes: Uint8Array): DecodedSegmentHeader {
  const broken = (what: string, unfinished = true): DecodedSegmentHeader => ({ kind: 'broken', what, unfinished })
  if (bytes.every((byte) => byte === 0)) return broken('the header is empty')
  const magic = Math.min(bytes.length, SEGMENT_MAGIC.length)
  for (let i = 0; i < magic; i++) {
    if (bytes[i] !== SEGMENT_MAGIC[i]) return broken('it does not begin as a log segment')
  }
  if (bytes.length < SEGMENT_PREFIX_BYTES) return broken('the header is cut short')
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const length = view.getUint32(12, true)
  if (length < SEGMENT_PREFIX_BYTES + CHECKSUM_BYTES || length > MAX_SEGMENT_HEADER_BYTES)
    return broken('the header length is wrong')
  if (length > bytes.length) return broken('the header is cut short')
  const end = length - CHECKSUM_BYTES
  if (crc32(bytes.subarray(0, end)) !== view.getUint32(end, true)) return broken('the header checksum is wrong')
  const version = view.getUint32(8, true)
  if (version !== SEGMENT_FORMAT_VERSION) return { kind: 'version', version }

  const sequence = view.getFloat64(16, true)
  const startByte = view.getFloat64(24, true)
  const entries = view.getUint16(34, true)
  const memberId = bytes[32]
  const at = FIXED_BYTES + bytes[33]
  if (at + entries * VECTOR_ENTRY_BYTES !== end) return broken('the header fields do not add up', false)
  if (
    !Number.isSafeInteger(sequence) ||
    sequence < 1 ||
    !Number.isSafeInteger(startByte) ||
    startByte < 0 ||
    !isMemberId(memberId)
  ) {
    return broken('the header fields are out of range', false)
  }
  const vector = readVector(view, at, entries)
  const clusterId = new TextDecoder().decode(bytes.subarray(FIXED_BYTES, FIXED_BYTES + bytes[33]))
  return { kind: 'header', header: { clusterId, memberId, sequence, startByte, vector }, bytes: length }
}
