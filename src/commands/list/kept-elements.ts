import { copyBytes } from '../../base/bytes.js'
import type { ElementSink } from '../../keyspace/list-walk.js'
import type { ByteRanges } from '../../keyspace/list-writes.js'

/** A buffer that has become longer is not kept for the next command. */
const MAX_KEPT_BYTES = 64 * 1024
const FIRST_BYTES = 256

/** Copies of elements, for what changes the list that they come from. Used again from command to command. */
export class KeptElements implements ElementSink, ByteRanges {
  buf: Uint8Array = new Uint8Array(FIRST_BYTES)
  readonly off: number[] = []
  readonly len: number[] = []
  count = 0
  private end = 0

  clear(): void {
    this.count = 0
    this.end = 0
    if (this.buf.length > MAX_KEPT_BYTES) this.buf = new Uint8Array(FIRST_BYTES)
  }

  bulk(from: Uint8Array, off: number, len: number): void {
    const { end, count } = this
    if (end + len > this.buf.length) {
      const longer = new Uint8Array(Math.max(end + len, this.buf.length * 2))
      copyBytes(this.buf, 0, longer, 0, end)
      this.buf = longer
    }
    copyBytes(from, off, this.buf, end, len)
    this.off[count] = end
    this.len[count] = len
    this.count = count + 1
    this.end = end + len
  }
}
