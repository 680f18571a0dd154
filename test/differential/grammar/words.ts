import type { CommandLine } from '../sequence.js'
import type { SeededRandom } from '../seeded-random.js'

/** Makes one command. */
export type Production = (words: Words) => CommandLine

/** Makes several commands that are only right together. */
export type Compound = (words: Words) => readonly CommandLine[]

const KEYS = ['k0', 'k1', 'k2', 'k3', 'k4', 'k5', '', '{t}a', '\xff\x00\r\n']
const TEXTS = [
  '',
  'a',
  'hello',
  'Hello World',
  'x'.repeat(44),
  'x'.repeat(45),
  'y'.repeat(300),
  '\x00\xff\r\n$3\r\n',
  'ohmytext',
  'mynewtext',
]
const INTEGERS = ['0', '1', '-1', '7', '10', '100', '-37', '4096', '9007199254740992', '-9007199254740993', '1000000000000000']
const EDGES = [
  '9223372036854775807',
  '-9223372036854775808',
  '9223372036854775808',
  '-9223372036854775809',
  '99999999999999999999999',
]
const NOT_INTEGERS = ['', ' 1', '1 ', '+1', '01', '-0', '1.0', '1e3', '0x10', 'abc', '1\x00']
const FLOATS = ['0.1', '0.2', '-1.5', '3.0e3', '5', '1e17', '-2.5e-3', '1234567.891', '0.00000000001', '3.141592653589793']
// None so small that strtod reports it: redis-server's SORT takes that for a failure of its own, any time later.
const SCORES = ['inf', '-inf', '+inf', 'Infinity', '1.7e308', '-1.7e308', '1e-300', '0', '-0', '0.30000000000000004', '1e400']
const ELEMENTS = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'hh', 'ij', '', '\x00\r\n', 'z'.repeat(64), 'z'.repeat(65), 'q'.repeat(200)]
const SMALL = ['0', '1', '2', '3', '-1', '-2']
const COUNTS = [
  '9223372036854775807',
  '-9223372036854775808',
  '9223372036854775808',
  '-1',
  '',
  'abc',
  '1.5',
  '4611686018427387904',
]
const NOT_FLOATS = ['', 'nan', 'abc', '1.5x', ' 1.5', '1e', '--1']

/** Vocabulary that productions draw from. Keys are few, so that commands meet. */
export class Words {
  constructor(
    readonly random: SeededRandom,
    /** Unix ms, for absolute times. */
    readonly nowMs: number,
  ) {}

  key(): string {
    // The first keys come more often than the strange ones.
    return this.random.chance(0.85) ? this.random.pick(KEYS.slice(0, 5)) : this.random.pick(KEYS)
  }

  /** One of very few keys, for commands that need something to be there. */
  near(): string {
    return this.random.chance(0.7) ? this.random.pick(['k0', 'k1']) : this.key()
  }

  value(): string {
    const { random } = this
    const kind = random.below(10)
    if (kind < 4) return random.pick(TEXTS)
    if (kind < 8) return this.integer()
    return random.pick(FLOATS)
  }

  /** A 64-bit integer, now and then at or beyond the edges or none at all. */
  integer(): string {
    const { random } = this
    const kind = random.below(20)
    if (kind === 0) return random.pick(EDGES)
    if (kind === 1) return random.pick(NOT_INTEGERS)
    return random.chance(0.5) ? random.pick(INTEGERS) : String(random.between(-1000, 1000))
  }

  float(): string {
    const { random } = this
    const kind = random.below(12)
    if (kind === 0) return random.pick(NOT_FLOATS)
    return kind < 8 ? random.pick(FLOATS) : this.integer()
  }

  /** A hash field, a member of a set, an element of a list: few, so that commands meet, and now and then one that is long or strange. */
  element(): string {
    const { random } = this
    const kind = random.below(20)
    if (kind < 11) return random.pick(ELEMENTS.slice(0, 9))
    if (kind < 15) return String(random.below(12))
    return kind < 18 ? random.pick(ELEMENTS) : this.value()
  }

  elements(low: number, high: number): string[] {
    return this.random.times(low, high, () => this.element())
  }

  /** Enough elements that a collection leaves its compact form. */
  manyElements(prefix: string): string[] {
    const from = this.random.below(100)
    return Array.from({ length: this.random.between(100, 180) }, (_, i) => `${prefix}${from + i}`)
  }

  /** A score of a sorted set. */
  score(): string {
    const { random } = this
    const kind = random.below(16)
    if (kind < 8) return String(random.between(-5, 12))
    if (kind < 12) return random.pick(FLOATS)
    return kind < 14 ? random.pick(SCORES) : this.float()
  }

  /** How many: small, now and then none, huge or no number. */
  count(): string {
    return this.random.chance(0.08) ? this.random.pick(COUNTS) : String(this.random.between(0, 6))
  }

  /** How many random members, negative with repetitions: never so many that a server would be at it for years. */
  randomCount(): string {
    const { random } = this
    return random.chance(0.06)
      ? random.pick(['', 'abc', '1.5', '9223372036854775807', '-9223372036854775808', '9223372036854775808'])
      : String(random.between(-12, 12))
  }

  /** An index or rank from the start or from the end. */
  index(): string {
    const { random } = this
    const kind = random.below(20)
    if (kind === 0) return random.pick(COUNTS)
    return kind < 12 ? random.pick(SMALL) : String(random.between(-40, 40))
  }

  /** numkeys and so many keys; rarely another number. */
  numberedKeys(low: number, high: number): string[] {
    const keys = this.keys(low, high)
    const count = this.random.chance(0.06)
      ? this.random.pick(['0', '-1', 'abc', '100', '9223372036854775807'])
      : String(keys.length)
    return [count, ...keys]
  }

  /** An integer in a range, rarely something else. */
  within(low: number, high: number): string {
    return this.random.chance(0.04) ? this.integer() : String(this.random.between(low, high))
  }

  /** Seconds or milliseconds far enough ahead that nothing is due while a sequence runs, or long past, or wrong. */
  ahead(unitMs: number): string {
    const { random } = this
    if (random.chance(0.1))
      return random.pick(['0', '-1', '-100', '9223372036854775807', '9223372036854775', '-9223372036854776', 'abc', ''])
    return String(Math.ceil((random.between(1, 50) * 100_000) / unitMs))
  }

  /** The same as a Unix time. */
  aheadAt(unitMs: number): string {
    const { random } = this
    if (random.chance(0.1)) return random.pick(['0', '1', '-1', '9223372036854775807', 'abc'])
    return String(Math.floor(this.nowMs / unitMs) + Math.ceil((random.between(1, 50) * 100_000) / unitMs))
  }

  /** A word in capitals, small letters or both. */
  word(word: string): string {
    const kind = this.random.below(4)
    if (kind === 0) return word.toLowerCase()
    return kind === 1 ? word[0] + word.slice(1).toLowerCase() : word
  }

  /** The words, or nothing. */
  maybe(probability: number, make: () => readonly string[]): readonly string[] {
    return this.random.chance(probability) ? make() : []
  }

  /** One of the words, or nothing. */
  option(probability: number, ...choices: readonly string[]): readonly string[] {
    return this.maybe(probability, () => [this.word(this.random.pick(choices))])
  }

  keys(low: number, high: number): string[] {
    return this.random.times(low, high, () => this.key())
  }

  pattern(): string {
    return this.random.pick(['*', 'k*', 'k[0-2]', 'k[^0-2]', '?0', '\\k0', '*t*a', '[', 'k[a', '[\x80-\xff]*', '', '**', 'none*'])
  }

  database(): string {
    return this.random.chance(0.08) ? this.random.pick(['16', '-1', 'abc', '4294967296', '']) : this.random.pick(['0', '1', '2'])
  }
}
