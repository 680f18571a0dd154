import { assert } from '../base/assert.js'
import { allocateBytes } from '../base/bytes.js'
import { markShared } from '../base/large-memory.js'
import type { ReadFile } from '../ports/disk.js'

/**
 * A window over a file that is read in large blocks, mostly forward. Frames are small and files are not: one system call
 * fetches thousands of frames, and what straddles two blocks is joined. One buffer serves every block, so a view is good only until the window moves.
 */
export class BlockReader {
  private block: Uint8Array = new Uint8Array(0)
  private fields = new DataView(this.block.buffer)
  /** Position in the file of the block's first byte, and of the byte after its last one. */
  private start = 0
  private end = 0

  constructor(
    private readonly file: ReadFile,
    private readonly blockBytes: number,
  ) {}

  /** Makes the bytes position .. position + length readable below; false when the file is too short. */
  ensure(position: number, length: number): boolean {
    if (position >= this.start && position + length <= this.end) return true
    return this.move(position, length)
  }

  u8(position: number): number {
    return this.block[position - this.start]
  }

  u32(position: number): number {
    return this.fields.getUint32(position - this.start, true)
  }

  f64(position: number): number {
    return this.fields.getFloat64(position - this.start, true)
  }

  /** Bytes that have been ensured. */
  view(position: number, length: number): Uint8Array {
    assert(position >= this.start && position + length <= this.end, 'a view must be ensured first')
    return this.block.subarray(position - this.start, position - this.start + length)
  }

  /** Reads past the window, which stays where it is, and keeps nothing. Gives the bytes that the file had. */
  readInto(position: number, target: Uint8Array): number {
    let filled = 0
    while (filled < target.length) {
      const got = this.file.read(target.subarray(filled), position + filled)
      if (got === 0) break
      filled += got
    }
    return filled
  }

  close(): void {
    this.file.close()
  }

  private move(position: number, length: number): boolean {
    const capacity = Math.max(length, this.blockBytes)
    const kept = position >= this.start && position < this.end ? this.end - position : 0
    const from = position - this.start
    // A block that grew for one large frame is given back with the next move.
    if (this.block.length === capacity) {
      this.block.copyWithin(0, from, from + kept)
    } else {
      const block = allocateBytes(capacity)
      markShared(block)
      if (kept > 0) block.set(this.block.subarray(from, from + kept))
      this.block = block
      this.fields = new DataView(block.buffer, block.byteOffset, capacity)
    }
    const filled = kept + this.readInto(position + kept, this.block.subarray(kept))
    this.start = position
    this.end = position + filled
    return filled >= length
  }
}
