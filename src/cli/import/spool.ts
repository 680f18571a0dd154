import { randomBytes } from 'node:crypto'
import { open, rm, type FileHandle } from 'node:fs/promises'
import { join } from 'node:path'
import { LIMITS } from '../../base/limits.js'

/**
 * Bytes between who sends and who takes, in order. What the taker cannot take at once waits in memory up to a bound, and behind that in a file, up to a bound
 * too; then the sender waits. A source that is not read drops its replica after a minute, so its bytes are taken in whatever the pace of the target.
 *
 *   push -> memory while the file is empty, else file -> read: memory first, for what is there is older. An emptied file begins anew.
 *
 * One caller pushes and one reads, each one thing at a time.
 */
export class Spool {
  private memory: Buffer[] = []
  private memoryBytes = 0
  private file: FileHandle | null = null
  private readAt = 0
  private writeAt = 0
  private isEnded = false
  private failure: Error | null = null
  private wakeReader: (() => void) | null = null
  private wakeWriter: (() => void) | null = null
  private readonly path: string

  constructor(
    folder: string,
    private readonly maxFileBytes: number,
  ) {
    this.path = join(folder, `meridian-import-${process.pid}-${randomBytes(4).toString('hex')}.spool`)
  }

  /** Bytes that wait. */
  get pendingBytes(): number {
    return this.memoryBytes + this.writeAt - this.readAt
  }

  /** Adds bytes, which are the spool's from now on; waits while everything is full. @throws when the disk does not take them. */
  async push(bytes: Buffer): Promise<void> {
    if (this.writeAt === this.readAt && this.memoryBytes + bytes.length <= LIMITS.spoolMemoryBytes) {
      this.memory.push(bytes)
      this.memoryBytes += bytes.length
      this.wake()
      return
    }
    while (this.writeAt > 0 && !this.isEnded) {
      if (this.writeAt === this.readAt) {
        this.readAt = this.writeAt = 0
        await this.file?.truncate(0)
      } else if (this.writeAt + bytes.length > this.maxFileBytes) {
        await new Promise<void>((resolve) => (this.wakeWriter = resolve))
      } else {
        break
      }
    }
    this.file ??= await open(this.path, 'wx+')
    for (let done = 0; done < bytes.length;) {
      done += (await this.file.write(bytes, done, bytes.length - done, this.writeAt + done)).bytesWritten
    }
    this.writeAt += bytes.length
    this.wake()
  }

  /** No more will come: after what there is, read gives null, or throws this. */
  end(failure: Error | null = null): void {
    this.isEnded = true
    this.failure ??= failure
    this.wake()
  }

  /** As end, but what there is is forgotten. */
  abort(failure: Error): void {
    this.memory = []
    this.memoryBytes = 0
    this.readAt = this.writeAt
    this.end(failure)
  }

  /** The next bytes; null at the end. */
  async read(): Promise<Buffer | null> {
    for (;;) {
      const next = this.memory.shift()
      if (next !== undefined) {
        this.memoryBytes -= next.length
        return next
      }
      if (this.writeAt > this.readAt) return this.readFile()
      if (this.failure !== null) throw this.failure
      if (this.isEnded) return null
      await new Promise<void>((resolve) => (this.wakeReader = resolve))
    }
  }

  async dispose(): Promise<void> {
    this.end()
    const { file } = this
    this.file = null
    await file?.close()
    await rm(this.path, { force: true })
  }

  private async readFile(): Promise<Buffer> {
    const { file } = this
    if (file === null) throw new Error('a spool has bytes in a file that is not there')
    const bytes = Buffer.allocUnsafe(Math.min(LIMITS.spoolPieceBytes, this.writeAt - this.readAt))
    const { bytesRead } = await file.read(bytes, 0, bytes.length, this.readAt)
    this.readAt += bytesRead
    if (this.readAt === this.writeAt) this.wakeUpWriter()
    return bytes.subarray(0, bytesRead)
  }

  private wake(): void {
    const { wakeReader } = this
    this.wakeReader = null
    wakeReader?.()
    if (this.isEnded) this.wakeUpWriter()
  }

  private wakeUpWriter(): void {
    const { wakeWriter } = this
    this.wakeWriter = null
    wakeWriter?.()
  }
}
