import { expect, it } from 'vitest'
import { median, quantile } from './statistics.js'
import { figure, textTable } from './text-table.js'

it('takes the middle value, or the mean of the two in the middle', () => {
  expect(median([3, 1, 2])).toBe(2)
  expect(median([4, 1, 2, 3])).toBe(2.5)
})

it('interpolates between neighbours', () => {
  expect(quantile([0, 10], 0.25)).toBe(2.5)
  expect(quantile([5], 0.99)).toBe(5)
  expect(quantile([], 0.5)).toBe(NaN)
})

it('sets figures to the right under their heads', () => {
  expect(
    textTable(
      ['', 'n'],
      [
        ['a', '1'],
        ['bb', '22'],
      ],
    ),
  ).toEqual(['     n', '--  --', 'a    1', 'bb  22'])
  expect(figure(1234567)).toBe('1,234,567')
  expect(figure(0.12345)).toBe('0.123')
})
