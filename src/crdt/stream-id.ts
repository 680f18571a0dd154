import { writeInteger } from '../base/bytes.js'
import { TWO_32 } from '../base/words.js'

/**
 * IDs of stream entries: two unsigned 64-bit numbers, milliseconds and sequence. Each number stands as two 32-bit halves, because hot paths can
 * afford neither a BigInt nor the loss of bits above 2^53.
 *
 * In a database with several members, IDs that a member makes end in its own id: the sequence is n * 256 + member with n = 0, 1, … within a
 * millisecond, so no two members make the same (SEMANTICS of streams in docs/formats/effects.md).
 */
export class StreamId {
  constructor(
    public msHigh = 0,
    public msLow = 0,
    public seqHigh = 0,
    public seqLow = 0,
  ) {}

  set(msHigh: number, msLow: number, seqHigh: number, seqLow: number): this {
    this.msHigh = msHigh
    this.msLow = msLow
    this.seqHigh = seqHigh
    this.seqLow = seqLow
    return this
  }

  copyFrom(other: StreamId): this {
    return this.set(other.msHigh, other.msLow, other.seqHigh, other.seqLow)
  }

  clone(): StreamId {
    return new StreamId(this.msHigh, this.msLow, this.seqHigh, this.seqLow)
  }

  /** From a safe integer of milliseconds, with sequence 0. */
  setMs(ms: number): this {
    return this.set(Math.floor(ms / TWO_32), ms >>> 0, 0, 0)
  }

  get isZero(): boolean {
    return (this.msHigh | this.msLow | this.seqHigh | this.seqLow) === 0
  }

  get isMax(): boolean {
    return this.msHigh === MAX_U32 && this.msLow === MAX_U32 && this.seqHigh === MAX_U32 && this.seqLow === MAX_U32
  }

  /** Milliseconds as a number: exact below 2^53. */
  get ms(): number {
    return this.msHigh * TWO_32 + this.msLow
  }

  setMax(): this {
    return this.set(MAX_U32, MAX_U32, MAX_U32, MAX_U32)
  }

  compare(other: StreamId): number {
    return compareIds(this.msHigh, this.msLow, this.seqHigh, this.seqLow, other.msHigh, other.msLow, other.seqHigh, other.seqLow)
  }

  /** The next ID; false, and nothing changed, when there is none. */
  increment(): boolean {
    if (this.seqLow !== MAX_U32) this.seqLow++
    else if (this.seqHigh !== MAX_U32) this.set(this.msHigh, this.msLow, this.seqHigh + 1, 0)
    else return this.incrementMs()
    return true
  }

  /** The first ID of the next millisecond; false when there is none. */
  incrementMs(): boolean {
    if (this.msLow !== MAX_U32) this.set(this.msHigh, this.msLow + 1, 0, 0)
    else if (this.msHigh !== MAX_U32) this.set(this.msHigh + 1, 0, 0, 0)
    else return false
    return true
  }

  /** The ID before; false, and nothing changed, when there is none. */
  decrement(): boolean {
    if (this.seqLow !== 0) this.seqLow--
    else if (this.seqHigh !== 0) this.set(this.msHigh, this.msLow, this.seqHigh - 1, MAX_U32)
    else if (this.msLow !== 0) this.set(this.msHigh, this.msLow - 1, MAX_U32, MAX_U32)
    else if (this.msHigh !== 0) this.set(this.msHigh - 1, MAX_U32, MAX_U32, MAX_U32)
    else return false
    return true
  }

  /** Raises the sequence to the next one of a member's own: n * 256 + member above what it is. False when the millisecond has no more. */
  nextOwnSequence(member: number): boolean {
    const rest = this.seqLow & 0xff
    let low = this.seqLow - rest + member
    if (member <= rest) low += 256
    if (low > MAX_U32) {
      if (this.seqHigh === MAX_U32) return false
      this.seqHigh++
      low -= TWO_32
    }
    this.seqLow = low
    return true
  }

  /** Writes `ms-seq`; returns how many bytes. The target must have 41 bytes of room. */
  write(to: Uint8Array, at: number): number {
    const length = this.writeMs(to, at)
    return length + this.writeSequence(to, at + length)
  }

  /** Writes `ms-`. */
  writeMs(to: Uint8Array, at: number): number {
    const length = writeU64(this.msHigh, this.msLow, to, at)
    to[at + length] = 45
    return length + 1
  }

  writeSequence(to: Uint8Array, at: number): number {
    return writeU64(this.seqHigh, this.seqLow, to, at)
  }

  toString(): string {
    return `${u64ToBigInt(this.msHigh, this.msLow)}-${u64ToBigInt(this.seqHigh, this.seqLow)}`
  }

  static of(ms: bigint, seq: bigint): StreamId {
    return new StreamId(Number(ms >> 32n), Number(ms & LOW), Number(seq >> 32n), Number(seq & LOW))
  }
}

export const MAX_U32 = 0xffffffff
export const MAX_ID_BYTES = 41
const SAFE_HIGH = 2 ** 21
const LOW = 0xffffffffn
/** Above this, ten times as much may pass 2^64; below, it surely does not. */
const MAX_HIGH_BEFORE_DIGIT = 0x19999999
const DIGITS_OF_U64 = 20

export function compareIds(
  aMsHigh: number,
  aMsLow: number,
  aSeqHigh: number,
  aSeqLow: number,
  bMsHigh: number,
  bMsLow: number,
  bSeqHigh: number,
  bSeqLow: number,
): number {
  if (aMsHigh !== bMsHigh) return aMsHigh < bMsHigh ? -1 : 1
  if (aMsLow !== bMsLow) return aMsLow < bMsLow ? -1 : 1
  if (aSeqHigh !== bSeqHigh) return aSeqHigh < bSeqHigh ? -1 : 1
  if (aSeqLow !== bSeqLow) return aSeqLow < bSeqLow ? -1 : 1
  return 0
}

export function u64ToBigInt(high: number, low: number): bigint {
  return (BigInt(high) << 32n) | BigInt(low)
}

function writeU64(high: number, low: number, to: Uint8Array, at: number): number {
  if (high < SAFE_HIGH) return writeInteger(high * TWO_32 + low, to, at)
  const digits = u64ToBigInt(high, low).toString()
  for (let i = 0; i < digits.length; i++) to[at + i] = digits.charCodeAt(i)
  return digits.length
}

/** Halves of the number that parseU64 read last. */
let parsedHigh = 0
let parsedLow = 0

/** Reads digits as an unsigned 64-bit integer. Leading zeros are taken, as Redis takes them in IDs. */
function parseU64(buf: Uint8Array, off: number, end: number): boolean {
  if (off === end || end - off > DIGITS_OF_U64) return false
  let high = 0
  let low = 0
  for (let i = off; i < end; i++) {
    const digit = buf[i] - 48
    if (digit < 0 || digit > 9) return false
    if (high > MAX_HIGH_BEFORE_DIGIT) return false
    const next = low * 10 + digit
    const carry = Math.floor(next / TWO_32)
    low = next - carry * TWO_32
    high = high * 10 + carry
    if (high > MAX_U32) return false
  }
  parsedHigh = high
  parsedLow = low
  return true
}

/** What parseStreamId found. */
export const IdForm = { none: 0, full: 1, msOnly: 2, msAnySequence: 3 } as const
export type IdForm = (typeof IdForm)[keyof typeof IdForm]

/**
 * Reads `ms-seq`, `ms`, or `ms-*` into id. Where the sequence is not given it is the missing one (0, or the highest). IdForm.none: it is no ID, and id is
 * as it was.
 */
export function parseStreamId(buf: Uint8Array, off: number, len: number, id: StreamId, missingIsMax = false): IdForm {
  const end = off + len
  let dash = off
  while (dash < end && buf[dash] !== 45) dash++
  if (!parseU64(buf, off, dash)) return IdForm.none
  const msHigh = parsedHigh
  const msLow = parsedLow
  if (dash === end) {
    id.set(msHigh, msLow, missingIsMax ? MAX_U32 : 0, missingIsMax ? MAX_U32 : 0)
    return IdForm.msOnly
  }
  if (end - dash === 2 && buf[dash + 1] === 42) {
    id.set(msHigh, msLow, 0, 0)
    return IdForm.msAnySequence
  }
  if (!parseU64(buf, dash + 1, end)) return IdForm.none
  id.set(msHigh, msLow, parsedHigh, parsedLow)
  return IdForm.full
}
