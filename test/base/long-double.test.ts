import { describe, expect, it } from 'vitest'
import { addDecimals, parseDecimal } from '../../src/base/decimal.js'
import { printLongDouble, toLongDouble } from '../../src/base/long-double.js'

function sum(a: string, b: string): string {
  const x = parseDecimal(a)
  const y = parseDecimal(b)
  if (x === null || y === null) throw new Error('no number')
  return printLongDouble(toLongDouble(addDecimals(toLongDouble(x), toLongDouble(y))))
}

describe('long double arithmetic', () => {
  // Answers of INCRBYFLOAT in redis-server 7.0 on x86-64.
  it.each([
    ['0.1', '0.2', '0.3'],
    ['3', '1.1', '4.1'],
    ['5.0e3', '2.0e2', '5200'],
    ['10.50', '0.1', '10.6'],
    ['1', '-1', '0'],
    ['-0.1', '0.1', '0'],
  ])('%s + %s = %s', (a, b, result) => expect(sum(a, b)).toBe(result))
})
