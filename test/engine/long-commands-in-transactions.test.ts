import { beforeEach, describe, expect, it, vi } from 'vitest'
import type { MemberId } from '../../src/base/ids.js'
import { parseNotificationClasses } from '../../src/base/notification-classes.js'
import { KeyspaceDigest } from '../../src/keyspace/digest.js'
import { ReplyWriter } from '../../src/resp/reply-writer.js'
import { Request } from '../../src/resp/request.js'
import { EngineHarness } from '../support/engine-harness.js'
import { COUNT, digestOf, numbers, SlicedEngine, writeElements } from '../support/sliced-engine.js'
import { ReceivingSession, type TickingClock } from '../support/ticking-clock.js'

const SETUP: readonly (readonly [command: string, key: string, elements: readonly string[][]])[] = [
  ['SADD', 's1', numbers.map((n) => [`m${n}`])],
  ['SADD', 's2', numbers.map((n) => [`m${n + COUNT / 2}`])],
  ['ZADD', 'z1', numbers.map((n) => [String(n), `m${n}`])],
  ['ZADD', 'z2', numbers.map((n) => [String(n * 2), `m${n + 50}`])],
  ['HSET', 'h', numbers.map((n) => [`f${n}`, `v${n}`])],
  ['RPUSH', 'l', numbers.map((n) => [String(n % 7)])],
]
const KEYS = numbers.map((n) => `k${n}`)

/** Each of these is long by itself where they come. */
const LONG: readonly string[][] = [
  ['SUNIONSTORE', 'to', 's1', 's2'],
  ['SINTER', 's1', 's2'],
  ['ZUNIONSTORE', 'ztarget', '2', 'z1', 'z2'],
  ['ZRANGE', 'z1', '0', '-1', 'WITHSCORES'],
  ['COPY', 'h', 'copied'],
  ['RENAME', 'copied', 'renamed'],
  ['HGETALL', 'renamed'],
  ['LREM', 'l', '0', '3'],
  ['LRANGE', 'l', '0', '-1'],
  ['SORT', 's1', 'ALPHA', 'STORE', 'sorted'],
  ['LPOP', 'sorted', '100'],
  ['LTRIM', 'sorted', '100', '101'],
  ['ZREMRANGEBYRANK', 'z1', '10', '200'],
  ['MSET', ...KEYS.flatMap((key) => [key, 'v'])],
  ['MGET', ...KEYS],
  ['DEL', ...KEYS],
  ['SADD', 's3', ...KEYS],
  ['LMOVEM', 'l', 'l', 'RIGHT', 'RIGHT', 'COUNT', '250', 'OBO'],
  ['BLMOVEM', 'l', 'moved', 'LEFT', 'LEFT', '0', 'EXACTLY', '60', 'OBO'],
  ['BLMPOP', '0', '1', 'l', 'LEFT', 'COUNT', '200'],
  ['LRANGE', 'l', '0', '-1'],
]
/** What comes between them: short, and builds on what they did. */
const SHORT: readonly string[][] = [
  ['SADD', 's1', 'one more'],
  ['RPUSH', 'l', '3'],
  ['SET', 'k', 'v'],
  ['SREM', 'to', 'm3'],
  ['ZINCRBY', 'ztarget', '5', 'm7'],
  ['DEL', 'h'],
  ['SCARD', 'to'],
]
const MIXED = LONG.flatMap((command, i) => [SHORT[i % SHORT.length], command])

let engine: SlicedEngine
let clock: TickingClock
let h: EngineHarness
let client: ReceivingSession
let other: ReceivingSession

function make(solo = true, transactionCommands = 1000): void {
  engine = new SlicedEngine(solo, transactionCommands)
  ;({ clock, h, client, other } = engine)
  setUp(h)
}

function setUp(harness: EngineHarness): void {
  for (const [command, key, elements] of SETUP) writeElements(harness, command, key, elements)
}

/** An engine where the same has been done in one go, and its reply. */
function wholly(commands: readonly string[][], solo: boolean): { whole: EngineHarness; reply: string } {
  const whole = new EngineHarness({ solo })
  setUp(whole)
  const session = whole.newSession()
  whole.raw(['MULTI'], session)
  for (const args of commands) whole.raw(args, session)
  return { whole, reply: whole.raw(['EXEC'], session) }
}

const KEYS_AFTER = ['to', 'ztarget', 'renamed', 'l', 'sorted', 'z1', 's1', 's3', 'k', 'h']

function requestOf(...args: string[]): Request {
  return Request.of(args)
}

/** What clients can see of the keys. */
function seen(harness: EngineHarness): unknown[] {
  return KEYS_AFTER.map((key) => {
    const type = String(harness.run('TYPE', key))
    const read: Record<string, string[]> = {
      set: ['SMEMBERS', key],
      zset: ['ZRANGE', key, '0', '-1', 'WITHSCORES'],
      list: ['LRANGE', key, '0', '-1'],
      hash: ['HGETALL', key],
      string: ['GET', key],
      none: ['EXISTS', key],
    }
    const session = new ReceivingSession(1000)
    harness.raw(['MULTI'], session)
    harness.raw(read[type], session)
    const reply = harness.raw(['EXEC'], session)
    harness.engine.longWrites.finish()
    return [type, ...(reply + session.received).split('\r\n').sort()]
  })
}

beforeEach(() => make())

describe('a transaction with commands that are long by themselves', () => {
  it('replies what it replies in one go, and leaves the same, here and elsewhere', () => {
    for (const solo of [true, false]) {
      for (const transactionCommands of [1000, 3]) {
        make(solo, transactionCommands)
        const before = h.log.frames.length
        engine.askExec(MIXED)
        const { whole, reply } = wholly(MIXED, solo)
        expect(engine.finish()).toBeGreaterThan(100)
        expect(client.received).toBe(reply)
        expect(seen(h)).toEqual(seen(whole))
        expect(h.log.frames.length).toBe(before + 1)
        expect(h.log.frames.at(-1)?.opCount).toBe(1)
        const far = new EngineHarness({ solo: false, self: 2 })
        far.receive(h)
        expect(digestOf(far)).toEqual(digestOf(h))
        expect(h.run('SET', 'later', 'x')).toBe('OK')
        far.receive(h)
        expect(digestOf(far)).toEqual(digestOf(h))
      }
    }
  })

  it.each(LONG.slice(0, 4).concat([LONG[7], LONG[9], LONG[13]]))('goes in slices, alone in it: %s', (...args) => {
    make(false)
    engine.askExec([args])
    const { reply } = wholly([args], false)
    expect(engine.finish()).toBeGreaterThan(2)
    expect(client.received).toBe(reply)
    const far = new EngineHarness({ solo: false, self: 2 })
    far.receive(h)
    expect(digestOf(far)).toEqual(digestOf(h))
  })

  it('is not in the frame of what others have written in the same turn, which need not wait', () => {
    const before = h.log.frames.length
    engine.queue([['SET', 'a', '1'], ['APPEND', 'a', '2'], LONG[0], ['APPEND', 'a', '3']])
    h.engine.beginBatch()
    h.engine.execute(other, requestOf('SET', 'others', 'x'), new ReplyWriter())
    h.engine.execute(client, requestOf('EXEC'), new ReplyWriter())
    expect(h.log.frames.length).toBe(before + 1)
    expect(h.log.frames.at(-1)?.opCount).toBe(1)
    const far = new EngineHarness({ solo: false, self: 2 })
    far.receive(h)
    expect(far.run('GET', 'others')).toBe('x')
    expect(far.run('EXISTS', 'a', 'to')).toBe(0)
    engine.finish()
    expect(h.log.frames.length).toBe(before + 2)
    far.receive(h)
    expect(far.run('GET', 'a')).toBe('123')
    expect(digestOf(far)).toEqual(digestOf(h))
  })

  it('is seen by nobody before it is whole', () => {
    h.run('SET', 'a', 'before')
    engine.askExec([['SET', 'a', '1'], LONG[0], ['SET', 'a', '2']])
    expect(h.raw(['GET', 'a'], other)).toBe('')
    expect(h.raw(['PING'], h.session)).toBe('+PONG\r\n')
    engine.finish(() => expect(other.received).toBe(''))
    clock.turn()
    expect(other.received).toBe('$1\r\n2\r\n')
  })

  it('goes on behind a long command that fails, whose reply is the error only', () => {
    const broken = Buffer.alloc(10_000, 'x').toString('latin1')
    engine.askExec([
      ['SET', 'a', '1'],
      ['RESTORE', 'r', '0', broken],
      ['SET', 'b', '2'],
    ])
    engine.finish()
    expect(client.received).toMatch(/^\*3\r\n\+OK\r\n-ERR DUMP payload version or checksum are wrong\r\n\+OK\r\n$/)
    expect(h.engine.errorCounts.get('ERR')).toBe(1)
  })

  it('goes to its end when its client goes, and when the member stops', () => {
    engine.askExec([['SET', 'a', '1'], LONG[0], ['SET', 'b', '2']])
    h.engine.sessionClosed(client)
    for (let turn = 0; turn < 200; turn++) clock.turn()
    expect(h.run('EXISTS', 'a', 'b', 'to')).toBe(3)
    engine.askExec([['DEL', 'a'], LONG[1], ['DEL', 'b']], other)
    clock.turn()
    h.engine.stop()
    const far = new EngineHarness({ solo: false, self: 2 })
    far.receive(h)
    expect(far.run('EXISTS', 'a', 'b', 'to')).toBe(1)
  })

  const ON_OTHER_KEYS = [['ZUNIONSTORE', 'ztarget', '2', 'z1', 'z2'], ['COPY', 'h', 'copied'], ['LREM', 'l', '0', '3'], ['PING']]

  /** Turns in which the long write of others goes on before the transaction comes: it reads, is logged, is applied. */
  it.each([0, 1, 3, 10, 13, 16, 20])('goes in slices in the middle of a long write of others (turn %s of it)', (turns) => {
    make(false)
    const { whole, reply } = wholly(ON_OTHER_KEYS, false)
    whole.run('SUNIONSTORE', 'theirs', 's1', 's2')
    expect(h.raw(['SUNIONSTORE', 'theirs', 's1', 's2'], other)).toBe('')
    for (let turn = 0; turn < turns; turn++) clock.turn()
    expect(other.blocked?.isRunning).toBe(true)
    engine.askExec(ON_OTHER_KEYS)
    expect(engine.finish(() => expect(other.received).toBe(''))).toBeGreaterThan(20)
    expect(client.received).toBe(reply)
    engine.finish(() => undefined, other)
    expect(other.received).toBe(`:${COUNT + COUNT / 2}\r\n`)
    expect(h.engine.longWrites.isBusy).toBe(false)
    const read = (harness: EngineHarness) => [...seen(harness), (harness.run('SMEMBERS', 'theirs') as string[]).sort()]
    h.engine.longWrites.finish()
    expect(h.run('SCARD', 'theirs')).toBe(COUNT + COUNT / 2)
    expect(seen(h)).toEqual(seen(whole))
    const far = new EngineHarness({ solo: false, self: 2 })
    far.receive(h)
    expect(digestOf(far)).toEqual(digestOf(h))
    expect(read(far)).toEqual(read(whole))
  })

  it.each([0, 1, 2, 5, 8])('goes in slices in the middle of a large frame of another member (turn %s of it)', (turns) => {
    make(false)
    const far = new EngineHarness({ solo: false, self: 2 })
    far.receive(h)
    far.run('SADD', 'theirs', ...KEYS)
    far.run('ZUNIONSTORE', 'theirs too', '2', 'z1', 'z2')
    const [frame] = far.log.frames.slice(-1)
    h.receive({ log: { frames: far.log.frames.slice(0, -1) } } as EngineHarness)
    h.engine.remote.take(frame)
    for (let turn = 0; turn < turns; turn++) clock.turn()
    expect(h.engine.takesNoFrames).toBe(true)
    engine.askExec(ON_OTHER_KEYS)
    engine.finish(() => expect(h.engine.applied.get(2 as MemberId)).toBeLessThan(frame.last))
    while (h.engine.takesNoFrames) clock.turn()
    expect(h.engine.applied.get(2 as MemberId)).toBe(frame.last)
    far.receive(h)
    expect(digestOf(far)).toEqual(digestOf(h))
    expect(h.run('ZCARD', 'theirs too')).toBe(COUNT + 50)
  })

  it('lets the long write that it has interrupted be called off, or wait for the end of a pause', () => {
    for (const leaves of [true, false]) {
      make()
      expect(h.raw(['SUNIONSTORE', 'theirs', 's1', 's2'], other)).toBe('')
      clock.turn()
      const waiting = new ReceivingSession(103)
      engine.askExec(ON_OTHER_KEYS)
      clock.turn()
      expect(h.raw(['SADD', 's1', 'new'], waiting)).toBe('')
      if (leaves) h.engine.sessionClosed(other)
      else h.run('CLIENT', 'PAUSE', '1000000', 'WRITE')
      engine.finish()
      for (let turn = 0; turn < 100; turn++) clock.turn()
      expect(waiting.received).toBe(leaves ? ':1\r\n' : '')
      h.run('CLIENT', 'UNPAUSE')
      for (let turn = 0; turn < 100; turn++) clock.turn()
      expect(other.received).toBe(leaves ? '' : `:${COUNT + COUNT / 2}\r\n`)
      expect(waiting.received).toBe(':1\r\n')
      expect(h.run('EXISTS', 'theirs')).toBe(leaves ? 0 : 1)
    }
  })

  it('may ask for the digest of all data, which is that of the place where it asks', () => {
    make(false)
    const digests = (reply: string) => [...reply.matchAll(/digest\r\n\$16\r\n([0-9a-f]{16})\r\n/g)].map(([, digest]) => digest)
    const commands = [['CRDT.DIGEST'], ['SET', 'a', '1'], LONG[0], ['CRDT.DIGEST'], ['CRDT.DIGEST', '0', '8000'], ['DEL', 'a']]
    const before = digestOf(h)
    const { whole, reply } = wholly(commands, false)
    engine.askExec(commands)
    const late = new ReceivingSession(104)
    clock.turn()
    expect(h.raw(['SET', 'late', 'x'], late)).toBe('')
    let looks = 0
    const step = vi.spyOn(KeyspaceDigest.prototype, 'step')
    engine.finish(() => {
      looks = Math.max(looks, step.mock.calls.length)
      step.mockClear()
    })
    step.mockRestore()
    // So many in one turn, which end when the time is over.
    expect(looks).toBeLessThan(10)
    expect(digests(client.received)).toEqual(digests(reply))
    expect(digests(reply)[0]).toBe(before)
    expect(new Set(digests(reply)).size).toBe(3)
    expect(late.received).toBe('')
    clock.turn()
    expect(late.received).toBe('+OK\r\n')
    expect(seen(h)).toEqual(seen(whole))
  })

  it('waits for a long write that has its keys, and goes in slices then', () => {
    expect(h.raw(['SUNIONSTORE', 'theirs', 's1', 's2'], other)).toBe('')
    clock.turn()
    engine.queue([
      ['SADD', 's1', 'mine'],
      ['COPY', 'theirs', 'mine'],
      ['SCARD', 'mine'],
    ])
    expect(h.raw(['EXEC'], client)).toBe('')
    expect(client.blocked?.isPostponed).toBe(true)
    engine.finish(() => undefined, other)
    engine.finish()
    expect(client.received).toBe(`*3\r\n:1\r\n:1\r\n:${COUNT + COUNT / 2}\r\n`)
  })

  it('breaks WATCH of others, serves who waits for its keys, and tells its events, in order', () => {
    h.engine.notifications.classes = parseNotificationClasses('KEA') ?? 0
    const listener = new ReceivingSession(102)
    h.raw(['PSUBSCRIBE', '__keyevent@0__:*'], listener)
    listener.received = ''
    h.raw(['WATCH', 'to'], other)
    const waiting = new ReceivingSession(103)
    h.raw(['BZPOPMIN', 'ztarget', '0'], waiting)
    engine.askExec([['SET', 'a', '1'], LONG[0], ['SET', 'b', '2'], LONG[2]])
    engine.finish(() => expect(waiting.received).toBe(''))
    clock.turn()
    expect(waiting.received).toContain('m0')
    engine.queue([['PING']], other)
    expect(h.raw(['EXEC'], other)).toBe('*-1\r\n')
    const events = [...listener.received.matchAll(/__:(\w+)\r\n\$\d+\r\n(\w+)/g)].map(([, event, key]) => `${event} ${key}`)
    expect(events).toEqual(['set a', 'sunionstore to', 'set b', 'zunionstore ztarget', 'zpopmin ztarget'])
  })

  it('counts each of its commands once', () => {
    const { table } = h.services
    table.resetStatistics()
    engine.askExec([['SET', 'a', '1'], LONG[0], LONG[1], ['SET', 'b', '2']])
    engine.finish()
    const calls = (...args: string[]) => table.lookup(requestOf(...args))?.calls
    expect(['SET', 'SUNIONSTORE', 'SINTER', 'EXEC'].map((name) => calls(name))).toEqual([2, 1, 1, 1])
    expect(table.lookup(requestOf('SUNIONSTORE'))?.microseconds).toBeGreaterThan(1000)
  })
})

describe('an op of its own', () => {
  it('is the same in a frame of its own, whatever came before it', () => {
    const commands = [['SET', 'a', '1'], ['RPUSH', 'q', 'x', 'y'], LONG[7], ['DEL', 'a'], ['LRANGE', 'l', '0', '2']]
    for (const first of [true, false]) {
      make(false)
      engine.queue(commands)
      h.engine.beginBatch()
      if (first) for (const n of numbers) h.engine.execute(other, requestOf('SET', `o${n}`, 'x'.repeat(3000)), new ReplyWriter())
      h.engine.execute(client, requestOf('EXEC'), new ReplyWriter())
      engine.finish()
      const far = new EngineHarness({ solo: false, self: 2 })
      far.receive(h)
      expect(digestOf(far)).toEqual(digestOf(h))
    }
  })
})
