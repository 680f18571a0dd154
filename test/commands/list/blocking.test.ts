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
    send(a, 'BLMOVEM', 'k', 'to', 'LEFT', 'LEFT', '0', 'EXACTLY', '9', 'OBO')
    send(a, 'BLMOVEM', 'k', 'to', 'LEFT', 'LEFT', '0', 'COUNT', '9', 'OBO')
    expect(send(a, 'EXEC')).toBe(`*4\r\n*-1\r\n$-1\r\n*-1\r\n*1\r\n${bulks('b')}`)
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

  it('BLMOVEM with COUNT moves the first that comes', () => {
    wait(a, 'BLMOVEM', 'k', 'to', 'LEFT', 'LEFT', '0', 'COUNT', '5', 'OBO')
    wait(b, 'BLMOVEM', 'k', 'to', 'LEFT', 'RIGHT', '0')
    send(admin, 'RPUSH', 'k', '1', '2')
    expect([received(a), received(b)]).toEqual([`*2\r\n${bulks('2', '1')}`, ''])
    send(admin, 'RPUSH', 'k', '3')
    expect(received(b)).toBe(`*1\r\n${bulks('3')}`)
    expect(h.run('LRANGE', 'to', '0', '-1')).toEqual(['2', '1', '3'])
  })

  it.each([
    ['a push', ['RPUSH', 'k', '3'], ['1', '2', '3']],
    ['LINSERT', ['LINSERT', 'k', 'BEFORE', '1', '0'], ['0', '1', '2']],
    ['LMOVE', ['LMOVE', 'feed', 'k', 'LEFT', 'RIGHT'], ['1', '2', '7']],
    ['LMOVEM', ['LMOVEM', 'feed', 'k', 'LEFT', 'LEFT', 'COUNT', '2', 'BULK'], ['7', '8', '1']],
    ['SORT', ['SORT', 'feed', 'STORE', 'k'], ['7', '8', '9']],
    ['RENAME', ['RENAME', 'feed', 'k'], ['7', '8', '9']],
  ])('BLMOVEM with EXACTLY waits until %s has made it enough', (_, command, moved) => {
    send(admin, 'RPUSH', 'feed', '7', '8', '9')
    wait(a, 'BLMOVEM', 'k', 'to', 'LEFT', 'RIGHT', '0', 'EXACTLY', '3', 'BULK')
    send(admin, 'RPUSH', 'k', '1', '2')
    expect([received(a), h.run('LLEN', 'k'), h.run('EXISTS', 'to')]).toEqual(['', 2, 0])
    send(admin, ...command)
    expect(received(a)).toBe(`*3\r\n${bulks(...moved)}`)
    expect(h.run('LRANGE', 'to', '0', '-1')).toEqual(moved)
  })

  it('BLMOVEM with EXACTLY is served by other members, and within a list', () => {
    const other = new EngineHarness({ self: 2, solo: false }, h.clock)
    wait(a, 'BLMOVEM', 'k', 'k', 'LEFT', 'RIGHT', '0', 'EXACTLY', '2', 'BULK')
    send(admin, 'RPUSH', 'k', 'here')
    other.run('RPUSH', 'k', 'far')
    h.receive(other)
    h.clock.advance(0)
    const [first, second] = h.run('LRANGE', 'k', '0', '-1') as string[]
    expect(received(a)).toBe(`*2\r\n${bulks(first, second)}`)
    other.receive(h)
    expect(other.run('LRANGE', 'k', '0', '-1')).toEqual([first, second])
  })

  it('BLMOVEM with EXACTLY lets those that are content with less go before it, but comes before those behind it', () => {
    const c = h.newSession()
    wait(a, 'BLMOVEM', 'k', 'to', 'LEFT', 'RIGHT', '0', 'EXACTLY', '3', 'BULK')
    wait(b, 'BLMOVEM', 'k', 'to', 'LEFT', 'RIGHT', '0', 'EXACTLY', '2', 'BULK')
    send(admin, 'RPUSH', 'k', '1')
    expect([received(a), received(b)]).toEqual(['', ''])
    send(admin, 'RPUSH', 'k', '2')
    expect([received(a), received(b)]).toEqual(['', `*2\r\n${bulks('1', '2')}`])
    wait(b, 'BLMOVEM', 'k', 'to', 'LEFT', 'RIGHT', '0', 'EXACTLY', '2', 'BULK')
    send(admin, 'RPUSH', 'k', '3', '4', '5')
    expect([received(a), received(b)]).toEqual([`*3\r\n${bulks('3', '4', '5')}`, ''])
    expect(h.raw(['LLEN', 'to'], c)).toBe(':5\r\n')
  })

  it('BLMOVEM wakes those who wait for what it moves', () => {
    wait(a, 'BLMOVEM', 'from', 'to', 'RIGHT', 'RIGHT', '0', 'EXACTLY', '2', 'OBO')
    wait(b, 'BLPOP', 'to', '0')
    send(admin, 'RPUSH', 'from', '1', '2')
    expect([received(a), received(b)]).toEqual([`*2\r\n${bulks('2', '1')}`, `*2\r\n${bulks('to', '2')}`])
  })

  it('give up when time is up', () => {
    wait(a, 'BLPOP', 'k', '0.01')
    wait(b, 'BLMOVE', 'k', 'to', 'LEFT', 'LEFT', '0.02')
    h.clock.advance(30)
    expect([received(a), received(b)]).toEqual(['*-1\r\n', '*-1\r\n'])
    send(admin, 'RPUSH', 'k', '1')
    wait(a, 'BLMOVEM', 'k', 'to', 'LEFT', 'LEFT', '0.01', 'EXACTLY', '2', 'OBO')
    h.clock.advance(30)
    expect([received(a), h.run('LLEN', 'k')]).toEqual(['*-1\r\n', 1])
  })

  it('check their arguments in Redis’ order', () => {
    const timeout = '-ERR timeout is not a float or out of range\r\n'
    expect(send(a, 'BLPOP', 'k', 'x')).toBe(timeout)
    expect(send(a, 'BLPOP', 'k', '-1')).toBe('-ERR timeout is negative\r\n')
    expect(send(a, 'BLMOVE', 'k', 'to', 'UP', 'LEFT', 'x')).toBe('-ERR syntax error\r\n')
    expect(send(a, 'BLMPOP', 'x', '1', 'k', 'LEFT')).toBe(timeout)
    expect(send(a, 'BLMPOP', 'x', '0', 'k', 'LEFT')).toBe('-ERR numkeys should be greater than 0\r\n')
    expect(send(a, 'BLMOVEM', 'k', 'to', 'UP', 'LEFT', 'x', 'COUNT', '0', 'OBO')).toBe('-ERR syntax error\r\n')
    expect(send(a, 'BLMOVEM', 'k', 'to', 'LEFT', 'LEFT', 'x', 'COUNT', '0', 'OBO')).toBe(timeout)
    expect(send(a, 'BLMOVEM', 'k', 'to', 'LEFT', 'LEFT', '0', 'COUNT', '0', 'OBO')).toBe(
      '-ERR count should be greater than 0\r\n',
    )
    expect(send(a, 'BLMOVEM', 'k', 'to', 'LEFT', 'LEFT', '0', 'EXACTLY', '2')).toBe('-ERR syntax error\r\n')
    send(admin, 'SET', 'text', 'v')
    expect(send(a, 'BRPOP', 'none', 'text', '0')).toMatch(/^-WRONGTYPE /)
  })
})
