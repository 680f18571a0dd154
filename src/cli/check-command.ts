import type { Command } from 'commander'
import { checkFolder } from '../node/check-folder.js'
import { EXIT, printLine, type CliContext, type SetExitCode } from './context.js'

const EXAMPLES = `
A backup (see meridian backup) is checked in the same way; it cannot be repaired. The member of a data folder must not be running. Nothing is changed without --repair, and nothing is ever deleted: what cannot be used is moved to a folder quarantine-<time> beside it.

Exit code: 0 everything is whole; 1 something is damaged, nothing was changed; 3 it was damaged and has been repaired: read what was given up.

Examples:
  $ meridian check /var/lib/meridian
  $ meridian check /var/lib/meridian --repair
  $ meridian check shop.mbackup`

export function addCheckCommand(program: Command, context: CliContext, setExitCode: SetExitCode): void {
  program
    .command('check')
    .description('check the data folder of a stopped member, or a backup: every snapshot and every frame of the log')
    .argument('<folder>', 'the data folder, or the file of a backup')
    .option('--repair', 'make it usable again, and say what that gives up')
    .addHelpText('after', EXAMPLES)
    .action((folder: string, options: { repair?: boolean }) => {
      const outcome = checkFolder(folder, options.repair === true)
      for (const line of outcome.lines) printLine(context.stdout, line)
      if (!outcome.isDamaged) {
        printLine(context.stdout, 'everything is whole')
        setExitCode(EXIT.ok)
        return
      }
      if (outcome.repair === null) {
        printLine(context.stdout, 'it cannot be repaired')
        setExitCode(EXIT.failed)
        return
      }
      printLine(context.stdout, outcome.repaired === null ? 'a repair (--repair) would mean:' : 'repaired. What was given up:')
      for (const line of outcome.givenUp) printLine(context.stdout, `  ${line}`)
      for (const line of outcome.repaired ?? []) printLine(context.stdout, line)
      setExitCode(outcome.repaired === null ? EXIT.failed : EXIT.repaired)
    })
}
