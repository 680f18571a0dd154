import * as fs from 'node:fs'
import { dirname, resolve } from 'node:path'
import { assert } from '../base/assert.js'
import type { AppendFile, Disk, ReadFile } from '../ports/disk.js'
import { diskError } from './node-disk-errors.js'

/** What clients stored is nobody else's to read; the group may, for backups. */
const FILE_MODE = 0o640
const FOLDER_MODE = 0o750

/** The disk through node:fs. Everything is synchronous except AppendFile.sync, which runs in libuv's thread pool. */
export class NodeDisk implements Disk {
  ensureFolder(folder: string): void {
    attempt('create folder', folder, () => {
      const first = fs.mkdirSync(folder, { recursive: true, mode: FOLDER_MODE })
      if (first === undefined) {
        fs.accessSync(folder, fs.constants.R_OK | fs.constants.W_OK | fs.constants.X_OK)
        return
      }
      // A new folder's name is durable when its parent is synced; several may be new.
      for (let made = resolve(folder); made.length >= resolve(first).length; made = dirname(made)) this.syncFolder(dirname(made))
    })
  }

  list(folder: string): string[] {
    return attempt('list', folder, () =>
      fs
        .readdirSync(folder, { withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map((entry) => entry.name)
        .sort(),
    )
  }

  exists(path: string): boolean {
    return attempt('look for', path, () => fs.statSync(path, { throwIfNoEntry: false }) !== undefined)
  }

  openAppend(path: string): AppendFile {
    return attempt('open', path, () => new NodeAppendFile(path))
  }

  openRead(path: string): ReadFile {
    return attempt('open', path, () => new NodeReadFile(path))
  }

  truncate(path: string, bytes: number): void {
    attempt('cut', path, () => {
      withFile(path, 'r+', (fd) => {
        fs.ftruncateSync(fd, bytes)
        fs.fsyncSync(fd)
      })
    })
  }

  writeWhole(path: string, bytes: Uint8Array): void {
    const aside = `${path}.tmp`
    attempt('write', path, () => {
      try {
        withFile(aside, 'w', (fd) => {
          writeAll(fd, bytes, 0)
          fs.fsyncSync(fd)
        })
      } catch (error) {
        // Whoever tries again does so with another file: what a failed sync has left of this one nobody knows.
        fs.rmSync(aside, { force: true })
        throw error
      }
      fs.renameSync(aside, path)
      this.syncFolder(dirname(path))
    })
  }

  readWhole(path: string): Uint8Array {
    return attempt('read', path, () => fs.readFileSync(path))
  }

  rename(from: string, to: string): void {
    attempt('rename', from, () => fs.renameSync(from, to))
  }

  remove(path: string): void {
    attempt('remove', path, () => fs.unlinkSync(path))
  }

  removeLater(path: string, done: (error: Error | null) => void): void {
    fs.unlink(path, (error) => done(error === null ? null : diskError('remove', path, error)))
  }

  syncFolderLater(folder: string, done: (error: Error | null) => void): void {
    const end = (error: Error | null): void => done(error === null ? null : diskError('sync folder', folder, error))
    fs.open(folder, 'r', (error, fd) => {
      if (error !== null) end(error)
      else fs.fsync(fd, (failure) => fs.close(fd, (closing) => end(failure ?? closing ?? null)))
    })
  }

  syncFolder(folder: string): void {
    attempt('sync folder', folder, () => withFile(folder, 'r', (fd) => fs.fsyncSync(fd)))
  }

  freeBytes(folder: string): number {
    return attempt('look up the free room of', folder, () => {
      const { bavail, bsize } = fs.statfsSync(folder)
      return bavail * bsize
    })
  }
}

class NodeAppendFile implements AppendFile {
  size: number
  private readonly fd: number
  private syncing = false
  private closed = false
  /** A failed append left bytes behind `size` that could not be cut off again. */
  private dirtyEnd = false
  private syncError: Error | null = null

  constructor(readonly path: string) {
    // Not O_APPEND: writes go to the end as this object knows it, whatever a failed write may have left behind that.
    this.fd = fs.openSync(path, fs.constants.O_RDWR | fs.constants.O_CREAT, FILE_MODE)
    this.size = fs.fstatSync(this.fd).size
  }

  append(bytes: Uint8Array): void {
    assert(!this.closed, 'the file is open')
    try {
      if (this.dirtyEnd) this.cutEnd()
      writeAll(this.fd, bytes, this.size)
    } catch (error) {
      this.dirtyEnd = true
      try {
        this.cutEnd()
      } catch {
        // The next append tries again before it writes; recovery would take what is there for a torn tail.
      }
      throw diskError('append to', this.path, error)
    }
    this.size += bytes.length
  }

  cut(size: number): void {
    assert(size <= this.size, 'a file is not cut to be longer')
    this.size = size
    this.dirtyEnd = true
    try {
      this.cutEnd()
    } catch {
      // As above.
    }
  }

  sync(done: (error: Error | null) => void): void {
    assert(!this.closed && !this.syncing, 'one sync at a time')
    this.syncing = true
    fs.fdatasync(this.fd, (error) => {
      this.syncing = false
      if (error !== null) this.syncError ??= diskError('sync', this.path, error)
      if (this.closed) fs.closeSync(this.fd)
      done(this.syncError)
    })
  }

  syncNow(): void {
    assert(!this.closed, 'the file is open')
    // The kernel reports a lost page once; asking again would only get a false yes.
    if (this.syncError !== null) throw this.syncError
    try {
      fs.fdatasyncSync(this.fd)
    } catch (error) {
      this.syncError = diskError('sync', this.path, error)
      throw this.syncError
    }
  }

  close(): void {
    if (this.closed) return
    this.closed = true
    // A descriptor that is closed under a running sync could be another file's by the time the sync looks at it.
    if (!this.syncing) fs.closeSync(this.fd)
  }

  private cutEnd(): void {
    fs.ftruncateSync(this.fd, this.size)
    this.dirtyEnd = false
  }
}

class NodeReadFile implements ReadFile {
  private readonly fd: number
  private closed = false

  constructor(readonly path: string) {
    this.fd = fs.openSync(path, 'r')
  }

  size(): number {
    return attempt('read', this.path, () => fs.fstatSync(this.fd).size)
  }

  read(target: Uint8Array, position: number): number {
    return attempt('read', this.path, () => fs.readSync(this.fd, target, 0, target.length, position))
  }

  close(): void {
    if (this.closed) return
    this.closed = true
    fs.closeSync(this.fd)
  }
}

function writeAll(fd: number, bytes: Uint8Array, position: number): void {
  let written = 0
  while (written < bytes.length) written += fs.writeSync(fd, bytes, written, bytes.length - written, position + written)
}

function withFile<T>(path: string, flags: string, use: (fd: number) => T): T {
  const fd = fs.openSync(path, flags, FILE_MODE)
  try {
    return use(fd)
  } finally {
    fs.closeSync(fd)
  }
}

function attempt<T>(action: string, path: string, call: () => T): T {
  try {
    return call()
  } catch (error) {
    throw diskError(action, path, error)
  }
}
