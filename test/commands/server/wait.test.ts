import { beforeEach, describe, expect, it } from 'vitest'
import type { MemberId } from '../../../src/base/ids.js'
import { EngineHarness } from '../../support/engine-harness.js'
import { TestClients, type TestClient } from '../../support/test-clients.js'
import { TestPeers } from '../../support/test-peers.js'

let clients: TestClients
let peers: TestPeers
let h: EngineHarness
let a: TestClient
let other: TestClient

beforeEach(() => {
  clients = new TestClients()
  peers = new TestPeers(1 as MemberId, [2, 3])
  h = new EngineHarness({ self: 1, solo: false, services: { clients, replication: peers } })
  a = clients.connect()
  other = clients.connect()
})

describe('WAIT', () => {
  it('answers at once when enough members have everything, or nothing was written', () => {
    expect(h.raw(['WAIT', '2', '0'], a)).toBe(':2\r\n')
    h.raw(['SET', 'k', 'v'], a)
    expect(h.raw(['WAIT', '0', '0'], a)).toBe(':0\r\n')
    peers.acknowledge(2, a.lastWriteStamp)
    expect(h.raw(['WAIT', '1', '0'], a)).toBe(':1\r\n')
    expect(h.raw(['WAIT', '-5', '0'], a)).toBe(':1\r\n')
  })

  it('blocks until the last of them has what this connection wrote', () => {
    h.raw(['SET', 'k', 'v'], a)
    const first = a.lastWriteStamp
    h.raw(['SET', 'k', 'w'], a)
    expect(h.raw(['WAIT', '2', '0'], a)).toBe('')
    expect(a.blocked?.command).toBe('wait')
    peers.acknowledge(2, a.lastWriteStamp)
    peers.acknowledge(3, first)
    expect(a.delivered).toBe('')
    peers.acknowledge(3, a.lastWriteStamp)
    expect([a.delivered, a.blocked, a.unblockedTimes]).toEqual([':2\r\n', null, 1])
  })

  it('counts what there is when time is up', () => {
    h.raw(['SET', 'k', 'v'], a)
    expect(h.raw(['WAIT', '2', '100'], a)).toBe('')
    peers.acknowledge(3, a.lastWriteStamp)
    h.clock.advance(99)
    expect(a.delivered).toBe('')
    h.clock.advance(1)
    expect(a.delivered).toBe(':1\r\n')
    h.clock.advance(1000)
    peers.acknowledge(2, a.lastWriteStamp)
    expect([a.delivered, a.unblockedTimes]).toEqual([':1\r\n', 1])
  })

  it('is ended by CLIENT UNBLOCK, as by time or with an error', () => {
    h.raw(['SET', 'k', 'v'], a)
    h.raw(['WAIT', '2', '0'], a)
    expect(h.raw(['CLIENT', 'UNBLOCK', String(a.id)], other)).toBe(':1\r\n')
    expect(h.raw(['CLIENT', 'UNBLOCK', String(a.id)], other)).toBe(':0\r\n')
    h.raw(['WAIT', '2', '0'], a)
    expect(h.raw(['CLIENT', 'UNBLOCK', String(a.id), 'ERROR'], other)).toBe(':1\r\n')
    expect(a.delivered).toBe(':0\r\n-UNBLOCKED client unblocked via CLIENT UNBLOCK\r\n')
    expect(h.raw(['CLIENT', 'UNBLOCK', String(a.id), 'odd'], other)).toBe(
      '-ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR\r\n',
    )
    expect(h.run('INFO', 'errorstats')).toContain('errorstat_UNBLOCKED:count=1\r\n')
  })

  it('ends without a reply when the client goes away', () => {
    h.raw(['SET', 'k', 'v'], a)
    h.raw(['WAIT', '2', '10'], a)
    h.engine.sessionClosed(a)
    peers.acknowledge(2, a.lastWriteStamp)
    peers.acknowledge(3, a.lastWriteStamp)
    h.clock.advance(100)
    expect([a.delivered, a.blocked, a.unblockedTimes]).toEqual(['', null, 0])
  })

  it('answers at once in a transaction', () => {
    h.raw(['MULTI'], a)
    h.raw(['SET', 'k', 'v'], a)
    h.raw(['WAIT', '2', '0'], a)
    expect(h.raw(['EXEC'], a)).toBe('*2\r\n+OK\r\n:2\r\n')
    expect(a.blocked).toBe(null)
  })

  it('refuses bad arguments', () => {
    expect(h.raw(['WAIT', 'x', '0'], a)).toBe('-ERR value is not an integer or out of range\r\n')
    expect(h.raw(['WAIT', '1', 'x'], a)).toBe('-ERR timeout is not an integer or out of range\r\n')
    expect(h.raw(['WAIT', '1', '-1'], a)).toBe('-ERR timeout is negative\r\n')
  })
})

describe('WAITAOF', () => {
  it('waits for disks, here and elsewhere', () => {
    h.raw(['SET', 'k', 'v'], a)
    expect(h.raw(['WAITAOF', '1', '1', '0'], a)).toBe('')
    peers.acknowledge(2, a.lastWriteStamp)
    expect(a.delivered).toBe('')
    peers.acknowledge(2, a.lastWriteStamp, true)
    expect(a.delivered).toBe('')
    peers.durable.raise(1 as MemberId, a.lastWriteStamp as never)
    h.engine.waits.check()
    expect(a.delivered).toBe('*2\r\n:1\r\n:1\r\n')
  })

  it('refuses bad arguments', () => {
    expect(h.raw(['WAITAOF', '2', '0', '0'], a)).toBe('-ERR value is out of range, value must between 0 and 1\r\n')
    expect(h.raw(['WAITAOF', '0', '-1', '0'], a)).toBe('-ERR value is out of range, must be positive\r\n')
  })
})
