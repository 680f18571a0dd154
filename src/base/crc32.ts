import * as zlib from 'node:zlib'

/** CRC-32 (IEEE 802.3, as in zlib). `zlib.crc32` came with Node 20.15; older Node 20 computes it from a table. */
const nativeCrc32 = (zlib as { crc32?: (data: Uint8Array, seed?: number) => number }).crc32

const POLYNOMIAL = 0xedb88320

const TABLE = new Uint32Array(256).map((_, index) => {
  let value = index
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ POLYNOMIAL : value >>> 1
  return value
})

/** The same checksum from a table; exported so that a test can hold it against the native one. */
export function crc32FromTable(bytes: Uint8Array): number {
  let crc = 0xffffffff
  for (let i = 0; i < bytes.length; i++) crc = TABLE[(crc ^ bytes[i]) & 0xff] ^ (crc >>> 8)
  return (crc ^ 0xffffffff) >>> 0
}

export const crc32: (bytes: Uint8Array) => number = nativeCrc32 ? (bytes) => nativeCrc32(bytes) : crc32FromTable

/** The powers x^(8 * 2^i) modulo the polynomial: what 2^i bytes behind something do to its checksum. */
const BYTE_POWERS = (() => {
  const powers = new Uint32Array(32)
  powers[0] = 0x80000000 >>> 8
  for (let i = 1; i < 32; i++) powers[i] = multiply(powers[i - 1], powers[i - 1])
  return powers
})()

/** The checksum of what has this one so far, 0 for nothing, with some bytes more behind it. */
export function extendCrc32(checksum: number, bytes: Uint8Array): number {
  const added = crc32(bytes)
  return checksum === 0 ? added : combineCrc32(checksum, added, bytes.length)
}

/** The checksum of two byte strings, the second of this length, one behind the other, from those of both. */
export function combineCrc32(first: number, second: number, secondLength: number): number {
  let shifted = first
  for (let i = 0, length = secondLength; length > 0; i++, length = Math.floor(length / 2)) {
    if (length % 2 === 1) shifted = multiply(shifted, BYTE_POWERS[i])
  }
  return (shifted ^ second) >>> 0
}

/** Product of two polynomials modulo the checksum's, the highest bit standing for x^0. */
function multiply(a: number, b: number): number {
  let product = 0
  let factor = b
  for (let bit = 31; bit >= 0; bit--) {
    if (((a >>> bit) & 1) === 1) product ^= factor
    factor = (factor & 1) === 1 ? (factor >>> 1) ^ POLYNOMIAL : factor >>> 1
  }
  return product >>> 0
}
