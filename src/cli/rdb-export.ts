import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { open, rename, rm, type FileHandle } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { MeridianError } from '../base/errors.js'
import { matchesGlob } from '../base/glob.js'
import { openPayload, readPayload, writePayload } from '../rdb/payload.js'
import { RdbFileWriter, rdbHeader } from '../rdb/rdb-file-writer.js'
import { RdbType, typeName, versionOf } from '../rdb/rdb-types.js'
import type { TextOutput } from './context.js'
import { printable } from './printable.js'
import { KeyReader, type ReadKey } from './key-reader.js'
import type { PipelinedClient } from './pipelined-client.js'
import { ProgressLine, counted, duration, perSecond, plural, progressText } from './progress-line.js'
import { TypeCounts } from './type-counts.js'

/** What redis-server 7.0 reads. */
export const LOWEST_EXPORT_VERSION = 10
/** The first that has all that is written here. */
export const HIGHEST_EXPORT_VERSION = versionOf(RdbType.stream5)
const WRITE_BYTES = 1024 * 1024
export interface ExportOptions {
  readonly file: string
  /** Replace a file of that name. */
  readonly force: boolean
  /** Databases; empty: all. */
  readonly databases: readonly number[]
  readonly match: string | undefined
  /** RDB version of the file; null: the lowest that can hold what is in it, from LOWEST_EXPORT_VERSION on. */
  readonly version: number | null
  readonly output: TextOutput
  readonly isStopped: () => boolean
}

/**
 * Writes the keys of a running member into an RDB file: SCAN, and DUMP of each key between two looks at its time of expiry. The file is written aside
 * and gets its name when it is complete and on the disk.
 *
 * Each key is as it was at one moment, value and expiry together, but not all of them at the same: what is written while it runs may be in the file or
 * not. A key that is there all the time is in it exactly once.
 */
export class RdbExport {
  private readonly counts = new TypeCounts()
  private readonly writer = new RdbFileWriter()
  private file: FileHandle | null = null
  private fileAt = 0
  private neededVersion = LOWEST_EXPORT_VERSION
  private vanished = 0
  private simplifiedStreams = 0
  private withoutMarks = 0
  private read = 0
  private total = 0
  private readonly progress: ProgressLine

  constructor(
    private readonly client: PipelinedClient,
    private readonly options: ExportOptions,
  ) {
    this.progress = new ProgressLine(options.output)
  }

  /** Gives lines for people. @throws MeridianError; then there is no new file. */
  async run(): Promise<readonly string[]> {
    const { file: path, force } = this.options
    if (!force && existsSync(path)) {
      throw new MeridianError('MRD_FILE_EXISTS', `${path} exists`, 'Choose another name, or --force to replace it.')
    }
    const aside = join(dirname(path), `.${basename(path)}.${randomBytes(4).toString('hex')}.part`)
    try {
      this.file = await open(aside, 'wx')
      try {
        await this.write()
      } finally {
        await this.file.close()
      }
      await rename(aside, path)
      await syncFolder(dirname(path))
    } catch (error) {
      await rm(aside, { force: true })
      throw error instanceof Error && 'code' in error && !(error instanceof MeridianError) ? diskError(path, error) : error
    } finally {
      this.progress.clear()
    }
    return this.report()
  }

  private async write(): Promise<void> {
    const { client, writer, options } = this
    this.fileAt = rdbHeader(LOWEST_EXPORT_VERSION).length
    const reader = await KeyReader.open(client)
    const info = await client.text('INFO')
    writer.aux('redis-ver', field(info, 'redis_version'))
    writer.aux('redis-bits', '64')
    writer.aux('ctime', String(Math.floor(Date.now() / 1000)))
    writer.aux('used-mem', field(info, 'used_memory'))
    writer.aux('meridian-ver', field(info, 'meridian_version'))
    const databases = [...info.matchAll(/^db(\d+):keys=(\d+),expires=(\d+)/gm)]
      .map(([, database, keys, expires]) => ({ database: Number(database), keys: Number(keys), expires: Number(expires) }))
      .filter(({ database }) => options.databases.length === 0 || options.databases.includes(database))
    this.total = databases.reduce((sum, { keys }) => sum + keys, 0)
    for (const { database, keys, expires } of databases) {
      writer.database(database, keys, expires)
      await this.writeDatabase(reader, database)
    }
    this.vanished = reader.vanished
    writer.end()
    await this.flush()
    const { header, checksum } = writer.seal(this.version())
    await this.writeAt(checksum, this.fileAt)
    await this.writeAt(header, 0)
    await this.file?.sync()
  }

  private async writeDatabase(reader: KeyReader, database: number): Promise<void> {
    const { options, writer, progress } = this
    const pattern = options.match === undefined ? null : Buffer.from(options.match)
    for await (const names of reader.names(database)) {
      const chosen = pattern === null ? names : names.filter((key) => matchesGlob(pattern, 0, pattern.length, key, 0, key.length))
      for await (const keys of reader.values(database, chosen)) {
        for (const key of keys) this.add(key)
        if (writer.pendingBytes >= WRITE_BYTES) await this.flush()
        if (options.isStopped()) {
          throw new MeridianError(
            'MRD_IMPORT_STOPPED',
            `Stopped after ${counted(this.counts.total)} keys`,
            'No file was written.',
          )
        }
      }
      this.read += names.length
      const share = this.total === 0 ? 1 : this.read / this.total
      progress.update(() => progressText('exporting', share, this.counts.total, progress.elapsedMs))
    }
  }

  private add({ key, payload, expiresAtMs }: ReadKey): void {
    const { version: asked } = this.options
    let { type, value, version } = openPayload(payload)
    // When consumers were active is not worth a file that redis-server 7.0 does not read, unless it is asked for.
    const most = asked ?? (type === RdbType.stream3 ? LOWEST_EXPORT_VERSION : version)
    if (typeName(type) === 'stream' && version > most) ({ type, value, version } = openPayload(this.simplified(payload, most)))
    if (asked !== null && version > asked) {
      throw new MeridianError(
        'MRD_RDB_UNSUPPORTED',
        `The key ${printable(key)} has what RDB version ${asked} cannot hold: fields of a hash that expire`,
        `Leave --rdb-version out, or give ${version}: Redis 7.4 and newer read it.`,
      )
    }
    this.neededVersion = Math.max(this.neededVersion, version)
    this.writer.key(key, type, value, expiresAtMs)
    this.counts.add(type)
  }

  /** A stream as the servers know it that read this version. */
  private simplified(payload: Uint8Array, version: number): Uint8Array {
    const { value } = readPayload(payload)
    if (value === null || value.type !== 'stream') return payload
    const { groups, marks } = value
    if (version < versionOf(RdbType.stream4) && marks !== null) this.withoutMarks++
    const isSeen = groups.every(({ consumers }) => consumers.every(({ seenMs, activeMs }) => seenMs === activeMs))
    if (version < versionOf(RdbType.stream3) && !isSeen) this.simplifiedStreams++
    return writePayload(value, version)
  }

  private version(): number {
    return this.options.version ?? this.neededVersion
  }

  private async flush(): Promise<void> {
    const bytes = this.writer.take()
    await this.writeAt(bytes, this.fileAt)
    this.fileAt += bytes.length
  }

  private async writeAt(bytes: Uint8Array, at: number): Promise<void> {
    for (let done = 0; done < bytes.length;) {
      const written = await this.file?.write(bytes, done, bytes.length - done, at + done)
      done += written?.bytesWritten ?? 0
    }
  }

  private report(): readonly string[] {
    const { counts, progress } = this
    const took = progress.elapsedMs
    const lines = [
      `exported to ${this.options.file} (RDB version ${this.version()}) in ${duration(took)}, ${perSecond(counts.total, took)} keys/s`,
      `  ${plural(counts.total, 'key')}${counts.total > 0 ? `: ${counts.toString()}` : ''}`,
    ]
    if (this.vanished > 0) lines.push(`  ${plural(this.vanished, 'key')} went before they were read`)
    if (this.simplifiedStreams > 0) {
      lines.push(
        `  of ${plural(this.simplifiedStreams, 'stream')}, when consumers were last active is left out (--rdb-version 11 keeps it, for Redis 7.2 and newer)`,
      )
    }
    if (this.withoutMarks > 0) {
      lines.push(
        `  of ${plural(this.withoutMarks, 'stream')}, which messages are known is left out (--rdb-version 13 keeps it, for Redis 8.6 and newer)`,
      )
    }
    return lines
  }
}

function field(info: string, name: string): string {
  return new RegExp(`^${name}:(.*?)\\r?$`, 'm').exec(info)?.[1] ?? ''
}

async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r')
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}

function diskError(path: string, cause: Error): MeridianError {
  const full = 'code' in cause && (cause.code === 'ENOSPC' || cause.code === 'EDQUOT')
  return new MeridianError(
    full ? 'MRD_DISK_FULL' : 'MRD_DISK_IO',
    `${path} cannot be written: ${cause.message}`,
    'Name a file in a folder that can be written and has room.',
    { cause },
  )
}
