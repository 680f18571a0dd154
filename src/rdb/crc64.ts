/**
 * CRC-64 as Redis ends its payloads and files with it: Jones' polynomial 0xad93d23594c935a9, bits reflected, start and final value 0. Kept in
 * two 32-bit halves: BigInt would allocate for every byte.
 */
const POLYNOMIAL_LOW = 0xac4bc9b5
const POLYNOMIAL_HIGH = 0x95ac9329
export const CRC64_BYTES = 8

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

/** The sum of bytes that come piece by piece. */
export class Crc64 {
  private low = 0
  private high = 0

  update(buf: Uint8Array, off: number, len: number): void {
    let { low, high } = this
    for (let i = off, end = off + len; i < end; i++) {
      const index = (low ^ buf[i]) & 0xff
      low = LOW[index] ^ ((low >>> 8) | (high << 24))
      high = HIGH[index] ^ (high >>> 8)
    }
    this.low = low
    this.high = high
  }

  /** Writes the sum so far as 8 bytes, little-endian. */
  write(to: Uint8Array, at: number): void {
    for (let i = 0; i < 4; i++) {
      to[at + i] = (this.low >>> (8 * i)) & 0xff
      to[at + 4 + i] = (this.high >>> (8 * i)) & 0xff
    }
  }

  /** Whether this is the sum so far. */
  equals(buf: Uint8Array, at: number): boolean {
    const own = new Uint8Array(CRC64_BYTES)
    this.write(own, 0)
    return own.every((byte, i) => byte === buf[at + i])
  }

  /**
   * The sum of bytes in front of what was summed here: `head`, then these. For a header that is known only at the end. A zero byte changes a sum by
   * a linear map over its 64 bits, so n of them do by that map's n-th power, and the sum of a whole is the sum of its head moved on by the
   * length of the rest, xor the sum of the rest.
   */
  behind(head: Uint8Array, lengthHere: number): Crc64 {
    const front = new Crc64()
    front.update(head, 0, head.length)
    let sum = front.bits()
    let power: readonly bigint[] = ONE_ZERO_BYTE
    for (let rest = lengthHere; rest > 0; rest = Math.floor(rest / 2)) {
      if (rest % 2 === 1) sum = mapped(power, sum)
      power = power.map((column) => mapped(power, column))
    }
    const whole = new Crc64()
    whole.low = this.low ^ Number(sum & 0xffffffffn)
    whole.high = this.high ^ Number(sum >> 32n)
    return whole
  }

  private bits(): bigint {
    return BigInt(this.low >>> 0) | (BigInt(this.high >>> 0) << 32n)
  }
}

/** What a zero byte makes of each bit of a sum. */
const ONE_ZERO_BYTE = Array.from({ length: 64 }, (_, bit) => {
  if (bit >= 8) return 1n << BigInt(bit - 8)
  return BigInt(LOW[1 << bit]) | (BigInt(HIGH[1 << bit]) << 32n)
})

function mapped(columns: readonly bigint[], vector: bigint): bigint {
  let sum = 0n
  for (let i = 0; vector !== 0n; i++, vector >>= 1n) if ((vector & 1n) === 1n) sum ^= columns[i]
  return sum
}

/** Writes the sum of a byte range as 8 bytes, little-endian, to a place that may lie directly behind it. */
export function writeCrc64(buf: Uint8Array, off: number, len: number, to: Uint8Array, at: number): void {
  const crc = new Crc64()
  crc.update(buf, off, len)
  crc.write(to, at)
}
