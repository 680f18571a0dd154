import { beforeEach, describe, expect, it } from 'vitest'
import { parseNotificationClasses } from '../../src/base/notification-classes.js'
import { EngineHarness } from '../support/engine-harness.js'
import { ReceivingSession, type TickingClock } from '../support/ticking-clock.js'
import { digestOf, SlicedEngine } from '../support/sliced-engine.js'

/** Transactions of more commands go in slices here, of so many commands each. */
const SHORT = 4
const COUNT = 40
const numbers = Array.from({ length: COUNT }, (_, n) => n)
const SETS = numbers.map((n) => ['SET', `k${n}`, `v${n}`])

let engine: SlicedEngine
let clock: TickingClock
let h: EngineHarness
let client: ReceivingSession
let other: ReceivingSession

function make(solo = true): void {
  engine = new SlicedEngine(solo, SHORT)
  ;({ clock, h, client, other } = engine)
}

beforeEach(() => make())

function turns(count: number): void {
  for (let turn = 0; turn < count; turn++) clock.turn()
}

/** The replies of single commands, as an array. */
function inOneGo(commands: readonly string[][]): string {
  const whole = new EngineHarness({})
  const session = whole.newSession()
  return `*${commands.length}\r\n${commands.map((args) => whole.raw(args, session)).join('')}`
}

describe('a transaction of very many commands', () => {
  it('replies what the commands reply one after the other, after many turns', () => {
    const commands = numbers.flatMap((n) => [
      ['SET', `k${n}`, 'a'],
      ['APPEND', `k${n}`, 'b'],
      ['LPUSH', `k${n}`, 'x'],
      ['INCR', 'counter'],
      ['GET', `k${n}`],
    ])
    engine.askExec(commands)
    expect(engine.finish()).toBeGreaterThan(COUNT)
    expect(client.received).toBe(inOneGo(commands))
  })

  it('is one op, the same as in one go, byte for byte', () => {
    for (const solo of [true, false]) {
      make(solo)
      const whole = new EngineHarness({ solo })
      const commands = randomCommands(17, 300)
      for (const args of commands.slice(0, 100)) {
        h.run(...args)
        whole.run(...args)
      }
      const before = h.log.frames.length
      engine.askExec(commands)
      engine.finish()
      const session = whole.newSession()
      whole.raw(['MULTI'], session)
      for (const args of commands) whole.raw(args, session)
      expect(client.received).toBe(whole.raw(['EXEC'], session))
      expect(h.log.frames.length).toBe(before + 1)
      expect(h.log.frames.at(-1)?.opCount).toBe(1)
      expect(h.log.frames.map(({ bytes }) => Buffer.from(bytes).toString('hex'))).toEqual(
        whole.log.frames.map(({ bytes }) => Buffer.from(bytes).toString('hex')),
      )
      const far = new EngineHarness({ solo: false, self: 2 })
      far.receive(h)
      expect(digestOf(far)).toEqual(digestOf(h))
    }
  })

  it('goes in one go when it is short', () => {
    engine.queue(SETS.slice(0, SHORT))
    expect(h.raw(['EXEC'], client)).toBe(`*${SHORT}\r\n${'+OK\r\n'.repeat(SHORT)}`)
  })

  it('is refused at once when a command was refused while it was queued', () => {
    engine.queue(SETS)
    h.raw(['NOPE'], client)
    expect(h.raw(['EXEC'], client)).toBe('-EXECABORT Transaction discarded because of previous errors.\r\n')
    expect(h.run('DBSIZE')).toBe(0)
  })

  it('is not in the log, nor in the vector, before it is whole', () => {
    engine.askExec(SETS)
    const before = h.engine.applied.get(1 as never)
    engine.finish(() => {
      h.engine.endTurn()
      h.engine.requestSync()
      if (h.log.frames.length > 0) return
      expect(h.engine.applied.get(1 as never)).toBe(before)
      expect(h.engine.position().get(1 as never)).toBe(before)
    })
    expect(h.log.frames.length).toBe(1)
  })

  it('has its op in the log when the member stops', () => {
    engine.askExec(SETS)
    turns(3)
    h.engine.stop()
    const again = new EngineHarness({ self: 2, solo: false })
    again.receive(h)
    expect(again.run('DBSIZE')).toBe(COUNT)
  })

  it('has not happened when the member stops before its turn', () => {
    engine.askExec(SETS)
    h.engine.stop()
    expect(h.log.frames.length).toBe(0)
  })
})

describe('while a transaction goes in slices', () => {
  it('nobody sees the middle of it, or gets in between', () => {
    h.run('SET', `k${COUNT - 1}`, 'before')
    const waiting = [
      ['GET', 'k0'],
      ['GET', `k${COUNT - 1}`],
      ['SET', 'k1', 'mine'],
      ['DBSIZE'],
      ['EXISTS', 'unrelated'],
      ['KEYS', 'k1'],
      ['RANDOMKEY'],
      ['SCAN', '0', 'COUNT', '1'],
      ['CRDT.DIGEST'],
      ['WATCH', 'k0'],
      ['SORT', 'nothing'],
      ['CRDT.TOPOLOGY', 'SET', 'x', 'ZONE', 'z'],
      ['FLUSHALL'],
    ].map((args, i) => ({ args, session: new ReceivingSession(200 + i) }))
    engine.askExec(SETS)
    turns(2)
    for (const { args, session } of waiting) {
      expect(h.raw(args, session)).toBe('')
      expect(session.blocked?.isPostponed).toBe(true)
    }
    engine.finish(() => {
      for (const { session } of waiting) expect(session.received).toBe('')
    })
    for (let round = 0; round < 3; round++) {
      turns(30)
      clock.advance(60)
    }
    const replies = waiting.map(({ session }) => session.received)
    expect(replies[0]).toBe('$2\r\nv0\r\n')
    expect(replies[1]).toBe(`$3\r\nv${COUNT - 1}\r\n`)
    expect(replies[2]).toBe('+OK\r\n')
    expect(replies[3]).toBe(`:${COUNT}\r\n`)
    // The last but one asks for what this engine has not.
    for (const reply of replies.slice(0, -2)) expect(reply).not.toBe('')
    expect(h.run('DBSIZE')).toBe(0)
  })

  it('a transaction of others waits when it looks at keys, and one that looks at none does not', () => {
    engine.askExec(SETS)
    turns(2)
    engine.queue([['GET', 'k0']], other)
    expect(h.raw(['EXEC'], other)).toBe('')
    const third = new ReceivingSession(102)
    engine.queue([['PING']], third)
    expect(h.raw(['EXEC'], third)).toBe('*1\r\n+PONG\r\n')
    engine.finish()
    turns(5)
    expect(other.received).toBe('*1\r\n$2\r\nv0\r\n')
  })

  it('whoever wants no key is served', () => {
    engine.askExec(SETS)
    turns(2)
    expect(h.raw(['PING'], other)).toBe('+PONG\r\n')
    expect(h.raw(['PUBLISH', 'c', 'm'], other)).toBe(':0\r\n')
    expect(h.raw(['INFO', 'server'], other)).toContain('redis_version')
    expect(h.raw(['CLIENT', 'ID'], other)).toBe(':101\r\n')
    expect(h.raw(['CRDT.TOKEN'], other)).toContain('$')
    engine.finish()
    expect(h.log.frames.length).toBe(1)
  })

  it('others go one after the other, each whole', () => {
    engine.askExec(SETS)
    engine.askExec(
      numbers.map((n) => ['GET', `k${n}`]),
      other,
    )
    engine.finish()
    engine.finish(() => undefined, other)
    expect(other.received).toBe(`*${COUNT}\r\n${numbers.map((n) => `$${`v${n}`.length}\r\nv${n}\r\n`).join('')}`)
  })

  it('frames of other members wait, and come afterwards', () => {
    make(false)
    let idle = 0
    h.engine.onLongWritesIdle = () => {
      idle++
    }
    engine.askExec(SETS)
    expect(h.engine.takesNoFrames).toBe(false)
    turns(2)
    expect(h.engine.takesNoFrames).toBe(true)
    expect(h.engine.isMidway).toBe(true)
    engine.finish(() => expect(idle).toBe(0))
    turns(1)
    expect(h.engine.takesNoFrames).toBe(false)
    expect(idle).toBeGreaterThan(0)
  })

  it('its stamps follow one another, whatever is heard of meanwhile', () => {
    make(false)
    engine.askExec(SETS)
    turns(2)
    const heard = h.engine.hlc.last + 1_000_000
    h.engine.hlc.observe(heard)
    engine.finish()
    const [frame] = h.log.frames
    expect(frame.last - frame.first).toBe(COUNT - 1)
    h.run('SET', 'later', 'x')
    expect(h.log.frames[1].first).toBeGreaterThan(heard)
    const far = new EngineHarness({ solo: false, self: 2 })
    far.receive(h)
    expect(digestOf(far)).toEqual(digestOf(h))
  })

  it('what the member itself has to write waits', () => {
    engine.askExec(SETS)
    turns(2)
    let ran = false
    h.engine.transactions.runBetween(() => {
      ran = true
      h.engine.changeTopology([])
    })
    expect(ran).toBe(false)
    expect(() => h.engine.effects.remove(0, Buffer.from('k0'), 0, 2)).toThrow(/between the slices/)
    engine.finish()
    expect(ran).toBe(true)
  })

  it('nothing falls due for it, and what has fallen due goes afterwards', () => {
    h.run('SET', 'short', 'x', 'PX', '50')
    engine.askExec([['GET', 'short'], ...SETS, ['GET', 'short'], ['SET', 'new', 'x', 'PX', '100'], ['PTTL', 'new']])
    turns(2)
    clock.advance(400)
    expect(h.log.frames.length).toBe(1)
    engine.finish(() => h.raw(['PING'], other))
    expect(client.received).toMatch(/^\*44\r\n\$1\r\nx\r\n/)
    expect(client.received).toMatch(/\$1\r\nx\r\n\+OK\r\n:100\r\n$/)
    expect(h.run('EXISTS', 'short', 'new')).toBe(0)
    clock.advance(400)
    expect(h.run('DBSIZE')).toBe(COUNT)
  })

  it('a blocked client is served afterwards, by what is left', () => {
    expect(h.raw(['BLPOP', 'list', 'gone', '0'], other)).toBe('')
    engine.askExec([['RPUSH', 'gone', 'x'], ['RPUSH', 'list', 'a'], ...SETS, ['LPOP', 'gone'], ['RPUSH', 'list', 'b']])
    engine.finish(() => {
      h.raw(['PING'], h.session)
      if (client.blocked !== null) expect(other.received).toBe('')
    })
    turns(3)
    expect(other.received).toBe('*2\r\n$4\r\nlist\r\n$1\r\na\r\n')
    expect(h.run('LRANGE', 'list', '0', '-1')).toEqual(['b'])
  })

  it('a command that would block answers at once', () => {
    engine.askExec([...SETS, ['BLPOP', 'none', '0'], ['XREAD', 'BLOCK', '0', 'STREAMS', 'none', '$'], ['WAIT', '1', '0']])
    engine.finish()
    expect(client.received).toMatch(/\*-1\r\n\*-1\r\n:0\r\n$/)
  })

  it('keyspace events and messages come in order', () => {
    h.engine.notifications.classes = parseNotificationClasses('KEA') ?? 0
    h.raw(['SUBSCRIBE', '__keyevent@0__:set', 'chat'], other)
    engine.askExec([...SETS, ['PUBLISH', 'chat', 'm1'], ['SET', 'last', 'x'], ['PUBLISH', 'chat', 'm2']])
    engine.finish()
    const messages = other.received.match(/(?<=\r\n)(k\d+|last|m\d)(?=\r\n)/g)
    expect(messages).toEqual([...numbers.map((n) => `k${n}`), 'm1', 'last', 'm2'])
    expect(client.received).toMatch(/:1\r\n\+OK\r\n:1\r\n$/)
  })

  it('memory may run out: nothing is evicted in the middle, and the next write makes room', () => {
    for (const n of numbers) h.run('SET', `old${n}`, 'x'.repeat(1000))
    engine.askExec(SETS)
    turns(2)
    h.engine.memory.configure({
      maxmemory: h.engine.memory.countedBytes - 5000,
      evictionPolicy: 'allkeys-random',
      evictionSamples: 5,
      evictionTenacity: 10,
      lfuLogFactor: 10,
      lfuDecayMinutes: 1,
    })
    const { evictedKeys } = h.engine.statistics
    engine.finish(() => {
      h.raw(['MULTI'], other)
      h.raw(['SET', 'a', 'b'], other)
      h.raw(['DISCARD'], other)
      clock.advance(0)
      if (client.blocked !== null) expect(h.engine.statistics.evictedKeys).toBe(evictedKeys)
    })
    expect(client.received).toBe(`*${COUNT}\r\n${'+OK\r\n'.repeat(COUNT)}`)
    expect(h.run('SET', 'one', 'more')).toBe('OK')
    expect(h.engine.statistics.evictedKeys).toBeGreaterThan(evictedKeys)
  })
})

describe('WATCH before a long transaction', () => {
  it('breaks it when the key changes before its turn', () => {
    h.raw(['WATCH', 'k0'], client)
    engine.askExec(SETS)
    h.run('SET', 'k0', 'mine')
    engine.finish()
    expect(client.received).toBe('*-1\r\n')
    expect(h.run('DBSIZE')).toBe(1)
    expect(client.watched.size).toBe(0)
  })

  it('lets it succeed when nothing changes, and breaks that of another client', () => {
    h.raw(['WATCH', 'k0'], client)
    h.raw(['WATCH', 'k0'], other)
    engine.askExec(SETS)
    engine.finish()
    expect(client.received).toBe(`*${COUNT}\r\n${'+OK\r\n'.repeat(COUNT)}`)
    engine.queue(SETS, other)
    expect(h.raw(['EXEC'], other)).toBe('*-1\r\n')
  })

  it('breaks it when the key falls due before its turn', () => {
    h.run('SET', 'k0', 'x', 'PX', '10')
    h.raw(['WATCH', 'k0'], client)
    engine.askExec(SETS)
    clock.now += 20
    engine.finish()
    expect(client.received).toBe('*-1\r\n')
  })
})

describe('the client of a long transaction', () => {
  it('may go before its turn: nothing happens', () => {
    engine.askExec(SETS)
    h.engine.sessionClosed(client)
    turns(5)
    expect(h.run('DBSIZE')).toBe(0)
    expect(h.engine.takesNoFrames).toBe(false)
  })

  it('may go in the middle: it goes to its end, and leaves nothing behind', () => {
    engine.askExec([...SETS, ['SUBSCRIBE', 'chat']])
    turns(3)
    h.engine.sessionClosed(client)
    turns(COUNT)
    expect(client.received).toBe('')
    expect(h.run('DBSIZE')).toBe(COUNT)
    expect(h.run('PUBLISH', 'chat', 'm')).toBe(0)
  })

  it('is not in a transaction any more, and keeps the database that it has selected in it', () => {
    engine.askExec([...SETS, ['SELECT', '3'], ['SET', 'there', 'x']])
    engine.finish()
    expect(client.queued).toBe(null)
    expect(client.queuedBytes).toBe(0)
    expect(client.database).toBe(3)
    expect(h.raw(['DBSIZE'], client)).toBe(':1\r\n')
  })

  it('cannot be unblocked', () => {
    engine.askExec(SETS)
    turns(2)
    expect(client.blocked?.isRunning).toBe(true)
    client.blocked?.timeOut()
    client.blocked?.fail('x')
    engine.finish()
    expect(client.received).toContain('+OK')
  })
})

describe('a pause and a long transaction', () => {
  it('waits for one that began before its turn', () => {
    engine.askExec(SETS)
    h.run('CLIENT', 'PAUSE', '100', 'WRITE')
    turns(5)
    expect(h.log.frames.length).toBe(0)
    expect(client.blocked).not.toBe(null)
    clock.advance(200)
    engine.finish()
    expect(client.received).toBe(`*${COUNT}\r\n${'+OK\r\n'.repeat(COUNT)}`)
  })

  it('does not wait for one of writes when it only reads, nor for one that began in the middle', () => {
    h.run('CLIENT', 'PAUSE', '1000', 'WRITE')
    engine.askExec(numbers.map(() => ['GET', 'k0']))
    engine.finish()
    expect(client.received).toBe(`*${COUNT}\r\n${'$-1\r\n'.repeat(COUNT)}`)
    h.run('CLIENT', 'UNPAUSE')
    client.received = ''
    engine.askExec(SETS)
    turns(2)
    h.run('CLIENT', 'PAUSE', '1000', 'ALL')
    engine.finish()
    expect(client.received).toBe(`*${COUNT}\r\n${'+OK\r\n'.repeat(COUNT)}`)
  })

  it('may end one itself: what was held back runs afterwards', () => {
    h.run('CLIENT', 'PAUSE', '1000', 'WRITE')
    expect(h.raw(['SET', 'k0', 'held'], other)).toBe('')
    engine.askExec([...numbers.map(() => ['GET', 'k0']), ['CLIENT', 'UNPAUSE'], ...numbers.map(() => ['GET', 'k0'])])
    engine.finish(() => h.raw(['PING'], h.session))
    turns(5)
    expect(client.received).not.toContain('held')
    expect(other.received).toBe('+OK\r\n')
  })
})

describe('what is told of a long transaction', () => {
  it('are its commands and EXEC in the statistics, once each', () => {
    const { commandsProcessed } = h.engine.statistics
    engine.askExec(SETS)
    engine.finish()
    expect(h.services.table.find('set')).toMatchObject({ calls: COUNT, failedCalls: 0 })
    expect(h.services.table.find('exec')).toMatchObject({ calls: 1, failedCalls: 0, rejectedCalls: 0 })
    // MULTI, EXEC and the commands; queueing is none.
    expect(h.engine.statistics.commandsProcessed - commandsProcessed).toBe(COUNT + 2)
    expect(client.lastCommand).toBe('exec')
  })

  it('are its commands to a monitor, and EXEC last', () => {
    h.raw(['MONITOR'], other)
    engine.askExec(SETS)
    engine.finish()
    const lines = other.received.split('\r\n').filter((line) => line !== '')
    expect(lines.filter((line) => line.includes('"SET"')).length).toBe(COUNT)
    expect(lines.at(-1)).toContain('"EXEC"')
  })

  it('is not EXEC in the slow log, but its commands', () => {
    h.engine.slowLog.slowerThanMicroseconds = 0
    engine.askExec(SETS)
    engine.finish()
    const entries = h.run('SLOWLOG', 'GET', '-1') as unknown[][]
    const names = entries.map((entry) => (entry[3] as string[])[0])
    expect(names.filter((name) => name === 'SET').length).toBe(COUNT)
    expect(names).not.toContain('EXEC')
  })
})

/** Commands of all types on few keys, drawn from a seed. */
function randomCommands(seed: number, count: number): string[][] {
  let state = seed
  const draw = (below: number): number => {
    state = (state * 1_103_515_245 + 12_345) % 2 ** 31
    return Math.floor((state / 2 ** 31) * below)
  }
  const key = (type: string): string => `${type}${draw(4)}`
  const makers: (() => string[])[] = [
    () => ['SET', key('s'), `${draw(100)}`],
    () => ['INCRBY', key('s'), `${draw(9)}`],
    () => ['APPEND', key('s'), '7'],
    () => ['HSET', key('h'), `f${draw(9)}`, `${draw(100)}`],
    () => ['HINCRBY', key('h'), `n${draw(3)}`, '2'],
    () => ['HDEL', key('h'), `f${draw(9)}`],
    () => ['SADD', key('S'), `${draw(30)}`, `${draw(30)}`],
    () => ['SREM', key('S'), `${draw(30)}`],
    () => ['ZADD', key('z'), `${draw(50)}`, `m${draw(20)}`],
    () => ['ZINCRBY', key('z'), '1.5', `m${draw(20)}`],
    () => ['RPUSH', key('l'), `${draw(9)}`, 'x'],
    () => ['LPOP', key('l')],
    () => ['LREM', key('l'), '1', 'x'],
    () => ['XADD', key('x'), '*', 'f', 'v'],
    () => ['PFADD', key('p'), `${draw(1000)}`],
    () => ['DEL', key(['s', 'h', 'S', 'z', 'l', 'x', 'p'][draw(7)])],
    () => ['PEXPIRE', key(['s', 'h', 'S'][draw(3)]), '100000'],
    () => ['HSET', key('s'), 'wrong', 'type'],
    () => ['GET', key('s')],
    () => ['SUNIONSTORE', 'S9', key('S'), key('S')],
    () => ['RENAME', key('z'), key('z')],
    () => ['ZRANGE', key('z'), '0', '-1', 'WITHSCORES'],
  ]
  return Array.from({ length: count }, () => makers[draw(makers.length)]())
}
