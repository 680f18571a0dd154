import { LIMITS } from '../../base/limits.js'
import { NotificationClass } from '../../base/notification-classes.js'
import { DistinctRanges } from '../../keyspace/byte-ranges.js'
import { KeyType, TYPE_COUNT } from '../../keyspace/database.js'
import { ExpiryMode } from '../../keyspace/string-store.js'
import type { Ref } from '../../memory/arena.js'
import type { Call } from '../call.js'
import { CommandError } from '../command-error.js'
import { keyRange, type CommandSpec } from '../command-spec.js'
import { canRemoveInSteps, countInSteps, eachKey, findAt } from '../many-keys.js'
import type { KeyRange, ReadSteps, WriteSteps } from '../services.js'
import { KEYS, oneOf, optional, PAIRS, TIMES, token } from './arguments.js'
import { Condition, OptionSet, SetOptions } from './set-options.js'
import { notifyWritten, replyValue, writeValue } from './value-commands.js'

/** MGET and the MSET family: many whole values at once, as one op. */
const options = new SetOptions()
/** Redis reads the number of keys as a C int. */
const MAX_KEYS = 2 ** 31 - 1

function mget(call: Call): void {
  const { argc } = call
  if (call.hasManyKeys(argc - 1, true)) {
    const keys = { first: 1, end: argc, step: 1 }
    call.workOnKeysInSlices(keys, mgetSteps(call, keys))
    return
  }
  call.reply.array(argc - 1)
  for (let i = 1; i < argc; i++) replyString(call, i)
}

function* mgetSteps(call: Call, keys: KeyRange): ReadSteps {
  call.reply.array(keys.end - keys.first)
  yield* eachKey(call, keys, (i) => replyString(call, i))
}

function replyString(call: Call, i: number): void {
  const ref = call.findForRead(i)
  replyValue(call, ref !== 0 && call.isString(ref) ? ref : 0)
}

function mset(call: Call): void {
  checkPairs(call)
  if (call.hasManyKeys((call.argc - 1) / 2)) {
    writeInSlices(call, { keys: pairs(1, call.argc), wanted: -1, mode: ExpiryMode.clear, at: 0, repliesOk: true })
    return
  }
  for (let i = 1; i < call.argc; i += 2) writeValue(call, i, i + 1, ExpiryMode.clear, 0)
  call.reply.ok()
}

function msetnx(call: Call): void {
  checkPairs(call)
  if (call.hasManyKeys((call.argc - 1) / 2)) {
    writeInSlices(call, { keys: pairs(1, call.argc), wanted: 0, mode: ExpiryMode.clear, at: 0, repliesOk: false })
    return
  }
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
  if (call.hasManyKeys(count)) {
    const wanted = condition === Condition.none ? -1 : condition === Condition.nx ? 0 : count
    writeInSlices(call, { keys: pairs(2, end), wanted, mode: expiryMode, at, repliesOk: false })
    return
  }
  let allowed = true
  if (condition !== Condition.none) allowed = countExisting(call, 2, end) === (condition === Condition.nx ? 0 : count)
  if (allowed) for (let i = 2; i < end; i += 2) writeValue(call, i, i + 1, expiryMode, at)
  call.reply.integer(allowed ? 1 : 0)
}

/** Values for very many keys. */
interface ManyValues {
  readonly keys: KeyRange
  /** How many of the keys must exist, or nothing is written; -1 when that does not matter. */
  readonly wanted: number
  /** ExpiryMode, and its time. */
  readonly mode: number
  readonly at: number
  /** The reply is OK, else whether it wrote. */
  readonly repliesOk: boolean
}

/** Stands for what there was of a key before where that was due; else that is a KeyType. */
const DUE = TYPE_COUNT

function pairs(first: number, end: number): KeyRange {
  return { first, end, step: 2 }
}

function writeInSlices(call: Call, values: ManyValues): void {
  call.workOnKeysInSlices(values.keys, writeSteps(call, values))
}

/** The key's record if it has a visible value, else 0. */
function find(call: Call, i: number): Ref {
  return call.find(i)
}

function* writeSteps(call: Call, { keys, wanted, mode, at, repliesOk }: ManyValues): WriteSteps {
  const { reply } = call
  const { nowMs: atMs } = call
  const allowed = wanted < 0 || (yield* countInSteps(call, keys, find)) === wanted
  if (allowed) {
    if (yield* canRemoveInSteps(call, keys)) {
      const found = yield* buildValues(call, keys, mode, at, atMs)
      yield 'commit'
      yield* tellOfValues(call, keys, mode, found)
    } else {
      yield 'at-once'
      for (let i = keys.first; i < keys.end; i += 2) writeValue(call, i, i + 1, mode, at)
    }
  }
  if (repliesOk) reply.ok()
  else reply.integer(allowed ? 1 : 0)
}

/** Writes the effects; gives the KeyType of what there was of each key, or DUE. */
function* buildValues(
  call: Call,
  { first, end }: KeyRange,
  mode: number,
  at: number,
  atMs: number,
): Generator<undefined, Uint8Array> {
  const { op, long, db, request } = call
  const { buf, off, len } = request
  const found = new Uint8Array((end - first) / 2)
  const distinct = new DistinctRanges()
  distinct.begin(found.length)
  for (let i = first, nth = 0; i < end; i += 2, nth++) {
    const place = call.place(i)
    const ref = db.lookup(buf, off[i], len[i])
    const isVisible = findAt(call, i, atMs) !== 0
    const type = ref === 0 ? KeyType.none : db.type(ref)
    found[nth] = isVisible || type === KeyType.none ? type : DUE
    // Written before by the same command.
    if (!distinct.pick(request, i)) found[nth] = KeyType.string
    if (!long.mayHoldString(place)) yield* long.remove(op, place)
    long.setString(op, place, isVisible, buf, off[i + 1], len[i + 1], mode, at)
    if (nth % LIMITS.slicedReadStep === 0) yield
  }
  return found
}

function* tellOfValues(call: Call, { first, end }: KeyRange, mode: number, found: Uint8Array): Generator<undefined, void> {
  const { buf, off, len } = call.request
  for (let i = first, nth = 0; i < end; i += 2, nth++) {
    const before = found[nth] === DUE ? KeyType.none : found[nth]
    if (found[nth] === DUE) call.effects.onExpired(call.database, buf, off[i], len[i])
    if (before === KeyType.none) call.notify(NotificationClass.newKey, 'new', i)
    notifyWritten(call, i, mode, before)
    if (nth % LIMITS.slicedReadStep === 0) yield
  }
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
