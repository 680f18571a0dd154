import { parseInteger } from '../../base/bytes.js'
import { LIMITS } from '../../base/limits.js'
import type { Ref } from '../../memory/arena.js'
import type { Call } from '../call.js'
import { CommandError, syntaxError } from '../command-error.js'

/** Arguments and reads that the bitmap commands share. Bit 0 is the most significant bit of byte 0. */
export const MAX_BITS = LIMITS.maxBulkBytes * 8
const BAD_OFFSET = 'ERR bit offset is not an integer or out of range'
const HASH = 35

/**
 * Argument i as the offset of a field of some bits, all of which must lie within the longest string. With `#` before it, in units of the field.
 * (Redis checks the first bit only, and lets a field stick out beyond the longest string.)
 */
export function bitOffset(call: Call, i: number, bits: number, allowHash: boolean): number {
  const { buf, off, len } = call.request
  const usesHash = allowHash && len[i] > 0 && buf[off[i]] === HASH
  const skip = usesHash ? 1 : 0
  const value = parseInteger(buf, off[i] + skip, len[i] - skip) * (usesHash ? bits : 1)
  if (!(value >= 0 && value + bits <= MAX_BITS)) throw new CommandError(BAD_OFFSET)
  return value
}

/** Whether argument i says BIT (or else BYTE). */
export function unitIsBit(call: Call, i: number): boolean {
  if (call.is(i, 'BIT')) return true
  if (call.is(i, 'BYTE')) return false
  throw syntaxError()
}

/** Makes the visible value available in call.strings; gives its length, 0 for no record. */
export function readBitmap(call: Call, ref: Ref): number {
  if (ref === 0) return 0
  call.strings.read(call.db, ref)
  return call.strings.len
}

/** One bit of the value that readBitmap has read; zero beyond its end. */
export function bitAt(call: Call, length: number, offset: number): 0 | 1 {
  const byte = Math.floor(offset / 8)
  if (byte >= length) return 0
  return ((call.strings.buf[call.strings.off + byte] >> (7 - (offset % 8))) & 1) as 0 | 1
}

/** The unsigned number in some bits of the value that readBitmap has read; zero bits beyond its end. */
export function fieldAt(call: Call, length: number, offset: number, bits: number): bigint {
  const { buf, off } = call.strings
  const first = Math.floor(offset / 8)
  const last = Math.floor((offset + bits - 1) / 8)
  let value = 0n
  for (let byte = first; byte <= last; byte++) value = (value << 8n) | BigInt(byte < length ? buf[off + byte] : 0)
  return BigInt.asUintN(bits, value >> BigInt((last + 1) * 8 - offset - bits))
}
