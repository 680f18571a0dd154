/** Reads the primitives of docs/formats: for the decoder of frames and for those of the types' effects. */
export class ByteReader {
  at = 0
  private readonly view: DataView

  constructor(readonly bytes: Uint8Array) {
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  }

  u8(): number {
    return this.view.getUint8(this.at++)
  }

  u32(): number {
    this.at += 4
    return this.view.getUint32(this.at - 4, true)
  }

  f64(): number {
    this.at += 8
    return this.view.getFloat64(this.at - 8, true)
  }

  u64(): bigint {
    this.at += 8
    return this.view.getBigUint64(this.at - 8, true)
  }

  varint(): number {
    let value = 0
    let scale = 1
    for (;;) {
      const byte = this.u8()
      value += (byte & 127) * scale
      if (byte < 128) break
      scale *= 128
    }
    if (!Number.isSafeInteger(value)) throw new Error(`varint beyond 53 bits at ${this.at}`)
    return value
  }

  /** A zigzag varint. */
  signed(): number {
    const zigzag = this.varint()
    return zigzag % 2 === 0 ? zigzag / 2 : -(zigzag + 1) / 2
  }

  text(length: number): string {
    const end = this.at + length
    if (end > this.bytes.length) throw new Error(`${length} bytes wanted at ${this.at}, the frame has ${this.bytes.length}`)
    let text = ''
    while (this.at < end) text += String.fromCharCode(this.bytes[this.at++])
    return text
  }

  block(): string {
    return this.text(this.varint())
  }

  /** Each made by the function; their count comes first. */
  list<T>(make: () => T): T[] {
    return Array.from({ length: this.varint() }, make)
  }

  /** Decimal text. */
  number(): string {
    const kind = this.u8()
    if (kind === 1) return this.block()
    if (kind !== 0) throw new Error(`number of kind ${kind}`)
    const zigzag = BigInt(this.varint())
    return ((zigzag & 1n) === 1n ? -(zigzag >> 1n) - 1n : zigzag >> 1n).toString()
  }

  /** 64 bits; beyond 53 rounded, which is enough for bounds. */
  longVarint(): number {
    const value = this.varint()
    return value === Number.MAX_SAFE_INTEGER ? this.u32() + this.u32() * 2 ** 32 : value
  }

  /** What the origin saw of contributions, which the oracle knows already. */
  resets(total: () => unknown = () => this.number()): void {
    for (let count = this.varint(); count > 0; count--) {
      this.u8()
      this.f64()
      this.f64()
      total()
    }
  }
}
