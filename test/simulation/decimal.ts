/**
 * Exact decimal numbers: units × 10^-scale, never rounded. The oracle computes with these, so that it does not share a way
 * of being wrong with the code under test.
 */
export interface Decimal {
  readonly units: bigint
  readonly scale: number
}

export const ZERO: Decimal = { units: 0n, scale: 0 }
export const INT64_MAX = 2n ** 63n - 1n
export const INT64_MIN = -(2n ** 63n)

/** A number as INCRBYFLOAT reads it: `-7`, `2.50`, `.5`, `5.`, `1e3`; null for anything else. */
export function parseDecimal(text: string): Decimal | null {
  const match = /^([+-]?)(\d*)(\.\d*)?(?:e([+-]?\d{1,4}))?$/i.exec(text)
  if (match === null) return null
  const [, sign, whole, point = '', exponent = '0'] = match
  const digits = whole + point.slice(1)
  if (digits === '') return null
  const units = sign === '-' ? -BigInt(digits) : BigInt(digits)
  const scale = Math.max(0, point.length - 1) - Number(exponent)
  return scale >= 0 ? { units, scale } : { units: units * 10n ** BigInt(-scale), scale: 0 }
}

/** A 64-bit integer exactly as Redis accepts it where it wants one: no leading zeros, no plus sign, no -0. */
export function parseInteger(text: string): bigint | null {
  if (!/^(0|-?[1-9]\d*)$/.test(text)) return null
  const value = BigInt(text)
  return value >= INT64_MIN && value <= INT64_MAX ? value : null
}

export function add(a: Decimal, b: Decimal): Decimal {
  if (a.scale === b.scale) return { units: a.units + b.units, scale: a.scale }
  const scale = Math.max(a.scale, b.scale)
  return { units: a.units * 10n ** BigInt(scale - a.scale) + b.units * 10n ** BigInt(scale - b.scale), scale }
}

/** Without trailing zeros and without a needless point: 3.0 is "3", 0.50 is "0.5". */
export function formatDecimal(value: Decimal): string {
  let { units, scale } = value
  while (scale > 0 && units % 10n === 0n) {
    units /= 10n
    scale--
  }
  if (scale === 0) return units.toString()
  const digits = (units < 0n ? -units : units).toString().padStart(scale + 1, '0')
  return `${units < 0n ? '-' : ''}${digits.slice(0, -scale)}.${digits.slice(-scale)}`
}

/** A merged sum: integers beyond 64 bits read as the nearest bound. */
export function formatSum(value: Decimal): string {
  const text = formatDecimal(value)
  if (text.includes('.')) return text
  const units = BigInt(text)
  if (units > INT64_MAX) return INT64_MAX.toString()
  if (units < INT64_MIN) return INT64_MIN.toString()
  return text
}
