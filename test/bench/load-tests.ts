/**
 * What the side-by-side comparison runs. A further command is one more line; `__rand_int__` becomes a random key number, and every
 * key of the named data set exists before the first run.
 */
export interface LoadTest {
  readonly name: string
  readonly command: readonly string[]
  readonly dataset: keyof typeof DATASETS
}

export const VALUE_64 = 'x'.repeat(64)
const KEY = 'key:__rand_int__'

/** Keys `<prefix>000000000000` and on, each with the value. */
export const DATASETS = {
  values: { prefix: 'key:', value: VALUE_64 },
  counters: { prefix: 'counter:', value: '1000' },
} as const

export const LOAD_TESTS: readonly LoadTest[] = [
  { name: 'GET', dataset: 'values', command: ['GET', KEY] },
  { name: 'SET', dataset: 'values', command: ['SET', KEY, VALUE_64] },
  { name: 'INCR', dataset: 'counters', command: ['INCR', 'counter:__rand_int__'] },
  { name: 'MSET', dataset: 'values', command: ['MSET', ...Array.from({ length: 10 }, () => [KEY, VALUE_64]).flat()] },
  { name: 'APPEND', dataset: 'values', command: ['APPEND', 'key:__rand_int__', 'x'] },
  { name: 'MGET', dataset: 'values', command: ['MGET', ...Array.from({ length: 10 }, () => KEY)] },
  { name: 'SETEX', dataset: 'values', command: ['SETEX', KEY, '10000', VALUE_64] },
  { name: 'EXISTS', dataset: 'values', command: ['EXISTS', KEY] },
  { name: 'PING', dataset: 'values', command: ['PING'] },
]

export const DEFAULT_TESTS: readonly string[] = ['GET', 'SET', 'INCR', 'MSET']
