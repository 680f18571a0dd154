import type { Command } from 'commander'
import { MeridianError } from '../base/errors.js'
import { collect } from './argument.js'
import { addConnectionOptions, targetsOf, type ConnectionOptions } from './connection-options.js'
import { EXIT, printLine, type CliContext, type SetExitCode } from './context.js'
import { FileImport } from './import/file-import.js'
import { KeySelection } from './import/key-selection.js'
import type { ExistingPolicy } from './import/rdb-loader.js'
import { PipelinedClient, SILENCE_MS } from './pipelined-client.js'

const EXAMPLES = `
The file is read to its end first: when it is damaged, has what Meridian cannot hold or a key that the target has already, nothing is written.
At the end a sample of the keys is compared with the target, with --verify every key. Functions in the file are not imported, and named.
Exit code: 0 all the same, 1 something failed or differs. A password of the target is read from the environment: REDISCLI_AUTH.

Examples:
  $ meridian import 127.0.0.1:7001 --from-rdb dump.rdb
  $ meridian import --config us.yaml --from-rdb dump.rdb --db 0 --map-db 0:5 --match 'user:*' --verify`

type ImportOptions = ConnectionOptions & {
  fromRdb?: string
  skipExisting?: boolean
  replace?: boolean
  skipUnsupported?: boolean
  verify?: boolean
  db?: readonly string[]
  mapDb?: readonly string[]
  match?: string
}

export function addImportCommand(program: Command, context: CliContext, setExitCode: SetExitCode): void {
  const command = program
    .command('import')
    .description('move data in: from an RDB file into a running member')
    .argument('[address]', 'host:port of the member that gets the data; the others get it from there')
    .option('--from-rdb <file>', 'read this RDB file')
    .option('--skip-existing', 'leave keys that the target has as they are there')
    .option('--replace', 'write over keys that the target has')
    .option('--db <number>', 'only this database of the source; may be given several times', collect)
    .option('--map-db <from:to>', 'put the keys of one database into another; may be given several times', collect)
    .option('--match <pattern>', 'only keys whose names match, as in KEYS')
    .option('--skip-unsupported', 'leave out and count what Meridian cannot hold (values of modules), instead of stopping')
    .option('--verify', 'compare every key at the end')
  addConnectionOptions(command)
    .addHelpText('after', EXAMPLES)
    .action(async (address: string | undefined, options: ImportOptions) => {
      const selection = KeySelection.of(options.db ?? [], options.mapDb ?? [], options.match)
      const existing = existingPolicy(options)
      if (options.fromRdb === undefined) {
        throw new MeridianError('MRD_ARGUMENT', 'There is no source', 'Name one with --from-rdb FILE.')
      }
      const [to] = targetsOf(address === undefined ? [] : [address], options, 'member')
      const target = await PipelinedClient.connect(to, options.timeout, SILENCE_MS)
      let isStopped = false
      const stopListening = context.onStopRequest(() => (isStopped = true))
      try {
        const report = await new FileImport(target, {
          file: options.fromRdb,
          source: options.fromRdb,
          selection,
          existing,
          skipUnsupported: options.skipUnsupported === true,
          verify: options.verify === true,
          output: context.stderr,
          isStopped: () => isStopped,
        }).run()
        for (const line of report.lines) printLine(context.stdout, line)
        setExitCode(report.differing === 0 ? EXIT.ok : EXIT.failed)
      } finally {
        stopListening()
        target.close()
      }
    })
}

function existingPolicy(options: ImportOptions): ExistingPolicy {
  if (options.skipExisting && options.replace) {
    throw new MeridianError('MRD_ARGUMENT', '--skip-existing and --replace exclude each other', 'Choose one.')
  }
  return options.replace ? 'replace' : options.skipExisting ? 'skip' : 'fail'
}
