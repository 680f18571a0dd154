import { describe, expect, it } from 'vitest'
import { formatNotificationClasses, NOTIFICATION_LETTERS, parseNotificationClasses } from '../../src/base/notification-classes.js'
import { EngineHarness } from '../support/engine-harness.js'
import { SLICING } from '../support/sliced-engine.js'
import { TestClients, type TestClient } from '../support/test-clients.js'
import { ReceivingSession, TickingClock } from '../support/ticking-clock.js'

class Listener {
  readonly h: EngineHarness
  private readonly client: TestClient

  constructor(classes: string, options: { self?: number; solo?: boolean } = {}, clock?: EngineHarness['clock']) {
    const clients = new TestClients()
    this.h = new EngineHarness({ ...options, services: { clients } }, clock)
    this.client = clients.connect()
    this.h.engine.notifications.classes = parseNotificationClasses(classes) ?? 0
    this.h.runIn(this.client, 'PSUBSCRIBE', '*')
    this.client.delivered = ''
  }

  /** 'channel message' of each message since the last call. */
  messages(): string[] {
    const found = [...messagesOf(this.client.delivered)]
    this.client.delivered = ''
    return found
  }

  run(...args: string[]): string[] {
    this.h.run(...args)
    return this.messages()
  }
}

function* messagesOf(received: string): Generator<string> {
  for (let at = 0; at < received.length;) {
    at = received.indexOf('\r\n', at) + 2
    const parts: string[] = []
    for (let i = 0; i < 4; i++) {
      const end = received.indexOf('\r\n', at)
      const length = Number(received.slice(at + 1, end))
      parts.push(received.slice(end + 2, end + 2 + length))
      at = end + 2 + length + 2
    }
    yield `${parts[2]} ${parts[3]}`
  }
}

/** A listener that hears, of class V, 'event|key fields'. */
class FieldListener extends Listener {
  override messages(): string[] {
    return super.messages().map((message) => message.replace(/^__subkeyspaceevent@0__:/, '').replace(/^__keyevent@0__:/, ''))
  }
}

describe('classes S, T, I and V', () => {
  it.each([
    ['STIVh', 'hSTIV'],
    ['VITSmEKhn', 'hnKEmSTIV'],
    ['AKESTIV', 'AKESTIV'],
    [NOTIFICATION_LETTERS, 'AnocKEmSTIV'],
  ])('%s reads back as %s', (letters, canonical) => {
    expect(formatNotificationClasses(parseNotificationClasses(letters) ?? -1)).toBe(canonical)
  })

  it('each have a channel of their own, behind those of the key and in this order', () => {
    const l = new Listener('KEhSTIV')
    expect(l.run('HSET', 'k', 'a', '1', 'bb', '2')).toEqual([
      '__keyspace@0__:k hset',
      '__keyevent@0__:hset k',
      '__subkeyspace@0__:k hset|1:a,2:bb',
      '__subkeyevent@0__:hset 1:k|1:a,2:bb',
      '__subkeyspaceitem@0__:k\na hset',
      '__subkeyspaceitem@0__:k\nbb hset',
      '__subkeyspaceevent@0__:hset|k 1:a,2:bb',
    ])
  })

  it.each([
    ['S', ['__subkeyspace@0__:k hset|1:f']],
    ['T', ['__subkeyevent@0__:hset 1:k|1:f']],
    ['I', ['__subkeyspaceitem@0__:k\nf hset']],
    ['V', ['__subkeyspaceevent@0__:hset|k 1:f']],
  ])('%s alone is enough, and brings no events of keys', (letter, messages) => {
    expect(new Listener(`h${letter}`).run('HSET', 'k', 'f', 'v')).toEqual(messages)
    expect(new Listener(`A${letter}n`).run('HSET', 'k', 'f', 'v')).toEqual(messages)
    expect(new Listener(`A${letter}`).run('SET', 'k', 'v')).toEqual([])
  })

  it('need class h, and somebody who listens', () => {
    expect(new Listener('KEg$STIV').run('HSET', 'k', 'f', 'v')).toEqual([])
    const h = new EngineHarness()
    h.engine.notifications.classes = parseNotificationClasses('ASTIV') ?? 0
    expect(h.engine.notifications.tellsFields).toBe(false)
    h.runIn(new ReceivingSession(7), 'SUBSCRIBE', 'x')
    expect(h.engine.notifications.tellsFields).toBe(true)
    h.engine.notifications.classes = parseNotificationClasses('AKE') ?? 0
    expect(h.engine.notifications.tellsFields).toBe(false)
  })

  it('name the database', () => {
    const l = new Listener('hST')
    l.h.run('SELECT', '3')
    expect(l.run('HSET', 'k', 'f', 'v')).toEqual(['__subkeyspace@3__:k hset|1:f', '__subkeyevent@3__:hset 1:k|1:f'])
  })

  it('carry any bytes, with their lengths; items none of a key with a line feed', () => {
    const l = new Listener('hSTIV')
    expect(l.run('HSET', 'k|\n', 'a,2:b|', '1', '', '2', 'c\n', '3')).toEqual([
      '__subkeyspace@0__:k|\n hset|6:a,2:b|,0:,2:c\n',
      '__subkeyevent@0__:hset 3:k|\n|6:a,2:b|,0:,2:c\n',
      '__subkeyspaceevent@0__:hset|k|\n 6:a,2:b|,0:,2:c\n',
    ])
    expect(l.run('HSET', 'k', 'c\n', '3')[2]).toBe('__subkeyspaceitem@0__:k\nc\n hset')
  })
})

describe.each([true, false])('fields that a command tells of (alone: %s):', (solo) => {
  const listen = (classes = 'hgEV') => new FieldListener(classes, { solo })

  it('HSET, HMSET: all that it names; HSETNX: what it writes', () => {
    const l = listen('hV')
    expect(l.run('HSET', 'k', 'a', '1', 'b', '2', 'a', '3')).toEqual(['hset|k 1:a,1:b,1:a'])
    expect(l.run('HMSET', 'k', 'a', '1', 'c', '2')).toEqual(['hset|k 1:a,1:c'])
    expect(l.run('HSETNX', 'k', 'a', '1')).toEqual([])
    expect(l.run('HSETNX', 'k', 'd', '1')).toEqual(['hset|k 1:d'])
  })

  it('HINCRBY, HINCRBYFLOAT', () => {
    const l = listen('hV')
    expect(l.run('HINCRBY', 'k', 'n', '2')).toEqual(['hincrby|k 1:n'])
    expect(l.run('HINCRBY', 'k', 'n', '9007199254740993')).toEqual(['hincrby|k 1:n'])
    expect(l.run('HINCRBYFLOAT', 'k', 'n', '0.5')).toEqual(['hincrbyfloat|k 1:n'])
    expect(l.run('HINCRBY', 'k', 'n', 'x')).toEqual([])
  })

  it('HDEL, HGETDEL: those that went, once; the key when it goes with them', () => {
    const l = listen()
    l.run('HSET', 'k', 'a', '1', 'b', '2', 'c', '3', 'd', '4')
    expect(l.run('HDEL', 'k', 'x')).toEqual([])
    expect(l.run('HDEL', 'k', 'b', 'x', 'a', 'b')).toEqual(['hdel k', 'hdel|k 1:b,1:a'])
    expect(l.run('HGETDEL', 'k', 'FIELDS', '3', 'x', 'c', 'c')).toEqual(['hdel k', 'hdel|k 1:c'])
    expect(l.run('HDEL', 'k', 'd')).toEqual(['hdel k', 'hdel|k 1:d', 'del k'])
    expect(l.run('HDEL', 'k', 'd')).toEqual([])
  })

  it('HEXPIRE and its kin: those whose time is set, and HPERSIST those whose time is taken away', () => {
    const l = listen()
    l.run('HSET', 'k', 'a', '1', 'b', '2', 'c', '3')
    expect(l.run('HEXPIRE', 'k', '100', 'FIELDS', '3', 'b', 'x', 'a')).toEqual(['hexpire k', 'hexpire|k 1:b,1:a'])
    expect(l.run('HPEXPIRE', 'k', '100000', 'NX', 'FIELDS', '2', 'a', 'c')).toEqual(['hexpire k', 'hexpire|k 1:c'])
    expect(l.run('HPERSIST', 'k', 'FIELDS', '3', 'a', 'a', 'x')).toEqual(['hpersist k', 'hpersist|k 1:a'])
    expect(l.run('HPERSIST', 'k', 'FIELDS', '1', 'a')).toEqual([])
    expect(l.run('HEXPIREAT', 'k', '1', 'FIELDS', '3', 'a', 'x', 'a')).toEqual(['hdel k', 'hdel|k 1:a'])
    expect(l.run('HPEXPIREAT', 'k', '1', 'FIELDS', '2', 'b', 'c')).toEqual(['hdel k', 'hdel|k 1:b,1:c', 'del k'])
  })

  it('HGETEX: those whose time it sets or takes away, or that go', () => {
    const l = listen()
    l.run('HSET', 'k', 'a', '1', 'b', '2', 'c', '3')
    expect(l.run('HGETEX', 'k', 'FIELDS', '1', 'a')).toEqual([])
    expect(l.run('HGETEX', 'k', 'EX', '100', 'FIELDS', '3', 'a', 'x', 'b')).toEqual(['hexpire k', 'hexpire|k 1:a,1:b'])
    expect(l.run('HGETEX', 'k', 'PERSIST', 'FIELDS', '4', 'c', 'b', 'x', 'b')).toEqual(['hpersist k', 'hpersist|k 1:b'])
    expect(l.run('HGETEX', 'k', 'PXAT', '1', 'FIELDS', '3', 'b', 'a', 'b')).toEqual(['hdel k', 'hdel|k 1:b,1:a'])
    expect(l.run('HGETEX', 'k', 'PXAT', '1', 'FIELDS', '1', 'c')).toEqual(['hdel k', 'hdel|k 1:c', 'del k'])
  })

  it('HSETEX: those that it writes, and then those whose time it sets', () => {
    const l = listen()
    expect(l.run('HSETEX', 'k', 'FIELDS', '2', 'a', '1', 'b', '2')).toEqual(['hset k', 'hset|k 1:a,1:b'])
    expect(l.run('HSETEX', 'k', 'FNX', 'FIELDS', '2', 'b', '1', 'c', '2')).toEqual([])
    expect(l.run('HSETEX', 'k', 'EX', '100', 'FIELDS', '1', 'b', '1')).toEqual([
      'hset k',
      'hset|k 1:b',
      'hexpire k',
      'hexpire|k 1:b',
    ])
    expect(l.run('HSETEX', 'k', 'KEEPTTL', 'FIELDS', '2', 'b', '1', 'c', '2')).toEqual(['hset k', 'hset|k 1:b,1:c'])
  })

  it('HSETEX of a time that has passed: a write and a removal of all of them, as in Redis', () => {
    const l = listen('hgnEV')
    l.run('HSET', 'k', 'a', '1', 'b', '2')
    const written = ['hset k', 'hset|k 1:a,1:x', 'hdel k', 'hdel|k 1:a,1:x']
    expect(l.run('HSETEX', 'k', 'PXAT', '1', 'FIELDS', '2', 'a', '1', 'x', '2')).toEqual(written)
    expect(l.h.run('HGETALL', 'k')).toEqual(['b', '2'])
    expect(l.run('HSETEX', 'none', 'PXAT', '1', 'FIELDS', '1', 'a', '1')).toEqual([
      'new none',
      'hset none',
      'hset|none 1:a',
      'hdel none',
      'hdel|none 1:a',
      'del none',
    ])
  })

  it('those that fall due, together', () => {
    const l = listen()
    l.run('HSET', 'k', 'a', '1', 'b', '2', 'c', '3')
    l.run('HPEXPIRE', 'k', '50', 'FIELDS', '2', 'a', 'b')
    l.h.clock.advance(1000)
    const [event, fields, ...others] = l.messages()
    expect([event, others]).toEqual(['hexpired k', []])
    expect(['hexpired|k 1:a,1:b', 'hexpired|k 1:b,1:a']).toContain(fields)
    l.run('HPEXPIRE', 'k', '50', 'FIELDS', '1', 'c')
    l.h.clock.advance(1000)
    expect(l.messages()).toEqual(['hexpired k', 'hexpired|k 1:c', 'del k'])
  })

  it('those that a command finds due, or writes over', () => {
    const l = listen()
    l.run('HSET', 'k', 'a', '1', 'b', '2', 'c', '3')
    l.run('HPEXPIRE', 'k', '50', 'FIELDS', '2', 'a', 'b')
    l.h.engine.activeExpiry = false
    l.h.clock.advance(60)
    expect(l.run('HINCRBY', 'k', 'b', '1')).toEqual(['hexpired k', 'hexpired|k 1:b', 'hincrby k', 'hincrby|k 1:b'])
    l.h.engine.activeExpiry = true
    expect(l.run('HGET', 'k', 'a')).toEqual(['hexpired k', 'hexpired|k 1:a'])
  })

  it('those of one hash that a read finds due, as one event', () => {
    const l = listen()
    l.h.engine.activeExpiry = false
    l.run('HSET', 'k', 'a', '1', 'b', '2', 'c', '3')
    l.run('HPEXPIRE', 'k', '50', 'FIELDS', '3', 'a', 'b', 'c')
    l.h.clock.advance(60)
    expect(l.run('HMGET', 'k', 'b', 'a', 'x')).toEqual(['hexpired k', 'hexpired|k 1:b,1:a'])
    expect(l.run('HMGET', 'k', 'a', 'c')).toEqual(['hexpired k', 'hexpired|k 1:c', 'del k'])
    expect(l.h.engine.statistics.expiredFields).toBe(3)
  })

  it('those that HGETDEL finds due, before those that it removes', () => {
    const l = listen()
    l.h.engine.activeExpiry = false
    const fill = (): void => {
      l.run('HSET', 'k', 'a', '1', 'b', '2', 'c', '3')
      l.run('HPEXPIRE', 'k', '50', 'FIELDS', '2', 'a', 'b')
      l.h.clock.advance(60)
    }
    fill()
    expect(l.run('HGETDEL', 'k', 'FIELDS', '5', 'b', 'c', 'a', 'x', 'b')).toEqual([
      'hexpired k',
      'hexpired|k 1:b,1:a',
      'hdel k',
      'hdel|k 1:c',
      'del k',
    ])
    fill()
    expect(l.run('HGETDEL', 'k', 'FIELDS', '2', 'a', 'x')).toEqual(['hexpired k', 'hexpired|k 1:a'])
    expect(l.run('HGETDEL', 'k', 'FIELDS', '1', 'c')).toEqual(['hdel k', 'hdel|k 1:c'])
    expect(l.run('HGETDEL', 'k', 'FIELDS', '1', 'b')).toEqual(['hexpired k', 'hexpired|k 1:b', 'del k'])
    expect(l.h.engine.statistics.expiredFields).toBe(4)
  })

  it('those of a transaction, command by command', () => {
    const l = listen('hV')
    l.h.run('MULTI')
    l.h.run('HSET', 'k', 'a', '1', 'b', '2')
    l.h.run('HDEL', 'k', 'a')
    expect(l.messages()).toEqual([])
    expect(l.run('EXEC')).toEqual(['hset|k 1:a,1:b', 'hdel|k 1:a'])
  })

  it('but none for what concerns the key as a whole', () => {
    const l = listen('AV')
    l.run('HSET', 'k', 'a', '1')
    for (const args of [
      ['COPY', 'k', 'j'],
      ['RENAME', 'j', 'i'],
      ['PEXPIRE', 'k', '1000'],
      ['DEL', 'k'],
      ['HGETALL', 'i'],
    ])
      expect(l.run(...args)).toEqual([])
  })
})

describe('fields of what arrives from other members', () => {
  function pair(): { a: EngineHarness; b: FieldListener; from: (...args: string[]) => string[] } {
    const a = new EngineHarness({ self: 1, solo: false })
    const b = new FieldListener('hgEV', { self: 2, solo: false }, a.clock)
    const from = (...args: string[]): string[] => {
      a.run(...args)
      b.h.receive(a)
      return b.messages()
    }
    return { a, b, from }
  }

  it('are told with its events', () => {
    const { a, b, from } = pair()
    expect(from('HSET', 'k', 'a', '1', 'b', '2', 'a', '3')).toEqual(['hset k', 'hset|k 1:b,1:a'])
    expect(from('HINCRBY', 'k', 'n', '1')).toEqual(['hdel k', 'hdel|k 1:n', 'hincrby k', 'hincrby|k 1:n'])
    expect(from('HINCRBYFLOAT', 'k', 'n', '0.5')).toEqual(['hincrby k', 'hincrby|k 1:n'])
    expect(from('HSET', 'k', 'n', '1', 'c', '2')).toEqual(['hset k', 'hset|k 1:n,1:c'])
    expect(from('HSETEX', 'k', 'EX', '9', 'FIELDS', '2', 'd', '1', 'e', '2')).toEqual(['hset k', 'hset|k 1:d,1:e'])
    expect(from('HEXPIRE', 'k', '100', 'FIELDS', '2', 'a', 'x')).toEqual(['hexpire k', 'hexpire|k 1:a'])
    expect(from('HPERSIST', 'k', 'FIELDS', '1', 'a')).toEqual(['hpersist k', 'hpersist|k 1:a'])
    expect(from('HDEL', 'k', 'a', 'x', 'n')).toEqual(['hdel k', 'hdel|k 1:a,1:n'])
    a.clock.advance(9500)
    b.h.receive(a)
    const [event, fields] = b.messages()
    expect(event).toBe('hexpired k')
    expect(['hexpired|k 1:d,1:e', 'hexpired|k 1:e,1:d']).toContain(fields)
    expect(from('HDEL', 'k', 'b', 'c')).toEqual(['hdel k', 'hdel|k 1:b,1:c', 'del k'])
    expect(from('SADD', 's', 'm')).toEqual([])
  })

  it('that have a newer write here are not told as removed', () => {
    const { a, b } = pair()
    a.run('HSET', 'k', 'a', '1', 'b', '2')
    b.h.receive(a)
    a.run('HDEL', 'k', 'a', 'b')
    b.h.run('HSET', 'k', 'a', 'kept')
    b.messages()
    b.h.receive(a)
    expect(b.messages()).toEqual(['hdel k', 'hdel|k 1:b'])
    a.run('HSET', 'k', 'c', '1')
    b.h.receive(a)
    a.run('HDEL', 'k', 'c')
    b.h.run('HSET', 'k', 'c', 'kept')
    b.messages()
    b.h.receive(a)
    expect(b.messages()).toEqual(['hdel k'])
  })
})

describe('fields of a command of very many', () => {
  const names = Array.from({ length: 2000 }, (_, i) => `f${i}`)
  const list = names.map((name) => `${name.length}:${name}`).join()

  it.each(['alone', 'in EXEC'])('are told in slices, before the reply and in one message: %s', (how) => {
    const clock = new TickingClock()
    const h = new EngineHarness({ slicing: { ...SLICING, transactionCommands: 100 } }, clock)
    h.engine.notifications.classes = parseNotificationClasses('hgSTIV') ?? 0
    const listener = new ReceivingSession(300)
    h.raw(['PSUBSCRIBE', '*'], listener)
    const client = new ReceivingSession(100)
    const run = (...args: string[]): { messages: string[]; turnsOfItems: number } => {
      listener.received = ''
      let reply = how === 'alone' ? h.raw(args, client) : ''
      if (how === 'in EXEC') {
        h.raw(['MULTI'], client)
        h.raw(args, client)
        reply = h.raw(['EXEC'], client)
      }
      expect(reply).toBe('')
      let turnsOfItems = 0
      for (let seen = 0; client.blocked !== null;) {
        clock.turn()
        const items = listener.received.split('item@').length
        if (items > seen) turnsOfItems++
        // Others are served meanwhile, but not with the hash itself.
        if (items > seen && how === 'alone') expect(h.raw(['PING'], new ReceivingSession(200))).toBe('+PONG\r\n')
        seen = items
      }
      return { messages: [...messagesOf(listener.received)], turnsOfItems }
    }
    const items = (event: string): string[] => names.map((name) => `__subkeyspaceitem@0__:k\n${name} ${event}`)
    const set = run('HSET', 'k', ...names.flatMap((name) => [name, 'v']))
    expect(set.messages).toEqual([
      `__subkeyspace@0__:k hset|${list}`,
      `__subkeyevent@0__:hset 1:k|${list}`,
      ...items('hset'),
      `__subkeyspaceevent@0__:hset|k ${list}`,
    ])
    expect(set.turnsOfItems).toBeGreaterThan(10)
    const removed = run('HDEL', 'k', ...names)
    expect(removed.messages).toEqual([
      `__subkeyspace@0__:k hdel|${list}`,
      `__subkeyevent@0__:hdel 1:k|${list}`,
      ...items('hdel'),
      `__subkeyspaceevent@0__:hdel|k ${list}`,
    ])
    expect(h.run('EXISTS', 'k')).toBe(0)
  })
})
