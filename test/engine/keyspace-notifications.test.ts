import { describe, expect, it } from 'vitest'
import { formatNotificationClasses, parseNotificationClasses } from '../../src/base/notification-classes.js'
import { EngineHarness } from '../support/engine-harness.js'
import { TestClients, type TestClient } from '../support/test-clients.js'

class Listener {
  readonly h: EngineHarness
  private readonly client: TestClient

  constructor(classes: string, options: { self?: number; solo?: boolean } = {}, clock?: EngineHarness['clock']) {
    const clients = new TestClients()
    this.h = new EngineHarness({ ...options, services: { clients } }, clock)
    this.client = clients.connect()
    this.h.engine.notifications.classes = parseNotificationClasses(classes) ?? 0
    this.h.runIn(this.client, 'PSUBSCRIBE', '*')
  }

  /** 'event key' of each event since the last call. */
  events(): string[] {
    const found = [...this.client.delivered.matchAll(/__keyevent@(\d+)__:([\w-]+)\r\n\$\d+\r\n([^\r]*)/g)]
    this.client.delivered = ''
    return found.map(([, db, event, key]) => (db === '0' ? `${event} ${key}` : `${event} ${key} @${db}`))
  }

  get raw(): string {
    return this.client.delivered
  }

  run(...args: string[]): string[] {
    this.h.run(...args)
    return this.events()
  }
}

describe('notify-keyspace-events', () => {
  it.each([
    ['', ''],
    ['gKE', 'gKE'],
    ['$lshzxeKE', '$lshzxeKE'],
    ['KA', 'AK'],
    ['EA', 'AE'],
    ['g$lshzxetd', 'A'],
    ['KEmn', 'nKEm'],
    ['AKE', 'AKE'],
    ['oc', 'oc'],
    ['cEonmK', 'nocKEm'],
    ['AKEco', 'AocKE'],
  ])('%s reads back as %s', (letters, canonical) => {
    expect(formatNotificationClasses(parseNotificationClasses(letters) ?? -1)).toBe(canonical)
  })

  it('A does not hold those of keys that are new, missed, written over or of another type', () => {
    const all = parseNotificationClasses('A') ?? 0
    for (const letter of 'nmoc') expect(all & (parseNotificationClasses(letter) ?? -1)).toBe(0)
  })

  it('knows no other letters', () => {
    expect(parseNotificationClasses('KEq')).toBeNull()
  })
})

describe('what clients do here is told in the words of their commands:', () => {
  it('a key is not new that held another type', () => {
    const l = new Listener('AEn')
    l.run('SADD', 'k', 'member')
    l.run('PEXPIRE', 'k', '5000')
    expect(l.run('SET', 'k', '1', 'KEEPTTL')).toEqual(['set k'])
    expect(l.h.run('PTTL', 'k')).toBe(5000)
    l.run('SADD', 'j', 'member')
    expect(l.run('SET', 'j', '1')).toEqual(['set j'])
  })

  it('strings', () => {
    const l = new Listener('AEn')
    expect(l.run('SET', 'k', '1')).toEqual(['new k', 'set k'])
    expect(l.run('SET', 'k', '2', 'EX', '10')).toEqual(['set k', 'expire k'])
    expect(l.run('GETSET', 'k', '3')).toEqual(['set k'])
    expect(l.run('INCR', 'k')).toEqual(['incrby k'])
    expect(l.run('DECRBY', 'n', '2')).toEqual(['new n', 'incrby n'])
    expect(l.run('INCRBYFLOAT', 'k', '0.5')).toEqual(['incrbyfloat k'])
    expect(l.run('APPEND', 'k', 'x')).toEqual(['append k'])
    expect(l.run('SETRANGE', 'k', '2', 'x')).toEqual(['setrange k'])
    expect(l.run('SETBIT', 'b', '2', '1')).toEqual(['new b', 'setbit b'])
    expect(l.run('SETBIT', 'b', '2', '1')).toEqual([])
    expect(l.run('BITFIELD', 'b', 'SET', 'u8', '0', '3', 'SET', 'u8', '8', '4')).toEqual(['setbit b'])
    expect(l.run('BITOP', 'AND', 'd', 'b', 'b')).toEqual(['new d', 'set d'])
    expect(l.run('MSET', 'k', '1', 'm', '2')).toEqual(['set k', 'new m', 'set m'])
    expect(l.run('GETEX', 'k', 'EX', '5')).toEqual(['expire k'])
    expect(l.run('GETEX', 'k', 'PERSIST')).toEqual(['persist k'])
    expect(l.run('GETDEL', 'k')).toEqual(['del k'])
    expect(l.run('SETNX', 'm', '1')).toEqual([])
  })

  it('keys', () => {
    const l = new Listener('AEn')
    l.run('MSET', 'a', '1', 'b', '2')
    expect(l.run('EXPIRE', 'a', '100')).toEqual(['expire a'])
    expect(l.run('PERSIST', 'a')).toEqual(['persist a'])
    expect(l.run('RENAME', 'a', 'c')).toEqual(['new c', 'rename_from a', 'rename_to c'])
    expect(l.run('COPY', 'b', 'c', 'REPLACE')).toEqual(['new c', 'copy_to c'])
    expect(l.run('MOVE', 'c', '3')).toEqual(['new c @3', 'move_from c', 'move_to c @3'])
    expect(l.run('EXPIRE', 'b', '-1')).toEqual(['del b'])
    l.run('MSET', 'a', '1', 'b', '2')
    expect(l.run('DEL', 'a', 'x', 'b')).toEqual(['del a', 'del b'])
  })

  it.each(['SET d x', 'RPUSH d x', 'SADD d x', 'ZADD d 1 x'])('a key that is written over: %s', (before) => {
    const l = new Listener('AEmn')
    for (const line of ['SADD s a b', 'ZADD z 1 a', 'RPUSH l 1', 'HSET h f v', 'PFADD p q', 'SET v w', 'GEOADD g 1 1 a'])
      l.run(...line.split(' '))
    const over = (line: string) => {
      l.run('DEL', 'd')
      l.run(...before.split(' '))
      return l.run(...line.split(' '))
    }
    // A result takes the place of what was there; a value that is carried comes after it went.
    expect(over('SUNIONSTORE d s none')).toEqual(['keymiss none', 'sunionstore d'])
    expect(over('SINTERSTORE d s none')).toEqual(['keymiss none', 'del d'])
    expect(over('ZUNIONSTORE d 1 z')).toEqual(['zunionstore d'])
    expect(over('ZRANGESTORE d z 0 -1')).toEqual(['zrangestore d'])
    expect(over('GEORADIUS g 1 1 9 km STORE d')).toEqual(['georadiusstore d'])
    expect(over('SORT l STORE d')).toEqual(['sortstore d'])
    for (const key of ['l', 'h', 'p', 'v']) expect(over(`COPY ${key} d REPLACE`)).toEqual(['new d', 'copy_to d'])
    for (const key of ['l', 'h', 'p', 'v'])
      expect(over(`RENAME ${key} d`)).toEqual(['new d', `rename_from ${key}`, 'rename_to d'])
    l.run('DEL', 'd')
    expect(l.run('SDIFFSTORE', 'd', 's')).toEqual(['new d', 'sdiffstore d'])
    l.run('DEL', 'd')
    expect(l.run('ZUNIONSTORE', 'd', '1', 'z')).toEqual(['new d', 'zunionstore d'])
    expect(l.run('SORT', 's', 'ALPHA', 'STORE', 'e')).toEqual(['new e', 'sortstore e'])
  })

  it('keys whose time is up, and keys that are not there', () => {
    const l = new Listener('AEmn')
    l.run('SET', 'k', 'v', 'PX', '50')
    l.h.clock.advance(500)
    expect(l.events()).toEqual(['expired k'])
    expect(l.run('GET', 'k')).toEqual(['keymiss k'])
    expect(l.run('OBJECT', 'ENCODING', 'k')).toEqual([])
    l.h.engine.activeExpiry = false
    l.run('SET', 'k', 'v', 'PX', '50')
    l.h.clock.advance(60)
    expect(l.run('SET', 'k', 'w')).toEqual(['expired k', 'new k', 'set k'])
  })

  it('each time that XREAD looks for a key, and of HyperLogLogs up to one that is none', () => {
    const l = new Listener('AEm')
    l.run('XADD', 's', '1-1', 'f', 'v')
    expect(l.run('XREAD', 'STREAMS', 's', 'x', '0', '0')).toEqual(['keymiss x', 'keymiss x'])
    expect(l.run('XREAD', 'BLOCK', '1', 'STREAMS', 'x', 'y', '$', '$')).toEqual([
      'keymiss x',
      'keymiss y',
      'keymiss x',
      'keymiss y',
    ])
    l.h.clock.advance(100)
    l.run('XREAD', 'STREAMS', 's', '$')
    expect([l.h.engine.keyspace.hits, l.h.engine.keyspace.misses]).toEqual([4, 6])
    expect(l.run('PFMERGE', 'd', 'x')).toEqual(['keymiss d', 'keymiss x', 'pfadd d'])
    l.run('SADD', 'set', 'm')
    expect(l.run('PFMERGE', 'd', 'x', 'set', 'y')).toEqual(['keymiss x'])
    expect(l.run('PFCOUNT', 'x', 'set', 'y')).toEqual(['keymiss x'])
  })

  it('on the channel of the key and on that of the event, in this order', () => {
    const l = new Listener('AKE')
    l.h.run('SET', 'k', 'v')
    const channels = [...l.raw.matchAll(/__key\w+@0__:\w+/g)].map(([channel]) => channel)
    expect(channels).toEqual(['__keyspace@0__:k', '__keyevent@0__:set'])
  })

  it('only those that are selected, and none without K or E', () => {
    const l = new Listener('gE')
    expect(l.run('SET', 'k', 'v')).toEqual([])
    expect(l.run('DEL', 'k')).toEqual(['del k'])
    l.h.engine.notifications.classes = parseNotificationClasses('An') ?? 0
    expect(l.h.engine.effects.onNewKey).toBeNull()
    l.h.run('SET', 'k', 'v')
    expect(l.raw).toBe('')
  })
})

describe.each([true, false])('classes o and c (alone: %s):', (solo) => {
  const listen = (classes = 'AEoc'): Listener => {
    const l = new Listener(classes, { solo })
    for (const line of [
      'SET v w',
      'SADD s a b',
      'ZADD z 1 a',
      'RPUSH l 1',
      'HSET h f v',
      'PFADD p q',
      'XADD x 1-1 f v',
      'GEOADD g 1 1 a',
    ])
      l.run(...line.split(' '))
    return l
  }
  /** Events of a command on a key d that holds something already. */
  const over = (l: Listener, before: string, line: string): string[] => {
    l.run('DEL', 'd')
    l.run(...before.split(' '))
    return l.run(...line.split(' '))
  }
  const both = ['overwritten d', 'type_changed d']

  it.each([
    ['SET d x', ['set d']],
    ['SET d x EX 10', ['set d', 'expire d']],
    ['SET d x XX KEEPTTL', ['set d']],
    ['SETEX d 10 x', ['set d', 'expire d']],
    ['PSETEX d 10000 x', ['set d', 'expire d']],
    ['MSET d x', ['set d']],
    ['MSETEX 1 d x', ['set d']],
    ['BITOP OR d v', ['set d']],
    ['SUNIONSTORE d s', ['sunionstore d']],
    ['SINTERSTORE d s', ['sinterstore d']],
    ['SDIFFSTORE d s none', ['sdiffstore d']],
    ['ZUNIONSTORE d 1 z', ['zunionstore d']],
    ['ZINTERSTORE d 1 z', ['zinterstore d']],
    ['ZDIFFSTORE d 1 z', ['zdiffstore d']],
    ['ZRANGESTORE d z 0 -1', ['zrangestore d']],
    ['GEORADIUS g 1 1 9 km STORE d', ['georadiusstore d']],
    ['GEORADIUS g 1 1 9 km STOREDIST d', ['georadiusstore d']],
    ['GEOSEARCHSTORE d g FROMLONLAT 1 1 BYRADIUS 9 km', ['geosearchstore d']],
    ['SORT l STORE d', ['sortstore d']],
  ])('%s says first that it wrote over a key, and changed its type', (line, own) => {
    const l = listen()
    expect(over(l, 'XADD d 1-1 f v', line)).toEqual([...both, ...own])
    // What it makes itself, of the same type.
    expect(l.run(...line.split(' '))).toEqual(['overwritten d', ...own])
    l.run('DEL', 'd')
    if (!line.includes('XX')) expect(l.run(...line.split(' '))).toEqual(own)
  })

  it.each(['v', 's', 'z', 'l', 'h', 'p', 'x'])('RENAME, COPY and RESTORE of %s say it last', (key) => {
    const l = listen()
    const other = key === 's' ? 'ZADD d 1 x' : 'SADD d x'
    expect(over(l, other, `COPY ${key} d REPLACE`)).toEqual(['copy_to d', ...both])
    expect(l.run('COPY', key, 'd', 'REPLACE')).toEqual(['copy_to d', 'overwritten d'])
    expect(l.run('COPY', key, 'd')).toEqual([])
    expect(l.run('RENAME', key, 'd')).toEqual([`rename_from ${key}`, 'rename_to d', 'overwritten d'])
    l.run('RENAME', 'd', key)
    expect(over(l, other, `RENAME ${key} d`)).toEqual([`rename_from ${key}`, 'rename_to d', ...both])
    const payload = Buffer.from(String(l.h.run('DUMP', 'd')), 'latin1')
    const restore = (): string[] => {
      l.h.run('RESTORE', 'd', '0', payload, 'REPLACE')
      return l.events()
    }
    expect(restore()).toEqual(['restore d', 'overwritten d'])
    l.run('DEL', 'd')
    expect(restore()).toEqual(['restore d'])
    l.run('DEL', 'd')
    l.run(...other.split(' '))
    expect(restore()).toEqual(['restore d', ...both])
  })

  it('in another database, of the key that is there', () => {
    const l = listen()
    l.run('COPY', 's', 'd', 'DB', '3')
    l.run('SET', 'd', 'x')
    expect(l.run('COPY', 'v', 'd', 'DB', '3', 'REPLACE')).toEqual(['copy_to d @3', 'overwritten d @3', 'type_changed d @3'])
    expect(l.run('COPY', 's', 'd', 'DB', '4')).toEqual(['copy_to d @4'])
  })

  it('GETSET, and MSET that names a key twice; not what changes a value, or keeps one', () => {
    const l = listen()
    expect(l.run('GETSET', 'v', '1')).toEqual(['overwritten v', 'set v'])
    expect(l.run('MSET', 'v', '1', 'new', '1', 'new', '2', 's', '3')).toEqual([
      'overwritten v',
      'set v',
      'set new',
      'overwritten new',
      'set new',
      'overwritten s',
      'type_changed s',
      'set s',
    ])
    expect(l.run('INCR', 'v')).toEqual(['incrby v'])
    expect(l.run('APPEND', 'v', 'x')).toEqual(['append v'])
    expect(l.run('SETRANGE', 'v', '0', 'x')).toEqual(['setrange v'])
    expect(l.run('HSET', 'h', 'f', 'w')).toEqual(['hset h'])
    expect(l.run('SETNX', 'v', '1')).toEqual([])
    expect(l.run('SET', 'v', '1', 'NX')).toEqual([])
    expect(l.run('SINTERSTORE', 'h', 'none')).toEqual(['del h'])
    expect(l.run('RENAME', 'z', 'z')).toEqual([])
  })

  it('a HyperLogLog is a string', () => {
    const l = listen()
    expect(l.run('SET', 'p', 'x')).toEqual(['overwritten p', 'set p'])
    l.run('PFADD', 'q', 'x')
    expect(l.run('RENAME', 'q', 'v')).toEqual(['rename_from q', 'rename_to v', 'overwritten v'])
  })

  it('what is due is not written over', () => {
    const l = listen('AEnoc')
    l.h.engine.activeExpiry = false
    l.run('PEXPIRE', 's', '50')
    l.h.clock.advance(60)
    expect(l.run('SET', 's', 'x')).toEqual(['expired s', 'new s', 'set s'])
  })

  it('each alone, and on the channel of the key', () => {
    expect(listen('Eo').run('SET', 's', 'x')).toEqual(['overwritten s'])
    expect(listen('Ec').run('SET', 's', 'x')).toEqual(['type_changed s'])
    expect(listen('Ec').run('SET', 'v', 'x')).toEqual([])
    expect(listen('AE').run('SET', 's', 'x')).toEqual(['set s'])
    const l = listen('Koc')
    l.h.run('SET', 's', 'x')
    expect([...l.raw.matchAll(/__keyspace@0__:s\r\n\$\d+\r\n(\w+)/g)].map(([, event]) => event)).toEqual([
      'overwritten',
      'type_changed',
    ])
  })

  it('nobody looks what a key held while they are not selected, or nobody listens', () => {
    const { notifications } = listen('AE').h.engine
    expect(notifications.tellsReplaced).toBe(false)
    for (const letters of ['KEo', 'Ec', 'oc']) {
      notifications.classes = parseNotificationClasses(letters) ?? 0
      expect([letters, notifications.tellsReplaced]).toEqual([letters, letters !== 'oc'])
    }
    const deaf = new EngineHarness()
    deaf.engine.notifications.classes = parseNotificationClasses('KEoc') ?? 0
    expect(deaf.engine.notifications.tellsReplaced).toBe(false)
  })
})

describe('what arrives from other members is told in the words of its effects:', () => {
  function pair(classes = 'AEn'): { a: EngineHarness; b: Listener; from: (...args: string[]) => string[] } {
    const a = new EngineHarness({ self: 1, solo: false })
    const b = new Listener(classes, { self: 2, solo: false }, a.clock)
    const from = (...args: string[]): string[] => {
      a.run(...args)
      b.h.receive(a)
      return b.events()
    }
    return { a, b, from }
  }

  it('writes, edits, expiry', () => {
    const { from } = pair()
    expect(from('SET', 'k', '1', 'EX', '100')).toEqual(['new k', 'set k', 'expire k'])
    expect(from('INCR', 'k')).toEqual(['incrby k'])
    expect(from('APPEND', 's', 'x')).toEqual(['new s', 'append s'])
    expect(from('SETRANGE', 's', '3', 'x')).toEqual(['setrange s'])
    expect(from('SETBIT', 's', '0', '1')).toEqual(['setbit s'])
    expect(from('EXPIRE', 's', '50')).toEqual(['expire s'])
    expect(from('PERSIST', 's')).toEqual(['persist s'])
    expect(from('RENAME', 's', 't')).toEqual(['new t', 'set t', 'del s'])
    expect(from('DEL', 'k', 't')).toEqual(['del k', 'del t'])
    expect(from('FLUSHALL')).toEqual([])
  })

  it('hashes, sets, sorted sets', () => {
    const { a, b, from } = pair()
    expect(from('HSET', 'h', 'f', '1', 'g', '2', 'i', '3')).toEqual(['new h', 'hset h'])
    expect(from('HINCRBY', 'h', 'f', '1')).toEqual(['hincrby h'])
    expect(from('HEXPIRE', 'h', '100', 'FIELDS', '1', 'f')).toEqual(['hexpire h'])
    expect(from('HPERSIST', 'h', 'FIELDS', '1', 'f')).toEqual(['hpersist h'])
    expect(from('HDEL', 'h', 'f')).toEqual(['hdel h'])
    expect(from('HPEXPIRE', 'h', '50', 'FIELDS', '1', 'g')).toEqual(['hexpire h'])
    a.clock.advance(1000)
    b.h.receive(a)
    expect(b.events()).toEqual(['hexpired h'])
    expect(from('HDEL', 'h', 'i')).toEqual(['hdel h', 'del h'])
    expect(from('SADD', 's', 'm', 'n')).toEqual(['new s', 'sadd s'])
    expect(from('SPOP', 's')).toEqual(['srem s'])
    expect(from('ZADD', 'z', '1', 'm')).toEqual(['new z', 'zadd z'])
    expect(from('ZINCRBY', 'z', '1', 'm')).toEqual(['zincr z'])
    expect(from('ZPOPMIN', 'z')).toEqual(['zrem z', 'del z'])
  })

  it('lists, by the end at which something comes or goes', () => {
    const { from } = pair()
    expect(from('LPUSH', 'l', 'a')).toEqual(['new l', 'rpush l'])
    expect(from('LPUSH', 'l', 'b')).toEqual(['lpush l'])
    expect(from('LPUSH', 'l', 'c', 'd')).toEqual(['lpush l'])
    expect(from('RPUSH', 'l', 'e')).toEqual(['rpush l'])
    expect(from('LINSERT', 'l', 'BEFORE', 'a', 'x')).toEqual(['linsert l'])
    expect(from('LSET', 'l', '0', 'y')).toEqual(['lset l'])
    expect(from('LPOP', 'l')).toEqual(['lpop l'])
    expect(from('RPOP', 'l')).toEqual(['rpop l'])
    expect(from('LREM', 'l', '0', 'x')).toEqual(['lrem l'])
    expect(from('RPUSH', 'l', 'p', 'q', 'r')).toEqual(['rpush l'])
    expect(from('LTRIM', 'l', '1', '-2')).toEqual(['ltrim l'])
    expect(from('RPOPLPUSH', 'l', 'm')).toEqual(['rpop l', 'new m', 'rpush m'])
    expect(from('DEL', 'l')).toEqual(['del l'])
    expect(from('LPUSH', 'l', 'a', 'b')).toEqual(['new l', 'lpush l'])
    expect(from('RPOP', 'l', '2')).toEqual(['lpop l', 'del l'])
  })

  it('pushes that begin a run of their own, at either end', () => {
    const { a, b, from } = pair()
    from('RPUSH', 'l', 'a')
    b.h.run('RPUSH', 'l', 'b')
    b.h.run('LPUSH', 'l', 'c')
    a.receive(b.h)
    b.events()
    expect(from('LPUSH', 'l', 'd')).toEqual(['lpush l'])
    expect(from('RPUSH', 'l', 'e')).toEqual(['rpush l'])
    expect(b.h.run('LRANGE', 'l', '0', '-1')).toEqual(['d', 'c', 'a', 'b', 'e'])
  })

  it('streams and groups', () => {
    const { from } = pair()
    expect(from('XADD', 's', '1-1', 'f', 'v')).toEqual(['new s', 'xadd s'])
    expect(from('XGROUP', 'CREATE', 's', 'g', '0')).toEqual(['xgroup-create s'])
    expect(from('XGROUP', 'SETID', 's', 'g', '$')).toEqual(['xgroup-setid s'])
    expect(from('XREADGROUP', 'GROUP', 'g', 'c', 'STREAMS', 's', '>')).toEqual([])
    expect(from('XADD', 's', 'MAXLEN', '1', '2-1', 'f', 'v')).toEqual(['xadd s', 'xtrim s'])
    expect(from('XACK', 's', 'g', '2-1')).toEqual([])
    expect(from('XDEL', 's', '2-1')).toEqual(['xdel s'])
    expect(from('XSETID', 's', '9-1')).toEqual(['xsetid s'])
    expect(from('XGROUP', 'DESTROY', 's', 'g')).toEqual(['xgroup-destroy s'])
    expect(from('XGROUP', 'CREATE', 't', 'g', '0', 'MKSTREAM')).toEqual(['new t', 'xgroup-create t'])
  })

  it('removal of what is due', () => {
    const { a, b, from } = pair()
    expect(from('SET', 'k', '1', 'PX', '50')).toEqual(['new k', 'set k', 'expire k'])
    a.clock.advance(300)
    b.h.receive(a)
    expect(b.events()).toEqual(['expired k'])
  })

  it('a value that is written over; where the type changes as a whole, as a removal and a write', () => {
    const { a, b } = pair('AEnoc')
    const from = (...args: string[]): string[] => {
      a.run(...args)
      b.h.receive(a)
      return b.events()
    }
    expect(from('SET', 'k', '1')).toEqual(['new k', 'set k'])
    expect(from('SET', 'k', '2', 'EX', '100')).toEqual(['overwritten k', 'set k', 'expire k'])
    expect(from('APPEND', 'k', 'x')).toEqual(['append k'])
    expect(from('SADD', 's', 'm')).toEqual(['new s', 'sadd s'])
    expect(from('SADD', 's', 'n')).toEqual(['sadd s'])
    expect(from('SET', 's', '1')).toEqual(['del s', 'new s', 'set s'])
    expect(from('SADD', 'm', 'x', 'y')).toEqual(['new m', 'sadd m'])
    expect(from('SUNIONSTORE', 'k', 'm')).toEqual(['del k', 'new k', 'sadd k'])
  })

  it('another type that becomes visible in a conflict', () => {
    const { a, b } = pair('AEnoc')
    b.h.run('SET', 'k', '1')
    a.clock.advance(10)
    a.run('SADD', 'k', 'm')
    b.events()
    b.h.receive(a)
    expect(b.h.run('TYPE', 'k')).toBe('set')
    expect(b.events()).toEqual(['type_changed k', 'sadd k'])
  })

  it('but not a removal that leaves a newer value', () => {
    const { a, b } = pair()
    a.run('SET', 'k', '1')
    b.h.receive(a)
    a.run('DEL', 'k')
    b.h.run('SET', 'k', '2')
    b.events()
    b.h.receive(a)
    expect(b.events()).toEqual([])
  })
})
