import { dirname } from 'node:path'
import { MeridianError, type ErrorCode } from '../../src/base/errors.js'
import type { AppendFile, Disk, ReadFile } from '../../src/ports/disk.js'

interface FileState {
  bytes: Uint8Array
  /** Bytes that survive a power cut. */
  durable: number
  /** The name survives a power cut. */
  named: boolean
}

/**
 * A disk in memory that fails as real ones do: a crash loses a random part of what was not synced and may leave zeros or
 * rubbish in its place; it runs full; syncs fail. Syncs end when the test says so.
 */
export class MemoryDisk implements Disk {
  readonly files = new Map<string, FileState>()
  capacity = Infinity
  failSyncs = false
  failFolderSyncs = false
  reads = 0
  /** Bytes handed out by reads. */
  readBytes = 0
  openReads = 0
  folderSyncs = 0
  private epoch = 0
  private waiting: (() => void)[] = []
  private waitingFolders: (() => void)[] = []

  ensureFolder(): void {}
  list(folder: string): string[] {
    return [...this.files.keys()]
      .filter((path) => dirname(path) === folder)
      .map((path) => path.slice(folder.length + 1))
      .sort()
  }
  exists(path: string): boolean {
    return this.files.has(path) || this.list(path).length > 0
  }
  openAppend(path: string): AppendFile {
    if (!this.files.has(path)) this.files.set(path, { bytes: new Uint8Array(0), durable: 0, named: false })
    const state = this.file(path)
    const epoch = this.epoch
    const alive = () => {
      if (epoch !== this.epoch) throw new Error(`${path} is used after the crash`)
    }
    let closed = false
    const check = () => {
      alive()
      if (closed) throw new Error(`${path} is used after close`)
    }
    return {
      path,
      get size() {
        return state.bytes.length
      },
      append: (bytes) => {
        check()
        if (this.used + bytes.length > this.capacity) throw diskError('MRD_DISK_FULL', path, 'ENOSPC')
        state.bytes = concat(state.bytes, bytes)
      },
      cut: (size) => {
        check()
        state.bytes = state.bytes.slice(0, size)
        state.durable = Math.min(state.durable, size)
      },
      sync: (done) => {
        check()
        const length = state.bytes.length
        this.waiting.push(() => {
          if (this.failSyncs) return done(diskError('MRD_DISK_IO', path, 'EIO'))
          state.durable = Math.max(state.durable, length)
          done(null)
        })
      },
      syncNow: () => {
        check()
        if (this.failSyncs) throw diskError('MRD_DISK_IO', path, 'EIO')
        state.durable = state.bytes.length
      },
      close: () => {
        closed = true
      },
    }
  }
  openRead(path: string): ReadFile {
    const state = this.file(path)
    this.openReads++
    let open = true
    return {
      path,
      size: () => state.bytes.length,
      read: (target, position) => {
        if (!open) throw new Error(`${path} is read after close`)
        const part = state.bytes.subarray(position, position + target.length)
        target.set(part)
        this.reads++
        this.readBytes += part.length
        return part.length
      },
      close: () => {
        if (open) this.openReads--
        open = false
      },
    }
  }
  truncate(path: string, bytes: number): void {
    const state = this.file(path)
    state.bytes = state.bytes.slice(0, bytes)
    state.durable = bytes
  }
  writeWhole(path: string, bytes: Uint8Array): void {
    this.files.set(path, { bytes: bytes.slice(), durable: bytes.length, named: true })
  }
  readWhole(path: string): Uint8Array {
    return this.file(path).bytes.slice()
  }
  rename(from: string, to: string): void {
    this.files.set(to, this.file(from))
    this.files.delete(from)
  }
  remove(path: string): void {
    this.file(path)
    this.files.delete(path)
  }
  removeLater(path: string, done: (error: Error | null) => void): void {
    this.remove(path)
    this.waiting.push(() => done(null))
  }
  syncFolderLater(folder: string, done: (error: Error | null) => void): void {
    this.waitingFolders.push(() => {
      if (this.failSyncs) return done(diskError('MRD_DISK_IO', folder, 'EIO'))
      this.syncFolder(folder)
      done(null)
    })
  }
  syncFolder(folder: string): void {
    if (this.failFolderSyncs) throw diskError('MRD_DISK_IO', folder, 'EIO')
    this.folderSyncs++
    for (const [path, state] of this.files) if (dirname(path) === folder) state.named = true
  }
  freeBytes(): number {
    return this.capacity - this.used
  }

  get used(): number {
    let sum = 0
    for (const state of this.files.values()) sum += state.bytes.length
    return sum
  }

  get syncsUnderWay(): number {
    return this.waiting.length + this.waitingFolders.length
  }

  /** Ends the syncs that are under way now, and those of folders that follow them. */
  completeSyncs(): void {
    for (const complete of this.waiting.splice(0)) complete()
    this.completeFolderSyncs()
  }

  completeFolderSyncs(): void {
    for (const complete of this.waitingFolders.splice(0)) complete()
  }

  /** The process dies, the operating system lives: everything written stays. */
  kill(): void {
    this.epoch++
    this.waiting = []
    this.waitingFolders = []
    this.openReads = 0
  }

  /** Power cut. `random` gives 0 <= x < 1. */
  crash(random: () => number): void {
    this.kill()
    for (const [path, state] of [...this.files]) {
      if (!state.named && random() < 0.5) {
        this.files.delete(path)
        continue
      }
      const unsynced = state.bytes.length - state.durable
      const kept = state.durable + Math.floor(random() * (unsynced + 1))
      const lost = state.bytes.length - kept
      const tail = new Uint8Array(random() < 0.5 ? 0 : Math.floor(random() * (lost + 1)))
      if (random() < 0.5) for (let i = 0; i < tail.length; i++) tail[i] = Math.floor(random() * 256)
      state.bytes = concat(state.bytes.subarray(0, kept), tail)
      state.durable = state.bytes.length
      state.named = true
    }
  }

  file(path: string): FileState {
    const state = this.files.get(path)
    if (state === undefined) throw diskError('MRD_DATA_FOLDER', path, 'ENOENT')
    return state
  }
}

/** A small seeded generator of 0 <= x < 1 (mulberry32). */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let x = state
    x = Math.imul(x ^ (x >>> 15), x | 1)
    x ^= x + Math.imul(x ^ (x >>> 7), x | 61)
    return ((x ^ (x >>> 14)) >>> 0) / 2 ** 32
  }
}

function diskError(code: ErrorCode, path: string, what: string): MeridianError {
  return new MeridianError(code, `${path}: ${what}`, 'This is a test.')
}

function concat(a: Uint8Array, b: Uint8Array): Uint8Array {
  const both = new Uint8Array(a.length + b.length)
  both.set(a)
  both.set(b, a.length)
  return both
}
