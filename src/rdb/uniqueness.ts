import { allocateWords, equalBytes } from '../base/bytes.js'
import type { ByteList } from './byte-list.js'

/** Looks at the table for each element, on average. At half a load about 1.5 are needed; more means that somebody chose the elements. */
const LOOKS_PER_ELEMENT = 16
const SPARE_LOOKS = 1024
/** Elements that are looked at in one step: each may touch a page of the table that has not been used yet, some 0.1 ms together. */
const STEP_ELEMENTS = 128
/** FNV-1a. */
const OFFSET = 0x811c9dc5
const PRIME = 0x01000193

/**
 * Whether no element is there twice. The table is a typed array, 8 to 16 bytes an element: a payload may hold a hundred million. Elements made to
 * collide count as `colliding` instead of taking quadratic time. A step at a time.
 */
export function* checkUnique(list: ByteList): Generator<undefined, 'unique' | 'duplicate' | 'colliding'> {
  const table = allocateWords(2 ** Math.ceil(Math.log2(2 * list.count + 2)))
  const mask = table.length - 1
  let looks = LOOKS_PER_ELEMENT * list.count + SPARE_LOOKS
  for (let i = 0; i < list.count; i++) {
    if (i % STEP_ELEMENTS === STEP_ELEMENTS - 1) yield
    const bytes = list.bytesOf(i)
    const start = list.start(i)
    const end = list.end(i)
    let slot = hash(bytes, start, end) & mask
    while (table[slot] !== 0) {
      const other = table[slot] - 1
      const otherStart = list.start(other)
      if (list.end(other) - otherStart === end - start && equalBytes(list.bytesOf(other), otherStart, bytes, start, end - start))
        return 'duplicate'
      if (--looks === 0) return 'colliding'
      slot = (slot + 1) & mask
    }
    table[slot] = i + 1
  }
  return 'unique'
}

function hash(bytes: Uint8Array, start: number, end: number): number {
  let h = OFFSET
  for (let i = start; i < end; i++) h = Math.imul(h ^ bytes[i], PRIME)
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b)
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
  return (h ^ (h >>> 16)) >>> 0
}
