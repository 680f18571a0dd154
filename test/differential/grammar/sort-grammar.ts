import type { Compound, Production, Words } from './words.js'

const by = (w: Words) => w.random.pick(['w_*', 'w_*', 'h_*->f', 'nosort', 'none_*', '*', 'h_*->', '#'])
const get = (w: Words) => [w.word('GET'), w.random.pick(['#', 'w_*', 'h_*->f', 'none_*', 'plain', 'h_*->', '*'])]
const limit = (w: Words, probability: number) => w.maybe(probability, () => [w.word('LIMIT'), w.index(), w.index()])

/** Numbers, for the most part: anything else is an error without ALPHA. */
const element = (w: Words) => (w.random.chance(0.9) ? String(w.random.between(-3, 12)) : w.element())
const elements = (w: Words) => w.random.times(1, 8, () => element(w))

function sort(w: Words, name: string): string[] {
  const options = [
    ...w.option(0.4, 'ALPHA'),
    ...w.option(0.5, 'ASC', 'DESC'),
    ...w.random.times(0, w.random.chance(0.4) ? 3 : 0, () => get(w)).flat(),
  ]
  // Which of the unsorted come first is chance in a set.
  const chosen = w.random.chance(0.4) ? [w.word('BY'), by(w)] : limit(w, 0.4)
  return [name, w.key(), ...chosen, ...options, ...w.option(0.03, 'NOPE', 'BY', 'GET', 'LIMIT')]
}

export const SORT_PRODUCTIONS: readonly Production[] = [
  (w) => sort(w, 'SORT'),
  (w) => sort(w, 'SORT'),
  (w) => sort(w, 'SORT_RO'),
  (w) => ['SORT', w.key(), ...limit(w, 0.3), ...w.option(0.5, 'ALPHA'), ...w.maybe(0.3, () => get(w)), w.word('STORE'), w.key()],
  (w) => ['SORT', w.key(), ...w.option(0.5, 'ALPHA'), ...limit(w, 0.3), ...w.option(0.3, 'DESC')],
  (w) => ['RPUSH', w.key(), ...elements(w)],
  (w) => ['RPUSH', w.key(), ...elements(w)],
  (w) => ['SADD', w.key(), ...elements(w)],
  (w) => ['ZADD', w.key(), ...elements(w).flatMap((member) => [String(w.random.below(10)), member])],
  (w) => ['SET', `w_${element(w)}`, String(w.random.between(-50, 50))],
  (w) => ['SET', `w_${element(w)}`, w.random.chance(0.8) ? w.float() : w.value()],
  (w) => ['HSET', `h_${element(w)}`, 'f', String(w.random.between(-50, 50))],
  (w) => ['SET', 'plain', w.value()],
  (w) => ['DEL', w.random.chance(0.5) ? w.key() : `w_${element(w)}`],
  (w) => ['LRANGE', w.key(), '0', '-1'],
]

/** In a list and in a sorted set even what is not sorted has an order. */
export const SORT_COMPOUNDS: readonly Compound[] = [
  (w) => {
    const key = w.key()
    const fill = w.random.pick([
      ['RPUSH', key, ...elements(w)],
      ['ZADD', key, ...elements(w).flatMap((member) => [String(w.random.below(10)), member])],
    ])
    const options = [...limit(w, 0.6), ...w.option(0.5, 'ASC', 'DESC'), ...w.maybe(0.3, () => get(w))]
    return [['DEL', key], fill, ['SORT', key, 'BY', 'nosort', ...options, ...w.maybe(0.4, () => ['STORE', w.key()])]]
  },
]
