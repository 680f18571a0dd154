/**
 * CRC-64 as Redis ends its payloads and files with it: Jones' polynomial 0xad93d23594c935a9, bits reflected, start and final value 0. Kept in
 * two 32-bit halves: BigInt would allocate for every byte.
 */
const POLYNOMIAL_LOW = 0xac4bc9b5
const POLYNOMIAL_HIGH = 0x95ac9329

const LOW = new Uint32Array(256)
const HIGH = new Uint32Array(256)
for (let i = 0; i < 256; i++) {
  let low = i
  let high = 0
  for (let bit = 0; bit < 8; bit++) {
    const odd = (low & 1) !== 0
    low = ((low >>> 1) | (high << 31)) >>> 0
    high >>>= 1
    if (odd) {
      low = (low ^ POLYNOMIAL_LOW) >>> 0
      high = (high ^ POLYNOMIAL_HIGH) >>> 0
    }
  }
  LOW[i] = low
  HIGH[i] = high
}

/** Writes the sum of a byte range as 8 bytes, little-endian, to a place that may lie directly behind it. */
export function writeCrc64(buf: Uint8Array, off: number, len: number, to: Uint8Array, at: number): void {
  let low = 0
  let high = 0
  for (let i = off, end = off + len; i < end; i++) {
    const index = (low ^ buf[i]) & 0xff
    low = LOW[index] ^ ((low >>> 8) | (high << 24))
    high = HIGH[index] ^ (high >>> 8)
  }
  for (let i = 0; i < 4; i++) {
    to[at + i] = (low >>> (8 * i)) & 0xff
    to[at + 4 + i] = (high >>> (8 * i)) & 0xff
  }
}
