import { createServer } from 'node:net'
import { describe, expect, it } from 'vitest'
import { MeridianError } from '../../src/base/errors.js'
import { ClientServer } from '../../src/server/client-server.js'
import { defaultServerSettings } from '../../src/server/server-settings.js'
import { acceleratedClock, FakeEngine, RecordingLogger, realClock } from './fake-engine.js'
import { startServer } from './test-server.js'

describe('maxclients', () => {
  it('refuses the client beyond it, tells it why, and can be changed', async () => {
    const { client, server, settings } = await startServer()
    settings.maxClients = 1
    const a = await client()
    a.send('PING\r\n')
    await a.expectText('+PONG\r\n')
    const b = await client()
    b.send('PING\r\n')
    await b.expectText('-ERR max number of clients reached\r\n')
    await b.expectEnd()
    expect(b.error).toBeNull()
    expect(server.registry.statistics.rejectedConnections).toBe(1)
    expect(server.registry.count).toBe(1)
    settings.maxClients = 2
    const c = await client()
    c.send('PING\r\n')
    await c.expectText('+PONG\r\n')
  })
})

describe('timeout', () => {
  it('disconnects idle clients, but not blocked ones, and can be changed', async () => {
    const { client, server, settings, engine } = await startServer({ clock: acceleratedClock(5) })
    const idle = await client()
    const blocked = await client()
    blocked.send('SLEEP\r\n')
    await blocked.until(() => engine.commands === 1)
    settings.idleTimeoutSeconds = 1
    await idle.expectEnd()
    expect(server.registry.find(1)).toBeUndefined()
    expect(server.registry.find(2)).toBeDefined()
  })
})

describe('listening', () => {
  const make = (bind: string[], port: number): ClientServer =>
    new ClientServer({
      executor: new FakeEngine(),
      clock: realClock,
      logger: new RecordingLogger(),
      settings: defaultServerSettings(),
      bind,
      port,
      tls: null,
      admit: () => {},
    })

  const failure = async (server: ClientServer): Promise<MeridianError> => {
    const error: unknown = await server.start().then(
      () => null,
      (reason: unknown) => reason,
    )
    expect(error).toBeInstanceOf(MeridianError)
    return error as MeridianError
  }

  it('on a port that is in use names it and says what to do', async () => {
    const taken = createServer()
    const port = await new Promise<number>((resolve) =>
      taken.listen(0, '127.0.0.1', () => resolve((taken.address() as { port: number }).port)),
    )
    const error = await failure(make(['127.0.0.1'], port))
    expect(error.code).toBe('MRD_PORT_IN_USE')
    expect(error.message).toContain(`127.0.0.1:${port} is already in use`)
    expect(error.remedy).toContain('choose another port')
    taken.close()
  })

  it('on an address that is not there says so, unless it is optional', async () => {
    const error = await failure(make(['127.0.0.1', '203.0.113.7'], 0))
    expect(error.code).toBe('MRD_LISTEN')
    expect(error.message).toContain('203.0.113.7')
    const server = make(['127.0.0.1', '-203.0.113.7'], 0)
    await server.start()
    expect(server.addresses.length).toBe(1)
    await server.stop()
    expect((await failure(make(['-203.0.113.7'], 0))).code).toBe('MRD_LISTEN')
  })

  it('on several addresses uses one port', async () => {
    const server = make(['127.0.0.1', '127.0.0.2'], 0)
    await server.start()
    expect(server.addresses.map((address) => address.host)).toEqual(['127.0.0.1', '127.0.0.2'])
    expect(server.addresses[0].port).toBe(server.addresses[1].port)
    await server.stop()
  })
})

describe('stop', () => {
  it('sends what is ready, closes every client, and accepts no more', async () => {
    const { client, server, engine } = await startServer()
    const a = await client()
    const blocked = await client()
    blocked.send('SLEEP\r\n')
    a.send('PING\r\n')
    await a.until(() => engine.commands === 2)
    const stopped = server.stop()
    await a.expectText('+PONG\r\n')
    await a.expectEnd()
    await blocked.expectEnd()
    a.destroy()
    blocked.destroy()
    await stopped
    expect(engine.closedSessions.sort()).toEqual([1, 2])
    expect(server.registry.count).toBe(0)
    await expect(client()).rejects.toThrow('ECONNREFUSED')
  })
})
