import { databaseArgument } from '../database-argument.js'
import type { Call } from '../call.js'
import { CommandError, syntaxError } from '../command-error.js'
import type { CommandSpec } from '../command-spec.js'
import { REDIS_VERSION } from '../redis-version.js'
import { authenticate, DEFAULT_USER, forgetUser, isAuthenticated } from './authentication.js'
import { CLIENT_COMMAND } from './client-commands.js'
import { clientName } from './client-names.js'

const FREE = ['noscript', 'loading', 'stale', 'fast', 'no_auth', 'allow_busy'] as const

/** AUTH, HELLO, PING, ECHO, SELECT, QUIT, RESET, CLIENT: what concerns the connection itself. */
export const CONNECTION_COMMANDS: readonly CommandSpec[] = [
  {
    name: 'auth',
    arity: -2,
    flags: FREE,
    group: 'connection',
    categories: ['connection'],
    since: '1.0.0',
    summary: 'Proves who the client is.',
    complexity: 'O(N), N being the length of the password',
    history: [['6.0.0', 'A user name may be given.']],
    arguments: [
      { name: 'username', type: 'string', flags: ['optional'], since: '6.0.0' },
      { name: 'password', type: 'string' },
    ],
    handler: auth,
  },
  {
    name: 'hello',
    arity: -1,
    flags: FREE,
    group: 'connection',
    categories: ['connection'],
    since: '6.0.0',
    summary: 'Chooses the protocol version and says who the server is.',
    complexity: 'O(1)',
    history: [['6.2.0', 'Without arguments it only answers.']],
    arguments: [
      {
        name: 'arguments',
        type: 'block',
        flags: ['optional'],
        arguments: [
          { name: 'protover', type: 'integer' },
          {
            name: 'auth',
            type: 'block',
            token: 'AUTH',
            flags: ['optional'],
            arguments: [
              { name: 'username', type: 'string' },
              { name: 'password', type: 'string' },
            ],
          },
          { name: 'clientname', type: 'string', token: 'SETNAME', flags: ['optional'] },
        ],
      },
    ],
    handler: hello,
  },
  {
    name: 'ping',
    arity: -1,
    flags: ['fast'],
    group: 'connection',
    categories: ['connection'],
    since: '1.0.0',
    summary: 'Answers PONG, or what it was given.',
    complexity: 'O(1)',
    tips: ['request_policy:all_shards', 'response_policy:all_succeeded'],
    arguments: [{ name: 'message', type: 'string', flags: ['optional'] }],
    handler: (call) => {
      if (call.argc > 2) throw new CommandError("ERR wrong number of arguments for 'ping' command")
      const { session } = call
      if (session.subscriptions !== null && session.protocol === 2) pongToSubscriber(call)
      else if (call.argc === 1) call.reply.raw(PONG)
      else call.reply.bulk(call.request.buf, call.request.off[1], call.request.len[1])
    },
  },
  {
    name: 'echo',
    arity: 2,
    flags: ['loading', 'stale', 'fast'],
    group: 'connection',
    categories: ['connection'],
    since: '1.0.0',
    summary: 'Answers what it was given.',
    complexity: 'O(1)',
    arguments: [{ name: 'message', type: 'string' }],
    handler: (call) => call.reply.bulk(call.request.buf, call.request.off[1], call.request.len[1]),
  },
  {
    name: 'select',
    arity: 2,
    flags: ['loading', 'stale', 'fast'],
    group: 'connection',
    categories: ['connection'],
    since: '1.0.0',
    summary: "Chooses the connection's database.",
    complexity: 'O(1)',
    arguments: [{ name: 'index', type: 'integer' }],
    handler: (call) => {
      call.session.database = databaseArgument(call, 1)
      call.reply.ok()
    },
  },
  {
    name: 'quit',
    arity: -1,
    flags: ['allow_busy', 'noscript', 'loading', 'stale', 'fast', 'no_auth'],
    group: 'connection',
    categories: ['connection'],
    since: '1.0.0',
    summary: 'Closes the connection once everything has been answered.',
    complexity: 'O(1)',
    deprecated: { since: '7.2.0', replacedBy: 'just closing the connection' },
    handler: (call) => {
      call.session.close = 'after-reply'
      call.reply.ok()
    },
  },
  {
    name: 'reset',
    arity: 1,
    flags: FREE,
    group: 'connection',
    categories: ['connection'],
    since: '6.2.0',
    summary: 'Makes the connection as it was when it was new.',
    complexity: 'O(1)',
    handler: reset,
  },
  CLIENT_COMMAND,
]

const PONG = new Uint8Array(Buffer.from('+PONG\r\n'))

/** RESP2 clients tell it from messages by its form. */
function pongToSubscriber({ reply, request, argc }: Call): void {
  reply.array(2)
  reply.bulkString('pong')
  if (argc === 1) reply.bulkString('')
  else reply.bulk(request.buf, request.off[1], request.len[1])
}

function auth(call: Call): void {
  if (call.argc > 3) throw syntaxError()
  if (call.argc === 2 && call.services.settings.requirePassword === null) {
    throw new CommandError(
      'ERR AUTH <password> called without any password configured for the default user. Are you sure your configuration is correct?',
    )
  }
  authenticate(call, call.argc === 2 ? Buffer.from(DEFAULT_USER) : call.bytes(1), call.bytes(call.argc - 1))
  call.reply.ok()
}

function hello(call: Call): void {
  const { session, reply } = call
  let version: 2 | 3 | null = null
  if (call.argc > 1) {
    const asked = call.integer(1, 'ERR Protocol version is not an integer or out of range')
    if (asked !== 2 && asked !== 3) throw new CommandError('NOPROTO unsupported protocol version')
    version = asked
  }
  let credentials = -1
  let name: string | null = null
  for (let i = 2; i < call.argc; i++) {
    const more = call.argc - 1 - i
    if (call.is(i, 'AUTH') && more >= 2) {
      credentials = i + 1
      i += 2
    } else if (call.is(i, 'SETNAME') && more >= 1) {
      name = clientName(call.bytes(++i))
    } else {
      throw new CommandError(`ERR Syntax error in HELLO option '${call.text(i)}'`)
    }
  }
  if (credentials >= 0) authenticate(call, call.bytes(credentials), call.bytes(credentials + 1))
  if (!isAuthenticated(call)) {
    throw new CommandError(
      'NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO <proto> AUTH <user> <pass> option can be used ' +
        'to authenticate the client and select the RESP protocol version at the same time',
    )
  }
  if (name !== null) session.name = name
  if (version !== null) reply.protocol = session.protocol = version
  reply.map(7)
  reply.bulkString('server')
  reply.bulkString('redis')
  reply.bulkString('version')
  reply.bulkString(REDIS_VERSION)
  reply.bulkString('proto')
  reply.integer(session.protocol)
  reply.bulkString('id')
  reply.integer(session.id)
  reply.bulkString('mode')
  reply.bulkString('standalone')
  reply.bulkString('role')
  reply.bulkString('master')
  reply.bulkString('modules')
  reply.array(0)
}

/** Everything but the library's name and version, which stay true. */
function reset(call: Call): void {
  const { session, reply, services } = call
  services.transactions.reset(session)
  call.engine.pubsub.unsubscribeAll(session)
  call.engine.monitors.remove(session)
  forgetUser(session, services.settings.requirePassword !== null)
  session.database = 0
  session.name = ''
  // What SKIP came before this command for is its own reply.
  if (session.replyMode !== 'skip-this') session.replyMode = 'on'
  session.noEvict = false
  session.noTouch = false
  session.fieldsets = null
  session.protocol = reply.protocol = 2
  reply.simpleString('RESET')
}
