import { assert } from '../base/assert.js'
import { crc32, extendCrc32 } from '../base/crc32.js'
import { LIMITS } from '../base/limits.js'
import type { AppendFile, Disk } from '../ports/disk.js'
import {
  FOOTER_BYTES,
  encodeSectionHeader,
  encodeSnapshotFooter,
  encodeSnapshotHeader,
  encodeSnapshotIndex,
  snapshotFileName,
  snapshotFolder,
  type SectionEntry,
  type SnapshotEnd,
  type SnapshotHeader,
} from './snapshot-format.js'

/**
 * Writes one snapshot file, section by section, aside and then under its name: it is complete or absent.
 *
 *   writing --addSection*, sync*--> writing --finish--> finished     under its name, file and name durable
 *      \-------------------------------abandon--------> gone         nothing is left
 *
 * A failed sync is final for the file, as for every other: it can only be abandoned.
 */
export class SnapshotWriter {
  readonly path: string
  readonly sections: SectionEntry[] = []
  keys = 0
  /** Bytes of the file so far. */
  bytes = 0
  private readonly aside: string
  private file: AppendFile | null
  private syncedBytes = 0
  private syncing = false
  private failed = false

  /** @throws MeridianError from the disk; then nothing is left. */
  constructor(
    private readonly disk: Disk,
    private readonly dataFolder: string,
    readonly header: SnapshotHeader,
  ) {
    const folder = snapshotFolder(dataFolder)
    this.path = `${folder}/${snapshotFileName(header.sequence)}`
    this.aside = `${this.path}.tmp`
    disk.ensureFolder(folder)
    if (disk.exists(this.aside)) disk.remove(this.aside)
    this.file = disk.openAppend(this.aside)
    try {
      this.append(encodeSnapshotHeader(header))
    } catch (error) {
      this.abandon()
      throw error
    }
  }

  get isSyncing(): boolean {
    return this.syncing
  }

  get unsyncedBytes(): number {
    return this.bytes - this.syncedBytes
  }

  /** Sections of one shard follow one another. @throws MeridianError from the disk; then only abandon() is left. */
  addSection(database: number, shard: number, keys: number, records: Uint8Array): void {
    for (const steps = this.addSectionInSteps(database, shard, keys, records); steps.next().done !== true;);
  }

  /** The same for a section that may be large, such as one of a long string, some hundred KiB a step. Nothing else may be written meanwhile. */
  *addSectionInSteps(database: number, shard: number, keys: number, records: Uint8Array): Generator<undefined, void> {
    const { length } = records
    const pieceBytes = LIMITS.logPieceBytes
    let crc = crc32(records.subarray(0, pieceBytes))
    for (let from = pieceBytes; from < length; from += pieceBytes) {
      yield
      const piece = records.subarray(from, from + pieceBytes)
      crc = extendCrc32(crc, piece)
    }
    const section = { database, shard, keys, crc, offset: this.bytes, length }
    this.append(encodeSectionHeader(section))
    for (let from = 0; from < length; from += pieceBytes) {
      if (from > 0) yield
      this.append(records.subarray(from, from + pieceBytes))
    }
    this.sections.push(section)
    this.keys += keys
  }

  /** Makes durable what is written so far, beside what goes on: at the end there is little left to wait for. */
  sync(done: (error: Error | null) => void): void {
    assert(this.file !== null && !this.syncing, 'one sync at a time, of an open file')
    const coming = this.bytes
    this.syncing = true
    this.file.sync((error) => {
      this.syncing = false
      if (error !== null) this.failed = true
      else this.syncedBytes = coming
      done(error)
    })
  }

  /** Writes what comes after the last section. @throws MeridianError from the disk; then only abandon() is left. */
  writeEnd(end: SnapshotEnd): void {
    const index = encodeSnapshotIndex({ sections: this.sections, end })
    const indexOffset = this.bytes
    this.append(index)
    this.append(
      encodeSnapshotFooter({
        indexOffset,
        indexLength: index.length,
        indexCrc: crc32(index),
        sections: this.sections.length,
        keys: this.keys,
        fileLength: this.bytes + FOOTER_BYTES,
      }),
    )
  }

  /** As sync, without coming back before it is done. @throws MeridianError */
  syncNow(): void {
    assert(this.file !== null, 'an open file')
    try {
      this.file.syncNow()
    } catch (error) {
      this.failed = true
      throw error
    }
    this.syncedBytes = this.bytes
  }

  /** Gives the file its name, for good. Everything must have been synced. @throws MeridianError; then only abandon() is left. */
  publish(): void {
    assert(this.file !== null && this.unsyncedBytes === 0 && !this.failed, 'only what is durable gets its name')
    this.disk.rename(this.aside, this.path)
    this.disk.syncFolder(snapshotFolder(this.dataFolder))
    this.file.close()
    this.file = null
  }

  /** As publish, but comes back before the name is durable; after an error only abandon() is left. @throws MeridianError */
  publishLater(done: (error: Error | null) => void): void {
    assert(this.file !== null && this.unsyncedBytes === 0 && !this.failed, 'only what is durable gets its name')
    this.disk.rename(this.aside, this.path)
    this.disk.syncFolderLater(snapshotFolder(this.dataFolder), (error) => {
      if (error === null) {
        this.file?.close()
        this.file = null
      }
      done(error)
    })
  }

  /** Leaves nothing behind, as far as the disk lets us: what it does not is removed at the next start. */
  abandon(): void {
    if (this.file === null) return
    this.file.close()
    this.file = null
    // A rename that could not be made durable may have given it its name already.
    for (const path of [this.aside, this.path]) {
      try {
        if (this.disk.exists(path)) this.disk.remove(path)
      } catch {
        // The disk is what failed; the caller has the first error.
      }
    }
  }

  private append(bytes: Uint8Array): void {
    assert(this.file !== null && !this.failed, 'the file can still be written')
    try {
      this.file.append(bytes)
    } catch (error) {
      this.failed = true
      throw error
    }
    this.bytes += bytes.length
  }
}
