import { extendCrc32 } from '../base/crc32.js'
import { MeridianError } from '../base/errors.js'
import { LIMITS } from '../base/limits.js'
import type { Disk, ReadFile } from '../ports/disk.js'
import {
  BACKUP_FOOTER_BYTES,
  BACKUP_FORMAT_VERSION,
  MAX_BACKUP_HEADER_BYTES,
  beginsAsBackup,
  decodeBackupFooter,
  decodeBackupHeader,
  type BackupFooter,
  type BackupHeader,
} from './backup-format.js'
import { identityBytes, identityPath } from './data-folder.js'
import { encodeSegmentHeader, segmentFileName } from './segment-header.js'
import { logFolder } from './segment.js'
import {
  MAX_SNAPSHOT_HEADER_BYTES,
  decodeSnapshotHeader,
  snapshotFileName,
  snapshotFolder,
  type SnapshotHeader,
} from './snapshot-format.js'
import { SnapshotReader } from './snapshot-reader.js'

/** A part of the backup file, or bytes that stand before one. */
interface FolderFile {
  readonly before: Uint8Array
  readonly offset: number
  readonly length: number
}

/**
 * A backup file, seen as the data folder whose state it holds: identity, one snapshot, one log segment. So what reads and checks data folders reads and
 * checks backups, and nothing is unpacked. Header and footer are checked when it is opened, the rest by verify.
 * @throws MeridianError MRD_BACKUP_DAMAGED naming file and offset, MRD_BACKUP_VERSION, MRD_DISK_IO
 */
export class BackupFile implements Disk {
  readonly header: BackupHeader
  /** Of the snapshot in it: it says which cluster and member the backup is of. */
  readonly snapshot: SnapshotHeader
  /** Of the whole file. */
  readonly bytes: number
  private readonly footer: BackupFooter
  private readonly snapshotOffset: number
  private readonly file: ReadFile
  private readonly files = new Map<string, FolderFile>()

  constructor(
    disk: Disk,
    readonly path: string,
  ) {
    this.file = disk.openRead(path)
    try {
      this.bytes = this.file.size()
      const decoded = decodeBackupHeader(this.read(0, Math.min(this.bytes, MAX_BACKUP_HEADER_BYTES)))
      if (decoded.kind === 'version') throw newerVersion(path, decoded.version)
      if (decoded.kind === 'broken') throw damagedBackup(path, 0, decoded.what)
      this.header = decoded.header
      this.snapshotOffset = decoded.bytes
      const { snapshotLength, logLength } = this.header
      const footerAt = this.snapshotOffset + snapshotLength + logLength
      const expected = footerAt + BACKUP_FOOTER_BYTES
      if (this.bytes !== expected)
        throw damagedBackup(path, Math.min(this.bytes, expected), `it has ${this.bytes} bytes, not ${expected}`)
      const footer = decodeBackupFooter(this.read(footerAt, BACKUP_FOOTER_BYTES))
      if (footer === null || footer.fileLength !== expected)
        throw damagedBackup(path, footerAt, 'the footer is not what was written')
      this.footer = footer
      this.snapshot = this.readSnapshotHeader()
      this.layOut()
    } catch (error) {
      this.file.close()
      throw error
    }
  }

  /** True for a file that begins as a backup. */
  static isBackup(disk: Disk, path: string): boolean {
    const file = disk.openRead(path)
    try {
      const bytes = new Uint8Array(8)
      return file.read(bytes, 0) === 8 && beginsAsBackup(bytes)
    } finally {
      file.close()
    }
  }

  /** Reads everything and compares its checksums; `progress` is told how many bytes each step has read. */
  verify(progress: (bytes: number) => void): void {
    const { snapshotOffset, header, footer } = this
    this.compare('snapshot', snapshotOffset, header.snapshotLength, footer.snapshotCrc, progress)
    this.compare('log', snapshotOffset + header.snapshotLength, header.logLength, footer.logCrc, progress)
  }

  /** Open as long as the backup is. */
  openSnapshot(): SnapshotReader {
    return new SnapshotReader(this, `${snapshotFolder(this.path)}/${snapshotFileName(this.snapshot.sequence)}`, null)
  }

  close(): void {
    this.file.close()
  }

  // --- as a folder

  ensureFolder(): void {
    // Its folders are there.
  }

  list(folder: string): string[] {
    const inside = `${folder}/`
    return [...this.files.keys()].filter((path) => path.startsWith(inside)).map((path) => path.slice(inside.length))
  }

  exists(path: string): boolean {
    return this.files.has(path)
  }

  openRead(path: string): ReadFile {
    const { before, offset, length } = this.fileAt(path)
    const size = before.length + length
    return {
      path,
      size: () => size,
      read: (target, position) => {
        if (position < before.length) {
          const part = before.subarray(position, position + target.length)
          target.set(part)
          return part.length
        }
        const at = position - before.length
        const wanted = Math.max(0, Math.min(target.length, length - at))
        return wanted === 0 ? 0 : this.file.read(target.subarray(0, wanted), offset + at)
      },
      // The backup is closed as a whole.
      close: () => undefined,
    }
  }

  readWhole(path: string): Uint8Array {
    return this.fileAt(path).before
  }

  freeBytes(): number {
    return 0
  }

  // Nothing in a backup is ever changed; whoever reads a data folder without starting it does not ask for that.
  openAppend = readOnly
  truncate = readOnly
  writeWhole = readOnly
  rename = readOnly
  remove = readOnly
  removeLater = readOnly
  syncFolder = readOnly
  syncFolderLater = readOnly

  private fileAt(path: string): FolderFile {
    const file = this.files.get(path)
    if (file === undefined)
      throw new MeridianError('MRD_DATA_FOLDER', `${path} is not in the backup`, 'This is a bug; please report it.')
    return file
  }

  private layOut(): void {
    const { path, header, snapshot, snapshotOffset, files } = this
    const { clusterId, memberId, sequence, vector } = snapshot
    const { snapshotLength, logPosition, logLength, memberName, createdMs } = header
    const segment = encodeSegmentHeader({ clusterId, memberId, sequence: 1, startByte: logPosition, vector })
    const nothing = new Uint8Array(0)
    const identity = identityBytes({ clusterId, memberId, memberName, createdMs })
    files.set(identityPath(path), { before: identity, offset: 0, length: 0 })
    const snapshotPath = `${snapshotFolder(path)}/${snapshotFileName(sequence)}`
    files.set(snapshotPath, { before: nothing, offset: snapshotOffset, length: snapshotLength })
    const segmentPath = `${logFolder(path)}/${segmentFileName(1)}`
    files.set(segmentPath, { before: segment, offset: snapshotOffset + snapshotLength, length: logLength })
  }

  private readSnapshotHeader(): SnapshotHeader {
    const { path, header, snapshotOffset } = this
    const decoded = decodeSnapshotHeader(this.read(snapshotOffset, Math.min(header.snapshotLength, MAX_SNAPSHOT_HEADER_BYTES)))
    if (decoded.kind === 'version') throw newerVersion(path, decoded.version)
    if (decoded.kind === 'broken') throw damagedBackup(path, snapshotOffset, `its snapshot cannot be read: ${decoded.what}`)
    if (decoded.header.position !== header.logPosition)
      throw damagedBackup(path, snapshotOffset, 'its log does not begin where its snapshot leaves off')
    return decoded.header
  }

  private compare(what: string, offset: number, length: number, expected: number, progress: (bytes: number) => void): void {
    let crc = 0
    for (let at = 0; at < length;) {
      const block = this.read(offset + at, Math.min(length - at, LIMITS.logReadBlockBytes))
      crc = extendCrc32(crc, block)
      at += block.length
      progress(block.length)
    }
    if (crc !== expected)
      throw damagedBackup(this.path, offset, `the checksum of its ${what}, ${length} bytes from there on, is wrong`)
  }

  private read(position: number, length: number): Uint8Array {
    const bytes = new Uint8Array(length)
    for (let filled = 0; filled < length;) {
      const got = this.file.read(bytes.subarray(filled), position + filled)
      if (got === 0) throw damagedBackup(this.path, position + filled, 'the file ends here')
      filled += got
    }
    return bytes
  }
}

function readOnly(): never {
  throw new MeridianError('MRD_DATA_FOLDER', 'A backup is not written to', 'This is a bug; please report it.')
}

/** The error for a backup that is not what was written. */
export function damagedBackup(path: string, offset: number, what: string): MeridianError {
  return new MeridianError(
    'MRD_BACKUP_DAMAGED',
    `${path} is damaged at byte ${offset}: ${what}`,
    'Use another copy of it, or another backup. Nothing was changed.',
  )
}

function newerVersion(path: string, found: number): MeridianError {
  return new MeridianError(
    'MRD_BACKUP_VERSION',
    `${path} has format version ${found}, this program reads version ${BACKUP_FORMAT_VERSION}`,
    'Restore it with the version of Meridian that wrote it, or a later one.',
  )
}
