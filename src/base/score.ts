import { equalsWord, latin1 } from './bytes.js'

/**
 * Scores as text: doubles in Redis' spelling. Read as C's strtod reads them, printed with the fewest digits that read back as the same double. Source of
 * the printed form: fpconv, which Redis prints doubles with since 7.2.
 */
const DECIMAL = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?$/i
const HEXADECIMAL = /^([+-]?)0x([\da-f]*)(?:\.([\da-f]*))?(?:p([+-]?\d+))?$/i
const INFINITE = /^([+-]?)inf(?:inity)?$/i
const LEADING_SPACE = /^[ \t\n\v\f\r]+/
/** Longest text that is worth looking at: more than any double needs. */
const MAX_TEXT = 1024
const LARGEST_INT64_PRINTED = 2 ** 62
/** Digits that are exact as a number, and the powers of ten that are. */
const EXACT_DIGITS = 15
const POWERS_OF_TEN = new Float64Array(23).map((_, exponent) => Number(`1e${exponent}`))
const PLUS = 43
const MINUS = 45
const POINT = 46
const ZERO = 48

/** The number, or NaN when the bytes are none, or one that a double cannot hold. */
export function parseScore(buf: Uint8Array, off: number, len: number): number {
  const usual = parseUsual(buf, off, len)
  if (usual === usual) return usual
  if (len === 0 || len > MAX_TEXT) return NaN
  const text = latin1(buf, off, len)
  const value = readDouble(text)
  if (Number.isFinite(value) ? value !== 0 || isZero(text) : INFINITE.test(text)) return value
  return NaN
}

/**
 * As parseScore for the bound of a range: spaces may come first, a zero byte ends the text, nothing at all is 0, and what is beyond a double is infinite
 * or 0.
 */
export function parseScoreBound(buf: Uint8Array, off: number, len: number): number {
  const usual = parseUsual(buf, off, len)
  if (usual === usual) return usual
  const text = latin1(buf, off, Math.min(len, MAX_TEXT)).split('\0', 1)[0]
  return text === '' ? 0 : readDouble(text.replace(LEADING_SPACE, ''))
}

/**
 * What scores usually are, without the heap: a plain decimal of at most 15 digits that count, or an infinity; NaN for everything else. A quotient of two
 * numbers that are exact is rounded once, so it is the nearest double (Clinger, 1990).
 */
function parseUsual(buf: Uint8Array, off: number, len: number): number {
  const end = off + len
  const signed = len > 0 && (buf[off] === MINUS || buf[off] === PLUS)
  const negative = signed && buf[off] === MINUS
  const begin = signed ? off + 1 : off
  let value = 0
  let counting = 0
  let point = -1
  let i = begin
  for (; i < end; i++) {
    const digit = buf[i] - ZERO
    if (digit >= 0 && digit <= 9) {
      value = value * 10 + digit
      if (value > 0) counting++
    } else if (buf[i] === POINT && point < 0) {
      point = i
    } else {
      break
    }
  }
  if (i < end) {
    if (i > begin || !equalsWord(buf, begin, end - begin, 'INF')) return NaN
    return negative ? -Infinity : Infinity
  }
  const fraction = point < 0 ? 0 : end - point - 1
  const digits = end - begin - (point < 0 ? 0 : 1)
  if (digits === 0 || counting > EXACT_DIGITS || fraction >= POWERS_OF_TEN.length) return NaN
  const magnitude = fraction === 0 ? value : value / POWERS_OF_TEN[fraction]
  return negative ? -magnitude : magnitude
}

function readDouble(text: string): number {
  if (DECIMAL.test(text)) return Number(text)
  const infinite = INFINITE.exec(text)
  if (infinite !== null) return infinite[1] === '-' ? -Infinity : Infinity
  const match = HEXADECIMAL.exec(text)
  if (match === null) return NaN
  const [, sign, whole = '', fraction = '', exponent = '0'] = match
  if (whole.length + fraction.length === 0) return NaN
  const magnitude = Number(BigInt(`0x${whole}${fraction}`)) * 2 ** (Number(exponent) - fraction.length * 4)
  return sign === '-' ? -magnitude : magnitude
}

/** Every digit before an exponent is 0. */
function isZero(text: string): boolean {
  return !/[1-9a-d]/i.test(text.split(/[ep]/i)[0])
}

export function formatScore(score: number): string {
  if (Number.isSafeInteger(score)) return Object.is(score, -0) ? '-0' : String(score)
  if (!Number.isFinite(score)) return score > 0 ? 'inf' : score < 0 ? '-inf' : 'nan'
  const magnitude = Math.abs(score)
  if (Number.isInteger(score) && magnitude <= LARGEST_INT64_PRINTED) return BigInt(score).toString()
  const sign = score < 0 ? '-' : ''
  // JavaScript finds the same shortest digits; only where the point goes and when an exponent is written differ.
  const [mantissa, exponentText] = magnitude.toExponential().split('e')
  const digits = mantissa.replace('.', '')
  /** The value is digits * 10^scale. */
  const exponent = Number(exponentText)
  const scale = exponent - digits.length + 1
  if (scale >= 0 && Math.abs(exponent) < digits.length + 7) return sign + digits + '0'.repeat(scale)
  if (scale < 0 && (scale > -7 || Math.abs(exponent) < 4)) {
    const whole = digits.length + scale
    return whole <= 0 ? `${sign}0.${'0'.repeat(-whole)}${digits}` : `${sign}${digits.slice(0, whole)}.${digits.slice(whole)}`
  }
  const kept = digits.slice(0, score < 0 ? 17 : 18)
  return `${sign}${kept[0]}${kept.length > 1 ? `.${kept.slice(1)}` : ''}e${exponent < 0 ? '-' : '+'}${Math.abs(exponent)}`
}
