import { decimalToText, printDecimal, type Decimal } from './decimal.js'

/**
 * The arithmetic of x86's 80-bit long double (64-bit significand, round half to even), which INCRBYFLOAT has in Redis: parse, add, print with 17
 * decimals. Only a database with one member uses it; with more, increments are exact decimals.
 */
const SIGNIFICAND_BITS = 64
/** Exponent of the last bit of the smallest numbers. */
const MIN_EXPONENT = -16445
/** Largest finite value: (2^64 - 1) * 2^16320. */
const MAX_VALUE = ((1n << 64n) - 1n) << 16320n
export const LONG_DOUBLE_MAX: Decimal = { digits: MAX_VALUE, scale: 0 }
const PRINTED_SCALE = 17

/** True when the value is one that a long double can hold without becoming infinite. */
export function fitsLongDouble(value: Decimal): boolean {
  const digits = value.digits < 0n ? -value.digits : value.digits
  return digits <= MAX_VALUE * 10n ** BigInt(value.scale)
}

/** The nearest long double, exactly. */
export function toLongDouble(value: Decimal): Decimal {
  if (value.digits === 0n) return value
  const negative = value.digits < 0n
  const numerator = negative ? -value.digits : value.digits
  const denominator = 10n ** BigInt(value.scale)
  // First guess of the last bit's exponent; the quotient then has 64 or 65 bits.
  let exponent = Math.max(bitLength(numerator) - bitLength(denominator) - SIGNIFICAND_BITS, MIN_EXPONENT)
  let significand = divideToEven(numerator, denominator, exponent)
  if (bitLength(significand) > SIGNIFICAND_BITS) {
    exponent++
    significand = divideToEven(numerator, denominator, exponent)
  }
  const signed = negative ? -significand : significand
  if (exponent >= 0) return { digits: signed << BigInt(exponent), scale: 0 }
  // m / 2^k is m * 5^k / 10^k.
  return { digits: signed * 5n ** BigInt(-exponent), scale: -exponent }
}

/** As printf's %.17Lf, less trailing zeros. */
export function printLongDouble(value: Decimal): string {
  if (value.scale <= PRINTED_SCALE) return printDecimal(value)
  const negative = value.digits < 0n
  const magnitude = negative ? -value.digits : value.digits
  const digits = roundedQuotient(magnitude, 10n ** BigInt(value.scale - PRINTED_SCALE))
  return decimalToText(trimmed(negative ? -digits : digits, PRINTED_SCALE))
}

function trimmed(digits: bigint, scale: number): Decimal {
  while (scale > 0 && digits % 10n === 0n) {
    digits /= 10n
    scale--
  }
  return { digits, scale }
}

function divideToEven(numerator: bigint, denominator: bigint, exponent: number): bigint {
  return exponent >= 0
    ? roundedQuotient(numerator, denominator << BigInt(exponent))
    : roundedQuotient(numerator << BigInt(-exponent), denominator)
}

/** The nearest integer to a quotient of two positive numbers; halves go to the even one. */
function roundedQuotient(numerator: bigint, denominator: bigint): bigint {
  const quotient = numerator / denominator
  const twice = (numerator % denominator) * 2n
  const up = twice > denominator || (twice === denominator && (quotient & 1n) === 1n)
  return up ? quotient + 1n : quotient
}

function bitLength(value: bigint): number {
  return value.toString(16).length * 4 - Math.clz32(Number.parseInt(value.toString(16)[0], 16)) + 28
}
