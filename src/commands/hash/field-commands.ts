import { LIMITS } from '../../base/limits.js'
import { DistinctRanges } from '../../keyspace/byte-ranges.js'
import { FieldsWriter } from '../../keyspace/hash-store.js'
import type { MapCursor } from '../../keyspace/map-cursor.js'
import { ExpiryMode } from '../../keyspace/string-store.js'
import type { Ref } from '../../memory/arena.js'
import type { Call } from '../call.js'
import { CommandError } from '../command-error.js'
import type { CommandSpec } from '../command-spec.js'
import type { ReadSteps, WriteSteps } from '../services.js'
import { FIELD, FIELD_LIST, FIELD_PAIRS, FIELD_VALUE, hashSpec, readHash, writtenHash } from './arguments.js'
import { addedSteps, notifyFields, notifyRemoval, removalSteps } from './field-events.js'
import { buildRemoval } from './field-steps.js'

/** Reading, writing and removing fields. A write of a field removes the writes of it that its region had seen, and adds its own. */
function hset(call: Call): void {
  writePairs(call, true)
}

function hmset(call: Call): void {
  writePairs(call, false)
}

/** counts: the reply is the number of fields that were not there. */
function writePairs(call: Call, counts: boolean): void {
  if (call.argc % 2 === 1) throw new CommandError(`ERR wrong number of arguments for '${call.command.name}' command`)
  const root = writtenHash(call)
  const { hashes } = call.collections
  if (call.bringsMany(call.argc - 2) && !hashes.mayHaveCounters(call.db, root)) {
    call.writeKeyInSlices(1, pairSteps(call, root, counts))
    return
  }
  const created = hashes.setFields(call.database, call.request, 2, call.argc, ExpiryMode.clear)
  notifyFields(call, 'hset', 2, call.argc, 2)
  if (counts) call.reply.integer(created)
  else call.reply.ok()
}

/** HSET of many. */
function* pairSteps(call: Call, root: Ref, counts: boolean): WriteSteps {
  const { op, request } = call
  const { hashes } = call.collections
  const distinct = new DistinctRanges()
  yield* distinct.pickLastInSteps(request, 2, call.argc, 2)
  if (root === 0) yield* call.clearInSteps(1)
  const writer = new FieldsWriter(op, call.place(1))
  const { buf, off, len } = request
  let created = 0
  for (let p = 0; p < distinct.count; p++) {
    const i = distinct.picked[p]
    if (!hashes.has(call.db, root, buf, off[i], len[i])) created++
    writer.push(buf, off[i], len[i], buf, off[i + 1], len[i + 1], Infinity)
    if (p % LIMITS.slicedReadStep === 0) yield
  }
  yield 'commit'
  yield* addedSteps(call, 'hset', 2, call.argc, 2, root !== 0)
  if (counts) call.reply.integer(created)
  else call.reply.ok()
}

function hsetnx(call: Call): void {
  const root = writtenHash(call)
  const { buf, off, len } = call.request
  const { hashes } = call.collections
  if (hashes.has(call.db, root, buf, off[2], len[2])) {
    call.reply.integer(0)
    return
  }
  hashes.setFields(call.database, call.request, 2, 4, ExpiryMode.clear)
  notifyFields(call, 'hset', 2, 3)
  call.reply.integer(1)
}

/** Replies with the value of the field in argument i as it was then (Unix ms), or null. */
export function replyField(call: Call, root: Ref, i: number, nowMs = call.nowMs): void {
  const { buf, off, len } = call.request
  const { hashes } = call.collections
  if (hashes.find(call.db, root, buf, off[i], len[i], nowMs)) call.reply.bulk(hashes.buf, hashes.off, hashes.len)
  else call.reply.null()
}

function hget(call: Call): void {
  replyField(call, readHash(call), 2)
}

function hmget(call: Call): void {
  const root = readHash(call)
  if (call.isLong(call.argc - 2)) {
    call.readInSlices(1, 1, valueSteps(call, root))
    return
  }
  call.reply.array(call.argc - 2)
  for (let i = 2; i < call.argc; i++) replyField(call, root, i)
}

function* valueSteps(call: Call, root: Ref): ReadSteps {
  call.reply.array(call.argc - 2)
  for (let i = 2; i < call.argc; i++) {
    replyField(call, root, i)
    if (i % LIMITS.slicedReadStep === 0) yield
  }
}

function hexists(call: Call): void {
  const root = readHash(call)
  const { buf, off, len } = call.request
  call.reply.integer(call.collections.hashes.has(call.db, root, buf, off[2], len[2]) ? 1 : 0)
}

function hstrlen(call: Call): void {
  const root = readHash(call)
  const { buf, off, len } = call.request
  const { hashes } = call.collections
  call.reply.integer(hashes.find(call.db, root, buf, off[2], len[2]) ? hashes.len : 0)
}

function hlen(call: Call): void {
  call.reply.integer(call.collections.hashes.size(call.db, readHash(call)))
}

function hdel(call: Call): void {
  const root = writtenHash(call)
  if (root !== 0 && call.bringsMany(call.argc - 2) && !call.collections.hashes.mayHaveCounters(call.db, root)) {
    call.writeKeyInSlices(1, removeSteps(call, root))
    return
  }
  const { hashes } = call.collections
  const removed = hashes.removeFields(call.db, root, call.database, call.request, 2, call.argc)
  if (removed > 0) notifyRemoval(call, hashes.distinct.picked, removed)
  call.reply.integer(removed)
}

/** HDEL of many. */
function* removeSteps(call: Call, root: Ref): WriteSteps {
  const { request } = call
  const { hashes } = call.collections
  const { buf, off, len } = request
  const distinct = new DistinctRanges()
  distinct.begin(call.argc - 2)
  for (let i = 2; i < call.argc; i++) {
    if (hashes.holds(call.db, root, buf, off[i], len[i])) distinct.pick(request, i)
    if (i % LIMITS.slicedReadStep === 0) yield
  }
  if (distinct.count > 0) {
    yield* buildRemoval(call, root, distinct)
    yield 'commit'
    yield* removalSteps(call, distinct.picked, distinct.count)
  }
  call.reply.integer(distinct.count)
}

function hgetall(call: Call): void {
  readAll(call, true, true)
}

function hkeys(call: Call): void {
  readAll(call, true, false)
}

function hvals(call: Call): void {
  readAll(call, false, true)
}

function readAll(call: Call, fields: boolean, values: boolean): void {
  const root = readHash(call)
  const { hashes } = call.collections
  if (call.isLong(hashes.size(call.db, root))) {
    call.readInSlices(1, 1, fieldSteps(call, root, fields, values))
    return
  }
  replyCount(call, hashes.countShown(call.db, root), fields, values)
  replyFields(call, hashes.walk(call.db, root), fields, values, Infinity)
}

function* fieldSteps(call: Call, root: Ref, fields: boolean, values: boolean): ReadSteps {
  const { hashes } = call.collections
  // Both walks see the fields of one moment, whatever falls due in between.
  const { nowMs } = call
  let count = hashes.size(call.db, root)
  if (hashes.hasExpiring(call.db, root)) {
    count = 0
    for (const cursor = hashes.walkApart(call.db, root, nowMs); cursor.next();) if (++count % LIMITS.slicedReadStep === 0) yield
  }
  replyCount(call, count, fields, values)
  const cursor = hashes.walkApart(call.db, root, nowMs)
  while (replyFields(call, cursor, fields, values, LIMITS.slicedReadStep)) yield
}

function replyCount(call: Call, count: number, fields: boolean, values: boolean): void {
  if (fields && values) call.reply.map(count)
  else call.reply.array(count)
}

/** Replies with the next fields, at most so many; false when there are no more. */
function replyFields(call: Call, cursor: MapCursor, fields: boolean, values: boolean, most: number): boolean {
  const { reply } = call
  for (let left = most; left > 0; left--) {
    if (!cursor.next()) return false
    if (fields) reply.bulk(cursor.buf, cursor.keyOff, cursor.keyLen)
    if (!values) continue
    cursor.readValue()
    reply.bulk(cursor.valueBuf, cursor.valueOff, cursor.valueLen)
  }
  return true
}

export const FIELD_COMMANDS: readonly CommandSpec[] = [
  {
    ...hashSpec(
      'hset',
      -4,
      ['write', 'denyoom', 'fast'],
      ['RW', 'update'],
      '2.0.0',
      'Writes fields of a hash; an expiry that they had goes.',
      'O(N), N being the number of fields',
      [FIELD_PAIRS],
      hset,
    ),
    history: [['4.0.0', 'Several fields at once.']],
  },
  {
    ...hashSpec(
      'hmset',
      -4,
      ['write', 'denyoom', 'fast'],
      ['RW', 'update'],
      '2.0.0',
      'Writes fields of a hash.',
      'O(N), N being the number of fields',
      [FIELD_PAIRS],
      hmset,
    ),
    deprecated: { since: '4.0.0', replacedBy: '`HSET` with multiple field-value pairs' },
  },
  hashSpec(
    'hsetnx',
    4,
    ['write', 'denyoom', 'fast'],
    ['RW', 'insert'],
    '2.0.0',
    'Writes a field of a hash if it does not exist.',
    'O(1)',
    [FIELD, FIELD_VALUE],
    hsetnx,
  ),
  hashSpec('hget', 3, ['readonly', 'fast'], ['RO', 'access'], '2.0.0', 'Reads a field of a hash.', 'O(1)', [FIELD], hget),
  hashSpec(
    'hmget',
    -3,
    ['readonly', 'fast'],
    ['RO', 'access'],
    '2.0.0',
    'Reads fields of a hash.',
    'O(N), N being the number of fields',
    [FIELD_LIST],
    hmget,
  ),
  hashSpec('hexists', 3, ['readonly', 'fast'], ['RO'], '2.0.0', 'Tells whether a hash has a field.', 'O(1)', [FIELD], hexists),
  hashSpec(
    'hstrlen',
    3,
    ['readonly', 'fast'],
    ['RO'],
    '3.2.0',
    'Tells how many bytes the value of a field has.',
    'O(1)',
    [FIELD],
    hstrlen,
  ),
  hashSpec('hlen', 2, ['readonly', 'fast'], ['RO'], '2.0.0', 'Counts the fields of a hash.', 'O(1)', [], hlen),
  {
    ...hashSpec(
      'hdel',
      -3,
      ['write', 'fast'],
      ['RW', 'delete'],
      '2.0.0',
      'Removes fields of a hash, and the hash when it has no more.',
      'O(N), N being the number of fields',
      [FIELD_LIST],
      hdel,
    ),
    history: [['2.4.0', 'Several fields at once.']],
  },
  {
    ...hashSpec(
      'hgetall',
      2,
      ['readonly'],
      ['RO', 'access'],
      '2.0.0',
      'Lists the fields of a hash with their values.',
      'O(N), N being the size of the hash',
      [],
      hgetall,
    ),
    tips: ['nondeterministic_output_order'],
  },
  {
    ...hashSpec(
      'hkeys',
      2,
      ['readonly'],
      ['RO', 'access'],
      '2.0.0',
      'Lists the fields of a hash.',
      'O(N), N being the size of the hash',
      [],
      hkeys,
    ),
    tips: ['nondeterministic_output_order'],
  },
  {
    ...hashSpec(
      'hvals',
      2,
      ['readonly'],
      ['RO', 'access'],
      '2.0.0',
      'Lists the values of a hash.',
      'O(N), N being the size of the hash',
      [],
      hvals,
    ),
    tips: ['nondeterministic_output_order'],
  },
]
