import { latin1 } from '../../base/bytes.js'

/**
 * Numbers as SORT reads them: C's strtod over all of the text, up to a zero byte if there is one. Plain decimals of up to 15 digits, which are nearly all, are read without a
 * string.
 */
const FORMAT = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i
const INFINITE = /^[+-]?inf(inity)?$/i
const HEXADECIMAL = /^([+-]?)0x([0-9a-f]*)\.?([0-9a-f]*)(?:p([+-]?\d+))?$/i
const SPACE = /^[\t-\r ]+/
const POWERS = Array.from({ length: 16 }, (_, i) => 10 ** i)
/** The smallest double that has all its digits; strtod complains below. */
const SMALLEST_NORMAL = 2.2250738585072014e-308

/** NaN for what is no number, and for what a double does not hold. Nothing at all is 0. */
export function sortNumber(buf: Uint8Array, off: number, len: number): number {
  const end = off + len
  let i = off
  const isNegative = buf[i] === 45
  if (isNegative && len > 1) i++
  let digits = 0
  let decimals = -1
  let value = 0
  for (; i < end && digits <= 15; i++) {
    const c = buf[i]
    if (c >= 48 && c <= 57) {
      value = value * 10 + (c - 48)
      digits++
      if (decimals >= 0) decimals++
    } else if (c === 46 && decimals < 0) {
      decimals = 0
    } else {
      return slowNumber(buf, off, len)
    }
  }
  if (i < end || digits === 0 || digits > 15) return slowNumber(buf, off, len)
  // Both are exact, so the quotient is the nearest double.
  if (decimals > 0) value /= POWERS[decimals]
  return isNegative ? -value : value
}

function slowNumber(buf: Uint8Array, off: number, len: number): number {
  const text = latin1(buf, off, len).replace(SPACE, '').split('\0')[0]
  if (text === '') return len === 0 || buf[off] === 0 ? 0 : NaN
  if (FORMAT.test(text)) return held(Number(text), /[1-9]/.test(text.split(/e/i)[0]))
  if (INFINITE.test(text)) return text.startsWith('-') ? -Infinity : Infinity
  const hexadecimal = HEXADECIMAL.exec(text)
  if (hexadecimal === null) return NaN
  const [, sign, whole, fraction, exponent] = hexadecimal
  if (whole + fraction === '') return NaN
  const mantissa = Number(BigInt(`0x${whole}${fraction}`))
  const value = mantissa * 2 ** (Number(exponent ?? 0) - 4 * fraction.length)
  return held(sign === '-' ? -value : value, mantissa !== 0)
}

/** The value, NaN when it is too large or too small for a double. */
function held(value: number, isNotZero: boolean): number {
  if (!Number.isFinite(value)) return NaN
  return isNotZero && Math.abs(value) < SMALLEST_NORMAL ? NaN : value
}
