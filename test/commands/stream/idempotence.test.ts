import { describe, expect, it } from 'vitest'
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
