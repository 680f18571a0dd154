/**
 * Exact decimal numbers: digits * 10^-scale. Counters add them, so that 0.1 + 0.2 is 0.3 and the sum does not depend on the order
 * of arrival. Source of the printed form: Redis prints its long doubles with at most 17 decimals and no trailing zeros.
 */
export interface Decimal {
  readonly digits: bigint
  /** Decimal places, 0 or more. */
  readonly scale: number
}

export const DECIMAL_ZERO: Decimal = { digits: 0n, scale: 0 }

/** Decimals that Redis prints; more are rounded half away from zero. */
const PRINTED_SCALE = 17
/** The range of an 80-bit long double, which is what Redis accepts: beyond it a text is no number. */
const MAX_EXPONENT = 4932
const MAX_TEXT = 5000

const FORMAT = /^([+-]?)(\d*)(?:\.(\d*))?(?:[eE]([+-]?\d{1,6}))?$/

/** C's hexadecimal floats: 0x1.8p3 is 12. */
const HEXADECIMAL_FORMAT = /^([+-]?)0x([\da-f]*)(?:\.([\da-f]*))?(?:p([+-]?\d{1,6}))?$/i
const MAX_BINARY_EXPONENT = 16445

/** Reads a decimal in Redis' spelling of floats, which is C's (no spaces, no infinity), or null. */
export function parseDecimal(text: string): Decimal | null {
  if (text.length === 0 || text.length > MAX_TEXT) return null
  const match = FORMAT.exec(text)
  if (match === null) return parseHexadecimal(text)
  const [, sign, whole = '', fraction = '', exponentText = '0'] = match
  if (whole.length + fraction.length === 0) return null
  const exponent = Number(exponentText)
  if (Math.abs(exponent) > MAX_EXPONENT) return null
  let digits = BigInt(whole + fraction)
  if (sign === '-') digits = -digits
  const scale = fraction.length - exponent
  return scale >= 0 ? normalize(digits, scale) : normalize(digits * 10n ** BigInt(-scale), 0)
}

function parseHexadecimal(text: string): Decimal | null {
  const match = HEXADECIMAL_FORMAT.exec(text)
  if (match === null) return null
  const [, sign, whole = '', fraction = '', exponentText = '0'] = match
  if (whole.length + fraction.length === 0) return null
  const exponent = Number(exponentText) - fraction.length * 4
  if (Math.abs(exponent) > MAX_BINARY_EXPONENT) return null
  const magnitude = BigInt(`0x${whole}${fraction}`)
  const digits = sign === '-' ? -magnitude : magnitude
  return exponent >= 0 ? normalize(digits << BigInt(exponent), 0) : normalize(digits * 5n ** BigInt(-exponent), -exponent)
}

export function decimalOf(value: number | bigint): Decimal {
  return { digits: BigInt(value), scale: 0 }
}

export function addDecimals(a: Decimal, b: Decimal): Decimal {
  if (a.scale === b.scale) return normalize(a.digits + b.digits, a.scale)
  if (a.scale < b.scale) return normalize(a.digits * 10n ** BigInt(b.scale - a.scale) + b.digits, b.scale)
  return addDecimals(b, a)
}

export function subtractDecimals(a: Decimal, b: Decimal): Decimal {
  return addDecimals(a, { digits: -b.digits, scale: b.scale })
}

/** Below, at or above 0 as a is less than, equal to or more than b. */
export function compareDecimals(a: Decimal, b: Decimal): number {
  const { digits } = subtractDecimals(a, b)
  return digits < 0n ? -1 : digits > 0n ? 1 : 0
}

/** Exactly, with as many decimals as it has. */
export function decimalToText(value: Decimal): string {
  const negative = value.digits < 0n
  let text = (negative ? -value.digits : value.digits).toString()
  if (value.scale > 0) {
    text = text.padStart(value.scale + 1, '0')
    text = `${text.slice(0, -value.scale)}.${text.slice(-value.scale)}`
  }
  return negative ? `-${text}` : text
}

/** As Redis prints a long double for people: at most 17 decimals, no trailing zeros, no exponent. */
export function printDecimal(value: Decimal): string {
  if (value.scale <= PRINTED_SCALE) return decimalToText(normalize(value.digits, value.scale))
  const unit = 10n ** BigInt(value.scale - PRINTED_SCALE)
  const half = value.digits < 0n ? -unit / 2n : unit / 2n
  const text = decimalToText(normalize((value.digits + half) / unit, PRINTED_SCALE))
  return text === '-0' ? '0' : text
}

function normalize(digits: bigint, scale: number): Decimal {
  while (scale > 0 && digits % 10n === 0n) {
    digits /= 10n
    scale--
  }
  return { digits, scale }
}
