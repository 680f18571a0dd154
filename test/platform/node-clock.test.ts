import { describe, expect, it } from 'vitest'
import { NodeClock } from '../../src/platform/node-clock.js'
import { NodeRandom } from '../../src/platform/node-random.js'

describe('the clock', () => {
  const clock = new NodeClock()

  it('never fires a timer early', async () => {
    const startMs = clock.monotonicMs()
    await new Promise<void>((resolve) => clock.setTimer(5.5, resolve))
    expect(clock.monotonicMs() - startMs).toBeGreaterThanOrEqual(5.5)
  })

  it('does not fire a cancelled timer, nor one beyond what setTimeout takes', async () => {
    let fired = 0
    clock.setTimer(1, () => fired++).cancel()
    const far = clock.setTimer(2 ** 40, () => fired++)
    await new Promise<void>((resolve) => clock.setTimer(10, resolve))
    expect(fired).toBe(0)
    far.cancel()
  })

  it('defers until after the present turn', async () => {
    const order: string[] = []
    await new Promise<void>((resolve) => {
      clock.defer(() => {
        order.push('deferred')
        resolve()
      })
      void Promise.resolve().then(() => order.push('microtask'))
      order.push('now')
    })
    expect(order).toEqual(['now', 'microtask', 'deferred'])
  })
})

describe('randomness', () => {
  it('spans 32 bits and goes on past its pool', () => {
    const random = new NodeRandom()
    const drawn = Array.from({ length: 3000 }, () => random.uint32())
    expect(drawn.every((value) => Number.isInteger(value) && value >= 0 && value < 2 ** 32)).toBe(true)
    expect(new Set(drawn).size).toBeGreaterThan(2990)
    expect(Math.max(...drawn)).toBeGreaterThan(2 ** 31)
  })
})
