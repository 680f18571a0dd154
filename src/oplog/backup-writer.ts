import { assert } from '../base/assert.js'
import { extendCrc32 } from '../base/crc32.js'
import type { AppendFile, Disk } from '../ports/disk.js'
import { encodeBackupFooter, encodeBackupHeader, type BackupHeader } from './backup-format.js'

/** Writes a backup file aside, from its bytes in their order; it gets its name when it is whole and durable. */
export class BackupWriter {
  private readonly aside: string
  private readonly file: AppendFile
  private readonly checksums = { snapshot: 0, log: 0 }
  private added = 0
  private isOpen = true

  /** @throws MeridianError from the disk; then nothing is left. `onBytes` is given everything that is written. */
  constructor(
    private readonly disk: Disk,
    private readonly folder: string,
    private readonly path: string,
    private readonly header: BackupHeader,
    private readonly onBytes: (bytes: Uint8Array) => void,
  ) {
    this.aside = `${path}.part`
    if (disk.exists(this.aside)) disk.remove(this.aside)
    this.file = disk.openAppend(this.aside)
    try {
      this.append(encodeBackupHeader(header))
    } catch (error) {
      this.abandon()
      throw error
    }
  }

  /** Bytes of snapshot and log still to come. */
  get missing(): number {
    return this.header.snapshotLength + this.header.logLength - this.added
  }

  /** Takes the next bytes; they may end one part and begin the other. @throws MeridianError from the disk; then only abandon() is left. */
  add(bytes: Uint8Array): void {
    assert(bytes.length <= this.missing, 'not more than the header says')
    const ofSnapshot = Math.min(bytes.length, Math.max(0, this.header.snapshotLength - this.added))
    this.count('snapshot', bytes.subarray(0, ofSnapshot))
    this.count('log', bytes.subarray(ofSnapshot))
    this.added += bytes.length
    this.append(bytes)
  }

  /** Everything is there: makes it durable, and gives it its name when `check` of the file aside does not throw. */
  finish(check: (path: string) => void): void {
    assert(this.missing === 0 && this.isOpen, 'everything was added')
    const { disk, file, checksums, aside } = this
    const { snapshot: snapshotCrc, log: logCrc } = checksums
    // The footer's own length is always the same.
    const footerBytes = encodeBackupFooter({ snapshotCrc, logCrc, fileLength: 0 }).length
    this.append(encodeBackupFooter({ snapshotCrc, logCrc, fileLength: file.size + footerBytes }))
    file.syncNow()
    check(aside)
    file.close()
    this.isOpen = false
    disk.rename(aside, this.path)
    try {
      disk.syncFolder(this.folder)
    } catch (error) {
      // Whoever hears of an error believes that there is no backup.
      disk.remove(this.path)
      throw error
    }
  }

  /** Leaves nothing behind, as far as the disk lets us. */
  abandon(): void {
    if (!this.isOpen) return
    this.isOpen = false
    this.file.close()
    try {
      this.disk.remove(this.aside)
    } catch {
      // The disk is what failed; the caller has the first error.
    }
  }

  private count(part: 'snapshot' | 'log', bytes: Uint8Array): void {
    this.checksums[part] = extendCrc32(this.checksums[part], bytes)
  }

  private append(bytes: Uint8Array): void {
    this.file.append(bytes)
    this.onBytes(bytes)
  }
}
