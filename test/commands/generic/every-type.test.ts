import { describe, expect, it } from 'vitest'
import { parseNotificationClasses } from '../../../src/base/notification-classes.js'
import { readPayload } from '../../../src/rdb/payload.js'
import { plain } from '../../rdb/plain-value.js'
import { EngineHarness, type HarnessOptions } from '../../support/engine-harness.js'
import { TestClients } from '../../support/test-clients.js'
import { describeWithRedisServer } from '../../support/with-redis-server.js'
import { KeysHarness } from './keys-harness.js'

/** What generic commands make of a value of each type and form: the same must hold for all. */
interface Form {
  readonly type: string
  readonly encoding: string
  /** Makes it at `k`. */
  readonly make: readonly (readonly string[])[]
  /** Older servers do not know it. */
  readonly since?: string
}

const LONG = 'x'.repeat(100)
const numbers = (count: number) => Array.from({ length: count }, (_, i) => i)
const named = (count: number) => numbers(count).map((i) => `name ${i}`)
const pairs = (count: number) => numbers(count).flatMap((i) => [`field ${i}`, `value ${i}`])

const FORMS: Readonly<Record<string, Form>> = {
  'an integer': { type: 'string', encoding: 'int', make: [['SET', 'k', '12']] },
  'a short string': { type: 'string', encoding: 'embstr', make: [['SET', 'k', 'text']] },
  'a long string': { type: 'string', encoding: 'raw', make: [['SET', 'k', LONG.repeat(500)]] },
  'a counter': { type: 'string', encoding: 'int', make: [['INCRBY', 'k', '5']] },
  'a sparse HyperLogLog': { type: 'string', encoding: 'raw', make: [['PFADD', 'k', 'a', 'b', 'c']] },
  'a dense HyperLogLog': { type: 'string', encoding: 'raw', make: [['PFADD', 'k', ...named(5000)]] },
  'a small list': { type: 'list', encoding: 'listpack', make: [['RPUSH', 'k', 'a', '7', 'a', '']] },
  'a large list': { type: 'list', encoding: 'quicklist', make: [['RPUSH', 'k', ...named(3000)]] },
  'a set of integers': { type: 'set', encoding: 'intset', make: [['SADD', 'k', '1', '-5', '70000']] },
  'a small set': { type: 'set', encoding: 'listpack', make: [['SADD', 'k', 'a', 'b', '7']] },
  'a set of a long member': { type: 'set', encoding: 'hashtable', make: [['SADD', 'k', 'a', LONG]] },
  'a large set': { type: 'set', encoding: 'hashtable', make: [['SADD', 'k', ...named(3000)]] },
  'a small hash': { type: 'hash', encoding: 'listpack', make: [['HSET', 'k', 'f', 'v', 'n', '5']] },
  'a large hash': { type: 'hash', encoding: 'hashtable', make: [['HSET', 'k', ...pairs(3000)]] },
  'a hash with counters': {
    type: 'hash',
    encoding: 'listpack',
    make: [
      ['HSET', 'k', 'a', 'b'],
      ['HINCRBY', 'k', 'n', '5'],
      ['HINCRBYFLOAT', 'k', 'n', '0.5'],
    ],
  },
  'a hash with expiring fields': {
    type: 'hash',
    encoding: 'listpackex',
    make: [
      ['HSET', 'k', 'f', 'v', 'g', 'w', 'h', 'x'],
      ['HPEXPIREAT', 'k', '1990000000000', 'FIELDS', '2', 'f', 'g'],
    ],
    since: '7.4',
  },
  'a small sorted set': {
    type: 'zset',
    encoding: 'listpack',
    make: [['ZADD', 'k', '1', 'a', '-inf', 'b', '2.5', 'c', '1', 'd']],
  },
  'a large sorted set': {
    type: 'zset',
    encoding: 'skiplist',
    make: [['ZADD', 'k', ...numbers(3000).flatMap((i) => [String((i * 7) % 100), `name ${i}`])]],
  },
  'a sorted set with increments': {
    type: 'zset',
    encoding: 'listpack',
    make: [
      ['ZADD', 'k', '1', 'a'],
      ['ZINCRBY', 'k', '2.5', 'a'],
      ['ZINCRBY', 'k', '3', 'b'],
    ],
  },
  'a stream': {
    type: 'stream',
    encoding: 'stream',
    make: [
      ['XADD', 'k', '1-1', 'a', 'b'],
      ['XADD', 'k', '2-1', 'a', 'c', 'd', 'e'],
      ['XADD', 'k', '3-1', 'x', 'y'],
      ['XDEL', 'k', '2-1'],
    ],
  },
  'a stream with groups': {
    type: 'stream',
    encoding: 'stream',
    make: [
      ['XADD', 'k', '1-1', 'a', 'b'],
      ['XADD', 'k', '2-1', 'a', 'c'],
      ['XGROUP', 'CREATE', 'k', 'g', '0'],
      ['XGROUP', 'CREATE', 'k', 'h', '$'],
      ['XREADGROUP', 'GROUP', 'g', 'c', 'COUNT', '1', 'STREAMS', 'k', '>'],
    ],
  },
}

const forms = Object.entries(FORMS)

function made(form: Form, options: HarnessOptions = {}): KeysHarness {
  const h = new KeysHarness(options)
  for (const command of form.make) expect(h.run(...command)).not.toBeInstanceOf(Error)
  return h
}

function dump(h: EngineHarness, key: string): Buffer {
  return Buffer.from(h.run('DUMP', key) as string, 'latin1')
}

function meaning(payload: Uint8Array): unknown {
  const { value, failure } = readPayload(payload)
  if (failure !== null) throw new Error(`${failure.code}: ${failure.detail}`)
  return plain(value)
}

function value(h: EngineHarness, key: string): unknown {
  return meaning(dump(h, key))
}

/** In a transaction, where it is not read in slices however much there is. */
function digest(h: EngineHarness): unknown {
  h.run('MULTI')
  h.run('CRDT.DIGEST')
  const [reply] = h.run('EXEC') as [unknown[]]
  return reply[1]
}

describe.each(forms)('%s', (_name, form) => {
  it('says what it is', () => {
    const h = made(form)
    expect(h.run('TYPE', 'k')).toBe(form.type)
    expect(h.run('OBJECT', 'ENCODING', 'k')).toBe(form.encoding)
    expect(h.run('SCAN', '0', 'TYPE', form.type)).toEqual(['0', ['k']])
    expect(h.run('SCAN', '0', 'TYPE', form.type === 'list' ? 'set' : 'list')).toEqual(['0', []])
    expect([h.run('EXISTS', 'k'), h.run('OBJECT', 'REFCOUNT', 'k'), h.run('OBJECT', 'IDLETIME', 'k')]).toEqual([1, 1, 0])
    h.clock.now += 3000
    h.engine.keyspace.setTime(h.clock.now)
    expect(h.run('OBJECT', 'IDLETIME', 'k')).toBe(3)
    h.run('TOUCH', 'k')
    expect(h.run('OBJECT', 'IDLETIME', 'k')).toBe(0)
  })

  it('takes memory that MEMORY USAGE knows, and gives it back', () => {
    const h = made(form)
    h.run('DEL', 'k')
    while (h.engine.keyspace.reclaimer.step());
    h.run('SET', 'other', 'x')
    const { arena } = h.engine.keyspace.database(0)
    const before = arena.usedBytes
    for (const command of form.make) h.run(...command)
    const took = arena.usedBytes - before
    for (const samples of [[], ['SAMPLES', '0'], ['SAMPLES', '5']]) {
      const usage = h.run('MEMORY', 'USAGE', 'k', ...samples) as number
      const exact = samples[1] === '0'
      expect(usage).toBeGreaterThan(took * (exact ? 0.8 : 0.4))
      expect(usage).toBeLessThan(took * (exact ? 1.2 : 2) + 400)
    }
    h.run('DEL', 'k')
    while (h.engine.keyspace.reclaimer.step());
    expect(arena.usedBytes).toBe(before)
  })

  it('moves to another name with its time, in one op, in every member', () => {
    const h = made(form, { solo: false })
    const other = new EngineHarness({ self: 2, solo: false }, h.clock)
    h.run('PEXPIRE', 'k', '90000')
    h.run('SET', 'taken', 'x')
    const before = value(h, 'k')
    expect(h.run('RENAMENX', 'k', 'taken')).toBe(0)
    const frames = h.log.frames.length
    expect(h.run('RENAME', 'k', 'taken')).toBe('OK')
    expect(h.log.frames.slice(frames).map((frame) => frame.opCount)).toEqual([1])
    expect([h.run('EXISTS', 'k'), h.run('PTTL', 'taken'), h.run('TYPE', 'taken')]).toEqual([0, 90000, form.type])
    expect(h.run('RENAMENX', 'taken', 'free')).toBe(1)
    expect(value(h, 'free')).toEqual(before)
    other.receive(h)
    expect(digest(other)).toBe(digest(h))
    expect([other.run('PTTL', 'free'), other.run('OBJECT', 'ENCODING', 'free')]).toEqual([90000, form.encoding])
  })

  it('is copied with its time, and apart from then on', () => {
    const h = made(form)
    h.run('PEXPIRE', 'k', '90000')
    const before = value(h, 'k')
    h.run('RPUSH', 'taken', 'a')
    h.run('SETNX', 'taken', 'a')
    expect(h.run('COPY', 'k', 'taken')).toBe(0)
    expect(h.run('COPY', 'k', 'taken', 'REPLACE')).toBe(1)
    expect(h.run('COPY', 'k', 'k', 'DB', '3')).toBe(1)
    h.run('DEL', 'k')
    expect([value(h, 'taken'), h.run('PTTL', 'taken')]).toEqual([before, 90000])
    h.run('SELECT', '3')
    expect([value(h, 'k'), h.run('PTTL', 'k'), h.run('OBJECT', 'ENCODING', 'k')]).toEqual([before, 90000, form.encoding])
  })

  it('moves to another database with its time', () => {
    const h = made(form)
    h.run('PEXPIRE', 'k', '90000')
    const before = value(h, 'k')
    expect(h.run('MOVE', 'k', '5')).toBe(1)
    expect(h.run('EXISTS', 'k')).toBe(0)
    h.run('SELECT', '5')
    expect([value(h, 'k'), h.run('PTTL', 'k')]).toEqual([before, 90000])
    h.run('SWAPDB', '5', '6')
    h.run('SELECT', '6')
    expect([value(h, 'k'), h.run('PTTL', 'k'), h.run('TYPE', 'k')]).toEqual([before, 90000, form.type])
  })

  it('is restored from its dump, in one op, in every member', () => {
    const h = made(form, { solo: false })
    const other = new EngineHarness({ self: 2, solo: false }, h.clock)
    const payload = dump(h, 'k')
    expect(h.raw(['RESTORE', 'k', '0', payload])).toBe('-BUSYKEY Target key name already exists.\r\n')
    const frames = h.log.frames.length
    expect(h.run('RESTORE', 'k', '5000', payload, 'REPLACE')).toBe('OK')
    expect(h.run('RESTORE', 'again', '0', payload)).toBe('OK')
    expect(h.log.frames.slice(frames).map((frame) => frame.opCount)).toEqual([1, 1])
    expect([value(h, 'k'), value(h, 'again')]).toEqual([meaning(payload), meaning(payload)])
    expect([h.run('PTTL', 'k'), h.run('PTTL', 'again')]).toEqual([5000, -1])
    expect(h.run('OBJECT', 'ENCODING', 'again')).toBe(form.encoding)
    other.receive(h)
    expect(digest(other)).toBe(digest(h))
  })

  it('goes when its time is up, and by a write of another type', () => {
    const h = made(form, { solo: false })
    const other = new EngineHarness({ self: 2, solo: false }, h.clock)
    h.run('PEXPIRE', 'k', '10')
    h.clock.now += 11
    expect([h.run('EXISTS', 'k'), h.run('TYPE', 'k'), h.run('DUMP', 'k')]).toEqual([0, 'none', null])
    for (const command of form.make) h.run(...command)
    expect([h.run('PTTL', 'k'), h.run('TYPE', 'k')]).toEqual([-1, form.type])
    h.run('SET', 'k', 'text')
    expect(h.run('GET', 'k')).toBe('text')
    other.receive(h)
    expect(digest(other)).toBe(digest(h))
  })

  it('tells what happens to its key', () => {
    const clients = new TestClients()
    const h = new KeysHarness({ services: { clients } })
    for (const command of form.make) h.run(...command)
    const client = clients.connect()
    h.engine.notifications.classes = parseNotificationClasses('AE') ?? 0
    h.runIn(client, 'PSUBSCRIBE', '*')
    const events = (...command: (string | Uint8Array)[]) => {
      client.delivered = ''
      h.run(...command)
      return [...client.delivered.matchAll(/__keyevent@(\d+)__:(\w+)\r\n\$\d+\r\n([^\r]*)/g)].map(
        ([, , event, key]) => `${event} ${key}`,
      )
    }
    expect(events('RENAME', 'k', 'b')).toEqual(['rename_from k', 'rename_to b'])
    expect(events('COPY', 'b', 'c')).toEqual(['copy_to c'])
    expect(events('MOVE', 'c', '1')).toEqual(['move_from c', 'move_to c'])
    expect(events('PEXPIRE', 'b', '5000')).toEqual(['expire b'])
    expect(events('PERSIST', 'b')).toEqual(['persist b'])
    const payload = dump(h, 'b')
    expect(events('RESTORE', 'd', '0', payload)).toEqual(['restore d'])
    expect(events('DEL', 'b')).toEqual(['del b'])
    expect(events('UNLINK', 'd')).toEqual(['del d'])
  })

  it('is refused by commands on other types, and stays', () => {
    const h = made(form)
    const before = value(h, 'k')
    const wrong = [
      ['string', 'GET', 'k'],
      ['string', 'APPEND', 'k', 'x'],
      ['list', 'LPUSH', 'k', 'x'],
      ['set', 'SADD', 'k', 'x'],
      ['hash', 'HSET', 'k', 'f', 'v'],
      ['zset', 'ZADD', 'k', '1', 'x'],
      ['stream', 'XADD', 'k', '*', 'f', 'v'],
    ].filter(([type]) => type !== form.type)
    for (const [, ...command] of wrong) {
      expect(h.raw(command)).toBe('-WRONGTYPE Operation against a key holding the wrong kind of value\r\n')
    }
    expect(value(h, 'k')).toEqual(before)
  })
})

describeWithRedisServer('values of every type here and in redis-server', (suite) => {
  function isKnown({ since = '0' }: Form): boolean {
    const [major, minor] = suite.version.split('.').map(Number)
    const [needsMajor, needsMinor = 0] = since.split('.').map(Number)
    return major > needsMajor || (major === needsMajor && minor >= needsMinor)
  }

  it.each(forms)('%s is dumped so that the other restores it', async (_name, form) => {
    if (!isKnown(form)) return
    const { redis } = suite
    const h = made(form)
    await redis.flushall()
    await redis.callBuffer('RESTORE', 'k', 0, dump(h, 'k'))
    const there = (await redis.callBuffer('DUMP', 'k')) as Buffer
    expect(meaning(there)).toEqual(value(h, 'k'))
    expect(await redis.type('k')).toBe(form.type)

    await redis.del('k')
    for (const [command, ...args] of form.make) await redis.callBuffer(command, ...args)
    const theirs = (await redis.callBuffer('DUMP', 'k')) as Buffer
    expect(h.run('RESTORE', 'theirs', '0', theirs)).toBe('OK')
    expect(value(h, 'theirs')).toEqual(meaning(theirs))
    expect(h.run('OBJECT', 'ENCODING', 'theirs')).toBe(form.encoding)
  })
})
