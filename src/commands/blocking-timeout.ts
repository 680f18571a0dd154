import { INT64_MAX, latin1 } from '../base/bytes.js'
import { parseDecimal } from '../base/decimal.js'
import type { Call } from './call.js'
import { CommandError } from './command-error.js'

const INFINITY_WORD = /^([+-]?)inf(inity)?$/i

/**
 * Argument i as the time that a blocking command may wait: seconds with a fraction, given in milliseconds, rounded up; 0 is for ever. Redis' errors for
 * what is no number, negative, or beyond the end of time.
 */
export function blockingTimeout(call: Call, i: number): number {
  const { request } = call
  const text = latin1(request.buf, request.off[i], request.len[i])
  const seconds = parseDecimal(text)
  if (seconds === null) {
    const infinite = INFINITY_WORD.exec(text)
    if (infinite === null) throw new CommandError('ERR timeout is not a float or out of range')
    throw new CommandError(infinite[1] === '-' ? 'ERR timeout is negative' : 'ERR timeout is out of range')
  }
  const thousand = seconds.digits * 1000n
  const unit = 10n ** BigInt(seconds.scale)
  const down = thousand / unit
  return checked(call, down * unit < thousand ? down + 1n : down)
}

/** The same for commands that count in whole milliseconds: BLOCK of XREAD and XREADGROUP. */
export function blockingMilliseconds(call: Call, i: number): number {
  return checked(call, call.integer64(i, 'ERR timeout is not an integer or out of range'))
}

function checked(call: Call, ms: bigint): number {
  if (ms < 0n) throw new CommandError('ERR timeout is negative')
  if (ms > INT64_MAX - BigInt(Math.floor(call.nowMs))) throw new CommandError('ERR timeout is out of range')
  return Number(ms)
}
