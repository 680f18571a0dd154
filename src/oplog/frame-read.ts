import { allocateBytes } from '../base/bytes.js'
import { extendCrc32 } from '../base/crc32.js'
import { FRAME_PREFIX_BYTES } from '../crdt/frame.js'
import type { BlockReader } from './block-reader.js'

/** A frame larger than a block, read from a file and checked a block at a time, so that nobody waits for all of it. */
export class FrameRead {
  readonly bytes: Uint8Array
  /** Of what is there, without the prefix. */
  checksum = 0
  private filled = 0

  constructor(
    private readonly reader: BlockReader,
    private readonly position: number,
    length: number,
  ) {
    this.bytes = allocateBytes(length)
  }

  get isDone(): boolean {
    return this.filled === this.bytes.length
  }

  /** Reads on; false when the file ends before the frame does. */
  step(blockBytes: number): boolean {
    const from = this.filled
    const got = this.reader.readInto(this.position + from, this.bytes.subarray(from, from + blockBytes))
    this.filled += got
    const summed = this.bytes.subarray(Math.max(from, FRAME_PREFIX_BYTES), this.filled)
    this.checksum = extendCrc32(this.checksum, summed)
    return got > 0
  }
}
