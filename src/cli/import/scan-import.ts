import { MeridianError } from '../../base/errors.js'
import { openPayload } from '../../rdb/payload.js'
import type { TextOutput } from '../context.js'
import { KeyReader, type ReadKey } from '../key-reader.js'
import type { PipelinedClient } from '../pipelined-client.js'
import { ProgressLine, duration, perSecond, progressText } from '../progress-line.js'
import { checkTarget } from './live-import.js'
import { RdbLoader, type LoadOptions } from './rdb-loader.js'
import { compareWithSource, databaseSizes } from './source-comparison.js'

export interface ScanImportOptions extends LoadOptions {
  readonly verify: boolean
  readonly output: TextOutput
  readonly isStopped: () => boolean
}

/**
 * Copies a running Redis that does not let itself be followed: SCAN, DUMP, RESTORE. What is written there meanwhile may be missed; it is for a source that is
 * not written to, or whose losses do not matter.
 */
export class ScanImport {
  constructor(
    private readonly source: PipelinedClient,
    private readonly target: PipelinedClient,
    private readonly options: ScanImportOptions,
  ) {}

  /** @throws MeridianError */
  async run(): Promise<{ readonly lines: readonly string[]; readonly differing: number }> {
    const { source, target, options } = this
    await checkTarget(source, target, options)
    // SCAN of Redis may name a key twice; the target was found empty, so what is replaced is that key.
    const existing = options.existing === 'fail' ? 'replace' : options.existing
    const loader = new RdbLoader(target, { ...options, existing })
    const reader = await KeyReader.open(source)
    const progress = new ProgressLine(options.output)
    const sizes = await databaseSizes(source)
    const total = [...sizes.values()].reduce((sum, { keys }) => sum + keys, 0)
    let read = 0
    for (const database of sizes.keys()) {
      if (options.selection.target(database) === null) continue
      for await (const names of reader.names(database)) {
        for await (const keys of reader.values(database, names)) {
          for (const key of keys) await take(loader, database, key)
          if (options.isStopped()) {
            throw new MeridianError(
              'MRD_IMPORT_STOPPED',
              `Stopped after ${read} keys`,
              'What was written stays in the target. Run it again with --replace.',
            )
          }
        }
        read += names.length
        progress.update(() => progressText('copying', read / total, read, progress.elapsedMs))
      }
    }
    await loader.finish()
    progress.clear()
    const { counts } = loader
    const tookMs = progress.elapsedMs
    const compared = await compareWithSource(source, target, options.selection, options.verify, options.output)
    return {
      lines: [
        `copied ${options.source} in ${duration(tookMs)}, ${perSecond(counts.loaded.total, tookMs)} keys/s; what was written there meanwhile may be missing`,
        ...counts.lines(),
        ...(counts.existing > 0 ? ['keys that were in the target already count as differences below'] : []),
        ...compared.lines,
      ],
      differing: compared.differing,
    }
  }
}

async function take(loader: RdbLoader, database: number, { key, payload, expiresAtMs }: ReadKey): Promise<void> {
  const { type, value, version } = openPayload(payload)
  await loader.take({ kind: 'version', version })
  await loader.take({
    kind: 'key',
    offset: 0,
    database,
    key,
    type,
    value,
    expiresAtMs,
    idleSeconds: null,
    frequency: null,
    unsupported: null,
  })
}
