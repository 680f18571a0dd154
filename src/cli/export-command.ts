import type { Command } from 'commander'
import { collect, integerArgument } from './argument.js'
import { addConnectionOptions, targetsOf, type ConnectionOptions } from './connection-options.js'
import { printLine, type CliContext } from './context.js'
import { PipelinedClient, SILENCE_MS } from './pipelined-client.js'
import { HIGHEST_EXPORT_VERSION, LOWEST_EXPORT_VERSION, RdbExport } from './rdb-export.js'

const EXAMPLES = `
Runs beside the member's clients, with SCAN and DUMP over a connection like theirs. Each key is as it was when it was read, its expiry with it; keys are read
one after the other, so what is written meanwhile may be in the file or not. The file is complete or it is not there.
redis-server 7.0 and newer load it; with fields of hashes that expire, 7.4 and newer. A password is read from the environment: REDISCLI_AUTH.

Examples:
  $ meridian export 127.0.0.1:7001 --to-rdb dump.rdb
  $ meridian export --config us.yaml --to-rdb users.rdb --db 0 --match 'user:*'
  $ redis-server --dir . --dbfilename dump.rdb`

type Options = ConnectionOptions & {
  toRdb: string
  force?: boolean
  db?: readonly string[]
  match?: string
  rdbVersion?: number
}

export function addExportCommand(program: Command, context: CliContext): void {
  const command = program
    .command('export')
    .description('move data out: from a running member into an RDB file that redis-server loads')
    .argument('[address]', 'host:port of the member')
    .requiredOption('--to-rdb <file>', 'write this file')
    .option('--force', 'replace the file if it exists')
    .option('--db <number>', 'only this database; may be given several times', collect)
    .option('--match <pattern>', 'only keys whose names match, as in KEYS')
    .option(
      '--rdb-version <number>',
      `write this version: 10 for Redis 7.0, 11 for 7.2, 12 for 7.4, 13 for 8.6, 14 for 8.8 (otherwise the lowest that can hold what is there)`,
      integerArgument(LOWEST_EXPORT_VERSION, HIGHEST_EXPORT_VERSION),
    )
  addConnectionOptions(command)
    .addHelpText('after', EXAMPLES)
    .action(async (address: string | undefined, options: Options) => {
      const databases = (options.db ?? []).map(integerArgument(0, 65_535))
      const [target] = targetsOf(address === undefined ? [] : [address], options)
      const client = await PipelinedClient.connect(target, options.timeout, SILENCE_MS)
      let isStopped = false
      const stopListening = context.onStopRequest(() => (isStopped = true))
      try {
        const lines = await new RdbExport(client, {
          file: options.toRdb,
          force: options.force === true,
          databases,
          match: options.match,
          version: options.rdbVersion ?? null,
          output: context.stderr,
          isStopped: () => isStopped,
        }).run()
        for (const line of lines) printLine(context.stdout, line)
      } finally {
        stopListening()
        client.close()
      }
    })
}
