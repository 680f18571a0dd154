import { equalsWord } from '../../base/bytes.js'
import { NotificationClass } from '../../base/notification-classes.js'
import { ExpiryMode } from '../../keyspace/string-store.js'
import type { Ref } from '../../memory/arena.js'
import type { Request } from '../../resp/request.js'
import type { Call } from '../call.js'
import { CommandError } from '../command-error.js'
import { keyRange, type CommandSpec } from '../command-spec.js'
import { COMPARISONS, KEY, oneOf, optional, TIMES, token, VALUE } from './arguments.js'
import { Condition, Expiration, expireTime, OptionSet, SetOptions, valueCondition } from './set-options.js'
import { checkDigestText, digestEquals, digestOf, valueEquals } from './value-condition.js'

/**
 * Commands on one whole value: GET, SET and what was there before SET had options. A SET removes the writes that its region had seen and adds
 * its own; see crdt/string-state.
 */
const options = new SetOptions()

function hasOption({ buf, off, len, argc }: Request, from: number, word: string): boolean {
  for (let i = from; i < argc; i++) if (equalsWord(buf, off[i], len[i], word)) return true
  return false
}

/** Replies with the visible value of a record, or null. */
export function replyValue(call: Call, ref: Ref): void {
  if (ref === 0) {
    call.reply.null()
    return
  }
  const { strings } = call
  strings.read(call.db, ref)
  call.reply.bulk(strings.buf, strings.off, strings.len)
}

/** Writes argument `value` to the key in argument `key`. */
export function writeValue(call: Call, key: number, value: number, mode: number, at: number): void {
  const { buf, off, len } = call.request
  const before = call.typeToReplace(key)
  call.effects.setString(call.database, buf, off[key], len[key], buf, off[value], len[value], mode, at)
  notifyWritten(call, key, mode, before)
}

/** Events of a value that was written in place of one of type `before`: see Call.notifyReplaced. */
export function notifyWritten(call: Call, key: number, mode: number, before: number): void {
  call.notifyReplaced(before, key)
  call.notify(NotificationClass.string, 'set', key)
  if (mode === ExpiryMode.set) call.notify(NotificationClass.generic, 'expire', key)
}

function removeKey(call: Call): void {
  const { buf, off, len } = call.request
  call.effects.remove(call.database, buf, off[1], len[1])
  call.notify(NotificationClass.generic, 'del', 1)
}

function get(call: Call): void {
  replyValue(call, call.findStringForRead(1))
}

function set(call: Call): void {
  if (call.argc === 3) {
    writeValue(call, 1, 2, ExpiryMode.clear, 0)
    call.reply.ok()
    return
  }
  options.parse(call, 3, OptionSet.set)
  options.checkMatch(call)
  const at = options.expireAt(call)
  const { condition, get: wantsOld } = options
  if (wantsOld) replyValue(call, call.findStringForRead(1))
  const allowed = condition === Condition.none || conditionHolds(call, call.find(1), condition, options.matchArgument)
  if (allowed) writeValue(call, 1, 2, options.expiryMode, at)
  if (wantsOld) return
  if (allowed) call.reply.ok()
  else call.reply.null()
}

/** A key that is not there fulfils NX and the conditions that something be different, no other. */
function conditionHolds(call: Call, ref: Ref, condition: number, argument: number): boolean {
  if (condition === Condition.nx) return ref === 0
  if (condition === Condition.xx) return ref !== 0
  const wantsEqual = condition === Condition.ifEqual || condition === Condition.ifDigestEqual
  if (ref === 0) return !wantsEqual
  call.mustBeString(ref)
  const byValue = condition === Condition.ifEqual || condition === Condition.ifNotEqual
  return (byValue ? valueEquals(call, ref, argument) : digestEquals(call, ref, argument)) === wantsEqual
}

function setnx(call: Call): void {
  const absent = call.find(1) === 0
  if (absent) writeValue(call, 1, 2, ExpiryMode.clear, 0)
  call.reply.integer(absent ? 1 : 0)
}

function setWithTime(call: Call, inSeconds: boolean): void {
  const at = expireTime(call, 2, inSeconds, true)
  writeValue(call, 1, 3, ExpiryMode.set, at)
  call.reply.ok()
}

function getset(call: Call): void {
  replyValue(call, call.findStringForRead(1))
  writeValue(call, 1, 2, ExpiryMode.clear, 0)
}

function getdel(call: Call): void {
  const ref = call.findStringForRead(1)
  replyValue(call, ref)
  if (ref !== 0) removeKey(call)
}

function getex(call: Call): void {
  options.parse(call, 2, OptionSet.getex)
  const ref = call.findStringForRead(1)
  if (ref === 0) {
    call.reply.null()
    return
  }
  const at = options.expireAt(call)
  replyValue(call, ref)
  applyExpiry(call, ref, options, at)
}

/** Gives the key in argument 1, which has that record, the expiry that the options name: at in Unix ms. A time that is over removes it. */
export function applyExpiry(call: Call, ref: Ref, options: SetOptions, at: number): void {
  const { buf, off, len } = call.request
  if (options.hasTime) {
    if (options.isAbsolute && at <= call.nowMs) {
      removeKey(call)
    } else {
      call.effects.expire(call.database, buf, off[1], len[1], at)
      call.notify(NotificationClass.generic, 'expire', 1)
    }
  } else if (options.expiration === Expiration.persist && call.db.expiresAt(ref) !== Infinity) {
    call.effects.expire(call.database, buf, off[1], len[1], Infinity)
    call.notify(NotificationClass.generic, 'persist', 1)
  }
}

function digest(call: Call): void {
  const ref = call.findStringForRead(1)
  if (ref === 0) call.reply.null()
  else call.reply.bulkString(digestOf(call, ref))
}

function delex(call: Call): void {
  if (call.argc !== 2 && call.argc !== 4) throw new CommandError("ERR wrong number of arguments for 'delex' command")
  let condition: number = Condition.none
  if (call.argc === 4) {
    condition = valueCondition(call, 2)
    if (condition === Condition.none) throw new CommandError('ERR Invalid condition. Use IFEQ, IFNE, IFDEQ, or IFDNE')
    if (condition >= Condition.ifDigestEqual) checkDigestText(call, 3)
  }
  const ref = call.find(1)
  const removes = ref !== 0 && (condition === Condition.none || conditionHolds(call, ref, condition, 3))
  if (removes) removeKey(call)
  call.reply.integer(removes ? 1 : 0)
}

const EXPIRATION = optional(oneOf('expiration', ...TIMES, { ...token('keepttl'), since: '6.0.0' }))

export const VALUE_COMMANDS: readonly CommandSpec[] = [
  {
    name: 'get',
    arity: 2,
    flags: ['readonly', 'fast'],
    keys: keyRange(1, 1, 1, 'RO', 'access'),
    group: 'string',
    categories: ['string'],
    since: '1.0.0',
    summary: 'Reads the value of a string.',
    complexity: 'O(1)',
    arguments: [KEY],
    handler: get,
  },
  {
    name: 'set',
    arity: -3,
    flags: ['write', 'denyoom'],
    keys: keyRange(1, 1, 1, 'RW', 'access', 'update', 'variable_flags'),
    keyFlags: (request, at) => (hasOption(request, at + 3, 'GET') ? ['RW', 'access', 'update'] : ['OW', 'update']),
    group: 'string',
    categories: ['string'],
    since: '1.0.0',
    summary: 'Writes a string, whatever the key held, if a condition allows it; may set an expiry and reply with the old value.',
    complexity: 'O(1)',
    history: [
      ['2.6.12', 'Options EX, PX, NX and XX.'],
      ['6.0.0', 'Option KEEPTTL.'],
      ['6.2.0', 'Options GET, EXAT and PXAT.'],
      ['7.0.0', 'NX and GET may stand together.'],
      ['8.4.0', 'Options IFEQ, IFNE, IFDEQ and IFDNE.'],
    ],
    arguments: [
      KEY,
      VALUE,
      { ...optional(oneOf('condition', token('nx'), token('xx'), ...COMPARISONS)), since: '2.6.12' },
      { ...optional(token('get')), since: '6.2.0' },
      EXPIRATION,
    ],
    handler: set,
  },
  {
    name: 'setnx',
    arity: 3,
    flags: ['write', 'denyoom', 'fast'],
    keys: keyRange(1, 1, 1, 'OW', 'insert'),
    group: 'string',
    categories: ['string'],
    since: '1.0.0',
    summary: 'Writes a string if the key does not exist.',
    complexity: 'O(1)',
    deprecated: { since: '2.6.12', replacedBy: '`SET` with the `NX` argument' },
    arguments: [KEY, VALUE],
    handler: setnx,
  },
  {
    name: 'setex',
    arity: 4,
    flags: ['write', 'denyoom'],
    keys: keyRange(1, 1, 1, 'OW', 'update'),
    group: 'string',
    categories: ['string'],
    since: '2.0.0',
    summary: 'Writes a string that expires after some seconds.',
    complexity: 'O(1)',
    deprecated: { since: '2.6.12', replacedBy: '`SET` with the `EX` argument' },
    arguments: [KEY, { name: 'seconds', type: 'integer' }, VALUE],
    handler: (call) => setWithTime(call, true),
  },
  {
    name: 'psetex',
    arity: 4,
    flags: ['write', 'denyoom'],
    keys: keyRange(1, 1, 1, 'OW', 'update'),
    group: 'string',
    categories: ['string'],
    since: '2.6.0',
    summary: 'Writes a string that expires after some milliseconds.',
    complexity: 'O(1)',
    deprecated: { since: '2.6.12', replacedBy: '`SET` with the `PX` argument' },
    arguments: [KEY, { name: 'milliseconds', type: 'integer' }, VALUE],
    handler: (call) => setWithTime(call, false),
  },
  {
    name: 'getset',
    arity: 3,
    flags: ['write', 'denyoom', 'fast'],
    keys: keyRange(1, 1, 1, 'RW', 'access', 'update'),
    group: 'string',
    categories: ['string'],
    since: '1.0.0',
    summary: 'Writes a string and replies with the old value.',
    complexity: 'O(1)',
    deprecated: { since: '6.2.0', replacedBy: '`SET` with the `!GET` argument' },
    arguments: [KEY, VALUE],
    handler: getset,
  },
  {
    name: 'getdel',
    arity: 2,
    flags: ['write', 'fast'],
    keys: keyRange(1, 1, 1, 'RW', 'access', 'delete'),
    group: 'string',
    categories: ['string'],
    since: '6.2.0',
    summary: 'Reads a string and removes its key.',
    complexity: 'O(1)',
    arguments: [KEY],
    handler: getdel,
  },
  {
    name: 'getex',
    arity: -2,
    flags: ['write', 'fast'],
    keys: keyRange(1, 1, 1, 'RW', 'access', 'update'),
    group: 'string',
    categories: ['string'],
    since: '6.2.0',
    summary: 'Reads a string and sets or removes its expiry.',
    complexity: 'O(1)',
    arguments: [KEY, optional(oneOf('expiration', ...TIMES, token('persist')))],
    handler: getex,
  },
  {
    name: 'digest',
    arity: 2,
    flags: ['readonly', 'fast'],
    keys: keyRange(1, 1, 1, 'RO', 'access'),
    group: 'string',
    categories: ['string'],
    since: '8.4.0',
    summary: 'The XXH3 digest of a string, for the conditions IFDEQ and IFDNE.',
    complexity: 'O(N), N being the length of the value',
    arguments: [KEY],
    handler: digest,
  },
  {
    name: 'delex',
    arity: -2,
    flags: ['write', 'fast'],
    keys: keyRange(1, 1, 1, 'RW', 'delete', 'variable_flags'),
    keyFlags: (request, at) => (request.argc - at > 2 ? ['RW', 'access', 'delete'] : ['RM', 'delete']),
    group: 'string',
    categories: ['string'],
    since: '8.4.0',
    summary: 'Removes a key if its value, or the digest of its value, is or is not the given one.',
    complexity: 'O(1) for IFEQ and IFNE, O(N) for IFDEQ and IFDNE, N being the length of the value',
    arguments: [KEY, optional(oneOf('condition', ...COMPARISONS))],
    handler: delex,
  },
]
