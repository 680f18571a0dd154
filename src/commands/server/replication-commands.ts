import { CommandError, syntaxError } from '../command-error.js'
import type { Call } from '../call.js'
import type { CommandSpec } from '../command-spec.js'

const NOT_A_REPLICA =
  'ERR Meridian has no replicas: every member takes writes and they replicate among each other. Name the members under "peers" in the configuration file'
const NO_STREAM = "ERR Meridian's members replicate over their own links and do not speak Redis' replication protocol"

/** ROLE, and the commands of Redis' replication, which a database without a master does not have. */
export const REPLICATION_COMMANDS: readonly CommandSpec[] = [
  {
    name: 'role',
    arity: 1,
    flags: ['noscript', 'loading', 'stale', 'fast'],
    group: 'server',
    categories: ['admin', 'dangerous'],
    since: '2.8.12',
    summary: 'What this server is to others: a master, as every member.',
    complexity: 'O(1)',
    handler: ({ reply, services }) => {
      reply.array(3)
      reply.bulkString('master')
      reply.integer(services.server.log.appendedBytes)
      // Other members are masters too. A client that took them for replicas would send them reads only.
      reply.array(0)
    },
  },
  {
    name: 'replicaof',
    arity: 3,
    flags: ['admin', 'noscript', 'stale', 'no_async_loading'],
    group: 'server',
    since: '5.0.0',
    summary: 'Refused, but for NO ONE: members are no replicas.',
    complexity: 'O(1)',
    arguments: [
      { name: 'host', type: 'string' },
      { name: 'port', type: 'string' },
    ],
    handler: replicaOf,
  },
  {
    name: 'slaveof',
    arity: 3,
    flags: ['admin', 'noscript', 'stale', 'no_async_loading'],
    group: 'server',
    since: '1.0.0',
    summary: 'Refused, but for NO ONE: members are no replicas.',
    complexity: 'O(1)',
    deprecated: { since: '5.0.0', replacedBy: '`REPLICAOF`' },
    arguments: [
      { name: 'host', type: 'string' },
      { name: 'port', type: 'string' },
    ],
    handler: replicaOf,
  },
  ...['sync', 'psync'].map((name): CommandSpec => ({
    name,
    arity: name === 'sync' ? 1 : -3,
    flags: ['admin', 'noscript', 'no_async_loading', 'no_multi'],
    group: 'server',
    since: name === 'sync' ? '1.0.0' : '2.8.0',
    summary: "Refused: members do not speak Redis' replication protocol.",
    complexity: 'O(1)',
    handler: () => {
      throw new CommandError(NO_STREAM)
    },
  })),
  {
    name: 'shutdown',
    arity: -1,
    flags: ['admin', 'noscript', 'loading', 'stale', 'no_multi', 'allow_busy'],
    group: 'server',
    since: '1.0.0',
    summary: 'Stops the server; everything is made durable before.',
    complexity: 'O(1); with SAVE O(N), N being the number of keys in all databases',
    history: [['7.0.0', 'NOW, FORCE and ABORT.']],
    arguments: [
      {
        name: 'save-selector',
        type: 'oneof',
        flags: ['optional'],
        arguments: [
          { name: 'nosave', type: 'pure-token', token: 'NOSAVE' },
          { name: 'save', type: 'pure-token', token: 'SAVE' },
        ],
      },
      { name: 'now', type: 'pure-token', token: 'NOW', flags: ['optional'], since: '7.0.0' },
      { name: 'force', type: 'pure-token', token: 'FORCE', flags: ['optional'], since: '7.0.0' },
      { name: 'abort', type: 'pure-token', token: 'ABORT', flags: ['optional'], since: '7.0.0' },
    ],
    handler: shutdown,
  },
]

function replicaOf(call: Call): void {
  if (!call.is(1, 'NO') || !call.is(2, 'ONE')) throw new CommandError(NOT_A_REPLICA)
  call.reply.ok()
}

/**
 * The log always has everything, so a snapshot is written only when SAVE asks for it: the next start is faster. No other member is waited for, so NOW changes
 * nothing: they get what they lack after the next start. FORCE stops also when the snapshot fails.
 */
function shutdown(call: Call): void {
  let abort = false
  let force = false
  let others = 0
  let save = false
  let noSave = false
  for (let i = 1; i < call.argc; i++) {
    if (call.is(i, 'ABORT')) abort = true
    else if (call.is(i, 'SAVE')) save = true
    else if (call.is(i, 'NOSAVE')) noSave = true
    else if (call.is(i, 'NOW') || call.is(i, 'FORCE')) {
      others++
      force ||= call.is(i, 'FORCE')
    } else throw syntaxError()
  }
  if ((save && noSave) || (abort && (save || noSave || others > 0))) throw syntaxError()
  if (abort) throw new CommandError('ERR No shutdown in progress.')
  if (save && call.services.persistence.saveNow() !== null && !force)
    throw new CommandError('ERR Errors trying to SHUTDOWN. Check logs.')
  // As in Redis there is no reply: the connection closes.
  call.session.close = 'now'
  call.services.server.shutdown()
}
