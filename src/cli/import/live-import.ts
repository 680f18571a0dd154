import { MeridianError } from '../../base/errors.js'
import { RdbFileReader } from '../../rdb/rdb-file-reader.js'
import type { TextOutput } from '../context.js'
import type { PipelinedClient } from '../pipelined-client.js'
import { ProgressLine, counted, duration, perSecond, plural } from '../progress-line.js'
import { printLine } from '../context.js'
import { CommandForwarder } from './command-forwarder.js'
import { settleExpiries } from './expiry-settling.js'
import { EXPIRY_SHIFT_MS } from './expiry-shift.js'
import { keyExists, RdbLoader, type LoadOptions } from './rdb-loader.js'
import { ReplicationFeed } from './replication-feed.js'
import { compareWithSource, databaseSizes } from './source-comparison.js'
import { Spool } from './spool.js'

const POLL_MS = 250
const DEFAULT_DATABASES = 16

export interface LiveImportOptions extends LoadOptions {
  /** How long the source may take to answer. */
  readonly timeoutMs: number
  /** Cut over as soon as everything has arrived, instead of when asked to. */
  readonly untilSynced: boolean
  readonly verify: boolean
  readonly spoolFolder: string
  readonly spoolBytes: number
  readonly output: TextOutput
  /** How often the user has asked to stop: once is to cut over, twice to give up. */
  readonly stopRequests: () => number
}

/** What follows a lag: where the source was when. */
interface Sample {
  readonly offset: number
  readonly atMs: number
}

/**
 * Moves a running Redis into a target without stopping it: snapshot, then its writes as they happen, until cut-over; then both are compared.
 *
 *   source --link--> feed --> spool --> loader (snapshot), forwarder (writes) --> target
 *   source --second connection--> where the source is: the lag, and when the end is reached
 */
export class LiveImport {
  private readonly spool: Spool
  private readonly feed: ReplicationFeed
  private readonly loader: RdbLoader
  private forwarder: CommandForwarder | null = null
  private readonly samples: Sample[] = []
  private readonly progress: ProgressLine
  private loadedMs = 0
  private isOver = false

  constructor(
    private readonly source: PipelinedClient,
    private readonly target: PipelinedClient,
    private readonly options: LiveImportOptions,
  ) {
    this.spool = new Spool(options.spoolFolder, options.spoolBytes)
    this.loader = new RdbLoader(target, { ...options, expiryShiftMs: EXPIRY_SHIFT_MS })
    this.feed = new ReplicationFeed(source.address, options.timeoutMs, this.spool, () => this.forwarder?.appliedOffset ?? null)
    this.progress = new ProgressLine(options.output)
  }

  /** @throws MeridianError */
  async run(): Promise<{ readonly lines: readonly string[]; readonly differing: number }> {
    const { source, target, options } = this
    const databases = await checkTarget(source, target, options)
    let isComplete = false
    const feeding = this.feed.run()
    const watching = this.watch().finally(() => this.feed.stop())
    // It may fail while the target is waited for, long before somebody looks here.
    watching.catch(() => undefined)
    try {
      await this.consume(databases)
      await watching
      isComplete = true
    } finally {
      this.isOver = true
      this.feed.stop()
      this.spool.end()
      await Promise.allSettled([feeding, watching])
      await this.spool.dispose()
      this.progress.clear()
      // Also when it failed: what is in the target should not live for a hundred years.
      const settling = this.settle(databases)
      await (isComplete
        ? settling
        : settling.catch(() => this.say('times of expiry in the target could not be put right: they are 100 years late')))
    }
    const compared = await compareWithSource(source, target, options.selection, options.verify, options.output)
    return { lines: [...(await this.report()), ...compared.lines], differing: compared.differing }
  }

  /** Writes what comes into the target, until nothing more comes. */
  private async consume(databases: Databases): Promise<void> {
    const { options, target, loader } = this
    const reader = new RdbFileReader(`the snapshot of ${options.source}`)
    for (let chunk = await this.spool.read(); chunk !== null; chunk = await this.spool.read()) {
      if (this.forwarder !== null) {
        await this.forwarder.take(chunk)
        continue
      }
      reader.feed(chunk)
      for (let item = reader.next(); item !== null; item = reader.next()) {
        const done = loader.take(item)
        if (done !== undefined) await done
        if (item.kind !== 'end') continue
        await loader.finish()
        this.loadedMs = this.progress.elapsedMs
        const { loaded } = loader.counts
        this.say(
          `the snapshot is in: ${plural(loaded.total, 'key')} in ${duration(this.loadedMs)}; following what is written since`,
        )
        this.forwarder = new CommandForwarder(
          target,
          {
            selection: options.selection,
            skipUnsupported: options.skipUnsupported,
            supported: databases.supported,
            sourceDatabases: databases.source,
            targetDatabases: databases.target,
            source: options.source,
            onAckRequest: () => this.feed.acknowledge(),
          },
          this.feed.startOffset ?? 0,
        )
        await this.forwarder.take(Buffer.from(reader.rest))
      }
    }
    if (this.forwarder === null) reader.finish()
    await this.forwarder?.finish()
  }

  /** Asks the source where it is, shows how far behind the target is, and ends the import when that is wanted. */
  private async watch(): Promise<void> {
    const { options } = this
    let goal: number | null = null
    while (!this.isOver) {
      if (options.stopRequests() > (this.forwarder === null ? 0 : 1)) {
        const state = this.forwarder === null ? 'before the snapshot was in' : 'before everything had arrived'
        const error = new MeridianError(
          'MRD_IMPORT_STOPPED',
          `Stopped ${state}`,
          'What was written stays in the target. Run it again with --replace, or empty the target first.',
        )
        this.spool.abort(error)
        throw error
      }
      const offset = Number(field(await this.source.text('INFO', 'replication'), 'master_repl_offset'))
      const applied = this.forwarder?.appliedOffset ?? null
      this.show(offset, applied)
      if (applied !== null) {
        if (options.stopRequests() > 0) goal ??= offset
        if (applied >= (goal ?? (options.untilSynced ? offset : Infinity))) return
      }
      await new Promise((resolve) => setTimeout(resolve, POLL_MS))
    }
  }

  private show(offset: number, applied: number | null): void {
    const { feed, progress, spool, loader } = this
    const { total } = loader.counts.loaded
    if (applied === null) {
      // It may wait before it begins, for other replicas that come (Redis' repl-diskless-sync-delay).
      if (feed.snapshotBytes === 0) {
        progress.update(() => `waiting for the source to send its snapshot, ${duration(progress.elapsedMs)}`)
        return
      }
      const share = feed.snapshotTotal === null ? '' : ` of ${counted(feed.snapshotTotal)}`
      progress.update(
        () =>
          `snapshot: ${counted(feed.snapshotBytes)}${share} bytes received, ${plural(total, 'key')} written, ${perSecond(total, progress.elapsedMs)} keys/s`,
      )
      return
    }
    const nowMs = performance.now()
    this.samples.push({ offset, atMs: nowMs })
    while (this.samples.length > 0 && this.samples[0].offset <= applied) this.samples.shift()
    // An hour's worth; the lag then counts from the oldest.
    if (this.samples.length > 3_600_000 / POLL_MS) this.samples.splice(1, 1)
    const lagMs = this.samples.length === 0 ? 0 : nowMs - this.samples[0].atMs
    const waiting = spool.pendingBytes > 0 ? `, ${counted(spool.pendingBytes)} bytes wait here` : ''
    progress.update(
      () =>
        `following: ${plural(this.forwarder?.forwarded ?? 0, 'command')}, ${counted(Math.max(0, offset - applied))} bytes (${duration(lagMs)}) behind${waiting}. ` +
        'When nobody writes to the source any more, Ctrl-C cuts over.',
    )
  }

  /** Puts the times of expiry right that were written later. */
  private async settle({ source, target }: Databases): Promise<void> {
    const { selection } = this.options
    const databases = Array.from({ length: source }, (_, database) => selection.target(database)).filter(
      (database) => database !== null && database < target,
    ) as number[]
    const withFields = this.loader.hasExpiringFields || this.forwarder?.hasExpiringFields === true
    await settleExpiries(this.target, databases, withFields, (keys) =>
      this.progress.update(() => `putting times of expiry right: ${plural(keys, 'key')} looked at`),
    )
    this.progress.clear()
  }

  private say(text: string): void {
    this.progress.clear()
    printLine(this.options.output, text)
  }

  private async report(): Promise<string[]> {
    const { loader, forwarder, feed, options, loadedMs } = this
    const version = field(await this.source.text('INFO', 'server'), 'redis_version')
    const { total } = loader.counts.loaded
    const lines = [
      `imported ${options.source} (Redis ${version}): snapshot in ${duration(loadedMs)}, ${perSecond(total, loadedMs)} keys/s`,
      ...loader.counts.lines(),
      `followed ${plural(forwarder?.forwarded ?? 0, 'command')} written meanwhile${feed.reconnects > 0 ? `, over ${plural(feed.reconnects, 'reconnection')}` : ''}`,
    ]
    if (forwarder !== null && forwarder.unselected > 0)
      lines.push(`  left out: ${plural(forwarder.unselected, 'command')} in databases that were not selected`)
    for (const [name, count] of forwarder?.unsupported ?? [])
      lines.push(`  left out: ${plural(count, 'command')} ${name}, which Meridian does not have`)
    return lines
  }
}

interface Databases {
  readonly source: number
  readonly target: number
  readonly supported: ReadonlySet<string>
}

/** Everything that would only be found when much has been written. @throws MeridianError */
export async function checkTarget(source: PipelinedClient, target: PipelinedClient, options: LoadOptions): Promise<Databases> {
  if ((await setting(target, 'stream-id-mode')) === 'strict') {
    throw new MeridianError(
      'MRD_REFUSED',
      'The target has stream-id-mode strict, which takes no entries with the IDs that they have at the source',
      'CONFIG SET stream-id-mode semi-strict on it until the move is over.',
    )
  }
  const databases = {
    source: Number((await setting(source, 'databases')) ?? DEFAULT_DATABASES),
    target: Number((await setting(target, 'databases')) ?? DEFAULT_DATABASES),
    supported: new Set(
      ((await target.command('COMMAND', 'LIST')) as readonly Buffer[]).map((name) => name.toString().toUpperCase()),
    ),
  }
  target.trustDatabases(databases.target)
  for (const [database] of await databaseSizes(source)) {
    const to = options.selection.target(database)
    if (to === null || to < databases.target) continue
    throw new MeridianError(
      'MRD_REFUSED',
      `The source has keys in database ${database}, and the target has no database ${to}`,
      'Give the target more databases (storage.databases), or choose with --db and --map-db.',
    )
  }
  if (options.existing === 'fail') await checkEmpty(target, databases, options)
  return databases
}

/** Every database of the target that keys may come into has none. */
async function checkEmpty(target: PipelinedClient, databases: Databases, { selection }: LoadOptions): Promise<void> {
  const sizes = await databaseSizes(target)
  for (let database = 0; database < databases.source; database++) {
    const to = selection.target(database)
    if (to === null || (sizes.get(to)?.keys ?? 0) === 0) continue
    await target.select(to)
    const key = await target.command('RANDOMKEY')
    if (Buffer.isBuffer(key)) throw keyExists(key, 'Empty the target first, or choose --replace to write over its keys.')
  }
}

/** One setting; null when the server does not tell. */
async function setting(client: PipelinedClient, name: string): Promise<string | null> {
  const reply = await client.ask('CONFIG', 'GET', name)
  return Array.isArray(reply) && reply.length === 2 ? String(reply[1]) : null
}

function field(info: string, name: string): string {
  return new RegExp(`^${name}:(.*?)\\r?$`, 'm').exec(info)?.[1] ?? ''
}
