import { equalBytes } from '../../base/bytes.js'
import { xxh3, xxh3Text } from '../../base/xxh3.js'
import type { Ref } from '../../memory/arena.js'
import type { Call } from '../call.js'
import { CommandError } from '../command-error.js'

/**
 * Conditions on the current value of a string: equal to an argument, or with a digest (XXH3, 64 bits, 16 hexadecimal digits) equal to one.
 * Redis 8.4 has them in SET and DELEX.
 */
const DIGEST_DIGITS = 16

/** @throws CommandError unless argument i is a digest. */
export function checkDigestText(call: Call, i: number): void {
  const { buf, off, len } = call.request
  let valid = len[i] === DIGEST_DIGITS
  for (let at = off[i]; valid && at < off[i] + DIGEST_DIGITS; at++) valid = isHexDigit(buf[at])
  if (!valid) throw new CommandError('ERR must be exactly 16 hexadecimal characters')
}

function isHexDigit(byte: number): boolean {
  const lower = byte | 0x20
  return (byte >= 48 && byte <= 57) || (lower >= 97 && lower <= 102)
}

/** True when the visible value of a record is the bytes of argument i. */
export function valueEquals(call: Call, ref: Ref, i: number): boolean {
  const { strings, request } = call
  strings.read(call.db, ref)
  return strings.len === request.len[i] && equalBytes(strings.buf, strings.off, request.buf, request.off[i], strings.len)
}

/** True when the visible value of a record has the digest that argument i spells. */
export function digestEquals(call: Call, ref: Ref, i: number): boolean {
  return digestOf(call, ref) === call.text(i).toLowerCase()
}

/** The digest of a record's visible value: 16 hexadecimal digits in lower case. */
export function digestOf(call: Call, ref: Ref): string {
  const { strings } = call
  strings.read(call.db, ref)
  return xxh3Text(xxh3(strings.buf.subarray(strings.off, strings.off + strings.len)))
}
