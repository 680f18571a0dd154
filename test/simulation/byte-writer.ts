/** Writes the primitives of docs/formats, for frames of the plain member. */
export class ByteWriter {
  readonly bytes: number[] = []

  u8(value: number): void {
    this.bytes.push(value)
  }

  varint(value: number): void {
    let rest = value
    while (rest >= 128) {
      this.bytes.push((rest % 128) + 128)
      rest = Math.floor(rest / 128)
    }
    this.bytes.push(rest)
  }

  u32(value: number): void {
    this.bytes.push(value & 255, (value >>> 8) & 255, (value >>> 16) & 255, value >>> 24)
  }

  f64(value: number): void {
    this.bytes.push(...new Uint8Array(new Float64Array([value]).buffer))
  }

  u64(value: bigint): void {
    this.bytes.push(...new Uint8Array(new BigUint64Array([value]).buffer))
  }

  block(value: string): void {
    this.varint(value.length)
    for (let i = 0; i < value.length; i++) this.bytes.push(value.charCodeAt(i))
  }

  list<T>(items: readonly T[], write: (item: T) => void): void {
    this.varint(items.length)
    items.forEach(write)
  }

  number(decimal: string): void {
    const value = Number(decimal)
    if (Number.isSafeInteger(value) && Math.abs(value) < 2 ** 51) {
      this.u8(0)
      this.varint(value < 0 ? -value * 2 - 1 : value * 2)
    } else {
      this.u8(1)
      this.block(decimal)
    }
  }
}
