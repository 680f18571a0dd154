import { NotificationClass } from '../../base/notification-classes.js'
import { expiryTime, type TimeUnit } from '../expiry-time.js'
import type { Call } from '../call.js'
import { CommandError } from '../command-error.js'
import { keyRange, type ArgumentSpec, type CommandSpec } from '../command-spec.js'

const SECONDS: TimeUnit = 1000
const MILLISECONDS: TimeUnit = 1

const KEY: ArgumentSpec = { name: 'key', type: 'key', keySpecIndex: 0 }
const CONDITION: ArgumentSpec = {
  name: 'condition',
  type: 'oneof',
  flags: ['optional'],
  since: '7.0.0',
  arguments: [
    { name: 'nx', type: 'pure-token', token: 'NX' },
    { name: 'xx', type: 'pure-token', token: 'XX' },
    { name: 'gt', type: 'pure-token', token: 'GT' },
    { name: 'lt', type: 'pure-token', token: 'LT' },
  ],
}

/** EXPIRE and its kin: when a key goes by itself. Concurrent times: the latest wins, PERSIST over all. */
export const EXPIRY_COMMANDS: readonly CommandSpec[] = [
  expiring('expire', '1.0.0', 'Lets a key go after a number of seconds.', { name: 'seconds', type: 'integer' }, SECONDS, true),
  expiring(
    'pexpire',
    '2.6.0',
    'Lets a key go after a number of milliseconds.',
    { name: 'milliseconds', type: 'integer' },
    MILLISECONDS,
    true,
  ),
  expiring(
    'expireat',
    '1.2.0',
    'Lets a key go at a Unix time in seconds.',
    { name: 'unix-time-seconds', type: 'unix-time' },
    SECONDS,
    false,
  ),
  expiring(
    'pexpireat',
    '2.6.0',
    'Lets a key go at a Unix time in milliseconds.',
    { name: 'unix-time-milliseconds', type: 'unix-time' },
    MILLISECONDS,
    false,
  ),
  asking('ttl', '1.0.0', 'Seconds that a key has left; -1 without an expiry, -2 without the key.', (at, now) =>
    toSeconds(at - now),
  ),
  asking('pttl', '2.6.0', 'Milliseconds that a key has left; -1 without an expiry, -2 without the key.', (at, now) => at - now),
  asking('expiretime', '7.0.0', 'Unix time in seconds at which a key goes; -1 without an expiry, -2 without the key.', toSeconds),
  asking(
    'pexpiretime',
    '7.0.0',
    'Unix time in milliseconds at which a key goes; -1 without an expiry, -2 without the key.',
    (at) => at,
  ),
  {
    name: 'persist',
    arity: 2,
    flags: ['write', 'fast'],
    keys: keyRange(1, 1, 1, 'RW', 'update'),
    group: 'generic',
    categories: ['keyspace'],
    since: '2.2.0',
    summary: 'Takes the expiry of a key away.',
    complexity: 'O(1)',
    arguments: [KEY],
    handler: (call) => {
      const ref = call.find(1)
      if (ref === 0 || call.db.expiresAt(ref) === Infinity) {
        call.reply.integer(0)
        return
      }
      const { buf, off, len } = call.request
      call.effects.expire(call.database, buf, off[1], len[1], Infinity)
      call.notify(NotificationClass.generic, 'persist', 1)
      call.reply.integer(1)
    },
  },
]

function expiring(
  name: string,
  since: string,
  summary: string,
  time: ArgumentSpec,
  unit: TimeUnit,
  relative: boolean,
): CommandSpec {
  return {
    name,
    arity: -3,
    flags: ['write', 'fast'],
    keys: keyRange(1, 1, 1, 'RW', 'update'),
    group: 'generic',
    categories: ['keyspace'],
    since,
    history: [['7.0.0', 'The conditions NX, XX, GT and LT.']],
    summary,
    complexity: 'O(1)',
    arguments: [KEY, time, CONDITION],
    handler: (call) => expire(call, unit, relative ? call.nowMs : 0),
  }
}

/** answer gets the time of expiry and now, in Unix ms. */
function asking(name: string, since: string, summary: string, answer: (at: number, now: number) => number): CommandSpec {
  return {
    name,
    arity: 2,
    flags: ['readonly', 'fast'],
    keys: keyRange(1, 1, 1, 'RO', 'access'),
    group: 'generic',
    categories: ['keyspace'],
    since,
    history: name === 'ttl' || name === 'pttl' ? [['2.8.0', 'The reply -2.']] : [],
    summary,
    complexity: 'O(1)',
    tips: name === 'ttl' || name === 'pttl' ? ['nondeterministic_output'] : [],
    arguments: [KEY],
    handler: (call) => {
      const ref = call.findUntouched(1)
      const at = ref === 0 ? 0 : call.db.expiresAt(ref)
      call.reply.integer(ref === 0 ? -2 : at === Infinity ? -1 : answer(at, call.nowMs))
    },
  }
}

/** To the nearest second, as Redis rounds. */
function toSeconds(ms: number): number {
  return Math.floor((ms + 500) / 1000)
}

const NX = 1
const XX = 2
const GT = 4
const LT = 8

function expire(call: Call, unit: TimeUnit, baseMs: number): void {
  const condition = call.argc === 3 ? 0 : parseCondition(call)
  const at = expiryTime(call, 2, unit, baseMs)
  const ref = call.find(1)
  if (ref === 0 || (condition !== 0 && !allows(condition, at, call.db.expiresAt(ref)))) {
    call.reply.integer(0)
    return
  }
  const { buf, off, len } = call.request
  if (at <= call.nowMs) {
    call.effects.remove(call.database, buf, off[1], len[1])
    call.notify(NotificationClass.generic, 'del', 1)
  } else {
    call.effects.expire(call.database, buf, off[1], len[1], at)
    call.notify(NotificationClass.generic, 'expire', 1)
  }
  call.reply.integer(1)
}

function parseCondition(call: Call): number {
  let condition = 0
  for (let i = 3; i < call.argc; i++) {
    if (call.is(i, 'NX')) condition |= NX
    else if (call.is(i, 'XX')) condition |= XX
    else if (call.is(i, 'GT')) condition |= GT
    else if (call.is(i, 'LT')) condition |= LT
    else throw new CommandError(`ERR Unsupported option ${call.text(i)}`)
  }
  if ((condition & NX) !== 0 && condition !== NX) {
    throw new CommandError('ERR NX and XX, GT or LT options at the same time are not compatible')
  }
  if ((condition & (GT | LT)) === (GT | LT)) throw new CommandError('ERR GT and LT options at the same time are not compatible')
  return condition
}

/** current is Infinity for a key without an expiry: later than any time. */
function allows(condition: number, at: number, current: number): boolean {
  if ((condition & NX) !== 0 && current !== Infinity) return false
  if ((condition & XX) !== 0 && current === Infinity) return false
  if ((condition & GT) !== 0 && at <= current) return false
  return (condition & LT) === 0 || at < current
}
