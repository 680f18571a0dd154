import { describe, expect, it } from 'vitest'
import { digestOf as digestOfKeyspace } from '../../../src/keyspace/digest.js'
import { sealPayload } from '../../../src/rdb/payload.js'
import { Engine } from '../../../src/engine/engine.js'
import { EngineHarness } from '../../support/engine-harness.js'
import { MemoryLog } from '../../support/memory-log.js'
import { SLICING } from '../../support/sliced-engine.js'
import { ReceivingSession, TickingClock } from '../../support/ticking-clock.js'
import { SeededRandom } from '../../simulation/random.js'

/** What goes in slices here, and commands that make the streams stay below. */
const SHORT = 20
const slicing = { ...SLICING, readElements: SHORT, writeElements: SHORT, frameBytes: Infinity }
const ENTRIES = 300
const GROUPS = ['g', 'h']
const SEEDS = Array.from({ length: 2 }, (_, seed) => seed + 1)

type Arguments = readonly (string | Uint8Array)[]

/** Of everything that is visible. */
function digestOf(member: EngineHarness): string {
  return digestOfKeyspace(member.engine.keyspace, member.engine)
}

/** One stream in two members of the same name: in one its commands go in slices, in the other in one go. Another member writes to it too. */
class Twins {
  readonly clock = new TickingClock()
  readonly sliced: EngineHarness
  readonly whole: EngineHarness
  readonly far: EngineHarness
  readonly client = new ReceivingSession(100)
  private readonly random: SeededRandom

  constructor(
    seed: number,
    readonly solo: boolean,
  ) {
    this.random = new SeededRandom(seed)
    this.sliced = new EngineHarness({ solo, slicing }, this.clock)
    this.whole = new EngineHarness({ solo }, this.clock)
    this.far = new EngineHarness({ solo, self: 2 }, this.clock)
  }

  below(bound: number): number {
    return this.random.uint32() % bound
  }

  /** Below the bound at which commands go in slices. */
  both(...args: string[]): unknown {
    const reply = this.sliced.run(...args)
    expect(this.whole.run(...args)).toEqual(reply)
    return reply
  }

  exchange(): void {
    if (this.solo) return
    this.far.receive(this.sliced)
    this.sliced.receive(this.far)
    this.whole.receive(this.far)
  }

  /** Entries, some of them with the same ID from elsewhere, deleted ones, groups, and what they have pending, some of it of entries that have gone. */
  fill(): this {
    for (let n = 1; n <= ENTRIES; n++) {
      const fields = [`f${this.below(3)}`, `v${n}`, ...(this.below(4) === 0 ? ['more', 'x'.repeat(this.below(300))] : [])]
      this.both('XADD', 's', `${n}-1`, ...fields)
      if (!this.solo && this.below(3) === 0) this.far.run('XADD', 's', `${n}-${1 + this.below(2)}`, 'far', `${n}`)
      if (n % 100 === 0) this.exchange()
      if (n === ENTRIES / 4) {
        this.both('XGROUP', 'CREATE', 's', 'g', '0')
        this.both('XGROUP', 'CREATE', 's', 'h', `${1 + this.below(n)}-0`)
      }
      if (n > ENTRIES / 4) this.disturb(n)
    }
    this.exchange()
    return this
  }

  private disturb(n: number): void {
    const group = GROUPS[this.below(2)]
    const consumer = `c${this.below(4)}`
    const id = `${1 + this.below(n)}-1`
    switch (this.below(12)) {
      case 0:
      case 1:
        this.both('XREADGROUP', 'GROUP', group, consumer, 'COUNT', `${1 + this.below(12)}`, 'STREAMS', 's', '>')
        break
      case 2:
        this.both('XREADGROUP', 'GROUP', group, consumer, 'COUNT', '2', 'NOACK', 'STREAMS', 's', '>')
        break
      case 3:
        this.both('XACK', 's', group, id)
        break
      case 4:
        this.both('XDEL', 's', id)
        break
      case 5:
        this.both('XCLAIM', 's', group, consumer, '0', id, 'FORCE')
        break
      case 6:
        if (this.below(5) === 0) this.both('XGROUP', 'SETID', 's', group, id)
        break
      case 7:
        if (this.below(8) === 0) this.both('XTRIM', 's', 'MINID', `${1 + this.below(40)}`)
        break
      case 8:
        if (!this.solo && this.below(3) === 0) {
          this.exchange()
          this.far.run('XACK', 's', group, id)
          this.exchange()
        }
        break
      case 9:
        this.clock.advance(this.below(5))
        break
      case 10:
        this.both('XNACK', 's', group, 'FAIL', 'IDS', '2', id, `${1 + this.below(n)}-1`)
        break
    }
  }

  /** What a command that goes in slices replies in the end. between: after each of its turns but the last. Says how many those were. */
  inSlices(args: Arguments, between: () => void = () => undefined): { reply: string; turns: number } {
    const { client, clock } = this
    client.received = ''
    expect(this.sliced.raw(args, client)).toBe('')
    expect(client.blocked?.isRunning).toBe(true)
    let turns = 0
    for (; client.blocked !== null && turns < 10_000; turns++) {
      clock.turn()
      if (client.blocked !== null) between()
    }
    return { reply: client.received, turns }
  }

  inOneGo(args: Arguments, harness = this.whole): string {
    const session = harness.newSession()
    session.protocol = this.client.protocol
    harness.raw(['MULTI'], session)
    harness.raw(args, session)
    return harness.raw(['EXEC'], session).slice('*1\r\n'.length)
  }

  /** A command does in slices what it does in one go. */
  doesTheSame(args: Arguments, ...keys: string[]): string {
    const { reply, turns } = this.inSlices(args)
    expect(turns).toBeGreaterThan(1)
    expect(reply).toBe(this.inOneGo(args))
    for (const key of keys) {
      for (const look of [
        ['DUMP', key],
        ['XINFO', 'STREAM', key, 'FULL', 'COUNT', '0'],
      ]) {
        expect(this.inOneGo(look, this.sliced)).toBe(this.inOneGo(look))
      }
    }
    expect(digestOf(this.sliced)).toEqual(digestOf(this.whole))
    return reply
  }

  /** Also to others, and to who reads the log. */
  ends(...keys: string[]): void {
    const third = new EngineHarness({ solo: this.solo, self: 3 }, this.clock)
    third.receive(this.sliced)
    expect(digestOf(third)).toEqual(digestOf(this.sliced))
    this.readsItsLog(keys)
  }

  private readsItsLog(keys: readonly string[]): void {
    const options = { self: 1, databases: 16, solo: this.solo, hashSeed: 3 }
    const again = new EngineHarness({ solo: this.solo }, this.clock)
    const engine = new Engine(options as ConstructorParameters<typeof Engine>[0], this.clock, again.services)
    for (const frame of this.sliced.log.frames) engine.replay.recover(frame)
    engine.start(new MemoryLog())
    Object.assign(again, { engine })
    expect(digestOf(again)).toEqual(digestOf(this.sliced))
    for (const key of keys) {
      for (const group of GROUPS) {
        const look = ['XPENDING', key, group, '-', '+', '100000']
        expect(again.raw(look)).toBe(this.inOneGo(look, this.sliced))
      }
    }
  }
}

describe.each([true, false])('a stream of which much is done in slices (alone: %s)', (solo) => {
  it.each(SEEDS)('is dumped as in one go (seed %i)', (seed) => {
    const twins = new Twins(seed, solo).fill()
    const { reply, turns } = twins.inSlices(['DUMP', 's'])
    expect(turns).toBeGreaterThan(1)
    expect(reply).toBe(twins.inOneGo(['DUMP', 's']))
    expect(reply).not.toBe('$-1\r\n')
  })

  it.each(SEEDS)('forgets messages as in one go, but none that it has not seen (seed %i)', (seed) => {
    const twins = new Twins(seed + 800, solo)
    const send = (name: number): unknown =>
      twins.both('XADD', 's', 'IDMP', `p${name % 3}`, `${twins.below(60)}-${name}`, '*', 'f', 'v')
    for (let n = 0; n < 290; n++) {
      send(n)
      if (n % 50 === 0) twins.clock.advance(20_000)
      if (!solo && n % 3 === 0) twins.far.run('XADD', 's', 'IDMP', `p${n % 4}`, `${twins.below(60)}-${n}`, '*', 'f', 'far')
      if (n % 100 === 0) twins.exchange()
    }
    const before = digestOf(twins.sliced)
    const info = twins.inOneGo(['XINFO', 'STREAM', 's'], twins.sliced)
    const between = (): void => void twins.both('SET', 'other', 'value')
    const { reply, turns } = twins.inSlices(['XCFGSET', 's', 'IDMP-DURATION', '1000'], between)
    expect(turns).toBeGreaterThan(1)
    expect(reply).toBe(twins.inOneGo(['XCFGSET', 's', 'IDMP-DURATION', '1000']))
    expect(digestOf(twins.sliced)).not.toEqual(before)
    expect(twins.inOneGo(['XINFO', 'STREAM', 's'], twins.sliced)).not.toBe(info)
    expect(twins.inOneGo(['XINFO', 'STREAM', 's'], twins.sliced)).toBe(twins.inOneGo(['XINFO', 'STREAM', 's']))
    twins.far.receive(twins.sliced)
    twins.sliced.receive(twins.far)
    twins.whole.receive(twins.far)
    expect(digestOf(twins.sliced)).toEqual(digestOf(twins.whole))
    expect(digestOf(twins.far)).toEqual(digestOf(twins.whole))
    twins.ends('s')
  })

  it.each(SEEDS)('is dumped and restored with what is known of messages as in one go (seed %i)', (seed) => {
    const twins = new Twins(seed + 900, solo)
    for (let n = 0; n < 290; n++) {
      twins.both('XADD', 's', 'IDMP', `p${twins.below(5)}`, `${twins.below(150)}`, '*', 'f', 'v')
      if (!solo && n % 3 === 0) twins.far.run('XADD', 's', 'IDMP', `p${n % 5}`, `${twins.below(150)}`, '*', 'f', 'far')
      if (n % 50 === 0) twins.exchange()
    }
    twins.exchange()
    const dumped = twins.doesTheSame(['DUMP', 's'])
    const payload = Buffer.from(dumped.slice(dumped.indexOf('\n') + 1, -2), 'latin1')
    expect(payload[0]).toBe(26)
    twins.doesTheSame(['RESTORE', 'to', '0', payload], 'to')
    // Of several marks with one name there is one in a payload.
    for (const count of ['idmp-maxsize', 'pids-tracked', 'iids-added', 'iids-duplicates', ...(solo ? ['iids-tracked'] : [])]) {
      const of = (key: string): unknown => {
        const info = twins.sliced.run('XINFO', 'STREAM', key) as unknown[]
        return info[info.indexOf(count) + 1]
      }
      expect([count, of('to')]).toEqual([count, of('s')])
    }
    twins.ends('to')
  })

  it.each(SEEDS)('is restored as in one go, or not at all (seed %i)', (seed) => {
    const twins = new Twins(seed + 700, solo).fill()
    const payload = Buffer.from(
      twins
        .inOneGo(['DUMP', 's'])
        .replace(/^\$\d+\r\n/, '')
        .slice(0, -2),
      'latin1',
    )
    twins.doesTheSame(['RESTORE', 'to', '0', payload], 'to')
    expect(twins.inOneGo(['DUMP', 'to'], twins.sliced)).toBe(twins.inOneGo(['DUMP', 's'], twins.sliced))
    twins.doesTheSame(['RESTORE', 's', '500000', payload, 'REPLACE'], 's')
    expect(twins.sliced.run('PTTL', 's')).toBe(twins.whole.run('PTTL', 's'))
    twins.doesTheSame(['RESTORE', 'to', '1', payload, 'REPLACE', 'ABSTTL'])
    expect(twins.sliced.run('EXISTS', 'to')).toBe(0)
    twins.both('XADD', 'to', '1-1', 'a', 'b')
    // Without the last byte before the footer, which is made to fit: what is malformed is found when all entries have been read.
    const bad = payload.subarray(0, -11)
    expect(twins.inSlices(['RESTORE', 'bad', '0', sealPayload(bad[0], bad.subarray(1), 14)]).reply).toBe(
      '-ERR Bad data format\r\n',
    )
    expect(twins.sliced.run('EXISTS', 'bad')).toBe(0)
    twins.ends('s')
  })

  it.each(SEEDS)('is read by a group as in one go (seed %i)', (seed) => {
    const twins = new Twins(seed, solo).fill()
    const newEntries = ['XREADGROUP', 'GROUP', 'g', `c${twins.below(6)}`, ...(seed % 2 === 0 ? ['NOACK'] : [])]
    twins.doesTheSame([...newEntries, 'COUNT', '100', 'STREAMS', 's', '>'], 's')
    twins.doesTheSame(['XREADGROUP', 'GROUP', 'h', 'c1', 'BLOCK', '0', 'STREAMS', 's', '>'], 's')
    twins.both('XDEL', 's', ...Array.from({ length: 15 }, () => `${1 + twins.below(ENTRIES)}-1`))
    twins.doesTheSame(['XREADGROUP', 'GROUP', 'h', 'c1', 'STREAMS', 's', `${twins.below(40)}`], 's')
    // Both, and one that has nothing.
    twins.both('XGROUP', 'CREATE', 'other', 'h', '0', 'MKSTREAM')
    for (let n = 0; n < 2 * SHORT; n++) twins.both('XADD', 'other', '*', 'n', `${n}`)
    twins.both('XGROUP', 'CREATE', 'empty', 'h', '0', 'MKSTREAM')
    const three = ['STREAMS', 'other', 'empty', 's', '>', '>', '0-7']
    twins.client.protocol = 3
    twins.doesTheSame(['XREADGROUP', 'GROUP', 'h', 'new', 'COUNT', '30', ...three], 's', 'other', 'empty')
    twins.doesTheSame(['XREADGROUP', 'GROUP', 'h', 'c1', 'COUNT', '30', ...three], 's', 'other', 'empty')
    twins.ends('s', 'other')
  })

  it.each(SEEDS)('has its entries claimed by who reads as in one go (seed %i)', (seed) => {
    const twins = new Twins(seed + 900, solo).fill()
    const reads = (consumer: string, idle: number, ...options: string[]): string[] => [
      'XREADGROUP',
      'GROUP',
      'h',
      consumer,
      'CLAIM',
      `${idle}`,
      ...options,
      'STREAMS',
      's',
      '>',
    ]
    for (let n = 0; n < 8; n++) {
      twins.both('XREADGROUP', 'GROUP', 'h', `c${n % 3}`, 'COUNT', '15', 'STREAMS', 's', '>')
      twins.clock.advance(twins.below(3))
    }
    for (let n = 0; n < 3; n++) twins.both('XDEL', 's', ...Array.from({ length: 15 }, () => `${1 + twins.below(ENTRIES)}-1`))
    twins.doesTheSame(reads('new', 3), 's')
    twins.clock.advance(5)
    twins.both('XDEL', 's', ...Array.from({ length: 15 }, () => `${1 + twins.below(ENTRIES)}-1`))
    twins.doesTheSame(reads('c1', 2, 'COUNT', '60'), 's')
    twins.clock.advance(5)
    twins.client.protocol = 3
    twins.doesTheSame(reads('c2', 2, 'MAXCOUNT', '90', 'MAXSIZE', '3000'), 's')
    twins.doesTheSame(reads('c0', 0, 'NOACK'), 's')
    for (let n = 0; n < 2 * SHORT; n++) twins.both('XADD', 's', '*', 'n', `${n}`)
    twins.doesTheSame(reads('newer', 0, 'COUNT', '10000', 'BLOCK', '0'), 's')
    twins.ends('s')
  })

  it.each(SEEDS)('has the order of what is pending made anew when it was broken off (seed %i)', (seed) => {
    const twins = new Twins(seed + 1300, solo).fill()
    for (let n = 0; n < 13; n++) {
      twins.both('XREADGROUP', 'GROUP', 'h', `c${n % 3}`, 'COUNT', '15', 'STREAMS', 's', '>')
      twins.clock.advance(twins.below(3))
    }
    twins.clock.advance(5)
    const claim = ['XREADGROUP', 'GROUP', 'h', 'new', 'CLAIM', '2', 'COUNT', '9', 'STREAMS', 's', '>']
    for (const turns of [1, 2, 3]) {
      const goes = new ReceivingSession(300 + turns)
      expect(twins.sliced.raw(claim, goes)).toBe('')
      for (let n = 0; n < turns; n++) twins.clock.turn()
      twins.sliced.engine.sessionClosed(goes)
      twins.clock.turn()
      for (let n = 0; n < 10; n++) twins.both('XACK', 's', 'h', `${1 + twins.below(ENTRIES)}-1`)
      twins.both('XCLAIM', 's', 'h', 'c1', '0', `${1 + twins.below(ENTRIES)}-1`)
    }
    twins.doesTheSame(claim, 's')
    twins.clock.advance(5)
    twins.doesTheSame([...claim.slice(0, 6), 'COUNT', '200', ...claim.slice(8)], 's')
    twins.ends('s')
  })

  it.each(SEEDS)('has its entries claimed as in one go (seed %i)', (seed) => {
    const twins = new Twins(seed + 200, solo).fill()
    const ids = (count: number): string[] =>
      Array.from({ length: count }, () => `${1 + twins.below(ENTRIES)}-${1 + twins.below(2)}`)
    for (let n = 0; n < 4; n++) twins.both('XREADGROUP', 'GROUP', 'h', 'c1', 'COUNT', '15', 'STREAMS', 's', '>')
    twins.both('XDEL', 's', ...ids(15))
    const rising = Array.from({ length: 150 }, (_, n) => `${n + 1}-1`)
    twins.doesTheSame(['XCLAIM', 's', 'h', 'c1', '0', ...rising], 's')
    twins.doesTheSame(['XCLAIM', 's', 'g', 'new', '0', ...ids(120), 'FORCE', 'LASTID', '250-7'], 's')
    twins.both('XDEL', 's', ...ids(15))
    twins.clock.advance(4)
    twins.doesTheSame(['XCLAIM', 's', 'h', 'c2', '2', ...ids(120), 'JUSTID', 'FORCE', 'IDLE', '30'], 's')
    twins.doesTheSame(['XCLAIM', 's', 'h', 'c2', '0', ...ids(120), 'RETRYCOUNT', '7', 'TIME', '1000'], 's')
    twins.both('XDEL', 's', ...ids(15))
    twins.doesTheSame(['XAUTOCLAIM', 's', 'g', 'c0', '1', '20', 'COUNT', '40'], 's')
    twins.doesTheSame(['XAUTOCLAIM', 's', 'h', 'newer', '0', '-', 'COUNT', '1000'], 's')
    twins.doesTheSame(['XAUTOCLAIM', 's', 'h', 'c3', '100000', '(17-1', 'COUNT', '1000', 'JUSTID'], 's')
    twins.ends('s')
  })

  it.each(SEEDS)('has its entries given back as in one go (seed %i)', (seed) => {
    const twins = new Twins(seed + 900, solo).fill()
    const some = (count: number): string[] =>
      Array.from({ length: count }, () => `${1 + twins.below(ENTRIES)}-${1 + twins.below(2)}`)
    const rising = Array.from({ length: 150 }, (_, n) => `${n + 1}-1`)
    for (let n = 0; n < 4; n++) twins.both('XREADGROUP', 'GROUP', 'h', 'c1', 'COUNT', '15', 'STREAMS', 's', '>')
    twins.both('XDEL', 's', ...some(15))
    twins.doesTheSame(['XNACK', 's', 'h', 'FAIL', 'IDS', '120', ...some(120)], 's')
    twins.doesTheSame(['XNACK', 's', 'g', 'SILENT', 'IDS', '150', ...rising], 's')
    twins.doesTheSame(['XNACK', 's', 'g', 'FATAL', 'IDS', '120', ...some(120), 'FORCE'], 's')
    twins.doesTheSame(['XNACK', 's', 'h', 'FAIL', 'IDS', '150', ...rising, 'FORCE', 'RETRYCOUNT', '7'], 's')
    const claim = ['XREADGROUP', 'GROUP', 'h', 'new', 'CLAIM', '1000', 'COUNT', '400', 'STREAMS', 's', '>']
    twins.doesTheSame(claim, 's')
    twins.ends('s')
  })

  it.each(SEEDS)('has its entries acknowledged and deleted as in one go (seed %i)', (seed) => {
    const twins = new Twins(seed + 500, solo).fill()
    const ids = (count: number): string[] =>
      Array.from({ length: count }, () => `${1 + twins.below(ENTRIES)}-${1 + twins.below(2)}`)
    for (let n = 0; n < 10; n++) twins.both('XREADGROUP', 'GROUP', 'h', 'c1', 'COUNT', '15', 'STREAMS', 's', '>')
    twins.doesTheSame(['XACK', 's', 'h', ...ids(150)], 's')
    twins.doesTheSame(['XDEL', 's', ...ids(150)], 's')
    twins.doesTheSame(['XACK', 's', 'h', ...Array.from({ length: 200 }, (_, n) => `${n + 50}-1`)], 's')
    twins.doesTheSame(['XDEL', 's', ...Array.from({ length: 150 }, (_, n) => `${n + 50}-1`)], 's')
    twins.ends('s')
  })

  it.each(SEEDS)('has its entries deleted with an answer for each as in one go (seed %i)', (seed) => {
    const twins = new Twins(seed + 600, solo).fill()
    const some = (count: number): string[] =>
      Array.from({ length: count }, () => `${1 + twins.below(ENTRIES)}-${1 + twins.below(2)}`)
    const rising = (from: number): string[] => Array.from({ length: 60 }, (_, n) => `${from + n}-1`)
    const block = (ids: string[]): string[] => ['IDS', `${ids.length}`, ...ids]
    for (let n = 0; n < 12; n++) twins.both('XREADGROUP', 'GROUP', 'h', 'c1', 'COUNT', '15', 'STREAMS', 's', '>')
    for (let n = 0; n < 12; n++) twins.both('XREADGROUP', 'GROUP', 'g', 'c1', 'COUNT', '15', 'STREAMS', 's', '>')
    twins.both('XDEL', 's', ...some(15))
    for (const policy of [[], ['ACKED'], ['DELREF']]) {
      twins.doesTheSame(['XACKDEL', 's', 'h', ...policy, ...block(some(60))], 's')
      twins.doesTheSame(['XACKDEL', 's', 'g', ...block(rising(20 + twins.below(100))), ...policy], 's')
      twins.doesTheSame(['XDELEX', 's', ...policy, ...block(some(60))], 's')
      twins.doesTheSame(['XDELEX', 's', ...block(rising(50 + twins.below(100))), ...policy], 's')
    }
    twins.doesTheSame(['XACKDEL', 's', 'none', ...block(some(30))], 's')
    twins.doesTheSame(['XDELEX', 'none', ...block(some(30))], 's')
    twins.ends('s')
  })

  it('is as it was when one of very many IDs is none', () => {
    const twins = new Twins(5, solo).fill()
    const ids = [...Array.from({ length: 700 }, (_, n) => `${n + 1}-1`), 'none']
    const before = digestOf(twins.sliced)
    for (const args of [
      ['XDEL', 's', ...ids],
      ['XACK', 's', 'h', ...ids],
      ['XDELEX', 's', 'IDS', `${ids.length}`, ...ids],
      ['XACKDEL', 's', 'h', 'IDS', `${ids.length}`, ...ids],
      ['XDELEX', 'none', 'IDS', `${ids.length}`, ...ids],
      ['XNACK', 's', 'h', 'FAIL', 'IDS', `${ids.length}`, ...ids],
      ['XCLAIM', 's', 'h', 'new', '0', ...ids],
      ['XCLAIM', 's', 'h', 'new', '0', ...ids.slice(0, -1), 'FORCE', 'RETRYCOUNT', 'x'],
    ]) {
      const { reply, turns } = twins.inSlices(args)
      expect(turns).toBeGreaterThan(1)
      expect(reply).toMatch(/^-ERR /)
      expect(reply).toBe(twins.inOneGo(args))
      expect(digestOf(twins.sliced)).toEqual(before)
    }
    expect(twins.sliced.run('XADD', 's', '1000-1', 'a', 'b')).toBe('1000-1')
  })

  it('is deleted only when its entries have been acknowledged and deleted', () => {
    const twins = new Twins(11, solo).fill()
    const { sliced, clock, client } = twins
    const ids = Array.from({ length: 200 }, (_, n) => `${n + 1}-1`)
    const args = ['XACKDEL', 's', 'g', 'DELREF', 'IDS', '200', ...ids]
    expect(sliced.raw(args, client)).toBe('')
    clock.turn()
    const others = [['DEL', 's'], ['FLUSHALL'], ['RENAME', 's', 't']].map((each, i) => {
      const session = new ReceivingSession(200 + i)
      expect(sliced.raw(each, session)).toBe('')
      return session
    })
    expect(sliced.run('XLEN', 's')).toBe(twins.whole.run('XLEN', 's'))
    for (let turn = 0; client.blocked !== null && turn < 1000; turn++) clock.turn()
    expect(client.received).toBe(twins.inOneGo(args))
    for (let turn = 0; turn < 10; turn++) clock.turn()
    expect(others.map(({ received }) => received)).toEqual([':1\r\n', '+OK\r\n', '-ERR no such key\r\n'])
    expect(sliced.run('EXISTS', 's')).toBe(0)
  })

  it.each(SEEDS)('is trimmed, and loses consumers, as in one go (seed %i)', (seed) => {
    const twins = new Twins(seed + 400, solo).fill()
    for (let n = 0; n < 8; n++) twins.both('XREADGROUP', 'GROUP', 'h', 'c1', 'COUNT', '15', 'STREAMS', 's', '>')
    for (let n = 0; n < 5; n++) twins.both('XREADGROUP', 'GROUP', 'h', 'c2', 'COUNT', '15', 'STREAMS', 's', '>')
    twins.doesTheSame(['XGROUP', 'DELCONSUMER', 's', 'h', 'c1'], 's')
    twins.doesTheSame(['XTRIM', 's', 'MINID', '120', 'ACKED'], 's')
    twins.doesTheSame(['XTRIM', 's', 'MAXLEN', '150', 'DELREF'], 's')
    twins.doesTheSame(['XTRIM', 's', 'MAXLEN', '100', 'ACKED'], 's')
    twins.doesTheSame(['XTRIM', 's', 'MINID', '280', 'DELREF'], 's')
    twins.ends('s')
  })

  it.each(SEEDS)('gets an entry and is trimmed as in one go (seed %i)', (seed) => {
    const twins = new Twins(seed + 800, solo).fill()
    for (let n = 0; n < 8; n++) twins.both('XREADGROUP', 'GROUP', 'h', 'c1', 'COUNT', '15', 'STREAMS', 's', '>')
    for (let n = 0; n < 4; n++) twins.both('XACK', 's', 'h', ...Array.from({ length: 10 }, (_, i) => `${n * 10 + i}-1`))
    twins.doesTheSame(['XADD', 's', 'MINID', '120', 'ACKED', '400-*', 'a', 'b'], 's')
    twins.doesTheSame(['XADD', 's', 'MAXLEN', '=', '150', 'DELREF', '*', 'a', 'b', 'c', 'd'], 's')
    twins.doesTheSame(['XADD', 's', 'MAXLEN', '100', 'ACKED', '*', 'a', 'b'], 's')
    twins.doesTheSame(['XADD', 's', 'MINID', '280', 'DELREF', '*', 'a', 'b'], 's')
    // The new one with them: in one go.
    twins.both('XADD', 's', 'MAXLEN', '0', 'DELREF', '*', 'a', 'b')
    twins.both('XADD', 's', 'MINID', '9999999999999', 'DELREF', '*', 'a', 'b')
    twins.ends('s')
  })

  it('gets an entry and is trimmed by very many as in one go, and nobody sees it in between', () => {
    const twins = new Twins(1, solo)
    for (let n = 1; n <= 1000; n++) for (const each of [twins.sliced, twins.whole]) each.raw(['XADD', 's', `${n}-1`, 'n', 'x'])
    const args = ['XADD', 's', 'MAXLEN', '~', '100', 'LIMIT', '0', '2000-1', 'a', 'b']
    const seen = new Set<unknown>()
    const reader = new ReceivingSession(200)
    const { reply } = twins.inSlices(args, () => {
      if (reader.blocked === null) seen.add(twins.sliced.raw(['XLEN', 's'], reader))
    })
    expect(reply).toBe(twins.inOneGo(args))
    seen.delete('')
    expect([...seen]).toEqual([':1000\r\n'])
    expect(twins.sliced.run('XLEN', 's')).toBe(twins.whole.run('XLEN', 's'))
    twins.doesTheSame(['XADD', 's', 'MAXLEN', '1', 'DELREF', '*', 'a', 'b'], 's')
    twins.ends('s')
  })

  it.each([
    { of: 'IDMP', message: ['IDMP', 'p', 'message'] },
    { of: 'IDMPAUTO', message: ['IDMPAUTO', 'p'] },
  ])('gets the entry of a message and is trimmed by very many as in one go: $of', ({ message }) => {
    const twins = new Twins(1, solo)
    for (let n = 1; n <= 1000; n++) for (const each of [twins.sliced, twins.whole]) each.raw(['XADD', 's', `${n}-1`, 'n', 'x'])
    twins.both('XADD', 's', 'IDMP', 'p', 'before', '*', 'a', 'b')
    const args = ['XADD', 's', 'MAXLEN', '100', ...message, '*', 'a', 'b']
    const reply = twins.doesTheSame(args, 's')
    // Whoever sends it again gets the ID that it has.
    expect(twins.inOneGo(args, twins.sliced)).toBe(reply)
    expect(twins.inOneGo(args)).toBe(reply)
    expect(twins.inOneGo(['XINFO', 'STREAM', 's'], twins.sliced)).toBe(twins.inOneGo(['XINFO', 'STREAM', 's']))
    twins.far.receive(twins.sliced)
    if (!solo) expect(digestOf(twins.far)).toEqual(digestOf(twins.whole))
    twins.ends('s')
  })

  it('is trimmed by very many entries as in one go', () => {
    const twins = new Twins(1, solo)
    for (let n = 1; n <= 20_000; n++) for (const each of [twins.sliced, twins.whole]) each.raw(['XADD', 's', `${n}-1`, 'n', 'x'])
    twins.doesTheSame(['XTRIM', 's', 'MAXLEN', '100'], 's')
    twins.ends('s')
  })

  it.each(SEEDS)('is looked at as in one go (seed %i)', (seed) => {
    const twins = new Twins(seed + 300, solo).fill()
    for (let n = 0; n < 4; n++) twins.both('XREADGROUP', 'GROUP', 'h', `c${n}`, 'COUNT', '15', 'STREAMS', 's', '>')
    twins.clock.advance(3)
    for (let n = 0; n < 4; n++) twins.both('XREADGROUP', 'GROUP', 'h', `c${n}`, 'COUNT', '15', 'STREAMS', 's', '>')
    for (const args of [
      ['XPENDING', 's', 'h', '-', '+', '1000'],
      ['XPENDING', 's', 'h', 'IDLE', '2', '(20-1', '+', '1000'],
      ['XPENDING', 's', 'h', 'IDLE', '2', '5', '290-9', '30', 'c1'],
      ['XINFO', 'STREAM', 's', 'FULL', 'COUNT', '0'],
      ['XINFO', 'STREAM', 's', 'FULL', 'COUNT', '30'],
    ]) {
      for (const protocol of [2, 3] as const) {
        twins.client.protocol = protocol
        expect(twins.inSlices(args).reply).toBe(twins.inOneGo(args))
      }
    }
  })

  it.each(SEEDS)('is copied and renamed as in one go (seed %i)', (seed) => {
    const twins = new Twins(seed + 100, solo).fill()
    twins.both('PEXPIRE', 's', '1000000')
    expect(twins.doesTheSame(['COPY', 's', 'copy', 'DB', '0'], 's', 'copy')).toBe(':1\r\n')
    // In place of another stream with groups.
    twins.both('XADD', 'to', '*', 'a', 'b')
    twins.both('XGROUP', 'CREATE', 'to', 'h', '0')
    twins.both('XREADGROUP', 'GROUP', 'h', 'c', 'STREAMS', 'to', '>')
    twins.doesTheSame(['RENAME', 's', 'to'], 'to', 'copy')
    expect(twins.sliced.run('EXISTS', 's')).toBe(0)
    twins.ends('to', 'copy')
    twins.exchange()
    const { far, sliced } = twins
    if (solo) return
    expect(digestOf(far)).toEqual(digestOf(sliced))
    // What another member adds meanwhile stays where it is, but for groups.
    far.run('XADD', 'to', '9000-2', 'late', 'x')
    far.run('XGROUP', 'CREATE', 'to', 'late', '0')
    far.run('XACK', 'to', 'g', '7-1')
    twins.doesTheSame(['RENAME', 'to', 'again'], 'again')
    twins.exchange()
    expect(digestOf(far)).toEqual(digestOf(sliced))
    expect(sliced.run('XRANGE', 'to', '-', '+')).toEqual([['9000-2', ['late', 'x']]])
    expect(far.run('XINFO', 'GROUPS', 'to')).toEqual([])
  })

  it('of which nothing but groups and what they have pending is left is copied as well', () => {
    const twins = new Twins(3, solo).fill()
    for (const length of ['150', '0']) twins.both('XTRIM', 's', 'MAXLEN', length)
    twins.both('XSETID', 's', '5000-0')
    twins.doesTheSame(['COPY', 's', 'copy'], 's', 'copy')
    twins.doesTheSame(['MOVE', 's', '1'], 'copy')
    twins.ends('copy')
  })

  it('waits while a group reads it, and is as it was before when the reader goes', () => {
    const twins = new Twins(7, solo).fill()
    const { sliced, clock, client } = twins
    const frames = sliced.log.frames.length
    const args = ['XREADGROUP', 'GROUP', 'g', 'new', 'STREAMS', 's', '>']
    expect(sliced.raw(args, client)).toBe('')
    clock.turn()
    const writer = new ReceivingSession(101)
    expect(sliced.raw(['XADD', 's', '1000-1', 'a', 'b'], writer)).toBe('')
    expect(sliced.run('XLEN', 's')).toBe(twins.whole.run('XLEN', 's'))
    expect(sliced.run('SET', 'other', 'x')).toBe('OK')
    const destroyer = new ReceivingSession(102)
    sliced.raw(['MULTI'], destroyer)
    sliced.raw(['XGROUP', 'DESTROY', 's', 'none'], destroyer)
    expect(sliced.raw(['EXEC'], destroyer)).toBe('')
    sliced.engine.sessionClosed(client)
    for (let turn = 0; turn < 10; turn++) clock.turn()
    expect(writer.received).toBe('$6\r\n1000-1\r\n')
    expect(destroyer.received).toBe('*1\r\n:0\r\n')
    expect(sliced.log.frames.length).toBe(frames + 2)
    sliced.run('XDEL', 's', '1000-1')
    expect(sliced.run('XPENDING', 's', 'g', '-', '+', '10', 'new')).toEqual([])
    expect(twins.inOneGo(['XRANGE', 's', '-', '+'], sliced)).toBe(twins.inOneGo(['XRANGE', 's', '-', '+']))
  })

  it('is dumped as it is at one moment, while others go on', () => {
    const twins = new Twins(9, solo).fill()
    for (let n = 1; n <= 1000; n++) twins.both('XADD', 's', `${ENTRIES + n}-1`, 'n', `${n}`)
    const values = [
      '-1',
      '127',
      '-4097',
      '40000',
      '-2147483649',
      '9223372036854775807',
      '99999999999999999999',
      '007',
      'x'.repeat(70),
    ]
    const ids = [
      '1099511627776-1',
      '1099511627776-18446744073709551615',
      '4503599627370496-0',
      '9223372036854775808-3',
      '18446744073709551615-0',
    ]
    for (const id of ids) twins.both('XADD', 's', id, ...values.flatMap((value) => [`name-of-${value.slice(0, 9)}`, value]))
    let others = 0
    const { reply } = twins.inSlices(['DUMP', 's'], () => {
      twins.sliced.run('SET', 'other', `${others++}`)
      if (others === 1) twins.both('XADD', 's', '18446744073709551615-9', 'one', 'more')
    })
    expect(others).toBeGreaterThan(1)
    expect(reply).toBe(twins.inOneGo(['DUMP', 's']))
  })
})
