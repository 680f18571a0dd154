import { scanOptions } from './hash-grammar.js'
import type { Compound, Production, Words } from './words.js'

const scored = (w: Words, low: number, high: number) => w.random.times(low, high, () => [w.score(), w.element()]).flat()

const scoreBound = (w: Words) => {
  if (w.random.chance(0.04)) return w.random.pick(['(', '((1', 'abc', '(nan', ''])
  return w.random.chance(0.25) ? w.random.pick(['-inf', '+inf', '(inf']) : (w.random.chance(0.3) ? '(' : '') + w.score()
}

const lexBound = (w: Words) => {
  if (w.random.chance(0.05)) return w.random.pick(['a', '', '(', '[', '++', '-x'])
  return w.random.chance(0.3) ? w.random.pick(['-', '+']) : w.random.pick(['[', '(']) + w.element()
}

/** Keys whose scores are all alike: without that, what a range of names holds depends in redis-server on how a skip list happens to be built. */
const alike = (w: Words) => w.random.pick(['alike0', 'alike1'])

const limit = (w: Words, probability: number) => w.maybe(probability, () => [w.word('LIMIT'), w.index(), w.index()])

/** Source, bounds and options of ZRANGE and ZRANGESTORE. */
function range(w: Words, withScores: number): string[] {
  const by = w.random.below(4)
  const key = by === 1 ? alike(w) : w.near()
  const bounds = by === 0 ? [scoreBound(w), scoreBound(w)] : by === 1 ? [lexBound(w), lexBound(w)] : [w.index(), w.index()]
  const options = [
    by === 0 ? [w.word('BYSCORE')] : by === 1 ? [w.word('BYLEX')] : w.option(0.04, 'BYSCORE'),
    w.option(0.35, 'REV'),
    limit(w, by < 2 ? 0.35 : 0.04),
    w.option(withScores, 'WITHSCORES'),
  ]
  return [key, ...bounds, ...options.flat()]
}

const operands = (w: Words) => {
  const keys = w.numberedKeys(1, 3)
  return [
    ...keys,
    ...w.maybe(0.3, () => [w.word('WEIGHTS'), ...w.random.times(keys.length - 1, keys.length - 1, () => w.float())]),
    ...w.maybe(0.35, () => [w.word('AGGREGATE'), w.word(w.random.pick(['SUM', 'MIN', 'MAX', 'MIN', 'MAX', 'AVG']))]),
  ]
}

const addOptions = (w: Words) => [
  ...w.option(0.25, 'NX', 'XX'),
  ...w.option(0.25, 'GT', 'LT'),
  ...w.option(0.3, 'CH'),
  ...w.option(0.1, 'INCR'),
]

/** What redis-server 7.0 has: no ZRANK ... WITHSCORE. */
export const ZSET_PRODUCTIONS: readonly Production[] = [
  (w) => ['ZADD', w.near(), ...scored(w, 1, 4)],
  (w) => ['ZADD', w.near(), ...scored(w, 1, 4)],
  (w) => ['ZADD', w.near(), ...addOptions(w), ...scored(w, 1, w.random.chance(0.7) ? 1 : 3)],
  (w) => ['ZADD', w.near(), ...w.random.times(1, 6, () => ['0', w.element()]).flat()],
  (w) => ['ZADD', alike(w), ...w.random.times(1, 9, () => ['0', w.element()]).flat()],
  (w) =>
    w.random.chance(0.2)
      ? ['ZADD', w.near(), ...w.manyElements('m').flatMap((member) => [String(w.random.below(20)), member])]
      : ['ZADD', w.near(), ...scored(w, 2, 9)],
  (w) => ['ZINCRBY', w.near(), w.score(), w.element()],
  (w) => ['ZINCRBY', w.near(), w.score(), w.element()],
  (w) => ['ZREM', w.near(), ...w.elements(1, 4)],
  (w) => ['ZREM', w.near(), ...w.elements(6, 15)],
  (w) => ['ZCARD', w.near()],
  (w) => ['ZSCORE', w.near(), w.element()],
  (w) => ['ZMSCORE', w.near(), ...w.elements(1, 4)],
  (w) => ['ZRANK', w.near(), w.element()],
  (w) => ['ZREVRANK', w.near(), w.element()],
  (w) => ['ZCOUNT', w.near(), scoreBound(w), scoreBound(w)],
  (w) => ['ZLEXCOUNT', alike(w), lexBound(w), lexBound(w)],
  (w) => ['ZRANGE', ...range(w, 0.5)],
  (w) => ['ZRANGE', ...range(w, 0.5)],
  (w) => ['ZRANGESTORE', w.near(), ...range(w, 0.03)],
  (w) => ['ZREVRANGE', w.near(), w.index(), w.index(), ...w.option(0.5, 'WITHSCORES')],
  (w) => ['ZRANGEBYSCORE', w.near(), scoreBound(w), scoreBound(w), ...w.option(0.4, 'WITHSCORES'), ...limit(w, 0.4)],
  (w) => ['ZREVRANGEBYSCORE', w.near(), scoreBound(w), scoreBound(w), ...limit(w, 0.4), ...w.option(0.4, 'WITHSCORES')],
  (w) => ['ZRANGEBYLEX', alike(w), lexBound(w), lexBound(w), ...limit(w, 0.4)],
  (w) => ['ZREVRANGEBYLEX', alike(w), lexBound(w), lexBound(w), ...limit(w, 0.4)],
  (w) => ['ZREMRANGEBYRANK', w.near(), w.index(), w.index()],
  (w) => ['ZREMRANGEBYSCORE', w.near(), scoreBound(w), scoreBound(w)],
  (w) => ['ZREMRANGEBYLEX', alike(w), lexBound(w), lexBound(w)],
  (w) => ['ZPOPMIN', w.near(), ...w.maybe(0.5, () => [w.count()])],
  (w) => ['ZPOPMAX', w.near(), ...w.maybe(0.5, () => [w.count()])],
  (w) => [
    'ZMPOP',
    ...w.numberedKeys(1, 3),
    w.word(w.random.pick(['MIN', 'MAX'])),
    ...w.maybe(0.5, () => [w.word('COUNT'), w.count()]),
  ],
  (w) => ['ZRANDMEMBER', w.near()],
  (w) => ['ZRANDMEMBER', w.near(), w.randomCount(), ...w.option(0.5, 'WITHSCORES')],
  (w) => ['ZUNION', ...operands(w), ...w.option(0.5, 'WITHSCORES')],
  (w) => ['ZINTER', ...operands(w), ...w.option(0.5, 'WITHSCORES')],
  (w) => ['ZDIFF', ...w.numberedKeys(1, 3), ...w.option(0.5, 'WITHSCORES')],
  (w) => ['ZUNIONSTORE', w.near(), ...operands(w)],
  (w) => ['ZINTERSTORE', w.near(), ...operands(w)],
  (w) => ['ZDIFFSTORE', w.near(), ...w.numberedKeys(1, 3)],
  (w) => ['ZINTERCARD', ...w.numberedKeys(1, 3), ...w.maybe(0.4, () => [w.word('LIMIT'), w.count()])],
  (w) => ['ZSCAN', w.near(), ...scanOptions(w)],
]

/** Blocking commands that do not block: in a transaction. */
export const ZSET_COMPOUNDS: readonly Compound[] = [
  (w) => [
    ['MULTI'],
    w.random.pick([
      ['BZPOPMIN', ...w.keys(1, 3), timeout(w)],
      ['BZPOPMAX', ...w.keys(1, 3), timeout(w)],
      ['BZMPOP', timeout(w), ...w.numberedKeys(1, 3), w.random.pick(['MIN', 'MAX']), ...w.maybe(0.4, () => ['COUNT', w.count()])],
    ]),
    ['EXEC'],
  ],
]

export function timeout(w: Words): string {
  return w.random.chance(0.15) ? w.random.pick(['-1', 'abc', '', '1e400', 'inf', '9223372036854775807', '-0.5']) : '0.1'
}
