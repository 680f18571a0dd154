import { describe, expect, it } from 'vitest'
import { acceleratedClock } from './fake-engine.js'
import { startServer } from './test-server.js'

const listening = () => ({ channel: new Set(['c']), pattern: new Set<string>(), shard: new Set<string>() })

describe('a client that listens to channels', () => {
  it('is not disconnected for being idle', async () => {
    const { client, settings, server } = await startServer({ clock: acceleratedClock(20) })
    const [subscriber, idle] = [await client(), await client()]
    for (const one of [subscriber, idle]) {
      one.command('PING')
      await one.expectText('+PONG\r\n')
    }
    const [first] = [...server.registry.clients()]
    first.session.subscriptions = listening()
    settings.idleTimeoutSeconds = 2
    await idle.expectEnd()
    expect(subscriber.ended).toBe(false)
  })

  it('has an output limit of its own', async () => {
    const { client, settings, server } = await startServer()
    const subscriber = await client()
    settings.pubsubOutputLimit = { hardBytes: 100_000, softBytes: 0, softSeconds: 0 }
    subscriber.command('PING')
    await subscriber.expectText('+PONG\r\n')
    const [{ session }] = [...server.registry.clients()]
    session.deliver((reply) => reply.bulkBytes(Buffer.alloc(200_000)))
    await subscriber.until((one) => one.length > 200_000, 'the message of a client that does not listen')
    session.subscriptions = listening()
    session.deliver((reply) => reply.bulkBytes(Buffer.alloc(200_000)))
    await subscriber.expectEnd()
    expect(server.registry.statistics.outputBufferLimitDisconnections).toBe(1)
  })
})
