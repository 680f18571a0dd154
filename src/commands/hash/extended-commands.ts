import { LIMITS } from '../../base/limits.js'
import { NotificationClass } from '../../base/notification-classes.js'
import { DistinctRanges } from '../../keyspace/byte-ranges.js'
import { FieldsWriter, KEPT_EXPIRY } from '../../keyspace/hash-store.js'
import { ExpiryMode } from '../../keyspace/string-store.js'
import type { Ref } from '../../memory/arena.js'
import type { Call } from '../call.js'
import { CommandError } from '../command-error.js'
import type { ArgumentSpec, CommandSpec } from '../command-spec.js'
import type { ReadSteps, WriteSteps } from '../services.js'
import { FIELD_PAIRS, FIELDS_BLOCK, hashSpec, writtenHash } from './arguments.js'
import { ChosenFields, fieldsToChoose } from './chosen-fields.js'
import { changeExpiries } from './expiry-changes.js'
import { checkFields, checkFieldsBefore, fieldExpiryTime } from './field-arguments.js'
import { replyField } from './field-commands.js'
import { addedSteps, listedSteps, notifyFields, notifyIfGone, notifyListedFields } from './field-events.js'
import { buildRemoval } from './field-steps.js'

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
  const { hashes } = call.collections
  if (call.bringsMany(call.argc - first) && !hashes.mayHaveCounters(call.db, root)) {
    call.writeKeyInSlices(1, takeSteps(call, root, first))
    return
  }
  const chosen = fieldsToChoose(call.request, call.argc - first)
  const due: number[] = []
  for (const steps = giveSteps(call, root, first, chosen, due); steps.next().done !== true;);
  const { distinct, listed, count } = chosen
  if (distinct.count === 0) return
  hashes.removeKnown(call.database, call.request, distinct)
  call.engine.statistics.expiredFields += due.length
  if (due.length > 0) notifyListedFields(call, 'hexpired', due)
  if (count > 0) notifyListedFields(call, 'hdel', listed, count)
  notifyIfGone(call)
}

/** HGETDEL of many. */
function* takeSteps(call: Call, root: Ref, first: number): WriteSteps {
  const chosen = new ChosenFields().begin(call.request, call.argc - first)
  const due: number[] = []
  yield* giveSteps(call, root, first, chosen, due)
  const { distinct, listed, count } = chosen
  if (distinct.count === 0) return
  yield* buildRemoval(call, root, distinct)
  yield 'commit'
  call.engine.statistics.expiredFields += due.length
  if (due.length > 0) yield* listedSteps(call, 'hexpired', due, due.length)
  if (count > 0) yield* listedSteps(call, 'hdel', listed, count)
  notifyIfGone(call)
}

/**
 * Replies with the values of the fields from argument `first` on, and chooses those that are there; `due` gets those that are there and that clients do not see, for
 * their time is up. A field that is named again is gone by then.
 */
function* giveSteps(call: Call, root: Ref, first: number, chosen: ChosenFields, due: number[]): Generator<undefined, void> {
  const { nowMs } = call
  const { hashes } = call.collections
  const { buf, off, len } = call.request
  call.reply.array(call.argc - first)
  for (let i = first; i < call.argc; i++) {
    const isThere = !chosen.has(i) && hashes.holds(call.db, root, buf, off[i], len[i])
    const isShown = isThere && hashes.find(call.db, root, buf, off[i], len[i], nowMs)
    if (isShown) call.reply.bulk(hashes.buf, hashes.off, hashes.len)
    else call.reply.null()
    if (isThere) chosen.choose(i, isShown)
    if (isThere && !isShown) due.push(i)
    if (i % LIMITS.slicedReadStep === 0) yield
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
  const { nowMs } = call
  if (at !== at && !persists) {
    call.read(1, 1, end - first, valueSteps(call, root, first, end))
    return
  }
  const isPast = at <= nowMs
  // A field that is named again is given the time again, but has none that could be taken away, and is gone if the time is past.
  const answer = (i: number, expiresAt: number, isAgain: boolean): boolean => {
    const isGone = isAgain && isPast
    if (isGone) call.reply.null()
    else replyField(call, root, i, nowMs)
    return persists ? expiresAt < Infinity && !isAgain : expiresAt === expiresAt && !isGone
  }
  changeExpiries(call, root, {
    first,
    end,
    at: persists ? Infinity : at,
    event: persists ? 'hpersist' : 'hexpire',
    answer,
  })
}

function* valueSteps(call: Call, root: Ref, first: number, end: number): ReadSteps {
  const { nowMs } = call
  call.reply.array(end - first)
  for (let i = first; i < end; i++) {
    replyField(call, root, i, nowMs)
    if (i % LIMITS.slicedReadStep === 0) yield
  }
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
  if (call.bringsMany(end - first) && !hashes.mayHaveCounters(call.db, root)) {
    const set = { first, end, condition, at, keeps, isPast: at <= call.nowMs }
    call.writeKeyInSlices(1, setSteps(call, root, set))
    return
  }
  if (condition !== 0 && !conditionHolds(call, root, first, end, condition === 2)) {
    call.reply.integer(0)
    return
  }
  if (at <= call.nowMs) {
    // What would be due at once is not written at all. Its events are those of a write and a removal, as in Redis.
    const fields = new DistinctRanges()
    fields.begin((end - first) / 2)
    for (let f = first; f < end; f += 2) if (has(call, root, f)) fields.pick(call.request, f)
    if (fields.count > 0) hashes.removeKnown(call.database, call.request, fields)
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

/** HSETEX of many. condition: 1: none of the fields may be there, 2: all must be. at: Unix ms, NaN for none. */
interface FieldsToSet {
  readonly first: number
  readonly end: number
  readonly condition: number
  readonly at: number
  readonly keeps: boolean
  readonly isPast: boolean
}

function* setSteps(call: Call, root: Ref, { first, end, condition, at, keeps, isPast }: FieldsToSet): WriteSteps {
  const { op, nowMs, request } = call
  const { buf, off, len } = request
  const isThere = (i: number): boolean => has(call, root, i, nowMs)
  if (condition !== 0) {
    for (let i = first; i < end; i += 2) {
      if (isThere(i) !== (condition === 2)) {
        call.reply.integer(0)
        return
      }
      if (i % LIMITS.slicedReadStep < 2) yield
    }
  }
  const distinct = new DistinctRanges()
  if (isPast) {
    distinct.begin((end - first) / 2)
    for (let i = first; i < end; i += 2) {
      if (isThere(i)) distinct.pick(request, i)
      if (i % LIMITS.slicedReadStep < 2) yield
    }
    if (distinct.count > 0) {
      yield* buildRemoval(call, root, distinct)
      yield 'commit'
    }
    yield* addedSteps(call, 'hset', first, end, 2, root !== 0)
    yield* addedSteps(call, 'hdel', first, end, 2, true)
    notifyIfGone(call)
    call.reply.integer(1)
    return
  }
  yield* distinct.pickLastInSteps(request, first, end, 2)
  if (root === 0) yield* call.clearInSteps(1)
  const writer = new FieldsWriter(op, call.place(1))
  // Fields that clients do not see have no expiry to keep. An effect is about fields of one kind.
  for (const kept of keeps ? [true, false] : [false]) {
    const time = kept ? KEPT_EXPIRY : at === at ? at : Infinity
    for (let p = 0; p < distinct.count; p++) {
      const i = distinct.picked[p]
      if (!keeps || isThere(i) === kept) writer.push(buf, off[i], len[i], buf, off[i + 1], len[i + 1], time)
      if (p % LIMITS.slicedReadStep === 0) yield
    }
  }
  yield 'commit'
  yield* addedSteps(call, 'hset', first, end, 2, root !== 0)
  if (at === at) yield* addedSteps(call, 'hexpire', first, end, 2, true)
  call.reply.integer(1)
}

function has(call: Call, root: Ref, i: number, nowMs = call.nowMs): boolean {
  const { buf, off, len } = call.request
  return call.collections.hashes.has(call.db, root, buf, off[i], len[i], nowMs)
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
