import { LIMITS } from '../../base/limits.js'
import { KeyReader } from '../key-reader.js'
import type { PipelinedClient, RawReply } from '../pipelined-client.js'
import { ProgressLine, counted, progressText } from '../progress-line.js'
import type { TextOutput } from '../context.js'
import { Comparison } from './comparison.js'
import type { KeySelection } from './key-selection.js'

export interface DatabaseSize {
  readonly keys: number
  readonly expires: number
}

/** Keys of each database that has some. */
export async function databaseSizes(client: PipelinedClient): Promise<Map<number, DatabaseSize>> {
  const info = await client.text('INFO', 'keyspace')
  const lines = info.matchAll(/^db(\d+):keys=(\d+),expires=(\d+)/gm)
  return new Map(
    [...lines].map(([, database, keys, expires]) => [Number(database), { keys: Number(keys), expires: Number(expires) }]),
  )
}

/** Compares a running source with the target: the number of keys, and a sample of them or all. */
export async function compareWithSource(
  source: PipelinedClient,
  target: PipelinedClient,
  selection: KeySelection,
  isWhole: boolean,
  output: TextOutput,
): Promise<{ readonly lines: readonly string[]; readonly differing: number }> {
  const comparison = new Comparison(target)
  const reader = await KeyReader.open(source)
  const progress = new ProgressLine(output)
  const sizes = [...(await databaseSizes(source))].flatMap(([database, size]) => {
    const to = selection.target(database)
    return to === null ? [] : [{ database, to, ...size }]
  })
  const total = sizes.reduce((sum, { keys }) => sum + keys, 0)
  const here = await databaseSizes(target)
  const lines: string[] = []
  for (const { database, to, keys, expires } of sizes) {
    const count = here.get(to)?.keys ?? 0
    lines.push(`db${to} of the target: ${counted(count)} keys, ${counted(keys)} in db${database} of the source`)
    // Keys that are due count until somebody removes them.
    if (!selection.hasPattern && Math.abs(count - keys) > expires)
      comparison.note(`db${to} has ${counted(count)} keys, the source ${counted(keys)}`)
    const names =
      isWhole || total <= LIMITS.comparedSample
        ? reader.names(database)
        : randomNames(source, database, Math.max(1, Math.round((LIMITS.comparedSample * keys) / total)))
    for await (const some of names) {
      const chosen = some.filter((key) => selection.takes(key))
      for await (const found of reader.values(database, chosen)) {
        for (const { key, payload, expiresAtMs } of found) {
          await comparison.expect({ database: to, key, payload, expiresAtMs, isAbout: !reader.isExact })
        }
        progress.update(() => progressText('comparing', comparison.compared / total, comparison.compared, progress.elapsedMs))
      }
    }
  }
  await comparison.finish()
  progress.clear()
  return { lines: [...lines, ...comparison.lines(total)], differing: comparison.differing }
}

async function* randomNames(source: PipelinedClient, database: number, count: number): AsyncGenerator<readonly Buffer[]> {
  await source.select(database)
  const replies: Promise<RawReply>[] = Array.from({ length: count }, () => source.command('RANDOMKEY'))
  const names = new Map<string, Buffer>()
  for (const name of await Promise.all(replies)) if (Buffer.isBuffer(name)) names.set(name.toString('latin1'), name)
  yield [...names.values()]
}
