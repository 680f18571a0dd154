import { assert } from '../base/assert.js'
import { startsWith } from '../base/bytes.js'
import { crc32 } from '../base/crc32.js'
import { openedFooter, sealedFooter } from './sealed-footer.js'

/**
 * The frame around what a backup file holds: a snapshot and the log behind it, both as they are in a data folder. docs/formats/backup.md draws it.
 */
export interface BackupHeader {
  /** Bytes of the snapshot file. */
  readonly snapshotLength: number
  /** Position in the log of the first frame: the one that the snapshot stands for. */
  readonly logPosition: number
  /** Bytes of frames. */
  readonly logLength: number
  /** Unix ms. */
  readonly createdMs: number
  /** Of the member that it was taken from. */
  readonly memberName: string
}

export interface BackupFooter {
  readonly snapshotCrc: number
  readonly logCrc: number
  /** Of the whole file. */
  readonly fileLength: number
}

export const BACKUP_FORMAT_VERSION = 1
export const BACKUP_FOOTER_BYTES = 28
const HEADER_MAGIC = new Uint8Array([0x4d, 0x52, 0x44, 0x0d, 0x0a, 0x42, 0x41, 0x4b]) // "MRD\r\nBAK"
const FOOTER_MAGIC = new Uint8Array([0x4d, 0x52, 0x44, 0x0d, 0x0a, 0x42, 0x4b, 0x45]) // "MRD\r\nBKE"
/** Magic, format version and header length: these stand here in every format version. */
const PREFIX_BYTES = 16
const FIXED_BYTES = 49
const CHECKSUM_BYTES = 4
/** Largest header that is believed; this version writes at most 308 bytes. */
export const MAX_BACKUP_HEADER_BYTES = 4096

export function encodeBackupHeader(header: BackupHeader): Uint8Array {
  const name = new TextEncoder().encode(header.memberName)
  assert(name.length <= 255, 'names of members are short')
  const length = FIXED_BYTES + name.length + CHECKSUM_BYTES
  const bytes = new Uint8Array(length)
  const view = new DataView(bytes.buffer)
  bytes.set(HEADER_MAGIC)
  view.setUint32(8, BACKUP_FORMAT_VERSION, true)
  view.setUint32(12, length, true)
  view.setFloat64(16, header.snapshotLength, true)
  view.setFloat64(24, header.logPosition, true)
  view.setFloat64(32, header.logLength, true)
  view.setFloat64(40, header.createdMs, true)
  bytes[48] = name.length
  bytes.set(name, FIXED_BYTES)
  view.setUint32(length - CHECKSUM_BYTES, crc32(bytes.subarray(0, length - CHECKSUM_BYTES)), true)
  return bytes
}

export type DecodedBackupHeader =
  | { readonly kind: 'header'; readonly header: BackupHeader; readonly bytes: number }
  /** Whole and undamaged, but of a format this program does not know. */
  | { readonly kind: 'version'; readonly version: number }
  | { readonly kind: 'broken'; readonly what: string }

/** True for the first bytes of a backup, of whatever version. */
export function beginsAsBackup(bytes: Uint8Array): boolean {
  return startsWith(bytes, HEADER_MAGIC)
}

/** Reads the header at the start of a file, from its first bytes (at most MAX_BACKUP_HEADER_BYTES are needed). */
export function decodeBackupHeader(bytes: Uint8Array): DecodedBackupHeader {
  const broken = (what: string): DecodedBackupHeader => ({ kind: 'broken', what })
  if (bytes.length < PREFIX_BYTES) return broken('the header is cut short')
  if (!beginsAsBackup(bytes)) return broken('it does not begin as a backup')
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const length = view.getUint32(12, true)
  if (length < PREFIX_BYTES + CHECKSUM_BYTES || length > MAX_BACKUP_HEADER_BYTES) return broken('the header length is wrong')
  if (length > bytes.length) return broken('the header is cut short')
  const end = length - CHECKSUM_BYTES
  if (crc32(bytes.subarray(0, end)) !== view.getUint32(end, true)) return broken('the header checksum is wrong')
  const version = view.getUint32(8, true)
  if (version !== BACKUP_FORMAT_VERSION) return { kind: 'version', version }
  if (end < FIXED_BYTES || FIXED_BYTES + bytes[48] !== end) return broken('the header fields do not add up')
  const snapshotLength = view.getFloat64(16, true)
  const logPosition = view.getFloat64(24, true)
  const logLength = view.getFloat64(32, true)
  const createdMs = view.getFloat64(40, true)
  const sizes = [snapshotLength, logPosition, logLength]
  if (!sizes.every((size) => Number.isSafeInteger(size) && size >= 0) || !Number.isFinite(createdMs))
    return broken('the header fields are out of range')
  const memberName = new TextDecoder().decode(bytes.subarray(FIXED_BYTES, end))
  return { kind: 'header', header: { snapshotLength, logPosition, logLength, createdMs, memberName }, bytes: length }
}

export function encodeBackupFooter(footer: BackupFooter): Uint8Array {
  return sealedFooter(BACKUP_FOOTER_BYTES, FOOTER_MAGIC, (view) => {
    view.setUint32(8, footer.snapshotCrc, true)
    view.setUint32(12, footer.logCrc, true)
    view.setFloat64(16, footer.fileLength, true)
  })
}

/** Null when these are not the bytes of a footer. */
export function decodeBackupFooter(bytes: Uint8Array): BackupFooter | null {
  const view = openedFooter(bytes, BACKUP_FOOTER_BYTES, FOOTER_MAGIC)
  return view && { snapshotCrc: view.getUint32(8, true), logCrc: view.getUint32(12, true), fileLength: view.getFloat64(16, true) }
}
