import { parseInteger, parseInteger64 } from '../base/bytes.js'
import { CommandError, Errors } from './command-error.js'
import type { Call } from './call.js'

/** Milliseconds of the unit that a command counts in. */
export type TimeUnit = 1 | 1000

const INT64_MAX = 9223372036854775807n
/** Amounts up to this, in either unit and from any base, are exact as numbers. */
const SMALL = 4e12

/**
 * Argument i as a time of expiry in Unix ms: amount × unit + base, base being 0 or now. Redis' errors for what is no integer and for what
 * overflows 64 bits on the way. Times are kept as safe integers: one beyond the year 287,396 becomes the last of them.
 */
export function expiryTime(call: Call, i: number, unit: TimeUnit, baseMs: number): number {
  const { buf, off, len } = call.request
  const small = parseInteger(buf, off[i], len[i])
  if (small >= -SMALL && small <= SMALL) return small * unit + baseMs
  return largeExpiryTime(call, parseInteger64(buf, off[i], len[i]), BigInt(unit), BigInt(baseMs))
}

function largeExpiryTime(call: Call, amount: bigint | null, unit: bigint, base: bigint): number {
  if (amount === null) throw new CommandError(Errors.notInteger)
  if (amount > INT64_MAX / unit || amount < -(INT64_MAX / unit) - (unit === 1n ? 1n : 0n)) throw invalidExpiryTime(call)
  const at = amount * unit
  if (at > INT64_MAX - base) throw invalidExpiryTime(call)
  return clamp(Number(at + base))
}

function clamp(at: number): number {
  return Math.max(-Number.MAX_SAFE_INTEGER, Math.min(Number.MAX_SAFE_INTEGER, at))
}

/** Also for commands that refuse times which are not positive. */
export function invalidExpiryTime(call: Call): CommandError {
  return new CommandError(`ERR invalid expire time in '${call.command.name}' command`)
}
