import { LIMITS } from '../../base/limits.js'
import type { Ref } from '../../memory/arena.js'
import type { Call } from '../call.js'
import type { ArgumentSpec, CommandSpec } from '../command-spec.js'
import type { ReadSteps } from '../services.js'
import { FIELDS_BLOCK, hashSpec, readHash, writtenHash } from './arguments.js'
import { changeExpiries } from './expiry-changes.js'
import { checkFields, checkFieldsBefore, fieldExpiryTime } from './field-arguments.js'

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
  const isPast = at <= call.nowMs
  const answer = (_: number, expiresAt: number, isAgain: boolean): boolean => {
    const isThere = expiresAt === expiresAt && !(isAgain && isPast)
    const isAllowed = isThere && allows(condition, at, isAgain ? at : expiresAt)
    call.reply.integer(!isThere ? NO_FIELD : !isAllowed ? CONDITION_NOT_MET : isPast ? REMOVED : DONE)
    return isAllowed
  }
  changeExpiries(call, root, { first, end, at, event: 'hexpire', answer })
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
  call.read(1, 1, call.argc - first, expirySteps(call, root, first, answer))
}

function* expirySteps(call: Call, root: Ref, first: number, answer: (at: number) => number): ReadSteps {
  const { nowMs } = call
  const { buf, off, len } = call.request
  call.reply.array(call.argc - first)
  for (let i = first; i < call.argc; i++) {
    const at = call.collections.hashes.expiryOf(call.db, root, buf, off[i], len[i], nowMs)
    call.reply.integer(at !== at ? NO_FIELD : at === Infinity ? NO_EXPIRY : answer(at))
    if (i % LIMITS.slicedReadStep === 0) yield
  }
}

function hpersist(call: Call): void {
  const root = writtenHash(call)
  const first = checkFields(call, 2, 'ERR Number of fields must be a positive integer')
  const answer = (_: number, expiresAt: number, isAgain: boolean): boolean => {
    const hasExpiry = expiresAt < Infinity && !isAgain
    call.reply.integer(expiresAt !== expiresAt ? NO_FIELD : hasExpiry ? DONE : NO_EXPIRY)
    return hasExpiry
  }
  changeExpiries(call, root, { first, end: call.argc, at: Infinity, event: 'hpersist', answer })
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
    (call) => {
      const { nowMs } = call
      replyExpiries(call, (at) => answer(at, nowMs))
    },
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
