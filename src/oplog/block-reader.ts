import { assert } from '../base/assert.js'
import { allocateBytes } from '../base/bytes.js'
import type { ReadFile } from '../ports/disk.js'

/**
 * A window over a file that is read in large blocks, mostly forward. Frames are small and files are not: one system call
 * fetches thousands of frames, and what straddles two blocks is joined.
 *
 * With `reuse` one buffer serves every block, and a view is valid only until the window moves. Without it each block is a new
 * buffer, so views may be kept (a peer link queues them) and the collector frees a block with its last view.
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
    private readonly reuse: boolean,
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

  close(): void {
    this.file.close()
  }

  private move(position: number, length: number): boolean {
    const capacity = Math.max(length, this.blockBytes)
    const kept = position >= this.start && position < this.end ? this.end - position : 0
    const from = position - this.start
    // A block that grew for one large frame is given back with the next move.
    if (this.reuse && this.block.length === capacity) {
      this.block.copyWithin(0, from, from + kept)
    } else {
      const block = allocateBytes(capacity)
      if (kept > 0) block.set(this.block.subarray(from, from + kept))
      this.block = block
      this.fields = new DataView(block.buffer, block.byteOffset, capacity)
    }
    let filled = kept
    while (filled < capacity) {
      const got = this.file.read(this.block.subarray(filled), position + filled)
      if (got === 0) break
      filled += got
    }
    this.start = position
    this.end = position + filled
    return filled >= length
  }
}
