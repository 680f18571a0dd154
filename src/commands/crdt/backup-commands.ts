import type { Call } from '../call.js'
import { CommandError } from '../command-error.js'
import type { CommandSpec } from '../command-spec.js'
import { helpSubcommand } from '../help.js'

const STEP = {
  flags: ['admin', 'noscript', 'stale', 'no_multi'],
  group: 'crdt',
  categories: ['crdt'],
  since: '7.4.0',
  complexity: 'O(1)',
} as const

/** CRDT.BACKUP: what `meridian backup` is made of. */
export const BACKUP_COMMAND: CommandSpec = {
  name: 'crdt.backup',
  arity: -2,
  flags: [],
  group: 'crdt',
  categories: ['crdt'],
  since: '7.4.0',
  summary: 'Commands for fetching a backup.',
  complexity: 'Depends on subcommand.',
  subcommands: [
    {
      ...STEP,
      name: 'begin',
      arity: 2,
      summary: 'Begins a backup; gives its number.',
      handler: (call) => call.reply.integer(call.services.backups.begin()),
    },
    {
      ...STEP,
      name: 'state',
      arity: 3,
      summary: 'How far the making of a backup has got.',
      arguments: [{ name: 'backup', type: 'integer' }],
      handler: state,
    },
    {
      ...STEP,
      name: 'read',
      arity: 4,
      summary: 'Bytes of a backup that is ready.',
      complexity: 'O(1), at most 256 KiB',
      arguments: [
        { name: 'backup', type: 'integer' },
        { name: 'offset', type: 'integer' },
      ],
      handler: read,
    },
    {
      ...STEP,
      name: 'end',
      arity: 3,
      summary: 'Ends a backup.',
      arguments: [{ name: 'backup', type: 'integer' }],
      handler: end,
    },
    helpSubcommand(
      '7.4.0',
      [
        'BEGIN',
        '    Begin a backup; the reply is its number. It is given up when nothing is asked of it for a minute.',
        'STATE <backup>',
        '    snapshot, syncing or ready; and of what bytes it consists when it is ready. To be asked until it is.',
        'READ <backup> <offset>',
        '    At most 256 KiB of it: the snapshot, and behind it the frames of the log.',
        'END <backup>',
        '    Let its files go.',
      ],
      ['crdt'],
    ),
  ],
}

function state(call: Call): void {
  const { services, reply } = call
  const { state: name, snapshotBytes, logPosition, logBytes } = services.backups.state(natural(call, 2))
  reply.map(5)
  reply.bulkString('state')
  reply.bulkString(name)
  reply.bulkString('member')
  reply.bulkString(services.server.memberName)
  const sizes = [
    ['snapshot-bytes', snapshotBytes],
    ['log-position', logPosition],
    ['log-bytes', logBytes],
  ] as const
  for (const [field, value] of sizes) {
    reply.bulkString(field)
    reply.integer(value)
  }
}

function read(call: Call): void {
  call.reply.bulkBytes(call.services.backups.read(natural(call, 2), natural(call, 3)))
}

function end(call: Call): void {
  call.services.backups.end(natural(call, 2))
  call.reply.ok()
}

function natural(call: Call, i: number): number {
  const value = call.integer(i)
  if (value < 0) throw new CommandError('ERR value is out of range, must be positive')
  return value
}
