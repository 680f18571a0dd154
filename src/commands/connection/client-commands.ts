import { parseInteger } from '../../base/bytes.js'
import type { Call } from '../call.js'
import { CommandError, syntaxError } from '../command-error.js'
import type { ArgumentSpec, CommandFlag, CommandSpec } from '../command-spec.js'
import { helpSubcommand, wrongSubcommand } from '../help.js'
import { killClients } from './client-kill.js'
import { clientLine, clientTypeOf, typeOf } from './client-line.js'
import { clientName, isPrintable } from './client-names.js'
import { CLIENT_TRACKING_COMMANDS } from './client-tracking.js'

const OWN: readonly CommandFlag[] = ['noscript', 'loading', 'stale']
const OTHERS: readonly CommandFlag[] = ['admin', 'noscript', 'loading', 'stale']

function subcommand(
  name: string,
  arity: number,
  flags: readonly CommandFlag[],
  since: string,
  summary: string,
  handler: (call: Call) => void,
  more: Partial<CommandSpec> = {},
): CommandSpec {
  return {
    name,
    arity,
    flags,
    group: 'connection',
    categories: ['connection'],
    since,
    summary,
    complexity: 'O(1)',
    handler,
    ...more,
  }
}

function tokens(name: string, ...words: string[]): ArgumentSpec {
  return { name, type: 'oneof', arguments: words.map((word) => ({ name: word.toLowerCase(), type: 'pure-token', token: word })) }
}

const ALL_NODES = ['request_policy:all_nodes', 'response_policy:all_succeeded']
const TYPE_WORDS = ['normal', 'master', 'slave', 'replica', 'pubsub']

export const CLIENT_COMMAND: CommandSpec = {
  name: 'client',
  arity: -2,
  flags: [],
  group: 'connection',
  since: '2.4.0',
  summary: 'Commands about client connections.',
  complexity: 'Depends on subcommand.',
  subcommands: [
    subcommand('id', 2, OWN, '5.0.0', 'The id of this connection.', (call) => call.reply.integer(call.session.id)),
    subcommand(
      'info',
      2,
      OWN,
      '6.2.0',
      'A line about this connection.',
      (call) => call.reply.verbatim('txt', `${describe(call, call.session.id)}\n`),
      {
        tips: ['nondeterministic_output'],
      },
    ),
    subcommand('list', -2, OTHERS, '2.4.0', 'A line about each connection.', list, {
      complexity: 'O(N), N being the number of connections',
      tips: ['nondeterministic_output'],
      arguments: [
        { ...tokens('client-type', 'normal', 'master', 'replica', 'pubsub'), token: 'TYPE', flags: ['optional'], since: '5.0.0' },
        { name: 'client-id', type: 'integer', token: 'ID', flags: ['optional', 'multiple'], since: '6.2.0' },
      ],
    }),
    subcommand('kill', -3, OTHERS, '2.4.0', 'Closes connections.', killClients, {
      complexity: 'O(N), N being the number of connections',
      history: [['7.4.0', 'MAXAGE.']],
      arguments: [
        {
          name: 'filter',
          type: 'oneof',
          arguments: [
            { name: 'old-format', type: 'string' },
            {
              name: 'new-format',
              type: 'oneof',
              flags: ['multiple'],
              arguments: [
                { name: 'client-id', type: 'integer', token: 'ID', flags: ['optional'], since: '2.8.12' },
                { ...tokens('client-type', ...TYPE_WORDS), token: 'TYPE', flags: ['optional'], since: '2.8.12' },
                { name: 'username', type: 'string', token: 'USER', flags: ['optional'] },
                { name: 'addr', type: 'string', token: 'ADDR', flags: ['optional'] },
                { name: 'laddr', type: 'string', token: 'LADDR', flags: ['optional'], since: '6.2.0' },
                { ...tokens('skipme', 'YES', 'NO'), token: 'SKIPME', flags: ['optional'] },
                { name: 'maxage', type: 'integer', token: 'MAXAGE', flags: ['optional'], since: '7.4.0' },
              ],
            },
          ],
        },
      ],
    }),
    subcommand('getname', 2, OWN, '2.6.9', 'The name of this connection.', (call) => {
      if (call.session.name === '') call.reply.null()
      else call.reply.bulkString(call.session.name)
    }),
    subcommand('setname', 3, OWN, '2.6.9', 'Names this connection.', setName, {
      tips: ALL_NODES,
      arguments: [{ name: 'connection-name', type: 'string' }],
    }),
    subcommand('setinfo', 4, OWN, '7.2.0', 'Says which client library this connection uses.', setInfo, {
      tips: ALL_NODES,
      arguments: [
        {
          name: 'attr',
          type: 'oneof',
          arguments: [
            { name: 'libname', type: 'string', token: 'LIB-NAME' },
            { name: 'libver', type: 'string', token: 'LIB-VER' },
          ],
        },
      ],
    }),
    subcommand(
      'no-evict',
      3,
      OTHERS,
      '7.0.0',
      'Keeps this connection when clients take too much memory.',
      (call) => {
        call.session.noEvict = onOrOff(call)
        call.reply.ok()
      },
      { arguments: [tokens('enabled', 'ON', 'OFF')] },
    ),
    subcommand(
      'no-touch',
      3,
      OWN,
      '7.2.0',
      'Lets reads of this connection leave access times alone.',
      (call) => {
        call.session.noTouch = onOrOff(call)
        call.reply.ok()
      },
      { arguments: [tokens('enabled', 'ON', 'OFF')] },
    ),
    subcommand('reply', 3, OWN, '3.2.0', 'Says which commands are to be answered.', replyMode, {
      arguments: [tokens('action', 'ON', 'OFF', 'SKIP')],
    }),
    subcommand('unblock', -3, OTHERS, '5.0.0', 'Ends the waiting of a blocked connection.', unblock, {
      arguments: [
        { name: 'client-id', type: 'integer' },
        { ...tokens('unblock-type', 'TIMEOUT', 'ERROR'), flags: ['optional'] },
      ],
    }),
    subcommand('pause', -3, OTHERS, '3.0.0', 'Holds commands of all clients back for a time.', pause, {
      history: [['6.2.0', 'The modes WRITE and ALL.']],
      arguments: [
        { name: 'timeout', type: 'integer' },
        { ...tokens('mode', 'WRITE', 'ALL'), flags: ['optional'], since: '6.2.0' },
      ],
    }),
    subcommand(
      'unpause',
      2,
      OTHERS,
      '6.2.0',
      'Ends a pause.',
      (call) => {
        call.engine.pause.end()
        call.reply.ok()
      },
      { complexity: 'O(N), N being the number of paused connections' },
    ),
    ...CLIENT_TRACKING_COMMANDS,
    helpSubcommand(
      '5.0.0',
      [
        'GETNAME',
        '    The name of this connection.',
        'GETREDIR',
        '    Where invalidations of client tracking go.',
        'ID',
        '    The id of this connection.',
        'INFO',
        '    A line about this connection.',
        'KILL <ip:port>',
        '    Close the connection from <ip:port>.',
        'KILL <option> <value> [<option> <value> [...]]',
        '    Close the connections that fit all of:',
        '    * ADDR (<ip:port>)',
        '    * LADDR (<ip:port>)',
        '    * TYPE (NORMAL|MASTER|REPLICA|PUBSUB)',
        '    * USER <username>',
        '    * SKIPME (YES|NO)',
        '    * ID <client-id>',
        '    * MAXAGE <seconds>',
        'LIST [TYPE (NORMAL|MASTER|REPLICA|PUBSUB)] [ID <id> [<id> ...]]',
        '    A line about each connection.',
        'NO-EVICT (ON|OFF)',
        '    Keep this connection when clients take too much memory.',
        'NO-TOUCH (ON|OFF)',
        '    Let reads of this connection leave access times alone.',
        'PAUSE <timeout> [WRITE|ALL]',
        '    Hold all commands, or those that write, back for <timeout> milliseconds.',
        'REPLY (ON|OFF|SKIP)',
        '    Which commands of this connection are answered.',
        'SETINFO (LIB-NAME|LIB-VER) <value>',
        '    Name the client library.',
        'SETNAME <name>',
        '    Name this connection.',
        'UNBLOCK <clientid> [TIMEOUT|ERROR]',
        '    End the waiting of a blocked connection.',
        'UNPAUSE',
        '    End a pause.',
      ],
      ['connection'],
    ),
  ],
}

function describe(call: Call, id: number): string | null {
  const client = call.services.clients.find(id)
  if (client !== undefined) return clientLine(client.session, client, call.nowMs)
  return id === call.session.id ? clientLine(call.session, undefined, call.nowMs) : null
}

function list(call: Call): void {
  const { argc, services } = call
  let lines = ''
  if (argc === 4 && call.is(2, 'TYPE')) {
    const type = clientTypeOf(call.text(3))
    if (type === null) throw new CommandError(`ERR Unknown client type '${call.text(3)}'`)
    for (const client of services.clients.clients()) {
      if (typeOf(client.session) === type) lines += `${clientLine(client.session, client, call.nowMs)}\n`
    }
  } else if (argc > 3 && call.is(2, 'ID')) {
    for (let i = 3; i < argc; i++) {
      const line = describe(call, call.integer(i, 'ERR Invalid client ID'))
      if (line !== null) lines += `${line}\n`
    }
  } else if (argc === 2) {
    for (const client of services.clients.clients()) lines += `${clientLine(client.session, client, call.nowMs)}\n`
  } else {
    throw syntaxError()
  }
  call.reply.verbatim('txt', lines)
}

function setName(call: Call): void {
  call.session.name = clientName(call.bytes(2))
  call.reply.ok()
}

function setInfo(call: Call): void {
  const isName = call.is(2, 'LIB-NAME')
  if (!isName && !call.is(2, 'LIB-VER')) throw new CommandError(`ERR Unrecognized option '${call.text(2)}'`)
  if (!isPrintable(call.bytes(3))) {
    throw new CommandError(`ERR ${call.text(2)} cannot contain spaces, newlines or special characters.`)
  }
  if (isName) call.session.libraryName = call.text(3)
  else call.session.libraryVersion = call.text(3)
  call.reply.ok()
}

function onOrOff(call: Call): boolean {
  if (call.is(2, 'ON')) return true
  if (call.is(2, 'OFF')) return false
  throw syntaxError()
}

/** The connection leaves replies out; SKIP concerns the command that follows. */
function replyMode(call: Call): void {
  const { session } = call
  if (call.is(2, 'ON')) {
    session.replyMode = 'on'
    call.reply.ok()
  } else if (call.is(2, 'OFF')) {
    session.replyMode = 'off'
  } else if (call.is(2, 'SKIP')) {
    if (session.replyMode !== 'off') session.replyMode = 'skip-next'
  } else {
    throw syntaxError()
  }
}

function unblock(call: Call): void {
  let asError = false
  if (call.argc > 4) throw wrongSubcommand(call)
  if (call.argc === 4) {
    asError = call.is(3, 'ERROR')
    if (!asError && !call.is(3, 'TIMEOUT')) throw new CommandError('ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR')
  }
  const blocked = call.services.clients.find(call.integer(2))?.session.blocked ?? null
  if (blocked === null || blocked.isPostponed === true || blocked.isRunning === true) {
    call.reply.integer(0)
    return
  }
  if (asError) blocked.fail('UNBLOCKED client unblocked via CLIENT UNBLOCK')
  else blocked.timeOut()
  call.reply.integer(1)
}

function pause(call: Call): void {
  const { request } = call
  if (call.argc > 4) throw wrongSubcommand(call)
  const write = call.argc === 4 && call.is(3, 'WRITE')
  if (call.argc === 4 && !write && !call.is(3, 'ALL')) throw new CommandError('ERR CLIENT PAUSE mode must be WRITE or ALL')
  const timeoutMs = parseInteger(request.buf, request.off[2], request.len[2])
  if (Number.isNaN(timeoutMs)) throw new CommandError('ERR timeout is not an integer or out of range')
  if (timeoutMs < 0) throw new CommandError('ERR timeout is negative')
  call.engine.pause.begin(call.nowMs + timeoutMs, write ? 'write' : 'all')
  call.reply.ok()
}
