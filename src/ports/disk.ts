/**
 * The disk as the op log sees it: flat folders of append-only and read-only files. Every call throws MeridianError
 * (MRD_DISK_FULL, MRD_DISK_IO, MRD_DATA_FOLDER) naming the path.
 */
export interface Disk {
  /** Makes the folder if it is missing; parents too. */
  ensureFolder(folder: string): void
  /** Names (not paths) of the files in a folder, sorted. */
  list(folder: string): string[]
  exists(path: string): boolean
  /** Opens for appending after its present end; makes it if missing. */
  openAppend(path: string): AppendFile
  openRead(path: string): ReadFile
  /** Cuts a file to a length (recovery of a torn tail) and syncs it. */
  truncate(path: string, bytes: number): void
  /** Writes a small file whole: write aside, sync, rename over, sync the folder. Complete or absent. */
  writeWhole(path: string, bytes: Uint8Array): void
  readWhole(path: string): Uint8Array
  rename(from: string, to: string): void
  remove(path: string): void
  /** As remove, but comes back at once: letting a large file go takes its time. The name may be gone before `done` is called. */
  removeLater(path: string, done: (error: Error | null) => void): void
  /** Makes names in a folder durable. */
  syncFolder(folder: string): void
  /** As syncFolder, but comes back at once. */
  syncFolderLater(folder: string, done: (error: Error | null) => void): void
  /** Bytes still free for this folder's file system. */
  freeBytes(folder: string): number
}

export interface AppendFile {
  readonly path: string
  /** Bytes in the file, appended ones included, synced or not. */
  readonly size: number
  /**
   * Appends all of bytes to the file in the operating system's cache, synchronously: it survives a killed process, not a
   * power cut. On failure it throws, and size and content are as before.
   */
  append(bytes: Uint8Array): void
  /** Takes back what was appended behind so many bytes; nothing of it may be durable. What cannot be cut off now is before the next append. */
  cut(size: number): void
  /** Makes durable what was appended before the call. One call at a time. An error is final for this file. */
  sync(done: (error: Error | null) => void): void
  /** As sync, but returns when it is done. For start, stop and the end of a segment. Allowed while a sync is under way. */
  syncNow(): void
  /** A sync that is under way may still call back. */
  close(): void
}

export interface ReadFile {
  readonly path: string
  /** Present length in bytes; grows if the file is still appended to. */
  size(): number
  /** Reads up to target.length bytes at position; returns how many. */
  read(target: Uint8Array, position: number): number
  close(): void
}
