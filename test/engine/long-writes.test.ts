import { beforeEach, describe, expect, it, vi } from 'vitest'
import { parseNotificationClasses } from '../../src/base/notification-classes.js'
import { LIMITS } from '../../src/base/limits.js'
import { PackedMap } from '../../src/keyspace/packed-map.js'
import { PackedZset } from '../../src/keyspace/packed-zset.js'
import { EngineHarness } from '../support/engine-harness.js'
import { digestOf, BATCH, COUNT, inOneGo, numbers, SLICING, SlicedEngine } from '../support/sliced-engine.js'
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

beforeEach(() => make())

function fill(): void {
  engine.write(
    'SADD',
    'set',
    numbers.map((n) => [`m${n}`]),
  )
  engine.write(
    'SADD',
    'set2',
    numbers.map((n) => [`m${n + COUNT / 2}`]),
  )
  engine.write(
    'HSET',
    'hash',
    numbers.map((n) => [`f${n}`, `v${n}`]),
  )
  h.run('HPEXPIRE', 'hash', '1000000', 'FIELDS', '3', 'f1', 'f2', 'f3')
  h.run('HPEXPIRE', 'hash', '2000000', 'FIELDS', '1', 'f4')
  engine.write(
    'ZADD',
    'zset',
    numbers.map((n) => [`${n / 2}`, `m${n}`]),
  )
  engine.write(
    'ZADD',
    'zset2',
    numbers.map((n) => [`${n}`, `m${n * 2}`]),
  )
  engine.write(
    'RPUSH',
    'list',
    numbers.map((n) => [`e${(n * 7919) % COUNT}`]),
  )
  h.run('GEOADD', 'geo', ...numbers.flatMap((n) => [`${(n % 100) / 2}`, `${(n % 77) / 3}`, `g${n}`]))
  h.run('SET', 'string', 'x')
}

/** A command in one go, however much it brings. */
function atOnce(...args: string[]): void {
  inOneGo(h, args)
}

/** Lists with several runs, elements put below others, and holes. */
function fillLists(): void {
  atOnce('RPUSH', 'coins', ...numbers.map((n) => (n % 3 === 0 ? 'tails' : 'heads')))
  for (let n = 0; n < COUNT / 8; n++) h.run('LSET', 'coins', `${n * 5}`, n % 2 === 0 ? 'edge' : 'heads')
  for (let n = 0; n < 20; n++) h.run('LINSERT', 'coins', 'BEFORE', 'edge', n % 2 === 0 ? 'heads' : 'tails')
  h.run('LREM', 'coins', '7', 'tails')
  atOnce('RPUSH', 'same', ...numbers.map(() => 'x'))
  for (let n = 0; n < 25; n++) atOnce('RPUSH', 'long', ...numbers.map((i) => `${n} ${i}`))
}

function fillWeights(): void {
  for (const n of numbers) {
    if (n % 5 > 0) h.run('SET', `weight:e${n}`, `${(n * 31) % COUNT}`)
    if (n % 3 > 0) h.run('HSET', `hash:e${n}`, 'f', `of ${n}`)
  }
}

/** Some of them dense, and some of it twice. */
function fillSketches(): void {
  for (let n = 0; n < 5; n++) atOnce('PFADD', `sketch:${n}`, ...Array.from({ length: 3000 }, (_, i) => `${n * 1000 + i}`))
  atOnce('PFADD', 'small', ...numbers.slice(0, 90).map((n) => `s${n}`))
}

const WRITES: string[][] = [
  ['SUNIONSTORE', 'to', 'set', 'set2'],
  ['SINTERSTORE', 'set', 'set', 'set2'],
  ['SDIFFSTORE', 'string', 'set', 'set2'],
  ['ZUNIONSTORE', 'to', '2', 'zset', 'zset2', 'WEIGHTS', '2', '3'],
  ['ZINTERSTORE', 'zset', '2', 'zset', 'zset2'],
  ['ZDIFFSTORE', 'hash', '2', 'zset', 'set2'],
  ['ZDIFFSTORE', 'string', '2', 'zset', 'zset'],
  ['COPY', 'set', 'to'],
  ['COPY', 'hash', 'set', 'REPLACE'],
  ['COPY', 'zset', 'zset', 'DB', '1'],
  ['COPY', 'list', 'to'],
  ['RENAME', 'hash', 'to'],
  ['RENAME', 'list', 'string'],
  ['RENAMENX', 'zset', 'to'],
  ['MOVE', 'set', '2'],
  ['ZRANGESTORE', 'to', 'zset', '3', '-5'],
  ['ZRANGESTORE', 'set', 'zset', '10', '190', 'BYSCORE', 'LIMIT', '5', '300'],
  ['ZREMRANGEBYRANK', 'zset', '10', '200'],
  ['ZREMRANGEBYSCORE', 'zset', '-inf', '(150'],
  ['GEOSEARCHSTORE', 'to', 'geo', 'FROMLONLAT', '0', '0', 'BYRADIUS', '5000', 'km', 'STOREDIST'],
  ['GEORADIUS', 'geo', '0', '0', '5000', 'km', 'COUNT', '200', 'STORE', 'zset'],
  ['SORT', 'list', 'ALPHA', 'STORE', 'to'],
  ['SORT', 'zset', 'ALPHA', 'DESC', 'LIMIT', '5', '300', 'STORE', 'zset'],
  ['SORT', 'set', 'ALPHA', 'STORE', 'string'],
  ['SORT', 'list', 'BY', 'nosort', 'STORE', 'to'],
  ['SORT', 'list', 'BY', 'weight:*', 'GET', '#', 'GET', 'hash:*->f', 'STORE', 'to'],
  ['SORT', 'list', 'ALPHA', 'GET', 'weight:*', 'LIMIT', '5', '300', 'STORE', 'list'],
  ['LREM', 'coins', '0', 'heads'],
  ['LREM', 'coins', '150', 'heads'],
  ['LREM', 'coins', '-150', 'tails'],
  ['LREM', 'coins', '0', 'never'],
  ['LREM', 'same', '0', 'x'],
  ['LTRIM', 'long', '1', '0'],
  ['LTRIM', 'long', '3001', '-4001'],
  ['LPOP', 'coins', '300'],
  ['RPOP', 'long', '9000'],
  ['LPOP', 'coins', '3000'],
  ['LMPOP', '3', 'none', 'coins', 'long', 'LEFT', 'COUNT', '300'],
  ['LMPOP', '1', 'long', 'RIGHT', 'COUNT', '20000'],
  ['PFMERGE', 'sketch:0', 'sketch:1', 'none', 'sketch:2', 'sketch:3', 'sketch:4'],
  ['PFMERGE', 'to', 'sketch:1', 'small', 'sketch:1'],
  ['PFMERGE', 'to', 'small'],
]

describe.each([true, false])('a long write (alone: %s)', (solo) => {
  beforeEach(() => make(solo))

  it.each(WRITES.map((args) => [args.join(' '), args] as const))('%s does what it does in one go', (_, args) => {
    fill()
    if (args.some((each) => ['coins', 'same', 'long'].includes(each))) fillLists()
    if (args[0] === 'PFMERGE') fillSketches()
    if (args[0] === 'SORT') fillWeights()
    const other = new EngineHarness({ solo, self: 2 }, clock)
    other.receive(h)
    engine.ask(...args)
    expect(engine.turns()).toBeGreaterThan(2)
    const before = h.log.frames.length
    expect(client.received).toBe(inOneGo(other, args))
    expect(digestOf(h)).toEqual(digestOf(other))
    // It is one op in the log, from which others make the same.
    const third = new EngineHarness({ solo, self: 3 }, clock)
    third.receive(h)
    expect(h.log.frames[before - 1].opCount).toBe(1)
    expect(digestOf(third)).toEqual(digestOf(h))
  })
})

describe('a collection that comes in effects of very many elements', () => {
  const many = Array.from({ length: 2 * LIMITS.slicedFrameEffects * LIMITS.copyEffectElements }, (_, n) => n)
  const sources: Record<string, [string, (n: number) => string[]]> = {
    set: ['SADD', (n) => [`m${n}`]],
    hash: ['HSET', (n) => [`f${n}`, `v${n}`]],
    zset: ['ZADD', (n) => [`${n}`, `m${n}`]],
  }

  it.each(Object.keys(sources))(
    'is large from the first one on, here and elsewhere, for a packed %s is searched for each element',
    (key) => {
      const [command, element] = sources[key]
      engine.write(command, key, many.map(element))
      const other = new EngineHarness({ solo: false, self: 2 }, clock)
      other.receive(h)
      const searches = [PackedMap.prototype, PackedZset.prototype].map((form) => vi.spyOn(form, 'find'))
      engine.ask('COPY', key, 'to')
      engine.turns()
      other.receive(h)
      const searched = searches.map((search) => search.mock.calls.length)
      vi.restoreAllMocks()
      expect(searched).toEqual([0, 0])
      expect(digestOf(other)).toEqual(digestOf(h))
      expect(other.run('OBJECT', 'ENCODING', 'to')).toBe(other.run('OBJECT', 'ENCODING', key))
    },
  )
})

/** From some number on, each third one twice. */
const some = (from: number, count: number): number[] =>
  numbers.slice(0, count).flatMap((n) => (n % 3 === 0 ? [from + n, from + COUNT - n] : [from + n]))

const BROUGHT: readonly (readonly [string, string[]])[] = [
  ['SADD to a set', ['SADD', 'set', ...some(300, COUNT).map((n) => `m${n}`)]],
  ['SADD of what is there', ['SADD', 'set', ...numbers.map((n) => `m${n}`)]],
  ['SADD to nothing', ['SADD', 'to', ...some(0, COUNT).map((n) => `${n}`)]],
  ['SADD to what is due', ['SADD', 'due', ...some(0, COUNT).map((n) => `${n}`)]],
  ['SADD to another type', ['SADD', 'string', ...some(0, COUNT).map((n) => `${n}`)]],
  ['SREM', ['SREM', 'set', ...some(200, COUNT).map((n) => `m${n}`)]],
  ['SREM of all', ['SREM', 'set', ...some(0, COUNT).map((n) => `m${n}`)]],
  ['SREM of none', ['SREM', 'set', ...some(0, COUNT).map((n) => `x${n}`)]],
  ['HSET to a hash', ['HSET', 'hash', ...some(300, COUNT).flatMap((n, i) => [`f${n}`, `w${i}`])]],
  ['HSET to nothing', ['HSET', 'to', ...some(0, COUNT).flatMap((n, i) => [`f${n}`, `w${i}`])]],
  ['HMSET to a hash', ['HMSET', 'hash', ...some(0, COUNT).flatMap((n, i) => [`f${n}`, `w${i}`])]],
  ['HDEL', ['HDEL', 'hash', ...some(200, COUNT).map((n) => `f${n}`)]],
  ['HDEL of all', ['HDEL', 'hash', ...some(0, COUNT).map((n) => `f${n}`)]],
  ['ZADD to a sorted set', ['ZADD', 'zset', ...some(300, COUNT).flatMap((n, i) => [`${i}`, `m${n}`])]],
  ['ZADD of what is there', ['ZADD', 'zset', ...numbers.flatMap((n) => [`${n / 2}`, `m${n}`])]],
  ['ZADD to nothing', ['ZADD', 'to', ...some(0, COUNT).flatMap((n, i) => [`${i}`, `m${n}`])]],
  ['ZADD with a score that is none', ['ZADD', 'zset', ...numbers.flatMap((n) => [n === 399 ? 'x' : '1', `m${n}`])]],
  ['ZADD NX', ['ZADD', 'zset', 'NX', 'CH', ...some(300, COUNT).flatMap((n, i) => [`${i}`, `m${n}`])]],
  ['ZADD XX', ['ZADD', 'zset', 'XX', ...some(300, COUNT).flatMap((n, i) => [`${i}`, `m${n}`])]],
  ['ZADD XX to nothing', ['ZADD', 'to', 'XX', 'CH', ...some(0, COUNT).flatMap((n, i) => [`${i}`, `m${n}`])]],
  ['ZADD GT', ['ZADD', 'zset', 'GT', 'CH', ...some(300, COUNT).flatMap((n, i) => [`${i}`, `m${n}`])]],
  ['ZADD LT XX', ['ZADD', 'zset', 'LT', 'XX', 'CH', ...some(0, COUNT).flatMap((n, i) => [`${i % 90}`, `m${n}`])]],
  ['ZADD CH', ['ZADD', 'zset', 'CH', ...some(300, COUNT).flatMap((n, i) => [`${i % 90}`, `m${n}`])]],
  ['ZADD GT to nothing', ['ZADD', 'to', 'GT', ...some(0, COUNT).flatMap((n, i) => [`${(i * 7) % 90}`, `m${n}`])]],
  ['ZADD NX with a score that is none', ['ZADD', 'zset', 'NX', ...numbers.flatMap((n) => [n === 399 ? 'x' : '1', `n${n}`])]],
  ['RPUSH', ['RPUSH', 'list', ...some(0, COUNT).map((n) => `new${n}`)]],
  ['LPUSH', ['LPUSH', 'list', ...some(0, COUNT).map((n) => `new${n}`)]],
  ['RPUSH of long values', ['RPUSH', 'list', ...numbers.map((n) => `${n}`.repeat(300 + n))]],
  ['LPUSH of long values', ['LPUSH', 'list', ...numbers.map((n) => `${n}`.repeat(300 + n))]],
  ['RPUSH to nothing', ['RPUSH', 'to', ...numbers.map((n) => `${n}`)]],
  ['LPUSH to nothing', ['LPUSH', 'to', ...numbers.map((n) => `${n}`)]],
  ['RPUSHX', ['RPUSHX', 'list', ...numbers.map((n) => `${n}`)]],
  ['LPUSHX', ['LPUSHX', 'list', ...numbers.map((n) => `${n}`)]],
  ['RPUSHX to nothing', ['RPUSHX', 'to', ...numbers.map((n) => `${n}`)]],
  ['LPUSH to what is due', ['LPUSH', 'due', ...numbers.map((n) => `${n}`)]],
  ['RPUSH to another type', ['RPUSH', 'string', ...numbers.map((n) => `${n}`)]],
  ['PFADD to nothing', ['PFADD', 'to', ...numbers.map((n) => `${n}`)]],
  ['PFADD to a sketch', ['PFADD', 'sketch', ...numbers.map((n) => `${n}`)]],
  ['PFADD of what is there', ['PFADD', 'sketch', ...numbers.map((n) => `${n % 40}`)]],
  ['PFADD to what is due', ['PFADD', 'due', ...numbers.map((n) => `${n}`)]],
  ['PFADD to another type', ['PFADD', 'string', ...numbers.map((n) => `${n}`)]],
  ['ZREM', ['ZREM', 'zset', ...some(200, COUNT).map((n) => `m${n}`)]],
  ['ZREM of all', ['ZREM', 'zset', ...some(0, COUNT).map((n) => `m${n}`)]],
]

const fieldsOf = (some: readonly number[]): string[] => ['FIELDS', `${some.length}`, ...some.map((n) => `f${n}`)]
const pairsOf = (some: readonly number[]): string[] => ['FIELDS', `${some.length}`, ...some.flatMap((n, i) => [`f${n}`, `w${i}`])]

/** Commands on very many fields of a hash; some of its fields have an expiry. */
const OF_FIELDS: readonly (readonly [string, string[]])[] = [
  ['HEXPIRE', ['HEXPIRE', 'hash', '100', ...fieldsOf(some(200, COUNT))]],
  ['HPEXPIRE NX', ['HPEXPIRE', 'hash', '90000', 'NX', ...fieldsOf(some(0, COUNT))]],
  ['HEXPIREAT XX', ['HEXPIREAT', 'hash', '4000000000', 'XX', ...fieldsOf(some(0, COUNT))]],
  ['HPEXPIREAT GT', ['HPEXPIREAT', 'hash', '4000000000000', ...fieldsOf(some(0, COUNT)), 'GT']],
  ['HEXPIRE LT', ['HEXPIRE', 'hash', '100', 'LT', ...fieldsOf(some(0, COUNT))]],
  ['HEXPIRE that changes nothing', ['HEXPIRE', 'hash', '100', ...fieldsOf(numbers.map((n) => n + 1000))]],
  ['HEXPIRE of nothing', ['HEXPIRE', 'to', '100', ...fieldsOf(numbers)]],
  ['HEXPIREAT of the past', ['HEXPIREAT', 'hash', '1', ...fieldsOf(some(200, COUNT))]],
  ['HEXPIREAT of the past, of all', ['HEXPIREAT', 'hash', '1', ...fieldsOf(some(0, COUNT))]],
  ['HPERSIST', ['HPERSIST', 'hash', ...fieldsOf(some(0, COUNT))]],
  [
    'HTTL',
    ['HTTL', 'hash', ...fieldsOf(some(200, COUNT)), 'f1', 'f4'].map((arg, i) => (i === 3 ? String(Number(arg) + 2) : arg)),
  ],
  ['HPTTL', ['HPTTL', 'hash', ...fieldsOf(some(0, COUNT))]],
  ['HEXPIRETIME', ['HEXPIRETIME', 'hash', ...fieldsOf(some(0, COUNT))]],
  ['HPEXPIRETIME of nothing', ['HPEXPIRETIME', 'to', ...fieldsOf(some(0, COUNT))]],
  ['HGETEX', ['HGETEX', 'hash', ...fieldsOf(some(200, COUNT))]],
  ['HGETEX EX', ['HGETEX', 'hash', 'EX', '100', ...fieldsOf(some(200, COUNT))]],
  ['HGETEX of the past', ['HGETEX', 'hash', ...fieldsOf(some(0, COUNT)), 'PXAT', '1']],
  ['HGETEX PERSIST', ['HGETEX', 'hash', 'PERSIST', ...fieldsOf(some(0, COUNT))]],
  ['HGETDEL', ['HGETDEL', 'hash', ...fieldsOf(some(200, COUNT))]],
  ['HGETDEL of all', ['HGETDEL', 'hash', ...fieldsOf(some(0, COUNT))]],
  ['HGETDEL of nothing', ['HGETDEL', 'to', ...fieldsOf(some(0, COUNT))]],
  ['HSETEX', ['HSETEX', 'hash', ...pairsOf(some(300, COUNT))]],
  ['HSETEX PX', ['HSETEX', 'hash', 'PX', '100000', ...pairsOf(some(300, COUNT))]],
  ['HSETEX KEEPTTL', ['HSETEX', 'hash', 'KEEPTTL', ...pairsOf(some(0, COUNT))]],
  ['HSETEX KEEPTTL of what is due, and more', ['HSETEX', 'hash', 'KEEPTTL', ...pairsOf(some(300, COUNT))]],
  ['HSETEX FNX', ['HSETEX', 'hash', 'FNX', 'EX', '9', ...pairsOf(numbers.map((n) => n + 1000))]],
  ['HSETEX FNX that may not', ['HSETEX', 'hash', 'FNX', ...pairsOf(numbers.map((n) => n + COUNT - 100).reverse())]],
  ['HSETEX FXX', ['HSETEX', 'hash', 'FXX', ...pairsOf(numbers.slice(0, 300))]],
  ['HSETEX FXX that may not', ['HSETEX', 'hash', 'FXX', ...pairsOf(numbers.map((n) => n + 100))]],
  ['HSETEX to nothing', ['HSETEX', 'to', 'EX', '100', ...pairsOf(some(0, COUNT))]],
  ['HSETEX of the past', ['HSETEX', 'hash', 'PXAT', '1', ...pairsOf(some(200, COUNT))]],
  ['HSETEX of the past, of all', ['HSETEX', 'hash', 'PXAT', '1', ...pairsOf(some(0, COUNT))]],
  ['HSETEX of the past, to nothing', ['HSETEX', 'to', 'PXAT', '1', ...pairsOf(some(0, COUNT))]],
]

/** What is due stays longer after these in slices than after those in one go, as ever where keys are held. */
const CHANGES_NOTHING = /^H(P?TTL|P?EXPIRETIME|GETEX)( of nothing)?$|may not/

/** Runs a command of very many elements in slices, if it goes so, and in one go, and says that both do the same. mustSlice: it goes so. hasDue: some fields of the hash are due. */
function doesTheSame(solo: boolean, args: string[], mustSlice = false, hasDue = false): void {
  fill()
  h.run('PFADD', 'sketch', ...numbers.slice(0, 40).map((n) => `${n}`))
  for (const key of ['set', 'hash', 'zset', 'list', 'sketch']) h.run('PEXPIRE', key, '5000000')
  // A digest contains what is due and has not been removed yet, which is at any time: only a command that replaces it makes two alike.
  if (args[1] === 'due') {
    h.engine.activeExpiry = false
    h.run('SADD', 'due', 'x')
    h.run('PEXPIRE', 'due', '1000')
  }
  // Fewer than are removed at once when a command comes upon them.
  if (hasDue) {
    h.engine.activeExpiry = false
    h.run('HPEXPIRE', 'hash', '1000', ...fieldsOf(numbers.slice(310, 322)))
  }
  const other = new EngineHarness({ solo, self: 2 }, clock)
  other.receive(h)
  other.engine.activeExpiry = h.engine.activeExpiry
  clock.advance(2000)
  const heard = [h, other].map((each) => {
    const listener = new ReceivingSession(300)
    each.engine.notifications.classes = parseNotificationClasses('KEAnocSTIV') ?? 0
    each.raw(['PSUBSCRIBE', '__*'], listener)
    listener.received = ''
    return listener
  })
  const reply = h.raw(args, client)
  if (mustSlice || client.blocked !== null) expect(engine.turns()).toBeGreaterThan(2)
  expect(client.received + reply).toBe(inOneGo(other, args))
  expect(digestOf(h)).toEqual(digestOf(other))
  expect(heard[0].received).toBe(heard[1].received)
  for (const key of ['set', 'hash', 'zset', 'list', 'sketch', 'due', 'to']) {
    expect(h.run('PTTL', key)).toBe(other.run('PTTL', key))
    expect(h.run('OBJECT', 'ENCODING', key)).toEqual(other.run('OBJECT', 'ENCODING', key))
  }
  const third = new EngineHarness({ solo, self: 3 }, clock)
  third.receive(h)
  expect(digestOf(third)).toEqual(digestOf(h))
}

describe.each([true, false])('a command on very many fields of a hash (alone: %s)', (solo) => {
  beforeEach(() => make(solo))

  it.each(OF_FIELDS)('%s goes in slices, and does what it does in one go', (_, args) => doesTheSame(solo, args, true))

  it.each(OF_FIELDS.filter(([name]) => !CHANGES_NOTHING.test(name)))('%s does so when some of them are due', (_, args) =>
    doesTheSame(solo, args, true, true),
  )
})

describe.each([true, false])('a command that brings very many elements (alone: %s)', (solo) => {
  beforeEach(() => make(solo))

  it.each(BROUGHT)('%s does what it does in one go', (_, args) => doesTheSame(solo, args))

  it('is not seen in part, and whoever removes its key comes behind it', () => {
    engine.write(
      'SADD',
      'set',
      numbers.map((n) => [`m${n}`]),
    )
    engine.ask('SADD', 'set', ...numbers.map((n) => `new${n}`))
    const others = [['SREM', 'set', 'new1', 'new2'], ['DEL', 'set'], ['FLUSHALL']].map((args, i) => {
      const session = new ReceivingSession(200 + i)
      engine.turns(() => undefined, 1)
      expect(h.raw(args, session)).toBe('')
      return session
    })
    const reader = new ReceivingSession(210)
    let seen = h.raw(['SCARD', 'set'], reader)
    engine.turns(() => {
      if (reader.blocked === null) seen += h.raw(['SCARD', 'set'], reader)
    })
    expect(client.received).toBe(`:${COUNT}\r\n`)
    expect(new Set(seen.split('\r\n'))).toEqual(new Set([`:${COUNT}`, '']))
    for (let turn = 0; turn < 10; turn++) clock.turn()
    expect(others.map(({ received }) => received)).toEqual([':2\r\n', ':1\r\n', '+OK\r\n'])
    expect([`:${2 * COUNT}\r\n`, `:${2 * COUNT - 2}\r\n`, ':0\r\n', '']).toContain(reader.received)
  })

  it('answers for very many members as they are at one moment', () => {
    fill()
    const asked: string[][] = [
      ['SMISMEMBER', 'set', ...some(200, COUNT).map((n) => `m${n}`)],
      ['HMGET', 'hash', ...some(200, COUNT).map((n) => `f${n}`)],
      ['ZMSCORE', 'zset', ...some(200, COUNT).map((n) => `m${n}`)],
      ['HMGET', 'none', ...some(200, COUNT).map((n) => `f${n}`)],
    ]
    for (const args of asked) {
      client.received = ''
      engine.ask(...args)
      clock.turn()
      h.run('SREM', 'set', 'm399')
      h.run('HSET', 'hash', 'f399', 'other')
      h.run('ZADD', 'zset', '0', 'm399')
      engine.turns()
      expect(client.received).toBe(inOneGo(h, args))
    }
  })
})

it('PFMERGE to a key that is gone does not hand on a time that was set elsewhere when it was removed', () => {
  make(false)
  fillSketches()
  const other = new EngineHarness({ solo: false, self: 2 }, clock)
  h.run('SET', 'to', 'x')
  other.receive(h)
  h.run('DEL', 'to')
  other.run('PEXPIRE', 'to', '1000000')
  h.receive(other)
  expect(h.raw(['PFMERGE', 'to', 'small', 'sketch:1'], client) || client.received).not.toBe('')
  expect(h.run('PTTL', 'to')).toBe(-1)
  other.receive(h)
  expect(other.run('PTTL', 'to')).toBe(-1)
})

it('SORT STORE by patterns holds the keys that they may lead to from writes, and no others', () => {
  fill()
  fillWeights()
  engine.ask('SORT', 'list', 'BY', 'weight:*', 'GET', 'hash:*->f', 'STORE', 'to')
  const other = new EngineHarness({ self: 2 }, clock)
  other.receive(h)
  engine.turns(() => undefined, 3)
  const waiting = [
    ['SET', 'weight:e1', '1000'],
    ['HSET', 'hash:new', 'f', 'x'],
    ['DEL', 'set', 'weight:e7'],
  ].map((args, i) => {
    const session = new ReceivingSession(200 + i)
    expect(h.raw(args, session)).toBe('')
    return session
  })
  expect(h.run('GET', 'weight:e1')).toBe('31')
  expect(h.run('SET', 'weigh', 'x')).toBe('OK')
  engine.turns()
  expect(client.received).toBe(inOneGo(other, ['SORT', 'list', 'BY', 'weight:*', 'GET', 'hash:*->f', 'STORE', 'to']))
  expect(inOneGo(h, ['LRANGE', 'to', '0', '-1'])).toBe(inOneGo(other, ['LRANGE', 'to', '0', '-1']))
  for (let turn = 0; turn < 10; turn++) clock.turn()
  expect(waiting.map(({ received }) => received)).toEqual(['+OK\r\n', ':1\r\n', ':2\r\n'])
})

it('RESTORE of what DUMP gave makes the same, in slices', () => {
  fill()
  const contents: readonly (readonly [string, string, string[]])[] = [
    ['set', 'SMEMBERS', []],
    ['zset', 'ZRANGE', ['0', '-1', 'WITHSCORES']],
    ['hash', 'HGETALL', []],
    ['list', 'LRANGE', ['0', '-1']],
  ]
  for (const [key, command, range] of contents) {
    const payload = Buffer.from(
      inOneGo(h, ['DUMP', key])
        .replace(/^\$\d+\r\n/, '')
        .slice(0, -2),
      'latin1',
    )
    client.received = ''
    expect(h.raw(['RESTORE', 'to', '100000', payload, 'REPLACE'], client)).toBe('')
    engine.turns()
    expect(client.received).toBe('+OK\r\n')
    expect(h.run('PTTL', 'to')).toBeGreaterThan(0)
    h.run('PERSIST', 'to')
    const read = (name: string) => inOneGo(h, [command, name, ...range]).split('\r\n')
    if (range.length === 0) expect(read('to').sort()).toEqual(read(key).sort())
    else expect(read('to')).toEqual(read(key))
    if (key === 'hash') {
      const times = (name: string) => h.run('HPEXPIRETIME', name, 'FIELDS', '5', 'f1', 'f2', 'f3', 'f4', 'f5')
      expect(times('to')).toEqual(times(key))
    }
  }
  expect(h.raw(['RESTORE', 'bad', '0', Buffer.alloc(2000, 2)], client)).toBe('')
  client.received = ''
  engine.turns()
  expect(client.received).toBe('-ERR DUMP payload version or checksum are wrong\r\n')
})

it('DEL of many counters says what it saw of each, in slices', () => {
  make(false)
  const far = new EngineHarness({ solo: false, self: 2 }, clock)
  for (const n of numbers) {
    h.run('HINCRBY', 'hash', `f${n}`, '5')
    h.run('ZINCRBY', 'zset', '2.5', `m${n}`)
  }
  far.receive(h)
  far.run('HINCRBY', 'hash', 'f7', '3')
  engine.ask('DEL', 'hash', 'missing', 'zset', 'hash')
  engine.turns()
  expect(client.received).toBe(':2\r\n')
  expect(h.run('EXISTS', 'hash', 'zset')).toBe(0)
  h.receive(far)
  far.receive(h)
  for (const { run } of [h, far].map((each) => ({ run: each.run.bind(each) }))) {
    expect(run('HGETALL', 'hash')).toEqual(['f7', '3'])
    expect(run('EXISTS', 'zset')).toBe(0)
  }
})

it('SPOP of many takes what it says, and nothing else', () => {
  fill()
  engine.ask('SPOP', 'set', '300')
  expect(engine.turns()).toBeGreaterThan(2)
  const popped = client.received.split('\r\n').filter((line) => line.startsWith('m'))
  expect(new Set(popped).size).toBe(300)
  expect(h.run('SCARD', 'set')).toBe(COUNT - 300)
  expect(popped.filter((member) => h.run('SISMEMBER', 'set', member) !== 0)).toEqual([])
  client.received = ''
  engine.ask('SPOP', 'set', '1000')
  engine.turns()
  expect(client.received.split('\r\n').filter((line) => line.startsWith('m'))).toHaveLength(COUNT - 300)
  expect(h.run('EXISTS', 'set')).toBe(0)
})

it('an error that is found on the way is the reply, and nothing has happened', () => {
  fill()
  engine.ask('SORT', 'list', 'STORE', 'to')
  engine.turns()
  expect(client.received).toBe("-ERR One or more scores can't be converted into double\r\n")
  expect(h.run('EXISTS', 'to')).toBe(0)
  client.received = ''
  engine.ask('SORT', 'list')
  engine.turns()
  expect(client.received).toBe("-ERR One or more scores can't be converted into double\r\n")
})

describe('while a long write is under way', () => {
  let other: ReceivingSession

  /** Turns until the write is being applied: it has been logged. */
  function untilCommitted(): void {
    const frames = h.log.frames.length
    while (h.log.frames.length === frames) clock.turn()
    expect(h.engine.longWrites.isApplying).toBe(true)
  }

  /** Runs a command of another client: its reply, or '' if it waits. */
  const byOther = (...args: string[]): string => h.raw(args, other)

  beforeEach(() => {
    other = new ReceivingSession(200)
    fill()
  })

  it('others go on, and its keys can be read until it happens', () => {
    engine.ask('SUNIONSTORE', 'string', 'set', 'set2')
    clock.turn()
    expect(byOther('GET', 'string')).toBe('$1\r\nx\r\n')
    expect(byOther('SCARD', 'set')).toBe(`:${COUNT}\r\n`)
    expect(byOther('SET', 'else', '1')).toBe('+OK\r\n')
    expect(byOther('DBSIZE')).toMatch(/^:/)
    untilCommitted()
    expect(byOther('SET', 'else', '2')).toBe('+OK\r\n')
    expect(byOther('SCARD', 'set')).toBe(`:${COUNT}\r\n`)
    engine.turns()
    expect(client.received).toBe(`:${COUNT * 1.5}\r\n`)
  })

  it.each([
    ['a write to a source', ['SADD', 'set', 'late'], ':1\r\n'],
    ['a write to the destination', ['SADD', 'to', 'late'], ':1\r\n'],
    ['a removal of everything', ['FLUSHALL'], '+OK\r\n'],
  ])('%s waits until it is over', (_, args, reply) => {
    engine.ask('SUNIONSTORE', 'to', 'set', 'set2')
    clock.turn()
    expect(byOther(...args)).toBe('')
    engine.turns()
    clock.turn()
    expect(client.received).toBe(`:${COUNT * 1.5}\r\n`)
    expect(other.received).toBe(reply)
    expect(h.run('SCARD', 'to')).toBe(args[0] === 'FLUSHALL' ? 0 : args[1] === 'to' ? COUNT * 1.5 + 1 : COUNT * 1.5)
  })

  it.each([
    [['SCARD', 'to'], `:${COUNT * 1.5}\r\n`],
    [['EXISTS', 'string', 'to'], ':2\r\n'],
    [['DBSIZE'], ':9\r\n'],
    [['COPY', 'string', 'to'], ':0\r\n'],
    [['MGET', 'string', 'to'], '*2\r\n$1\r\nx\r\n$-1\r\n'],
  ])('nobody sees half of it: %s waits', (args, reply) => {
    engine.ask('SUNIONSTORE', 'to', 'set', 'set2')
    untilCommitted()
    expect(byOther(...args)).toBe('')
    engine.turns()
    clock.turn()
    expect(other.received).toBe(reply)
  })

  it('a transaction on one of its keys waits as a whole', () => {
    engine.ask('SUNIONSTORE', 'to', 'set', 'set2')
    untilCommitted()
    byOther('MULTI')
    byOther('SET', 'else', '1')
    byOther('SCARD', 'to')
    expect(byOther('EXEC')).toBe('')
    expect(h.run('GET', 'else')).toBeNull()
    engine.turns()
    clock.turn()
    expect(other.received).toBe(`*2\r\n+OK\r\n:${COUNT * 1.5}\r\n`)
  })

  it('a transaction goes on in one go inside EXEC', () => {
    h.raw(['MULTI'], client)
    h.raw(['SUNIONSTORE', 'to', 'set', 'set2'], client)
    expect(h.raw(['EXEC'], client)).toBe(`*1\r\n:${COUNT * 1.5}\r\n`)
  })

  it('breaks what watches its destination or a renamed key, at once', () => {
    for (const key of ['zset', 'to']) byOther('WATCH', key)
    engine.ask('RENAME', 'zset', 'to')
    untilCommitted()
    byOther('MULTI')
    byOther('PING')
    expect(byOther('EXEC')).toBe('*-1\r\n')
    engine.turns()
  })

  it('serves who is blocked for its destination when it is whole', () => {
    expect(byOther('BLPOP', 'to', '0')).toBe('')
    engine.ask('RENAME', 'list', 'to')
    untilCommitted()
    expect(other.received).toBe('')
    engine.turns()
    expect(other.received).toContain('$2\r\nto\r\n$2\r\ne0\r\n')
    expect(h.run('LLEN', 'to')).toBe(COUNT - 1)
  })

  it('nothing has happened when its client goes before', () => {
    engine.ask('SUNIONSTORE', 'to', 'set', 'set2')
    clock.turn()
    expect(byOther('SADD', 'set', 'late')).toBe('')
    const frames = h.log.frames.length
    h.engine.sessionClosed(client)
    clock.turn()
    expect(other.received).toBe(':1\r\n')
    clock.turn()
    expect(h.log.frames.length).toBe(frames + 1)
    expect(h.run('EXISTS', 'to')).toBe(0)
    expect(h.engine.keyspace.settleGuard).toBeNull()
  })

  it('it goes to its end when its client goes later', () => {
    engine.ask('SUNIONSTORE', 'to', 'set', 'set2')
    untilCommitted()
    h.engine.sessionClosed(client)
    expect(byOther('SCARD', 'to')).toBe('')
    for (let turn = 0; turn < 1000; turn++) clock.turn()
    expect(other.received).toBe(`:${COUNT * 1.5}\r\n`)
    expect(client.received).toBe('')
  })

  it('it does not happen while clients are paused', () => {
    engine.ask('SUNIONSTORE', 'to', 'set', 'set2')
    clock.turn()
    byOther('CLIENT', 'PAUSE', '100', 'WRITE')
    for (let turn = 0; turn < 1000; turn++) clock.turn()
    expect(h.run('EXISTS', 'to')).toBe(0)
    byOther('CLIENT', 'UNPAUSE')
    engine.turns()
    expect(client.received).toBe(`:${COUNT * 1.5}\r\n`)
  })

  it('one that has become short before its turn does not happen either while clients are paused', () => {
    const next = new ReceivingSession(300)
    engine.write(
      'SADD',
      'set3',
      numbers.map((n) => [`m${n}`]),
    )
    engine.ask('SUNIONSTORE', 'to', 'set', 'set2')
    expect(h.raw(['COPY', 'set3', 'copy'], next)).toBe('')
    for (let from = 1; from < COUNT; from += BATCH)
      byOther('SREM', 'set3', ...numbers.slice(from, from + BATCH).map((n) => `m${n}`))
    untilCommitted()
    byOther('CLIENT', 'PAUSE', '100', 'WRITE')
    engine.turns()
    for (let turn = 0; turn < 1000; turn++) clock.turn()
    expect(h.run('SCARD', 'set3')).toBe(1)
    expect(h.run('EXISTS', 'copy')).toBe(0)
    byOther('CLIENT', 'UNPAUSE')
    while (next.blocked !== null) clock.turn()
    expect(next.received).toBe(':1\r\n')
    expect(h.run('SMEMBERS', 'copy')).toEqual(['m0'])
  })

  it('keys that fall due stay until it is over', () => {
    h.run('PEXPIRE', 'set', '50')
    engine.ask('SUNIONSTORE', 'to', 'set', 'set2')
    clock.turn()
    clock.now += 60
    h.engine.beginBatch()
    expect(h.engine.expiry.run()).toBe(false)
    engine.turns()
    expect(client.received).toBe(`:${COUNT * 1.5}\r\n`)
    expect(h.run('EXISTS', 'set')).toBe(0)
    expect(h.run('SCARD', 'to')).toBe(COUNT * 1.5)
  })

  it('fields that fall due stay until it is over', () => {
    h.run('HPEXPIRE', 'hash', '50', 'FIELDS', '1', 'f9')
    engine.ask('COPY', 'hash', 'to')
    clock.turn()
    clock.now += 60
    h.engine.beginBatch()
    h.engine.fieldExpiry.run()
    expect(h.engine.statistics.expiredFields).toBe(0)
    engine.turns()
    clock.now += 2000
    h.engine.beginBatch()
    h.engine.fieldExpiry.run()
    expect(h.engine.statistics.expiredFields).toBeGreaterThan(0)
    expect(h.run('HLEN', 'hash')).toBe(COUNT - 1)
    expect(h.run('HLEN', 'to')).toBe(COUNT - 1)
  })

  it('a second one waits for its turn, and finds what is there then', () => {
    const next = new ReceivingSession(300)
    engine.ask('SUNIONSTORE', 'to', 'set', 'set2')
    expect(h.raw(['SUNIONSTORE', 'set', 'set', 'set2'], next)).toBe('')
    clock.turn()
    expect(h.run('DEL', 'string')).toBe(1)
    expect(byOther('DEL', 'set2')).toBe('')
    engine.turns()
    while (next.blocked !== null) clock.turn()
    expect(other.received).toBe(':1\r\n')
    expect(next.received).toBe(`:${COUNT}\r\n`)
  })

  it('long reads of its destination see all of it or nothing', () => {
    const readers: ReceivingSession[] = []
    engine.ask('SINTERSTORE', 'set2', 'set', 'set2')
    engine.turns(() => {
      const reader = new ReceivingSession(1000 + readers.length)
      readers.push(reader)
      h.raw(['SMEMBERS', 'set2'], reader)
    })
    while (readers.some(({ blocked }) => blocked !== null)) clock.turn()
    const sizes = readers.map(({ received }) => Number(/^\*(\d+)/.exec(received)?.[1]))
    expect(new Set(sizes)).toEqual(new Set([COUNT, COUNT / 2]))
    for (const [i, { received }] of readers.entries()) expect(received.split('\r\n')).toHaveLength(2 * sizes[i] + 2)
  })

  it('says what it has done when it has done it', () => {
    h.engine.notifications.classes = 0xffff
    byOther('PSUBSCRIBE', '__key*__:*')
    engine.ask('SUNIONSTORE', 'to', 'set', 'set2')
    untilCommitted()
    expect(other.received).not.toContain('sunionstore')
    engine.turns()
    expect(other.received.match(/sunionstore/g)?.length).toBe(2)
  })

  it('counts once', () => {
    h.run('CONFIG', 'RESETSTAT')
    const spec = h.services.table.find('sunionstore')
    engine.ask('SUNIONSTORE', 'to', 'set', 'set2')
    engine.turns()
    expect(spec?.calls).toBe(1)
    expect(spec?.microseconds).toBeGreaterThan(1000)
  })

  it('a wrong type is said at its turn', () => {
    engine.ask('SUNIONSTORE', 'to', 'set', 'set2')
    const next = new ReceivingSession(300)
    expect(h.raw(['SUNIONSTORE', 'to', 'set', 'set2'], next)).toBe('')
    expect(h.run('DEL', 'set')).toBe(1)
    expect(h.run('SET', 'set', 'x')).toBe('OK')
    engine.turns()
    while (next.blocked !== null) clock.turn()
    expect(next.received).toMatch(/^-WRONGTYPE/)
  })
})

describe('a large frame of another member', () => {
  let far: EngineHarness
  let other: ReceivingSession

  beforeEach(() => {
    make(false)
    other = new ReceivingSession(200)
    far = new EngineHarness({ solo: false, self: 2 }, clock)
    far.run('SADD', 'big', ...numbers.map((n) => `m${n}`))
    far.receive(h)
    far.run('MSET', ...numbers.flatMap((n) => [`key${n}`, 'value']))
  })

  const last = () => far.log.frames[far.log.frames.length - 1]

  it('is applied in slices; its keys wait, others do not', () => {
    const [first] = far.log.frames
    h.engine.remote.take(first)
    while (h.engine.takesNoFrames) clock.turn()
    let idle = 0
    h.engine.onLongWritesIdle = () => idle++
    h.engine.remote.take(last())
    expect(h.engine.takesNoFrames).toBe(true)
    expect(h.engine.isMidway).toBe(true)
    for (let turn = 0; turn < COUNT; turn++) clock.turn()
    expect(h.raw(['GET', 'key0'], other)).toBe('')
    expect(h.run('SET', 'mine', '1')).toBe('OK')
    expect(h.engine.applied.get(last().origin)).toBeLessThan(last().last)
    while (h.engine.takesNoFrames) clock.turn()
    expect(idle).toBe(1)
    expect(h.engine.applied.get(last().origin)).toBe(last().last)
    expect(other.received).toBe('$5\r\nvalue\r\n')
    far.receive(h)
    expect(digestOf(far)).toEqual(digestOf(h))
  })

  it('is applied in slices when it is short but has many effects, such as LTRIM of very many elements', () => {
    const near = new EngineHarness({ solo: false, self: 3, slicing: { ...SLICING, frameBytes: 1e6 } }, clock)
    for (const frame of far.log.frames.slice(0, -1)) near.engine.remote.take(frame)
    expect(near.engine.takesNoFrames).toBe(false)
    expect(near.run('SCARD', 'big')).toBe(COUNT)
    near.engine.remote.take(last())
    expect(near.engine.takesNoFrames).toBe(true)
    expect(near.engine.applied.get(last().origin)).toBeLessThan(last().last)
    while (near.engine.takesNoFrames) clock.turn()
    expect(digestOf(near)).toEqual(digestOf(far))
  })

  it('changes nothing when it is malformed, and says so when it comes again', () => {
    const [first] = far.log.frames
    const bad = first.copy()
    bad.bytes[bad.opsOffset + 1] = 0x7f
    h.engine.remote.take(bad)
    while (h.engine.takesNoFrames) clock.turn()
    expect(h.run('DBSIZE')).toBe(0)
    expect(() => h.engine.remote.take(bad)).toThrow(/malformed/)
    h.engine.remote.take(first)
    while (h.engine.takesNoFrames) clock.turn()
    expect(h.run('SCARD', 'big')).toBe(COUNT)
  })
})
