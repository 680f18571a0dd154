/** Counting and finding bits in byte ranges. Positions are in bits from `off`; both ends of a range belong to it. */
const POPULATION = new Uint8Array(256).map((_, byte) => {
  let count = 0
  for (let rest = byte; rest > 0; rest &= rest - 1) count++
  return count
})
/** Bytes from which whole words are counted. */
const WORD_COUNT_BYTES = 64

export function countBits(buf: Uint8Array, off: number, start: number, end: number): number {
  const first = Math.floor(start / 8)
  const last = Math.floor(end / 8)
  const bytes = countBytes(buf, off + first, last - first + 1)
  // Less what stands in the edge bytes outside the range.
  const before = buf[off + first] & ~(0xff >> (start % 8)) & 0xff
  const after = buf[off + last] & (0xff >> (end % 8)) & ~(0x80 >> (end % 8))
  return bytes - POPULATION[before] - POPULATION[after]
}

function countBytes(buf: Uint8Array, off: number, length: number): number {
  let at = off
  const end = off + length
  let count = 0
  if (length >= WORD_COUNT_BYTES) {
    while ((buf.byteOffset + at) % 4 !== 0) count += POPULATION[buf[at++]]
    const words = new Uint32Array(buf.buffer, buf.byteOffset + at, (end - at) >>> 2)
    for (let i = 0; i < words.length; i++) {
      let word = words[i]
      word -= (word >>> 1) & 0x55555555
      word = (word & 0x33333333) + ((word >>> 2) & 0x33333333)
      count += Math.imul((word + (word >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24
    }
    at += words.length * 4
  }
  while (at < end) count += POPULATION[buf[at++]]
  return count
}

/** Position of the first bit with this value, or -1. */
export function findBit(buf: Uint8Array, off: number, start: number, end: number, bit: number): number {
  // Bytes that cannot hold it are passed over whole.
  const skipped = bit === 1 ? 0x00 : 0xff
  for (let at = start; at <= end;) {
    const byte = buf[off + Math.floor(at / 8)]
    if (at % 8 === 0 && byte === skipped) {
      at += 8
    } else {
      if (((byte >> (7 - (at % 8))) & 1) === bit) return at
      at++
    }
  }
  return -1
}
