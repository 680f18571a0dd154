import { expect, it } from 'vitest'
import { DoubleList } from '../../src/base/double-list.js'

it('a list of numbers gives each of them back, in any piece', () => {
  const list = new DoubleList()
  const count = 100_000
  for (let i = 0; i < count; i++) list.push(i / 3)
  expect(list.length).toBe(count)
  for (let i = 0; i < count; i += 7) expect(list.at(i)).toBe(i / 3)
})
