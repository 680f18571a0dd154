import { expect, it } from 'vitest'
import { Background } from '../../src/engine/background.js'
import { ManualClock } from '../support/engine-harness.js'

it('work comes again after as long as it says, until it says that there is none', () => {
  const clock = new ManualClock()
  const begin = clock.now
  const delays = [1, 20, null]
  const ranAt: number[] = []
  new Background(clock).repeat(100, () => {
    ranAt.push(clock.now - begin)
    return delays[ranAt.length - 1]
  })
  clock.advance(1000)
  expect(ranAt).toEqual([100, 101, 121])
})

it('no work comes once it is stopped, also by the work itself', () => {
  const clock = new ManualClock()
  const background = new Background(clock)
  let first = 0
  let second = 0
  background.repeat(10, () => {
    if (++first === 3) background.stop()
    return 10
  })
  background.repeat(35, () => {
    second++
    return 1
  })
  clock.advance(1000)
  expect([first, second]).toEqual([3, 0])
})
