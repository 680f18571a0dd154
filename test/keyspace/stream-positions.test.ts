import { expect, it } from 'vitest'
import { StreamId } from '../../src/crdt/stream-id.js'
import { StreamPositions } from '../../src/keyspace/stream-positions.js'

it('a list of positions gives each of them back, in any piece, also when it is used again', () => {
  const list = new StreamPositions()
  const id = new StreamId()
  for (const count of [50_000, 3, 20_000]) {
    list.clear()
    for (let i = 0; i < count; i++) list.push(id.set(1, i, 2, 3 * i), i % 9, i + 0.5)
    list.setNumber(count - 1, -1)
    expect(list.count).toBe(count)
    for (let i = 0; i < count; i += i < 30 ? 1 : 997) {
      list.id(i, id)
      const number = i === count - 1 ? -1 : i + 0.5
      expect([id.msHigh, id.msLow, id.seqHigh, id.seqLow, list.region(i), list.number(i)]).toEqual([
        1,
        i,
        2,
        3 * i,
        i % 9,
        number,
      ])
    }
    expect(list.number(count - 1)).toBe(-1)
  }
})
