import { beforeEach, describe, expect, it } from 'vitest'
import { EngineHarness } from '../../support/engine-harness.js'
import { TestClients, type TestClient } from '../../support/test-clients.js'

let clients: TestClients
let h: EngineHarness
let a: TestClient
let b: TestClient

beforeEach(() => {
  clients = new TestClients()
  h = new EngineHarness({ services: { clients } })
  a = clients.connect(h.clock.now)
  b = clients.connect(h.clock.now)
})

describe('CLIENT LIST and INFO', () => {
  it('give the fields of Redis 7.4 in their order', () => {
    h.clock.advance(5000)
    h.raw(['CLIENT', 'SETNAME', 'me'], a)
    h.clock.advance(1000)
    const line =
      `id=${a.id} addr=127.0.0.1:${a.id} laddr=127.0.0.1:6379 fd=8 name=me age=6 idle=0 flags=N db=0 sub=0 psub=0 ssub=0 multi=-1 watch=0 ` +
      'qbuf=10 qbuf-free=90 argv-mem=0 multi-mem=0 rbs=0 rbp=0 obl=0 oll=0 omem=0 tot-mem=1000 events=r cmd=client|info user=default ' +
      'redir=-1 resp=2 lib-name= lib-ver=\n'
    expect(h.runIn(a, 'CLIENT', 'INFO')).toBe(line)
    a.protocol = 3
    expect(h.raw(['CLIENT', 'INFO'], a)).toMatch(/^=\d+\r\ntxt:id=/)
  })

  it('filter by type and by id', () => {
    expect(String(h.runIn(a, 'CLIENT', 'LIST')).split('\n')).toHaveLength(3)
    expect(String(h.runIn(a, 'CLIENT', 'LIST', 'TYPE', 'normal')).split('\n')).toHaveLength(3)
    expect(h.runIn(a, 'CLIENT', 'LIST', 'TYPE', 'replica')).toBe('')
    expect(h.runIn(a, 'CLIENT', 'LIST', 'ID', String(b.id), '99999')).toMatch(new RegExp(`^id=${b.id} [^\n]*\n$`))
    expect(h.raw(['CLIENT', 'LIST', 'TYPE', 'odd'], a)).toBe("-ERR Unknown client type 'odd'\r\n")
    expect(h.raw(['CLIENT', 'LIST', 'ID', 'x'], a)).toBe('-ERR Invalid client ID\r\n')
    expect(h.raw(['CLIENT', 'LIST', 'ID'], a)).toBe('-ERR syntax error\r\n')
  })

  it('show transactions, watches and switches as flags', () => {
    h.raw(['WATCH', 'k'], a)
    h.raw(['CLIENT', 'NO-EVICT', 'ON'], a)
    h.raw(['CLIENT', 'NO-TOUCH', 'ON'], a)
    h.raw(['MULTI'], a)
    h.raw(['PING'], a)
    expect(h.runIn(b, 'CLIENT', 'LIST', 'ID', String(a.id))).toMatch(/flags=xeT .* multi=1 watch=1 /)
  })
})

describe('names', () => {
  it('are set, shown and checked', () => {
    expect(h.raw(['CLIENT', 'GETNAME'], a)).toBe('$-1\r\n')
    expect(h.raw(['CLIENT', 'SETNAME', 'x y'], a)).toBe(
      '-ERR Client names cannot contain spaces, newlines or special characters.\r\n',
    )
    expect(h.raw(['CLIENT', 'SETNAME', 'x'], a)).toBe('+OK\r\n')
    expect(h.raw(['CLIENT', 'GETNAME'], a)).toBe('$1\r\nx\r\n')
    expect(h.raw(['CLIENT', 'SETINFO', 'lib-ver', '1.2'], a)).toBe('+OK\r\n')
    expect(h.raw(['CLIENT', 'SETINFO', 'lib-name', 'a b'], a)).toBe(
      '-ERR lib-name cannot contain spaces, newlines or special characters.\r\n',
    )
    expect(h.raw(['CLIENT', 'SETINFO', 'other', 'a'], a)).toBe("-ERR Unrecognized option 'other'\r\n")
    expect(a.libraryVersion).toBe('1.2')
    expect(h.raw(['CLIENT', 'ID'], a)).toBe(`:${a.id}\r\n`)
  })
})

describe('CLIENT KILL', () => {
  it('in the old form closes one address, also the own one', () => {
    expect(h.raw(['CLIENT', 'KILL', '1.2.3.4:5'], a)).toBe('-ERR No such client\r\n')
    expect(h.raw(['CLIENT', 'KILL', b.address], a)).toBe('+OK\r\n')
    expect(b.killed).toBe(true)
    expect(h.raw(['CLIENT', 'KILL', a.address], a)).toBe('+OK\r\n')
    expect(a.close).toBe('after-reply')
  })

  it('with filters closes all that fit, and spares itself unless told', () => {
    expect(h.raw(['CLIENT', 'KILL', 'TYPE', 'normal', 'MAXAGE', '10'], a)).toBe(':0\r\n')
    h.clock.advance(10_000)
    const c = clients.connect(h.clock.now)
    expect(h.raw(['CLIENT', 'KILL', 'USER', 'default', 'MAXAGE', '10'], a)).toBe(':1\r\n')
    expect([b.killed, c.killed]).toEqual([true, false])
    expect(h.raw(['CLIENT', 'KILL', 'LADDR', '127.0.0.1:6379', 'SKIPME', 'no'], a)).toBe(':2\r\n')
    expect(h.raw(['CLIENT', 'KILL', 'ID', '4711', 'ADDR', 'x'], a)).toBe(':0\r\n')
  })

  it('refuses what Redis refuses', () => {
    const error = (...args: string[]): string => h.raw(['CLIENT', 'KILL', ...args], a).trimEnd()
    expect(error('ID', '0')).toBe('-ERR client-id should be greater than 0')
    expect(error('ID', 'str')).toBe('-ERR client-id should be greater than 0')
    expect(error('MAXAGE', '-1')).toBe('-ERR maxage should be greater than 0')
    expect(error('TYPE', 'wrong')).toBe("-ERR Unknown client type 'wrong'")
    expect(error('USER', 'wrong')).toBe("-ERR No such user 'wrong'")
    expect(error('SKIPME', 'maybe')).toBe('-ERR syntax error')
    expect(error('ID', '1', 'extra')).toBe('-ERR syntax error')
  })
})

describe('CLIENT REPLY', () => {
  it('sets the mode that the connection follows', () => {
    expect(h.raw(['CLIENT', 'REPLY', 'SKIP'], a)).toBe('')
    expect(a.replyMode).toBe('skip-next')
    expect(h.raw(['CLIENT', 'REPLY', 'OFF'], a)).toBe('')
    expect(h.raw(['CLIENT', 'REPLY', 'SKIP'], a)).toBe('')
    expect(a.replyMode).toBe('off')
    expect(h.raw(['CLIENT', 'REPLY', 'ON'], a)).toBe('+OK\r\n')
    expect(h.raw(['CLIENT', 'REPLY', 'maybe'], a)).toBe('-ERR syntax error\r\n')
  })

  it('is on again after RESET, whose own reply may be skipped', () => {
    a.replyMode = 'off'
    h.raw(['RESET'], a)
    expect(a.replyMode).toBe('on')
    a.replyMode = 'skip-this'
    h.raw(['RESET'], a)
    expect(a.replyMode).toBe('skip-this')
  })
})

describe('client tracking', () => {
  it('is refused where it would be relied on, and off where it is asked about', () => {
    expect(h.raw(['CLIENT', 'TRACKING', 'ON'], a)).toMatch(/^-ERR Client tracking is not supported/)
    expect(h.raw(['CLIENT', 'TRACKING', 'OFF'], a)).toBe('+OK\r\n')
    expect(h.raw(['CLIENT', 'CACHING', 'YES'], a)).toMatch(/^-ERR Client tracking is not supported/)
    expect(h.raw(['CLIENT', 'GETREDIR'], a)).toBe(':-1\r\n')
    expect(h.runIn(a, 'CLIENT', 'TRACKINGINFO')).toEqual(['flags', ['off'], 'redirect', -1, 'prefixes', []])
  })
})

it('CLIENT HELP and unknown subcommands', () => {
  const help = h.runIn(a, 'client', 'help') as string[]
  expect(help[0]).toBe('CLIENT <subcommand> [<arg> [value] [opt] ...]. Subcommands are:')
  expect(help.slice(-2)).toEqual(['HELP', '    Print this help.'])
  expect(h.raw(['CLIENT', 'nope'], a)).toBe("-ERR unknown subcommand 'nope'. Try CLIENT HELP.\r\n")
})
