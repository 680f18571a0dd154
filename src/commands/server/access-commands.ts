import { slotOf } from '../../keyspace/key-hash.js'
import type { Call } from '../call.js'
import { CommandError } from '../command-error.js'
import type { CommandSpec } from '../command-spec.js'
import { helpSubcommand, wrongSubcommand } from '../help.js'
import type { Command } from '../command-table.js'
import { ACL_CATEGORIES, categoriesOf } from './acl-categories.js'

function refused(
  name: string,
  arity: number,
  flags: CommandSpec['flags'],
  group: CommandSpec['group'],
  since: string,
  error: string,
): CommandSpec {
  return {
    name,
    arity,
    flags,
    group,
    since,
    summary: 'Refused: not supported by this version.',
    complexity: 'O(1)',
    handler: () => {
      throw new CommandError(error)
    },
  }
}

const NO_ACL =
  'ERR Access control lists are not supported by this version of Meridian: there is one user, default, whose password is requirepass'
const NO_CLUSTER = 'ERR This instance has cluster support disabled'
const NO_MODULES = 'ERR Meridian does not load modules'
const ACL_REFUSED = ['deluser', 'dryrun', 'genpass', 'getuser', 'list', 'load', 'log', 'save', 'setuser', 'users']
const CLUSTER_REFUSED = [
  'countkeysinslot',
  'getkeysinslot',
  'info',
  'links',
  'myid',
  'myshardid',
  'nodes',
  'replicas',
  'shards',
  'slaves',
  'slots',
]

/** ACL, CLUSTER and MODULE: what of them is true of a member, and a clear refusal of the rest. */
export const ACCESS_COMMANDS: readonly CommandSpec[] = [
  {
    name: 'acl',
    arity: -2,
    flags: [],
    group: 'server',
    since: '6.0.0',
    summary: 'Commands about users and what they may do.',
    complexity: 'Depends on subcommand.',
    subcommands: [
      {
        name: 'whoami',
        arity: 2,
        flags: ['noscript', 'loading', 'stale'],
        group: 'server',
        since: '6.0.0',
        summary: "This connection's user.",
        complexity: 'O(1)',
        handler: (call) => call.reply.bulkString(call.session.user),
      },
      {
        name: 'cat',
        arity: -2,
        flags: ['noscript', 'loading', 'stale'],
        group: 'server',
        since: '6.0.0',
        summary: 'The categories, or the commands of one.',
        complexity: 'O(N), N being the number of commands',
        arguments: [{ name: 'category', type: 'string', flags: ['optional'] }],
        handler: categories,
      },
      ...ACL_REFUSED.map((name) => refused(name, -2, ['admin', 'noscript', 'loading', 'stale'], 'server', '6.0.0', NO_ACL)),
      helpSubcommand('6.0.0', [
        'CAT [<category>]',
        '    The categories, or the commands of one.',
        'WHOAMI',
        "    This connection's user.",
      ]),
    ],
  },
  {
    name: 'cluster',
    arity: -2,
    flags: [],
    group: 'cluster',
    since: '3.0.0',
    summary: 'Commands of Redis Cluster, which a member is not.',
    complexity: 'Depends on subcommand.',
    subcommands: [
      {
        name: 'keyslot',
        arity: 3,
        flags: ['stale'],
        group: 'cluster',
        since: '3.0.0',
        summary: 'The hash slot of a key.',
        complexity: 'O(N), N being the bytes of the key',
        arguments: [{ name: 'key', type: 'string' }],
        handler: (call) => call.reply.integer(slotOf(call.bytes(2))),
      },
      ...CLUSTER_REFUSED.map((name) => refused(name, -2, ['stale'], 'cluster', '3.0.0', NO_CLUSTER)),
      helpSubcommand('5.0.0', ['KEYSLOT <key>', '    The hash slot of a key.']),
    ],
  },
  {
    name: 'module',
    arity: -2,
    flags: [],
    group: 'server',
    since: '4.0.0',
    summary: 'Commands about modules, of which there are none.',
    complexity: 'Depends on subcommand.',
    subcommands: [
      {
        name: 'list',
        arity: 2,
        flags: ['admin', 'noscript'],
        group: 'server',
        since: '4.0.0',
        summary: 'The loaded modules: none.',
        complexity: 'O(1)',
        tips: ['nondeterministic_output_order'],
        handler: (call) => call.reply.array(0),
      },
      ...['load', 'loadex', 'unload'].map((name) => refused(name, -3, ['admin', 'noscript'], 'server', '4.0.0', NO_MODULES)),
      helpSubcommand('5.0.0', ['LIST', '    The loaded modules: none.']),
    ],
  },
]

function categories(call: Call): void {
  const { reply, services } = call
  if (call.argc > 3) throw wrongSubcommand(call)
  if (call.argc === 2) {
    reply.array(ACL_CATEGORIES.length)
    for (const category of ACL_CATEGORIES) reply.bulkString(category)
    return
  }
  const wanted = call.text(2).toLowerCase()
  if (!ACL_CATEGORIES.some((category) => category === wanted)) {
    throw new CommandError(`ERR Unknown category '${call.excerpt(2)}'`)
  }
  const names: string[] = []
  const add = (command: Command): void => {
    if (categoriesOf(command.spec).includes(wanted)) names.push(command.fullName)
    for (const sub of command.subcommands.values()) add(sub)
  }
  for (const command of services.table.all()) add(command)
  reply.array(names.length)
  for (const name of names) reply.bulkString(name)
}
