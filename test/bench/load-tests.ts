import type { Fill } from './command-writer.js'

/**
 * What the side-by-side comparison runs. A further command is one more line; `__rand_int__` becomes a random number of twelve digits, and
 * every key of the named data set exists before the first run.
 */
export interface LoadTest {
  readonly name: string
  readonly command: readonly string[]
  readonly dataset?: keyof typeof DATASETS | keyof typeof COLLECTIONS
  /** Made before every run of so many requests, and not measured: what a run uses up, or adds to without end. */
  readonly before?: (requests: number) => Fill
}

export const VALUE_64 = 'x'.repeat(64)
const VALUE_16 = 'x'.repeat(16)
const KEY = 'key:__rand_int__'

/** A number as redis-benchmark writes it. */
export function digits(i: number): string {
  return String(i).padStart(12, '0')
}

/** Keys `<prefix>000000000000` and on, each with the value. */
export const DATASETS = {
  values: { prefix: 'key:', value: VALUE_64 },
  counters: { prefix: 'counter:', value: '1000' },
} as const

/** Data sets of other types, for so many keys or elements. */
export const COLLECTIONS = {
  hashes: (keys: number): Fill => ({
    count: keys,
    command: (i) => ['HSET', `hash:${digits(i)}`, ...[1, 2, 3, 4, 5].flatMap((field) => [`field${field}`, VALUE_16])],
  }),
  'members of a set': (keys: number): Fill => ({ count: keys, command: (i) => ['SADD', 'set', `element:${digits(i)}`] }),
  'members of a sorted set': (keys: number): Fill => ({
    count: keys,
    command: (i) => ['ZADD', 'zset', String(i), `element:${digits(i)}`],
  }),
  'elements of a list': (): Fill => ({ count: 1000, command: () => ['RPUSH', 'list', VALUE_16] }),
  'entries of a stream': (keys: number): Fill => ({
    count: keys,
    command: () => ['XADD', 'stream', '*', 'field', VALUE_16],
    replyLines: 2,
  }),
} as const

/** Takes away what the last run has made. */
const cleared = (key: string) => (): Fill => ({ count: 1, command: () => ['DEL', key] })

const COLLECTION_LOADS: readonly LoadTest[] = [
  { name: 'HSET', dataset: 'hashes', command: ['HSET', 'hash:__rand_int__', 'field3', VALUE_16] },
  { name: 'HGET', dataset: 'hashes', command: ['HGET', 'hash:__rand_int__', 'field3'] },
  { name: 'SADD', dataset: 'members of a set', command: ['SADD', 'set', 'element:__rand_int__'] },
  {
    name: 'SPOP',
    command: ['SPOP', 'popset'],
    before: (requests) => ({ count: requests, command: (i) => ['SADD', 'popset', `element:${digits(i)}`] }),
  },
  { name: 'ZADD', dataset: 'members of a sorted set', command: ['ZADD', 'zset', '__rand_int__', 'element:__rand_int__'] },
  { name: 'ZINCRBY', dataset: 'members of a sorted set', command: ['ZINCRBY', 'zset', '1', 'element:__rand_int__'] },
  {
    name: 'ZRANGE',
    dataset: 'members of a sorted set',
    command: ['ZRANGE', 'zset', '__rand_int__', '+inf', 'BYSCORE', 'LIMIT', '0', '10'],
  },
  { name: 'LPUSH', command: ['LPUSH', 'pushlist', VALUE_16], before: cleared('pushlist') },
  { name: 'RPUSH', command: ['RPUSH', 'pushlist', VALUE_16], before: cleared('pushlist') },
  { name: 'LPOP', command: ['LPOP', 'poplist'], before: (requests) => listOf(requests) },
  { name: 'RPOP', command: ['RPOP', 'poplist'], before: (requests) => listOf(requests) },
  { name: 'LRANGE_100', dataset: 'elements of a list', command: ['LRANGE', 'list', '0', '99'] },
  { name: 'LRANGE_300', dataset: 'elements of a list', command: ['LRANGE', 'list', '0', '299'] },
  { name: 'LRANGE_600', dataset: 'elements of a list', command: ['LRANGE', 'list', '0', '599'] },
  { name: 'XADD', command: ['XADD', 'addstream', '*', 'field', VALUE_16], before: cleared('addstream') },
  { name: 'XRANGE', dataset: 'entries of a stream', command: ['XRANGE', 'stream', '-', '+', 'COUNT', '10'] },
]

export const LOAD_TESTS: readonly LoadTest[] = [
  { name: 'GET', dataset: 'values', command: ['GET', KEY] },
  { name: 'SET', dataset: 'values', command: ['SET', KEY, VALUE_64] },
  { name: 'INCR', dataset: 'counters', command: ['INCR', 'counter:__rand_int__'] },
  { name: 'MSET', dataset: 'values', command: ['MSET', ...Array.from({ length: 10 }, () => [KEY, VALUE_64]).flat()] },
  { name: 'APPEND', dataset: 'values', command: ['APPEND', 'key:__rand_int__', 'x'] },
  { name: 'MGET', dataset: 'values', command: ['MGET', ...Array.from({ length: 10 }, () => KEY)] },
  { name: 'SETEX', dataset: 'values', command: ['SETEX', KEY, '10000', VALUE_64] },
  { name: 'EXISTS', dataset: 'values', command: ['EXISTS', KEY] },
  { name: 'PING', command: ['PING'] },
  ...COLLECTION_LOADS,
]

function listOf(requests: number): Fill {
  return { count: requests, command: () => ['RPUSH', 'poplist', VALUE_16] }
}

export const DEFAULT_TESTS: readonly string[] = ['GET', 'SET', 'INCR', 'MSET']

/** What `--tests collections` stands for. */
export const COLLECTION_TESTS: readonly string[] = COLLECTION_LOADS.map(({ name }) => name)
