import { matchesGlob } from '../../base/glob.js'
import { LIMITS } from '../../base/limits.js'
import { SHARD_COUNT, type Database } from '../../keyspace/database.js'
import { CHUNK_SHIFT, type Ref } from '../../memory/arena.js'
import type { Call } from '../call.js'
import { CommandError, syntaxError } from '../command-error.js'
import type { CommandSpec } from '../command-spec.js'
import { randomBelow } from '../random-choice.js'
import { cursorArgument } from '../scan-options.js'
import { TYPE_NAMES } from './type-names.js'

/** KEYS, SCAN, RANDOMKEY: which keys there are. A key that is due is not, whether or not it has been removed. */
export const SCAN_COMMANDS: readonly CommandSpec[] = [
  {
    name: 'keys',
    arity: 2,
    flags: ['readonly'],
    group: 'generic',
    categories: ['keyspace', 'dangerous'],
    since: '1.0.0',
    summary: 'Lists all keys whose names match a pattern. It looks at every key at once: prefer SCAN.',
    complexity: 'O(N), N being the number of keys in the database',
    tips: ['request_policy:all_shards', 'nondeterministic_output_order'],
    arguments: [{ name: 'pattern', type: 'pattern' }],
    handler: keys,
  },
  {
    name: 'scan',
    arity: -2,
    flags: ['readonly'],
    group: 'generic',
    categories: ['keyspace'],
    since: '2.8.0',
    history: [['6.0.0', 'The option TYPE.']],
    summary: 'Walks the keys of the database, a few a call.',
    complexity: 'O(1) for each call, O(N) for a whole walk, N being the number of keys',
    tips: ['nondeterministic_output', 'request_policy:special', 'response_policy:special'],
    arguments: [
      { name: 'cursor', type: 'integer' },
      { name: 'pattern', type: 'pattern', token: 'MATCH', flags: ['optional'] },
      { name: 'count', type: 'integer', token: 'COUNT', flags: ['optional'] },
      { name: 'type', type: 'string', token: 'TYPE', flags: ['optional'], since: '6.0.0' },
    ],
    handler: scan,
  },
  {
    name: 'randomkey',
    arity: 1,
    flags: ['readonly'],
    group: 'generic',
    categories: ['keyspace'],
    since: '1.0.0',
    summary: 'Names any key of the database, each as likely as another.',
    complexity: 'O(1)',
    tips: ['request_policy:all_shards', 'response_policy:special', 'nondeterministic_output'],
    handler: (call) => {
      const ref = randomRecord(call)
      if (ref === 0) call.reply.null()
      else replyKey(call, ref)
    },
  },
]

const DEFAULT_COUNT = 10
const ANY_TYPE = -1
const NO_PATTERN = -1

/** Records found by a walk, kept until their number is known; one for all calls, grown as needed. */
let found = new Uint32Array(64)
let foundCount = 0
const KEEP_FOUND = 64 * 1024

function keys(call: Call): void {
  const { db } = call
  const pattern = isStar(call, 1) ? NO_PATTERN : 1
  foundCount = 0
  for (let shard = 0; shard < SHARD_COUNT; shard++) {
    for (let i = db.shardCount(shard) - 1; i >= 0; i--) {
      const ref = db.recordAt(shard, i)
      if (call.keyspace.isVisible(db, ref) && matches(call, db, ref, pattern)) addFound(ref)
    }
  }
  replyFound(call)
}

/**
 * The cursor is n × SHARD_COUNT + shard: the records at 0 .. n-1 of that shard's dense array come next, and after them the other shards; n = 0 means
 * the whole shard. A removal moves a record only downwards, so one that is present throughout is never passed by; one that was
 * seen may be seen again. Rehashing does not move records in the dense array, so a cursor stays good.
 */
function scan(call: Call): void {
  const cursor = cursorArgument(call, 1)
  let count = DEFAULT_COUNT
  let pattern = NO_PATTERN
  let type = ANY_TYPE
  for (let i = 2; i < call.argc; i += 2) {
    const hasValue = i + 1 < call.argc
    if (call.is(i, 'COUNT') && hasValue) {
      count = call.integer(i + 1)
      if (count < 1) throw syntaxError()
    } else if (call.is(i, 'MATCH') && hasValue) {
      pattern = isStar(call, i + 1) ? NO_PATTERN : i + 1
    } else if (call.is(i, 'TYPE') && hasValue) {
      type = parseType(call, i + 1)
    } else if (call.is(i, 'NOVALUES')) {
      throw new CommandError('ERR NOVALUES option can only be used in HSCAN')
    } else {
      throw syntaxError()
    }
  }
  const { db, reply } = call
  let shard = Number(cursor % BigInt(SHARD_COUNT))
  const from = Number(cursor / BigInt(SHARD_COUNT))
  let rest = from === 0 ? db.shardCount(shard) : Math.min(from, db.shardCount(shard))
  foundCount = 0
  for (let looked = 0; looked < count;) {
    if (rest === 0) {
      if (++shard === SHARD_COUNT) break
      rest = db.shardCount(shard)
      continue
    }
    const ref = db.recordAt(shard, --rest)
    looked++
    if ((type !== ANY_TYPE && TYPE_NAMES[db.type(ref)] !== TYPE_NAMES[type]) || !matches(call, db, ref, pattern)) continue
    if (call.keyspace.isVisible(db, ref)) addFound(ref)
    else call.keyspace.noteHidden(db, ref)
  }
  // Behind the last record of a shard the next shard with records goes on, so that the last call is not an empty one.
  while (rest === 0 && shard < SHARD_COUNT && ++shard < SHARD_COUNT) {
    if (db.shardCount(shard) > 0) break
  }
  reply.array(2)
  reply.bulkInteger(shard === SHARD_COUNT ? 0 : rest * SHARD_COUNT + shard)
  replyFound(call)
}

function parseType(call: Call, i: number): number {
  const type = TYPE_NAMES.findIndex((name) => name !== 'none' && call.is(i, name.toUpperCase()))
  if (type < 0) throw new CommandError(`ERR unknown type name '${call.text(i)}'`)
  return type
}

/** Draws of a record that may turn out to be hidden; after them a walk decides. Redis' number. */
const RANDOM_DRAWS = 100

/** A visible record, each with the same chance unless most are hidden; 0 when there seems to be none. */
function randomRecord(call: Call): Ref {
  const { db, keyspace } = call
  if (db.keyCount === 0) return 0
  let records = 0
  for (let shard = 0; shard < SHARD_COUNT; shard++) records += db.shardCount(shard)
  for (let draw = 0; draw < RANDOM_DRAWS; draw++) {
    const ref = recordNumber(db, randomBelow(call, records))
    if (keyspace.isVisible(db, ref)) return ref
    keyspace.noteHidden(db, ref)
  }
  let looked = 0
  for (
    let shard = randomBelow(call, SHARD_COUNT), shards = 0;
    shards < SHARD_COUNT;
    shards++, shard = (shard + 1) % SHARD_COUNT
  ) {
    for (let i = db.shardCount(shard) - 1; i >= 0; i--) {
      const ref = db.recordAt(shard, i)
      if (keyspace.isVisible(db, ref)) return ref
      if (++looked === LIMITS.randomKeyLooks) return 0
    }
  }
  return 0
}

/** The record at a place in all shards' arrays one behind another. */
function recordNumber(db: Database, number: number): Ref {
  let shard = 0
  while (number >= db.shardCount(shard)) number -= db.shardCount(shard++)
  return db.recordAt(shard, number)
}

function isStar(call: Call, i: number): boolean {
  return call.is(i, '*')
}

function matches(call: Call, db: Database, ref: Ref, pattern: number): boolean {
  if (pattern === NO_PATTERN) return true
  const { buf, off, len } = call.request
  return matchesGlob(buf, off[pattern], len[pattern], db.arena.u8[ref >>> CHUNK_SHIFT], db.keyOffset(ref), db.keyLength(ref))
}

function addFound(ref: Ref): void {
  if (foundCount === found.length) {
    const grown = new Uint32Array(found.length * 2)
    grown.set(found)
    found = grown
  }
  found[foundCount++] = ref
}

function replyFound(call: Call): void {
  call.reply.array(foundCount)
  for (let i = 0; i < foundCount; i++) replyKey(call, found[i])
  if (found.length > KEEP_FOUND) found = new Uint32Array(64)
}

function replyKey(call: Call, ref: Ref): void {
  const { db } = call
  call.reply.bulk(db.arena.u8[ref >>> CHUNK_SHIFT], db.keyOffset(ref), db.keyLength(ref))
}
