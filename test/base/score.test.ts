import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { formatScore, parseScore, parseScoreBound } from '../../src/base/score.js'

function parse(text: string): number {
  const bytes = Buffer.from(`..${text}`, 'latin1')
  return parseScore(bytes, 2, bytes.length - 2)
}

function parseBound(text: string): number {
  const bytes = Buffer.from(text, 'latin1')
  return parseScoreBound(bytes, 0, bytes.length)
}

describe('scores as text', () => {
  it('are printed as Redis prints them', () => {
    const texts: [number, string][] = [
      [0, '0'],
      [-0, '-0'],
      [1, '1'],
      [-12, '-12'],
      [3.1, '3.1'],
      [0.1 + 0.2, '0.30000000000000004'],
      [1e-5, '0.00001'],
      [1.5e-7, '1.5e-7'],
      [1e17, '100000000000000000'],
      [1e21, '1e+21'],
      [1.25e21, '1.25e+21'],
      [1.7e308, '1.7e+308'],
      [5e-324, '5e-324'],
      [-1.5e-10, '-1.5e-10'],
      [4611686018427387904, '4611686018427387904'],
      [123456.789, '123456.789'],
      [Infinity, 'inf'],
      [-Infinity, '-inf'],
    ]
    for (const [score, text] of texts) expect(formatScore(score)).toBe(text)
  })

  it('read back as the same double', () => {
    fc.assert(
      fc.property(fc.double({ noNaN: true }), (score) => {
        expect(parse(formatScore(score))).toBe(score)
      }),
    )
  })

  it('are read as Redis reads them', () => {
    const numbers: [string, number][] = [
      ['5', 5],
      ['+5', 5],
      ['-0', -0],
      ['.5', 0.5],
      ['5.', 5],
      ['1e3', 1000],
      ['0x1p3', 8],
      ['inf', Infinity],
      ['+INFINITY', Infinity],
      ['-inf', -Infinity],
      ['0e-999', 0],
    ]
    for (const [text, score] of numbers) expect(parse(text)).toBe(score)
    for (const text of ['', ' 1', '1 ', 'nan', 'abc', '1e400', '1e-400', '1,5', '--1', '.', 'e5', '0x', '1\0']) {
      expect(parse(text)).toBeNaN()
    }
  })

  it('are read as the nearest double, however many digits there are', () => {
    const digits = (most: number) => fc.array(fc.integer({ min: 0, max: 9 }), { maxLength: most }).map((each) => each.join(''))
    fc.assert(
      fc.property(
        fc.constantFrom('', '+', '-'),
        digits(18),
        fc.constantFrom('', '.'),
        digits(24),
        (sign, whole, point, fraction) => {
          const text = point === '' ? `${sign}0${whole}` : `${sign}${whole}.${fraction}0`
          expect(parse(text)).toBe(Number(text))
        },
      ),
    )
  })

  it('are looser where they bound a range', () => {
    const bounds: [string, number][] = [
      ['', 0],
      [' 1', 1],
      ['1e400', Infinity],
      ['1\0x', 1],
    ]
    for (const [text, score] of bounds) expect(parseBound(text)).toBe(score)
    expect(parseBound('x')).toBeNaN()
  })
})
