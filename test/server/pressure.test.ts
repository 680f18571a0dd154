import { describe, expect, it } from 'vitest'
import { LIMITS } from '../../src/base/limits.js'
import { acceleratedClock, realClock, slowTurnClock } from './fake-engine.js'
import { startServer, type TestServer } from './test-server.js'

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))
const TEN_KB = 10_000

describe('a client that does not read', () => {
  it('is bounded: its commands stop, and go on when it reads', async () => {
    const { client, engine, server } = await startServer()
    engine.values.set('k', Buffer.alloc(TEN_KB, 'x'))
    const c = await client()
    c.socket.pause()
    const total = 5000
    c.send('GET k\r\n'.repeat(total))
    let before = -1
    while (engine.commands !== before || before === 0) {
      before = engine.commands
      await pause(100)
    }
    expect(engine.commands).toBeLessThan(total)
    expect(server.registry.find(1)?.outputBytes).toBeLessThan(LIMITS.pausedOutputBytes + 2 * TEN_KB)
    const other = await client()
    other.send('PING\r\n')
    await other.expectText('+PONG\r\n')
    c.socket.resume()
    const reply = `$${TEN_KB}\r\n`.length + TEN_KB + 2
    await c.until(() => c.length >= total * reply, 'all replies')
    expect(c.length).toBe(total * reply)
    expect(engine.commands).toBe(total + 1)
  })

  it('is disconnected at the hard limit, and hears nothing of that pipeline', async () => {
    const { client, engine, server, settings, logger } = await startServer()
    engine.values.set('k', Buffer.alloc(TEN_KB, 'x'))
    settings.outputLimit = { hardBytes: 100_000, softBytes: 0, softSeconds: 0 }
    const c = await client()
    c.send('GET k\r\n'.repeat(5))
    await c.until(() => c.length > 5 * TEN_KB)
    c.forget()
    c.send('GET k\r\n'.repeat(200))
    await c.expectEnd()
    expect(c.length).toBe(0)
    expect(server.registry.statistics.outputBufferLimitDisconnections).toBe(1)
    expect(logger.warnings).toEqual(['client does not read its replies: disconnected'])
    expect(engine.closedSessions).toEqual([1])
  })

  it('is disconnected when messages pile up beyond the hard limit', async () => {
    const { client, server, settings } = await startServer()
    settings.outputLimit = { hardBytes: 1_000_000, softBytes: 0, softSeconds: 0 }
    const subscriber = await client()
    subscriber.socket.pause()
    const publisher = await client()
    const message = 'm'.repeat(50_000)
    for (let i = 0; i < 2000 && server.registry.statistics.outputBufferLimitDisconnections === 0; i++) {
      publisher.command('TELL', '1', message)
      await publisher.expectText(':1\r\n')
    }
    expect(server.registry.statistics.outputBufferLimitDisconnections).toBe(1)
    await publisher.until(() => server.registry.count === 1)
  })

  it('is disconnected when it stays above the soft limit for too long', async () => {
    const { client, engine, server, settings } = await startServer({ clock: acceleratedClock(5) })
    engine.values.set('k', Buffer.alloc(20_000_000, 'x'))
    settings.outputLimit = { hardBytes: 0, softBytes: 1_000_000, softSeconds: 1 }
    const c = await client()
    c.socket.pause()
    c.send('GET k\r\n')
    await pause(100)
    expect(server.registry.count).toBe(1)
    await c.until(() => server.registry.count === 0, 'disconnection')
    expect(server.registry.statistics.outputBufferLimitDisconnections).toBe(1)
  })

  it('is not disconnected by the soft limit when it reads in time', async () => {
    const { client, engine, server, settings } = await startServer({ clock: acceleratedClock(2) })
    engine.values.set('k', Buffer.alloc(20_000_000, 'x'))
    settings.outputLimit = { hardBytes: 0, softBytes: 1_000_000, softSeconds: 2 }
    const c = await client()
    c.send('GET k\r\n')
    await c.until(() => c.length > 20_000_000)
    await pause(1500)
    expect(server.registry.count).toBe(1)
  })
})

describe('fairness', () => {
  it.each([
    ['', true],
    [' of commands that nobody times, such as those that are queued,', false],
  ])('a giant pipeline%s does not keep others waiting', async (_what, timesCommands) => {
    const { client, engine } = await startServer()
    engine.timesCommands = timesCommands
    const greedy = await client()
    const modest = await client()
    modest.send('PING\r\n')
    await modest.expectText('+PONG\r\n')
    const total = 400
    greedy.send('BURN 1\r\n'.repeat(total))
    await greedy.until((c) => c.length > 0)
    modest.send('PING\r\n')
    await modest.expectText('+PONG\r\n')
    expect(engine.commands).toBeLessThan(total / 2)
    await greedy.expectText('+OK\r\n'.repeat(total))
    expect(Math.max(...engine.commandsPerTurn)).toBeLessThan(40)
  })

  it('a command of very many arguments is decoded over several turns when there is no time for all of them in one', async () => {
    // However little has been done, time is up.
    const { client, engine } = await startServer({ clock: { ...realClock, workUntil: () => -Infinity } })
    const greedy = await client()
    const modest = await client()
    const many = 20 * LIMITS.decodedArguments
    greedy.send(`*${many + 1}\r\n$4\r\nARGS\r\n${'$1\r\nx\r\n'.repeat(many)}PING\r\n`)
    modest.send('PING\r\n')
    await greedy.expectText(`:${many + 1}\r\n+PONG\r\n`)
    await modest.expectText('+PONG\r\n')
    expect(engine.turns).toBeGreaterThan(12)
  })
})

describe('clients that bring much', () => {
  /** Also the bytes that were read in each turn; there is time for much in it. */
  async function startCounting(): Promise<TestServer & { readonly turns: number[] }> {
    const turns: number[] = []
    let counted = 0
    let count = (): number => 0
    const started = await startServer({
      clock: {
        ...realClock,
        defer: (callback) =>
          void setTimeout(() => {
            turns.push(count() - counted)
            counted = count()
            callback()
          }, 10),
      },
    })
    count = () => started.server.registry.statistics.netInputBytes
    return { ...started, turns }
  }

  it('are read a bounded part of in a turn, whole and in order', async () => {
    const { client, turns } = await startCounting()
    const clients = [await client(), await client(), await client()]
    const large = clients.map((_, i) => Buffer.alloc(3_000_000 + i, 'abc'[i]))
    const many = 100_000
    clients.forEach((c, i) => {
      c.command('ECHO', large[i])
      c.send('PING\r\n')
    })
    clients[0].send(`*${many + 1}\r\n$4\r\nARGS\r\n${'$8\r\nargument\r\n'.repeat(many)}`)
    for (const [i, c] of clients.entries()) {
      const end = i === 0 ? `+PONG\r\n:${many + 1}\r\n` : '+PONG\r\n'
      const reply = Buffer.concat([Buffer.from(`$${large[i].length}\r\n`), large[i], Buffer.from(`\r\n${end}`)])
      await c.until(() => c.length >= reply.length, 'all replies')
      expect(c.received.equals(reply)).toBe(true)
    }
    expect(Math.max(...turns)).toBeLessThanOrEqual(LIMITS.clientTurnInputBytes + clients.length * LIMITS.readBufferBytes)
  })

  it('may leave in the middle of it, or be blocked', async () => {
    const { client, server } = await startCounting()
    const leaver = await client()
    leaver.send(`*2\r\n$4\r\nECHO\r\n$8000000\r\n`)
    leaver.send(Buffer.alloc(3_000_000, 'x'))
    const sleeper = await client()
    sleeper.send('SLEEP\r\n')
    sleeper.command('ECHO', Buffer.alloc(8_000_000, 'y'))
    await sleeper.until(() => server.registry.statistics.netInputBytes > 3_500_000)
    leaver.destroy()
    await sleeper.until(() => server.registry.count === 1, 'leaving')
    const other = await client()
    other.send('WAKE up\r\n')
    await sleeper.until(() => sleeper.length > 8_000_000, 'the reply behind it')
  })
})

describe('a blocked client', () => {
  it('runs nothing more until it is unblocked, and answers in order', async () => {
    const { client, engine } = await startServer()
    const a = await client()
    const b = await client()
    a.send('ECHO one\r\nSLEEP\r\nECHO two\r\nSLEEP\r\nECHO three\r\n')
    await a.expectText('$3\r\none\r\n')
    a.send('ECHO four\r\n')
    await pause(20)
    expect(engine.commands).toBe(2)
    b.send('WAKE first\r\n')
    await a.expectText('$5\r\nfirst\r\n$3\r\ntwo\r\n')
    b.send('WAKE second\r\n')
    await a.expectText('$6\r\nsecond\r\n$5\r\nthree\r\n$4\r\nfour\r\n')
  })

  it('is read only up to a bound meanwhile', async () => {
    const { client, server } = await startServer()
    const a = await client()
    const b = await client()
    const count = 600
    const long = 'x'.repeat(10_000)
    a.send('SLEEP\r\n')
    for (let i = 0; i < count; i++) a.command('ECHO', long)
    await pause(200)
    expect(server.registry.find(1)?.queryBufferBytes).toBeLessThan(LIMITS.blockedInputBytes + LIMITS.readBufferBytes + 1)
    b.send('WAKE x\r\n')
    await a.expectText('$1\r\nx\r\n' + `$10000\r\n${long}\r\n`.repeat(count))
  })

  it('is gone when it closes, without taking anything', async () => {
    const { client, engine, server } = await startServer()
    const a = await client()
    a.send('SLEEP\r\n')
    await a.until(() => engine.commands === 1)
    a.socket.end()
    await a.until(() => server.registry.count === 0)
    expect(engine.closedSessions).toEqual([1])
  })

  it('is gone when it closed before it would have blocked', async () => {
    const { client, engine, server } = await startServer()
    const a = await client()
    a.send('BURN 5\r\n'.repeat(16) + 'SLEEP\r\n')
    a.socket.end()
    await a.until(() => server.registry.count === 0)
    expect(engine.closedSessions).toEqual([1])
    expect(engine.commands).toBe(17)
  })
})

describe('late messages', () => {
  it('reach other clients and, after the reply, the sender itself', async () => {
    const { client } = await startServer()
    const a = await client()
    const b = await client()
    a.send('HELLO 3\r\n')
    await a.expectText('%1\r\n$5\r\nproto\r\n:3\r\n')
    b.send('TELL 1 hello\r\nPING\r\n')
    await b.expectText(':1\r\n+PONG\r\n')
    await a.expectText('>2\r\n$7\r\nmessage\r\n$5\r\nhello\r\n')
    a.send('TELL 1 self\r\nPING\r\n')
    await a.expectText(':1\r\n>2\r\n$7\r\nmessage\r\n$4\r\nself\r\n+PONG\r\n')
  })

  it('keep their place among replies of the same turn', async () => {
    const { client } = await startServer()
    const a = await client()
    const b = await client()
    let sent = 0
    let expectedA = ''
    for (let i = 0; i < 50; i++) {
      a.send('PING\r\n')
      b.send(`TELL 1 ${i}\r\n`)
      sent++
    }
    await b.expectText(':1\r\n'.repeat(sent))
    await a.until(() => a.text.split('PONG').length === 51 && a.text.includes('$2\r\n49\r\n'))
    for (let i = 0; i < 50; i++) expectedA += `*2\r\n$7\r\nmessage\r\n$${String(i).length}\r\n${i}\r\n`
    expect(a.text.replaceAll('+PONG\r\n', '')).toBe(expectedA)
  })

  it('come also with replies off', async () => {
    const { client } = await startServer()
    const a = await client()
    const b = await client()
    a.send('REPLY off\r\n')
    await pause(20)
    b.send('TELL 1 hi\r\n')
    await a.expectText('*2\r\n$7\r\nmessage\r\n$2\r\nhi\r\n')
  })
})

describe('appendfsync always', () => {
  it('holds replies until the log is durable; later writes do not prolong the wait of earlier ones', async () => {
    const { client, engine } = await startServer()
    engine.syncByHand = true
    const a = await client()
    const b = await client()
    a.send('PING\r\nWRITE\r\n')
    b.send('PING\r\n')
    await b.expectText('+PONG\r\n')
    await pause(20)
    expect(a.length).toBe(0)
    a.send('WRITE\r\nPING\r\n')
    await a.until(() => engine.commands === 5)
    engine.sync(10)
    await a.expectText('+PONG\r\n+OK\r\n')
    await pause(20)
    expect(a.length).toBe(0)
    engine.sync()
    await a.expectText('+OK\r\n+PONG\r\n')
    a.send('WRITE\r\nQUIT\r\n')
    await pause(20)
    expect(a.ended).toBe(false)
    engine.sync()
    await a.expectText('+OK\r\n+OK\r\n')
    await a.expectEnd()
  })
})

describe('a sync that fails', () => {
  it('disconnects who waits for it, and nobody else', async () => {
    const { client, engine, logger } = await startServer()
    engine.syncByHand = true
    const writer = await client()
    const reader = await client()
    writer.send('WRITE\r\nPING\r\n')
    reader.send('PING\r\n')
    await reader.expectText('+PONG\r\n')
    await writer.until(() => engine.commands === 3)
    engine.failSync()
    await writer.expectEnd()
    expect(writer.length).toBe(0)
    expect(logger.warnings).toEqual(['client waits for a write whose sync has failed: disconnected'])
    reader.send('PING\r\n')
    await reader.expectText('+PONG\r\n')
    // In the turn in which it fails a write may still be on its way.
    reader.send('WRITE\r\n')
    await reader.expectEnd()
  })
})

describe('appendfsync always within one turn', () => {
  it('holds replies that were moved aside before the turn ended', async () => {
    const { client, engine } = await startServer({ clock: slowTurnClock })
    engine.syncByHand = true
    const a = await client()
    const b = await client()
    a.send('WRITE\r\n')
    await a.until(() => engine.commands === 1)
    b.send('TELL 1 x\r\n')
    await a.until(() => engine.commands === 2)
    a.send('PING\r\n')
    await b.expectText(':1\r\n')
    await pause(120)
    expect(engine.commands).toBe(3)
    expect(a.length).toBe(0)
    engine.sync()
    await a.expectText('+OK\r\n*2\r\n$7\r\nmessage\r\n$1\r\nx\r\n+PONG\r\n')
  })
})

describe('query buffer limit', () => {
  it('disconnects a client whose unfinished command exceeds it', async () => {
    const { client, server, settings, logger } = await startServer()
    settings.queryBufferBytes = 1_000_000
    const c = await client()
    c.send('*2\r\n$4\r\nECHO\r\n$2000000\r\n' + 'x'.repeat(1_500_000))
    await c.expectEnd()
    expect(server.registry.statistics.queryBufferLimitDisconnections).toBe(1)
    expect(logger.warnings).toEqual(['client exceeds the query buffer limit: disconnected'])
  })
})
