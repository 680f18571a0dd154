import { describe, expect, it } from 'vitest'
import { VersionVector } from '../../../src/crdt/version-vector.js'
import { decodeToken, encodeToken } from '../../../src/commands/crdt/token.js'
import { LIMITS } from '../../../src/base/limits.js'
import { EngineHarness } from '../../support/engine-harness.js'
import { TestClients } from '../../support/test-clients.js'

const NOTHING_STABLE = { covers: () => false, coversAllUpTo: () => false }

function pair(): [EngineHarness, EngineHarness, TestClients] {
  const clients = new TestClients()
  const a = new EngineHarness({ self: 1, solo: false })
  const b = new EngineHarness({ self: 2, solo: false, services: { clients } }, a.clock)
  a.engine.keyspace.stability = b.engine.keyspace.stability = NOTHING_STABLE
  return [a, b, clients]
}

describe('tokens', () => {
  it('survive their text form and refuse anything else', () => {
    const vector = VersionVector.from([
      [1, 3.5e14],
      [64, 1],
      [255, Number.MAX_SAFE_INTEGER],
    ])
    const token = encodeToken(vector)
    expect(token).toMatch(/^[A-Za-z0-9_-]+$/)
    expect(decodeToken(token)?.toString()).toBe(vector.toString())
    expect(decodeToken(encodeToken(new VersionVector()))?.toString()).toBe('')
    for (let i = 0; i < token.length; i++) {
      const mangled = token.slice(0, i) + (token[i] === 'A' ? 'B' : 'A') + token.slice(i + 1)
      expect(decodeToken(mangled)?.toString() ?? null, mangled).toBe(null)
    }
    for (const bad of ['', 'x', token.slice(1), token.slice(0, -1), `${token}A`, 'é', 'A'.repeat(10_000)])
      expect(decodeToken(bad)).toBe(null)
  })
})

describe('CRDT.TOKEN and CRDT.WAITFOR', () => {
  it('let a client read its own writes in another member', () => {
    const [a, b, clients] = pair()
    const client = clients.connect()
    a.run('SET', 'k', 'v')
    const token = String(a.run('CRDT.TOKEN'))
    expect(a.raw(['CRDT.WAITFOR', token, '0'])).toBe(':1\r\n')
    expect(b.raw(['CRDT.WAITFOR', token, '0'], client)).toBe('')
    expect(client.delivered).toBe('')
    b.receive(a)
    expect(client.delivered).toBe(':1\r\n')
    expect(b.raw(['CRDT.WAITFOR', token, '0'], client)).toBe(':1\r\n')
  })

  it('covers what the turn has written so far, before the frame is closed', () => {
    const [a, b, clients] = pair()
    const client = clients.connect()
    a.run('MULTI')
    a.run('SET', 'k', 'v')
    a.run('CRDT.TOKEN')
    const [, token] = a.run('EXEC') as [string, string]
    expect(b.raw(['CRDT.WAITFOR', token, '50'], client)).toBe('')
    a.clock.advance(50)
    expect(client.delivered).toBe(':0\r\n')
    b.receive(a)
    expect(b.raw(['CRDT.WAITFOR', token, '50'], client)).toBe(':1\r\n')
  })

  it('refuse bad arguments, and answer at once in a transaction', () => {
    const [a, b] = pair()
    a.run('SET', 'k', 'v')
    const token = String(a.run('CRDT.TOKEN'))
    expect(b.raw(['CRDT.WAITFOR', 'abc', '0'])).toBe('-ERR Invalid token: it must come from CRDT.TOKEN, whole\r\n')
    expect(b.raw(['CRDT.WAITFOR', token, 'x'])).toBe('-ERR timeout is not an integer or out of range\r\n')
    expect(b.raw(['CRDT.WAITFOR', token, '-1'])).toBe('-ERR timeout is negative\r\n')
    b.run('MULTI')
    b.run('CRDT.WAITFOR', token, '0')
    expect(b.run('EXEC')).toEqual([0])
  })
})

function fields(reply: unknown): Record<string, unknown> {
  const flat = reply as unknown[]
  return Object.fromEntries(flat.flatMap((name, i) => (i % 2 === 0 ? [[name, flat[i + 1]]] : [])) as [string, unknown][])
}

describe('CRDT.DEBUG', () => {
  it('shows dots, hidden values, counters and expiries', () => {
    const [a, b] = pair()
    expect(a.raw(['CRDT.DEBUG', 'k'])).toBe('$-1\r\n')
    a.run('SET', 'k', 'x')
    a.clock.advance(5)
    b.run('SET', 'k', 'y', 'PX', '1000')
    a.receive(b)
    const debug = fields(a.run('CRDT.DEBUG', 'k'))
    expect(debug).toMatchObject({
      type: 'string',
      slot: 7629,
      value: 'y',
      due: 0,
      stable: 0,
      settled: 0,
      edits: [],
      contributions: [],
    })
    expect((debug.registers as unknown[]).map(fields)).toMatchObject([
      { member: 1, value: 'x' },
      { member: 2, value: 'y' },
    ])
    expect((debug.expiries as unknown[]).map(fields)).toMatchObject([{ member: 2, at: a.clock.now + 1000 }])
    a.clock.advance(2000)
    expect(fields(a.run('CRDT.DEBUG', 'k'))).toMatchObject({ value: 'y', due: 1 })
    a.run('INCRBY', 'n', '5')
    expect((fields(a.run('CRDT.DEBUG', 'n')).contributions as unknown[]).map(fields)).toMatchObject([
      { member: 1, total: '5', base: '0' },
    ])
    a.run('APPEND', 'e', 'tail')
    expect((fields(a.run('CRDT.DEBUG', 'e')).edits as unknown[]).map(fields)).toMatchObject([
      { member: 1, kind: 'append', bytes: 'tail' },
    ])
  })
})

describe('CRDT.DIGEST', () => {
  it('is equal in members with equal vectors, and only then', () => {
    const [a, b] = pair()
    a.run('SET', 'k', 'x')
    b.run('INCRBY', 'n', '5')
    a.run('INCRBY', 'n', '2')
    b.run('SET', 'k', 'y', 'PX', '100000')
    const before = fields(a.run('CRDT.DIGEST'))
    expect(before.digest).toMatch(/^[0-9a-f]{16}$/)
    a.receive(b)
    b.receive(a)
    const here = fields(a.run('CRDT.DIGEST'))
    expect(fields(b.run('CRDT.DIGEST'))).toEqual(here)
    expect(here.digest).not.toBe(before.digest)
    expect(here.vector).toBe(a.engine.applied.toString())
  })

  it('takes a slot or a range of slots', () => {
    const h = new EngineHarness()
    h.run('SET', 'foo', '1')
    const slot = Number(h.run('CLUSTER', 'KEYSLOT', 'foo'))
    const of = (...args: (string | number)[]): unknown => fields(h.run('CRDT.DIGEST', ...args.map(String))).digest
    const whole = of()
    expect(of(slot)).toBe(whole)
    expect(of(0, slot)).toBe(whole)
    expect(of(slot, 16383)).toBe(whole)
    expect(of(slot + 1)).toBe('0'.repeat(16))
    expect(of(0, slot - 1)).toBe('0'.repeat(16))
    expect(h.raw(['CRDT.DIGEST', '16384'])).toBe('-ERR Invalid slot: slots are 0 to 16383\r\n')
    expect(h.raw(['CRDT.DIGEST', '5', '4'])).toBe('-ERR Invalid slot range: 5 is behind 4\r\n')
  })

  /** More data than one slice takes. */
  function large(solo = true): [EngineHarness, TestClients] {
    const clients = new TestClients()
    const h = new EngineHarness({ solo, services: { clients } })
    const value = 'x'.repeat(LIMITS.digestStepBytes)
    for (let i = 0; i < 2 * LIMITS.digestTurnSteps; i++) h.run('SET', `k${i}`, value)
    return [h, clients]
  }

  it('is made in slices, with the client blocked meanwhile', () => {
    const [h, clients] = large()
    const client = clients.connect()
    expect(h.raw(['CRDT.DIGEST'], client)).toBe('')
    expect(client.blocked?.command).toBe('crdt.digest')
    h.clock.advance(0)
    expect(client.delivered).toMatch(/^\*4\r\n\$6\r\ndigest\r\n\$16\r\n[0-9a-f]{16}\r\n/)
    h.run('MULTI')
    h.run('CRDT.DIGEST')
    const [atOnce] = h.run('EXEC') as [string[]]
    expect(client.delivered).toContain(atOnce[1])
  })

  it('takes long strings in parts, and comes to the same', () => {
    const clients = new TestClients()
    const h = new EngineHarness({ solo: false, services: { clients } })
    h.engine.keyspace.stability = NOTHING_STABLE
    for (const length of [65_535, 65_536, 65_537, 131_072, 20_000_003]) {
      const text = Array.from({ length: 1000 }, (_, i) => `${i * length},`).join('')
      h.run('SET', `k${length}`, text.repeat(Math.ceil(length / text.length)).slice(0, length))
    }
    h.run('SETRANGE', 'k131072', '70000', 'edited')
    h.run('APPEND', 'k65537', 'z'.repeat(1001))
    const client = clients.connect()
    expect(h.raw(['CRDT.DIGEST'], client)).toBe('')
    h.clock.advance(0)
    h.run('MULTI')
    h.run('CRDT.DIGEST')
    const [atOnce] = h.run('EXEC') as [string[]]
    expect(client.delivered).toContain(atOnce[1])
  })

  it('begins anew when data changes meanwhile, and gives up when it never rests', () => {
    const [h, clients] = large()
    const client = clients.connect()
    expect(h.raw(['CRDT.DIGEST'], client)).toBe('')
    h.run('SET', 'k0', 'other')
    h.clock.advance(1000)
    h.run('MULTI')
    h.run('CRDT.DIGEST')
    const [atOnce] = h.run('EXEC') as [string[]]
    expect(client.delivered).toContain(atOnce[1])
    client.delivered = ''
    // From now on something is written between any two slices.
    const defer = h.clock.defer.bind(h.clock)
    let writing = false
    h.clock.defer = (callback) => {
      // What the engine itself defers because of the write below stays as it is.
      if (writing) return defer(callback)
      defer(() => {
        writing = true
        h.run('INCR', 'counter')
        writing = false
        callback()
      })
    }
    expect(h.raw(['CRDT.DIGEST'], client)).toBe('')
    h.clock.advance(1000)
    expect(client.delivered).toMatch(/^-TRYAGAIN /)
  })

  it('is not made to begin anew by what waits to become stable', () => {
    const [h, clients] = large(false)
    h.engine.keyspace.stability = NOTHING_STABLE
    for (let i = 0; i < 100; i++) h.run('APPEND', `k${i}`, 'y'.repeat(9))
    h.clock.advance(2000)
    const client = clients.connect()
    const { settlings } = h.engine.keyspace
    expect(settlings).toBeGreaterThan(0)
    // Between any two slices there is time to tidy up.
    h.clock.defer = (callback) => void h.clock.setTimer(1500, callback)
    expect(h.raw(['CRDT.DIGEST'], client)).toBe('')
    h.clock.advance(8000)
    expect(client.delivered).toMatch(/^\*4\r\n\$6\r\ndigest\r\n/)
    expect(h.engine.keyspace.settlings).toBeGreaterThan(settlings)
  })

  it('stops when the client goes away', () => {
    const [h, clients] = large()
    const client = clients.connect()
    h.raw(['CRDT.DIGEST'], client)
    h.engine.sessionClosed(client)
    h.clock.advance(1000)
    expect(client.delivered).toBe('')
  })
})
