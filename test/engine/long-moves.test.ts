import { beforeEach, describe, expect, it } from 'vitest'
import { Engine } from '../../src/engine/engine.js'
import type { EngineHarness } from '../support/engine-harness.js'
import { COUNT, numbers, SlicedEngine } from '../support/sliced-engine.js'
import { ReceivingSession, type TickingClock } from '../support/ticking-clock.js'

let engine: SlicedEngine
let h: EngineHarness
let clock: TickingClock
let client: ReceivingSession

function make(solo: boolean): void {
  engine = new SlicedEngine(solo)
  ;({ h, clock, client } = engine)
  engine.write(
    'RPUSH',
    'list',
    numbers.map((n) => [`e${n}`]),
  )
  h.run('PEXPIRE', 'list', '5000000')
  h.run('RPUSH', 'there', 'x', 'y')
  h.run('PEXPIRE', 'there', '6000000')
}

const ENDS = ['LEFT', 'RIGHT']
const MOVES = ['there', 'new', 'list'].flatMap((to) =>
  ENDS.flatMap((from) =>
    ENDS.flatMap((where) =>
      ['OBO', 'BULK'].flatMap((order) => [
        ['LMOVEM', 'list', to, from, where, 'COUNT', '300', order],
        ['BLMOVEM', 'list', to, from, where, '0', 'EXACTLY', String(COUNT), order],
      ]),
    ),
  ),
)

describe.each([true, false])('a move of many (alone: %s)', (solo) => {
  beforeEach(() => make(solo))

  it.each(MOVES.map((args, i) => [args.join(' '), i % 2 === 0 ? (2 as const) : (3 as const), args] as const))(
    '%s does what it does in one go, by RESP%i',
    (_, protocol, args) => {
      const third = engine.runAsInOneGo(args, protocol, ['list', 'there', 'new'])
      // What is pushed then stands where it should, whoever pushes.
      for (const [each, key] of [
        [h, args[2]],
        [third, args[2]],
      ] as const) {
        each.run('RPUSH', key, 'last')
        each.run('LPUSH', key, 'first')
        expect([each.run('LINDEX', key, '0'), each.run('LINDEX', key, '-1')]).toEqual(['first', 'last'])
      }
    },
  )

  it.each([
    ['LMOVEM', 'list', 'new', 'LEFT', 'RIGHT', 'COUNT', String(COUNT), 'BULK'],
    ['RPOP', 'list', String(COUNT)],
    ['LMPOP', '2', 'none', 'list', 'LEFT', 'COUNT', String(COUNT)],
    ['LTRIM', 'list', '1', '0'],
    ['LREM', 'list', '0', 'same'],
  ])('leaves no expiry to the list that takes the place of one of which all went: %s', (...args) => {
    if (args[0] === 'LREM') {
      h.run('DEL', 'list')
      engine.write(
        'RPUSH',
        'list',
        numbers.map(() => ['same']),
      )
      h.run('PEXPIRE', 'list', '5000000')
    }
    // Of a row that goes at an end, which is little work, very many.
    const rounds = args[0] === 'LTRIM' ? 100 : 0
    for (let i = 0; i < rounds; i++)
      for (let from = 0; from < 200; from += 50) h.run('RPUSH', 'list', ...numbers.slice(from, from + 50).map(String))
    engine.ask(...args)
    engine.turns()
    h.run('RPUSH', 'list', 'x')
    expect(h.run('PTTL', 'list')).toBe(-1)
    const { services, log } = h
    const recovered = new Engine({ self: services.replication.memberId, databases: 16, solo, hashSeed: 11 }, clock, services)
    // The log once more, as from a snapshot that is newer than its beginning.
    for (let time = 0; time < 2; time++) for (const frame of log.frames) recovered.replay.recover(frame)
    const db = recovered.keyspace.database(0)
    recovered.keyspace.beginCommand()
    const ref = recovered.keyspace.find(db, Buffer.from('list'), 0, 4)
    expect([ref === 0, db.expiresAt(ref)]).toEqual([false, Infinity])
  })

  it('is not seen in part, and whoever writes its keys comes behind it', () => {
    engine.ask('LMOVEM', 'list', 'there', 'LEFT', 'LEFT', 'COUNT', '300', 'OBO')
    engine.turns(() => undefined, 1)
    const writers = ['list', 'there'].map((key, i) => {
      const writer = new ReceivingSession(200 + i)
      expect(h.raw(['LPUSH', key, 'late'], writer)).toBe('')
      return writer
    })
    const seen = new Set<string>()
    let next = 210
    engine.turns(() => {
      for (const key of ['list', 'there']) seen.add(`${key} ${h.raw(['LLEN', key], new ReceivingSession(next++))}`)
    })
    seen.delete('list ')
    seen.delete('there ')
    for (const each of seen) expect(['list :400\r\n', 'there :2\r\n']).toContain(each)
    for (let turn = 0; turn < 100; turn++) clock.turn()
    expect(writers.map(({ received }) => received)).toEqual([':101\r\n', ':303\r\n'])
    expect(h.run('LRANGE', 'there', '0', '1')).toEqual(['late', 'e299'])
  })
})

it('BLMOVEM of much that is gone when its turn comes waits until there is enough again', () => {
  make(true)
  const first = new ReceivingSession(200)
  engine.write(
    'SADD',
    'busy',
    numbers.map((n) => [`m${n}`]),
  )
  expect(h.raw(['COPY', 'busy', 'to'], first)).toBe('')
  engine.ask('BLMOVEM', 'list', 'there', 'LEFT', 'RIGHT', '0', 'EXACTLY', '300', 'BULK')
  h.raw(['LTRIM', 'list', '0', '290'], new ReceivingSession(201))
  for (let turn = 0; turn < 1000; turn++) clock.turn()
  expect(first.received).toBe(':1\r\n')
  expect(client.received).toBe('')
  expect(client.blocked?.isRunning).not.toBe(true)
  h.run('RPUSH', 'list', ...numbers.slice(0, 8).map(String))
  for (let turn = 0; turn < 100; turn++) clock.turn()
  expect(client.received).toBe('')
  h.run('RPUSH', 'list', 'late')
  engine.turns()
  expect(client.received).toMatch(/^\*300\r\n\$2\r\ne0\r\n[^]*\$4\r\nlate\r\n$/)
  expect([h.run('EXISTS', 'list'), h.run('LLEN', 'there')]).toEqual([0, 302])
})
