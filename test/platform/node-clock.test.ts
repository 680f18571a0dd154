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

  it('knows how long the event loop had nothing to do', async () => {
    const [beganMs, idleMs] = [clock.monotonicMs(), clock.idleMs()]
    for (const endMs = beganMs + 15; clock.monotonicMs() < endMs;);
    expect(clock.idleMs() - idleMs).toBeLessThan(5)
    await new Promise<void>((resolve) => clock.setTimer(30, resolve))
    const idle = clock.idleMs() - idleMs
    expect(idle).toBeGreaterThan(15)
    expect(idle).toBeLessThan(clock.monotonicMs() - beganMs - 14)
  })

  it('gives work that comes late in a turn what others have left of it, and the least at any rate', async () => {
    const nextTurn = (): Promise<void> => new Promise((resolve) => clock.defer(resolve))
    const work = (ms: number): void => {
      for (const endMs = clock.monotonicMs() + ms; clock.monotonicMs() < endMs;);
    }
    /** What a call gives, at least and at most: it may have been interrupted. */
    const given = (ownMs: number): { readonly atLeast: number; readonly atMost: number } => {
      const beforeMs = clock.monotonicMs()
      const untilMs = clock.workUntil(ownMs)
      return { atLeast: untilMs - clock.monotonicMs(), atMost: untilMs - beforeMs }
    }
    await nextTurn()
    const first = given(2)
    expect(first.atLeast).toBeLessThanOrEqual(2)
    expect(first.atMost).toBeGreaterThanOrEqual(2)
    work(2.5)
    expect(given(3).atLeast).toBeLessThanOrEqual(1.5)
    work(5)
    const last = given(3)
    expect(last.atLeast).toBeLessThanOrEqual(0.5)
    expect(last.atMost).toBeGreaterThanOrEqual(0.5)
    // The next turn is another one.
    await nextTurn()
    await nextTurn()
    expect(given(2).atMost).toBeGreaterThanOrEqual(2)
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
