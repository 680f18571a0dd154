import { LIMITS } from '../../base/limits.js'
import { KeyType, SHARD_COUNT, type Database } from '../../keyspace/database.js'
import type { RdbValue } from '../../rdb/value.js'
import type { Call } from '../call.js'
import { CommandError, syntaxError } from '../command-error.js'
import type { ArgumentSpec, CommandSpec } from '../command-spec.js'
import { databaseArgument, int32Argument } from '../database-argument.js'
import { rdbValueOf, writeRdbValue } from './whole-values.js'

const FLUSH_TYPE: readonly ArgumentSpec[] = [
  {
    name: 'flush-type',
    type: 'oneof',
    flags: ['optional'],
    arguments: [
      { name: 'async', type: 'pure-token', token: 'ASYNC', since: '4.0.0' },
      { name: 'sync', type: 'pure-token', token: 'SYNC', since: '6.2.0' },
    ],
  },
]
const FLUSH_HISTORY: readonly (readonly [string, string])[] = [
  ['4.0.0', 'The option ASYNC.'],
  ['6.2.0', 'The option SYNC.'],
]

/** DBSIZE, FLUSHDB, FLUSHALL, SWAPDB: whole databases. */
export const DATABASE_COMMANDS: readonly CommandSpec[] = [
  {
    name: 'dbsize',
    arity: 1,
    flags: ['readonly', 'fast'],
    group: 'server',
    categories: ['keyspace'],
    since: '1.0.0',
    summary: 'Counts the keys of the database, with those that are due and not removed yet.',
    complexity: 'O(1)',
    tips: ['request_policy:all_shards', 'response_policy:agg_sum'],
    handler: (call) => call.reply.integer(call.db.keyCount),
  },
  {
    name: 'flushdb',
    arity: -1,
    flags: ['write'],
    group: 'server',
    categories: ['keyspace', 'dangerous'],
    since: '1.0.0',
    history: FLUSH_HISTORY,
    summary: 'Removes all keys of the database, as far as this region has seen their values.',
    complexity: 'O(1); O(N) for N counters when there are several regions',
    tips: ['request_policy:all_shards', 'response_policy:all_succeeded'],
    arguments: FLUSH_TYPE,
    handler: (call) => {
      checkFlushType(call)
      call.effects.flush(call.database)
      call.reply.ok()
    },
  },
  {
    name: 'flushall',
    arity: -1,
    flags: ['write'],
    group: 'server',
    categories: ['keyspace', 'dangerous'],
    since: '1.0.0',
    history: FLUSH_HISTORY,
    summary: 'Removes all keys of all databases, as far as this region has seen their values.',
    complexity: 'O(1); O(N) for N counters when there are several regions',
    tips: ['request_policy:all_shards', 'response_policy:all_succeeded'],
    arguments: FLUSH_TYPE,
    handler: (call) => {
      checkFlushType(call)
      for (let database = 0; database < call.keyspace.databaseCount; database++) call.effects.flush(database)
      call.reply.ok()
    },
  },
  {
    name: 'swapdb',
    arity: 3,
    flags: ['write', 'fast'],
    group: 'server',
    categories: ['keyspace', 'dangerous'],
    since: '4.0.0',
    summary: 'Lets two databases change places, by writing their keys anew. Refused for large databases.',
    complexity: 'O(N), N being the bytes of both databases',
    arguments: [
      { name: 'index1', type: 'integer' },
      { name: 'index2', type: 'integer' },
    ],
    handler: swapDatabases,
  },
]

/** Both ways are the same here: a database goes in one piece and the collector has its memory later. */
function checkFlushType(call: Call): void {
  if (call.argc === 1) return
  if (call.argc > 2 || !(call.is(1, 'SYNC') || call.is(1, 'ASYNC'))) throw syntaxError()
}

/**
 * Other regions may write to either database meanwhile, so that the exchange must say what it had seen: it is a flush of both and a write of
 * every key, in one op.
 */
function swapDatabases(call: Call): void {
  int32Argument(call, 1, 'ERR invalid first DB index')
  int32Argument(call, 2, 'ERR invalid second DB index')
  const first = databaseArgument(call, 1)
  const second = databaseArgument(call, 2)
  if (first !== second) {
    const firstBytes = bytesToWrite(call, first)
    const secondBytes = bytesToWrite(call, second)
    if (firstBytes + secondBytes > LIMITS.swapDatabaseBytes) {
      throw new CommandError(
        `ERR SWAPDB writes every key anew: databases ${first} and ${second} hold ${firstBytes + secondBytes} bytes, more than the limit of ${LIMITS.swapDatabaseBytes}`,
      )
    }
    // No key is new by it, only elsewhere.
    call.effects.unannounced(() => {
      const fromFirst = takeKeys(call, first)
      const fromSecond = takeKeys(call, second)
      call.effects.flush(first)
      call.effects.flush(second)
      putKeys(call, second, fromFirst)
      putKeys(call, first, fromSecond)
    })
  }
  call.reply.ok()
}

/** What a key costs in the op and here beside its own bytes. */
const KEY_OVERHEAD_BYTES = 64

/** Stops adding at the limit: beyond it the sum is only known to be too large. */
function bytesToWrite(call: Call, index: number): number {
  const db = call.keyspace.peek(index)
  if (db === undefined) return 0
  let bytes = db.keyCount * KEY_OVERHEAD_BYTES
  for (let shard = 0; shard < SHARD_COUNT && bytes <= LIMITS.swapDatabaseBytes; shard++) {
    for (let i = 0; i < db.shardCount(shard); i++) {
      const ref = db.recordAt(shard, i)
      const type = db.type(ref)
      bytes +=
        db.keyLength(ref) + (type > KeyType.string ? call.keys.store(type).bytes(db.arena, db.root(ref), 0) : db.valueLength(ref))
    }
  }
  return bytes
}

interface TakenKey {
  readonly key: Uint8Array
  readonly value: RdbValue
  /** Unix ms, or Infinity. */
  readonly at: number
}

/** Copies of all visible keys: the flush takes the memory that they stand in. */
function takeKeys(call: Call, index: number): TakenKey[] {
  const { keyspace } = call
  const db: Database | undefined = keyspace.peek(index)
  const taken: TakenKey[] = []
  for (let shard = 0; db !== undefined && shard < SHARD_COUNT; shard++) {
    for (let i = 0; i < db.shardCount(shard); i++) {
      const ref = db.recordAt(shard, i)
      if (!keyspace.isVisible(db, ref)) continue
      taken.push({ key: db.key(ref), value: rdbValueOf(call, db, ref), at: db.expiresAt(ref) })
    }
  }
  return taken
}

function putKeys(call: Call, index: number, taken: readonly TakenKey[]): void {
  for (const { key, value, at } of taken) {
    writeRdbValue(call, value, index, key, 0, key.length, at)
  }
}
