import { beforeEach, describe, expect, it } from 'vitest'
import { parseNotificationClasses } from '../../src/base/notification-classes.js'
import { EngineHarness } from '../support/engine-harness.js'
import { digestOf, BATCH, COUNT, inOneGo, numbers, SlicedEngine } from '../support/sliced-engine.js'
import type { TickingClock } from '../support/ticking-clock.js'
import { ReceivingSession } from '../support/ticking-clock.js'

let engine: SlicedEngine
let h: EngineHarness
let clock: TickingClock
let client: ReceivingSession

function make(solo = true): void {
  engine = new SlicedEngine(solo)
  ;({ h, clock, client } = engine)
}

const keys = (from = 0): string[] => numbers.map((n) => `k${from + n}`)
const pairs = (value: string, from = 0): string[] => keys(from).flatMap((key, n) => [key, `${value}${n}`])

/** Every second key is a string, others are of all types, counters among them; some are due soon. */
function fill(): void {
  const strings = pairs('v')
  for (let i = 0; i < strings.length; i += 2 * BATCH) h.run('MSET', ...strings.slice(i, i + BATCH))
  h.run('SADD', 'k3', 'a', 'b')
  h.run('HSET', 'k21', 'f', 'v')
  for (const [n, add] of [
    [10, ['INCRBY', '5']],
    [11, ['INCRBY', '7']],
    [40, ['INCRBYFLOAT', '1.5']],
  ] as const)
    h.run(add[0], `k${n + 400}`, add[1])
  h.run('HINCRBY', 'k29', 'f', '5')
  h.run('ZINCRBY', 'k35', '5', 'm')
  h.run('XADD', 'k36', '*', 'f', 'v')
  h.run('RPUSH', 'k37', 'a', 'b')
  h.run('APPEND', 'k1', 'more')
  h.run('PEXPIRE', 'k2', '5000000')
  h.run('PEXPIRE', 'k21', '5000000')
}

/** Keys that are due and still there. */
function letSomeFallDue(): void {
  h.engine.activeExpiry = false
  for (const key of ['k4', 'k5', 'k37']) h.run('PEXPIRE', key, '1000')
  clock.advance(2000)
}

const WRITES: readonly (readonly [string, string[]])[] = [
  ['MSET', ['MSET', ...pairs('w')]],
  ['MSET of keys that come twice', ['MSET', ...pairs('w', 200), ...pairs('x', 300)]],
  ['MSETNX that may not', ['MSETNX', ...pairs('w')]],
  ['MSETNX', ['MSETNX', ...pairs('w', 1000)]],
  ['MSETNX of what is due', ['MSETNX', 'k4', 'w', 'k5', 'w', 'k37', 'w', ...pairs('w', 1000)]],
  ['MSETEX', ['MSETEX', String(COUNT), ...pairs('w'), 'PX', '5000000']],
  ['MSETEX KEEPTTL', ['MSETEX', String(COUNT), ...pairs('w'), 'KEEPTTL']],
  ['MSETEX NX that may not', ['MSETEX', String(COUNT), ...pairs('w'), 'NX']],
  ['MSETEX XX that may not', ['MSETEX', String(COUNT), ...pairs('w'), 'XX']],
  ['DEL', ['DEL', ...keys(), 'k2', 'k3']],
  ['DEL of nothing', ['DEL', ...keys(1000)]],
  ['UNLINK', ['UNLINK', ...keys(200), ...keys(300)]],
]
const READS: readonly (readonly [string, string[]])[] = [
  ['MGET', ['MGET', ...keys(), ...keys(200)]],
  ['EXISTS', ['EXISTS', ...keys(), ...keys(200)]],
  ['TOUCH', ['TOUCH', ...keys(200)]],
]

describe.each([true, false])('a command of very many keys (alone: %s)', (solo) => {
  beforeEach(() => make(solo))

  it.each([...WRITES, ...READS])('%s does what it does in one go', (_, args) => {
    fill()
    const other = new EngineHarness({ solo, self: 2 }, clock)
    other.receive(h)
    letSomeFallDue()
    other.receive(h)
    other.engine.activeExpiry = false
    const heard = [h, other].map((each) => {
      const listener = new ReceivingSession(300)
      each.engine.notifications.classes = parseNotificationClasses('KEAnmoc') ?? 0
      each.raw(['PSUBSCRIBE', '__key*'], listener)
      listener.received = ''
      return listener
    })
    engine.ask(...args)
    expect(engine.turns()).toBeGreaterThan(2)
    const last = h.log.frames.length
    expect(client.received).toBe(inOneGo(other, args))
    expect(digestOf(h)).toEqual(digestOf(other))
    expect(heard[0].received).toBe(heard[1].received)
    for (const key of keys().slice(0, 50)) expect(h.run('PTTL', key)).toBe(other.run('PTTL', key))
    const statistics = (each: EngineHarness) => [each.engine.keyspace.hits, each.engine.keyspace.misses]
    if (!WRITES.some(([, each]) => each === args)) expect(statistics(h)).toEqual(statistics(other))
    // It is one op in the log, from which others make the same.
    const third = new EngineHarness({ solo, self: 3 }, clock)
    third.receive(h)
    expect(h.log.frames[last - 1].opCount).toBe(1)
    expect(digestOf(third)).toEqual(digestOf(h))
  })

  it.each([
    ['MSET', ['MSET', ...pairs('w')]],
    ['DEL', ['DEL', ...keys()]],
  ] as const)('%s is seen whole or not at all, and whoever writes one of its keys comes behind it', (name, args) => {
    h.run('MSET', 'k0', 'old', 'k399', 'old', 'free', 'old')
    engine.ask(...args)
    const written = new ReceivingSession(200)
    engine.turns(() => undefined, 3)
    expect(h.raw(['APPEND', 'k399', '!'], written)).toBe('')
    const seen = new Set<string>()
    const reader = new ReceivingSession(210)
    engine.turns(() => {
      if (reader.blocked !== null) return
      const reply = h.raw(['MGET', 'k0', 'k399'], reader)
      if (reply !== '') seen.add(reply)
      expect(h.run('SET', 'free', 'new')).toBe('OK')
    })
    for (let turn = 0; turn < 10; turn++) clock.turn()
    const old = '*2\r\n$3\r\nold\r\n$3\r\nold\r\n'
    const after =
      name === 'DEL'
        ? ['*2\r\n$-1\r\n$1\r\n!\r\n', '*2\r\n$-1\r\n$-1\r\n']
        : ['*2\r\n$2\r\nw0\r\n$5\r\nw399!\r\n', '*2\r\n$2\r\nw0\r\n$4\r\nw399\r\n']
    expect([...seen]).toEqual([old])
    expect(after).toContain(reader.received)
    expect(written.received).toBe(name === 'DEL' ? ':1\r\n' : ':5\r\n')
    expect(h.run('GET', 'k399')).toBe(name === 'DEL' ? '!' : 'w399!')
  })

  it('MGET gives what the keys hold at one moment, however often they are written, and no write waits for ever', () => {
    for (let i = 0; i < COUNT; i += BATCH) h.run('MSET', ...pairs('v').slice(2 * i, 2 * (i + BATCH)))
    engine.ask('MGET', ...keys())
    const writers: ReceivingSession[] = []
    engine.turns(() => {
      if (writers.length >= 20) return
      const writer = new ReceivingSession(200 + writers.length)
      if (h.raw(['MSET', 'k0', 'new', 'k399', 'new'], writer) === '') writers.push(writer)
      expect(h.run('GET', 'k0')).toBe(h.run('GET', 'k0'))
    })
    const values = client.received.split('\r\n').filter((_, i) => i % 2 === 0)
    const ends = [values[1], values[COUNT]]
    expect([['v0', 'v399'].join(), ['new', 'new'].join()]).toContain(ends.join())
    for (let turn = 0; turn < 10; turn++) clock.turn()
    expect(writers.length).toBeGreaterThan(0)
    for (const writer of writers) expect(writer.received).toBe('+OK\r\n')
  })

  it('reads what falls due meanwhile as it was when it began', () => {
    for (let i = 0; i < COUNT; i += BATCH) h.run('MSET', ...pairs('v').slice(2 * i, 2 * (i + BATCH)))
    for (const key of ['k0', 'k399']) h.run('PEXPIRE', key, '1000')
    engine.ask('EXISTS', ...keys())
    engine.turns(() => undefined, 15)
    clock.advance(2000)
    engine.turns()
    expect(client.received).toBe(`:${COUNT}\r\n`)
    expect(h.run('EXISTS', 'k0', 'k399')).toBe(0)
  })

  it('commands of very many keys wait for one another, whatever their keys, and for no client that has gone', () => {
    engine.ask('MSET', ...pairs('w'))
    const [gone, second, third] = [1, 2, 3].map((n) => new ReceivingSession(200 + n))
    expect(h.raw(['MSET', ...pairs('y', 1000)], gone)).toBe('')
    expect(h.raw(['DEL', ...keys()], second)).toBe('')
    expect(h.raw(['EXISTS', ...keys(), ...keys(1000)], third)).toBe('')
    h.engine.sessionClosed(gone)
    engine.turns()
    for (let turn = 0; turn < 10_000 && third.blocked !== null; turn++) clock.turn()
    expect([second.received, third.received]).toEqual([`:${COUNT}\r\n`, ':0\r\n'])
  })

  it('one whose client goes before it has happened does nothing', () => {
    engine.ask('MSET', ...pairs('w'))
    engine.turns(() => undefined, 3)
    h.engine.sessionClosed(client)
    for (let turn = 0; turn < 1000; turn++) clock.turn()
    expect(h.run('DBSIZE')).toBe(0)
    expect(h.run('SET', 'k0', 'free')).toBe('OK')
  })

  it('breaks the watches of its keys', () => {
    const watcher = h.newSession()
    h.runIn(watcher, 'WATCH', 'k399')
    engine.ask('MSET', ...pairs('w'))
    engine.turns()
    h.runIn(watcher, 'MULTI')
    h.runIn(watcher, 'SET', 'other', 'x')
    expect(h.runIn(watcher, 'EXEC')).toBeNull()
  })

  it('EXEC of a few commands waits for its keys, and one of very many for all', () => {
    engine.ask('MSET', ...pairs('w'))
    engine.turns(() => undefined, 3)
    const sessions = [['k5'], ['free']].map(([key], i) => {
      const session = new ReceivingSession(200 + i)
      h.raw(['MULTI'], session)
      h.raw(['SET', key, 'x'], session)
      return session
    })
    const many = new ReceivingSession(300)
    h.raw(['MULTI'], many)
    for (let n = 0; n < 2100; n++) h.raw(['SET', 'free', 'x'], many)
    expect(sessions.map((session) => h.raw(['EXEC'], session))).toEqual(['', '*1\r\n+OK\r\n'])
    expect(h.raw(['EXEC'], many)).toBe('')
    engine.turns()
    for (let turn = 0; turn < 10; turn++) clock.turn()
    expect(h.run('GET', 'k5')).toBe('x')
    expect(many.received).toContain('*2100\r\n')
  })
})

it('a removal of keys that hold several types goes in one go, while clients are not paused', () => {
  make(false)
  const other = new EngineHarness({ solo: false, self: 2 }, clock)
  h.run('SET', 'k7', 'x')
  other.run('SADD', 'k7', 'x')
  h.receive(other)
  for (let i = 0; i < COUNT; i += BATCH) h.run('MSET', ...pairs('v', 1000).slice(2 * i, 2 * (i + BATCH)))
  const paused = h.newSession()
  engine.ask('DEL', 'k7', ...keys(1000))
  h.runIn(paused, 'CLIENT', 'PAUSE', '100000', 'WRITE')
  for (let turn = 0; turn < 100; turn++) clock.turn()
  expect(h.run('EXISTS', 'k7', 'k1000')).toBe(2)
  h.runIn(paused, 'CLIENT', 'UNPAUSE')
  engine.turns()
  expect(client.received).toBe(`:${COUNT + 1}\r\n`)
  expect(h.run('DBSIZE')).toBe(0)
  other.receive(h)
  expect(other.run('DBSIZE')).toBe(0)
})
