import { open, type FileHandle } from 'node:fs/promises'
import { MeridianError } from '../../base/errors.js'
import { LIMITS } from '../../base/limits.js'
import { sealPayload } from '../../rdb/payload.js'
import { RdbFileReader, type RdbItem, type RdbKeyItem } from '../../rdb/rdb-file-reader.js'
import type { PipelinedClient } from '../pipelined-client.js'
import { ProgressLine, counted, duration, perSecond, progressText } from '../progress-line.js'
import { refused } from '../redis-client.js'
import type { TextOutput } from '../context.js'
import { Comparison } from './comparison.js'
import { RdbLoader, keyExists, numberOf, unsupportedValue, type LoadOptions } from './rdb-loader.js'

const PIECE_BYTES = 1024 * 1024
/** Keys asked for in one EXISTS. */
const EXISTS_KEYS = 256

export interface FileImportOptions extends LoadOptions {
  readonly file: string
  /** Compare every key at the end, not a sample. */
  readonly verify: boolean
  readonly output: TextOutput
  readonly isStopped: () => boolean
}

export interface ImportReport {
  readonly lines: readonly string[]
  readonly differing: number
}

/**
 * Imports an RDB file in three walks over it: the first reads it to its end, checks its checksum and looks for its keys in the target, so that
 * nothing is written when something is wrong; the second writes; the third compares.
 */
export class FileImport {
  private file: FileHandle | null = null
  private fileBytes = 0
  private version = 0
  private writtenBy = ''
  private checked = false
  /** Keys that are to come over. */
  private selected = 0

  constructor(
    private readonly target: PipelinedClient,
    private readonly options: FileImportOptions,
  ) {}

  /** @throws MeridianError */
  async run(): Promise<ImportReport> {
    this.file = await openFile(this.options.file)
    try {
      this.fileBytes = (await this.file.stat()).size
      await this.check()
      const startMs = performance.now()
      const before = await this.sizes()
      const counts = await this.load()
      const tookMs = performance.now() - startMs
      const after = await this.sizes()
      const lines = [
        `imported ${this.options.file} (${this.description()}) in ${duration(tookMs)}, ${perSecond(counts.loaded.total, tookMs)} keys/s`,
        ...counts.lines(),
      ]
      for (const database of counts.databases.keys()) {
        lines.push(
          `  db${database} of the target: ${counted(before.get(database) ?? 0)} keys before, ${counted(after.get(database) ?? 0)} now`,
        )
      }
      if (counts.existing > 0) {
        return { lines: [...lines, 'not compared: keys that were in the target already may be others'], differing: 0 }
      }
      const comparison = await this.compare()
      for (const [database, { keys, expiring }] of counts.databases) {
        const least = (before.get(database) ?? 0) + keys - expiring
        const is = after.get(database) ?? 0
        if (this.options.existing !== 'replace' && is < least) {
          comparison.note(`db${database} has ${counted(is)} keys, ${counted(least)} are expected at least`)
        }
      }
      return { lines: [...lines, ...comparison.lines(this.selected)], differing: comparison.differing }
    } finally {
      await this.file.close()
    }
  }

  private description(): string {
    return `RDB version ${this.version}${this.writtenBy}${this.checked ? '' : ', written without a checksum'}`
  }

  private async check(): Promise<void> {
    const { options, target } = this
    const { selection } = options
    const sizes = options.existing === 'fail' ? await this.sizes() : new Map<number, number>()
    const lookup = new KeyLookup(target)
    await this.walk('checking', (item) => {
      switch (item.kind) {
        case 'version':
          this.version = item.version
          return
        case 'aux':
          if (item.name === 'redis-ver') this.writtenBy = `, written by Redis ${item.value}`
          if (item.name === 'valkey-ver') this.writtenBy = `, written by Valkey ${item.value}`
          return
        case 'module-aux':
          if (options.skipUnsupported) return
          throw unsupportedValue(options.source, `data of the module ${item.module}`, item.offset)
        case 'end':
          this.checked = item.checked
          return
        case 'key': {
          const to = selection.target(item.database)
          if (to === null || !selection.takes(item.key)) return
          if (item.unsupported !== null) {
            if (options.skipUnsupported) return
            throw unsupportedValue(options.source, item.unsupported, item.offset, item.key)
          }
          this.selected++
          return (sizes.get(to) ?? 0) > 0 ? lookup.add(to, item.key) : undefined
        }
        default:
          return
      }
    })
    await lookup.finish()
  }

  private async load(): Promise<RdbLoader['counts']> {
    const loader = new RdbLoader(this.target, this.options)
    try {
      await this.walk('importing', (item) => loader.take(item))
    } finally {
      // Also when it is stopped: no key is left written by half.
      await loader.finish()
    }
    return loader.counts
  }

  private async compare(): Promise<Comparison> {
    const { options, selected, target } = this
    const comparison = new Comparison(target)
    const every = options.verify ? 1 : Math.max(1, Math.ceil(selected / LIMITS.comparedSample))
    let n = 0
    await this.walk('comparing', (item) => (item.kind === 'key' && n++ % every === 0 ? this.expect(comparison, item) : undefined))
    await comparison.finish()
    return comparison
  }

  private expect(comparison: Comparison, item: RdbKeyItem): Promise<void> | undefined {
    const { selection } = this.options
    const database = selection.target(item.database)
    if (database === null || item.unsupported !== null || !selection.takes(item.key)) return
    const payload = sealPayload(item.type, item.value, this.version)
    return comparison.expect({ database, key: Buffer.from(item.key), payload, expiresAtMs: item.expiresAtMs })
  }

  /** DBSIZE of every database of the target that keys may go to. */
  private async sizes(): Promise<Map<number, number>> {
    const info = await this.target.text('INFO', 'keyspace')
    return new Map([...info.matchAll(/^db(\d+):keys=(\d+)/gm)].map(([, database, keys]) => [Number(database), Number(keys)]))
  }

  /** Reads the whole file, an item at a time. */
  private async walk(what: string, onItem: (item: RdbItem) => Promise<void> | undefined): Promise<void> {
    const { file, fileBytes, options } = this
    if (file === null) return
    const reader = new RdbFileReader(options.file)
    const progress = new ProgressLine(options.output)
    const piece = Buffer.allocUnsafe(PIECE_BYTES)
    let keys = 0
    for (let at = 0; ;) {
      const { bytesRead } = await file.read(piece, 0, PIECE_BYTES, at)
      if (bytesRead === 0) break
      at += bytesRead
      reader.feed(piece.subarray(0, bytesRead))
      for (let item = reader.next(); item !== null; item = reader.next()) {
        if (item.kind === 'key') keys++
        const done = onItem(item)
        if (done !== undefined) await done
        progress.update(() => progressText(what, reader.offset / fileBytes, keys, progress.elapsedMs))
        if (options.isStopped()) {
          progress.clear()
          const state = what === 'importing' ? `${keys} keys of the file have been dealt with` : 'nothing more is written'
          throw new MeridianError(
            'MRD_IMPORT_STOPPED',
            `Stopped while ${what} ${options.file}: ${state}`,
            'Run it again with --skip-existing to go on.',
          )
        }
      }
    }
    progress.clear()
    reader.finish()
    if (reader.rest.length > 0) {
      throw new MeridianError(
        'MRD_RDB_UNSUPPORTED',
        `${options.file} goes on behind its end mark at byte ${reader.offset}: it may be an append-only file that begins with an RDB part`,
        'Make an RDB file with BGSAVE and import that.',
      )
    }
  }
}

async function openFile(path: string): Promise<FileHandle> {
  try {
    const file = await open(path, 'r')
    if ((await file.stat()).isFile()) return file
    await file.close()
    throw new Error('it is no regular file')
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw new MeridianError('MRD_ARGUMENT', `${path} cannot be read: ${reason}`, 'Name an RDB file, such as dump.rdb.', {
      cause: error,
    })
  }
}

/** Asks the target for keys, many at a time. */
class KeyLookup {
  private database = -1
  private keys: Uint8Array[] = []
  private found: { readonly database: number; readonly keys: readonly Uint8Array[] } | null = null
  private failure: Error | null = null

  constructor(private readonly target: PipelinedClient) {}

  /** The key is copied. What is returned is to be awaited before the next call. */
  add(database: number, key: Uint8Array): Promise<void> | undefined {
    const isFull = this.keys.length === EXISTS_KEYS || (database !== this.database && this.keys.length > 0)
    const asked = isFull ? this.ask() : undefined
    this.database = database
    this.keys.push(Buffer.from(key))
    return asked
  }

  /** @throws MeridianError that names a key that is there. */
  async finish(): Promise<void> {
    await this.ask()
    await this.target.drained()
    if (this.failure !== null) throw refused(this.target.address, 'EXISTS', this.failure)
    if (this.found === null) return
    const { database, keys } = this.found
    await this.target.select(database)
    for (const key of keys) if (numberOf(await this.target.command('EXISTS', key)) > 0) throw keyExists(key)
  }

  private async ask(): Promise<void> {
    const { database, keys } = this
    if (keys.length === 0) return
    this.keys = []
    await this.target.select(database)
    this.target.send(['EXISTS', ...keys], (reply) => {
      if (reply instanceof Error) this.failure ??= reply
      else if (numberOf(reply) > 0) this.found ??= { database, keys }
    })
    await this.target.room(LIMITS.bulkInFlightBytes)
  }
}
