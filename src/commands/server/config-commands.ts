import type { Call } from '../call.js'
import { CommandError, syntaxError } from '../command-error.js'
import type { CommandSpec } from '../command-spec.js'
import { helpSubcommand } from '../help.js'

function subcommand(
  name: string,
  arity: number,
  since: string,
  summary: string,
  handler: (call: Call) => void,
  more: Partial<CommandSpec> = {},
): CommandSpec {
  return {
    name,
    arity,
    flags: ['admin', 'noscript', 'loading', 'stale'],
    group: 'server',
    since,
    summary,
    complexity: 'O(N), N being the number of settings',
    handler,
    ...more,
  }
}

const ALL_NODES = ['request_policy:all_nodes', 'response_policy:all_succeeded']

/** CONFIG: the settings that may change while the server runs, and what the others are. */
export const CONFIG_COMMAND: CommandSpec = {
  name: 'config',
  arity: -2,
  flags: [],
  group: 'server',
  since: '2.0.0',
  summary: 'Commands about settings.',
  complexity: 'Depends on subcommand.',
  subcommands: [
    subcommand('get', -3, '2.0.0', 'The values of settings.', get, {
      history: [['7.0.0', 'Several patterns.']],
      arguments: [{ name: 'parameter', type: 'block', flags: ['multiple'], arguments: [{ name: 'parameter', type: 'string' }] }],
    }),
    subcommand('set', -4, '2.0.0', 'Changes settings, all or none.', set, {
      tips: ALL_NODES,
      history: [['7.0.0', 'Several settings.']],
      arguments: [
        {
          name: 'data',
          type: 'block',
          flags: ['multiple'],
          arguments: [
            { name: 'parameter', type: 'string' },
            { name: 'value', type: 'string' },
          ],
        },
      ],
    }),
    subcommand(
      'resetstat',
      2,
      '2.0.0',
      "Sets INFO's counters to zero.",
      (call) => {
        call.engine.resetStatistics()
        call.reply.ok()
      },
      { tips: ALL_NODES, complexity: 'O(1)' },
    ),
    subcommand(
      'rewrite',
      2,
      '2.8.0',
      'Writes changed settings to the configuration file.',
      (call) => {
        const error = call.services.settings.rewrite()
        if (error !== null) throw new CommandError(error)
        call.reply.ok()
      },
      { tips: ALL_NODES, complexity: 'O(1)' },
    ),
    helpSubcommand('5.0.0', [
      'GET <pattern> [<pattern> ...]',
      '    Settings whose names match, and their values.',
      'SET <name> <value> [<name> <value> ...]',
      '    Change settings, all or none.',
      'RESETSTAT',
      "    Set INFO's counters to zero.",
      'REWRITE',
      '    Write changed settings to the configuration file.',
    ]),
  ],
}

function get(call: Call): void {
  const found = new Map<string, string>()
  for (let i = 2; i < call.argc; i++) for (const [name, value] of call.services.settings.get(call.text(i))) found.set(name, value)
  call.reply.map(found.size)
  for (const [name, value] of found) {
    call.reply.bulkString(name)
    call.reply.bulkString(value)
  }
}

function set(call: Call): void {
  if (call.argc % 2 !== 0) throw syntaxError()
  const pairs: (readonly [string, string])[] = []
  for (let i = 2; i < call.argc; i += 2) pairs.push([call.text(i), call.text(i + 1)])
  const error = call.services.settings.set(pairs)
  if (error !== null) throw new CommandError(error)
  call.reply.ok()
}
