import { readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { Option, type Command } from 'commander'
import { MeridianError } from '../base/errors.js'
import { LIMITS } from '../base/limits.js'
import { collect, sizeArgument } from './argument.js'
import { readPem } from './certificate-folder.js'
import { parseAddress } from './client-address.js'
import { addConnectionOptions, targetsOf, type ConnectionOptions } from './connection-options.js'
import { EXIT, printLine, type CliContext, type SetExitCode } from './context.js'
import { FileImport } from './import/file-import.js'
import { KeySelection } from './import/key-selection.js'
import { LiveImport } from './import/live-import.js'
import type { ExistingPolicy } from './import/rdb-loader.js'
import { ScanImport } from './import/scan-import.js'
import { PipelinedClient, SILENCE_MS } from './pipelined-client.js'
import type { RedisAddress } from './redis-client.js'

const EXAMPLES = `
From a file: it is read to its end first; when it is damaged, has what Meridian cannot hold or a key that the target has already, nothing is written.

From a running Redis: its snapshot, then what is written there, until cut-over. Let the applications stop writing to it, press Ctrl-C once: what is
still on its way arrives, both sides are compared, and the applications go on at the target. --until-synced does the same without a key, as
soon as nothing is behind. The target must be empty, or --replace be given. What was received and not yet written waits in a file in --spool-dir.

At the end a sample of the keys is compared, with --verify every key. Functions and scripts are not imported, and named.
Exit code: 0 all the same, 1 something failed or differs. Passwords are read from the environment, that of the target from REDISCLI_AUTH, that
of the source from MERIDIAN_SOURCE_AUTH.

Examples:
  $ meridian import 127.0.0.1:7001 --from-rdb dump.rdb
  $ meridian import --config us.yaml --from-rdb dump.rdb --db 0 --map-db 0:5 --match 'user:*' --verify
  $ meridian import 127.0.0.1:7001 --from old-redis:6379
  $ meridian import 127.0.0.1:7001 --from managed.example.net:6380 --from-user mover --from-tls --method scan`

type ImportOptions = ConnectionOptions & {
  fromRdb?: string
  from?: string
  fromUser?: string
  fromPasswordFile?: string
  fromTls?: boolean
  fromCaCert?: string
  fromCert?: string
  fromKey?: string
  method: 'psync' | 'scan'
  untilSynced?: boolean
  spoolDir: string
  spoolLimit: number
  skipExisting?: boolean
  replace?: boolean
  skipUnsupported?: boolean
  verify?: boolean
  db?: readonly string[]
  mapDb?: readonly string[]
  match?: string
}

interface Report {
  readonly lines: readonly string[]
  readonly differing: number
}

export function addImportCommand(program: Command, context: CliContext, setExitCode: SetExitCode): void {
  const command = program
    .command('import')
    .description('move data in: from an RDB file, or from a running Redis with what is written to it meanwhile')
    .argument('[address]', 'host:port of the member that gets the data; the others get it from there')
    .option('--from-rdb <file>', 'read this RDB file')
    .option('--from <address>', 'host:port of a running Redis')
    .option('--from-user <name>', 'log in there as this user')
    .option('--from-password-file <file>', 'take the password for that from the first line of this file')
    .option('--from-tls', 'use TLS to it')
    .option('--from-ca-cert <file>', 'trust this authority for it (implies --from-tls)')
    .option('--from-cert <file>', 'show it this certificate (implies --from-tls)')
    .option('--from-key <file>', 'the key of --from-cert')
    .addOption(
      new Option(
        '--method <method>',
        'psync: as a replica, following its writes; scan: only what is there, for services that forbid the other',
      )
        .choices(['psync', 'scan'])
        .default('psync'),
    )
    .option('--until-synced', 'cut over as soon as nothing is behind')
    .option('--spool-dir <folder>', 'where what is received waits while the target is slower', tmpdir())
    .addOption(
      new Option('--spool-limit <size>', 'most that waits there').argParser(sizeArgument).default(LIMITS.spoolFileBytes, '16gb'),
    )
    .option('--skip-existing', 'leave keys that the target has as they are there')
    .option('--replace', 'write over keys that the target has')
    .option('--db <number>', 'only this database of the source; may be given several times', collect)
    .option('--map-db <from:to>', 'put the keys of one database into another; may be given several times', collect)
    .option('--match <pattern>', 'only keys whose names match, as in KEYS')
    .option(
      '--skip-unsupported',
      'leave out and count what Meridian does not have (values of modules, their commands), instead of stopping',
    )
    .option('--verify', 'compare every key at the end')
  addConnectionOptions(command)
    .addHelpText('after', EXAMPLES)
    .action(async (address: string | undefined, options: ImportOptions) => {
      checkOptions(options)
      const [to] = targetsOf(address === undefined ? [] : [address], options)
      const target = await PipelinedClient.connect(to, options.timeout, SILENCE_MS)
      let stopRequests = 0
      const stopListening = context.onStopRequest(() => {
        stopRequests++
      })
      try {
        const report = await runImport(target, options, context, () => stopRequests)
        for (const line of report.lines) printLine(context.stdout, line)
        setExitCode(report.differing === 0 ? EXIT.ok : EXIT.failed)
      } finally {
        stopListening()
        target.close()
      }
    })
}

async function runImport(
  target: PipelinedClient,
  options: ImportOptions,
  context: CliContext,
  stopRequests: () => number,
): Promise<Report> {
  const common = {
    source: options.fromRdb ?? options.from ?? '',
    selection: KeySelection.of(options.db ?? [], options.mapDb ?? [], options.match),
    existing: existingPolicy(options),
    skipUnsupported: options.skipUnsupported === true,
    verify: options.verify === true,
    output: context.stderr,
    isStopped: () => stopRequests() > 0,
  }
  if (options.fromRdb !== undefined) return new FileImport(target, { ...common, file: options.fromRdb }).run()
  const source = await PipelinedClient.connect(sourceAddress(options), options.timeout, SILENCE_MS)
  try {
    if (options.method === 'scan') return await new ScanImport(source, target, common).run()
    return await new LiveImport(source, target, {
      ...common,
      timeoutMs: options.timeout,
      untilSynced: options.untilSynced === true,
      spoolFolder: options.spoolDir,
      spoolBytes: options.spoolLimit,
      stopRequests,
    }).run()
  } finally {
    source.close()
  }
}

/** What contradicts itself, before anybody is asked. @throws MeridianError MRD_ARGUMENT */
function checkOptions(options: ImportOptions): void {
  const { from, fromRdb } = options
  KeySelection.of(options.db ?? [], options.mapDb ?? [], options.match)
  existingPolicy(options)
  if ((from === undefined) === (fromRdb === undefined))
    throw wrong('There must be one source', 'Name it with --from-rdb FILE or --from HOST:PORT.')
  const isFollowing = from !== undefined && options.method === 'psync'
  if (isFollowing && options.match !== undefined) {
    throw wrong('--match does not go together with following a source', 'Choose databases with --db, or --method scan.')
  }
  if (isFollowing && options.skipExisting) {
    throw wrong(
      '--skip-existing does not go together with following a source: its writes would change such keys',
      'Choose --replace or --method scan.',
    )
  }
  if (!isFollowing && options.untilSynced)
    throw wrong('--until-synced is for following a source', 'Use it with --from and --method psync.')
  if (from !== undefined) sourceAddress(options)
}

function existingPolicy(options: ImportOptions): ExistingPolicy {
  if (options.skipExisting && options.replace) throw wrong('--skip-existing and --replace exclude each other', 'Choose one.')
  return options.replace ? 'replace' : options.skipExisting ? 'skip' : 'fail'
}

function sourceAddress(options: ImportOptions): RedisAddress {
  const { fromCaCert, fromCert, fromKey, fromPasswordFile } = options
  const tls = options.fromTls === true || fromCaCert !== undefined || fromCert !== undefined
  return {
    ...parseAddress(options.from ?? ''),
    username: options.fromUser,
    password: fromPasswordFile === undefined ? process.env.MERIDIAN_SOURCE_AUTH : firstLine(fromPasswordFile),
    tls: tls
      ? { ca: fromCaCert && readPem(fromCaCert), cert: fromCert && readPem(fromCert), key: fromKey && readPem(fromKey) }
      : undefined,
  }
}

function firstLine(file: string): string {
  try {
    return readFileSync(file, 'utf8').split(/\r?\n/)[0]
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw wrong(`--from-password-file cannot be read: ${reason}`, 'Name a file whose first line is the password.')
  }
}

function wrong(what: string, remedy: string): MeridianError {
  return new MeridianError('MRD_ARGUMENT', what, remedy)
}
