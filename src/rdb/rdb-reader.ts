import { LIMITS } from '../base/limits.js'
import { TWO_32 } from '../base/words.js'
import type { ByteList } from './byte-list.js'
import { decompressLzf } from './lzf.js'
import {
  ENCODED_INT16,
  ENCODED_INT32,
  ENCODED_INT8,
  ENCODED_LZF,
  LENGTH_14,
  LENGTH_32,
  LENGTH_6,
  LENGTH_64,
} from './rdb-types.js'

/**
 * Why bytes are no value:
 * - truncated: they end too soon; whoever reads from a stream may come again with more
 * - malformed: they contradict themselves
 * - empty: a collection without elements, which Redis never stores
 * - too-large: a string beyond the longest, or more decompressed bytes than one value may have
 * - unsupported: a type that only a module could read
 */
export type RdbFailureCode = 'truncated' | 'malformed' | 'empty' | 'too-large' | 'unsupported'

export interface RdbFailure {
  readonly code: RdbFailureCode
  readonly detail: string
}

const NOTHING = new Uint8Array(0)

/**
 * Reads the basic forms of an RDB value from a byte range. It never throws: the first thing that is wrong stays in `failure`, and from then on every
 * read gives zeros. Loops over a count that was read must ask `failed` each time round; room is never made by a count, only by bytes that
 * are there.
 */
export class RdbReader {
  failure: RdbFailure | null = null
  private unpacked = 0
  private objects = 0
  private view: DataView | null = null

  constructor(
    readonly buf: Uint8Array,
    public at: number,
    private readonly end: number,
  ) {}

  get failed(): boolean {
    return this.failure !== null
  }

  get remaining(): number {
    return this.end - this.at
  }

  fail(code: RdbFailureCode, detail: string): void {
    this.failure ??= { code, detail }
  }

  /** Moves over n bytes and gives where they begin; -1 when they are not there. */
  take(n: number): number {
    if (this.failure === null && n <= this.end - this.at) {
      const at = this.at
      this.at += n
      return at
    }
    this.fail('truncated', `${n} bytes expected, ${this.end - this.at} there`)
    return -1
  }

  u8(): number {
    const at = this.take(1)
    return at < 0 ? 0 : this.buf[at]
  }

  /** A signed 64-bit number of milliseconds, little-endian, as a number: beyond 2^53 it is only near. */
  milliseconds(): number {
    return Number(BigInt.asIntN(64, this.u64LittleEndian()))
  }

  u64LittleEndian(): bigint {
    const at = this.take(8)
    if (at < 0) return 0n
    let value = 0n
    for (let i = 7; i >= 0; i--) value = (value << 8n) | BigInt(this.buf[at + i])
    return value
  }

  u64BigEndian(): bigint {
    const at = this.take(8)
    if (at < 0) return 0n
    let value = 0n
    for (let i = 0; i < 8; i++) value = (value << 8n) | BigInt(this.buf[at + i])
    return value
  }

  f64(): number {
    const at = this.take(8)
    if (at < 0) return 0
    const { buf } = this
    this.view ??= new DataView(buf.buffer, buf.byteOffset, buf.byteLength)
    return this.view.getFloat64(at, true)
  }

  /** A length, exactly. */
  length64(): bigint {
    const first = this.u8()
    if (first === LENGTH_64) return this.u64BigEndian()
    return BigInt(this.lengthAfter(first))
  }

  /** A length as a number: beyond 2^53 it is only near, which is far more than any payload has bytes. */
  length(): number {
    return this.lengthAfter(this.u8())
  }

  /**
   * How many things follow, each of which takes at least so many bytes: what cannot be there fails at once. Zero is what Redis calls an
   * empty key.
   */
  count(leastBytes: number): number {
    const count = this.length()
    if (count * leastBytes > this.remaining) {
      this.fail('truncated', `${count} elements declared, ${this.remaining} bytes there`)
      return 0
    }
    return count
  }

  /** As count, for things that become objects of their own: their sum over the value is bounded too. */
  countObjects(leastBytes: number): number {
    const count = this.count(leastBytes)
    this.objects += count
    if (this.objects <= LIMITS.payloadStreamEntries) return count
    this.fail('too-large', `a stream with ${this.objects} groups, consumers and pending entries`)
    return 0
  }

  /** A string: a view of the input, or bytes of its own. */
  string(): Uint8Array {
    const first = this.u8()
    switch (first) {
      case ENCODED_INT8:
        return this.integerText(1)
      case ENCODED_INT16:
        return this.integerText(2)
      case ENCODED_INT32:
        return this.integerText(4)
      case ENCODED_LZF:
        return this.compressed()
      default: {
        const length = this.lengthAfter(first)
        if (length > LIMITS.maxBulkBytes) {
          this.fail('too-large', `a string of ${length} bytes`)
          return NOTHING
        }
        const at = this.take(length)
        return at < 0 ? NOTHING : this.buf.subarray(at, at + length)
      }
    }
  }

  /** Reads a string into a list; without a view of it, which would take three times what most elements have. */
  stringInto(list: ByteList): void {
    const first = this.remaining > 0 ? this.buf[this.at] : ENCODED_LZF
    const kind = first >>> 6
    if (kind !== LENGTH_6 && kind !== LENGTH_14) {
      const value = this.string()
      list.push(value, 0, value.length)
      return
    }
    const length = this.length()
    const at = this.take(length)
    list.push(this.buf, Math.max(at, 0), at < 0 ? 0 : length)
  }

  private lengthAfter(first: number): number {
    if (first === LENGTH_32) {
      const at = this.take(4)
      return at < 0 ? 0 : this.u32At(at)
    }
    if (first === LENGTH_64) {
      const at = this.take(8)
      return at < 0 ? 0 : this.u32At(at) * TWO_32 + this.u32At(at + 4)
    }
    const kind = first >>> 6
    if (kind === LENGTH_6) return first
    if (kind === LENGTH_14) return ((first & 0x3f) << 8) | this.u8()
    this.fail('malformed', `0x${first.toString(16)} is no length`)
    return 0
  }

  private u32At(at: number): number {
    const { buf } = this
    return ((buf[at] << 24) | (buf[at + 1] << 16) | (buf[at + 2] << 8) | buf[at + 3]) >>> 0
  }

  private integerText(bytes: 1 | 2 | 4): Uint8Array {
    const at = this.take(bytes)
    if (at < 0) return NOTHING
    let value = 0
    for (let i = bytes - 1; i >= 0; i--) value = (value << 8) | this.buf[at + i]
    const unused = 32 - 8 * bytes
    return Buffer.from(String((value << unused) >> unused), 'latin1')
  }

  private compressed(): Uint8Array {
    const packed = this.length()
    const length = this.length()
    if (this.failed) return NOTHING
    // The sum, because a value may hold many strings that each are a hundred times what they take.
    if (this.unpacked + length > LIMITS.maxBulkBytes) {
      this.fail('too-large', `${length} bytes after decompression`)
      return NOTHING
    }
    const at = this.take(packed)
    if (at < 0) return NOTHING
    const value = length === 0 ? null : decompressLzf(this.buf, at, packed, length)
    if (value === null) {
      this.fail('malformed', 'a compressed string does not decompress to its length')
      return NOTHING
    }
    this.unpacked += length
    return value
  }
}
