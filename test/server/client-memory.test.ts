import { describe, expect, it } from 'vitest'
import { Fieldset, Fieldsets } from '../../src/commands/fieldsets.js'
import type { TestClient } from './test-client.js'
import { startServer, type TestServer } from './test-server.js'

const HUNDRED_KB = 100_000

/** Sends the beginning of a command with a long argument, and waits until the server has so much of it. */
async function leaveWaiting({ server }: TestServer, client: TestClient, id: number, bytes: number): Promise<void> {
  client.send(`*2\r\n$3\r\nSET\r\n$${bytes * 2}\r\n${'x'.repeat(bytes)}`)
  await client.until(
    () => (server.registry.find(id)?.queryBufferBytes ?? Infinity) >= bytes,
    'the server to have the input, or the client to be gone',
  )
}

function taken({ server }: TestServer): number {
  return [...server.registry.clients()].reduce((sum, { totalMemoryBytes }) => sum + totalMemoryBytes, 0)
}

describe('memory of all clients together', () => {
  it('is bounded by disconnecting those that take most', async () => {
    const started = await startServer()
    const { client, settings, server, logger, engine } = started
    const clients = [await client(), await client(), await client()]
    await leaveWaiting(started, clients[0], 1, HUNDRED_KB)
    await leaveWaiting(started, clients[1], 2, 4 * HUNDRED_KB)
    settings.clientMemoryBytes = taken(started) + HUNDRED_KB
    await leaveWaiting(started, clients[2], 3, 3 * HUNDRED_KB)
    await clients[1].expectEnd()
    expect([...server.registry.clients()].map(({ session }) => session.id)).toEqual([1, 3])
    expect(server.registry.statistics.evictedClients).toBe(1)
    expect(logger.warnings).toEqual(['client takes most of maxmemory-clients: disconnected'])
    expect(engine.closedSessions).toEqual([2])
  })

  it('spares who said CLIENT NO-EVICT', async () => {
    const started = await startServer()
    const { client, settings, server } = started
    settings.clientMemoryBytes = 500_000
    const clients = [await client(), await client()]
    const first = server.registry.find(1)
    if (first !== undefined) first.session.noEvict = true
    await leaveWaiting(started, clients[0], 1, 6 * HUNDRED_KB)
    expect(server.registry.find(1)).toBeDefined()
    // It counts all the same, so whoever else takes something is over the bound.
    clients[1].send('PING\r\n')
    await clients[1].expectEnd()
    expect(server.registry.count).toBe(1)
  })

  it('may be bounded later: at the next event the bound holds', async () => {
    const started = await startServer()
    const { client, settings, server } = started
    const clients = [await client(), await client(), await client()]
    for (let i = 0; i < 2; i++) await leaveWaiting(started, clients[i], i + 1, 5 * HUNDRED_KB)
    settings.clientMemoryBytes = taken(started) - HUNDRED_KB
    clients[2].send('PING\r\n')
    await clients[2].expectText('+PONG\r\n')
    await clients[2].until(() => server.registry.count === 2, 'one of them to go')
    settings.clientMemoryBytes = 0
    await leaveWaiting(started, clients[2], 3, 9 * HUNDRED_KB)
    expect(server.registry.count).toBe(2)
  })

  it('counts the fieldsets of a client', async () => {
    const { client, server, settings } = await startServer()
    const c = await client()
    c.send('PING\r\n')
    await c.expectText('+PONG\r\n')
    const found = server.registry.find(1)
    expect(found).toBeDefined()
    if (found === undefined) return
    const before = found.totalMemoryBytes
    found.session.fieldsets = new Fieldsets()
    found.session.fieldsets.put(new Fieldset(new Uint8Array(1), 3, 5 * HUNDRED_KB))
    expect(found.totalMemoryBytes - before).toBe(found.session.fieldsets.bytes)
    expect(found.session.fieldsets.bytes).toBeGreaterThan(5 * HUNDRED_KB)
    settings.clientMemoryBytes = before + HUNDRED_KB
    c.send('PING\r\n')
    await c.expectEnd()
    expect(server.registry.count).toBe(0)
  })

  it('counts replies that a client does not read', async () => {
    const { client, engine, settings, server } = await startServer()
    engine.values.set('k', Buffer.alloc(HUNDRED_KB, 'x'))
    settings.clientMemoryBytes = 1_500_000
    settings.outputLimit = { hardBytes: 1e9, softBytes: 0, softSeconds: 0 }
    const c = await client()
    c.socket.pause()
    for (let i = 0; i < 400 && server.registry.count > 0; i++) {
      c.send('GET k\r\n')
      await new Promise((resolve) => setTimeout(resolve, 1))
    }
    await c.until(() => server.registry.count === 0, 'disconnection')
    expect(server.registry.statistics.evictedClients).toBe(1)
  })
})
