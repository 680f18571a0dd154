/**
 * Names and values of one stream entry as ranges of one buffer: of a request, of a frame, or of the arena chunk that the entry lies in. One is reused for
 * many entries.
 */
export class StreamFields {
  buf: Uint8Array = new Uint8Array(0)
  count = 0
  nameOff: Int32Array = new Int32Array(16)
  nameLen: Int32Array = new Int32Array(16)
  valueOff: Int32Array = new Int32Array(16)
  valueLen: Int32Array = new Int32Array(16)

  start(buf: Uint8Array): void {
    this.buf = buf
    this.count = 0
  }

  add(nameOff: number, nameLen: number, valueOff: number, valueLen: number): void {
    const i = this.count
    if (i === this.nameOff.length) this.grow()
    this.nameOff[i] = nameOff
    this.nameLen[i] = nameLen
    this.valueOff[i] = valueOff
    this.valueLen[i] = valueLen
    this.count = i + 1
  }

  private grow(): void {
    this.nameOff = doubled(this.nameOff)
    this.nameLen = doubled(this.nameLen)
    this.valueOff = doubled(this.valueOff)
    this.valueLen = doubled(this.valueLen)
  }
}

function doubled(array: Int32Array): Int32Array {
  const grown = new Int32Array(array.length * 2)
  grown.set(array)
  return grown
}
