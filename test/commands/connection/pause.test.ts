import { beforeEach, describe, expect, it } from 'vitest'
import { EngineHarness } from '../../support/engine-harness.js'
import { NO_SETTINGS } from '../../support/no-settings.js'
import { TestClients, type TestClient } from '../../support/test-clients.js'

let clients: TestClients
let h: EngineHarness
let admin: TestClient
let a: TestClient
let b: TestClient

beforeEach(() => {
  clients = new TestClients()
  h = new EngineHarness({
    services: {
      clients,
      settings: { ...NO_SETTINGS, debugCommand: 'yes' },
    },
  })
  admin = clients.connect()
  a = clients.connect()
  b = clients.connect()
})

const WRITE = ['SET', 'k', 'v'] as const

describe('CLIENT PAUSE', () => {
  it('ALL holds everything back until time is up, in the order of arrival', () => {
    expect(h.raw(['CLIENT', 'PAUSE', '100'], admin)).toBe('+OK\r\n')
    expect(h.raw(['PING'], a)).toBe('')
    expect(h.raw(['ECHO', 'x'], b)).toBe('')
    expect(a.blocked?.command).toBe('ping')
    h.clock.advance(99)
    expect(a.delivered + b.delivered).toBe('')
    h.clock.advance(1)
    expect([a.delivered, b.delivered]).toEqual(['+PONG\r\n', '$1\r\nx\r\n'])
    expect([a.blocked, a.unblockedTimes]).toEqual([null, 1])
    expect(h.raw(['PING'], a)).toBe('+PONG\r\n')
  })

  it('WRITE lets reads through', () => {
    h.raw(['CLIENT', 'PAUSE', '100', 'WRITE'], admin)
    expect(h.raw(['PING'], a)).toBe('+PONG\r\n')
    expect(h.raw(['CLIENT', 'UNPAUSE'], admin)).toBe('+OK\r\n')
  })

  it('WRITE holds writes and transactions with writes back, until CLIENT UNPAUSE', () => {
    h.raw(['MULTI'], b)
    h.raw([...WRITE], b)
    h.raw(['CLIENT', 'PAUSE', '100000', 'WRITE'], admin)
    expect(h.raw([...WRITE], a)).toBe('')
    expect(h.raw(['EXEC'], b)).toBe('')
    expect(h.raw(['CLIENT', 'UNBLOCK', String(a.id)], admin)).toBe(':0\r\n')
    expect(h.raw(['INFO', 'clients'], admin)).toContain('blocked_clients:2\r\n')
    h.raw(['CLIENT', 'UNPAUSE'], admin)
    expect(a.delivered).toBe('+OK\r\n')
    expect(b.delivered).toBe('*1\r\n+OK\r\n')
  })

  it('never becomes shorter or milder by a second pause', () => {
    h.raw(['CLIENT', 'PAUSE', '1000', 'ALL'], admin)
    h.clock.advance(0)
    h.engine.pause.begin(h.clock.now + 10, 'write')
    expect(h.raw(['PING'], a)).toBe('')
    h.clock.advance(999)
    expect(a.delivered).toBe('')
    h.clock.advance(1)
    expect(a.delivered).toBe('+PONG\r\n')
  })

  it('forgets clients that went away', () => {
    h.raw(['CLIENT', 'PAUSE', '10'], admin)
    h.raw(['PING'], a)
    h.engine.sessionClosed(a)
    h.clock.advance(10)
    expect(a.delivered).toBe('')
  })

  it('runs commands that end or renew a pause when their turn comes', () => {
    h.raw(['CLIENT', 'PAUSE', '10'], admin)
    h.raw(['CLIENT', 'PAUSE', '50', 'ALL'], a)
    h.raw(['PING'], b)
    h.clock.advance(10)
    expect(a.delivered).toBe('+OK\r\n')
    expect(b.delivered).toBe('')
    h.clock.advance(50)
    expect(b.delivered).toBe('+PONG\r\n')
  })

  it('lets no key expire meanwhile', () => {
    h.raw(['SET', 'k', 'v', 'PX', '50'], a)
    h.raw(['CLIENT', 'PAUSE', '1000', 'WRITE'], admin)
    h.clock.advance(500)
    expect(h.engine.statistics.expiredKeys).toBe(0)
    h.clock.advance(700)
    expect(h.engine.statistics.expiredKeys).toBe(1)
  })

  it('refuses bad arguments', () => {
    expect(h.raw(['CLIENT', 'PAUSE', 'abc'], admin)).toBe('-ERR timeout is not an integer or out of range\r\n')
    expect(h.raw(['CLIENT', 'PAUSE', '-1'], admin)).toBe('-ERR timeout is negative\r\n')
    expect(h.raw(['CLIENT', 'PAUSE', '1', 'odd'], admin)).toBe('-ERR CLIENT PAUSE mode must be WRITE or ALL\r\n')
  })
})
