import { LIMITS } from '../base/limits.js'
import { ByteList } from '../rdb/byte-list.js'
import { typeName } from '../rdb/rdb-types.js'
import type { RdbValue } from '../rdb/value.js'
import type { PipelinedClient, RawReply } from './pipelined-client.js'

/**
 * RESTORE of a large collection is one op, which every member holds as a whole while it is made and applied, and its key waits for that long. Reads of large
 * collections go in slices and still answer as of one moment, and a collection can be built by many small writes: so large ones go that way. Streams do not:
 * there is no other way for their groups.
 */
export function isLargeCollection(rdbType: number, bytes: number): boolean {
  if (bytes <= LIMITS.dumpAtOnceBytes) return false
  const type = typeName(rdbType)
  return type !== null && type !== 'string' && type !== 'stream'
}

/** Elements in one command. */
const CHUNK = 256

/** Reads what a member's key holds without DUMP; null when there is no such key, or only DUMP can tell it whole. @throws MeridianError */
export async function readLarge(client: PipelinedClient, key: Uint8Array): Promise<RdbValue | null> {
  switch (await client.text('TYPE', key)) {
    case 'list':
      return orNull(await list(client, 'LRANGE', key, '0', '-1'), (elements) => ({ type: 'list', elements }))
    case 'set':
      return orNull(await list(client, 'SMEMBERS', key), (members) => ({ type: 'set', members }))
    case 'zset':
      return orNull(await list(client, 'ZRANGE', key, '0', '-1', 'WITHSCORES'), sortedSet)
    case 'hash':
      return readHash(client, key)
    default:
      return null
  }
}

async function readHash(client: PipelinedClient, key: Uint8Array): Promise<RdbValue | null> {
  const pairs = await list(client, 'HGETALL', key)
  const [fields, values] = [new ByteList(), new ByteList()]
  for (let i = 0; i < pairs.count; i++) (i % 2 === 0 ? fields : values).pushFrom(pairs, i)
  for (let from = 0; from < fields.count; from += CHUNK) {
    const some = Array.from({ length: Math.min(CHUNK, fields.count - from) }, (_, i) => fields.at(from + i))
    const times = await client.ask('HPEXPIRETIME', key, 'FIELDS', String(some.length), ...some)
    // Times of fields belong to the moment of their values.
    if (!Array.isArray(times) || (times as readonly RawReply[]).some((time) => typeof time === 'number' && time >= 0)) return null
  }
  return orNull(fields, () => ({ type: 'hash', fields, values, expiries: null }))
}

function sortedSet(pairs: ByteList): RdbValue {
  const members = new ByteList()
  const scores = new Float64Array(pairs.count / 2)
  for (let i = 0; i < pairs.count; i += 2) {
    members.pushFrom(pairs, i)
    scores[i / 2] = score(Buffer.from(pairs.at(i + 1)).toString('latin1'))
  }
  return { type: 'zset', members, scores }
}

function score(text: string): number {
  return text === 'inf' ? Infinity : text === '-inf' ? -Infinity : Number(text)
}

function scoreText(value: number): string {
  return Number.isFinite(value) ? String(value) : value > 0 ? 'inf' : '-inf'
}

function orNull(elements: ByteList, make: (elements: ByteList) => RdbValue): RdbValue | null {
  return elements.count === 0 ? null : make(elements)
}

/** An array reply. A key that meanwhile has another type counts as having gone. */
async function list(client: PipelinedClient, ...args: readonly (string | Uint8Array)[]): Promise<ByteList> {
  const reply = await client.ask(...args)
  return ByteList.of(Array.isArray(reply) ? (reply as readonly Buffer[]) : [])
}

/** The commands that build a collection in a key that holds nothing: each small. Times of expiry of fields go out `shiftMs` later. */
export function* writesOf(key: Uint8Array, value: RdbValue, shiftMs: number): Generator<readonly (string | Uint8Array)[]> {
  switch (value.type) {
    case 'list':
      yield* chunks(['RPUSH', key], value.elements.count, (i) => [value.elements.at(i)])
      return
    case 'set':
      yield* chunks(['SADD', key], value.members.count, (i) => [value.members.at(i)])
      return
    case 'zset':
      yield* chunks(['ZADD', key], value.members.count, (i) => [scoreText(value.scores[i]), value.members.at(i)])
      return
    case 'hash': {
      const { fields, values, expiries } = value
      yield* chunks(['HSET', key], fields.count, (i) => [fields.at(i), values.at(i)])
      for (const [i, at] of expiries?.entries() ?? []) {
        if (at !== 0) yield ['HPEXPIREAT', key, String(at + shiftMs), 'FIELDS', '1', fields.at(i)]
      }
      return
    }
    default:
      throw new Error(`a ${value.type} is not built by many writes`)
  }
}

function* chunks(
  head: readonly (string | Uint8Array)[],
  count: number,
  element: (i: number) => readonly (string | Uint8Array)[],
): Generator<readonly (string | Uint8Array)[]> {
  for (let from = 0; from < count; from += CHUNK) {
    const args = [...head]
    for (let i = from; i < Math.min(from + CHUNK, count); i++) args.push(...element(i))
    yield args
  }
}
