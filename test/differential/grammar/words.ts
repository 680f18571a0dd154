import type { CommandLine } from '../sequence.js'
import type { SeededRandom } from '../seeded-random.js'

/** Makes one command, or several that belong together. */
export type Production = (words: Words) => CommandLine

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
