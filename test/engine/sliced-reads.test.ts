import { beforeEach, describe, expect, it } from 'vitest'
import { LIMITS } from '../../src/base/limits.js'
import { EngineHarness } from '../support/engine-harness.js'
import { ReceivingSession, TickingClock } from '../support/ticking-clock.js'

const COUNT = LIMITS.slicedReadElements + 1500

let h: EngineHarness
let clock: TickingClock
let client: ReceivingSession

beforeEach(() => {
  clock = new TickingClock()
  h = new EngineHarness({}, clock)
  client = new ReceivingSession(100)
})

const FILL: Readonly<Record<string, (n: number) => string[]>> = {
  set: (n) => [`m${n}`],
  hash: (n) => [`f${n}`, `v${n}`],
  zset: (n) => [`${n}`, `m${n}`],
  list: (n) => [`e${n}`],
  geo: (n) => [`${(n % 1000) / 10}`, `${(n % 777) / 20}`, `g${n}`],
}
const ADD: Readonly<Record<string, string>> = { set: 'SADD', hash: 'HSET', zset: 'ZADD', list: 'RPUSH', geo: 'GEOADD' }

/** Makes the large collections that a command names, and the small ones. */
function fill(args: readonly string[]): void {
  h.run('SADD', 'other', 'm1', 'm7', 'n1')
  for (const key of new Set(args)) {
    if (!Object.hasOwn(FILL, key)) continue
    const elements = Array.from({ length: COUNT }, (_, n) => FILL[key](n)).flat()
    h.run(ADD[key], key, ...elements)
  }
}

/** Starts a command and says that it has not replied. */
function ask(...args: string[]): void {
  if (h.run('DBSIZE') === 0) fill(args)
  expect(h.raw(args, client)).toBe('')
  expect(client.blocked?.isRunning).toBe(true)
  expect(client.received).toBe('')
}

/** Lets turns pass until the reply is there; gives their number. */
function turns(most = 10_000, between: () => void = () => undefined): number {
  for (let turn = 1; turn <= most; turn++) {
    clock.turn()
    if (client.blocked === null) return turn
    between()
  }
  return most
}

/** What a command replies in one go. */
function inOneGo(args: string[], protocol: 2 | 3 = 2): string {
  const session = h.newSession()
  session.protocol = protocol
  h.raw(['MULTI'], session)
  h.raw(args, session)
  return h.raw(['EXEC'], session).slice('*1\r\n'.length)
}

const READS: string[][] = [
  ['SMEMBERS', 'set'],
  ['HGETALL', 'hash'],
  ['HKEYS', 'hash'],
  ['HVALS', 'hash'],
  ['LRANGE', 'list', '1', '-2'],
  ['ZRANGE', 'zset', '0', '-1'],
  ['ZRANGE', 'zset', '1', '-3', 'REV', 'WITHSCORES'],
  ['ZRANGEBYSCORE', 'zset', '1', '+inf', 'WITHSCORES'],
  ['ZREVRANGEBYSCORE', 'zset', '+inf', '5', 'LIMIT', '3', '10500'],
  ['SINTER', 'set', 'set'],
  ['SUNION', 'other', 'set'],
  ['SDIFF', 'set', 'other'],
  ['SINTERCARD', '2', 'set', 'set'],
  ['SUNIONCARD', '2', 'other', 'set'],
  ['SDIFFCARD', '2', 'set', 'other'],
  ['ZUNION', '2', 'zset', 'other', 'WITHSCORES'],
  ['ZINTER', '2', 'zset', 'set', 'WEIGHTS', '2', '3', 'WITHSCORES'],
  ['ZDIFF', '2', 'zset', 'other'],
  ['ZINTERCARD', '2', 'zset', 'set'],
  ['GEOSEARCH', 'geo', 'FROMLONLAT', '0', '0', 'BYRADIUS', '8000', 'km', 'ASC', 'WITHDIST'],
  ['SORT', 'set', 'ALPHA', 'LIMIT', '5', '10'],
  ['SORT', 'zset', 'ALPHA', 'DESC'],
  ['SORT_RO', 'list', 'BY', 'nosort', 'LIMIT', '2', '10500'],
  ['SRANDMEMBER', 'set', '1000000'],
  ['HRANDFIELD', 'hash', '1000000', 'WITHVALUES'],
  ['ZRANDMEMBER', 'zset', '1000000', 'WITHSCORES'],
  ['DUMP', 'set'],
  ['DUMP', 'hash'],
  ['DUMP', 'zset'],
  ['DUMP', 'list'],
]

describe('a read of a large collection', () => {
  it.each(READS.map((args) => [args.join(' '), args] as const))('%s replies as in one go, over several turns', (_, args) => {
    for (const protocol of [2, 3] as const) {
      client.protocol = protocol
      client.received = ''
      ask(...args)
      expect(turns()).toBeGreaterThan(3)
      expect(client.received).toBe(inOneGo(args, protocol))
    }
  })

  it('reads a stream either way', () => {
    fill([])
    for (let i = 1; i <= COUNT; i++) h.run('XADD', 'stream', `${i}-1`, 'f', `v${i}`)
    for (const args of [
      ['XRANGE', 'stream', '-', '+'],
      ['XREVRANGE', 'stream', '+', '5', 'COUNT', '10500'],
      ['XREAD', 'STREAMS', 'stream', '0'],
      ['XREAD', 'COUNT', '10500', 'BLOCK', '0', 'STREAMS', 'other', 'stream', 'stream', '0', '3-1', '10900'],
    ]) {
      client.received = ''
      h.run('DEL', 'other')
      h.run('XADD', 'other', '7-7', 'a', 'b')
      ask(...args)
      expect(turns()).toBeGreaterThan(3)
      expect(client.received).toBe(inOneGo(args))
    }
  })

  it('counts what many HyperLogLogs have together, as of one moment', () => {
    const keys = Array.from({ length: 150 }, (_, n) => `sketch:${n % 149}`)
    for (const key of keys) h.run('PFADD', key, `a${key}`, `b${key}`)
    ask('PFCOUNT', 'none', ...keys)
    expect(turns()).toBeGreaterThan(3)
    expect(client.received).toBe(inOneGo(['PFCOUNT', ...keys]))
    client.received = ''
    ask('PFCOUNT', ...keys)
    clock.turn()
    h.run('PFADD', 'sketch:0', 'more', 'and more')
    h.run('DEL', 'sketch:148')
    turns()
    expect(client.received).toBe(inOneGo(['PFCOUNT', ...keys]))
    h.run('RPUSH', 'sketch:148', 'x')
    expect(h.raw(['PFCOUNT', ...keys], client)).toBe('-WRONGTYPE Operation against a key holding the wrong kind of value\r\n')
  })

  describe('that follows patterns', () => {
    const PATTERNS = [
      ['SORT', 'list', 'BY', 'w_*', 'GET', '#', 'GET', 'h_*->f', 'LIMIT', '10', '10950'],
      ['SORT_RO', 'list', 'ALPHA', 'BY', 'w_*', 'DESC'],
      ['SORT', 'set', 'BY', 'nosort', 'GET', 'w_*'],
      ['SORT', 'zset', 'ALPHA', 'BY', 'h_*->f', 'GET', 'w_*', 'GET', 'none'],
    ]

    beforeEach(() => {
      fill(['list', 'set', 'zset'])
      for (let n = 0; n < COUNT; n += 3) {
        h.run('MSET', `w_e${n}`, String((n * 7919) % COUNT), `w_m${n}`, String(n % 97))
        h.run('HSET', `h_e${n + 1}`, 'f', `v${n}`)
        h.run('HSET', `h_m${n + 1}`, 'f', `v${n % 53}`)
      }
    })

    it.each(PATTERNS.map((args) => [args.join(' '), args] as const))('%s replies as in one go', (_, args) => {
      ask(...args)
      expect(turns()).toBeGreaterThan(3)
      expect(client.received).toBe(inOneGo(args))
    })

    it.each(PATTERNS.map((args) => [args.join(' '), args] as const))(
      '%s starts again when what they lead to changes',
      (_, args) => {
        ask(...args)
        for (let turn = 0; turn < 3; turn++) clock.turn()
        h.run('MSET', 'w_e3', '1000000', 'w_m3', '2000000', 'w_e1', '5', 'w_m1', '5')
        h.run('HSET', 'h_e1', 'f', 'new')
        h.run('HSET', 'h_m1', 'f', 'new')
        h.run('DEL', 'w_e6', 'h_m4')
        turns()
        expect(client.received).toBe(inOneGo(args))
      },
    )

    it('does not start again for other keys', () => {
      ask(...PATTERNS[0])
      let writes = 0
      turns(10_000, () => h.run('SET', 'other:w_e1', String(writes++)))
      expect(writes).toBeGreaterThan(LIMITS.slicedReadStarts + 1)
      expect(client.received).toBe(inOneGo(PATTERNS[0]))
    })

    it('shows what falls due meanwhile, as it was when it started', () => {
      h.engine.activeExpiry = false
      for (let n = 0; n < COUNT; n += 3) h.run('PEXPIRE', `w_m${n}`, '500')
      const args = ['SORT', 'set', 'ALPHA', 'BY', 'w_*', 'GET', 'w_*']
      const before = inOneGo(args)
      ask(...args)
      clock.turn()
      clock.now += 600
      turns()
      expect(client.received).toBe(before)
      expect(inOneGo(args)).not.toBe(before)
    })
  })

  it('dumps a hash whose fields expire as of one moment', () => {
    fill(['hash'])
    h.run('HPEXPIRE', 'hash', '1', 'FIELDS', '2', 'f3', 'f11000')
    h.run('HPEXPIRE', 'hash', '100000', 'FIELDS', '2', 'f4', 'f10999')
    const before = inOneGo(['DUMP', 'hash'])
    ask('DUMP', 'hash')
    turns()
    expect(client.received).toBe(before)
  })

  it('does not wait any more when the entries that it was reading have gone', () => {
    for (let i = 1; i <= COUNT; i++) h.run('XADD', 'stream', `${i}-1`, 'f', `v${i}`)
    ask('XREAD', 'BLOCK', '0', 'STREAMS', 'stream', '0')
    clock.turn()
    h.run('DEL', 'stream')
    turns()
    expect(client.received).toBe('*-1\r\n')
    expect(client.blocked).toBeNull()
  })

  it('lets other clients work in between, on other keys', () => {
    ask('SMEMBERS', 'set')
    let writes = 0
    turns(10_000, () => {
      h.run('SADD', 'another', `x${writes++}`)
      h.run('SMEMBERS', 'another')
    })
    expect(writes).toBeGreaterThan(3)
    expect(client.received).toBe(inOneGo(['SMEMBERS', 'set']))
    expect(h.run('SCARD', 'another')).toBe(writes)
  })

  it.each(READS.map((args) => [args.join(' '), args] as const))(
    '%s starts again when a key changes: its result is that of one moment',
    (_, args) => {
      ask(...args)
      clock.turn()
      clock.turn()
      expect(client.blocked).not.toBeNull()
      h.run('SREM', 'set', 'm3')
      h.run('SADD', 'set', 'new')
      h.run('HDEL', 'hash', 'f3')
      h.run('ZREM', 'geo', 'g3')
      h.run('HSET', 'hash', 'new', 'value')
      h.run('ZREM', 'zset', 'm11000')
      h.run('ZADD', 'zset', '7.5', 'new')
      h.run('LPUSH', 'list', 'new')
      h.run('LSET', 'list', '-1', 'changed')
      turns()
      expect(client.received).toBe(inOneGo(args))
    },
  )

  it('ends although its key changes all the time', () => {
    ask('SMEMBERS', 'set')
    let writes = 0
    const passed = turns(1000, () => h.run('SADD', 'set', `w${writes++}`))
    expect(passed).toBe(LIMITS.slicedReadStarts + 1)
    expect(writes).toBe(LIMITS.slicedReadStarts)
    expect(client.received).toBe(inOneGo(['SMEMBERS', 'set']))
  })

  it.each([
    ['goes', 'DEL set', '*0\r\n'],
    ['is flushed away', 'FLUSHALL', '*0\r\n'],
    ['becomes another type', 'SET set x', '-WRONGTYPE Operation against a key holding the wrong kind of value\r\n'],
  ])('answers what there is when its key %s', (_, command, reply) => {
    ask('SMEMBERS', 'set')
    clock.turn()
    h.run(...command.split(' '))
    expect(turns()).toBe(1)
    expect(client.received).toBe(reply)
  })

  it('answers what there is when its key falls due and is removed', () => {
    fill(['set'])
    h.run('PEXPIRE', 'set', '50')
    ask('SMEMBERS', 'set')
    clock.turn()
    clock.now += 60
    h.run('GET', 'set')
    turns()
    expect(client.received).toBe('*0\r\n')
  })

  it('shows the fields of one moment when some fall due', () => {
    fill(['hash'])
    h.run('HPEXPIRE', 'hash', '50', 'FIELDS', '1', 'f3')
    ask('HKEYS', 'hash')
    clock.turn()
    clock.now += 60
    turns()
    const count = Number(/^\*(\d+)/.exec(client.received)?.[1])
    expect(client.received.match(/\$\d+\r\nf\d+\r\n/g)).toHaveLength(count)
  })

  it('goes in one go inside EXEC', () => {
    fill(['set'])
    h.raw(['MULTI'], client)
    h.raw(['SMEMBERS', 'set'], client)
    expect(h.raw(['EXEC'], client)).toMatch(new RegExp(`^\\*1\r\n\\*${COUNT}\r\n`))
    expect(client.blocked).toBeNull()
  })

  it('is forgotten when its client goes', () => {
    ask('SMEMBERS', 'set')
    clock.turn()
    h.engine.sessionClosed(client)
    turns(20)
    expect(client.received).toBe('')
    expect(h.engine.keyspace.observer).toBeNull()
    expect(h.run('SADD', 'set', 'x')).toBe(1)
  })

  it('puts off what would move things in its collection, and in no other', () => {
    const { keyspace } = h.engine
    fill(['set'])
    const db = keyspace.database(0)
    const find = (name: string): number => keyspace.find(db, Buffer.from(name), 0, name.length)
    ask('SMEMBERS', 'set')
    clock.turn()
    expect(keyspace.settleGuard?.(db, find('other'))).toBe(false)
    for (let i = 0; i < LIMITS.heldSettlings; i++) expect(keyspace.settleGuard?.(db, find('set'))).toBe(true)
    // Not for ever: then it starts again.
    expect(keyspace.settleGuard?.(db, find('set'))).toBe(false)
    turns()
    expect(client.received).toBe(inOneGo(['SMEMBERS', 'set']))
    expect(keyspace.settleGuard).toBeNull()
  })

  it('is left alone by CLIENT UNBLOCK', () => {
    ask('SMEMBERS', 'set')
    client.blocked?.timeOut()
    client.blocked?.fail('UNBLOCKED')
    turns()
    expect(client.received).toBe(inOneGo(['SMEMBERS', 'set']))
  })

  it('counts once, when it ends, however often it started', () => {
    fill(['set'])
    h.run('CONFIG', 'RESETSTAT')
    h.engine.slowLog.slowerThanMicroseconds = 0
    const spec = h.services.table.find('smembers')
    ask('SMEMBERS', 'set')
    clock.turn()
    expect(spec?.calls).toBe(0)
    h.run('SADD', 'set', 'x')
    turns()
    expect(spec?.calls).toBe(1)
    expect(h.engine.keyspace.hits).toBe(1)
    expect(spec?.microseconds).toBeGreaterThan(4000)
    expect(h.engine.slowLog.newest(10).filter(({ args }) => Buffer.from(args[0]).toString() === 'SMEMBERS')).toHaveLength(1)
  })

  it('shares the turns with other reads, of which only some begin', () => {
    fill(['set'])
    const clients = Array.from({ length: LIMITS.slicedReadsAtOnce + 3 }, (_, i) => new ReceivingSession(200 + i))
    for (const other of clients) h.raw(['SMEMBERS', 'set'], other)
    for (let turn = 0; turn < 10_000 && clients.some(({ blocked }) => blocked !== null); turn++) clock.turn()
    const reply = inOneGo(['SMEMBERS', 'set'])
    for (const other of clients) expect(other.received).toBe(reply)
  })
})
