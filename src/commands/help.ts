import type { Call } from './call.js'
import { CommandError } from './command-error.js'
import type { CommandSpec } from './command-spec.js'

/** The HELP subcommand of a container, in Redis' form: a line for each form of a subcommand, indented ones that explain it. */
export function helpSubcommand(since: string, lines: readonly string[], categories: readonly string[] = []): CommandSpec {
  return {
    name: 'help',
    arity: 2,
    flags: ['loading', 'stale'],
    group: 'server',
    categories,
    since,
    summary: 'Explains the subcommands.',
    complexity: 'O(1)',
    handler: (call) => {
      call.reply.array(lines.length + 3)
      call.reply.simpleString(`${call.text(0).toUpperCase()} <subcommand> [<arg> [value] [opt] ...]. Subcommands are:`)
      for (const line of lines) call.reply.simpleString(line)
      call.reply.simpleString('HELP')
      call.reply.simpleString('    Print this help.')
    },
  }
}

/** What Redis says when a subcommand is unknown or has arguments that no form of it takes. */
export function wrongSubcommand(call: Call): CommandError {
  return new CommandError(
    `ERR unknown subcommand or wrong number of arguments for '${call.excerpt(1)}'. Try ${call.text(0).toUpperCase()} HELP.`,
  )
}
