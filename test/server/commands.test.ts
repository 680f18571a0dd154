import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { startServer } from './test-server.js'

describe('commands and replies', () => {
  it('answers commands in order, inline and as arrays', async () => {
    const { client } = await startServer()
    const c = await client()
    c.send('PING\r\nset k "a b"\r\n')
    c.command('GET', 'k')
    c.command('GET', 'none')
    await c.expectText('+PONG\r\n+OK\r\n$3\r\na b\r\n$-1\r\n')
  })

  it('answers commands in any fragmentation', async () => {
    const { client } = await startServer()
    const c = await client()
    const input = Buffer.from('*2\r\n$4\r\nECHO\r\n$5\r\nhello\r\nPING\r\n*2\r\n$4\r\nECHO\r\n$2\r\n\r\n\r\n')
    const output = '$5\r\nhello\r\n+PONG\r\n$2\r\n\r\n\r\n'
    await fc.assert(
      fc.asyncProperty(fc.array(fc.integer({ min: 0, max: input.length }), { maxLength: 8 }), async (places) => {
        let from = 0
        for (const to of [...places.sort((a, b) => a - b), input.length]) {
          if (to > from) c.send(input.subarray(from, to))
          from = to
          await new Promise((resolve) => setImmediate(resolve))
        }
        await c.expectText(output)
      }),
      { numRuns: 60 },
    )
  })

  it('answers 10,000 pipelined commands', async () => {
    const { client, engine } = await startServer()
    const c = await client()
    c.send('*1\r\n$4\r\nPING\r\n'.repeat(10_000))
    await c.expectText('+PONG\r\n'.repeat(10_000))
    expect(engine.commands).toBe(10_000)
  })

  it('takes and gives back a value of 64 MB', async () => {
    const { client } = await startServer()
    const c = await client()
    const value = Buffer.alloc(64 * 1024 * 1024, 'abcdefg')
    c.command('SET', 'big', value)
    await c.expectText('+OK\r\n')
    c.command('GET', 'big')
    const total = value.length + `$${value.length}\r\n\r\n`.length
    await c.until(() => c.length >= total, 'the value')
    const reply = c.received
    expect(reply.length).toBe(total)
    expect(reply.subarray(reply.indexOf(10) + 1, -2).equals(value)).toBe(true)
  })

  it('speaks RESP3 after HELLO 3, in the same pipeline', async () => {
    const { client } = await startServer()
    const c = await client()
    c.send('GET none\r\nHELLO 3\r\nGET none\r\nHELLO 2\r\nGET none\r\n')
    await c.expectText('$-1\r\n%1\r\n$5\r\nproto\r\n:3\r\n_\r\n*2\r\n$5\r\nproto\r\n:2\r\n$-1\r\n')
  })

  it('leaves replies out as CLIENT REPLY says', async () => {
    const { client } = await startServer()
    const c = await client()
    c.send('REPLY skip\r\nECHO skipped\r\nECHO heard\r\nREPLY off\r\nECHO silent\r\nECHO silent\r\nREPLY on\r\nECHO again\r\n')
    await c.expectText('$5\r\nheard\r\n+OK\r\n$5\r\nagain\r\n')
    c.send('REPLY skip\r\nSLEEP\r\nECHO after\r\n')
    const d = await client()
    await new Promise((resolve) => setTimeout(resolve, 20))
    d.send('WAKE woken\r\n')
    await c.expectText('$5\r\nafter\r\n')
  })

  it('ends a turn once for the commands of many clients', async () => {
    const { client, engine } = await startServer()
    const clients = await Promise.all(Array.from({ length: 20 }, client))
    engine.turns = 0
    for (const c of clients) c.send('PING\r\nPING\r\n')
    for (const c of clients) await c.expectText('+PONG\r\n+PONG\r\n')
    expect(engine.turns).toBeLessThanOrEqual(20)
    expect(engine.commands).toBe(40)
  })

  it('gives increasing ids and counts traffic', async () => {
    const { client, server } = await startServer()
    const a = await client()
    const b = await client()
    a.send('ID\r\n')
    await a.expectText(':1\r\n')
    b.send('ID\r\n')
    await b.expectText(':2\r\n')
    a.destroy()
    await a.until(() => server.registry.count === 1)
    const c = await client()
    c.send('ID\r\n')
    await c.expectText(':3\r\n')
    expect(server.registry.statistics).toMatchObject({ totalConnections: 3, netInputBytes: 12, netOutputBytes: 12 })
    expect(server.registry.find(3)?.address).toBe(`127.0.0.1:${c.socket.localPort}`)
    expect(server.registry.find(3)?.localAddress).toBe(`127.0.0.1:${c.socket.remotePort}`)
    expect(server.registry.find(3)?.fd).toBeGreaterThan(0)
  })
})

describe('protocol errors', () => {
  it('are answered after the commands before them, then the connection is closed', async () => {
    const { client, engine } = await startServer()
    const c = await client()
    c.send('PING\r\n*1\r\nfoo\r\nPING\r\n')
    await c.expectText("+PONG\r\n-ERR Protocol error: expected '$', got 'f'\r\n")
    await c.expectEnd()
    expect(c.length).toBe(0)
    expect(engine.closedSessions).toEqual([1])
  })

  it('reach a client that goes on sending', async () => {
    const { client } = await startServer()
    const c = await client()
    c.send('*x\r\n')
    for (let i = 0; i < 20; i++) c.send('x'.repeat(10_000))
    await c.expectText('-ERR Protocol error: invalid multibulk length\r\n')
    await c.expectEnd()
    expect(c.error).toBeNull()
  })

  it('hold a client that has not authenticated to small commands', async () => {
    const { client } = await startServer({ admit: () => {} })
    const c = await client()
    const many = `*11\r\n${'$4\r\nARGS\r\n'.repeat(11)}`
    c.send('AUTH x\r\n' + many)
    await c.expectText('+OK\r\n:11\r\n')
    const d = await client()
    d.send(many)
    await d.expectText('-ERR Protocol error: unauthenticated multibulk length\r\n')
    await d.expectEnd()
  })

  it('follow a lowered proto-max-bulk-len at once', async () => {
    const { client, settings } = await startServer()
    const c = await client()
    c.send('*2\r\n$4\r\nECHO\r\n$5\r\nhello\r\n')
    await c.expectText('$5\r\nhello\r\n')
    settings.maxBulkBytes = 4
    c.send('*2\r\n$4\r\nECHO\r\n$5\r\nhello\r\n')
    await c.expectText('-ERR Protocol error: invalid bulk length\r\n')
  })
})

describe('closing', () => {
  it('after the reply, without running what follows', async () => {
    const { client, engine } = await startServer()
    const c = await client()
    c.send('QUIT\r\nPING\r\n')
    await c.expectText('+OK\r\n')
    await c.expectEnd()
    expect(engine.commands).toBe(1)
  })

  it('at once', async () => {
    const { client, engine, server } = await startServer()
    const c = await client()
    c.send('VANISH\r\nPING\r\n')
    await c.expectEnd()
    expect(c.length).toBe(0)
    expect(engine.closedSessions).toEqual([1])
    expect(server.registry.count).toBe(0)
  })

  describe('with a long reply that takes many turns', () => {
    const PIECE = `$100000\r\n${'x'.repeat(100_000)}\r\n`

    it('answers in order, with pushes before or behind it', async () => {
      const { client } = await startServer()
      const c = await client()
      const other = await client()
      c.send('ID\r\nSLICED 3\r\nPING\r\n')
      await c.until(() => c.length > 0, 'the id')
      const id = c.received.toString().slice(1, -2)
      other.command('TELL', id, 'hello')
      const push = '*2\r\n$7\r\nmessage\r\n$5\r\nhello\r\n'
      await c.expectText(`:${id}\r\n${push}${PIECE.repeat(3)}+PONG\r\n`)
    })

    it('still answers a client that closed its sending side meanwhile', async () => {
      const { client } = await startServer()
      const c = await client()
      c.send('SLICED 2\r\nPING\r\n')
      c.socket.end()
      await c.expectText(`${PIECE.repeat(2)}+PONG\r\n`)
      await c.until(() => c.ended, 'the end')
    })

    it('gives it not to who wants no replies', async () => {
      const { client } = await startServer()
      const c = await client()
      c.send('REPLY skip\r\nSLICED 1\r\nPING\r\nREPLY off\r\nSLICED 1\r\nREPLY on\r\n')
      await c.expectText('+PONG\r\n+OK\r\n')
    })

    it('runs no further command while more waits to be read than may', async () => {
      const { client, engine } = await startServer()
      const c = await client()
      c.socket.pause()
      c.send('SLICED 200\r\nPING\r\n')
      await new Promise((resolve) => setTimeout(resolve, 200))
      expect(engine.commands).toBe(1)
      c.socket.resume()
      await c.expectText(`${PIECE.repeat(200)}+PONG\r\n`)
    })
  })

  it('answers a client that closed its sending side after its commands', async () => {
    const { client, server } = await startServer()
    const c = await client()
    c.send('*1\r\n$4\r\nPING\r\n'.repeat(50_000))
    c.socket.end()
    await c.expectText('+PONG\r\n'.repeat(50_000))
    await c.expectEnd()
    await c.until((client) => client.closed && server.registry.count === 0)
  })

  it('tells the engine when a client has gone, also in the middle of a command', async () => {
    const { client, engine, server } = await startServer()
    const c = await client()
    c.send('*2\r\n$4\r\nECHO\r\n$100\r\nabc')
    await c.until(() => (server.registry.find(1)?.queryBufferBytes ?? 0) > 20)
    c.destroy()
    await c.until(() => engine.closedSessions.length === 1)
  })

  it('survives a reset connection', async () => {
    const { client, engine, logger } = await startServer()
    const c = await client()
    c.send('PING\r\n'.repeat(1000))
    c.socket.resetAndDestroy()
    await c.until(() => engine.closedSessions.length === 1)
    expect(logger.warnings).toEqual([])
  })

  it('kills a client at once, and itself after the reply', async () => {
    const { client, server } = await startServer()
    const a = await client()
    const b = await client()
    a.send('PING\r\n')
    await a.expectText('+PONG\r\n')
    b.send('KILL 1\r\n')
    await b.expectText('+OK\r\n')
    await a.expectEnd()
    expect(server.registry.count).toBe(1)
    b.send('KILL 2\r\nPING\r\n')
    await b.expectText('+OK\r\n')
    await b.expectEnd()
    expect(b.length).toBe(0)
  })
})
