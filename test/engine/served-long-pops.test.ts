import { beforeEach, describe, expect, it } from 'vitest'
import { EngineHarness } from '../support/engine-harness.js'
import { COUNT, digestOf, inOneGo, numbers, SlicedEngine } from '../support/sliced-engine.js'
import { ReceivingSession, type TickingClock } from '../support/ticking-clock.js'

/** BLMPOP, BLMOVEM and BZMPOP of much that have waited for it. */
const KINDS = [
  {
    wait: (count: number) => ['BLMPOP', '0', '2', 'first', 'key', 'LEFT', 'COUNT', `${count}`],
    pop: (count: number) => ['LMPOP', '1', 'key', 'LEFT', 'COUNT', `${count}`],
    push: 'RPUSH',
    elements: numbers.map((n) => [`e${n}`]),
    one: ['RPUSH', 'key', 'late'],
    size: 'LLEN',
    takeOne: ['LPOP', 'key'],
  },
  {
    wait: (count: number) => ['BLMOVEM', 'key', 'moved', 'LEFT', 'LEFT', '0', 'COUNT', `${count}`, 'OBO'],
    pop: (count: number) => ['LMOVEM', 'key', 'moved', 'LEFT', 'LEFT', 'COUNT', `${count}`, 'OBO'],
    push: 'RPUSH',
    elements: numbers.map((n) => [`e${n}`]),
    one: ['RPUSH', 'key', 'late'],
    size: 'LLEN',
    takeOne: ['LPOP', 'key'],
  },
  {
    wait: (count: number) => ['BZMPOP', '0', '2', 'first', 'key', 'MIN', 'COUNT', `${count}`],
    pop: (count: number) => ['ZMPOP', '1', 'key', 'MIN', 'COUNT', `${count}`],
    push: 'ZADD',
    elements: numbers.map((n) => [`${n}`, `m${n}`]),
    one: ['ZADD', 'key', '1000', 'late'],
    size: 'ZCARD',
    takeOne: ['ZPOPMIN', 'key'],
  },
] as const

describe.each(KINDS)('$push: a blocked client that asked for much', ({ wait, pop, push, elements, one, size, takeOne }) => {
  let engine: SlicedEngine
  let h: EngineHarness
  let clock: TickingClock
  let client: ReceivingSession
  let next: ReceivingSession
  let other: ReceivingSession

  function make(solo: boolean): void {
    engine = new SlicedEngine(solo)
    ;({ h, clock, client } = engine)
    next = new ReceivingSession(201)
    other = new ReceivingSession(202)
    engine.write(push, 'made', elements)
  }

  beforeEach(() => make(true))

  function waitFor(session: ReceivingSession, count: number): void {
    expect(h.raw(wait(count), session)).toBe('')
    expect(session.blocked?.isRunning).not.toBe(true)
  }

  /** Lets turns pass until something has come to a session; gives their number. */
  function turnsUntil(session: ReceivingSession, between: () => void = () => undefined): number {
    for (let turn = 1; turn < 10_000; turn++) {
      clock.turn()
      if (session.received !== '') return turn
      between()
    }
    throw new Error('it was not served')
  }

  it.each([true, false])('is served in slices, with what it would have got in one go (alone: %s)', (solo) => {
    make(solo)
    const far = new EngineHarness({ solo, self: 2 }, clock)
    far.receive(h)
    far.run('RENAME', 'made', 'key')
    const expected = inOneGo(far, [...pop(300)])
    waitFor(client, 300)
    expect(h.raw(['RENAME', 'made', 'key'], other)).toBe('')
    turnsUntil(other)
    expect(client.blocked?.isRunning).toBe(true)
    const frames = h.log.frames.length
    // Each step is a turn.
    expect(turnsUntil(client)).toBeGreaterThan(4)
    expect(client.received).toBe(expected)
    expect(client.blocked).toBeNull()
    expect(h.log.frames.length).toBe(frames + 1)
    expect(digestOf(h)).toBe(digestOf(far))
    expect(h.engine.blocking.clientCount).toBe(0)
    expect(h.services.table.find(wait(1)[0].toLowerCase())).toMatchObject({ calls: 1, failedCalls: 0 })
  })

  it('comes before whoever wants the key meanwhile, and before those that began to wait later', () => {
    waitFor(client, 300)
    waitFor(next, 300)
    const late = new ReceivingSession(203)
    expect(h.raw(['RENAME', 'made', 'key'], other)).toBe('')
    turnsUntil(other)
    expect(h.raw([...takeOne], late)).toBe('')
    turnsUntil(client, () => expect([next.received, late.received]).toEqual(['', '']))
    turnsUntil(next, () => expect(late.received).toBe(''))
    turnsUntil(late)
    expect(client.received).toContain(`*300\r\n`)
    expect(next.received).toContain(`*${COUNT - 300}\r\n`)
    expect(late.received).toMatch(/^(\$-1|\*0)\r\n$/)
    expect(h.run(size, 'key')).toBe(0)
  })

  it('waits in its place, its keys held, when another long write is under way', () => {
    engine.write(
      'SADD',
      'busy',
      numbers.map((n) => [`m${n}`]),
    )
    waitFor(client, 300)
    waitFor(next, 300)
    expect(h.raw(['COPY', 'busy', 'to'], other)).toBe('')
    clock.turn()
    // A transaction makes the key at once.
    const writer = new ReceivingSession(204)
    h.raw(['MULTI'], writer)
    for (let from = 0; from < COUNT; from += 20) h.raw([push, 'key', ...elements.slice(from, from + 20).flat()], writer)
    expect(h.raw(['EXEC'], writer)).toMatch(/^\*20\r\n/)
    const late = new ReceivingSession(203)
    expect(h.raw([...takeOne], late)).toBe('')
    expect(h.raw([size, 'key'], new ReceivingSession(205))).toBe(`:${COUNT}\r\n`)
    turnsUntil(other, () => expect([client.received, next.received, late.received]).toEqual(['', '', '']))
    expect(client.blocked?.isRunning).toBe(true)
    expect(turnsUntil(client, () => expect([next.received, late.received]).toEqual(['', '']))).toBeGreaterThan(4)
    turnsUntil(next, () => expect(late.received).toBe(''))
    turnsUntil(late)
    expect(client.received).toContain(`*300\r\n`)
    expect(next.received).toContain(`*${COUNT - 300}\r\n`)
  })

  it('goes, and the key is there for the next one', () => {
    waitFor(client, 300)
    waitFor(next, 10)
    expect(h.raw(['RENAME', 'made', 'key'], other)).toBe('')
    turnsUntil(other)
    clock.turn()
    h.engine.sessionClosed(client)
    turnsUntil(next)
    expect(next.received).toContain(`*10\r\n`)
    expect(h.run(size, 'key')).toBe(COUNT - 10)
  })

  it('gets the error when nothing can be written by the time that it would be', () => {
    waitFor(client, 300)
    expect(h.raw(['RENAME', 'made', 'key'], other)).toBe('')
    turnsUntil(other)
    clock.turn()
    Object.assign(h.services.server, { writeRefusal: 'MISCONF no room' })
    turnsUntil(client)
    expect(client.received).toBe('-MISCONF no room\r\n')
    Object.assign(h.services.server, { writeRefusal: null })
    expect(h.run(size, 'key')).toBe(COUNT)
    h.run(...one)
    expect(h.run(size, 'key')).toBe(COUNT + 1)
  })
})
