import { beforeEach, describe, expect, it } from 'vitest'
import { EngineHarness } from '../../support/engine-harness.js'
import { TestClients, type TestClient } from '../../support/test-clients.js'

let h: EngineHarness
let admin: TestClient
let a: TestClient
let b: TestClient

beforeEach(() => {
  const clients = new TestClients()
  h = new EngineHarness({ solo: false, services: { clients } })
  admin = clients.connect()
  a = clients.connect()
  b = clients.connect()
})

function send(session: TestClient, ...args: string[]): string {
  return h.raw(args, session)
}

/** Sends a command that must block. */
function wait(session: TestClient, ...args: string[]): void {
  expect(send(session, ...args)).toBe('')
  expect(session.blocked).not.toBe(null)
}

function received(session: TestClient): string {
  const { delivered } = session
  session.delivered = ''
  return delivered
}

function bulks(...texts: string[]): string {
  return texts.map((text) => `$${text.length}\r\n${text}\r\n`).join('')
}

describe('blocking list commands', () => {
  it('answer at once when there is something, and in a transaction', () => {
    send(admin, 'RPUSH', 'k', 'a', 'b', 'c', 'd', 'e')
    expect(send(a, 'BLPOP', 'none', 'k', '0')).toBe(`*2\r\n${bulks('k', 'a')}`)
    expect(send(a, 'BRPOP', 'k', '0')).toBe(`*2\r\n${bulks('k', 'e')}`)
    expect(send(a, 'BLMPOP', '0', '2', 'none', 'k', 'RIGHT', 'COUNT', '2')).toBe(`*2\r\n${bulks('k')}*2\r\n${bulks('d', 'c')}`)
    expect(send(a, 'BRPOPLPUSH', 'k', 'to', '0')).toBe(bulks('b'))
    expect(send(a, 'BLMOVE', 'to', 'k', 'LEFT', 'RIGHT', '0')).toBe(bulks('b'))
    send(a, 'MULTI')
    send(a, 'BLPOP', 'none', '0')
    send(a, 'BLMOVE', 'none', 'k', 'LEFT', 'LEFT', '0')
    expect(send(a, 'EXEC')).toBe('*2\r\n*-1\r\n$-1\r\n')
  })

  it('wait for whatever makes the list, and are served in the order in which they began', () => {
    wait(a, 'BLPOP', 'k', '0')
    wait(b, 'BRPOP', 'other', 'k', '0')
    expect(send(admin, 'RPUSH', 'k', '1', '2', '3')).toBe(':3\r\n')
    expect([received(a), received(b)]).toEqual([`*2\r\n${bulks('k', '1')}`, `*2\r\n${bulks('k', '3')}`])
    expect(h.run('LRANGE', 'k', '0', '-1')).toEqual(['2'])
    wait(a, 'BLMPOP', '0', '1', 'made', 'LEFT', 'COUNT', '5')
    send(admin, 'RENAME', 'k', 'made')
    expect(received(a)).toBe(`*2\r\n${bulks('made')}*1\r\n${bulks('2')}`)
  })

  it('are served by pushes of other members', () => {
    const other = new EngineHarness({ self: 2, solo: false }, h.clock)
    wait(a, 'BLPOP', 'k', '0')
    other.run('LPUSH', 'k', 'far')
    h.receive(other)
    h.clock.advance(0)
    expect(received(a)).toBe(`*2\r\n${bulks('k', 'far')}`)
    other.receive(h)
    expect(other.run('EXISTS', 'k')).toBe(0)
  })

  it('move on what they were waiting for, and wake those who wait for that', () => {
    wait(a, 'BLMOVE', 'from', 'to', 'LEFT', 'LEFT', '0')
    wait(b, 'BLPOP', 'to', '0')
    send(admin, 'RPUSH', 'from', 'v')
    expect([received(a), received(b)]).toEqual([bulks('v'), `*2\r\n${bulks('to', 'v')}`])
    expect([h.run('EXISTS', 'from'), h.run('EXISTS', 'to')]).toEqual([0, 0])
  })

  it('answer an error when the destination cannot take it, and leave the source', () => {
    send(admin, 'SET', 'to', 'text')
    wait(a, 'BRPOPLPUSH', 'from', 'to', '0')
    send(admin, 'RPUSH', 'from', 'v')
    expect(received(a)).toMatch(/^-WRONGTYPE /)
    expect(h.run('LRANGE', 'from', '0', '-1')).toEqual(['v'])
  })

  it('give up when time is up', () => {
    wait(a, 'BLPOP', 'k', '0.01')
    wait(b, 'BLMOVE', 'k', 'to', 'LEFT', 'LEFT', '0.02')
    h.clock.advance(30)
    expect([received(a), received(b)]).toEqual(['*-1\r\n', '*-1\r\n'])
  })

  it('check their arguments in Redis’ order', () => {
    const timeout = '-ERR timeout is not a float or out of range\r\n'
    expect(send(a, 'BLPOP', 'k', 'x')).toBe(timeout)
    expect(send(a, 'BLPOP', 'k', '-1')).toBe('-ERR timeout is negative\r\n')
    expect(send(a, 'BLMOVE', 'k', 'to', 'UP', 'LEFT', 'x')).toBe('-ERR syntax error\r\n')
    expect(send(a, 'BLMPOP', 'x', '1', 'k', 'LEFT')).toBe(timeout)
    expect(send(a, 'BLMPOP', 'x', '0', 'k', 'LEFT')).toBe('-ERR numkeys should be greater than 0\r\n')
    send(admin, 'SET', 'text', 'v')
    expect(send(a, 'BRPOP', 'none', 'text', '0')).toMatch(/^-WRONGTYPE /)
  })
})
