import { expect, it } from 'vitest'
import { DoubleList } from '../../src/base/double-list.js'

it('a list of numbers gives each of them back, in any piece, also when it is used again', () => {
  const list = new DoubleList()
  for (const count of [100_000, 10, 40_000]) {
    list.clear()
    for (let i = 0; i < count; i++) list.push(i / 3)
    expect(list.length).toBe(count)
    for (let i = 0; i < count; i += 7) list.set(i, -i)
    for (let i = 0; i < count; i++) expect(list.at(i)).toBe(i % 7 === 0 ? -i : i / 3)
  }
})
