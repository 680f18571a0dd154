import { beforeEach, describe, expect, it } from 'vitest'
import { LIMITS } from '../../src/base/limits.js'
import { EngineHarness } from '../support/engine-harness.js'
import { TestClients, type TestClient } from '../support/test-clients.js'
import { tableWithBlockingCommands } from './fake-blocking-commands.js'

let clients: TestClients
let h: EngineHarness
let admin: TestClient
let a: TestClient
let b: TestClient
let c: TestClient
let refusal: string | null

function harness(): EngineHarness {
  const { services } = new EngineHarness()
  const sleep = (ms: number): void => void (h.clock.now += ms)
  const server = Object.defineProperty({ ...services.server, sleep }, 'writeRefusal', { get: () => refusal })
  const settings = { ...services.settings, debugCommand: 'yes' as const }
  return new EngineHarness({ services: { clients, table: tableWithBlockingCommands(), server, settings } })
}

beforeEach(() => {
  refusal = null
  clients = new TestClients()
  h = harness()
  admin = clients.connect()
  a = clients.connect()
  b = clients.connect()
  c = clients.connect()
})

function send(session: TestClient, ...args: string[]): string {
  return h.raw(args, session)
}

/** Sends a command that must block. */
function wait(session: TestClient, ...args: string[]): void {
  expect(send(session, ...args)).toBe('')
  expect(session.blocked).not.toBe(null)
}

/** What came since the last look. */
function received(session: TestClient): string {
  const { delivered } = session
  session.delivered = ''
  return delivered
}

function pair(key: string, value: string): string {
  return `*2\r\n$${key.length}\r\n${key}\r\n$${value.length}\r\n${value}\r\n`
}

describe('a client that waits for keys', () => {
  it('is answered at once when there is something', () => {
    send(admin, 'SET', 'k', 'v')
    expect(send(a, 'TAKE', 'x', 'k', '0')).toBe(pair('k', 'v'))
    expect(a.blocked).toBe(null)
  })

  it('is served by a write, with its effect in an op of its own', () => {
    wait(a, 'TAKE', 'k', '0')
    expect(send(admin, 'SET', 'k', 'v')).toBe('+OK\r\n')
    expect(received(a)).toBe(pair('k', 'v'))
    expect([a.blocked, a.unblockedTimes]).toEqual([null, 1])
    expect(send(admin, 'EXISTS', 'k')).toBe(':0\r\n')
    expect(h.log.frames.reduce((ops, frame) => ops + frame.opCount, 0)).toBe(2)
    expect(a.lastWriteStamp).toBeGreaterThan(admin.lastWriteStamp)
  })

  it('is served in the order in which it began to wait, one for each value', () => {
    wait(a, 'TAKE', 'k', '0')
    wait(b, 'TAKE', 'other', 'k', '0')
    wait(c, 'TAKE', 'k', '0')
    send(admin, 'SET', 'k', '1')
    expect([received(a), received(b), received(c)]).toEqual([pair('k', '1'), '', ''])
    send(admin, 'SET', 'k', '2')
    expect([received(a), received(b), received(c)]).toEqual(['', pair('k', '2'), ''])
    wait(a, 'TAKE', 'k', '0')
    send(admin, 'SET', 'k', '3')
    expect([received(a), received(b), received(c)]).toEqual(['', '', pair('k', '3')])
  })

  it('takes from its keys in the order of its arguments', () => {
    wait(a, 'TAKE', 'x', 'y', 'x', '0')
    send(admin, 'MSET', 'y', '1', 'x', '2')
    expect(received(a)).toBe(pair('x', '2'))
    expect(send(admin, 'GET', 'y')).toBe('$1\r\n1\r\n')
  })

  it('keeps its place when it is tried in vain', () => {
    send(admin, 'SET', 'k', '1')
    wait(a, 'SEE', 'k', '5', '0')
    wait(b, 'SEE', 'k', '2', '0')
    send(admin, 'INCR', 'k')
    expect([received(a), received(b)]).toEqual(['', '$1\r\n2\r\n'])
    wait(b, 'SEE', 'k', '5', '0')
    const order: string[] = []
    for (const [name, client] of [['a', a] as const, ['b', b] as const]) {
      const deliver = client.deliver.bind(client)
      client.deliver = (write) => {
        order.push(name)
        deliver(write)
      }
    }
    send(admin, 'SET', 'k', '7')
    expect(order).toEqual(['a', 'b'])
  })

  it('keeps what its arguments meant when it came', () => {
    send(admin, 'SET', 'k', '7')
    wait(a, 'SEE', 'k', '$', '0')
    send(admin, 'DECR', 'k')
    send(admin, 'INCR', 'k')
    expect(received(a)).toBe('')
    send(admin, 'INCR', 'k')
    expect(received(a)).toBe('$1\r\n8\r\n')
  })

  it('is served in a chain: what one moves feeds the next', () => {
    wait(a, 'CARRY', 'x', 'y', '0')
    wait(b, 'CARRY', 'y', 'z', '0')
    wait(c, 'TAKE', 'z', '0')
    send(admin, 'SET', 'x', 'v')
    expect([received(a), received(b), received(c)]).toEqual(['$1\r\nv\r\n', '$1\r\nv\r\n', pair('z', 'v')])
    expect(h.engine.blocking.keyCount).toBe(0)
  })

  it('ends with a ring of two, each served once', () => {
    wait(a, 'CARRY', 'x', 'y', '0')
    wait(b, 'CARRY', 'y', 'x', '0')
    send(admin, 'SET', 'x', 'v')
    expect([received(a), received(b)]).toEqual(['$1\r\nv\r\n', '$1\r\nv\r\n'])
    expect(send(admin, 'GET', 'x')).toBe('$1\r\nv\r\n')
  })

  it('gets an error that its command throws, and the next one is served', () => {
    wait(a, 'CARRY', 'k', 'x', '0')
    wait(b, 'TAKE', 'k', '0')
    send(admin, 'SET', 'k', 'poison')
    expect([received(a), received(b)]).toEqual(['-ERR poison\r\n', pair('k', 'poison')])
    expect(h.services.table.find('carry')).toMatchObject({ calls: 1, failedCalls: 1 })
    expect(h.engine.errorCounts.get('ERR')).toBe(1)
  })

  it('is not served in the middle of a transaction, and by its outcome only', () => {
    wait(a, 'TAKE', 'k', '0')
    send(admin, 'MULTI')
    send(admin, 'SET', 'k', 'v')
    send(admin, 'DEL', 'k')
    send(admin, 'EXEC')
    expect(received(a)).toBe('')
    send(admin, 'MULTI')
    send(admin, 'SET', 'k', '1')
    send(admin, 'SET', 'k', '2')
    expect(received(a)).toBe('')
    send(admin, 'EXEC')
    expect(received(a)).toBe(pair('k', '2'))
  })

  it('does not wait in a transaction', () => {
    send(a, 'MULTI')
    send(a, 'TAKE', 'k', '0')
    send(a, 'CARRY', 'k', 'x', '0')
    expect(send(a, 'EXEC')).toBe('*2\r\n*-1\r\n$-1\r\n')
    expect(a.blocked).toBe(null)
  })

  it('is not served what has fallen due by the end of the transaction', () => {
    wait(a, 'TAKE', 'k', '0')
    send(admin, 'MULTI')
    send(admin, 'SET', 'k', 'v', 'PX', '10')
    send(admin, 'DEBUG', 'SLEEP', '0.02')
    send(admin, 'EXEC')
    expect(received(a)).toBe('')
  })

  it('waits in the database that it has selected', () => {
    send(a, 'SELECT', '1')
    wait(a, 'TAKE', 'k', '0')
    send(admin, 'SET', 'k', 'v')
    expect(received(a)).toBe('')
    send(admin, 'MOVE', 'k', '1')
    expect(received(a)).toBe(pair('k', 'v'))
  })

  it.each([
    ['RENAME', ['RENAME', 'from', 'k']],
    ['COPY', ['COPY', 'from', 'k']],
    ['SWAPDB', ['SWAPDB', '0', '2']],
  ])('is woken by %s', (_name, command) => {
    wait(a, 'TAKE', 'k', '0')
    send(admin, 'SET', 'from', 'v')
    send(b, 'SELECT', '2')
    send(b, 'SET', 'k', 'v')
    expect(received(a)).toBe('')
    send(admin, ...command)
    expect(received(a)).toBe(pair('k', 'v'))
  })

  it('is served by a write of another member', () => {
    const far = new EngineHarness({ self: 2, solo: false })
    wait(a, 'TAKE', 'k', '0')
    far.run('SET', 'k', 'v')
    h.receive(far)
    expect(received(a)).toBe(pair('k', 'v'))
    h.engine.endTurn()
    far.receive(h)
    expect(far.run('EXISTS', 'k')).toBe(0)
  })

  it('hears when a key goes only if it asked for that', () => {
    for (const end of [['DEL', 'k'], ['FLUSHALL'], ['RENAME', 'k', 'x'], ['PEXPIRE', 'k', '50']]) {
      send(admin, 'SET', 'k', '1')
      wait(a, 'JOIN', 'k', '0')
      wait(b, 'SEE', 'k', '5', '0')
      send(admin, ...end)
      h.clock.advance(end[0] === 'PEXPIRE' ? 300 : 0)
      expect([received(a), received(b)]).toEqual(['-NOGROUP no such key\r\n', ''])
      send(admin, 'CLIENT', 'UNBLOCK', String(b.id))
      expect(received(b)).toBe('*-1\r\n')
    }
    expect(h.engine.blocking).toMatchObject({ keyCount: 0, keyCountWhenGone: 0, clientCount: 0 })
  })
})

describe('the end of waiting without service', () => {
  it('is the time that was given', () => {
    wait(a, 'TAKE', 'k', '0.01')
    wait(b, 'CARRY', 'k', 'x', '0.02')
    h.clock.advance(10)
    expect([received(a), received(b)]).toEqual(['*-1\r\n', ''])
    h.clock.advance(10)
    expect(received(b)).toBe('$-1\r\n')
    a.protocol = 3
    wait(a, 'TAKE', 'k', '0.01')
    h.clock.advance(10)
    expect(received(a)).toBe('_\r\n')
    send(admin, 'SET', 'k', 'v')
    expect(send(admin, 'EXISTS', 'k')).toBe(':1\r\n')
  })

  it('is CLIENT UNBLOCK', () => {
    wait(a, 'TAKE', 'k', '0')
    wait(b, 'TAKE', 'k', '0')
    expect(send(admin, 'CLIENT', 'UNBLOCK', String(a.id))).toBe(':1\r\n')
    expect(send(admin, 'CLIENT', 'UNBLOCK', String(b.id), 'ERROR')).toBe(':1\r\n')
    expect([received(a), received(b)]).toEqual(['*-1\r\n', '-UNBLOCKED client unblocked via CLIENT UNBLOCK\r\n'])
    expect(send(admin, 'CLIENT', 'UNBLOCK', String(a.id))).toBe(':0\r\n')
    expect(h.services.table.find('take')).toMatchObject({ calls: 2, failedCalls: 1 })
  })

  it('is the leaving of the client, which then takes nothing', () => {
    wait(a, 'TAKE', 'k', '1')
    wait(b, 'TAKE', 'k', '0')
    h.engine.sessionClosed(a)
    send(admin, 'SET', 'k', 'v')
    expect([received(a), received(b)]).toEqual(['', pair('k', 'v')])
    h.clock.advance(2000)
    expect(received(a)).toBe('')
  })

  it('is an error when writes are refused by then', () => {
    wait(a, 'TAKE', 'k', '0')
    wait(b, 'SEE', 'k', '1', '0')
    refusal = 'MISCONF disk is full'
    const far = new EngineHarness({ self: 2, solo: false })
    far.run('SET', 'k', '3')
    h.receive(far)
    expect([received(a), received(b)]).toEqual(['-MISCONF disk is full\r\n', '$1\r\n3\r\n'])
  })
})

describe('timeouts', () => {
  it('are refused in the words of Redis', () => {
    for (const [text, words] of [
      ['x', 'is not a float or out of range'],
      ['', 'is not a float or out of range'],
      ['nan', 'is not a float or out of range'],
      ['-1', 'is negative'],
      ['-inf', 'is negative'],
      ['inf', 'is out of range'],
      ['1e30', 'is out of range'],
      ['9223372036854775.807', 'is out of range'],
    ]) {
      expect(send(a, 'TAKE', 'k', text)).toBe(`-ERR timeout ${words}\r\n`)
    }
    expect(a.blocked).toBe(null)
  })

  it('are rounded up to milliseconds', () => {
    wait(a, 'TAKE', 'k', '0.0001')
    h.clock.advance(1)
    expect(received(a)).toBe('*-1\r\n')
    wait(a, 'TAKE', 'k', '-0.0001')
    h.clock.advance(1_000_000)
    expect(received(a)).toBe('')
  })
})

describe('CLIENT PAUSE', () => {
  it('lets nobody be served who would write, until it is over', () => {
    wait(a, 'TAKE', 'k', '0')
    wait(b, 'SEE', 'k', '1', '0')
    wait(c, 'TAKE', 'k', '0')
    send(admin, 'CLIENT', 'PAUSE', '100', 'WRITE')
    const far = new EngineHarness({ self: 2, solo: false })
    far.run('SET', 'k', '3')
    h.receive(far)
    expect([received(a), received(b)]).toEqual(['', '$1\r\n3\r\n'])
    h.clock.advance(100)
    expect([received(a), received(c)]).toEqual([pair('k', '3'), ''])
  })

  it('serves those who waited before the commands that it held back', () => {
    wait(a, 'TAKE', 'k', '0')
    send(admin, 'CLIENT', 'PAUSE', '100000', 'WRITE')
    const far = new EngineHarness({ self: 2, solo: false })
    far.run('SET', 'k', '3')
    h.receive(far)
    expect(send(b, 'TAKE', 'k', '0')).toBe('')
    expect(send(c, 'DEL', 'k')).toBe('')
    expect(send(admin, 'CLIENT', 'UNPAUSE')).toBe('+OK\r\n')
    expect([received(a), received(b), received(c)]).toEqual([pair('k', '3'), '', ':0\r\n'])
    send(admin, 'SET', 'k', '4')
    expect(received(b)).toBe(pair('k', '4'))
  })
})

describe('bookkeeping', () => {
  it('counts clients and keys in INFO, and calls when they end', () => {
    send(admin, 'SET', 'j', '1')
    wait(a, 'TAKE', 'k', 'l', '0')
    wait(b, 'JOIN', 'j', '5')
    const info = send(admin, 'INFO', 'clients')
    for (const line of [
      'blocked_clients:2',
      'clients_in_timeout_table:1',
      'total_blocking_keys:3',
      'total_blocking_keys_on_nokey:1',
    ]) {
      expect(info).toContain(`${line}\r\n`)
    }
    expect(h.services.table.find('take')?.calls).toBe(0)
    send(admin, 'SET', 'l', 'v')
    expect(h.services.table.find('take')?.calls).toBe(1)
    expect(send(admin, 'CLIENT', 'LIST', 'ID', String(b.id))).toContain('flags=b ')
  })

  it('notes a served command in the slow log', () => {
    h.engine.slowLog.slowerThanMicroseconds = 0
    wait(a, 'TAKE', 'k', '0')
    expect(h.engine.slowLog.length).toBe(0)
    send(admin, 'SET', 'k', 'v')
    const names = h.engine.slowLog.newest(2).map((entry) => Buffer.from(entry.args[0]).toString())
    expect(names).toEqual(['TAKE', 'SET'])
  })

  it('listens to changes only while somebody waits or watches', () => {
    const { keyspace } = h.engine
    expect(keyspace.observer).toBe(null)
    wait(a, 'TAKE', 'k', '0')
    expect(keyspace.observer).toBe(h.engine.blocking)
    send(b, 'WATCH', 'k')
    expect(keyspace.observer).not.toBe(h.engine.blocking)
    send(admin, 'SET', 'k', 'v')
    expect(keyspace.observer).toBe(h.engine.watches)
    send(b, 'MULTI')
    expect(send(b, 'EXEC')).toBe('*-1\r\n')
    expect(keyspace.observer).toBe(null)
  })

  it('serves a crowd in parts and loses nobody', () => {
    const crowd = Array.from({ length: LIMITS.blockedTries * 2 + 10 }, () => clients.connect())
    for (const client of crowd) wait(client, 'SEE', 'k', '1', '0')
    send(admin, 'SET', 'k', '1')
    expect(crowd.filter((client) => client.blocked === null)).toHaveLength(LIMITS.blockedTries)
    h.clock.advance(1)
    expect(crowd.every((client) => client.delivered === '$1\r\n1\r\n')).toBe(true)
  })

  it('bounds the keys of one command', () => {
    const keys = Array.from({ length: LIMITS.blockingKeys + 1 }, (_, i) => `k${i}`)
    expect(send(a, 'TAKE', ...keys, '0')).toMatch(/^-ERR a client can wait for at most/)
    expect(a.blocked).toBe(null)
  })
})
