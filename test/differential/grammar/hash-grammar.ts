import type { Production, Words } from './words.js'

const pairs = (w: Words, low: number, high: number) => w.random.times(low, high, () => [w.element(), w.value()]).flat()

/** What redis-server 7.0 has: no expiry of fields, no HGETEX, HSETEX or HGETDEL. */
export const HASH_PRODUCTIONS: readonly Production[] = [
  (w) => ['HSET', w.near(), ...pairs(w, 1, 4)],
  (w) => ['HSET', w.near(), ...pairs(w, 1, 4)],
  (w) => ['HSET', w.near(), w.element(), w.value()],
  (w) => ['HMSET', w.near(), ...pairs(w, 1, 3)],
  (w) =>
    w.random.chance(0.2)
      ? ['HSET', w.near(), ...w.manyElements('f').flatMap((field) => [field, w.random.chance(0.5) ? '1' : field])]
      : ['HSET', w.near(), ...pairs(w, 1, 2), ...w.maybe(0.1, () => [w.element()])],
  (w) => ['HSETNX', w.near(), w.element(), w.value()],
  (w) => ['HGET', w.near(), w.element()],
  (w) => ['HGET', w.near(), w.element()],
  (w) => ['HMGET', w.near(), ...w.elements(1, 4)],
  (w) => ['HDEL', w.near(), ...w.elements(1, 4)],
  (w) => ['HDEL', w.near(), ...w.elements(6, 15)],
  (w) => ['HLEN', w.near()],
  (w) => ['HSTRLEN', w.near(), w.element()],
  (w) => ['HEXISTS', w.near(), w.element()],
  (w) => ['HGETALL', w.near()],
  (w) => ['HKEYS', w.near()],
  (w) => ['HVALS', w.near()],
  (w) => ['HINCRBY', w.near(), w.element(), w.integer()],
  (w) => ['HINCRBY', w.near(), w.element(), w.integer()],
  (w) => ['HINCRBYFLOAT', w.near(), w.element(), w.float()],
  (w) => ['HRANDFIELD', w.near()],
  (w) => ['HRANDFIELD', w.near(), w.randomCount(), ...w.option(0.5, 'WITHVALUES'), ...w.option(0.04, 'NOPE')],
  (w) => ['HSCAN', w.near(), ...scanOptions(w)],
]

/** The walk that one call completes, for the most part. */
export function scanOptions(w: Words): string[] {
  return [
    w.random.chance(0.04) ? w.random.pick(['abc', '1.5', '1x']) : '0',
    ...w.maybe(0.4, () => [w.word('MATCH'), w.random.pick(['*', 'f*', '[a-c]', '?', '1*', '', 'none*'])]),
    ...w.maybe(0.9, () => [w.word('COUNT'), w.random.chance(0.1) ? w.random.pick(['0', '-1', 'abc', '2']) : '100000']),
    ...w.option(0.03, 'NOPE', 'MATCH'),
  ]
}
