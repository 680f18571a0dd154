import fc from 'fast-check'
import { beforeEach, describe, expect, it } from 'vitest'
import { LIMITS } from '../../../src/base/limits.js'
import { parseNotificationClasses } from '../../../src/base/notification-classes.js'
import { EngineHarness } from '../../support/engine-harness.js'
import { Mesh } from '../../support/mesh.js'
import { COUNT, digestOf, inOneGo, numbers, SlicedEngine } from '../../support/sliced-engine.js'
import { TestClients, type TestClient } from '../../support/test-clients.js'
import { ReceivingSession } from '../../support/ticking-clock.js'

const WRONG_TYPE = 'WRONGTYPE Operation against a key holding the wrong kind of value'
const NO_FIELDSET = 'ERR no such fieldset'
const WRONG_COUNT = 'ERR value count does not match fieldset field count'

/** The error that a command answers. */
function error({ run }: Pick<EngineHarness, 'run'>, ...args: string[]): string {
  const reply = run(...args)
  expect(reply).toBeInstanceOf(Error)
  return (reply as Error).message
}

function bound(h: EngineHarness): { run: EngineHarness['run'] } {
  return { run: (...args) => h.run(...args) }
}

describe.each([true, false])('HIMPORT (alone: %s)', (solo) => {
  let h: EngineHarness
  let run: EngineHarness['run']
  const fails = (...args: string[]): string => error({ run }, ...args)

  beforeEach(() => {
    h = new EngineHarness({ solo })
    ;({ run } = bound(h))
  })

  it('writes hashes with fields that are named once, values in the order of the fields', () => {
    expect(run('HIMPORT', 'PREPARE', 'u', 'name', 'email', 'age')).toBe('OK')
    expect(run('HIMPORT', 'SET', 'user:1', 'u', 'alice', 'a@x', '30')).toBe('OK')
    expect(run('HIMPORT', 'SET', 'user:2', 'u', 'bob', '', '25')).toBe('OK')
    expect(run('HGETALL', 'user:1')).toEqual(['name', 'alice', 'email', 'a@x', 'age', '30'])
    expect(run('HMGET', 'user:2', 'age', 'email', 'name')).toEqual(['25', '', 'bob'])
    expect(run('HINCRBY', 'user:2', 'age', '1')).toBe(26)
  })

  it('has fieldsets and fields of any name, and of one field', () => {
    expect(run('HIMPORT', 'PREPARE', '', '', 'b')).toBe('OK')
    expect(run('HIMPORT', 'SET', 'k', '', 'x', 'y')).toBe('OK')
    expect(run('HGETALL', 'k')).toEqual(['', 'x', 'b', 'y'])
    expect(run('HIMPORT', 'PREPARE', 'one', 'f')).toBe('OK')
    expect(run('HIMPORT', 'SET', 'k', 'one', 'v')).toBe('OK')
    expect(run('HGETALL', 'k')).toEqual(['f', 'v'])
    expect(run('HIMPORT', 'SET', 'k', '', 'x', 'y')).toBe('OK')
    expect(run('HIMPORT', 'DISCARD', 'ONE')).toBe(0)
  })

  it('PREPARE replaces a fieldset of the same name, unless it is refused', () => {
    run('HIMPORT', 'PREPARE', 'f', 'a', 'b')
    run('HIMPORT', 'SET', 'k', 'f', '1', '2')
    expect(fails('HIMPORT', 'PREPARE', 'f', 'x', 'y', 'x')).toBe('ERR duplicate field name in fieldset')
    expect(fails('HIMPORT', 'PREPARE', 'g', 'same', 'same')).toBe('ERR duplicate field name in fieldset')
    expect(fails('HIMPORT', 'SET', 'k', 'g', '1', '2')).toBe(NO_FIELDSET)
    expect(run('HIMPORT', 'SET', 'k', 'f', '3', '4')).toBe('OK')
    run('HIMPORT', 'PREPARE', 'f', 'x', 'y', 'z')
    expect(fails('HIMPORT', 'SET', 'k', 'f', '1', '2')).toBe(WRONG_COUNT)
    expect(run('HGETALL', 'k')).toEqual(['a', '3', 'b', '4'])
    expect(run('HIMPORT', 'SET', 'k', 'f', '1', '2', '3')).toBe('OK')
    expect(run('HGETALL', 'k')).toEqual(['x', '1', 'y', '2', 'z', '3'])
  })

  it('finds a field named twice among many', () => {
    const fields = numbers.map((n) => `f${n}`)
    expect(run('HIMPORT', 'PREPARE', 'many', ...fields)).toBe('OK')
    expect(fails('HIMPORT', 'PREPARE', 'many', ...fields, 'f7')).toBe('ERR duplicate field name in fieldset')
  })

  it('DISCARD forgets one fieldset, DISCARDALL all of them; the hashes stay', () => {
    for (const name of ['a', 'b', 'c']) run('HIMPORT', 'PREPARE', name, 'x', 'y')
    run('HIMPORT', 'SET', 'k', 'a', '1', '2')
    expect(run('HIMPORT', 'DISCARD', 'a')).toBe(1)
    expect(run('HIMPORT', 'DISCARD', 'a')).toBe(0)
    expect(fails('HIMPORT', 'SET', 'k', 'a', '1', '2')).toBe(NO_FIELDSET)
    expect(run('HIMPORT', 'DISCARDALL')).toBe(2)
    expect(run('HIMPORT', 'DISCARDALL')).toBe(0)
    expect(fails('HIMPORT', 'SET', 'k', 'b', '1', '2')).toBe(NO_FIELDSET)
    expect(run('HGETALL', 'k')).toEqual(['x', '1', 'y', '2'])
  })

  it('SET looks at the type of the key first, then at the fieldset, then at the number of values', () => {
    run('SET', 'string', 'x')
    run('SADD', 'set', 'm')
    run('HIMPORT', 'PREPARE', 'f', 'a', 'b')
    expect(fails('HIMPORT', 'SET', 'string', 'none', '1')).toBe(WRONG_TYPE)
    expect(fails('HIMPORT', 'SET', 'set', 'f', '1', '2')).toBe(WRONG_TYPE)
    expect(fails('HIMPORT', 'SET', 'k', 'none', '1')).toBe(NO_FIELDSET)
    for (const values of [['1'], ['1', '2', '3']]) expect(fails('HIMPORT', 'SET', 'k', 'f', ...values)).toBe(WRONG_COUNT)
    expect(run('GET', 'string')).toBe('x')
    expect(run('EXISTS', 'k')).toBe(0)
  })

  it('SET leaves nothing of the hash that was there: fields, counters, times, the time of the key', () => {
    run('HIMPORT', 'PREPARE', 'f', 'a', 'n')
    run('HSET', 'k', 'a', '1', 'old', '2')
    run('HINCRBY', 'k', 'n', '5')
    run('HPEXPIRE', 'k', '5000', 'FIELDS', '2', 'a', 'old')
    run('PEXPIRE', 'k', '6000')
    run('HIMPORT', 'SET', 'k', 'f', 'x', '7')
    expect(run('HGETALL', 'k')).toEqual(['a', 'x', 'n', '7'])
    expect(run('PTTL', 'k')).toBe(-1)
    expect(run('HPTTL', 'k', 'FIELDS', '1', 'a')).toEqual([-1])
    expect(run('HINCRBY', 'k', 'n', '1')).toBe(8)
    h.clock.advance(20_000)
    expect([run('HLEN', 'k'), run('HMGET', 'k', 'a', 'n')]).toEqual([2, ['x', '8']])
  })

  it('SET takes a key that is due for none, whatever it was', () => {
    h.engine.activeExpiry = false
    run('HIMPORT', 'PREPARE', 'f', 'a')
    for (const made of [
      ['HSET', 'k', 'old', '1'],
      ['SET', 'k', '1'],
      ['SADD', 'k', '1'],
    ]) {
      run(...made)
      run('PEXPIRE', 'k', '10')
      h.clock.advance(20)
      expect(run('HIMPORT', 'SET', 'k', 'f', 'v')).toBe('OK')
      expect([run('HGETALL', 'k'), run('PTTL', 'k')]).toEqual([['a', 'v'], -1])
      run('DEL', 'k')
    }
  })

  it('fieldsets belong to the connection, in whatever database, and go with RESET', () => {
    const other = h.newSession()
    run('HIMPORT', 'PREPARE', 'f', 'a')
    expect((h.runIn(other, 'HIMPORT', 'SET', 'k', 'f', '1') as Error).message).toBe(NO_FIELDSET)
    h.runIn(other, 'HIMPORT', 'PREPARE', 'f', 'b')
    run('SELECT', '3')
    expect(run('HIMPORT', 'SET', 'k', 'f', '1')).toBe('OK')
    expect(run('HGETALL', 'k')).toEqual(['a', '1'])
    run('RESET')
    expect(fails('HIMPORT', 'SET', 'k', 'f', '1')).toBe(NO_FIELDSET)
    expect(h.session.fieldsets).toBeNull()
    expect(h.runIn(other, 'HIMPORT', 'SET', 'k', 'f', '1')).toBe('OK')
    expect(run('HGETALL', 'k')).toEqual(['b', '1'])
    expect(run('HIMPORT', 'DISCARDALL')).toBe(0)
  })

  it('works in MULTI, in the order of the commands', () => {
    run('MULTI')
    for (const args of [
      ['PREPARE', 'f', 'a', 'b'],
      ['SET', 'k', 'f', '1', '2'],
      ['PREPARE', 'f', 'c'],
      ['SET', 'j', 'f', '3'],
      ['DISCARD', 'f'],
      ['SET', 'l', 'f', '4'],
      ['DISCARDALL'],
    ])
      expect(run('HIMPORT', ...args)).toBe('QUEUED')
    const replies = run('EXEC') as unknown[]
    expect(replies.slice(0, 5)).toEqual(['OK', 'OK', 'OK', 'OK', 1])
    expect((replies[5] as Error).message).toBe(NO_FIELDSET)
    expect(replies[6]).toBe(0)
    expect(run('HGETALL', 'k')).toEqual(['a', '1', 'b', '2'])
    expect(run('HGETALL', 'j')).toEqual(['c', '3'])
    run('MULTI')
    run('HIMPORT', 'PREPARE', 'g', 'a')
    run('DISCARD')
    expect(fails('HIMPORT', 'SET', 'k', 'g', '1')).toBe(NO_FIELDSET)
  })

  it('breaks WATCH of its key', () => {
    run('HIMPORT', 'PREPARE', 'f', 'a')
    run('HIMPORT', 'SET', 'k', 'f', '1')
    const other = h.newSession()
    h.runIn(other, 'WATCH', 'k')
    run('HIMPORT', 'SET', 'k', 'f', '1')
    h.runIn(other, 'MULTI')
    expect(h.runIn(other, 'EXEC')).toBeNull()
  })

  it('bounds what the fieldsets of a connection take, and counts it', () => {
    const field = 'x'.repeat(LIMITS.fieldsetBytes / 4)
    for (const name of ['a', 'b', 'c']) expect(run('HIMPORT', 'PREPARE', name, field, 'y')).toBe('OK')
    expect(fails('HIMPORT', 'PREPARE', 'd', field)).toContain('must not take more than 16777216 bytes')
    expect(h.session.fieldsets?.bytes).toBeGreaterThan(3 * field.length)
    // In place of another one, and when there is room again.
    expect(run('HIMPORT', 'PREPARE', 'a', `${field}z`)).toBe('OK')
    run('HIMPORT', 'DISCARD', 'a')
    expect(run('HIMPORT', 'PREPARE', 'd', field)).toBe('OK')
    for (const name of ['b', 'c', 'd']) run('HIMPORT', 'DISCARD', name)
    expect(h.session.fieldsets?.bytes).toBe(0)
  })

  it('refuses wrong forms', () => {
    for (const args of [['PREPARE', 'f'], ['SET', 'k', 'f'], ['DISCARD'], ['DISCARD', 'a', 'b'], ['DISCARDALL', 'a']])
      expect(fails('HIMPORT', ...args)).toBe(`ERR wrong number of arguments for 'himport|${args[0].toLowerCase()}' command`)
    expect(fails('HIMPORT')).toContain('wrong number of arguments')
    expect(fails('HIMPORT', 'FETCH')).toContain('unknown subcommand')
  })
})

describe.each([true, false])('events of HIMPORT SET (alone: %s)', (solo) => {
  it('are those of HSET, behind one of a key that it writes over', () => {
    const clients = new TestClients()
    const h = new EngineHarness({ solo, services: { clients } })
    const client = clients.connect()
    h.engine.notifications.classes = parseNotificationClasses('AEnocSTIV') ?? 0
    h.runIn(client, 'PSUBSCRIBE', '*')
    const events = (...args: string[]): string[] => {
      client.delivered = ''
      h.run(...args)
      return messages(client)
    }
    expect(events('HIMPORT', 'PREPARE', 'f', 'aa', 'b')).toEqual([])
    const written = [
      '__keyevent@0__:hset k',
      '__subkeyspace@0__:k hset|2:aa,1:b',
      '__subkeyevent@0__:hset 1:k|2:aa,1:b',
      '__subkeyspaceitem@0__:k\naa hset',
      '__subkeyspaceitem@0__:k\nb hset',
      '__subkeyspaceevent@0__:hset|k 2:aa,1:b',
    ]
    expect(events('HIMPORT', 'SET', 'k', 'f', '1', '2')).toEqual(['__keyevent@0__:new k', ...written])
    expect(events('HIMPORT', 'SET', 'k', 'f', '1', '2')).toEqual(['__keyevent@0__:overwritten k', ...written])
    expect(events('HIMPORT', 'SET', 'k', 'f', '1')).toEqual([])
    expect(events('HIMPORT', 'DISCARD', 'f')).toEqual([])
  })
})

/** 'channel message' of all that a subscriber by pattern has got. */
function messages({ delivered }: TestClient): string[] {
  const found: string[] = []
  for (let at = 0; at < delivered.length;) {
    at = delivered.indexOf('\r\n', at) + 2
    const parts: string[] = []
    for (let i = 0; i < 4; i++) {
      const end = delivered.indexOf('\r\n', at)
      const length = Number(delivered.slice(at + 1, end))
      parts.push(delivered.slice(end + 2, end + 2 + length))
      at = end + 2 + length + 2
    }
    found.push(`${parts[2]} ${parts[3]}`)
  }
  return found
}

describe('HIMPORT SET in several members', () => {
  const key = fc.constantFrom('h', 'i')
  const field = fc.constantFrom('a', 'b', 'c')
  const value = fc.constantFrom('1', '-7', 'text')
  const one = fc.constant('1')
  const other = fc.oneof(
    fc.tuple(fc.constant('HSET'), key, field, value),
    fc.tuple(fc.constant('HINCRBY'), key, field, fc.constantFrom('3', '-2')),
    fc.tuple(fc.constant('HDEL'), key, field),
    fc.tuple(fc.constant('HPEXPIRE'), key, fc.constantFrom('50', '900'), fc.constant('FIELDS'), one, field),
    fc.tuple(fc.constant('PEXPIRE'), key, fc.constantFrom('50', '900')),
    fc.tuple(fc.constant('DEL'), key),
  )
  const step = fc.oneof(
    { weight: 4, arbitrary: fc.record({ member: fc.nat(2), key, fields: fc.uniqueArray(field, { minLength: 1 }), value }) },
    { weight: 5, arbitrary: fc.record({ member: fc.nat(2), command: other }) },
    { weight: 3, arbitrary: fc.record({ from: fc.nat(2), to: fc.nat(2) }) },
    { weight: 1, arbitrary: fc.record({ wait: fc.constantFrom(1, 60, 1100) }) },
  )

  it('is DEL and HSET in one op: the same frames, whatever others do at the same time', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const imported = new Mesh()
        const written = new Mesh()
        for (const each of steps) {
          if ('fields' in each) {
            const { run } = bound(imported.members[each.member])
            run('HIMPORT', 'PREPARE', 'f', ...each.fields)
            const values = each.fields.map((_, i) => `${each.value}${i}`)
            expect(run('HIMPORT', 'SET', each.key, 'f', ...values)).toBe('OK')
            const del = bound(written.members[each.member]).run
            del('MULTI')
            del('DEL', each.key)
            del('HSET', each.key, ...each.fields.flatMap((name, i) => [name, values[i]]))
            del('EXEC')
          } else {
            for (const mesh of [imported, written]) {
              if ('command' in each) mesh.members[each.member].run(...each.command)
              else if ('wait' in each) mesh.wait(each.wait)
              else mesh.deliver(each.from, each.to)
            }
          }
        }
        for (const mesh of [imported, written]) mesh.settle()
        for (const n of [0, 1, 2]) {
          const frames = (mesh: Mesh): string[] =>
            mesh.members[n].log.frames.map(({ bytes }) => Buffer.from(bytes).toString('hex'))
          expect(frames(imported)).toEqual(frames(written))
          expect(imported.members[n].run('CRDT.DIGEST')).toEqual(written.members[n].run('CRDT.DIGEST'))
          expect(imported.members[n].run('CRDT.DIGEST')).toEqual(imported.members[0].run('CRDT.DIGEST'))
        }
      }),
      { numRuns: 60 },
    )
  })

  it('of two at the same time fields of both stay, and of one that both write the later value', () => {
    const mesh = new Mesh()
    const [a, b] = mesh.members
    a.run('HSET', 'k', 'old', '1')
    a.run('PEXPIRE', 'k', '5000')
    mesh.deliverAll()
    a.run('HIMPORT', 'PREPARE', 'f', 'x', 'y')
    b.run('HIMPORT', 'PREPARE', 'f', 'y', 'z')
    a.run('HIMPORT', 'SET', 'k', 'f', 'xa', 'ya')
    b.clock.advance(1)
    b.run('HIMPORT', 'SET', 'k', 'f', 'yb', 'zb')
    mesh.settle()
    for (const { run } of mesh.members.map(bound)) {
      expect(run('HMGET', 'k', 'old', 'x', 'y', 'z')).toEqual([null, 'xa', 'yb', 'zb'])
      expect(run('PTTL', 'k')).toBe(-1)
    }
  })

  it('what another member writes to the key at the same time, of another type, does not go', () => {
    const mesh = new Mesh()
    const [a, b] = mesh.members
    a.run('HIMPORT', 'PREPARE', 'f', 'x')
    b.run('SADD', 'k', 'm')
    b.clock.advance(1)
    a.clock.advance(5)
    a.run('HIMPORT', 'SET', 'k', 'f', '1')
    mesh.deliverAll()
    for (const { run } of mesh.members.map(bound)) expect(run('HGETALL', 'k')).toEqual(['x', '1'])
    // Where both were seen both go.
    a.run('HIMPORT', 'SET', 'k', 'f', '2')
    a.run('HDEL', 'k', 'x')
    mesh.settle()
    for (const { run } of mesh.members.map(bound)) expect(run('EXISTS', 'k')).toBe(0)
  })
})

describe.each([true, false])('HIMPORT of very many fields (alone: %s)', (solo) => {
  const fields = numbers.map((n) => `f${n}`)
  const values = numbers.map((n) => `v${n}`)
  let engine: SlicedEngine
  let h: EngineHarness

  beforeEach(() => {
    engine = new SlicedEngine(solo)
    ;({ h } = engine)
  })

  function prepareAll(name = 'f'): void {
    engine.ask('HIMPORT', 'PREPARE', name, ...fields)
    engine.turns()
    expect(engine.client.received).toBe('+OK\r\n')
    engine.client.received = ''
  }

  it('PREPARE names them in slices, and refuses one that comes twice', () => {
    prepareAll()
    engine.ask('HIMPORT', 'PREPARE', 'g', ...fields, 'f0')
    engine.turns()
    expect(engine.client.received).toBe('-ERR duplicate field name in fieldset\r\n')
    expect(engine.client.fieldsets?.count).toBe(1)
    expect(engine.client.fieldsets?.find(Buffer.from('f'), 0, 1)?.count).toBe(COUNT)
  })

  it('PREPARE is not led astray by a flush that comes meanwhile', () => {
    engine.ask('HIMPORT', 'PREPARE', 'f', ...fields)
    engine.turns(() => void h.run('FLUSHALL'), 2)
    engine.turns()
    expect(engine.client.received).toBe('+OK\r\n')
    expect(engine.client.fieldsets?.find(Buffer.from('f'), 0, 1)?.at(399)).toEqual(new Uint8Array(Buffer.from('f399')))
  })

  it.each([
    ['nothing', []],
    [
      'a hash',
      [
        ['HSET', 'k', 'f1', 'x', 'old', 'y'],
        ['HINCRBY', 'k', 'f2', '3'],
        ['PEXPIRE', 'k', '50000'],
      ],
    ],
  ])('SET in place of %s does in slices what it does in one go, as one op', (_, made) => {
    for (const args of made) h.run(...args)
    const other = new EngineHarness({ solo, self: 2 }, engine.clock)
    other.receive(h)
    prepareAll()
    const heard = [h, other].map((each) => {
      const listener = new ReceivingSession(300)
      each.engine.notifications.classes = parseNotificationClasses('KEAnocSTIV') ?? 0
      each.raw(['PSUBSCRIBE', '__*'], listener)
      listener.received = ''
      return listener
    })
    const before = h.log.frames.length
    engine.ask('HIMPORT', 'SET', 'k', 'f', ...values)
    expect(engine.turns()).toBeGreaterThan(2)
    const session = other.newSession()
    for (const args of [['MULTI'], ['HIMPORT', 'PREPARE', 'f', ...fields], ['HIMPORT', 'SET', 'k', 'f', ...values]])
      other.raw(args, session)
    expect(other.raw(['EXEC'], session)).toBe(`*2\r\n+OK\r\n${engine.client.received}`)
    expect(engine.client.received).toBe('+OK\r\n')
    expect(digestOf(h)).toBe(digestOf(other))
    expect(h.run('PTTL', 'k')).toBe(-1)
    expect(heard[0].received).not.toBe('')
    expect(heard[0].received).toBe(heard[1].received)
    expect(h.log.frames[before].opCount).toBe(1)
    const third = new EngineHarness({ solo, self: 3 }, engine.clock)
    third.receive(h)
    expect(digestOf(third)).toBe(digestOf(h))
  })

  it('whoever wants the key comes behind it', () => {
    prepareAll()
    engine.ask('HIMPORT', 'SET', 'k', 'f', ...values)
    engine.turns(() => undefined, 1)
    expect(h.raw(['HSET', 'k', 'last', '1'], engine.other)).toBe('')
    engine.turns()
    for (let turn = 0; turn < 10; turn++) engine.clock.turn()
    expect(engine.other.received).toBe(':1\r\n')
    expect(h.run('HLEN', 'k')).toBe(COUNT + 1)
  })

  it('goes in slices in EXEC', () => {
    const sliced = new SlicedEngine(solo, 10_000)
    sliced.askExec([
      ['HIMPORT', 'PREPARE', 'f', ...fields],
      ['HIMPORT', 'SET', 'k', 'f', ...values],
      ['HIMPORT', 'DISCARD', 'f'],
      ['HIMPORT', 'SET', 'j', 'f', ...values],
    ])
    expect(sliced.finish()).toBeGreaterThan(3)
    expect(sliced.client.received).toBe('*4\r\n+OK\r\n+OK\r\n:1\r\n-ERR no such fieldset\r\n')
    expect(sliced.h.run('HLEN', 'k')).toBe(COUNT)
    expect(inOneGo(sliced.h, ['HGET', 'k', 'f399'])).toBe('$4\r\nv399\r\n')
  })
})
