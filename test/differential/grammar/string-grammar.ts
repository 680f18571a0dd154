import type { Production, Words } from './words.js'

function expiryOption(w: Words): readonly string[] {
  switch (w.random.below(5)) {
    case 0:
      return [w.word('EX'), w.ahead(1000)]
    case 1:
      return [w.word('PX'), w.ahead(1)]
    case 2:
      return [w.word('EXAT'), w.aheadAt(1000)]
    case 3:
      return [w.word('PXAT'), w.aheadAt(1)]
    default:
      return [w.word('KEEPTTL')]
  }
}

/** What redis-server 7.0 has: no IFEQ, no DIGEST, no DELEX, no MSETEX. */
export const STRING_PRODUCTIONS: readonly Production[] = [
  (w) => ['SET', w.key(), w.value()],
  (w) => [
    'SET',
    w.key(),
    w.value(),
    ...w.option(0.5, 'NX', 'XX'),
    ...w.option(0.3, 'GET'),
    ...w.maybe(0.5, () => expiryOption(w)),
  ],
  (w) => [
    'SET',
    w.key(),
    w.value(),
    ...w.maybe(0.4, () => expiryOption(w)),
    ...w.option(0.3, 'GET'),
    ...w.option(0.4, 'NX', 'XX', 'GET'),
  ],
  (w) => ['SETEX', w.key(), w.ahead(1000), w.value()],
  (w) => ['PSETEX', w.key(), w.ahead(1), w.value()],
  (w) => ['SETNX', w.key(), w.value()],
  (w) => ['GET', w.key()],
  (w) => ['GET', w.key()],
  (w) => ['GETSET', w.key(), w.value()],
  (w) => ['GETDEL', w.key()],
  (w) => ['GETEX', w.key(), ...w.maybe(0.6, () => (w.random.chance(0.3) ? [w.word('PERSIST')] : expiryOption(w)))],
  (w) => ['MGET', ...w.keys(1, 4)],
  (w) => ['MSET', ...w.random.times(1, 3, () => [w.key(), w.value()]).flat()],
  (w) => ['MSETNX', ...w.random.times(1, 2, () => [w.key(), w.value()]).flat()],
  (w) => ['APPEND', w.key(), w.value()],
  (w) => ['STRLEN', w.key()],
  (w) => ['SETRANGE', w.key(), w.within(-1, 60), w.value()],
  (w) => ['GETRANGE', w.key(), w.within(-60, 60), w.within(-60, 60)],
  (w) => ['SUBSTR', w.key(), w.within(-10, 10), w.within(-10, 10)],
  (w) => ['INCR', w.key()],
  (w) => ['DECR', w.key()],
  (w) => ['INCRBY', w.key(), w.integer()],
  (w) => ['DECRBY', w.key(), w.integer()],
  (w) => ['INCRBYFLOAT', w.key(), w.float()],
  (w) => [
    'LCS',
    w.key(),
    w.key(),
    ...w.option(0.2, 'LEN'),
    ...w.option(0.5, 'IDX'),
    ...w.maybe(0.3, () => [w.word('MINMATCHLEN'), w.within(-1, 5)]),
    ...w.option(0.3, 'WITHMATCHLEN'),
  ],
]
