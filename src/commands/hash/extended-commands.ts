import { NotificationClass } from '../../base/notification-classes.js'
import { ExpiryMode } from '../../keyspace/string-store.js'
import type { Ref } from '../../memory/arena.js'
import type { Call } from '../call.js'
import { CommandError } from '../command-error.js'
import type { ArgumentSpec, CommandSpec } from '../command-spec.js'
import { FIELD_PAIRS, FIELDS_BLOCK, hashSpec, writtenHash } from './arguments.js'
import { checkFields, checkFieldsBefore, fieldExpiryTime } from './field-arguments.js'
import { replyField } from './field-commands.js'
import { notifyFields, notifyIfGone, notifyListedFields, notifyRemoval } from './field-events.js'
import { NamedFields } from './named-fields.js'

/** HGETDEL, HGETEX, HSETEX: reading or writing fields and something else at once. */
const NOT_POSITIVE = 'ERR Number of fields must be a positive integer'
const BAD_FIELD_COUNT = 'ERR invalid number of fields'
const WRONG_FIELD_COUNT = "ERR wrong number of arguments for 'hsetex' command"

const TIMES: readonly ArgumentSpec[] = [
  { name: 'seconds', type: 'integer', token: 'EX' },
  { name: 'milliseconds', type: 'integer', token: 'PX' },
  { name: 'unix-time-seconds', type: 'unix-time', token: 'EXAT' },
  { name: 'unix-time-milliseconds', type: 'unix-time', token: 'PXAT' },
]

function hgetdel(call: Call): void {
  const root = writtenHash(call)
  const first = checkFields(call, 2, NOT_POSITIVE)
  replyFields(call, root, first, call.argc, true)
  const { hashes } = call.collections
  const due = hashes.dueFields(call.db, root, call.request, first, call.argc)
  const removed = hashes.removeFields(call.db, root, call.database, call.request, first, call.argc)
  if (due.length > 0) call.engine.statistics.expiredFields += due.length
  if (removed > 0) notifyRemoval(call, hashes.distinct.picked, removed, due)
}

/** once: a field that is named again is gone by then. */
function replyFields(call: Call, root: Ref, first: number, end: number, once: boolean): void {
  const named = new NamedFields(call)
  call.reply.array(end - first)
  for (let i = first; i < end; i++) {
    if (once && !named.add(i)) call.reply.null()
    else replyField(call, root, i)
  }
}

/** The time that options EX, PX, EXAT or PXAT at argument i ask for, in Unix ms; NaN when it is none of them. */
function optionTime(call: Call, i: number): number {
  const isTime = call.is(i, 'EX') || call.is(i, 'PX') || call.is(i, 'EXAT') || call.is(i, 'PXAT')
  if (isTime && i + 1 === call.argc) throw new CommandError('ERR missing expire time')
  if (call.is(i, 'EX')) return fieldExpiryTime(call, i + 1, 1000, call.nowMs)
  if (call.is(i, 'PX')) return fieldExpiryTime(call, i + 1, 1, call.nowMs)
  if (call.is(i, 'EXAT')) return fieldExpiryTime(call, i + 1, 1000, 0)
  return call.is(i, 'PXAT') ? fieldExpiryTime(call, i + 1, 1, 0) : NaN
}

function hgetex(call: Call): void {
  const { hashes } = call.collections
  const root = writtenHash(call)
  let at = NaN
  let persists = false
  /** Gives the argument behind the option at i, or i when it is none or another has been given. */
  const parseOption = (i: number): number => {
    if (persists || at === at) return i
    persists = call.is(i, 'PERSIST')
    if (persists) return i + 1
    at = optionTime(call, i)
    return at === at ? i + 2 : i
  }
  const first = parseOption(2) + 2
  const end = checkFieldsBefore(call, first - 2, NOT_POSITIVE, parseOption)
  const hasTime = at === at
  replyFields(call, root, first, end, hasTime && at <= call.nowMs)
  if (!hasTime && !persists) return
  const { buf, off, len } = call.request
  const chosen: number[] = []
  for (let i = first; i < end; i++) {
    const current = hashes.expiryOf(call.db, root, buf, off[i], len[i])
    if (current === current && (hasTime || current !== Infinity)) chosen.push(i)
  }
  if (chosen.length === 0) return
  const { distinct } = hashes
  if (hasTime && at <= call.nowMs) {
    hashes.removeKnown(call.database, call.request, chosen)
    notifyRemoval(call, distinct.picked, distinct.count)
    return
  }
  hashes.expireFields(call.database, call.request, chosen, hasTime ? at : Infinity)
  // A field that is named again is given the time again, but has no more to be taken away.
  if (hasTime) notifyListedFields(call, 'hexpire', chosen)
  else notifyListedFields(call, 'hpersist', distinct.picked, distinct.count)
}

function hsetex(call: Call): void {
  const { hashes } = call.collections
  let condition = 0
  let at = NaN
  let keeps = false
  let first = 0
  let end = 0
  for (let i = 2; i < call.argc; i++) {
    if (first === 0 && call.is(i, 'FIELDS')) {
      const count = i + 1 < call.argc ? call.integer(i + 1, BAD_FIELD_COUNT) : 0
      if (count < 1) throw new CommandError(BAD_FIELD_COUNT)
      first = i + 2
      end = first + count * 2
      if (end > call.argc) throw new CommandError(WRONG_FIELD_COUNT)
      i = end - 1
      continue
    }
    const isCondition = call.is(i, 'FNX') ? 1 : call.is(i, 'FXX') ? 2 : 0
    if (isCondition !== 0) {
      if (condition !== 0) throw new CommandError('ERR Only one of FXX or FNX arguments can be specified')
      condition = isCondition
      continue
    }
    const isKeep = call.is(i, 'KEEPTTL')
    const isTime = call.is(i, 'EX') || call.is(i, 'PX') || call.is(i, 'EXAT') || call.is(i, 'PXAT')
    // Options may come behind the fields, as in Redis 8.4; what is none is taken for a field too many.
    if (!isKeep && !isTime && first > 0) throw new CommandError(WRONG_FIELD_COUNT)
    if (!isKeep && !isTime) throw new CommandError(`ERR unknown argument: ${call.text(i)}`)
    if (keeps || at === at) {
      throw new CommandError('ERR Only one of EX, PX, EXAT, PXAT or KEEPTTL arguments can be specified')
    }
    if (isKeep) {
      keeps = true
    } else {
      at = optionTime(call, i)
      i++
    }
  }
  if (first === 0) throw new CommandError('ERR missing FIELDS argument')
  const root = writtenHash(call)
  if (condition !== 0 && !conditionHolds(call, root, first, end, condition === 2)) {
    call.reply.integer(0)
    return
  }
  if (at <= call.nowMs) {
    // What would be due at once is not written at all. Its events are those of a write and a removal, as in Redis.
    const fields: number[] = []
    for (let f = first; f < end; f += 2) if (has(call, root, f)) fields.push(f)
    if (fields.length > 0) hashes.removeKnown(call.database, call.request, fields)
    if (root === 0) call.notify(NotificationClass.newKey, 'new', 1)
    notifyFields(call, 'hset', first, end, 2)
    notifyFields(call, 'hdel', first, end, 2)
    notifyIfGone(call)
    call.reply.integer(1)
    return
  }
  if (keeps) hashes.setKeeping(call.db, root, call.database, call.request, first, end)
  else {
    const mode = at === at ? ExpiryMode.set : ExpiryMode.clear
    hashes.setFields(call.database, call.request, first, end, mode, at)
  }
  notifyFields(call, 'hset', first, end, 2)
  if (at === at) notifyFields(call, 'hexpire', first, end, 2)
  call.reply.integer(1)
}

function has(call: Call, root: Ref, i: number): boolean {
  const { buf, off, len } = call.request
  return call.collections.hashes.has(call.db, root, buf, off[i], len[i])
}

/** All of the fields are there, or none of them. */
function conditionHolds(call: Call, root: Ref, first: number, end: number, wanted: boolean): boolean {
  for (let i = first; i < end; i += 2) if (has(call, root, i) !== wanted) return false
  return true
}

export const EXTENDED_COMMANDS: readonly CommandSpec[] = [
  hashSpec(
    'hgetdel',
    -5,
    ['write', 'fast'],
    ['RW', 'access', 'delete'],
    '8.0.0',
    'Reads fields of a hash and removes them.',
    'O(N), N being the number of fields',
    [FIELDS_BLOCK],
    hgetdel,
  ),
  hashSpec(
    'hgetex',
    -5,
    ['write', 'fast'],
    ['RW', 'access', 'update'],
    '8.0.0',
    'Reads fields of a hash; may set or take away their expiry.',
    'O(N), N being the number of fields',
    [
      {
        name: 'expiration',
        type: 'oneof',
        flags: ['optional'],
        arguments: [...TIMES, { name: 'persist', type: 'pure-token', token: 'PERSIST' }],
      },
      FIELDS_BLOCK,
    ],
    hgetex,
  ),
  hashSpec(
    'hsetex',
    -6,
    ['write', 'denyoom', 'fast'],
    ['RW', 'update'],
    '8.0.0',
    'Writes fields of a hash with an expiry, if all or none of them exist.',
    'O(N), N being the number of fields',
    [
      {
        name: 'condition',
        type: 'oneof',
        flags: ['optional'],
        arguments: [
          { name: 'fnx', type: 'pure-token', token: 'FNX' },
          { name: 'fxx', type: 'pure-token', token: 'FXX' },
        ],
      },
      {
        name: 'expiration',
        type: 'oneof',
        flags: ['optional'],
        arguments: [...TIMES, { name: 'keepttl', type: 'pure-token', token: 'KEEPTTL' }],
      },
      {
        name: 'fields',
        type: 'block',
        token: 'FIELDS',
        arguments: [{ name: 'numfields', type: 'integer' }, FIELD_PAIRS],
      },
    ],
    hsetex,
  ),
]
