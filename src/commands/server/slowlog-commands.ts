import type { CommandSpec } from '../command-spec.js'
import { CommandError } from '../command-error.js'
import type { Call } from '../call.js'
import { helpSubcommand, wrongSubcommand } from '../help.js'

const COMMON = { flags: ['admin', 'loading', 'stale'], group: 'server', since: '2.2.12' } as const
const DEFAULT_COUNT = 10
const COUNT_ERROR = 'ERR count should be greater than or equal to -1'

/** SLOWLOG: see engine/slow-log for what is kept. */
export const SLOWLOG_COMMAND: CommandSpec = {
  name: 'slowlog',
  arity: -2,
  flags: [],
  group: 'server',
  since: '2.2.12',
  summary: 'Commands about the slow log.',
  complexity: 'Depends on subcommand.',
  subcommands: [
    {
      ...COMMON,
      name: 'get',
      arity: -2,
      summary: 'The newest entries of the slow log.',
      complexity: 'O(N), N being the number of entries',
      tips: ['request_policy:all_nodes', 'nondeterministic_output'],
      history: [
        ['4.0.0', "The client's address and name."],
        ['8.10.0', 'The number of all arguments.'],
      ],
      arguments: [{ name: 'count', type: 'integer', flags: ['optional'] }],
      handler: get,
    },
    {
      ...COMMON,
      name: 'len',
      arity: 2,
      summary: 'The number of entries of the slow log.',
      complexity: 'O(1)',
      tips: ['request_policy:all_nodes', 'response_policy:agg_sum', 'nondeterministic_output'],
      handler: (call) => call.reply.integer(call.engine.slowLog.length),
    },
    {
      ...COMMON,
      name: 'reset',
      arity: 2,
      summary: 'Empties the slow log.',
      complexity: 'O(N), N being the number of entries',
      tips: ['request_policy:all_nodes', 'response_policy:all_succeeded'],
      handler: (call) => {
        call.engine.slowLog.reset()
        call.reply.ok()
      },
    },
    helpSubcommand('6.2.0', [
      'GET [<count>]',
      '    The newest entries (10, unless a count is given; -1 for all). An entry has:',
      '    id, Unix time, microseconds, arguments, client address, client name, number of arguments',
      'LEN',
      '    The number of entries.',
      'RESET',
      '    Empty the slow log.',
    ]),
  ],
}

function get(call: Call): void {
  const { reply, engine } = call
  if (call.argc > 3) throw wrongSubcommand(call)
  let count = call.argc === 3 ? call.integer(2, COUNT_ERROR) : DEFAULT_COUNT
  if (count < -1) throw new CommandError(COUNT_ERROR)
  if (count === -1) count = engine.slowLog.length
  const entries = engine.slowLog.newest(count)
  reply.array(entries.length)
  for (const { id, unixSeconds, microseconds, args, argc, address, clientName } of entries) {
    reply.array(7)
    reply.integer(id)
    reply.integer(unixSeconds)
    reply.integer(microseconds)
    reply.array(args.length)
    for (const arg of args) reply.bulkBytes(arg)
    reply.bulkString(address)
    reply.bulkString(clientName)
    reply.integer(argc)
  }
}
