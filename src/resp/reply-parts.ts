import { allocateBuffer } from '../base/bytes.js'
import type { ReplyWriter } from './reply-writer.js'

const SMALLEST_BLOCK_BYTES = 4 * 1024
const LARGEST_BLOCK_BYTES = 1024 * 1024
const MUCH_BYTES = 64 * 1024

/**
 * A reply that is made in many turns, kept until it is complete. In few large blocks: V8 counts what is allocated outside of its heap, and while it marks
 * garbage every such allocation stops everything for some milliseconds of marking.
 */
export class ReplyParts {
  private blocks: Buffer[] = []
  /** The last block, and how much of it is written. */
  private tail: Buffer = Buffer.alloc(0)
  private used = 0
  private total = 0

  /** Takes what a writer has written in a step when it is much, which takes time of the step: the writer would else grow and move it, and all of a turn be taken at its end. */
  takeMuch(reply: ReplyWriter): void {
    if (reply.length >= MUCH_BYTES) this.take(reply)
  }

  /** Takes what a writer has written, all of it or from there on. */
  take(reply: ReplyWriter, start = 0): void {
    const { length } = reply
    for (let from = start; from < length;) {
      if (this.used === this.tail.length) this.grow(length - from)
      const bytes = Math.min(length - from, this.tail.length - this.used)
      this.tail.set(reply.range(from, from + bytes), this.used)
      this.used += bytes
      this.total += bytes
      from += bytes
    }
    if (start === 0) reply.reset()
    else reply.truncate(start)
  }

  /** Takes all that others have, without copying it. */
  append(others: ReplyParts): void {
    const { total } = others
    if (total === 0) return
    if (this.used > 0) this.blocks.push(this.tail.subarray(0, this.used))
    this.blocks.push(...others.takeAll())
    this.tail = Buffer.alloc(0)
    this.used = 0
    this.total += total
  }

  /** All of it; here there is nothing any more. */
  takeAll(): readonly Buffer[] {
    const { blocks, tail, used } = this
    if (used > 0) blocks.push(tail.subarray(0, used))
    this.clear()
    return blocks
  }

  clear(): void {
    this.blocks = []
    this.tail = Buffer.alloc(0)
    this.used = 0
    this.total = 0
  }

  private grow(needed: number): void {
    if (this.used > 0) this.blocks.push(this.tail)
    const wanted = Math.max(SMALLEST_BLOCK_BYTES, needed, this.total)
    this.tail = allocateBuffer(Math.min(wanted, LARGEST_BLOCK_BYTES))
    this.used = 0
  }
}
