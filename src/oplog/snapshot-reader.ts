import { crc32 } from '../base/crc32.js'
import { MeridianError } from '../base/errors.js'
import type { Disk, ReadFile } from '../ports/disk.js'
import type { LogOwner } from './segment.js'
import {
  FOOTER_BYTES,
  MAX_SNAPSHOT_HEADER_BYTES,
  SECTION_HEADER_BYTES,
  SNAPSHOT_FORMAT_VERSION,
  decodeSnapshotFooter,
  decodeSnapshotHeader,
  decodeSnapshotIndex,
  isSectionHeader,
  isUnfinishedSnapshot,
  snapshotFolder,
  snapshotSequence,
  type SectionEntry,
  type SnapshotEnd,
  type SnapshotHeader,
} from './snapshot-format.js'

/** A snapshot file by its name; what is in it is not known yet. */
export interface SnapshotFile {
  readonly sequence: number
  readonly path: string
}

/** The snapshots of a data folder, the newest first. */
export function listSnapshots(disk: Disk, dataFolder: string): SnapshotFile[] {
  const folder = snapshotFolder(dataFolder)
  return disk
    .list(folder)
    .map((name) => ({ sequence: snapshotSequence(name), path: `${folder}/${name}` }))
    .filter(({ sequence }) => sequence > 0)
    .reverse()
}

/** Removes what an interrupted snapshot has left; returns the paths. */
export function removeUnfinishedSnapshots(disk: Disk, dataFolder: string): string[] {
  const folder = snapshotFolder(dataFolder)
  const left = disk
    .list(folder)
    .filter(isUnfinishedSnapshot)
    .map((name) => `${folder}/${name}`)
  for (const path of left) disk.remove(path)
  return left
}

/**
 * Reads a snapshot: header, index and footer are checked whole when it is opened, every section when it is read, in any order.
 * @throws MeridianError MRD_SNAPSHOT_DAMAGED naming file and offset, MRD_SNAPSHOT_VERSION, MRD_DATA_FOLDER_OWNER, MRD_DISK_IO
 */
export class SnapshotReader {
  readonly header: SnapshotHeader
  readonly sections: readonly SectionEntry[]
  readonly end: SnapshotEnd
  readonly keys: number
  /** Of the whole file. */
  readonly bytes: number
  private readonly file: ReadFile
  private buffer = new Uint8Array(0)

  constructor(
    disk: Disk,
    readonly path: string,
    owner: LogOwner | null,
  ) {
    this.file = disk.openRead(path)
    try {
      this.bytes = this.file.size()
      const first = this.read(0, Math.min(this.bytes, MAX_SNAPSHOT_HEADER_BYTES))
      const decoded = decodeSnapshotHeader(first)
      if (decoded.kind === 'version') throw newerVersion(path, decoded.version)
      if (decoded.kind === 'broken') throw damagedSnapshot(path, 0, decoded.what)
      this.header = decoded.header
      if (owner !== null) checkOwner(path, decoded.header, owner)
      if (this.header.sequence !== snapshotSequence(path.slice(path.lastIndexOf('/') + 1)))
        throw damagedSnapshot(path, 16, `it is snapshot ${this.header.sequence} under the name of another`)
      const { sections, end, keys } = this.readIndex(decoded.bytes)
      this.sections = sections
      this.end = end
      this.keys = keys
    } catch (error) {
      this.file.close()
      throw error
    }
  }

  /** The records of a section, checked. The array is the caller's; with `reuse` it is good until the next section is read. */
  readSection(section: SectionEntry, reuse = false): Uint8Array {
    const length = SECTION_HEADER_BYTES + section.length
    if (reuse && this.buffer.length < length) this.buffer = new Uint8Array(2 * length)
    const bytes = this.read(section.offset, length, reuse ? this.buffer.subarray(0, length) : undefined)
    if (!isSectionHeader(bytes.subarray(0, SECTION_HEADER_BYTES), section))
      throw damagedSnapshot(this.path, section.offset, `the header of ${describe(section)} is not what the index says`)
    const records = bytes.subarray(SECTION_HEADER_BYTES)
    if (crc32(records) !== section.crc)
      throw damagedSnapshot(this.path, section.offset, `the checksum of ${describe(section)} is wrong`)
    return records
  }

  close(): void {
    this.file.close()
  }

  private readIndex(from: number): { sections: readonly SectionEntry[]; end: SnapshotEnd; keys: number } {
    const { path, bytes } = this
    const footerAt = bytes - FOOTER_BYTES
    const footer = footerAt < from ? null : decodeSnapshotFooter(this.read(footerAt, FOOTER_BYTES))
    if (footer === null) throw damagedSnapshot(path, Math.max(0, footerAt), 'the footer is missing: the file is cut short')
    const { indexOffset, indexLength } = footer
    if (footer.fileLength !== bytes) throw damagedSnapshot(path, footerAt, `it has ${bytes} bytes, not ${footer.fileLength}`)
    if (!(indexOffset >= from && indexLength >= 0 && indexOffset + indexLength === footerAt))
      throw damagedSnapshot(path, footerAt, 'the index is not where the footer says')
    const index = this.read(indexOffset, indexLength)
    if (crc32(index) !== footer.indexCrc) throw damagedSnapshot(path, indexOffset, 'the checksum of the index is wrong')
    const decoded = decodeSnapshotIndex(index)
    if (decoded === null) throw damagedSnapshot(path, indexOffset, 'the fields of the index do not add up')
    let at = from
    let keys = 0
    for (const section of decoded.sections) {
      if (section.offset !== at) throw damagedSnapshot(path, at, `${describe(section)} is not where the one before ends`)
      at += SECTION_HEADER_BYTES + section.length
      keys += section.keys
    }
    if (at !== indexOffset || decoded.sections.length !== footer.sections || keys !== footer.keys)
      throw damagedSnapshot(path, at, 'the sections and the footer do not agree')
    return { ...decoded, keys }
  }

  private read(position: number, length: number, bytes = new Uint8Array(length)): Uint8Array {
    let filled = 0
    while (filled < length) {
      const got = this.file.read(bytes.subarray(filled), position + filled)
      if (got === 0) throw damagedSnapshot(this.path, position + filled, 'the file ends here')
      filled += got
    }
    return bytes
  }
}

/** The error for a snapshot that is not what was written. */
export function damagedSnapshot(path: string, offset: number, what: string, cause?: unknown): MeridianError {
  return new MeridianError(
    'MRD_SNAPSHOT_DAMAGED',
    `${path} is damaged at byte ${offset}: ${what}`,
    'Nothing was changed. Restore this file from a copy; or run `meridian check`, which says what is still whole; or, if the other members have every ' +
      'write of this one, move the data folder aside and start empty: the member catches up from them.',
    { cause },
  )
}

function describe({ database, shard }: SectionEntry): string {
  return `the section of database ${database}, shard ${shard}`
}

function checkOwner(path: string, header: SnapshotHeader, owner: LogOwner): void {
  if (header.clusterId === owner.clusterId && header.memberId === owner.memberId) return
  throw new MeridianError(
    'MRD_DATA_FOLDER_OWNER',
    `${path} belongs to member ${header.memberId} of cluster ${header.clusterId}, this is member ${owner.memberId} of cluster ${owner.clusterId}`,
    "Point this member at its own data folder, or correct its id and cluster in the configuration; never mix two members' files.",
  )
}

function newerVersion(path: string, found: number): MeridianError {
  return new MeridianError(
    'MRD_SNAPSHOT_VERSION',
    `${path} has format version ${found}, this server reads version ${SNAPSHOT_FORMAT_VERSION}`,
    'Start the version of Meridian that wrote it, or a later one.',
  )
}
