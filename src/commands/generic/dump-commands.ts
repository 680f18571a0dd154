import { NotificationClass } from '../../base/notification-classes.js'
import { KeyType } from '../../keyspace/database.js'
import { readPayload, readPayloadSteps, writePayload, type PayloadResult } from '../../rdb/payload.js'
import { RdbType, typeName } from '../../rdb/rdb-types.js'
import type { RdbValue } from '../../rdb/value.js'
import type { Call } from '../call.js'
import { CommandError, syntaxError } from '../command-error.js'
import { keyRange, type CommandSpec } from '../command-spec.js'
import { dumpsInSteps, dumpSteps } from './dump-steps.js'
import { isAllDue, rdbValueOf, writeRdbValue } from './whole-values.js'

const BUSY_KEY = 'BUSYKEY Target key name already exists.'
const INVALID_TTL = 'ERR Invalid TTL value, must be >= 0'
const INVALID_IDLE_TIME = 'ERR Invalid IDLETIME value, must be >= 0'
const INVALID_FREQUENCY = 'ERR Invalid FREQ value, must be >= 0 and <= 255'
const BAD_PAYLOAD = 'ERR Bad data format'
const BAD_FOOTER = 'ERR DUMP payload version or checksum are wrong'

/** Bytes of a payload that are taken for an element. */
const ELEMENT_BYTES = 8

const MAX_FREQUENCY = 255n
/** Seconds that the access clock can tell. */
const MAX_IDLE_SECONDS = 0xffffff

/** DUMP and RESTORE: values as Redis' payloads, which redis-server gives and takes too. */
export const DUMP_COMMANDS: readonly CommandSpec[] = [
  {
    name: 'dump',
    arity: 2,
    flags: ['readonly'],
    keys: keyRange(1, 1, 1, 'RO', 'access'),
    group: 'generic',
    categories: ['keyspace'],
    since: '2.6.0',
    summary: 'Gives a value in the form that RESTORE takes, also that of redis-server.',
    complexity: 'O(N), N being the size of the value',
    tips: ['nondeterministic_output'],
    arguments: [{ name: 'key', type: 'key', keySpecIndex: 0 }],
    handler: dump,
  },
  {
    name: 'restore',
    arity: -4,
    flags: ['write', 'denyoom'],
    keys: keyRange(1, 1, 1, 'OW', 'update'),
    group: 'generic',
    categories: ['keyspace', 'dangerous'],
    since: '2.6.0',
    history: [
      ['3.0.0', 'The option REPLACE.'],
      ['5.0.0', 'The option ABSTTL.'],
      ['5.0.0', 'The options IDLETIME and FREQ.'],
    ],
    summary: 'Makes a key from what DUMP gave.',
    complexity: 'O(N), N being the size of the value',
    arguments: [
      { name: 'key', type: 'key', keySpecIndex: 0 },
      { name: 'ttl', type: 'integer' },
      { name: 'serialized-value', type: 'string' },
      { name: 'replace', type: 'pure-token', token: 'REPLACE', flags: ['optional'], since: '3.0.0' },
      { name: 'absttl', type: 'pure-token', token: 'ABSTTL', flags: ['optional'], since: '5.0.0' },
      { name: 'seconds', type: 'integer', token: 'IDLETIME', flags: ['optional'], since: '5.0.0' },
      { name: 'frequency', type: 'integer', token: 'FREQ', flags: ['optional'], since: '5.0.0' },
    ],
    handler: restore,
  },
]

function dump(call: Call): void {
  const ref = call.findForRead(1)
  if (ref === 0 || isAllDue(call, ref)) {
    call.reply.null()
    return
  }
  const type = call.db.type(ref)
  const root = dumpsInSteps(type) ? call.db.root(ref) : 0
  if (root !== 0 && call.isLong(call.keys.parts(type, call.db, root))) call.readInSlices(1, 1, dumpSteps(call, type, root))
  else call.reply.bulkBytes(writePayload(rdbValueOf(call, call.db, ref)))
}

interface RestoreOptions {
  readonly replace: boolean
  readonly absolute: boolean
  /** -1 unless given. */
  readonly idleSeconds: number
  readonly frequency: number
}

/** The checks come in the order in which Redis makes them. */
function restore(call: Call): void {
  const options = parseOptions(call)
  const before = call.typeOf(1)
  const taken = before !== KeyType.none
  if (taken && !options.replace) throw new CommandError(BUSY_KEY)
  const ttl = call.integer64(2)
  if (ttl < 0n) throw new CommandError(INVALID_TTL)
  const { buf, off, len } = call.request
  // How many elements a payload has is not known before it is read.
  const elements = buf[off[3]] === RdbType.string ? 0 : len[3] / ELEMENT_BYTES
  if (call.isLongWrite(elements, 1)) {
    call.writeKeyInSlices(1, restoreSteps(call, options, ttl, before))
    return
  }
  const value = checkedValue(readPayload(call.bytes(3)))
  // The whole key goes, whatever it holds, and comes anew: one op.
  if (taken) call.effects.remove(call.database, buf, off[1], len[1])
  const at = expiryOf(call, options, ttl)
  if (at > call.nowMs) {
    writeRdbValue(call, value, call.database, buf, off[1], len[1], at)
    setCounters(call, value)
    setUse(call, options)
    call.notify(NotificationClass.generic, 'restore', 1)
    call.notifyReplaced(before, 1)
  } else if (taken) {
    call.notify(NotificationClass.generic, 'del', 1)
  }
  call.reply.ok()
}

/** Unix ms, Infinity for never. */
function expiryOf({ nowMs }: Call, { absolute }: RestoreOptions, ttl: bigint): number {
  return ttl === 0n ? Infinity : Math.min(Number(ttl) + (absolute ? 0 : nowMs), Number.MAX_SAFE_INTEGER)
}

function* restoreSteps(call: Call, options: RestoreOptions, ttl: bigint, before: number): Generator<undefined | 'commit', void> {
  const { op, long } = call
  const to = call.place(1)
  const at = expiryOf(call, options, ttl)
  const isDue = at <= call.nowMs
  const payload = call.bytes(3)
  let value: RdbValue
  if (payload.length > 0 && typeName(payload[0]) === 'stream') {
    // Its entries go into the op as they are read: a million of them are hundreds of megabytes of objects.
    yield* long.remove(op, to)
    const stream = isDue ? null : long.restoreStream(op, to)
    value = checkedValue(yield* readPayloadSteps(payload, (entry) => stream?.entry(entry)))
    if (value.type === 'stream') yield* stream?.finish(value) ?? []
  } else {
    value = checkedValue(yield* readPayloadSteps(payload))
    yield* long.remove(op, to)
    if (!isDue) yield* long.write(op, value, to)
  }
  if (!isDue && at !== Infinity) long.expire(op, to, at)
  const taken = before !== KeyType.none
  if (!isDue || taken) yield 'commit'
  if (!isDue) {
    setCounters(call, value)
    setUse(call, options)
    call.notifyStored(NotificationClass.generic, 'restore', 1)
    call.notifyReplaced(before, 1)
  } else if (taken) {
    call.notify(NotificationClass.generic, 'del', 1)
  }
  call.reply.ok()
}

function parseOptions(call: Call): RestoreOptions {
  let replace = false
  let absolute = false
  let idleSeconds = -1
  let frequency = -1
  for (let i = 4; i < call.argc; i++) {
    const hasNext = i + 1 < call.argc
    if (call.is(i, 'REPLACE')) {
      replace = true
    } else if (call.is(i, 'ABSTTL')) {
      absolute = true
    } else if (call.is(i, 'IDLETIME') && hasNext && frequency === -1) {
      const idle = call.integer64(++i)
      if (idle < 0n) throw new CommandError(INVALID_IDLE_TIME)
      idleSeconds = Math.min(Number(idle), MAX_IDLE_SECONDS)
    } else if (call.is(i, 'FREQ') && hasNext && idleSeconds === -1) {
      const given = call.integer64(++i)
      if (given < 0n || given > MAX_FREQUENCY) throw new CommandError(INVALID_FREQUENCY)
      frequency = Number(given)
    } else {
      throw syntaxError()
    }
  }
  return { replace, absolute, idleSeconds, frequency }
}

function checkedValue({ value, failure }: PayloadResult): RdbValue {
  if (failure !== null) {
    if (failure.code === 'version' || failure.code === 'checksum') throw new CommandError(BAD_FOOTER)
    throw failure.code === 'unsupported' ? unsupported(failure.detail) : new CommandError(BAD_PAYLOAD)
  }
  return value
}

function unsupported(what: string): CommandError {
  return new CommandError(`ERR RESTORE of a ${what} is not supported by this version of Meridian`)
}

/** How many messages of a stream were named, and came again, each member counts for itself. */
function setCounters(call: Call, value: RdbValue): void {
  if (value.type !== 'stream' || value.marks === null) return
  const { added, duplicates } = value.marks
  const { marks } = call.collections.streams.space(call.db.arena)
  marks.setCounters(call.db.root(call.find(1)), Number(added), Number(duplicates))
}

/**
 * When or how often a key was used is each member's own knowledge: set here only, as by a read. What the policy does not look at is left alone, as in
 * Redis.
 */
function setUse(call: Call, { idleSeconds, frequency }: RestoreOptions): void {
  const { keyspace, db } = call
  const ref = call.find(1)
  if (keyspace.frequency === null) {
    if (idleSeconds >= 0) db.touch(ref, (keyspace.clock - idleSeconds) & MAX_IDLE_SECONDS)
  } else if (frequency >= 0) {
    db.touch(ref, keyspace.frequency.fresh(frequency))
  }
}
