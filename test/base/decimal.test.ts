import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { addDecimals, decimalToText, parseDecimal, printDecimal, subtractDecimals, type Decimal } from '../../src/base/decimal.js'
import { fitsLongDouble, printLongDouble, toLongDouble } from '../../src/base/long-double.js'

const decimal: fc.Arbitrary<Decimal> = fc.record({ digits: fc.bigInt(-(10n ** 30n), 10n ** 30n), scale: fc.nat(25) })

/** Both as fractions with one denominator. */
function sameValue(a: Decimal, b: Decimal): boolean {
  return a.digits * 10n ** BigInt(b.scale) === b.digits * 10n ** BigInt(a.scale)
}

function parsed(text: string): Decimal {
  const value = parseDecimal(text)
  if (value === null) throw new Error(`${text} is no number`)
  return value
}

describe('decimals', () => {
  it('add and subtract as fractions do', () => {
    fc.assert(
      fc.property(decimal, decimal, (a, b) => {
        const scale = a.scale + b.scale
        const left = a.digits * 10n ** BigInt(b.scale)
        const right = b.digits * 10n ** BigInt(a.scale)
        expect(sameValue(addDecimals(a, b), { digits: left + right, scale })).toBe(true)
        expect(sameValue(subtractDecimals(a, b), { digits: left - right, scale })).toBe(true)
      }),
    )
  })

  it('add up to the same in any order', () => {
    fc.assert(
      fc.property(fc.array(decimal, { minLength: 1, maxLength: 6 }), (values) => {
        const sum = (list: Decimal[]): Decimal => list.reduce((a, b) => addDecimals(a, b), { digits: 0n, scale: 0 })
        expect(sum([...values].reverse())).toEqual(sum(values))
      }),
    )
  })

  it('are read as they are written', () => {
    fc.assert(
      fc.property(decimal, (value) => {
        expect(sameValue(parsed(decimalToText(value)), value)).toBe(true)
      }),
    )
  })

  it('print at most 17 decimals, no trailing zeros and no minus zero', () => {
    fc.assert(
      fc.property(decimal, (value) => {
        const text = printDecimal(value)
        expect(text).toMatch(/^(0|-?(0|[1-9]\d*)(\.\d{0,16}[1-9])?)$/)
        expect(text).not.toBe('-0')
        const error = subtractDecimals(parsed(text), value)
        const magnitude = error.digits < 0n ? -error.digits : error.digits
        expect(magnitude * 2n * 10n ** 17n <= 10n ** BigInt(error.scale)).toBe(true)
      }),
    )
  })

  it.each([
    ['1e3', '1000'],
    ['-1.50', '-1.5'],
    ['.5', '0.5'],
    ['5.', '5'],
    ['+5', '5'],
    ['1E-2', '0.01'],
    ['0x1.8p3', '12'],
    ['-0', '0'],
    ['00012', '12'],
  ])('%s is %s', (text, value) => expect(printDecimal(parsed(text))).toBe(value))

  it.each(['', '.', 'e5', '1e', '1 ', ' 1', 'nan', 'inf', '0x', '1e999999', '1_0', '--1', '1'.repeat(5001)])(
    '%j is none',
    (text) => expect(parseDecimal(text)).toBe(null),
  )
})

describe('long doubles', () => {
  it('hold doubles exactly', () => {
    fc.assert(
      fc.property(fc.double({ noNaN: true, noDefaultInfinity: true, min: -1e30, max: 1e30 }), (value) => {
        // A double is an integer times a power of two.
        let scaled = value
        let exponent = 0
        while (!Number.isInteger(scaled) && exponent < 1074) {
          scaled *= 2
          exponent++
        }
        const exact = { digits: BigInt(scaled) * 5n ** BigInt(exponent), scale: exponent }
        expect(sameValue(toLongDouble(exact), exact)).toBe(true)
      }),
    )
  })

  it('are within half a unit in the 64th bit', () => {
    fc.assert(
      fc.property(decimal, (value) => {
        const error = subtractDecimals(toLongDouble(value), value)
        const magnitude = error.digits < 0n ? -error.digits : error.digits
        const size = value.digits < 0n ? -value.digits : value.digits
        expect(magnitude * 10n ** BigInt(value.scale) * 2n ** 64n <= size * 10n ** BigInt(error.scale)).toBe(true)
        expect(sameValue(toLongDouble(toLongDouble(value)), toLongDouble(value))).toBe(true)
      }),
    )
  })

  it('end at 1.19e4932', () => {
    expect(fitsLongDouble(parsed('1.189e4932'))).toBe(true)
    expect(fitsLongDouble(parsed('1.190e4932'))).toBe(false)
    expect(fitsLongDouble(parsed('-1.190e4932'))).toBe(false)
  })

  it('round halves to even when they are printed', () => {
    expect(printLongDouble(parsed('0.000003814697265625'))).toBe('0.00000381469726562')
  })
})
