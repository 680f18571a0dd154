import { TWO_32 } from '../base/words.js'

/** Two lanes of 32 bits with the steps of MurmurHash3, mixed with each other at the end: 64 bits without BigInt. */
export class Hash64 {
  high = 0
  low = 0

  begin(): void {
    this.high = 0x3c6ef372
    this.low = 0x510e527f
  }

  /** A safe integer. */
  number(value: number): void {
    this.word(value | 0)
    this.word(Math.floor(value / TWO_32) | 0)
  }

  bytes(buf: Uint8Array, off: number, len: number): void {
    const whole = len - (len % 4)
    this.part(buf, off, whole)
    let tail = 0
    for (let i = off + whole; i < off + len; i++) tail = (tail << 8) | buf[i]
    this.word(tail)
  }

  /** The beginning of bytes of which the rest comes later: a multiple of 4. */
  part(buf: Uint8Array, off: number, len: number): void {
    let { high, low } = this
    for (let i = off; i < off + len; i += 4) {
      const word = buf[i] | (buf[i + 1] << 8) | (buf[i + 2] << 16) | (buf[i + 3] << 24)
      high = lane(high, word, 0xcc9e2d51, 0x1b873593)
      low = lane(low, word, 0x85ebca6b, 0x27d4eb2f)
    }
    this.high = high
    this.low = low
  }

  end(): void {
    const high = finish(this.high ^ Math.imul(this.low, 0x9e3779b1))
    const low = finish(this.low ^ Math.imul(high, 0x85ebca77))
    this.high = finish(high ^ Math.imul(low, 0xc2b2ae3d))
    this.low = low
  }

  private word(word: number): void {
    this.high = lane(this.high, word, 0xcc9e2d51, 0x1b873593)
    this.low = lane(this.low, word, 0x85ebca6b, 0x27d4eb2f)
  }
}

function lane(state: number, word: number, c1: number, c2: number): number {
  let k = Math.imul(word, c1)
  k = Math.imul((k << 15) | (k >>> 17), c2)
  const mixed = state ^ k
  return (Math.imul((mixed << 13) | (mixed >>> 19), 5) + 0xe6546b64) | 0
}

function finish(value: number): number {
  let hash = value
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return (hash ^ (hash >>> 16)) >>> 0
}
