import type { Production, Words } from './words.js'

function field(w: Words): string {
  if (w.random.chance(0.06)) return w.random.pick(['u64', 'i65', 'u0', 'x8', 'u', 'i', '8', ''])
  return w.random.chance(0.5) ? `u${w.random.pick([1, 2, 5, 8, 16, 32, 63])}` : `i${w.random.pick([1, 2, 5, 8, 16, 32, 64])}`
}

function bitOffset(w: Words): string {
  if (w.random.chance(0.05)) return w.random.pick(['-1', '4294967296', '#-1', 'abc', '#', ''])
  return (w.random.chance(0.3) ? '#' : '') + String(w.random.below(100))
}

function fieldOperation(w: Words): readonly string[] {
  switch (w.random.below(4)) {
    case 0:
      return [w.word('GET'), field(w), bitOffset(w)]
    case 1:
      // redis-server saturates the lowest integer of all at the highest: its arithmetic overflows.
      return [w.word('SET'), field(w), bitOffset(w), w.integer().replace('-9223372036854775808', '-9223372036854775')]
    case 2:
      return [w.word('OVERFLOW'), w.word(w.random.pick(['WRAP', 'SAT', 'FAIL', ...(w.random.chance(0.1) ? ['NONE'] : [])]))]
    default:
      return [w.word('INCRBY'), field(w), bitOffset(w), w.integer()]
  }
}

const range = (w: Words) => [w.within(-50, 50), w.within(-50, 50), ...w.option(0.5, 'BIT', 'BYTE')]

/** What redis-server 7.0 has: BITOP knows AND, OR, XOR and NOT. */
export const BITMAP_PRODUCTIONS: readonly Production[] = [
  (w) => ['SETBIT', w.key(), w.within(0, 400), w.within(0, 1)],
  (w) => ['SETBIT', w.key(), w.within(-1, 400), w.within(-1, 2)],
  (w) => ['GETBIT', w.key(), w.within(-1, 400)],
  (w) => ['BITCOUNT', w.key(), ...w.maybe(0.6, () => range(w))],
  (w) => ['BITPOS', w.key(), w.within(0, 1), ...w.maybe(0.6, () => (w.random.chance(0.3) ? [w.within(-50, 50)] : range(w)))],
  (w) => ['BITOP', w.word(w.random.pick(['AND', 'OR', 'XOR'])), w.key(), ...w.keys(1, 4)],
  (w) => ['BITOP', w.word('NOT'), w.key(), ...w.keys(1, w.random.chance(0.1) ? 2 : 1)],
  (w) => ['BITFIELD', w.key(), ...w.random.times(1, 4, () => fieldOperation(w)).flat()],
  (w) => [
    'BITFIELD_RO',
    w.key(),
    ...w.random.times(1, 2, () => [w.word(w.random.chance(0.9) ? 'GET' : 'SET'), field(w), bitOffset(w)]).flat(),
  ],
]
