import { beforeEach, describe, expect, it } from 'vitest'
import type { EngineHarness } from '../support/engine-harness.js'
import { COUNT, numbers, SlicedEngine } from '../support/sliced-engine.js'
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

/** zset: with counters when there are others; list; sketch. */
function fill(): void {
  engine.write(
    'ZADD',
    'zset',
    numbers.map((n) => [`${(n * 7) % 90}`, `m${n}`]),
  )
  for (const n of [3, 200, 399]) h.run('ZINCRBY', 'zset', '1.5', `m${n}`)
  engine.write(
    'RPUSH',
    'list',
    numbers.map((n) => [`e${n}`]),
  )
  for (const key of ['zset', 'list']) h.run('PEXPIRE', key, '5000000')
}

const POPS: string[][] = [
  ['ZPOPMIN', 'zset', '300'],
  ['ZPOPMAX', 'zset', '300'],
  ['ZPOPMAX', 'zset', '1000000'],
  ['ZPOPMIN', 'zset', '400'],
  ['ZMPOP', '3', 'none', 'zset', 'list', 'MIN', 'COUNT', '300'],
  ['ZMPOP', '1', 'zset', 'MAX', 'COUNT', '1000000'],
  ['BZMPOP', '0', '2', 'none', 'zset', 'MIN', 'COUNT', '1000000'],
  ['BZMPOP', '1', '1', 'zset', 'MAX', 'COUNT', '200'],
  ['BLMPOP', '0', '2', 'none', 'list', 'LEFT', 'COUNT', '1000000'],
  ['BLMPOP', '1', '1', 'list', 'RIGHT', 'COUNT', '200'],
]

describe.each([true, false])('a pop of many (alone: %s)', (solo) => {
  beforeEach(() => make(solo))

  it.each(POPS.flatMap((args) => ([2, 3] as const).map((protocol) => [args.join(' '), protocol, args] as const)))(
    '%s does what it does in one go, by RESP%i',
    (_, protocol, args) => {
      fill()
      engine.runAsInOneGo(args, protocol, ['zset', 'list'])
    },
  )
})

it.each([
  [
    'BLMPOP',
    ['BLMPOP', '0', '1', 'list', 'LEFT', 'COUNT', '300'],
    ['RPUSH', 'list', 'late'],
    '*2\r\n$4\r\nlist\r\n*1\r\n$4\r\nlate\r\n',
  ],
  [
    'BZMPOP',
    ['BZMPOP', '0', '1', 'zset', 'MIN', 'COUNT', '300'],
    ['ZADD', 'zset', '1', 'late'],
    '*2\r\n$4\r\nzset\r\n*1\r\n*2\r\n$4\r\nlate\r\n$1\r\n1\r\n',
  ],
])('%s of much that is gone when its turn comes waits for more', (_, args, push, reply) => {
  fill()
  const first = new ReceivingSession(200)
  engine.write(
    'SADD',
    'busy',
    numbers.map((n) => [`m${n}`]),
  )
  expect(h.raw(['COPY', 'busy', 'to'], first)).toBe('')
  engine.ask(...args)
  h.run('DEL', 'zset')
  const remover = new ReceivingSession(201)
  h.raw(['DEL', 'list'], remover)
  for (let turn = 0; turn < 1000; turn++) clock.turn()
  expect(first.received).toBe(':1\r\n')
  expect(client.received).toBe('')
  expect(client.blocked?.isRunning).not.toBe(true)
  h.run('SET', 'other', 'x')
  h.run(...push)
  expect(client.received).toBe(reply)
  expect(client.blocked).toBeNull()
})

it.each([
  ['RPUSH', ['RPUSH', 'list', ...numbers.map((n) => `new${n}`)], ['LLEN', 'list'], ['RPUSH', 'list', 'late'], COUNT * 2],
  ['LPUSH', ['LPUSH', 'list', ...numbers.map((n) => `new${n}`)], ['LLEN', 'list'], ['LPOP', 'list'], COUNT * 2],
  [
    'ZADD NX',
    ['ZADD', 'zset', 'NX', ...numbers.flatMap((n) => ['1', `new${n}`])],
    ['ZCARD', 'zset'],
    ['ZREM', 'zset', 'new399'],
    COUNT * 2,
  ],
  ['PFADD', ['PFADD', 'sketch', ...numbers.map((n) => `new${n}`)], ['PFCOUNT', 'sketch'], ['PFADD', 'sketch', 'late'], null],
  ['ZPOPMIN', ['ZPOPMIN', 'zset', '300'], ['ZCARD', 'zset'], ['ZADD', 'zset', '1', 'late'], COUNT - 300],
  ['BLMPOP', ['BLMPOP', '0', '1', 'list', 'LEFT', 'COUNT', '300'], ['LLEN', 'list'], ['RPUSH', 'list', 'late'], COUNT - 300],
] as const)('%s of many is not seen in part, and whoever writes its key comes behind it', (_, args, look, late, size) => {
  fill()
  h.run('PFADD', 'sketch', 'a', 'b')
  const before = h.run(...look)
  engine.ask(...args)
  engine.turns(() => undefined, 1)
  const writer = new ReceivingSession(200)
  expect(h.raw([...late], writer)).toBe('')
  const seen = new Set<unknown>()
  let reader = new ReceivingSession(210)
  const waited: ReceivingSession[] = []
  engine.turns(() => {
    const reply = h.raw([...look], reader)
    if (reply !== '') {
      seen.add(Number(reply.slice(1)))
    } else {
      waited.push(reader)
      reader = new ReceivingSession(300 + waited.length)
    }
  })
  expect(writer.received).toBe('')
  for (let turn = 0; turn < 100; turn++) clock.turn()
  expect([...seen]).toEqual([before])
  expect(writer.received).not.toBe('')
  const after = size ?? Number(h.run(...look))
  for (const { received } of waited) expect(Math.abs(Number(received.slice(1)) - after)).toBeLessThanOrEqual(1)
  if (size !== null) expect(Math.abs(Number(h.run(...look)) - size)).toBe(1)
})

it('ZADD of many says that a score is none before that its key holds something else, as Redis does', () => {
  h.run('SET', 'string', 'x')
  const members = numbers.flatMap((n) => [n === 399 ? 'x' : '1', `m${n}`])
  h.raw(['ZADD', 'string', ...members], client)
  engine.turns()
  expect(client.received).toBe('-ERR value is not a valid float\r\n')
  client.received = ''
  h.raw(['ZADD', 'string', ...numbers.flatMap((n) => ['1', `m${n}`])], client)
  engine.turns()
  expect(client.received).toBe('-WRONGTYPE Operation against a key holding the wrong kind of value\r\n')
})
