import { Command, CommanderError } from 'commander'
import { MeridianError } from '../base/errors.js'
import { addBackupCommand } from './backup-command.js'
import { addCertsCommand } from './certs-command.js'
import { addCheckCommand } from './check-command.js'
import { addConfigCommand } from './config-command.js'
import { EXIT, printLine, type CliContext } from './context.js'
import { addExportCommand } from './export-command.js'
import { addImportCommand } from './import-command.js'
import { addPingCommand } from './ping-command.js'
import { addRegionCommand } from './region-command.js'
import { addRestoreCommand } from './restore-command.js'
import { addServerCommand } from './server-command.js'
import { addStatusCommand } from './status-command.js'
import { addUpCommand } from './up-command.js'

const OVERVIEW = `
Try it:
  $ meridian up                                 three regions on this machine, live view, Ctrl-C stops
  $ redis-cli -p 7001 set greeting hello        write in one region
  $ redis-cli -p 7002 get greeting              read in another

One database, no file:
  $ meridian server --port 6379 --dir ./data

A real cluster:
  $ meridian certs init --cluster-id shop --dir certs
  $ meridian certs issue us eu ap --dir certs
  $ meridian config check us.yaml
  $ meridian server --config us.yaml            on each member's machine, with its own file
  $ meridian status --config us.yaml
  $ meridian region add sa --peer-address sa.example.net:7101 --via us.example.net:6379

Moving in and out:
  $ meridian import 127.0.0.1:7001 --from old-redis:6379
  $ meridian import 127.0.0.1:7001 --from-rdb dump.rdb
  $ meridian export 127.0.0.1:7001 --to-rdb dump.rdb

In case of fire:
  $ meridian backup shop.mbackup --from us.example.net:6379
  $ meridian restore shop.mbackup --config us.yaml

Exit codes: 0 fine, 1 failed, 64 wrong command line, 78 wrong configuration, 70 a bug (please report it);
status and ping have more, see their --help. Errors carry a code such as MRD_CONFIG; docs/errors.md explains each.`

/** Runs one command line. Returns the exit code; never throws for what an operator can cause. */
export async function runCli(args: readonly string[], version: string, context: CliContext): Promise<number> {
  let exitCode: number = EXIT.ok
  const program = new Command('meridian')
    .description('Active-active Redis: every region takes reads and writes, all of them converge.')
    .version(version, '-V, --version')
    .addHelpText('after', OVERVIEW)
    .showSuggestionAfterError()
    .exitOverride()
    .configureOutput({
      writeOut: (text) => void context.stdout.write(text),
      writeErr: (text) => void context.stderr.write(text),
      outputError: () => undefined, // reported below, in our own form
    })
  const verbs = [
    addUpCommand,
    addServerCommand,
    addStatusCommand,
    addPingCommand,
    addConfigCommand,
    addCheckCommand,
    addCertsCommand,
    addRegionCommand,
    addImportCommand,
    addExportCommand,
    addBackupCommand,
    addRestoreCommand,
  ]
  for (const add of verbs) {
    add(program, context, (code) => {
      exitCode = code
    })
  }
  try {
    await program.parseAsync([...args], { from: 'user' })
    return exitCode
  } catch (error) {
    return report(error, context)
  }
}

function report(error: unknown, context: CliContext): number {
  if (error instanceof CommanderError) {
    if (error.exitCode === 0) return EXIT.ok
    if (error.code === 'commander.help') return EXIT.usage // the help has been shown already
    const what = error.message.replace(/^error: /, '').replace(/\s*\n\s*/g, ' ')
    return report(new MeridianError('MRD_ARGUMENT', what, 'Add --help to see what is allowed.'), context)
  }
  if (error instanceof MeridianError) {
    printLine(context.stderr, `meridian: ${error.message}`)
    return error.code === 'MRD_ARGUMENT' ? EXIT.usage : error.code === 'MRD_CONFIG' ? EXIT.config : EXIT.failed
  }
  const trace = error instanceof Error ? (error.stack ?? error.message) : String(error)
  printLine(context.stderr, `meridian: this is a bug; please report it with these lines:\n${trace}`)
  return EXIT.bug
}
