import { describe, expect, test } from 'vitest'
import { SeededRandom } from './random.js'
import { Scheduler } from './scheduler.js'
import { Life, MachineClock, SIMULATION_EPOCH_MS, SimClock } from './sim-clock.js'

describe('scheduler', () => {
  test('runs events by time, and those of one time in the order in which they were made', () => {
    const scheduler = new Scheduler()
    const seen: string[] = []
    scheduler.after(5, () => seen.push('c'))
    scheduler.after(1, () => {
      seen.push('a')
      scheduler.after(0, () => seen.push('b2'))
    })
    scheduler.after(1, () => seen.push('b1'))
    scheduler.after(2, () => seen.push('never')).cancel()
    scheduler.runUntil(4)
    expect(seen).toEqual(['a', 'b1', 'b2'])
    expect(scheduler.now).toBe(4)
    scheduler.runUntil(5)
    expect(seen.at(-1)).toBe('c')
  })

  test('keeps order among thousands of random events', () => {
    const scheduler = new Scheduler()
    const random = new SeededRandom(1)
    const times: number[] = []
    for (let i = 0; i < 5000; i++) scheduler.after(random.below(1000), () => times.push(scheduler.now))
    scheduler.runUntil(1000)
    expect(times).toEqual([...times].sort((a, b) => a - b))
    expect(times.length).toBe(5000)
  })

  test('gives up on what does not come to rest', () => {
    const scheduler = new Scheduler(100)
    const again = (): void => void scheduler.after(0, again)
    again()
    expect(() => scheduler.runUntil(1)).toThrow(/come to rest/)
  })
})

describe('random', () => {
  test('streams of a seed repeat, and differ from each other', () => {
    const draw = (seed: number, name: string): number[] => {
      const random = new SeededRandom(seed).stream(name)
      return [random.uint32(), random.uint32(), random.uint32()]
    }
    expect(draw(7, 'a')).toEqual(draw(7, 'a'))
    expect(draw(7, 'a')).not.toEqual(draw(7, 'b'))
    expect(draw(7, 'a')).not.toEqual(draw(8, 'a'))
  })

  test('is uniform enough', () => {
    const random = new SeededRandom(3)
    const counts = [0, 0, 0, 0]
    for (let i = 0; i < 4000; i++) counts[random.below(4)]++
    for (const count of counts) expect(Math.abs(count - 1000)).toBeLessThan(150)
  })
})

describe('clocks of a machine', () => {
  test('jump, drift, and never go back in their monotonic reading', () => {
    const scheduler = new Scheduler()
    const machine = new MachineClock(scheduler, 100, 2)
    scheduler.runUntil(50)
    expect(machine.wallMs()).toBe(SIMULATION_EPOCH_MS + 200)
    const before = machine.monotonicMs()
    machine.jump(-1000)
    expect(machine.wallMs()).toBe(SIMULATION_EPOCH_MS - 800)
    machine.setRate(0.5)
    expect(machine.monotonicMs()).toBe(before)
    scheduler.runUntil(60)
    expect(machine.monotonicMs()).toBe(before + 5)
  })

  test('call nobody who is dead', () => {
    const scheduler = new Scheduler()
    const life = new Life()
    const clock = new SimClock(new MachineClock(scheduler, 0, 1), life)
    let calls = 0
    clock.setTimer(1, () => calls++)
    clock.setTimer(10, () => calls++)
    clock.defer(() => calls++)
    scheduler.runUntil(5)
    life.alive = false
    scheduler.runUntil(20)
    expect(calls).toBe(2)
  })
})
