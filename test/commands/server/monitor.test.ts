import { describe, expect, it } from 'vitest'
import { LIMITS } from '../../../src/base/limits.js'
import { EngineHarness } from '../../support/engine-harness.js'
import { TestClients, type TestClient } from '../../support/test-clients.js'

function setUp(): { h: EngineHarness; monitor: TestClient; other: TestClient } {
  const clients = new TestClients()
  const h = new EngineHarness({ services: { clients } })
  const monitor = clients.connect(h.clock.now)
  const other = clients.connect(h.clock.now)
  expect(h.raw(['MONITOR'], monitor)).toBe('+OK\r\n')
  return { h, monitor, other }
}

/** What was delivered, a line each, without the times. */
const lines = ({ delivered }: TestClient): string[] =>
  delivered
    .split('\r\n')
    .slice(0, -1)
    .map((line) => line.replace(/^\+\d+\.\d{6} /, ''))

describe('MONITOR', () => {
  it('shows what clients run, with time, database and address', () => {
    const { h, monitor, other } = setUp()
    h.runIn(other, 'SELECT', '3')
    h.runIn(other, 'SET', 'foo', 'bar')
    expect(monitor.delivered).toMatch(/^\+1790000000\.000000 \[3 [^\]]+\] "SELECT" "3"\r\n/)
    expect(lines(monitor).at(-1)).toMatch(/^\[3 \S+\] "SET" "foo" "bar"$/)
  })

  it('shows commands that fail, but none that is refused before it runs', () => {
    const { h, monitor, other } = setUp()
    h.runIn(other, 'SET', 'k', 'v')
    h.runIn(other, 'LPUSH', 'k', 'v')
    h.runIn(other, 'NOSUCH')
    h.runIn(other, 'GET')
    expect(lines(monitor).map((line) => line.split('"')[1])).toEqual(['SET', 'LPUSH'])
  })

  it('writes what is not printable as Redis does', () => {
    const { h, monitor, other } = setUp()
    h.runIn(other, 'SET', 'k', Buffer.from('"\\\n\r\t\x07\x08\x00\xff~', 'latin1'))
    expect(lines(monitor)[0]).toContain('"\\"\\\\\\n\\r\\t\\a\\b\\x00\\xff~"')
  })

  it('shows a transaction when it runs, its commands before EXEC', () => {
    const { h, monitor, other } = setUp()
    for (const command of ['MULTI', 'PING', 'EXEC']) h.runIn(other, command)
    h.runIn(other, 'MULTI')
    h.runIn(other, 'NOSUCH')
    h.runIn(other, 'EXEC')
    expect(lines(monitor).map((line) => line.split('"')[1])).toEqual(['MULTI', 'PING', 'EXEC', 'MULTI', 'EXEC'])
  })

  it('shows a command that waits once', () => {
    const { h, monitor, other } = setUp()
    h.runIn(other, 'BLPOP', 'l', '0')
    h.run('LPUSH', 'l', '1')
    expect(other.delivered).toContain('$1\r\n1')
    expect(lines(monitor).map((line) => line.split('"')[1])).toEqual(['BLPOP', 'LPUSH'])
  })

  it('shows no secrets and nothing for administrators', () => {
    const { h, monitor, other } = setUp()
    h.runIn(other, 'AUTH', 'user', 'secret')
    h.runIn(other, 'HELLO', '2', 'AUTH', 'user', 'secret')
    h.runIn(other, 'CONFIG', 'GET', 'x')
    expect(lines(monitor).map((line) => line.slice(line.indexOf('"')))).toEqual([
      '"AUTH" "(redacted)" "(redacted)"',
      '"HELLO" "2" "AUTH" "(redacted)" "(redacted)"',
    ])
  })

  it('shows the beginning of what is long', () => {
    const { h, monitor, other } = setUp()
    h.runIn(other, 'MSET', 'a', 'x'.repeat(LIMITS.monitorLineBytes), 'b', 'y')
    expect(lines(monitor)[0]).toMatch(/xx\.\.\. \(5 more bytes\)" "\.\.\. \(2 more arguments\)"$/)
  })

  it('ends with RESET and with the connection', () => {
    const { h, monitor, other } = setUp()
    expect(h.run('CLIENT', 'LIST')).toMatch(/flags=O/)
    h.runIn(monitor, 'RESET')
    h.runIn(other, 'PING')
    expect(lines(monitor)).toEqual([])
    h.runIn(monitor, 'MONITOR')
    h.engine.sessionClosed(monitor)
    h.runIn(other, 'PING')
    expect(lines(monitor)).toEqual([])
  })

  it('is not for transactions', () => {
    const { h, other } = setUp()
    h.runIn(other, 'MULTI')
    h.runIn(other, 'MONITOR')
    expect(String(h.runIn(other, 'EXEC'))).toContain("ERR MONITOR isn't allowed for DENY BLOCKING client")
  })
})
