import { ExpiryMode } from '../../keyspace/string-store.js'
import type { Call } from '../call.js'
import { CommandError } from '../command-error.js'
import { keyRange, type CommandSpec } from '../command-spec.js'
import { KEYS, oneOf, optional, PAIRS, TIMES, token } from './arguments.js'
import { Condition, OptionSet, SetOptions } from './set-options.js'
import { replyValue, writeValue } from './value-commands.js'

/** MGET and the MSET family: many whole values at once, as one op. */
const options = new SetOptions()
/** Redis reads the number of keys as a C int. */
const MAX_KEYS = 2 ** 31 - 1

function mget(call: Call): void {
  call.reply.array(call.argc - 1)
  for (let i = 1; i < call.argc; i++) {
    const ref = call.findForRead(i)
    replyValue(call, ref !== 0 && call.isString(ref) ? ref : 0)
  }
}

function mset(call: Call): void {
  checkPairs(call)
  for (let i = 1; i < call.argc; i += 2) writeValue(call, i, i + 1, ExpiryMode.clear, 0)
  call.reply.ok()
}

function msetnx(call: Call): void {
  checkPairs(call)
  const allowed = countExisting(call, 1, call.argc) === 0
  if (allowed) for (let i = 1; i < call.argc; i += 2) writeValue(call, i, i + 1, ExpiryMode.clear, 0)
  call.reply.integer(allowed ? 1 : 0)
}

function msetex(call: Call): void {
  const count = call.integer(1, 'ERR invalid numkeys value')
  if (count <= 0 || count > MAX_KEYS) throw new CommandError('ERR invalid numkeys value')
  const end = 2 + count * 2
  if (end > call.argc) throw new CommandError('ERR wrong number of key-value pairs')
  options.parse(call, end, OptionSet.msetex)
  const at = options.expireAt(call)
  const { condition, expiryMode } = options
  let allowed = true
  if (condition !== Condition.none) allowed = countExisting(call, 2, end) === (condition === Condition.nx ? 0 : count)
  if (allowed) for (let i = 2; i < end; i += 2) writeValue(call, i, i + 1, expiryMode, at)
  call.reply.integer(allowed ? 1 : 0)
}

function checkPairs(call: Call): void {
  if (call.argc % 2 === 0) throw new CommandError(`ERR wrong number of arguments for '${call.command.name}' command`)
}

/** How many of the keys at from, from+2, … below end exist. */
function countExisting(call: Call, from: number, end: number): number {
  let count = 0
  for (let i = from; i < end; i += 2) if (call.find(i) !== 0) count++
  return count
}

export const MULTI_KEY_COMMANDS: readonly CommandSpec[] = [
  {
    name: 'mget',
    arity: -2,
    flags: ['readonly', 'fast'],
    keys: keyRange(1, -1, 1, 'RO', 'access'),
    group: 'string',
    categories: ['string'],
    since: '1.0.0',
    summary: 'Reads many strings at once.',
    complexity: 'O(N), N being the number of keys',
    tips: ['request_policy:multi_shard'],
    arguments: [KEYS],
    handler: mget,
  },
  {
    name: 'mset',
    arity: -3,
    flags: ['write', 'denyoom'],
    keys: keyRange(1, -1, 2, 'OW', 'update'),
    group: 'string',
    categories: ['string'],
    since: '1.0.1',
    summary: 'Writes many strings at once.',
    complexity: 'O(N), N being the number of keys',
    tips: ['request_policy:multi_shard', 'response_policy:all_succeeded'],
    arguments: [PAIRS],
    handler: mset,
  },
  {
    name: 'msetnx',
    arity: -3,
    flags: ['write', 'denyoom'],
    keys: keyRange(1, -1, 2, 'OW', 'insert'),
    group: 'string',
    categories: ['string'],
    since: '1.0.1',
    summary: 'Writes many strings at once if none of the keys exists.',
    complexity: 'O(N), N being the number of keys',
    arguments: [PAIRS],
    handler: msetnx,
  },
  {
    name: 'msetex',
    arity: -4,
    flags: ['write', 'denyoom'],
    keys: [{ flags: ['OW', 'update'], beginSearch: { index: 1 }, findKeys: { keyNumIndex: 0, firstKey: 1, step: 2 } }],
    group: 'string',
    categories: ['string'],
    since: '8.4.0',
    summary: 'Writes many strings at once with one expiry, if all or none of the keys exist.',
    complexity: 'O(N), N being the number of keys',
    tips: ['request_policy:multi_shard', 'response_policy:all_succeeded'],
    arguments: [
      { name: 'numkeys', type: 'integer' },
      PAIRS,
      optional(oneOf('condition', token('nx'), token('xx'))),
      optional(oneOf('expiration', ...TIMES, token('keepttl'))),
    ],
    handler: msetex,
  },
]
