import { describe, expect, it } from 'vitest'
import { EngineHarness } from '../support/engine-harness.js'
import { TestClients } from '../support/test-clients.js'

describe('transactions', () => {
  it('refuses EXEC and DISCARD outside, and MULTI inside, a transaction', () => {
    const h = new EngineHarness()
    expect(h.raw(['EXEC'])).toBe('-ERR EXEC without MULTI\r\n')
    expect(h.raw(['DISCARD'])).toBe('-ERR DISCARD without MULTI\r\n')
    expect(h.raw(['MULTI'])).toBe('+OK\r\n')
    expect(h.raw(['MULTI'])).toBe('-ERR MULTI calls can not be nested\r\n')
  })

  it('counts an EXEC that is refused as a failed call', () => {
    const h = new EngineHarness()
    h.run('EXEC')
    h.run('MULTI')
    h.run('NOPE')
    h.run('EXEC')
    h.run('MULTI')
    h.run('EXEC')
    expect(h.services.table.find('exec')).toMatchObject({ calls: 3, failedCalls: 2, rejectedCalls: 0 })
  })

  it('gives the transaction up when EXEC itself is rejected', () => {
    const h = new EngineHarness()
    h.run('WATCH', 'k')
    h.run('MULTI')
    h.run('SET', 'k', 'v')
    expect(h.raw(['EXEC', 'now'])).toBe(
      "-EXECABORT Transaction discarded because of: wrong number of arguments for 'exec' command\r\n",
    )
    expect(h.raw(['EXEC'])).toBe('-ERR EXEC without MULTI\r\n')
    expect(h.run('EXISTS', 'k')).toBe(0)
    h.run('SUBSCRIBE', 'c')
    expect(h.raw(['EXEC'])).toMatch(/^-EXECABORT Transaction discarded because of: Can't execute 'exec': only /)
    expect(h.services.table.find('exec')).toMatchObject({ rejectedCalls: 2 })
  })

  it('queues subcommands that are named like the commands which end or discard one', () => {
    const h = new EngineHarness()
    h.run('HIMPORT', 'PREPARE', 'f', 'a')
    h.run('MULTI')
    for (const args of [
      ['HIMPORT', 'DISCARD', 'f'],
      ['LATENCY', 'RESET'],
      ['SLOWLOG', 'RESET'],
    ])
      expect(h.run(...args)).toBe('QUEUED')
    expect(h.run('EXEC')).toEqual([1, 0, 'OK'])
  })

  it('answers an unknown command in the words of Redis', () => {
    const h = new EngineHarness()
    expect(h.raw(['NOPE', 'a', 'b'])).toBe("-ERR unknown command 'NOPE', with args beginning with: 'a' 'b' \r\n")
    // Of the arguments 128 bytes, with what stands around each; of the last one at least a byte.
    expect(h.raw(['NOPE', 'é'.repeat(30), 'b'.repeat(80), 'c'])).toBe(
      `-ERR unknown command 'NOPE', with args beginning with: '${Buffer.from('é'.repeat(30)).toString('latin1')}' '${'b'.repeat(65)}' \r\n`,
    )
    expect(h.raw(['é'.repeat(100)])).toBe(
      `-ERR unknown command '${Buffer.from('é'.repeat(64)).toString('latin1')}', with args beginning with: \r\n`,
    )
  })

  it.each([
    [['x\xff', '\xfe\xfd'], "ERR unknown command 'x\xff', with args beginning with: '\xfe\xfd' "],
    [['\xc3\xbcnk\r\n\xff', '\xc3'], "ERR unknown command '\xc3\xbcnk  \xff', with args beginning with: '\xc3' "],
    [['CLIENT', 'fo\xff'], "ERR unknown subcommand 'fo\xff'. Try CLIENT HELP."],
    [['CLIENT', '\xc3\xbc'], "ERR unknown subcommand '\xc3\xbc'. Try CLIENT HELP."],
    [['HELLO', '3', 'x\xff'], "ERR Syntax error in HELLO option 'x\xff'"],
    [['CLIENT', 'KILL', 'TYPE', 'x\xff'], "ERR Unknown client type 'x\xff'"],
    [['EXPIRE', 'k', '1', '\xff\xfe'], 'ERR Unsupported option \xff\xfe'],
    [['ACL', 'CAT', '\xff'], "ERR Unknown category '\xff'"],
    [['LATENCY', 'GRAPH', '\xff'], "ERR No samples available for event '\xff'"],
    [
      ['XREADGROUP', 'GROUP', 'g\xff', 'c', 'STREAMS', 'k\xfe', '>'],
      "NOGROUP No such key 'k\xfe' or consumer group 'g\xff' in XREADGROUP with GROUP option",
    ],
  ])('says bytes of arguments in errors as they came: %j', (args, error) => {
    const h = new EngineHarness({ services: { clients: new TestClients() } })
    expect(h.raw(args.map((arg) => Buffer.from(arg, 'latin1')))).toBe(`-${error}\r\n`)
  })
})

describe('WATCH', () => {
  function watching(prepare: (h: EngineHarness) => void) {
    const h = new EngineHarness()
    const other = h.newSession()
    prepare(h)
    h.run('WATCH', 'k')
    return {
      h,
      other,
      exec: () => {
        h.run('MULTI')
        h.run('DBSIZE')
        return h.run('EXEC')
      },
    }
  }

  it('breaks the transaction when the key changes, goes or comes', () => {
    const changed = watching((h) => h.run('SET', 'k', 'v'))
    changed.h.runIn(changed.other, 'APPEND', 'k', 'x')
    expect(changed.exec()).toBe(null)
    const gone = watching((h) => h.run('SET', 'k', 'v'))
    gone.h.runIn(gone.other, 'DEL', 'k')
    expect(gone.exec()).toBe(null)
    const came = watching(() => undefined)
    came.h.runIn(came.other, 'SET', 'k', 'v')
    expect(came.exec()).toBe(null)
  })

  it('breaks it on a flush only if the key was there', () => {
    const there = watching((h) => h.run('SET', 'k', 'v'))
    there.h.runIn(there.other, 'FLUSHALL')
    expect(there.exec()).toBe(null)
    const absent = watching((h) => h.run('SET', 'x', 'v'))
    absent.h.runIn(absent.other, 'FLUSHDB')
    expect(absent.exec()).toEqual([0])
  })

  it('breaks it when the key falls due meanwhile, removed or not', () => {
    const lapsed = watching((h) => h.run('SET', 'k', 'v', 'PX', '50'))
    lapsed.h.clock.now += 51
    expect(lapsed.exec()).toBe(null)
    const removed = watching((h) => h.run('SET', 'k', 'v', 'PX', '50'))
    removed.h.clock.advance(500)
    expect(removed.exec()).toBe(null)
  })

  it('does not break it when a key that was due already is removed or flushed', () => {
    for (const end of [['GET', 'k'], ['FLUSHDB'], ['DBSIZE']]) {
      const due = watching((h) => {
        h.run('SET', 'k', 'v', 'PX', '50')
        h.clock.now += 51
      })
      due.h.runIn(due.other, ...end)
      due.h.clock.advance(end[0] === 'DBSIZE' ? 500 : 0)
      expect(due.exec()).toEqual([0])
    }
    const written = watching((h) => {
      h.run('SET', 'k', 'v', 'PX', '50')
      h.clock.now += 51
    })
    written.h.runIn(written.other, 'SET', 'k', 'new')
    expect(written.exec()).toBe(null)
  })
})
