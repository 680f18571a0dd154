import { allocateBuffer } from '../base/bytes.js'

/**
 * Replies of one client that could not leave at once: its socket is full, the log is not durable yet, or they were made outside of its
 * own commands. Copies into blocks that grow with what waits, so that a thousand small messages are a few writes.
 */
const SMALLEST_BLOCK_BYTES = 512
const LARGEST_BLOCK_BYTES = 1024 * 1024

/** What is written in a turn may be tied to a log position that is only known when the turn has ended. */
const UNDECIDED = Infinity

/** Small ones come from Node's pool. */
function room(bytes: number): Buffer {
  return bytes < LARGEST_BLOCK_BYTES ? Buffer.allocUnsafe(bytes) : allocateBuffer(bytes)
}

interface Block {
  readonly bytes: Buffer
  length: number
  /** Log position that must be durable before the block may leave; 0 for none, UNDECIDED until settle(). */
  holdUntil: number
}

export class OutputQueue {
  private blocks: Block[] = []
  /** Bytes that wait here. */
  bytes = 0

  /** Adds from[start .. end). It may leave once settle() has said when. */
  append(from: Uint8Array, start: number, end: number): void {
    const length = end - start
    const count = this.blocks.length
    let tail = count === 0 ? undefined : this.blocks[count - 1]
    // A block that is next to leave is not made to wait longer: else a client that writes all the time would never hear.
    if (tail === undefined || tail.length + length > tail.bytes.length || (count === 1 && tail.holdUntil !== UNDECIDED)) {
      const wanted = Math.min(LARGEST_BLOCK_BYTES, Math.max(SMALLEST_BLOCK_BYTES, this.bytes * 2))
      tail = { bytes: room(Math.max(length, wanted)), length: 0, holdUntil: UNDECIDED }
      this.blocks.push(tail)
    }
    tail.bytes.set(from.subarray(start, end), tail.length)
    tail.length += length
    tail.holdUntil = UNDECIDED
    this.bytes += length
  }

  /** Adds a buffer as it is; nobody writes to it any more. */
  adopt(bytes: Buffer): void {
    this.blocks.push({ bytes, length: bytes.length, holdUntil: UNDECIDED })
    this.bytes += bytes.length
  }

  /** What was added since the last time may leave when the log is durable up to here. Positions only grow. */
  settle(holdUntil: number): void {
    for (let i = this.blocks.length - 1; i >= 0 && this.blocks[i].holdUntil === UNDECIDED; i--)
      this.blocks[i].holdUntil = holdUntil
  }

  /** Takes out the next bytes that may leave, or null. */
  shift(durableBytes: number): Buffer | null {
    const head = this.blocks[0]
    if (head === undefined || head.holdUntil > durableBytes) return null
    this.blocks.shift()
    this.bytes -= head.length
    return head.bytes.subarray(0, head.length)
  }

  clear(): void {
    this.blocks = []
    this.bytes = 0
  }
}
