const TWO_32 = 2 ** 32

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
    let { high, low } = this
    const whole = off + (len & ~3)
    let i = off
    for (; i < whole; i += 4) {
      const word = buf[i] | (buf[i + 1] << 8) | (buf[i + 2] << 16) | (buf[i + 3] << 24)
      high = lane(high, word, 0xcc9e2d51, 0x1b873593)
      low = lane(low, word, 0x85ebca6b, 0x27d4eb2f)
    }
    let tail = 0
    for (const end = off + len; i < end; i++) tail = (tail << 8) | buf[i]
    this.high = lane(high, tail, 0xcc9e2d51, 0x1b873593)
    this.low = lane(low, tail, 0x85ebca6b, 0x27d4eb2f)
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
