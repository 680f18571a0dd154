import type { SeededRandom } from './random.js'

/** What commands of the workload write. */
export const VALUES = [
  'a',
  'bb',
  'text',
  '',
  '0',
  '1',
  '10',
  '-7',
  '2.5',
  '41',
  'x\r\ny',
  '\xff\x00\x80',
  'longer value that does not fit anywhere small',
]
export const DELTAS = ['1', '2', '3', '-1', '-5', '10', '100', '0', '4503599627370497']
export const FLOATS = ['0.1', '0.2', '1.5', '-0.3', '2', '10.25', '-1']

/** Fields, members and elements: few, so that writes meet; one beyond what is kept in the compact form. */
export const ELEMENTS = ['a', 'b', 'c', 'd', '1', '2', '\xff\x00', 'e'.repeat(70)]

/** Milliseconds until something is due. */
export function soon(random: SeededRandom): string {
  return String(random.pick([1, 20, 60, 150, 400, 3000, 100_000]))
}

/** Some elements; now and then so many that a collection leaves its compact form. */
export function someElements(random: SeededRandom, most: number): string[] {
  if (random.chance(0.02)) return Array.from({ length: random.between(60, 140) }, (_, i) => `n${i}`)
  return Array.from({ length: random.between(1, most) }, () => random.pick(ELEMENTS))
}
