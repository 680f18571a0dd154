import type { Compound, Production, Words } from './words.js'
import { timeout } from './zset-grammar.js'

const end = (w: Words) => w.word(w.random.chance(0.03) ? 'UP' : w.random.pick(['LEFT', 'RIGHT']))

const many = (w: Words) => (w.random.chance(0.3) ? w.manyElements('') : w.elements(2, 20))

export const LIST_PRODUCTIONS: readonly Production[] = [
  (w) => ['RPUSH', w.near(), ...w.elements(1, 5)],
  (w) => ['RPUSH', w.near(), ...w.elements(1, 5)],
  (w) => ['LPUSH', w.near(), ...w.elements(1, 5)],
  (w) => [w.random.pick(['RPUSH', 'LPUSH']), w.near(), ...many(w)],
  (w) => ['RPUSHX', w.near(), ...w.elements(1, 3)],
  (w) => ['LPUSHX', w.near(), ...w.elements(1, 3)],
  (w) => ['LPOP', w.near(), ...w.maybe(0.5, () => [w.count()])],
  (w) => ['RPOP', w.near(), ...w.maybe(0.5, () => [w.count()])],
  (w) => ['LLEN', w.near()],
  (w) => ['LINDEX', w.near(), w.index()],
  (w) => ['LRANGE', w.near(), w.index(), w.index()],
  (w) => ['LRANGE', w.near(), '0', '-1'],
  (w) => ['LSET', w.near(), w.random.chance(0.8) ? w.random.pick(['0', '-1', '1', '-2', '3']) : w.index(), w.element()],
  (w) => ['LSET', w.near(), w.random.chance(0.8) ? w.random.pick(['0', '-1', '1', '-2', '3']) : w.index(), w.element()],
  (w) => [
    'LINSERT',
    w.near(),
    w.word(w.random.chance(0.04) ? 'BESIDE' : w.random.pick(['BEFORE', 'AFTER'])),
    w.element(),
    w.element(),
  ],
  (w) => ['LINSERT', w.near(), w.word(w.random.pick(['BEFORE', 'AFTER'])), w.element(), w.element()],
  (w) => ['LREM', w.near(), w.within(-4, 4), w.element()],
  (w) => ['LTRIM', w.near(), w.index(), w.index()],
  (w) => ['LTRIM', w.near(), '0', w.index()],
  (w) => [
    'LPOS',
    w.near(),
    w.element(),
    ...w.maybe(0.5, () => [w.word('RANK'), w.within(-4, 4)]),
    ...w.maybe(0.4, () => [w.word('COUNT'), w.count()]),
    ...w.maybe(0.3, () => [w.word('MAXLEN'), w.count()]),
  ],
  (w) => ['LMOVE', w.near(), w.near(), end(w), end(w)],
  (w) => ['RPOPLPUSH', w.near(), w.near()],
  (w) => ['LMPOP', ...w.numberedKeys(1, 3), end(w), ...w.maybe(0.5, () => [w.word('COUNT'), w.count()])],
]

/** Blocking commands that do not block: in a transaction, or because there is an element. */
export const LIST_COMPOUNDS: readonly Compound[] = [
  (w) => [
    ['MULTI'],
    w.random.pick([
      ['BLPOP', ...w.keys(1, 3), timeout(w)],
      ['BRPOP', ...w.keys(1, 3), timeout(w)],
      ['BRPOPLPUSH', w.near(), w.near(), timeout(w)],
      ['BLMOVE', w.near(), w.near(), end(w), end(w), timeout(w)],
      ['BLMPOP', timeout(w), ...w.numberedKeys(1, 3), end(w), ...w.maybe(0.5, () => ['COUNT', w.count()])],
    ]),
    ['EXEC'],
  ],
  (w) => {
    const key = w.near()
    return [
      ['RPUSH', key, ...w.elements(1, 2)],
      w.random.pick([
        ['BLPOP', key, w.near(), '0'],
        ['BRPOP', key, '0'],
        ['BLMOVE', key, w.near(), 'LEFT', 'RIGHT', '0'],
        ['BRPOPLPUSH', key, w.near(), '0'],
        ['BLMPOP', '0', '1', key, 'LEFT', 'COUNT', '2'],
      ]),
    ]
  },
]
