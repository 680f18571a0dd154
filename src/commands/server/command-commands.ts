import { matchesGlob } from '../../base/glob.js'
import type { Call } from '../call.js'
import { CommandError, syntaxError } from '../command-error.js'
import type { ArgumentSpec, CommandSpec } from '../command-spec.js'
import type { Command } from '../command-table.js'
import { helpSubcommand } from '../help.js'
import { ACL_CATEGORIES, categoriesOf } from './acl-categories.js'
import { writeCommandDocs } from './command-docs.js'
import { writeCommandInfo, writeKeyFlags } from './command-info.js'
import { findKeys, type FoundKey } from './command-keys.js'

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
    flags: ['loading', 'stale'],
    group: 'server',
    categories: ['connection'],
    since,
    summary,
    complexity: 'O(N), N being the number of commands',
    handler,
    ...more,
  }
}

const UNORDERED = ['nondeterministic_output_order']
const NAMES: readonly ArgumentSpec[] = [{ name: 'command-name', type: 'string', flags: ['optional', 'multiple'] }]
const FULL_COMMAND: readonly ArgumentSpec[] = [
  { name: 'command', type: 'string' },
  { name: 'arg', type: 'string', flags: ['optional', 'multiple'] },
]

/** COMMAND: everything in it derives from the command table. */
export const COMMAND_COMMAND: CommandSpec = {
  name: 'command',
  arity: -1,
  flags: ['loading', 'stale'],
  group: 'server',
  categories: ['connection'],
  since: '2.8.13',
  summary: 'Describes all commands.',
  complexity: 'O(N), N being the number of commands',
  tips: UNORDERED,
  handler: (call) => {
    if (call.argc > 1) throw new CommandError(`ERR unknown subcommand '${call.excerpt(1)}'. Try COMMAND HELP.`)
    infoOfAll(call)
  },
  subcommands: [
    subcommand('count', 2, '2.8.13', 'The number of commands.', (call) => call.reply.integer(call.services.table.size), {
      complexity: 'O(1)',
    }),
    subcommand('docs', -2, '7.0.0', 'Documentation of commands.', docs, { tips: UNORDERED, arguments: NAMES }),
    subcommand('getkeys', -3, '2.8.13', 'The keys in a command.', (call) => getKeys(call, false), { arguments: FULL_COMMAND }),
    subcommand(
      'getkeysandflags',
      -3,
      '7.0.0',
      'The keys in a command, and what it does with them.',
      (call) => getKeys(call, true),
      {
        arguments: FULL_COMMAND,
      },
    ),
    subcommand('info', -2, '2.8.13', 'Describes commands.', info, {
      tips: UNORDERED,
      history: [['7.0.0', 'Without names it describes all commands.']],
      arguments: NAMES,
    }),
    subcommand('list', -2, '7.0.0', 'The names of commands.', list, {
      tips: UNORDERED,
      arguments: [
        {
          name: 'filterby',
          type: 'oneof',
          token: 'FILTERBY',
          flags: ['optional'],
          arguments: [
            { name: 'module-name', type: 'string', token: 'MODULE' },
            { name: 'category', type: 'string', token: 'ACLCAT' },
            { name: 'pattern', type: 'pattern', token: 'PATTERN' },
          ],
        },
      ],
    }),
    helpSubcommand(
      '5.0.0',
      [
        '(no subcommand)',
        '    Describe all commands.',
        'COUNT',
        '    The number of commands.',
        'LIST [FILTERBY (MODULE <name>|ACLCAT <category>|PATTERN <pattern>)]',
        '    The names of commands.',
        'INFO [<command-name> ...]',
        '    Describe these commands, or all.',
        'DOCS [<command-name> ...]',
        '    Documentation of these commands, or of all.',
        'GETKEYS <full-command>',
        '    The keys in a command.',
        'GETKEYSANDFLAGS <full-command>',
        '    The keys in a command, and what it does with them.',
      ],
      ['connection'],
    ),
  ],
}

function infoOfAll({ reply, services }: Call): void {
  reply.array(services.table.size)
  for (const command of services.table.all()) writeCommandInfo(reply, command)
}

function info(call: Call): void {
  if (call.argc === 2) {
    infoOfAll(call)
    return
  }
  call.reply.array(call.argc - 2)
  for (let i = 2; i < call.argc; i++) {
    const command = call.services.table.find(call.text(i).toLowerCase())
    if (command === undefined) call.reply.null()
    else writeCommandInfo(call.reply, command)
  }
}

function docs(call: Call): void {
  const { reply, services } = call
  const commands: Command[] = []
  if (call.argc === 2) commands.push(...services.table.all())
  for (let i = 2; i < call.argc; i++) {
    const command = services.table.find(call.text(i).toLowerCase())
    if (command !== undefined) commands.push(command)
  }
  reply.map(commands.length)
  for (const command of commands) {
    reply.bulkString(command.fullName)
    writeCommandDocs(reply, command)
  }
}

function getKeys(call: Call, withFlags: boolean): void {
  const { reply, request } = call
  const name = call.text(2).toLowerCase()
  let command = call.services.table.find(name)
  if (command !== undefined && command.subcommands.size > 0 && call.argc > 3) {
    command = call.services.table.find(`${name}|${call.text(3).toLowerCase()}`)
  }
  if (command === undefined) throw new CommandError('ERR Invalid command specified')
  if ((command.spec.keys ?? []).length === 0) throw new CommandError('ERR The command has no key arguments')
  if (!command.accepts(call.argc - 2)) throw new CommandError('ERR Invalid number of arguments specified for command')
  const keys: readonly FoundKey[] | null = findKeys(command.spec, request, 2)
  if (keys === null || (keys.length === 0 && !command.spec.flags.includes('no_mandatory_keys'))) {
    throw new CommandError('ERR Invalid arguments specified for command')
  }
  reply.array(keys.length)
  for (const { position, spec } of keys) {
    if (withFlags) reply.array(2)
    reply.bulk(request.buf, request.off[2 + position], request.len[2 + position])
    if (withFlags)
      writeKeyFlags(reply, command.spec.keyFlags === undefined ? spec : { ...spec, flags: command.spec.keyFlags(request, 2) })
  }
}

function list(call: Call): void {
  const { reply, services } = call
  let accepts: ((command: Command) => boolean) | null = null
  if (call.argc > 2) {
    if (call.argc !== 5 || !call.is(2, 'FILTERBY')) throw syntaxError()
    accepts = filter(call)
  }
  const names: string[] = []
  for (const command of services.table.all()) {
    if (accepts === null || accepts(command)) names.push(command.fullName)
    if (accepts !== null) for (const sub of command.subcommands.values()) if (accepts(sub)) names.push(sub.fullName)
  }
  reply.array(names.length)
  for (const name of names) reply.bulkString(name)
}

/** Unlike the bare list, a filter also finds subcommands. */
function filter(call: Call): (command: Command) => boolean {
  if (call.is(3, 'MODULE')) return () => false
  if (call.is(3, 'ACLCAT')) {
    const category = call.text(4).toLowerCase()
    if (!ACL_CATEGORIES.some((known) => known === category)) return () => false
    return ({ spec }) => categoriesOf(spec).includes(category)
  }
  if (call.is(3, 'PATTERN')) {
    const pattern = call.bytes(4)
    return ({ fullName }) => {
      const name = Buffer.from(fullName, 'latin1')
      return matchesGlob(pattern, 0, pattern.length, name, 0, name.length, true)
    }
  }
  throw syntaxError()
}
