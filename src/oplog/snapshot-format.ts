import { assert } from '../base/assert.js'
import { startsWith } from '../base/bytes.js'
import { crc32 } from '../base/crc32.js'
import { isMemberId, type MemberId, type Stamp } from '../base/ids.js'
import type { VersionVector } from '../crdt/version-vector.js'
import { openedFooter, sealedFooter } from './sealed-footer.js'
import { putVector, readVector, VECTOR_ENTRY_BYTES } from './vector-entries.js'

/**
 * The layout of a snapshot file; docs/formats/snapshot.md draws it. Everything that is not records is here: header, section headers, index, footer. What is
 * in records is the keyspace's affair: to the file they are bytes.
 */
export interface SnapshotHeader {
  readonly clusterId: string
  readonly memberId: MemberId
  /** 1 for a member's first snapshot; the file's name says the same. */
  readonly sequence: number
  /** Unix ms. */
  readonly writtenMs: number
  /** Of the program that wrote it. */
  readonly version: string
  /** Position in the log from which on frames must be replayed over the snapshot. */
  readonly position: number
  /** Everything in the log before that position: what is applied when the snapshot is loaded and nothing replayed yet. */
  readonly vector: VersionVector
  /** What was causally stable; nothing in the file was folded or dropped by more. */
  readonly stable: VersionVector
  /** Highest stamp that had been given out or seen. */
  readonly clock: Stamp
  /** The cluster's members, as the topology writes them; empty in some files of clusters whose list was never changed. */
  readonly topology: Uint8Array
}

/** A run of records of one shard, checked as a whole. A shard has one or more, one after the other. */
export interface SectionEntry {
  readonly database: number
  readonly shard: number
  /** Keys that begin in it. */
  readonly keys: number
  readonly crc: number
  /** Where its header is in the file. */
  readonly offset: number
  /** Bytes of its records. */
  readonly length: number
}

/** What is known when everything has been written. */
export interface SnapshotEnd {
  /** The records may hold effects of frames up to here: the log must reach as far, or they are of a future that is lost. */
  readonly position: number
  readonly clock: Stamp
  /** What the records may show of each member's ops: what had been applied when the last one was written. */
  readonly seen: VersionVector
  /** Per database: the highest stamp of each member that had ever been written to it at the snapshot's beginning. */
  readonly highest: readonly DatabaseHighest[]
}

export interface DatabaseHighest {
  readonly database: number
  readonly stamps: VersionVector
}

export interface SnapshotIndex {
  readonly sections: readonly SectionEntry[]
  readonly end: SnapshotEnd
}

export interface SnapshotFooter {
  readonly indexOffset: number
  readonly indexLength: number
  readonly indexCrc: number
  readonly sections: number
  readonly keys: number
  /** Of the whole file. */
  readonly fileLength: number
}

export const SNAPSHOT_FORMAT_VERSION = 1
/** Magic, format version and header length: these stand here in every format version. */
export const SNAPSHOT_PREFIX_BYTES = 16
export const SECTION_HEADER_BYTES = 28
export const FOOTER_BYTES = 52
const HEADER_MAGIC = new Uint8Array([0x4d, 0x52, 0x44, 0x0d, 0x0a, 0x53, 0x4e, 0x50]) // "MRD\r\nSNP"
const FOOTER_MAGIC = new Uint8Array([0x4d, 0x52, 0x44, 0x0d, 0x0a, 0x45, 0x4e, 0x44]) // "MRD\r\nEND"
const SECTION_MAGIC = 0x4345534d // "MSEC"
const HEADER_FIXED_BYTES = 60
const INDEX_ENTRY_BYTES = 28
const CHECKSUM_BYTES = 4
/** Largest header that is believed: vectors of 255 members and 1 MiB of topology. A damaged length must not make us read a gigabyte. */
export const MAX_SNAPSHOT_HEADER_BYTES = 1024 * 1024 + 64 * 1024

export function snapshotFolder(dataFolder: string): string {
  return `${dataFolder}/snapshot`
}

export function snapshotFileName(sequence: number): string {
  return `${String(sequence).padStart(16, '0')}.msnap`
}

/** The sequence in a snapshot's file name, or 0 when the name is not one of a snapshot. */
export function snapshotSequence(name: string): number {
  return /^\d{16}\.msnap$/.test(name) ? Number(name.slice(0, 16)) : 0
}

/** True for what a snapshot that was never finished is called. */
export function isUnfinishedSnapshot(name: string): boolean {
  return /^\d{16}\.msnap\.tmp$/.test(name)
}

export function encodeSnapshotHeader(header: SnapshotHeader): Uint8Array {
  const clusterId = new TextEncoder().encode(header.clusterId)
  const version = new TextEncoder().encode(header.version)
  assert(clusterId.length <= 255 && version.length <= 255, 'cluster id and version are short')
  const vector = [...header.vector.entries()]
  const stable = [...header.stable.entries()]
  const variable = clusterId.length + version.length + (vector.length + stable.length) * VECTOR_ENTRY_BYTES
  const length = HEADER_FIXED_BYTES + variable + header.topology.length + CHECKSUM_BYTES
  assert(length <= MAX_SNAPSHOT_HEADER_BYTES, 'the topology fits into the header')
  const bytes = new Uint8Array(length)
  const view = new DataView(bytes.buffer)
  bytes.set(HEADER_MAGIC)
  view.setUint32(8, SNAPSHOT_FORMAT_VERSION, true)
  view.setUint32(12, length, true)
  view.setFloat64(16, header.sequence, true)
  view.setFloat64(24, header.position, true)
  view.setFloat64(32, header.clock, true)
  view.setFloat64(40, header.writtenMs, true)
  bytes[48] = header.memberId
  bytes[49] = clusterId.length
  bytes[50] = version.length
  view.setUint16(52, vector.length, true)
  view.setUint16(54, stable.length, true)
  view.setUint32(56, header.topology.length, true)
  let at = HEADER_FIXED_BYTES
  bytes.set(clusterId, at)
  bytes.set(version, (at += clusterId.length))
  at = putVector(view, at + version.length, vector)
  at = putVector(view, at, stable)
  bytes.set(header.topology, at)
  view.setUint32(length - CHECKSUM_BYTES, crc32(bytes.subarray(0, length - CHECKSUM_BYTES)), true)
  return bytes
}

export type DecodedSnapshotHeader =
  | { readonly kind: 'header'; readonly header: SnapshotHeader; readonly bytes: number }
  /** Whole and undamaged, but of a format this server does not know. */
  | { readonly kind: 'version'; readonly version: number }
  | { readonly kind: 'broken'; readonly what: string }

/** Reads the header at the start of a file, from its first bytes (at most MAX_SNAPSHOT_HEADER_BYTES are needed). */
export function decodeSnapshotHeader(bytes: Uint8Array): DecodedSnapshotHeader {
  const broken = (what: string): DecodedSnapshotHeader => ({ kind: 'broken', what })
  if (bytes.length < SNAPSHOT_PREFIX_BYTES) return broken('the header is cut short')
  if (!startsWith(bytes, HEADER_MAGIC)) return broken('it does not begin as a snapshot')
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const length = view.getUint32(12, true)
  if (length < SNAPSHOT_PREFIX_BYTES + CHECKSUM_BYTES || length > MAX_SNAPSHOT_HEADER_BYTES)
    return broken('the header length is wrong')
  if (length > bytes.length) return broken('the header is cut short')
  const end = length - CHECKSUM_BYTES
  if (crc32(bytes.subarray(0, end)) !== view.getUint32(end, true)) return broken('the header checksum is wrong')
  const format = view.getUint32(8, true)
  if (format !== SNAPSHOT_FORMAT_VERSION) return { kind: 'version', version: format }
  if (end < HEADER_FIXED_BYTES) return broken('the header fields do not add up')

  const sequence = view.getFloat64(16, true)
  const position = view.getFloat64(24, true)
  const clock = view.getFloat64(32, true)
  const writtenMs = view.getFloat64(40, true)
  const memberId = bytes[48]
  const vectorCount = view.getUint16(52, true)
  const stableCount = view.getUint16(54, true)
  const topologyLength = view.getUint32(56, true)
  const variable = bytes[49] + bytes[50] + (vectorCount + stableCount) * VECTOR_ENTRY_BYTES
  if (HEADER_FIXED_BYTES + variable + topologyLength !== end) return broken('the header fields do not add up')
  const whole = Number.isSafeInteger(sequence) && Number.isSafeInteger(position) && Number.isSafeInteger(clock)
  if (!whole || sequence < 1 || position < 0 || clock < 0 || !Number.isFinite(writtenMs) || !isMemberId(memberId))
    return broken('the header fields are out of range')
  const text = new TextDecoder()
  let at = HEADER_FIXED_BYTES
  const clusterId = text.decode(bytes.subarray(at, at + bytes[49]))
  at += bytes[49]
  const version = text.decode(bytes.subarray(at, at + bytes[50]))
  at += bytes[50]
  const vector = readVector(view, at, vectorCount)
  at += vectorCount * VECTOR_ENTRY_BYTES
  const stable = readVector(view, at, stableCount)
  const topology = bytes.slice(end - topologyLength, end)
  const header = { clusterId, memberId, sequence, writtenMs, version, position, vector, stable, clock: clock as Stamp, topology }
  return { kind: 'header', header, bytes: length }
}

export function encodeSectionHeader(section: Omit<SectionEntry, 'offset'>): Uint8Array {
  const bytes = new Uint8Array(SECTION_HEADER_BYTES)
  const view = new DataView(bytes.buffer)
  view.setUint32(0, SECTION_MAGIC, true)
  view.setUint16(4, section.database, true)
  view.setUint16(6, section.shard, true)
  view.setUint32(8, section.keys, true)
  view.setUint32(12, section.crc, true)
  view.setFloat64(16, section.length, true)
  view.setUint32(24, crc32(bytes.subarray(0, 24)), true)
  return bytes
}

/** Null when the bytes are not the header of that section. */
export function isSectionHeader(bytes: Uint8Array, section: SectionEntry): boolean {
  const expected = encodeSectionHeader(section)
  return bytes.length === expected.length && expected.every((byte, i) => byte === bytes[i])
}

export function encodeSnapshotIndex({ sections, end }: SnapshotIndex): Uint8Array {
  const databases = end.highest.map(({ database, stamps }) => ({ database, entries: [...stamps.entries()] }))
  const databaseBytes = databases.reduce((sum, { entries }) => sum + 4 + entries.length * VECTOR_ENTRY_BYTES, 0)
  const seen = [...end.seen.entries()]
  const seenBytes = 2 + seen.length * VECTOR_ENTRY_BYTES
  const bytes = new Uint8Array(4 + sections.length * INDEX_ENTRY_BYTES + 16 + seenBytes + 2 + databaseBytes)
  const view = new DataView(bytes.buffer)
  view.setUint32(0, sections.length, true)
  let at = 4
  for (const section of sections) {
    view.setUint16(at, section.database, true)
    view.setUint16(at + 2, section.shard, true)
    view.setUint32(at + 4, section.keys, true)
    view.setUint32(at + 8, section.crc, true)
    view.setFloat64(at + 12, section.offset, true)
    view.setFloat64(at + 20, section.length, true)
    at += INDEX_ENTRY_BYTES
  }
  view.setFloat64(at, end.position, true)
  view.setFloat64(at + 8, end.clock, true)
  view.setUint16(at + 16, seen.length, true)
  at = putVector(view, at + 18, seen)
  view.setUint16(at, databases.length, true)
  at += 2
  for (const { database, entries } of databases) {
    view.setUint16(at, database, true)
    view.setUint16(at + 2, entries.length, true)
    at = putVector(view, at + 4, entries)
  }
  assert(at === bytes.length, 'the index has the length that was reckoned')
  return bytes
}

/** Reads an index whose checksum holds; null when its fields make no sense all the same. */
export function decodeSnapshotIndex(bytes: Uint8Array): SnapshotIndex | null {
  if (bytes.length < 4) return null
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const count = view.getUint32(0, true)
  let at = 4 + count * INDEX_ENTRY_BYTES
  if (at + 18 > bytes.length) return null
  const sections: SectionEntry[] = []
  for (let i = 4; i < at; i += INDEX_ENTRY_BYTES) {
    const section = {
      database: view.getUint16(i, true),
      shard: view.getUint16(i + 2, true),
      keys: view.getUint32(i + 4, true),
      crc: view.getUint32(i + 8, true),
      offset: view.getFloat64(i + 12, true),
      length: view.getFloat64(i + 20, true),
    }
    if (!Number.isSafeInteger(section.offset) || !Number.isSafeInteger(section.length) || section.length < 0) return null
    sections.push(section)
  }
  const position = view.getFloat64(at, true)
  const clock = view.getFloat64(at + 8, true)
  if (!Number.isSafeInteger(position) || !Number.isSafeInteger(clock)) return null
  const seenEntries = view.getUint16(at + 16, true)
  at += 18
  if (at + seenEntries * VECTOR_ENTRY_BYTES + 2 > bytes.length) return null
  const seen = readVector(view, at, seenEntries)
  at += seenEntries * VECTOR_ENTRY_BYTES
  let left = view.getUint16(at, true)
  const highest: DatabaseHighest[] = []
  for (at += 2; left > 0; left--) {
    if (at + 4 > bytes.length) return null
    const entries = view.getUint16(at + 2, true)
    if (at + 4 + entries * VECTOR_ENTRY_BYTES > bytes.length) return null
    highest.push({ database: view.getUint16(at, true), stamps: readVector(view, at + 4, entries) })
    at += 4 + entries * VECTOR_ENTRY_BYTES
  }
  return at === bytes.length ? { sections, end: { position, clock: clock as Stamp, seen, highest } } : null
}

export function encodeSnapshotFooter(footer: SnapshotFooter): Uint8Array {
  return sealedFooter(FOOTER_BYTES, FOOTER_MAGIC, (view) => {
    view.setFloat64(8, footer.indexOffset, true)
    view.setFloat64(16, footer.indexLength, true)
    view.setUint32(24, footer.indexCrc, true)
    view.setUint32(28, footer.sections, true)
    view.setFloat64(32, footer.keys, true)
    view.setFloat64(40, footer.fileLength, true)
  })
}

/** Null when these are not the bytes of a footer. */
export function decodeSnapshotFooter(bytes: Uint8Array): SnapshotFooter | null {
  const view = openedFooter(bytes, FOOTER_BYTES, FOOTER_MAGIC)
  if (view === null) return null
  return {
    indexOffset: view.getFloat64(8, true),
    indexLength: view.getFloat64(16, true),
    indexCrc: view.getUint32(24, true),
    sections: view.getUint32(28, true),
    keys: view.getFloat64(32, true),
    fileLength: view.getFloat64(40, true),
  }
}
