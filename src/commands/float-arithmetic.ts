import { addDecimals, DECIMAL_ZERO, parseDecimal, type Decimal } from '../base/decimal.js'
import { fitsLongDouble, printLongDouble, toLongDouble } from '../base/long-double.js'
import { CommandError } from './command-error.js'

/** What INCRBYFLOAT and HINCRBYFLOAT have in common. */
export const NOT_FINITE = 'ERR increment would produce NaN or Infinity'
const INFINITY_WORD = /^[+-]?inf(inity)?$/i

/** A text as a number that a long double can hold. */
export function parseFloatText(text: string, error: string): Decimal | 'infinite' {
  const value = parseDecimal(text)
  if (value !== null && fitsLongDouble(value)) return value
  if (INFINITY_WORD.test(text)) return 'infinite'
  throw new CommandError(error)
}

/** The sum: exact, or by Redis' own arithmetic as it prints it where there is only one member. */
export function floatSum(a: Decimal, b: Decimal, solo: boolean): Decimal {
  const result = solo ? longDoubleSum(a, b) : addDecimals(a, b)
  if (!fitsLongDouble(result)) throw new CommandError(NOT_FINITE)
  return result
}

function longDoubleSum(a: Decimal, b: Decimal): Decimal {
  const sum = toLongDouble(addDecimals(toLongDouble(a), toLongDouble(b)))
  if (!fitsLongDouble(sum)) throw new CommandError(NOT_FINITE)
  return parseDecimal(printLongDouble(sum)) ?? DECIMAL_ZERO
}
