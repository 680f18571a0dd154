import { scanOptions } from './hash-grammar.js'
import type { Compound, Production, Words } from './words.js'

const many = (w: Words) => {
  if (w.random.chance(0.3)) return w.manyElements('m')
  return w.random.chance(0.3) ? w.random.times(20, 40, () => w.integer()) : w.elements(1, 12)
}

export const SET_PRODUCTIONS: readonly Production[] = [
  (w) => ['SADD', w.near(), ...w.elements(1, 5)],
  (w) => ['SADD', w.near(), ...w.elements(1, 5)],
  (w) => ['SADD', w.near(), ...w.random.times(1, 6, () => w.integer())],
  (w) => ['SADD', w.near(), ...many(w)],
  (w) => ['SREM', w.near(), ...w.elements(1, 4)],
  (w) => ['SREM', w.near(), ...w.elements(6, 15)],
  (w) => ['SCARD', w.near()],
  (w) => ['SISMEMBER', w.near(), w.element()],
  (w) => ['SMISMEMBER', w.near(), ...w.elements(1, 4)],
  (w) => ['SMEMBERS', w.near()],
  (w) => ['SMOVE', w.near(), w.near(), w.element()],
  (w) => ['SRANDMEMBER', w.near()],
  (w) => ['SRANDMEMBER', w.near(), w.randomCount()],
  (w) => ['SINTER', ...w.keys(1, 3)],
  (w) => ['SUNION', ...w.keys(1, 3)],
  (w) => ['SDIFF', ...w.keys(1, 3)],
  (w) => ['SINTERSTORE', w.near(), ...w.keys(1, 3)],
  (w) => ['SUNIONSTORE', w.near(), ...w.keys(1, 3)],
  (w) => ['SDIFFSTORE', w.near(), ...w.keys(1, 3)],
  (w) => ['SINTERCARD', ...w.numberedKeys(1, 3), ...w.maybe(0.4, () => [w.word('LIMIT'), w.count()])],
  (w) => ['SSCAN', w.near(), ...scanOptions(w)],
]

/** What was popped is chance, so nothing may be left of it that a later reply would show. */
export const SET_COMPOUNDS: readonly Compound[] = [
  (w) => [['SPOP', w.near(), w.random.pick(['0', '-1', 'abc', '', '9223372036854775807', '100000'])]],
  (w) => {
    const key = w.near()
    return [
      ['SPOP', key, ...w.maybe(0.6, () => [w.count()])],
      ['SCARD', key],
      ['DEL', key],
    ]
  },
]
