import { MeridianError } from '../../src/base/errors.js'
import type { AppendFile, Disk, ReadFile } from '../../src/ports/disk.js'
import type { SeededRandom } from './random.js'
import { SimulationFailure } from './failure.js'
import type { Scheduler } from './scheduler.js'
import type { Life } from './sim-clock.js'

/** What is in one file: `length` bytes as the operating system sees it, of which the first `synced` are on the platter. */
class SimFile {
  bytes = new Uint8Array(256)
  length = 0
  synced = 0

  append(data: Uint8Array): void {
    const need = this.length + data.length
    if (need > this.bytes.length) {
      const grown = new Uint8Array(Math.max(need, this.bytes.length * 2))
      grown.set(this.bytes.subarray(0, this.length))
      this.bytes = grown
    }
    this.bytes.set(data, this.length)
    this.length = need
  }
}

/** A change of a folder that is not yet durable. Folder changes become durable in the order in which they were made. */
type FolderChange =
  | { readonly kind: 'create'; readonly path: string; readonly file: SimFile }
  | { readonly kind: 'rename'; readonly path: string; readonly to: string }
  | { readonly kind: 'remove'; readonly path: string }

function applyChange(names: Map<string, SimFile>, change: FolderChange): void {
  if (change.kind === 'create') names.set(change.path, change.file)
  else if (change.kind === 'remove') names.delete(change.path)
  else {
    const file = names.get(change.path)
    names.delete(change.path)
    if (file !== undefined) names.set(change.to, file)
  }
}

const folderOf = (path: string): string => path.slice(0, Math.max(0, path.lastIndexOf('/')))

export type DiskImage = ReadonlyMap<string, Uint8Array>

export interface DiskCounters {
  appends: number
  syncs: number
  refusals: number
  tornBytes: number
}

/**
 * A member's disk; it outlives the process. Files live in memory with a line between synced and unsynced bytes, and folders
 * with the same line. A power cut draws what is left of the unsynced part; a killed process leaves everything.
 */
export class SimDisk {
  private names = new Map<string, SimFile>()
  private durableNames = new Map<string, SimFile>()
  private pendingChanges: FolderChange[] = []
  readonly counters: DiskCounters = { appends: 0, syncs: 0, refusals: 0, tornBytes: 0 }
  /** Appends and new files are refused while this is set. */
  full = false
  /** The next so many appends fail with an input/output error. */
  failAppends = 0
  /** The next so many syncs fail; the bytes are then not durable, and may be lost even without a power cut in a real system. */
  failSyncs = 0
  /** Files of which a sync has failed: another one would tell a lie. */
  private readonly failedFiles = new Set<SimFile>()
  meanSyncMs = 2
  /** Called before anything on the disk changes; it may end the process that wants it. */
  beforeChange: (() => void) | null = null

  constructor(
    private readonly scheduler: Scheduler,
    private readonly random: SeededRandom,
  ) {}

  /** The Disk port of one process. */
  port(life: Life): Disk {
    return new DiskPort(this, life)
  }

  /**
   * The machine loses power: of each file's unsynced bytes a random prefix stays, possibly followed by bytes that were never
   * written (zeros or noise, where the length reached the platter before the data); of the folder changes a random prefix stays.
   */
  powerCut(): void {
    this.failedFiles.clear()
    const keep = this.random.between(0, this.pendingChanges.length)
    for (let i = 0; i < keep; i++) applyChange(this.durableNames, this.pendingChanges[i])
    this.pendingChanges = []
    this.names = new Map(this.durableNames)
    for (const file of new Set(this.names.values())) {
      const unsynced = file.length - file.synced
      if (unsynced === 0) continue
      const kept = this.random.chance(0.3) ? 0 : this.random.between(0, unsynced)
      const torn = this.random.chance(0.5) ? this.random.between(0, unsynced - kept) : 0
      const noise = this.random.chance(0.5)
      for (let i = 0; i < torn; i++) file.bytes[file.synced + kept + i] = noise ? this.random.uint32() & 255 : 0
      this.counters.tornBytes += torn
      file.length = file.synced + kept + torn
      file.synced = file.length
    }
  }

  /** What a copy of the disk has that is taken now. */
  image(): DiskImage {
    return new Map([...this.durableNames].map(([path, file]) => [path, file.bytes.slice(0, file.synced)]))
  }

  /** The disk has what an image has, and nothing else. */
  restore(image: DiskImage): void {
    this.wipe()
    for (const [path, bytes] of image) {
      const file = new SimFile()
      file.append(bytes)
      file.synced = file.length
      this.names.set(path, file)
      this.durableNames.set(path, file)
    }
  }

  /** Everything on it is gone. */
  wipe(): void {
    this.names.clear()
    this.durableNames.clear()
    this.pendingChanges = []
  }

  ensureRoom(path: string): void {
    if (this.full) {
      this.counters.refusals++
      throw new MeridianError('MRD_DISK_FULL', `No room to write ${path}`, 'Make room on the disk.')
    }
  }

  find(path: string): SimFile | undefined {
    return this.names.get(path)
  }

  require(path: string): SimFile {
    const file = this.names.get(path)
    if (file === undefined) throw new MeridianError('MRD_DISK_IO', `No such file: ${path}`, 'Restore the file.')
    return file
  }

  create(path: string): SimFile {
    this.ensureRoom(path)
    const file = new SimFile()
    this.change({ kind: 'create', path, file })
    return file
  }

  change(change: FolderChange): void {
    this.beforeChange?.()
    applyChange(this.names, change)
    this.pendingChanges.push(change)
  }

  syncNames(folder: string): void {
    this.beforeChange?.()
    const later: FolderChange[] = []
    for (const change of this.pendingChanges) {
      if (folderOf(change.path) === folder) applyChange(this.durableNames, change)
      else later.push(change)
    }
    this.pendingChanges = later
  }

  /** Sets a file's whole content durably under its name; what write-aside, sync, rename and sync of the folder come to. */
  replaceWhole(path: string, bytes: Uint8Array): void {
    this.ensureRoom(path)
    const file = new SimFile()
    file.append(bytes)
    file.synced = file.length
    this.change({ kind: 'create', path, file })
    this.syncNames(folderOf(path))
  }

  listFolder(folder: string): string[] {
    const names: string[] = []
    for (const path of this.names.keys()) if (folderOf(path) === folder) names.push(path.slice(folder.length + 1))
    return names.sort()
  }

  usedBytes(): number {
    let bytes = 0
    for (const file of this.names.values()) bytes += file.length
    return bytes
  }

  appendTo(path: string, file: SimFile, bytes: Uint8Array): void {
    this.ensureRoom(path)
    if (this.failAppends > 0) {
      this.failAppends--
      this.counters.refusals++
      throw new MeridianError('MRD_DISK_IO', `Write to ${path} failed: EIO`, 'Check the disk.')
    }
    this.beforeChange?.()
    this.counters.appends++
    file.append(bytes)
  }

  /** Makes the first `length` bytes durable, or says why not. */
  makeDurable(path: string, file: SimFile, length: number): Error | null {
    if (this.failedFiles.has(file)) throw new SimulationFailure(`${path} is synced again after a sync of it had failed`)
    if (this.failSyncs > 0) {
      this.failSyncs--
      this.counters.refusals++
      this.failedFiles.add(file)
      return new MeridianError('MRD_DISK_IO', `Sync of ${path} failed: EIO`, 'Check the disk.')
    }
    this.beforeChange?.()
    this.counters.syncs++
    file.synced = Math.max(file.synced, Math.min(length, file.length))
    return null
  }

  afterSyncDelay(callback: () => void): void {
    this.scheduler.after(this.random.exponential(this.meanSyncMs), callback)
  }
}

class DiskPort implements Disk {
  constructor(
    private readonly disk: SimDisk,
    private readonly life: Life,
  ) {}

  // Folders are made durable at once: a missing data folder after a power cut is a first start, which every other path tests.
  ensureFolder(_folder: string): void {}

  list(folder: string): string[] {
    return this.disk.listFolder(folder)
  }

  exists(path: string): boolean {
    return this.disk.find(path) !== undefined || this.list(path).length > 0
  }

  openAppend(path: string): AppendFile {
    return new AppendPort(this.disk, this.life, path, this.disk.find(path) ?? this.disk.create(path))
  }

  openRead(path: string): ReadFile {
    const file = this.disk.require(path)
    return {
      path,
      size: () => file.length,
      read: (target, position) => {
        const count = Math.max(0, Math.min(target.length, file.length - position))
        target.set(file.bytes.subarray(position, position + count))
        return count
      },
      close: () => {},
    }
  }

  truncate(path: string, bytes: number): void {
    const file = this.disk.require(path)
    file.length = Math.min(file.length, bytes)
    file.synced = file.length
  }

  writeWhole(path: string, bytes: Uint8Array): void {
    this.disk.replaceWhole(path, bytes)
  }

  readWhole(path: string): Uint8Array {
    const file = this.disk.require(path)
    return file.bytes.slice(0, file.length)
  }

  rename(from: string, to: string): void {
    this.disk.require(from)
    this.disk.change({ kind: 'rename', path: from, to })
  }

  remove(path: string): void {
    this.disk.require(path)
    this.disk.change({ kind: 'remove', path })
  }

  removeLater(path: string, done: (error: Error | null) => void): void {
    this.remove(path)
    this.disk.afterSyncDelay(() => {
      if (this.life.alive) done(null)
    })
  }

  syncFolder(folder: string): void {
    this.disk.syncNames(folder)
  }

  syncFolderLater(folder: string, done: (error: Error | null) => void): void {
    this.disk.afterSyncDelay(() => {
      if (!this.life.alive) return
      this.disk.syncNames(folder)
      done(null)
    })
  }

  freeBytes(_folder: string): number {
    return this.disk.full ? 0 : 1 << 30
  }
}

class AppendPort implements AppendFile {
  private syncing = false
  private closed = false

  constructor(
    private readonly disk: SimDisk,
    private readonly life: Life,
    readonly path: string,
    private readonly file: SimFile,
  ) {}

  get size(): number {
    return this.file.length
  }

  append(bytes: Uint8Array): void {
    this.requireOpen('append')
    this.disk.appendTo(this.path, this.file, bytes)
  }

  cut(size: number): void {
    this.requireOpen('cut')
    this.file.length = size
    this.file.synced = Math.min(this.file.synced, size)
  }

  sync(done: (error: Error | null) => void): void {
    this.requireOpen('sync')
    if (this.syncing) throw new Error(`simulated disk: second sync of ${this.path} while one is under way`)
    this.syncing = true
    const length = this.file.length
    this.disk.afterSyncDelay(() => {
      // A process that died while a sync was under way: the platter may have got it, but leaving it unsynced is the harder case.
      if (!this.life.alive) return
      this.syncing = false
      done(this.disk.makeDurable(this.path, this.file, length))
    })
  }

  syncNow(): void {
    this.requireOpen('sync')
    const error = this.disk.makeDurable(this.path, this.file, this.file.length)
    if (error !== null) throw error
  }

  close(): void {
    this.closed = true
  }

  private requireOpen(what: string): void {
    if (this.closed) throw new Error(`simulated disk: ${what} of ${this.path} after close`)
    if (!this.life.alive) throw new Error(`simulated disk: ${what} of ${this.path} by a dead process`)
  }
}
