import { describe, expect, it } from 'vitest'
import { NEW_PAYLOADS } from '../../rdb/new-payloads.js'
import { EngineHarness } from '../../support/engine-harness.js'

const message = (text: string) => expect.objectContaining({ message: text }) as unknown

function info(member: EngineHarness, key = 's'): Record<string, unknown> {
  const flat = member.run('XINFO', 'STREAM', key) as unknown[]
  const pairs: [string, unknown][] = []
  for (let i = 0; i < flat.length; i += 2) pairs.push([flat[i] as string, flat[i + 1]])
  return Object.fromEntries(pairs)
}

const send = (member: EngineHarness, producer: string, name: string, ...more: string[]): string =>
  member.run('XADD', 's', 'IDMP', producer, name, ...more, '*', 'f', 'v') as string

describe('XADD IDMP', () => {
  it('gives the first ID again, for as long as it is known', () => {
    const member = new EngineHarness()
    const first = send(member, 'p', '1')
    member.clock.advance(10)
    expect(send(member, 'p', '1')).toBe(first)
    expect(send(member, 'q', '1')).not.toBe(first)
    expect(send(member, 'p', '2', 'MAXLEN', '~', '100', 'NOMKSTREAM')).not.toBe(first)
    expect(member.run('XADD', 's', 'MAXLEN', '0', 'IDMP', 'p', '1', '*', 'f', 'other')).toBe(first)
    expect(member.run('XLEN', 's')).toBe(3)
    member.clock.advance(99_000)
    expect(send(member, 'p', '1')).toBe(first)
    member.clock.advance(1000)
    expect(send(member, 'p', '1')).not.toBe(first)
    expect(info(member)).toMatchObject({ 'iids-added': 4, 'iids-duplicates': 3 })
  })

  it('knows the newest of each producer', () => {
    const member = new EngineHarness()
    member.run('XADD', 's', '*', 'f', 'v')
    expect(member.run('XCFGSET', 's', 'IDMP-MAXSIZE', '3', 'IDMP-DURATION', '60')).toBe('OK')
    const ids = Array.from({ length: 5 }, (_, n) => send(member, 'p', `${n}`))
    send(member, 'q', '0')
    expect(info(member)).toMatchObject({ 'pids-tracked': 2, 'iids-tracked': 4, 'iids-added': 6, 'idmp-maxsize': 3 })
    expect([2, 3, 4].map((n) => send(member, 'p', `${n}`))).toEqual(ids.slice(2))
    expect(send(member, 'p', '1')).not.toBe(ids[1])
    expect(send(member, 'p', '2')).not.toBe(ids[2])
  })

  it('names what IDMPAUTO is given by its fields, in any order', () => {
    const member = new EngineHarness()
    const auto = (...fields: string[]): unknown => member.run('XADD', 's', 'IDMPAUTO', 'p', '*', ...fields)
    const first = auto('a', '1', 'b', '2')
    expect(auto('b', '2', 'a', '1')).toBe(first)
    for (const other of [
      ['a', '2', 'b', '1'],
      ['a', '1'],
      ['a', '1', 'b', ''],
      ['a', '1', 'a', '1'],
    ]) {
      expect(auto(...other)).not.toBe(first)
    }
    expect(member.run('XLEN', 's')).toBe(5)
  })

  it('refuses what is none', () => {
    const member = new EngineHarness()
    const add = (...args: string[]): unknown => member.run('XADD', 's', ...args, 'f', 'v')
    const invalid = message('ERR Invalid stream ID specified as stream command argument')
    expect(add('IDMP', 'p', '*')).toEqual(invalid)
    const twice = message('ERR IDMP/IDMPAUTO specified multiple times')
    expect(add('IDMP', 'p', '1', 'IDMP', 'q', '2', '*')).toEqual(twice)
    expect(add('IDMPAUTO', 'p', 'IDMP', 'q', '2', '*')).toEqual(twice)
    const needs = message('ERR IDMP/IDMPAUTO can be used only with auto-generated IDs')
    expect(add('IDMP', 'p', '1', '1-1')).toEqual(needs)
    expect(add('IDMPAUTO', 'p', '1-*')).toEqual(needs)
    expect(add('IDMP', '', '1', '*')).toEqual(message('ERR IDMP requires a non-empty producer ID'))
    expect(add('IDMP', 'p', '', '*')).toEqual(message('ERR IDMP requires a non-empty idempotent ID'))
    expect(add('IDMPAUTO', '', '*')).toEqual(message('ERR IDMPAUTO requires a non-empty producer ID'))
    expect(add('NOMKSTREAM', 'IDMP', 'p', '1', '*')).toBeNull()
    expect(member.run('EXISTS', 's')).toBe(0)
  })

  it('outlives what it names, and goes with the stream', () => {
    const member = new EngineHarness()
    const first = send(member, 'p', '1')
    send(member, 'p', '2')
    member.run('XDEL', 's', first)
    expect(send(member, 'p', '1')).toBe(first)
    member.run('RENAME', 's', 't')
    member.run('COPY', 't', 's')
    member.run('XCFGSET', 't', 'IDMP-DURATION', '7')
    member.run('RENAME', 't', 'u')
    expect(info(member, 'u')).toMatchObject({ 'idmp-duration': 7, 'iids-tracked': 0 })
    expect(send(member, 'p', '1')).toBe(first)
    member.run('DEL', 's')
    member.clock.advance(1)
    expect(send(member, 'p', '1')).not.toBe(first)
  })
})

describe('what is known of messages, in a payload', () => {
  const dump = (member: EngineHarness): Buffer => Buffer.from(member.run('DUMP', 's') as string, 'latin1')
  const restored = (payload: Buffer, nowMs: number): EngineHarness => {
    const other = new EngineHarness()
    other.clock.now = nowMs
    expect(other.run('RESTORE', 's', '0', payload)).toBe('OK')
    return other
  }

  it('comes back as it was, with settings and counts', () => {
    const member = new EngineHarness()
    member.run('XADD', 's', '*', 'f', 'v')
    member.run('XCFGSET', 's', 'IDMP-MAXSIZE', '3', 'IDMP-DURATION', '60')
    const names = ['1', '2', '3', '4']
    const ids = names.map((name) => {
      member.clock.advance(1)
      return send(member, 'p', name)
    })
    const other = send(member, 'q', '1')
    send(member, 'p', '4')
    const payload = dump(member)
    expect(payload[0]).toBe(26)
    const twin = restored(payload, member.clock.now)
    expect(info(twin)).toEqual(info(member))
    expect(info(twin)).toMatchObject({
      'idmp-duration': 60,
      'idmp-maxsize': 3,
      'iids-tracked': 4,
      'iids-added': 5,
      'iids-duplicates': 1,
    })
    expect(names.slice(1).map((name) => send(twin, 'p', name))).toEqual(ids.slice(1))
    expect(send(twin, 'q', '1')).toBe(other)
    expect(ids).not.toContain(send(twin, 'p', '1'))
    // It made room.
    expect(ids).not.toContain(send(twin, 'p', '2'))
    twin.clock.advance(60_000)
    expect(send(twin, 'q', '1')).not.toBe(other)
  })

  it('needs a newer type only while there is something to be known', () => {
    const member = new EngineHarness()
    member.run('XADD', 's', '*', 'f', 'v')
    expect(dump(member)[0]).toBe(19)
    send(member, 'p', '1')
    expect(dump(member)[0]).toBe(26)
    member.clock.advance(100_000)
    expect(dump(member)[0]).toBe(19)
    member.run('XCFGSET', 's', 'IDMP-MAXSIZE', '7')
    expect(dump(member)[0]).toBe(26)
    expect(info(restored(dump(member), member.clock.now))['idmp-maxsize']).toBe(7)
  })

  it('is read as Redis 8.6 writes it', () => {
    const { bytes } = NEW_PAYLOADS['a stream of Redis 8.6 with messages of producers']
    const early = restored(bytes, 1400)
    expect(info(early)).toMatchObject({ 'idmp-duration': 50, 'idmp-maxsize': 7, 'pids-tracked': 2, 'iids-tracked': 3 })
    expect(info(early)).toMatchObject({ 'iids-added': 9, 'iids-duplicates': 4 })
    expect([send(early, 'p', 'm1'), send(early, 'p', 'm2')]).toEqual(['5-1', '6-0'])
    expect(send(early, 'q', 'm1')).toBe('1337-18446744073709551615')
    early.clock.now = 50_006
    expect(send(early, 'p', 'm2')).not.toBe('6-0')
    expect(send(early, 'q', 'm1')).toBe('1337-18446744073709551615')
    expect(info(restored(bytes, 100_000))).toMatchObject({ 'iids-tracked': 0, 'idmp-duration': 50 })
  })

  it('is the answer that all regions give where two have taken a message', () => {
    const [one, two] = [1, 2].map((self) => new EngineHarness({ self, solo: false }))
    const ids = [send(one, 'p', '1'), send(two, 'p', '1')]
    one.receive(two)
    const answer = send(one, 'p', '1')
    expect(ids).toContain(answer)
    const twin = restored(dump(one), one.clock.now)
    expect(info(twin)['iids-tracked']).toBe(1)
    expect(send(twin, 'p', '1')).toBe(answer)
  })
})

describe('XCFGSET', () => {
  it('forgets what was known when it changes something', () => {
    const member = new EngineHarness()
    const first = send(member, 'p', '1')
    expect(info(member)).toMatchObject({ 'idmp-duration': 100, 'idmp-maxsize': 100, 'iids-tracked': 1 })
    member.run('XCFGSET', 's', 'IDMP-DURATION', '100', 'IDMP-MAXSIZE', '100')
    expect(send(member, 'p', '1')).toBe(first)
    member.run('XCFGSET', 's', 'IDMP-DURATION', '3')
    expect(info(member)).toMatchObject({ 'idmp-duration': 3, 'idmp-maxsize': 100, 'pids-tracked': 0, 'iids-added': 1 })
    expect(send(member, 'p', '1')).not.toBe(first)
  })

  it('refuses what is none', () => {
    const member = new EngineHarness()
    const set = (...args: string[]): unknown => member.run('XCFGSET', 's', ...args)
    expect(set('IDMP-DURATION', '1')).toEqual(message('ERR no such key'))
    member.run('XADD', 's', '*', 'f', 'v')
    expect(set()).toEqual(message('ERR At least one parameter must be specified'))
    for (const args of [['IDMP-DURATION'], ['NONE'], ['IDMP-MAXSIZE', '1', 'IDMP-DURATION']]) {
      expect(set(...args)).toEqual(message('ERR syntax error'))
    }
    expect(set('IDMP-MAXSIZE', '3.14')).toEqual(message('ERR value is not an integer or out of range'))
    for (const [text] of [['0'], ['-1'], ['86401']]) {
      expect(set('IDMP-DURATION', text)).toEqual(message('ERR IDMP-DURATION must be between 1 and 86400 seconds'))
    }
    for (const [text] of [['0'], ['-1'], ['10001']]) {
      expect(set('IDMP-MAXSIZE', text)).toEqual(message('ERR IDMP-MAXSIZE must be between 1 and 10000 entries'))
    }
    member.run('SET', 'x', '1')
    expect(member.run('XCFGSET', 'x', 'IDMP-DURATION', '1')).toEqual(
      message('WRONGTYPE Operation against a key holding the wrong kind of value'),
    )
  })
})
