/**
 * HyperLogLog as Redis does it (Ertl's estimator of 2017), read once more and in the plainest way: registers are a map from index to rank.
 */
const INDEX_BITS = 14n
const REGISTERS = 16384
const RANK_BITS = 50
const MASK = 2n ** 64n - 1n
const ALPHA = 0.72134752044448170368

/** MurmurHash2, 64-bit version A, little endian. */
function murmur64(text: string, seed: bigint): bigint {
  const m = 0xc6a4a7935bd1e995n
  const byte = (i: number): bigint => BigInt(text.charCodeAt(i))
  let hash = (seed ^ (BigInt(text.length) * m)) & MASK
  let at = 0
  for (; at + 8 <= text.length; at += 8) {
    let block = 0n
    for (let i = 0; i < 8; i++) block |= byte(at + i) << BigInt(8 * i)
    block = (block * m) & MASK
    block ^= block >> 47n
    block = (block * m) & MASK
    hash = ((hash ^ block) * m) & MASK
  }
  if (at < text.length) {
    for (let i = text.length - 1; i >= at; i--) hash ^= byte(i) << BigInt(8 * (i - at))
    hash = (hash * m) & MASK
  }
  hash ^= hash >> 47n
  hash = (hash * m) & MASK
  return hash ^ (hash >> 47n)
}

/** The register that an element belongs to, and the rank it raises it to. */
export function patternOf(element: string): readonly [index: number, rank: number] {
  const hash = murmur64(element, 0xadc83b19n)
  let rest = (hash >> INDEX_BITS) | (1n << BigInt(RANK_BITS))
  let rank = 1
  while ((rest & 1n) === 0n) {
    rest >>= 1n
    rank++
  }
  return [Number(hash & BigInt(REGISTERS - 1)), rank]
}

export function estimate(registers: ReadonlyMap<number, number>): number {
  const counts = new Array<number>(RANK_BITS + 2).fill(0)
  for (const rank of registers.values()) counts[rank]++
  counts[0] = REGISTERS - registers.size
  let z = REGISTERS * tau((REGISTERS - counts[RANK_BITS + 1]) / REGISTERS)
  for (let rank = RANK_BITS; rank >= 1; rank--) z = (z + counts[rank]) * 0.5
  z += REGISTERS * sigma(counts[0] / REGISTERS)
  return Math.round((ALPHA * REGISTERS * REGISTERS) / z)
}

function sigma(from: number): number {
  if (from === 1) return Infinity
  let x = from
  let y = 1
  let z = x
  for (let before = NaN; z !== before;) {
    x *= x
    before = z
    z += x * y
    y += y
  }
  return z
}

function tau(from: number): number {
  if (from === 0 || from === 1) return 0
  let x = from
  let y = 1
  let z = 1 - x
  for (let before = NaN; z !== before;) {
    x = Math.sqrt(x)
    before = z
    y *= 0.5
    z -= (1 - x) ** 2 * y
  }
  return z / 3
}

/** The registers of a HyperLogLog in the bytes that Redis keeps. */
export function registersIn(bytes: string): (readonly [index: number, rank: number])[] {
  if (!bytes.startsWith('HYLL')) throw new Error('no HyperLogLog')
  const byte = (i: number): number => bytes.charCodeAt(16 + i)
  const found: (readonly [number, number])[] = []
  if (bytes.charCodeAt(4) === 0) {
    for (let index = 0; index < REGISTERS; index++) {
      const bit = index * 6
      const pair = byte(bit >> 3) | ((byte((bit >> 3) + 1) || 0) << 8)
      const rank = (pair >> (bit & 7)) & 63
      if (rank > 0) found.push([index, rank])
    }
    return found
  }
  let index = 0
  for (let at = 0; 16 + at < bytes.length; at++) {
    const code = byte(at)
    if (code < 0x40) index += (code & 0x3f) + 1
    else if (code < 0x80) index += (((code & 0x3f) << 8) | byte(++at)) + 1
    else for (let run = (code & 3) + 1; run > 0; run--) found.push([index++, ((code >> 2) & 31) + 1])
  }
  if (index !== REGISTERS) throw new Error(`a sparse HyperLogLog of ${index} registers`)
  return found
}
