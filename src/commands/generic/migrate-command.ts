import { equalsWord } from '../../base/bytes.js'
import { NotificationClass } from '../../base/notification-classes.js'
import { writePayload } from '../../rdb/payload.js'
import type { Request } from '../../resp/request.js'
import type { Call } from '../call.js'
import { CommandError, syntaxError } from '../command-error.js'
import type { CommandSpec } from '../command-spec.js'
import { isAllDue, rdbValueOf } from './whole-values.js'

const KEYS_WITH_A_KEY = 'ERR When using MIGRATE KEYS option, the key argument must be set to the empty string'
/** As Redis says that nobody listens. */
const NO_PORT = 'IOERR error or timeout writing to target instance'
const DEFAULT_TIMEOUT_MS = 1000
const MAX_PORT = 65_535
const FIRST_OPTION = 6

interface Options {
  readonly copies: boolean
  readonly replaces: boolean
  /** Arguments of AUTH. */
  readonly credentials: readonly Uint8Array[]
  readonly firstKey: number
  readonly keyCount: number
}

/** MIGRATE: moves keys to another server, redis-server or Meridian, as one of its clients. */
export const MIGRATE_COMMANDS: readonly CommandSpec[] = [
  {
    name: 'migrate',
    arity: -6,
    flags: ['write', 'no_multi', 'movablekeys'],
    keys: [
      {
        flags: ['RW', 'access', 'delete'],
        beginSearch: { index: 3 },
        findKeys: { lastKey: 0, step: 1, limit: 0 },
      },
      {
        flags: ['RW', 'access', 'delete', 'incomplete'],
        beginSearch: { keyword: 'KEYS', startFrom: -2 },
        findKeys: { lastKey: -1, step: 1, limit: 0 },
      },
    ],
    keyRange: keysOf,
    group: 'generic',
    categories: ['keyspace', 'dangerous'],
    since: '2.6.0',
    history: [
      ['3.0.0', 'The options COPY and REPLACE.'],
      ['3.0.6', 'The option KEYS.'],
      ['4.0.7', 'The option AUTH.'],
      ['6.0.0', 'The option AUTH2.'],
    ],
    summary: 'Moves keys to another server, redis-server or Meridian.',
    complexity: 'That of DUMP and DEL here and of RESTORE there, for each key',
    tips: ['nondeterministic_output'],
    arguments: [
      { name: 'host', type: 'string' },
      { name: 'port', type: 'integer' },
      {
        name: 'key-selector',
        type: 'oneof',
        arguments: [
          { name: 'key', type: 'key', keySpecIndex: 0 },
          { name: 'empty-string', type: 'pure-token', token: '""' },
        ],
      },
      { name: 'destination-db', type: 'integer' },
      { name: 'timeout', type: 'integer' },
      { name: 'copy', type: 'pure-token', token: 'COPY', flags: ['optional'], since: '3.0.0' },
      { name: 'replace', type: 'pure-token', token: 'REPLACE', flags: ['optional'], since: '3.0.0' },
      {
        name: 'authentication',
        type: 'oneof',
        flags: ['optional'],
        arguments: [
          { name: 'auth', type: 'string', token: 'AUTH', since: '4.0.7' },
          {
            name: 'auth2',
            type: 'block',
            token: 'AUTH2',
            since: '6.0.0',
            arguments: [
              { name: 'username', type: 'string' },
              { name: 'password', type: 'string' },
            ],
          },
        ],
      },
      { name: 'keys', type: 'key', token: 'KEYS', keySpecIndex: 1, flags: ['optional', 'multiple'], since: '3.0.6' },
    ],
    handler: migrate,
  },
]

/** The checks come in the order in which Redis makes them. */
function migrate(call: Call): void {
  const { copies, replaces, credentials, firstKey, keyCount } = parseOptions(call)
  const timeoutMs = call.integer(5)
  const database = call.integer64(4)
  const keys: number[] = []
  for (let i = firstKey; i < firstKey + keyCount; i++) if (call.findForRead(i) !== 0) keys.push(i)
  if (keys.length === 0) {
    call.reply.simpleString('NOKEY')
    return
  }
  const port = Number(call.text(2))
  if (!Number.isInteger(port) || port < 1 || port > MAX_PORT) throw new CommandError(NO_PORT)
  const opening = [request('SELECT', database.toString())]
  if (credentials.length > 0) opening.unshift(request('AUTH', ...credentials))
  call.engine.migrations.begin(call, {
    host: call.text(1),
    port,
    timeoutMs: timeoutMs <= 0 ? DEFAULT_TIMEOUT_MS : timeoutMs,
    opening: Buffer.concat(opening),
    openingReplies: opening.length,
    keys,
    copies,
    restore: (later, i, again) => restore(later, i, replaces || again),
    remove,
  })
}

/** The request that writes a key there; null when there is none any more. */
function restore(call: Call, i: number, replaces: boolean): Uint8Array | null {
  const ref = call.find(i)
  if (ref === 0 || isAllDue(call, ref)) return null
  const at = call.db.expiresAt(ref)
  const ttl = at === Infinity ? 0 : Math.max(1, at - call.nowMs)
  const payload = writePayload(rdbValueOf(call, call.db, ref))
  return request('RESTORE', call.bytes(i), String(ttl), payload, ...(replaces ? ['REPLACE'] : []))
}

function remove(call: Call, keys: readonly number[]): void {
  const { buf, off, len } = call.request
  for (const i of keys) {
    // The same key may be named twice.
    if (call.find(i) === 0) continue
    call.effects.remove(call.database, buf, off[i], len[i])
    call.notify(NotificationClass.generic, 'del', i)
  }
}

function request(...args: readonly (string | Uint8Array)[]): Buffer {
  const parts: Uint8Array[] = [Buffer.from(`*${args.length}\r\n`)]
  for (const arg of args) {
    const bytes = typeof arg === 'string' ? Buffer.from(arg) : arg
    parts.push(Buffer.from(`$${bytes.length}\r\n`), bytes, CRLF)
  }
  return Buffer.concat(parts)
}

const CRLF = Buffer.from('\r\n')

function parseOptions(call: Call): Options {
  let copies = false
  let replaces = false
  let credentials: Uint8Array[] = []
  for (let i = FIRST_OPTION; i < call.argc; i++) {
    const more = call.argc - 1 - i
    if (call.is(i, 'COPY')) {
      copies = true
    } else if (call.is(i, 'REPLACE')) {
      replaces = true
    } else if (call.is(i, 'AUTH') && more >= 1) {
      credentials = [new Uint8Array(call.bytes(++i))]
    } else if (call.is(i, 'AUTH2') && more >= 2) {
      credentials = [new Uint8Array(call.bytes(++i)), new Uint8Array(call.bytes(++i))]
    } else if (call.is(i, 'KEYS')) {
      if (call.request.len[3] !== 0) throw new CommandError(KEYS_WITH_A_KEY)
      return { copies, replaces, credentials, firstKey: i + 1, keyCount: more }
    } else {
      throw syntaxError()
    }
  }
  return { copies, replaces, credentials, firstKey: 3, keyCount: 1 }
}

/** Where the keys are: the word KEYS may also be a password, so the options are gone through. */
function keysOf({ buf, off, len, argc }: Request, at: number): { readonly first: number; readonly count: number } {
  const is = (i: number, word: string): boolean => equalsWord(buf, off[at + i], len[at + i], word)
  const end = argc - at
  for (let i = FIRST_OPTION; i < end; i++) {
    if (is(i, 'KEYS')) return len[at + 3] === 0 ? { first: i + 1, count: end - i - 1 } : { first: 0, count: 0 }
    if (is(i, 'AUTH')) i++
    else if (is(i, 'AUTH2')) i += 2
  }
  return end > 3 ? { first: 3, count: 1 } : { first: 0, count: 0 }
}
