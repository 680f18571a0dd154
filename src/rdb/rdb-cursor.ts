import { MeridianError } from '../base/errors.js'
import { LIMITS } from '../base/limits.js'
import { TWO_32 } from '../base/words.js'
import {
  ENCODED_INT16,
  ENCODED_INT32,
  ENCODED_INT8,
  ENCODED_LZF,
  LENGTH_14,
  LENGTH_32,
  LENGTH_64,
  LENGTH_6,
} from './rdb-types.js'

const SMALLEST_ROOM = 64 * 1024

/**
 * Passes over the basic forms of an RDB file whose bytes come piece by piece. Each step either moves over the whole form and is true, or moves over
 * nothing and is false: then more bytes must be fed. What has been passed since `begin` is kept, so that an item can be taken as one range.
 */
export class RdbCursor {
  buf: Uint8Array = new Uint8Array(0)
  /** Next byte. */
  at = 0
  /** Where the item begins that is being read. */
  mark = 0
  /** Behind the bytes that have come. */
  end = 0
  /** The length that was passed last. Beyond 2^53 it is only near, which is far more than any file has bytes. */
  value = 0
  /** Offset of buf[0] in the file. */
  private base = 0

  /** `source` names the file or server in errors. */
  constructor(private readonly source: string) {}

  /** Offset of the next byte in the file. */
  get offset(): number {
    return this.base + this.at
  }

  /** Offset of the item that is being read. */
  get itemOffset(): number {
    return this.base + this.mark
  }

  /** An item begins here; what was before it is not kept. */
  begin(): void {
    this.mark = this.at
  }

  /** Adds a copy of the bytes. @throws MeridianError when one item takes more than any may. */
  feed(bytes: Uint8Array): void {
    if (this.end + bytes.length > this.buf.length) this.makeRoom(bytes.length)
    this.buf.set(bytes, this.end)
    this.end += bytes.length
  }

  take(bytes: number): boolean {
    if (this.end - this.at < bytes) return false
    this.at += bytes
    return true
  }

  length(): boolean {
    const { buf, at } = this
    const left = this.end - at
    if (left < 1) return false
    const first = buf[at]
    switch (first >>> 6) {
      case LENGTH_6:
        this.value = first
        this.at = at + 1
        return true
      case LENGTH_14:
        if (left < 2) return false
        this.value = ((first & 0x3f) << 8) | buf[at + 1]
        this.at = at + 2
        return true
      default:
        if (first === LENGTH_32) {
          if (left < 5) return false
          this.value = this.u32(at + 1)
          this.at = at + 5
          return true
        }
        if (first === LENGTH_64) {
          if (left < 9) return false
          this.value = this.u32(at + 1) * TWO_32 + this.u32(at + 5)
          this.at = at + 9
          return true
        }
        return this.damaged(`0x${first.toString(16)} is no length`)
    }
  }

  string(): boolean {
    const from = this.at
    if (from === this.end) return false
    const bytes = this.stringBytes(this.buf[from])
    if (bytes >= 0 && this.take(bytes)) return true
    this.at = from
    return false
  }

  /** What is wrong at the next byte. */
  damaged(detail: string): never {
    throw new MeridianError(
      'MRD_RDB_DAMAGED',
      `${this.source} is damaged at byte ${this.offset}: ${detail}`,
      'Make it anew, or take another copy of it.',
    )
  }

  unsupported(what: string): never {
    throw new MeridianError(
      'MRD_RDB_UNSUPPORTED',
      `${this.source} has ${what} at byte ${this.itemOffset}`,
      'Meridian reads RDB files of Redis up to version 8.10, without modules; remove what it cannot hold from the source.',
    )
  }

  /** Moves behind what stands before the bytes of a string and gives their number; -1 when that has not come yet. */
  private stringBytes(first: number): number {
    switch (first) {
      case ENCODED_INT8:
        return 2
      case ENCODED_INT16:
        return 3
      case ENCODED_INT32:
        return 5
      case ENCODED_LZF: {
        this.at++
        if (!this.length()) return -1
        const packed = this.value
        if (!this.length()) return -1
        return this.checkedStringBytes(packed)
      }
      default:
        return this.length() ? this.checkedStringBytes(this.value) : -1
    }
  }

  private checkedStringBytes(bytes: number): number {
    return bytes <= LIMITS.maxBulkBytes ? bytes : this.damaged(`a string of ${bytes} bytes`)
  }

  private u32(at: number): number {
    const { buf } = this
    return ((buf[at] << 24) | (buf[at + 1] << 16) | (buf[at + 2] << 8) | buf[at + 3]) >>> 0
  }

  private makeRoom(more: number): void {
    const kept = this.end - this.mark
    if (kept + more > LIMITS.rdbItemBytes) this.unsupported(`a key with a value of more than ${LIMITS.rdbItemBytes} bytes`)
    // Moving within the buffer pays only when it frees at least what it moves.
    if (kept + more <= this.buf.length && this.mark >= kept) {
      this.buf.copyWithin(0, this.mark, this.end)
    } else {
      const grown = new Uint8Array(Math.max(SMALLEST_ROOM, 2 * (kept + more)))
      grown.set(this.buf.subarray(this.mark, this.end))
      this.buf = grown
    }
    this.base += this.mark
    this.at -= this.mark
    this.end = kept
    this.mark = 0
  }
}
