import type { Call } from '../call.js'
import type { ArgumentSpec, CommandSpec } from '../command-spec.js'
import { FIELDS_BLOCK, hashSpec, readHash, writtenHash } from './arguments.js'
import { checkFields, checkFieldsBefore, fieldExpiryTime } from './field-arguments.js'
import { notifyListedFields, notifyRemoval } from './field-events.js'
import { NamedFields } from './named-fields.js'

/** HEXPIRE and its kin: when a field goes by itself. Concurrent times: the latest wins, HPERSIST over all. */
const SECONDS = 1000
const MILLISECONDS = 1

/** Replies for one field. */
const NO_FIELD = -2
const NO_EXPIRY = -1
const CONDITION_NOT_MET = 0
const DONE = 1
const REMOVED = 2

const NX = 1
const XX = 2
const GT = 3
const LT = 4

const CONDITION: ArgumentSpec = {
  name: 'condition',
  type: 'oneof',
  flags: ['optional'],
  arguments: [
    { name: 'nx', type: 'pure-token', token: 'NX' },
    { name: 'xx', type: 'pure-token', token: 'XX' },
    { name: 'gt', type: 'pure-token', token: 'GT' },
    { name: 'lt', type: 'pure-token', token: 'LT' },
  ],
}

function hexpire(call: Call, unit: 1 | 1000, base: number): void {
  const root = writtenHash(call)
  const at = fieldExpiryTime(call, 2, unit, base)
  let condition = conditionAt(call, 3)
  const first = condition === 0 ? 5 : 6
  const end = checkFieldsBefore(call, first - 2, 'ERR Parameter `numFields` should be greater than 0', (i) => {
    if (condition !== 0) return i
    condition = conditionAt(call, i)
    return condition === 0 ? i : i + 1
  })
  const { hashes } = call.collections
  const { buf, off, len } = call.request
  const isPast = at <= call.nowMs
  const chosen: number[] = []
  const named = new NamedFields(call)
  call.reply.array(end - first)
  for (let i = first; i < end; i++) {
    const current = hashes.expiryOf(call.db, root, buf, off[i], len[i])
    const isRepeated = current === current && named.has(i)
    if (current !== current || (isRepeated && isPast)) call.reply.integer(NO_FIELD)
    else if (!allows(condition, at, isRepeated ? at : current)) call.reply.integer(CONDITION_NOT_MET)
    else {
      chosen.push(i)
      named.add(i)
      call.reply.integer(isPast ? REMOVED : DONE)
    }
  }
  if (chosen.length === 0) return
  if (isPast) {
    hashes.removeKnown(call.database, call.request, chosen)
    notifyRemoval(call, chosen)
  } else {
    hashes.expireFields(call.database, call.request, chosen, at)
    notifyListedFields(call, 'hexpire', chosen)
  }
}

function conditionAt(call: Call, i: number): number {
  return call.is(i, 'NX') ? NX : call.is(i, 'XX') ? XX : call.is(i, 'GT') ? GT : call.is(i, 'LT') ? LT : 0
}

/** current is Infinity for a field without an expiry. */
function allows(condition: number, at: number, current: number): boolean {
  if (condition === NX) return current === Infinity
  if (condition === XX) return current !== Infinity
  if (condition === GT) return current !== Infinity && at > current
  return condition !== LT || at < current
}

/** answer gets the time of expiry, in Unix ms. */
function replyExpiries(call: Call, answer: (at: number) => number): void {
  const root = readHash(call)
  const first = checkFields(call, 2, 'ERR Number of fields must be a positive integer')
  const { buf, off, len } = call.request
  call.reply.array(call.argc - first)
  for (let i = first; i < call.argc; i++) {
    const at = call.collections.hashes.expiryOf(call.db, root, buf, off[i], len[i])
    call.reply.integer(at !== at ? NO_FIELD : at === Infinity ? NO_EXPIRY : answer(at))
  }
}

function hpersist(call: Call): void {
  const root = writtenHash(call)
  const first = checkFields(call, 2, 'ERR Number of fields must be a positive integer')
  const { hashes } = call.collections
  const { buf, off, len } = call.request
  const chosen: number[] = []
  const named = new NamedFields(call)
  call.reply.array(call.argc - first)
  for (let i = first; i < call.argc; i++) {
    const at = hashes.expiryOf(call.db, root, buf, off[i], len[i])
    if (at !== at) call.reply.integer(NO_FIELD)
    else if (at === Infinity || named.has(i)) call.reply.integer(NO_EXPIRY)
    else {
      chosen.push(i)
      named.add(i)
      call.reply.integer(DONE)
    }
  }
  if (chosen.length === 0) return
  hashes.expireFields(call.database, call.request, chosen, Infinity)
  notifyListedFields(call, 'hpersist', chosen)
}

function expiring(name: string, summary: string, time: ArgumentSpec, unit: 1 | 1000, isRelative: boolean): CommandSpec {
  return hashSpec(
    name,
    -6,
    ['write', 'denyoom', 'fast'],
    ['RW', 'update'],
    '7.4.0',
    summary,
    'O(N), N being the number of fields',
    [time, CONDITION, FIELDS_BLOCK],
    (call) => hexpire(call, unit, isRelative ? call.nowMs : 0),
  )
}

function asking(name: string, summary: string, answer: (at: number, now: number) => number): CommandSpec {
  const spec = hashSpec(
    name,
    -5,
    ['readonly', 'fast'],
    ['RO', 'access'],
    '7.4.0',
    summary,
    'O(N), N being the number of fields',
    [FIELDS_BLOCK],
    (call) => replyExpiries(call, (at) => answer(at, call.nowMs)),
  )
  return name.endsWith('ttl') ? { ...spec, tips: ['nondeterministic_output'] } : spec
}

/** Upwards: a field that has some of a second left has it. */
function toSeconds(ms: number): number {
  return Math.floor((ms + 999) / 1000)
}

export const FIELD_EXPIRY_COMMANDS: readonly CommandSpec[] = [
  expiring('hexpire', 'Lets fields go after a number of seconds.', { name: 'seconds', type: 'integer' }, SECONDS, true),
  expiring(
    'hpexpire',
    'Lets fields go after a number of milliseconds.',
    { name: 'milliseconds', type: 'integer' },
    MILLISECONDS,
    true,
  ),
  expiring(
    'hexpireat',
    'Lets fields go at a Unix time in seconds.',
    { name: 'unix-time-seconds', type: 'unix-time' },
    SECONDS,
    false,
  ),
  expiring(
    'hpexpireat',
    'Lets fields go at a Unix time in milliseconds.',
    { name: 'unix-time-milliseconds', type: 'unix-time' },
    MILLISECONDS,
    false,
  ),
  asking('httl', 'Seconds that fields have left; -1 without an expiry, -2 without the field.', (at, now) => toSeconds(at - now)),
  asking('hpttl', 'Milliseconds that fields have left; -1 without an expiry, -2 without the field.', (at, now) => at - now),
  asking('hexpiretime', 'Unix times in seconds at which fields go; -1 without an expiry, -2 without the field.', toSeconds),
  asking(
    'hpexpiretime',
    'Unix times in milliseconds at which fields go; -1 without an expiry, -2 without the field.',
    (at) => at,
  ),
  hashSpec(
    'hpersist',
    -5,
    ['write', 'fast'],
    ['RW', 'update'],
    '7.4.0',
    'Takes the expiries of fields away.',
    'O(N), N being the number of fields',
    [FIELDS_BLOCK],
    hpersist,
  ),
]
